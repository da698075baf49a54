# inputs.py: the inputs of the real programs of scripts/bench malloc, the same bytes each
# time. Each function returns the text of one file.

import json


def numbers(seed, count):
    """The same pseudo-random numbers every time."""
    state = seed
    for _ in range(count):
        state = (state * 1103515245 + 12345) % 2147483648
        yield state >> 8


def json_rows(count):
    return json.dumps([
        {'id': n, 'name': f'name {n % 977}', 'tags': ['a', 'bc', n % 13],
         'nested': {'x': n / 7, 'none': None, 'text': 'é' * (n % 9)}}
        for n in numbers(1, count)])


def xml_rows(count):
    return '<?xml version="1.0"?><rows>' + ''.join(
        f'<row id="{n}" kind="k{n % 7}"><name>n{n % 977}</name><empty/>'
        f'<text>{"word " * (n % 12)}</text></row>'
        for n in numbers(2, count)) + '</rows>\n'


def text_lines(count):
    return ''.join(
        f'key{n % 4999} {n:x} some text {n % 97} {"z" * (n % 31)}\n'
        for n in numbers(3, count))


def git_stream(count):
    """A history for git fast-import."""
    stream = []
    for i, n in enumerate(numbers(4, count)):
        message = f'change {i}\n\nbecause of {n}\n'
        stream.append(
            'commit refs/heads/main\n'
            f'committer A Person <person@example.org> {1500000000 + i} +0000\n'
            f'data {len(message)}\n{message}')
        for j in range(4):
            lines = ''.join(f'line {(n + i * k) % 1000} of {j}\n'
                            for k in range(60))
            stream.append(f'M 644 inline folder{n % 9}/file{(n + j) % 40}.txt\n'
                          f'data {len(lines)}\n{lines}\n')
    return ''.join(stream)


def cxx_source(count):
    """Standard headers, and templates that are instantiated count times."""
    return '''// Generated: what makes a C++ compiler allocate.
#include <algorithm>
#include <map>
#include <string>
#include <tuple>
#include <unordered_map>
#include <vector>

template <int N> struct item {
    std::map<std::string, std::vector<int>> byname;
    std::unordered_map<int, std::tuple<int, std::string>> bynumber;
    int work(int n) {
        std::vector<std::string> words;
        for (int i = 0; i < n; i++) {
            words.push_back(std::to_string(i * N));
            byname[words.back()].push_back(i);
            bynumber[i] = std::make_tuple(N, words.back());
        }
        std::sort(words.begin(), words.end(),
                  [](const auto &a, const auto &b) { return a > b; });
        return (int)(words.size() + byname.size() + bynumber.size());
    }
};

int all(int n) {
    int sum = 0;
''' + ''.join(f'    sum += item<{i}>().work(n + {i});\n'
              for i in range(1, count + 1)) + '    return sum;\n}\n'


def sql(count):
    return f'''CREATE TABLE t (a INTEGER PRIMARY KEY, b TEXT, c REAL);
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n
  WHERE i < {count})
  INSERT INTO t SELECT i, 'name ' || (i * 7919 % 10007), i / 7.0 FROM n;
CREATE INDEX t_b ON t (b);
SELECT count(*), sum(length(b)), group_concat(DISTINCT substr(b, 6, 2)) FROM t;
SELECT b, count(*) AS k, sum(c) FROM t GROUP BY b ORDER BY k DESC, b LIMIT 9;
UPDATE t SET b = b || a WHERE a % 3 = 0;
DELETE FROM t WHERE a % 5 = 1;
SELECT max(length(x.b || y.b)) FROM t x JOIN t y ON x.a = y.a + 7;
'''


PYTHON = '''import json
words = {}
for i in range(%d):
    words.setdefault("w%%d" %% (i * 7919 %% 20011), []).append((i, str(i)))
rows = [{"key": k, "n": len(v), "last": v[-1]} for k, v in words.items()]
text = json.dumps(sorted(rows, key=lambda r: (-r["n"], r["key"])))
back = json.loads(text)
print(len(text), sum(r["n"] for r in back))
'''

LUA = '''local words, n = {}, 0
for i = 1, %d do
  local k = "w" .. (i * 7919 %% 20011)
  words[k] = words[k] or {}
  table.insert(words[k], { i, tostring(i) .. k })
end
local parts = {}
for k, v in pairs(words) do parts[#parts + 1] = k .. "=" .. #v end
table.sort(parts)
print(#table.concat(parts, ","))
'''

PERL = '''my %%words;
for my $i (1 .. %d) {
    push @{$words{"w" . ($i * 7919 %% 20011)}}, { n => $i, text => "t$i" };
}
my $text = join ",", map { "$_=" . scalar @{$words{$_}} } sort keys %%words;
$text =~ s/w(\\d+)/<$1>/g;
print length($text), "\\n";
'''

RUBY = '''words = Hash.new { |h, k| h[k] = [] }
(1..%d).each { |i| words["w#{i * 7919 %% 20011}"] << [i, "text number #{i} is longer than a slot"] }
parts = words.sort.map { |k, v| "#{k}=#{v.map { |x| x[1] }.join(" ").size}" }
puts parts.join(",").size
'''

JAVASCRIPT = '''const words = new Map();
for (let i = 0; i < %d; i++) {
  const k = "w" + (i * 7919 %% 20011);
  if (!words.has(k)) words.set(k, []);
  words.get(k).push({ n: i, buffer: Buffer.alloc(100 + i %% 20000) });
  if (words.get(k).length > 2) words.get(k).shift();
}
let sum = 0;
for (const list of words.values()) for (const x of list) sum += x.buffer.length;
console.log(words.size, sum, JSON.stringify([...words.keys()]).length);
'''
