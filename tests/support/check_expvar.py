#!/usr/bin/env python3
# Checks that a dump of MOUND_STATS=FILE.json is what Go's expvar gives:
#   check_expvar.py FILE [ARG...]
# ARG... is the command line it must tell. Prints Mallocs, Frees and TotalAlloc.
import json
import sys

GO = """Alloc TotalAlloc Sys Lookups Mallocs Frees HeapAlloc HeapSys HeapIdle
HeapInuse HeapReleased HeapObjects StackInuse StackSys MSpanInuse MSpanSys
MCacheInuse MCacheSys BuckHashSys GCSys OtherSys NextGC LastGC PauseTotalNs
NumGC NumForcedGC GCCPUFraction EnableGC DebugGC
BySize""".split()


def must(condition, *what):
    if not condition:
        print(*what, file=sys.stderr)
        sys.exit(1)


with open(sys.argv[1], "rb") as f:
    text = f.read()
top = json.loads(text.decode("utf-8", "strict"))
must(list(top) == ["cmdline", "memstats", "mound"], "top level has", list(top))
if len(sys.argv) > 2:
    must(top["cmdline"] == sys.argv[2:], "cmdline is", top["cmdline"])
m = top["memstats"]
missing = [name for name in GO if name not in m]
must(not missing, "these fields are missing:", missing)
for name in GO:
    if name.endswith("GC") or name.startswith(("Stack", "Pause", "Num", "GCC")):
        must(not m[name], name, "is not zero")

sizes = m["BySize"]
must(len(sizes) == 68, len(sizes), "size classes")
for c in sizes:
    must(list(c) == ["Size", "Mallocs", "Frees"], "a class has", list(c))
    must(c["Mallocs"] >= c["Frees"], "a class has more frees than mallocs")
must([c["Size"] for c in sizes[:6]] == [0, 8, 16, 24, 32, 48], "sizes")
must(sizes[67]["Size"] == 32768, "last size")

must(sum(c["Mallocs"] for c in sizes) == m["Mallocs"], "Mallocs of BySize")
must(sum(c["Frees"] for c in sizes) == m["Frees"], "Frees of BySize")
must(m["HeapObjects"] == m["Mallocs"] - m["Frees"], "HeapObjects")
must(m["Alloc"] == m["HeapAlloc"], "Alloc")
must(m["HeapSys"] == m["HeapInuse"] + m["HeapIdle"], "HeapSys")
must(m["HeapReleased"] <= m["HeapIdle"], "HeapReleased")
must(m["HeapHoles"] <= m["HeapInuse"], "HeapHoles")
must(m["HeapHugeUnused"] <= m["HeapHuge"] <= m["HeapSys"], "HeapHuge")
must(m["HeapAlloc"] <= m["HeapInuse"], "HeapAlloc is over HeapInuse")
must(m["TotalAlloc"] >= m["Alloc"], "TotalAlloc")
parts = [n for n in GO if n.endswith("Sys") and n != "Sys"]
must(m["Sys"] == sum(m[n] for n in parts), "Sys is not the sum of its parts")
small = sum(c["Size"] * (c["Mallocs"] - c["Frees"]) for c in sizes[1:])
must(small <= m["HeapAlloc"], "live bytes by class are over HeapAlloc")
must(m["Mallocs"] >= m["Frees"], "more was freed than was made")
more = top["mound"]
must(more["serves"] == "mound" and more["state"] in ("exited", "running"),
     "it is", more["state"])
parts = more["parts"]
must(sum(n or 0 for n in parts.values()) - 2 * parts["absent"] == more["rss"],
     "the parts do not add up to RSS:", parts, more["rss"])
must(0 <= more["duration"] < 1e6 and more["start"] > 1e9, "times")
classes = {c["size"]: c for c in more["classes"]}
for c in sizes:
    must(c["Mallocs"] == 0 or
         (classes[c["Size"]]["mallocs"], classes[c["Size"]]["frees"]) ==
         (c["Mallocs"], c["Frees"]), "class", c["Size"])
print(m["Mallocs"], m["Frees"], m["TotalAlloc"])
