#!/usr/bin/env python3
"""Runs the same scripts of operations on ordinary maps of a Go and on both maps of
libmoundmap, and compares what each operation returns.

Usage: semantics.py --c-map PROGRAM... --work FOLDER [--go PATH] [--seed N]...
                    [--scripts N]

The Go may be any from 1.18 on: unlike differential.py, this uses nothing of its
runtime's inside. Go 1.24 and later have Swiss maps. PROGRAM is c_map for one of the
library's maps; give several. The seeds are 1 and one that is drawn, or those given.

The scripts are those of differential.py, which tells their language, and of
more kinds: texts as keys, too. The hash that a script names is the library's alone:
Go has its own. Further operations:

  clone          the map's clone is the other map; the one that was is freed, and its
                 iterators are ended
  swap           the other map, if any, is the map now
  cull N         one loop that deletes all entries but each N-th, by a hash of theirs
  wipe N         one loop that clears the map at its N-th entry, and goes on
  reserve N, shrink, evacuate N   what Go does not have: nothing changes

A line of output is: len | what the operation returned. All must agree, to the bit:
the sign of a zero that is a key, and the numbers of NaNs. What iterators deliver is
checked against a model, for Go as well: each entry at most once, with its present
value, none that is deleted; at the end, all that were there from beginning to end.

Of a Go before 1.24, what iterators deliver is not checked: those of the classic map
have the faults that differential.py tells of. Before 1.21 there is no clear: the Go
program makes a new map in its place.
"""
import argparse
import os
import random
import re
import shutil
import subprocess
import sys
import time

import differential
from differential import Wrong, check_deliveries, read_lines

SOURCE = os.path.join(differential.HERE, "semantics")


def environment(work):
    return {"PATH": os.environ.get("PATH", "/usr/bin:/bin"), "HOME": work,
            "GOCACHE": os.path.join(work, "gocache"),
            "GOPATH": os.path.join(work, "gopath"), "GO111MODULE": "off",
            "GOPROXY": "off", "GOENV": "off", "GOFLAGS": "", "CGO_ENABLED": "0",
            "GOTOOLCHAIN": "local"}


def build_go(go, work):
    """The program, and the minor version of the Go that it was built with."""
    env = environment(work)
    version = subprocess.run([go, "env", "GOVERSION"], check=False, env=env,
                             capture_output=True, text=True).stdout.strip()
    found = re.match(r"go1\.(\d+)", version)
    if not found:
        sys.exit("semantics: %s is no Go: %s" % (go, version or "it fails"))
    program = os.path.join(work, "go_semantics")
    if subprocess.run([go, "build", "-buildvcs=false", "-o", program, "."],
                      cwd=SOURCE, env=env, check=False).returncode != 0:
        sys.exit("semantics: %s build failed" % go)
    print("%s, %s" % (go, version))
    return program, int(found[1])


class Script(differential.Script):
    KINDS = differential.Script.KINDS + ["str"] * 2

    def __init__(self, rng, name):
        self.other = None
        super().__init__(rng, name)

    def begin(self):
        super().begin()
        if self.rng.random() < .2:
            self.emit("reserve %d" % self.rng.choice([0, 7, 100, 3000]))

    def clone(self):
        self.emit("clone")
        self.other = dict(self.present), list(self.order)

    def swap(self):
        self.emit("swap")
        if self.other is not None:
            self.other, (self.present, self.order) = \
                (self.present, self.order), self.other

    def cull(self):
        n = self.rng.choice([1, 2, 3, 7, 50])
        self.emit("cull %d" % n)
        # Which ones, the model knows. What may be gone is no less of use here.

    def loops(self):
        """Iterators begun, then changes of one sort, then the iterators' ends."""
        rng = self.rng
        for i in rng.sample(range(differential.ITERATORS), 3):
            self.emit("iter %d" % i)
            self.running.add(i)
            for _ in range(rng.choice([0, 1, 10, 100])):
                self.emit("step %d" % i)
        rng.choice([self.grow, self.thin, self.clear, self.clone, self.cull,
                    self.ours, self.fill])()
        for i in sorted(self.running):
            self.emit(rng.choice(["step %d", "drain %d", "drain %d"]) % i)

    def fill(self):
        """So many at once that tables split."""
        first = self.rng.getrandbits(30) | 1 << 40
        count = 300 if self.poor else self.rng.choice([500, 4000])
        stride = self.rng.choice([1, 3, 1 << 10])
        self.emit("fill %d %d %d" % (first, count, stride))
        if self.rng.random() < .5:
            self.iterate()
        if self.rng.random() < .8:
            self.emit("drop %d %d %d" % (first, count, stride *
                                         self.rng.choice([1, 1, 2])))

    def ours(self):
        self.emit(self.rng.choice(["reserve 0", "reserve 1000", "shrink", "shrink",
                                   "evacuate 1", "evacuate 1000"]))

    def phase(self):
        what = self.rng.random()
        if what < .55:
            super().phase()
        elif what < .7:
            self.loops()
        elif what < .78:
            self.fill()
        elif what < .84:
            self.clone()
        elif what < .9:
            self.swap()
        elif what < .93:
            self.cull()
        elif what < .95:
            self.emit("wipe %d" % self.rng.choice([1, 2, 5, 30, 400]))
        else:
            self.ours()


def make_script(seed, count):
    return [line for i in range(count)
            for line in Script(random.Random("%d.%d" % (seed, i)),
                               "%d.%d" % (seed, i)).make()]


def results_of(path):
    """Of each line the length and the result: what is between is the state of the
    classic map, which differential.py compares."""
    return [line if line.startswith("script") else
            line.split(" ", 1)[0] + " |" + line.rpartition("|")[2]
            for line in read_lines(path)]


def run_seed(seed, args, go_map, checks_go):
    began = time.monotonic()
    path = os.path.join(args.work, "semantics.%d.script" % seed)
    script = make_script(seed, args.scripts)
    with open(path, "w", encoding="ascii") as f:
        f.write("\n".join(script) + "\n")
    ways = {"Go": [go_map]}
    for program in args.c_map:
        for way in "typed", "untyped":
            ways[os.path.basename(program) + " " + way] = [program, way]
    outs = {way: os.path.join(args.work, "semantics.%d.%s" %
                              (seed, way.replace(" ", ".")))
            for way in ways}
    children = {way: differential.start(
        argv + [path, outs[way] + ".deliveries"], outs[way] + ".results")
        for way, argv in ways.items()}
    failed = False
    results, delivered = {}, 0
    for way, child in children.items():
        if child.wait(timeout=240) != 0:
            print("%s, seed %d: status %d" % (way, seed, child.returncode))
            failed = True
            continue
        results[way] = results_of(outs[way] + ".results")
        if way == "Go" and not checks_go:
            continue
        try:
            lines = read_lines(outs[way] + ".deliveries")
            delivered += len(lines)
            check_deliveries(script, lines, fills=True)
        except Wrong as wrong:
            print("%s, seed %d: %s" % (way, seed, wrong))
            failed = True
    for way, lines in results.items():
        if "Go" in results and lines != results["Go"]:
            print("%s, seed %d: not what Go returns" % (way, seed))
            differential.first_difference(script, results["Go"], lines)
            failed = True
    print("seed %d: %d lines of scripts, %d results, %d deliveries; %.1f s" %
          (seed, len(script), len(results.get("Go", ())), delivered,
           time.monotonic() - began))
    if failed:
        print("the script is %s; again: --seed %d" % (path, seed))
    return not failed


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--c-map", required=True, action="append")
    parser.add_argument("--work", required=True)
    parser.add_argument("--go", default=shutil.which("go") or differential.GO)
    parser.add_argument("--seed", type=int, action="append")
    parser.add_argument("--scripts", type=int, default=20)
    args = parser.parse_args()
    args.work = os.path.abspath(args.work)
    args.c_map = [os.path.abspath(program) for program in args.c_map]
    os.makedirs(args.work, exist_ok=True)
    go_map, minor = build_go(args.go, args.work)
    seeds = args.seed or [1, random.SystemRandom().randrange(2, 1 << 31)]
    results = [run_seed(seed, args, go_map, minor >= 24) for seed in seeds]
    return 0 if all(results) else 1


if __name__ == "__main__":
    sys.exit(main())
