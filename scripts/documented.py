"""What scripts/check compares between the code and the documents: variables of the
environment with their values and defaults, functions, macros, lines of the dump, texts of
reports, names of files. Each function takes read, which returns the text of a file, and
returns a list of what is wrong."""
import os
import re

import prose

# Names that begin with MOUND_ and are no variable of the library: what tests and builds
# read, shell variables and constants.
OTHER_NAMES = {"MOUND_LOCK_COUNTS", "MOUND_LIB", "MOUND_PROBES", "MOUND_SOURCE",
               "MOUND_COMMAND", "MOUND_BUILD", "MOUND_NAME"}
MACROS = ("MOUND_MAP", "MOUND_SET", "MOUND_SWISS", "MOUND_MEMPROFILE", "MOUND_PAGE")

README = "preload/README.md"
PAGE = "preload/libmound.7"


def plain(man):
    """The text of a man page, without its requests and escapes."""
    text = re.sub(r"^\.\\\".*\n", "", man, flags=re.M)
    text = re.sub(r"^\.(B|I|TP|PP|EX|EE|nf|fi)\b ?", "", text, flags=re.M)
    # .BR and its like set their arguments without a space between.
    text = re.sub(r"^\.(?:BR|RB|BI|IB|IR|RI) (.*)$", lambda m: "".join(
        a[1:-1] if a[0] == '"' else a for a in re.findall(r'"[^"]*"|\S+', m[1])),
        text, flags=re.M)
    text = re.sub(r"\\f.|\\&", "", text).replace("\\-", "-").replace("\\e", "\\")
    return " ".join(text.split())


def choices_of(options, statsvalue=""):
    """{variable: (words that its reader knows, its default or None)}."""
    shared = dict(re.findall(r"^static const struct choice (\w+)\[\] = (\{.*?\});",
                             options, re.M | re.S))
    found = {}
    for name, reader in re.findall(r"^ *X\((\w+), \w+, (\w+)\)", options, re.M):
        body = re.search(r"^static void %s\(.*?^}" % reader, options,
                         re.M | re.S)[0]
        tables = re.findall(r"(\{\s*\{.*?\}\});", body, re.S)
        tables += [t for n, t in shared.items() if re.search(r"\b%s\b" % n, body)]
        pairs = [p for t in tables for p in re.findall(r'\{"([^"]+)", (\w+)\}', t)]
        words = {word for word, _ in pairs}
        words |= set(re.findall(r'str_same\(value, "(\w+)"\)', body))
        if reader == "read_stats":
            words |= set(re.findall(r'value_word_is\(\w+, n, "(\w+)"\)', statsvalue))
        first = re.search(r"\bchoose\(.*, (\w+)\)", " ".join(body.split()))
        default = next((w for w, v in pairs if first and v == first[1]), None)
        found["MOUND_" + name] = words, default
    return found


def variables(read):
    """The tables of variables have those that the code reads, with the words that they
    take and their defaults."""
    code = choices_of(read("alloc/runtime/options.c"),
                      read("alloc/runtime/statsvalue.c"))
    table = read(README).partition("## Environment variables\n")[2]
    rows = {row[0]: row[1:] for row in re.findall(
        r"^\| `(MOUND_\w+)` \| (.*) \| (.*) \|$", table.partition("\n## ")[0], re.M)}
    part = read(PAGE).partition(".SH ENVIRONMENT")[2].partition("\n.SH ")[0]
    entries = {text.split()[0]: text for text in
               (plain(e) for e in re.split(r"^\.TP\n\.B ", part, flags=re.M)[1:])}
    wrong = []
    for name, there in (README, rows), (PAGE, entries):
        wrong += ["%s: %s is not in options.c, or missing here" % (name, v)
                  for v in sorted(set(there) ^ set(code))]
    first = defaults(read)
    for variable in sorted(set(code) & set(rows) & set(entries)):
        words, default = code[variable]
        values, stated = rows[variable]
        entry = entries[variable]
        for word in sorted(words - {"0"}):
            wrong += ["%s: %s takes %s" % (name, variable, word)
                      for name, text in ((README, values + stated), (PAGE, entry))
                      if not re.search(r"\b%s\b" % word, text)]
        stated = stated.partition(";")[0].strip("` ")
        default = default or first.get(variable)
        if default is None and stated not in ("0", "none", "all"):
            default = "none"
        if default is not None and stated != default:
            wrong.append("%s: the default of %s is %s, not %s" %
                         (README, variable, default, stated))
        if not re.search(r"Default: %s\b|\b%s \(default\)" % ((stated,) * 2), entry):
            wrong.append("%s: the default of %s is %s in %s" %
                         (PAGE, variable, stated, README))
    return wrong


def defaults(read):
    """{variable: default} of the variables without choices: what options_read sets
    before it reads them, and else 0, none or all."""
    code = read("alloc/runtime/options.c")
    rate = re.search(r"values\.profile_rate = (\d+) << 10;", code)[1]
    assert "values.half_life_ns = SCAVENGE_HALF_LIFE_NS;" in code
    factors = re.search(r"#define SCAVENGE_HALF_LIFE_NS \(\(uint64_t\)([\d* ]+)\)",
                        read("alloc/heap/mheap.h"))[1].split(" * ")
    ns = 1
    for factor in factors:
        ns *= int(factor)
    return {"MOUND_PROFILE_RATE": rate + "KiB", "MOUND_DECAY": "%g" % (ns / 1e9)}


def marks(read, documents):
    """Every block says whether it runs, and figures have a command."""
    wrong = ["%s: no comment says whether this block runs: %s" % (name, line)
             for name in documents for line in prose.unmarked_blocks(name, read(name))]
    return wrong + ["%s: figures without a command: %s" % (name, heading)
                    for name in ("tests/bench/README.md", "map/figures.md")
                    for heading in prose.figures_without_command(read(name))]


def reached(read, documents):
    """README.md leads to every document, by way of others too."""
    texts = {name: read(name) for name in documents}
    seen, found = set(), ["README.md"]
    while found:
        name = found.pop()
        if name in texts and name not in seen:
            seen.add(name)
            found += [os.path.normpath(os.path.join(os.path.dirname(name), link))
                      for link in re.findall(r"\]\(([^)\s#]+)", texts[name])]
    return ["README.md: no link leads to " + name for name in sorted(texts)
            if name.endswith(".md") and name not in seen]


def programs(read, documents, tracked):
    """Some document names each program in scripts/."""
    text = "".join(read(name) for name in documents)
    return ["no document names " + name for name in tracked("scripts/*")
            if name.count("/") == 1 and "." not in name and name not in text]


def names(read, documents):
    """No document names a variable that does not exist."""
    code = set(choices_of(read("alloc/runtime/options.c"))) | OTHER_NAMES
    return ["%s: no variable has the name %s" % (name, found)
            for name in documents
            for found in sorted(set(re.findall(r"\bMOUND_[A-Z][A-Z0-9_]*\b",
                                               read(name).replace("\\", ""))))
            if found not in code and not found.startswith(MACROS)
            and not any(v.startswith(found) for v in code)]


def functions(read):
    """mound(3) has the functions of mound.h, with their parameters, and the library
    exports them. libmoundmap(3) has the functions and macros of a declared type."""
    header = re.sub(r"//.*", "", read("alloc/mound.h"))
    declared = {" ".join(f.split()) for f in re.findall(
        r"^[a-z][\w *]*?\bmound_\w+\([^)]*\);", header, re.M)}
    synopsis = read("preload/mound.3").partition(".SH SYNOPSIS")[2]
    shown = set(re.findall(r"[a-z][\w ]* \**mound_\w+ ?\([^)]*\);",
                           plain(synopsis.partition(".SH ")[0])))
    wrong = ["preload/mound.3 and mound.h differ: " + f
             for f in sorted(declared ^ {f.replace(" (", "(") for f in shown})]
    exported = {f for f in read("tests/golden/exports.txt").split()
                if re.match("mound_(?!layout|stats$)", f)}
    named = {re.search(r"mound_\w+", f)[0] for f in declared}
    wrong += ["tests/golden/exports.txt and mound.h differ: " + f
              for f in sorted(exported ^ named)]

    typed = set(re.findall(r"MOUND_MAP_(?:STATIC|INLINE)_ [^()]*?NAME##(_\w*[a-z])\(",
                           read("map/mound_map_typed.h")))
    page = read("map/libmoundmap.3").partition(".SH SYNOPSIS")[2]
    there = set(re.findall(r'NAME "?(_\w*[a-z])\(', page.partition(".SH ")[0]))
    wrong += ["map/libmoundmap.3 and mound_map_typed.h differ: NAME" + f
              for f in sorted(typed ^ there)]
    kinds = r"#define MOUND_MAP_((?!FREE_)\w*[A-Z0-9])\((?:NAME|\w+, )"
    kinds = set(re.findall(kinds, read("map/mound_map.h")))
    swiss = set(re.findall(r"#define MOUND_SWISS_(?!SET_)(\w*[A-Z0-9])\(NAME",
                           read("map/swiss/mound_swiss.h")))
    shown = set(re.findall(r'^\.BI "MOUND_MAP_(\w+)\("', page, re.M))
    return wrong + ["%s and mound_map.h differ: %s" % (name, kind)
                    for name, other in (("map/libmoundmap.3", shown),
                                        ("mound_swiss.h", swiss))
                    for kind in sorted(kinds ^ other)]


def messages(read):
    """The lines of the dump and the texts of reports are explained."""
    lines = set(re.findall(r'\b(?:name|row)\(out, (?:&?c, )?"([^"]+)"',
                           read("alloc/prof/summary.c")))
    table = read(README).partition("## Reading the dump")[2]
    rows = set(re.findall(r"`([^`]+)`", " ".join(
        re.findall(r"^\| (`.*?) \|", table, re.M))))
    page = plain(read(PAGE).partition(".SH THE DUMP")[2].partition(".SH ")[0])
    wrong = ["%s: no line of the dump: %s" % (README, line)
             for line in sorted((lines | {"RSS", "frees"}) ^ rows)]
    wrong += ["%s: not explained: %s" % (PAGE, line)
              for line in sorted(lines) if line not in page]
    texts = set()
    for name, function in (("alloc/prof/report.c", "print_what"),
                           ("alloc/prof/guard.c", "verdict_text"),
                           ("alloc/prof/guard.c", "fault_text")):
        body = re.search(r"^static [^;]*?\b%s\([^;]*?\{.*?^}" % function, read(name),
                         re.M | re.S)[0]
        texts |= {t.strip(" :(,") for t in re.findall(r'"([^"]*)"', body)
                  if len(t) > 4}
    text = " ".join(read("preload/misuse.md").split())
    return wrong + ["preload/misuse.md: does not explain the report: " + t
                    for t in sorted(texts) if t not in text]


def stem(name):
    return re.sub(r"(_linux|_x86_64|_aarch64|_none)?\.\w+$", "", os.path.basename(name))


def files(read, tracked):
    """The tours name the files: alloc/README.md and map/README.md each, tests/README.md
    the folders and the runners in python."""
    wrong = []
    for tour, there in (
            ("alloc/README.md", tracked("alloc/*.[ch]")),
            ("map/README.md", tracked("map/*.[ch]", "map/*.py", ":!map/examples")),
            ("tests/README.md", tracked("tests/preload/*.py", ":!tests/preload/*/*"))):
        words = set(re.findall(r"\w[\w-]*", read(tour)))
        wrong += ["%s: does not name %s" % (tour, name) for name in there
                  if not name.endswith("/" + tour) and stem(name) not in words and
                  not (stem(name).startswith("command_") and "command" in words)]
    folders = {name.split("/")[1] for name in tracked("tests") if name.count("/") > 1}
    return wrong + ["tests/README.md: does not name %s/" % folder
                    for folder in sorted(folders)
                    if "`%s/`" % folder not in read("tests/README.md")]


def everything(read, documents, tracked):
    return variables(read) + names(read, documents) + functions(read) + \
        messages(read) + marks(read, documents) + reached(read, documents) + \
        programs(read, documents, tracked) + files(read, tracked)
