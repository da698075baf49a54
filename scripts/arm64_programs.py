"""arm64_programs: real programs for scripts/arm64: shell commands whose output is the same with
glibc's malloc and with mound. PACKAGES are those of Debian that have them."""

PACKAGES = ('python3 perl redis-server redis-tools lua5.4 ruby sqlite3 git openssl xz-utils '
            'zstd jq gawk')

SCRIPTS = {
    'bash': 'for i in $(seq 20); do a[i]=$(printf %0200d $i); done; echo ${#a[*]} ${a[7]}',
    'sort': 'seq 40000 | shuf --random-source=/usr/bin/env | sort --parallel=2 -S 2M | md5sum',
    'gawk': "seq 30000 | gawk '{ n[$1 % 977] = n[$1 % 977] $1 } END { for (i in n) "
            "t += length(n[i]); print t }'",
    'perl': "perl -e 'for my $i (1..30000) { $h{$i % 5003} .= $i } "
            "print length(join q(), map { $h{$_} } sort keys %h), qq(\\n)'",
    'python3': "python3 -c 'import json, threading\n"
               "def work(): json.loads(json.dumps([dict(a=i, b=str(i)) for i in range(4000)]))\n"
               "t = [threading.Thread(target=work) for _ in range(4)]\n"
               "[x.start() for x in t]; [x.join() for x in t]\n"
               "b = bytearray()\nfor i in range(300): b += bytes(50000)\nprint(len(b))'",
    'ruby': "ruby -e 'puts (1..20000).map { |i| i.to_s * 3 }.group_by(&:size).map { _2.size }'",
    'lua': "lua -e 't = {} for i = 1, 30000 do t[i] = (\"x\"):rep(i % 300) end "
           "collectgarbage() print(#table.concat(t))'",
    'sqlite3': "sqlite3 :memory: 'create table t(a, b); with recursive n(i) as (select 1 union "
               "all select i + 1 from n where i < 20000) insert into t select i, hex(i * i) from "
               "n; create index x on t(b); select count(distinct b), max(b) from t;'",
    'redis': "cd /tmp && redis-server --port 0 --unixsocket r.sock --save '' --daemonize yes "
             "--pidfile /tmp/r.pid >r.log; for i in 1 2 3 4 5 6 7 8 9; do redis-cli -s r.sock "
             "ping >r.log 2>&1 && break; sleep 1; done; redis-cli -s r.sock eval \"for i = 1, "
             "20000 do redis.call('set', 'k' .. i, ('v'):rep(i % 500)) end return "
             "redis.call('dbsize')\" 0; redis-cli -s r.sock memory doctor >r.log; "
             "redis-cli -s r.sock shutdown",
    'git': 'rm -rf /tmp/g && git init -q /tmp/g && cd /tmp/g && git config user.email a@b && '
           'git config user.name a && seq 20000 >f && git add f && git commit -qm one && '
           'seq 7 20000 >f && git commit -qam two && git gc -q && git fsck && '
           'git log --format=%s && git diff --stat HEAD~',
    'openssl': 'seq 60000 | openssl enc -aes-128-cbc -K 00 -iv 00 | openssl sha256',
    'xz': 'seq 200000 | xz -T2 -2 --block-size=300KiB | xz -dc | md5sum',
    'zstd': 'seq 200000 | zstd -q -T2 -5 | zstd -dc | md5sum',
    'jq': 'seq 20000 | jq -s "map({a: ., b: tostring}) | group_by(.a % 7) | map(length)"',
    'c++': "printf '#include <map>\\n#include <string>\\n#include <cstdio>\\nint main() { "
           "std::map<std::string, int> m; for (int i = 0; i < 5000; i++) "
           "m[std::to_string(i)] = i; printf(\"%%zu\\\\n\", m.size()); }\\n' >/tmp/m.cc && "
           "g++ -O1 -o /tmp/m /tmp/m.cc && /tmp/m",
}
