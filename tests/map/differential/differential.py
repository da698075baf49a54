#!/usr/bin/env python3
"""Runs the same scripts of operations on the maps of Go 1.19's runtime and on
libmoundmap, and compares the state of both after each operation.

Usage: differential.py --c-map PROGRAM --work FOLDER [--seed N]... [--scripts N]

Go is `go` or /usr/lib/go-1.19/bin/go, whichever is 1.19; without one the test
is skipped. The seeds are 1 and one that is drawn, or those given. FOLDER gets the
Go program, the scripts (SEED.script) and the outputs.

Both sides hash a key to ((mix(k) or k) & AND) ^ XOR, the script says how, and
ignore the map's seed: every entry is in the same bucket on both. Operations:

  script NAME KIND MIX AND XOR EVERY    a new script; KIND is u64, f64, big
                                 (key and element stored apart) or set
  make HINT     put K V     del K     get K     clear
  iter I        begins iterator I and takes its first entry
  step I, drain I, end I         one more entry; all the rest; leave it
  walk          iterates over all; prints their number and two sums
  fill FIRST COUNT STRIDE, drop  many put or del; prints every EVERY-th state

A line of output is: len, B, old buckets left (0 when not growing), nevacuate,
noverflow, Go's four flags, | and what the operation returned. All lines must agree.
From B = 16 on the three are -, and the flag of a growth to the same size is left out:
there both sides throw dice for noverflow, and ours moves old buckets in order.

An iterator begins at a random bucket. So what it delivers is checked against a
model of the script, for Go as well: each entry at most once, with its present
value, none that is deleted; at the end, all that were there from beginning to
end. Where nothing was written meanwhile, that is the exact set.

Differences by choice, which both programs step around:
- clear of an empty map does nothing in Go, not even to a growth under way; ours
  gives the old arrays back.
- an iterator over an array that was outgrown may deliver, in Go 1.19, what a
  clear removed (repaired in 1.21). Ours deliver nothing after a clear but what
  was put since. The Go program drops its iterators at a clear.
- a hint that no memory could hold is an error; in Go it is no hint.

Faults of Go's iterators, which ours do not have, in mapiternext of 1.19:
- "h.growing() && it.B == h.B" takes any growth to the same size for the one
  that the iterator began in. So it walks buckets of a later array, which
  evacuation clears under it: a nil dereference where keys are stored apart.
- "checkBucket != noCheck && !h.sameSizeGrow()" asks about the growth there is
  now, too, not about the one the bucket was entered in: entries come twice.
So the Go program also drops its iterators when a growth to the same size
begins.
"""
import argparse
import os
import random
import shutil
import struct
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
GO = "/usr/lib/go-1.19/bin/go"
ALL = (1 << 64) - 1
ITERATORS = 16
ABSURD_HINTS = (1 << 62, ALL, ALL >> 1)


# Finding Go and building.

def find_go():
    seen = []
    for go in (shutil.which("go"), GO):
        if go is None or not os.access(go, os.X_OK):
            continue
        version = subprocess.run([go, "env", "GOVERSION"], check=False,
                                 capture_output=True, text=True,
                                 env=dict(os.environ, GOFLAGS="", GOENV="off",
                                          HOME="/nonexistent",
                                          GOCACHE="/nonexistent")).stdout
        if version.startswith("go1.19"):
            return go
        seen.append("%s is %s" % (go, version.strip() or "broken"))
    # A skipped test: releases of Debian after 12 have no Go 1.19.
    print("1..0 # SKIP Go 1.19 is needed, whose map this compares with: install "
          "golang-1.19-go (%s)" % ("; ".join(seen) or "no go found"))
    sys.exit(77)


def build_go(work):
    go = find_go()
    program = os.path.join(work, "go_map")
    env = {"PATH": os.environ.get("PATH", "/usr/bin:/bin"), "HOME": work,
           "GOCACHE": os.path.join(work, "gocache"),
           "GOPATH": os.path.join(work, "gopath"), "GO111MODULE": "off",
           "GOPROXY": "off", "GOENV": "off", "GOFLAGS": "", "CGO_ENABLED": "0"}
    if subprocess.run([go, "build", "-buildvcs=false", "-o", program, "."],
                      cwd=HERE, env=env, check=False).returncode != 0:
        sys.exit("differential: %s build failed" % go)
    return program


# Making scripts.

NEGATIVE_ZERO = 1 << 63


def mix(x):
    x = x + 0x9e3779b97f4a7c15 & ALL
    x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9 & ALL
    x = (x ^ x >> 27) * 0x94d049bb133111eb & ALL
    return x ^ x >> 31


def is_nan(bits):
    return bits & (NEGATIVE_ZERO - 1) > 0x7ff << 52


def bits_of(x):
    return struct.unpack("<Q", struct.pack("<d", x))[0]


class Script:
    """The lines of one script, and which keys are in its map, so that those to
    come mean something."""

    KINDS = ["u64"] * 3 + ["f64"] * 2 + ["big", "set"]

    def __init__(self, rng, name):
        self.rng = rng
        self.lines = []
        self.present = {}       # key to its place in self.order
        self.order = []
        self.nans = 0
        self.running = set()
        self.kind = rng.choice(self.KINDS)
        self.name = name
        self.mixed, self.mask, self.xor = self.placement()
        self.budget = rng.choice([300, 1000, 2000, 3000])
        self.keys = self.make_keys()
        self.emit("script %s %s %d %#x %#x 1" % (
            name, self.kind, self.mixed, self.mask, self.xor))
        self.begin()

    def begin(self):
        """A new map, with the same keys to come."""
        rng = self.rng
        hint = rng.choice([0, 0, 0, 8, 9, 13, 14, 27, 53, 100, 105, 1000, 5000,
                           rng.choice(ABSURD_HINTS)])
        if (self.poor or self.how == "identity") and 200 < hint < 6000:
            hint = rng.choice([9, 14, 27, 53])
        self.present.clear()
        self.order.clear()
        self.running.clear()
        self.emit("make %d" % hint)
        self.B = 0              # the map's, by its load alone
        if hint not in ABSURD_HINTS:
            self.load(hint)

    def load(self, count):
        while count > 8 and count > 13 * ((1 << self.B) // 2):
            self.B += 1

    def emit(self, line):
        self.lines.append(line)

    def placement(self):
        """Chooses the hash. self.poor: chains will be long."""
        rng = self.rng
        low = rng.choice([1, 2, 3, 5])
        choices = {
            "good": (1, ALL, 0),
            "identity": (0, ALL, 0),
            "few low bits": (1, ALL << 56 & ALL |
                             ((1 << low) - 1) << rng.randrange(4), 0),
            "constant": (0, 0, rng.getrandbits(64)),
            "one bucket": (1, ALL << 40 & ALL, rng.getrandbits(16)),
            "one tophash": (1, ALL >> 8, rng.randrange(256) << 56),
            "low tophashes": (1, ALL >> 5, 0),
            "two tophashes": (1, ALL >> 7, rng.randrange(128) << 57),
        }
        self.how = rng.choice(["good"] * 3 + ["identity"] * 3 +
                              sorted(choices))
        self.poor = self.how in ("constant", "one bucket") or \
            self.how == "few low bits" and low < 3
        return choices[self.how]

    def make_keys(self):
        rng = self.rng
        n = rng.choice([4, 8, 20, 100, 400, 1500, 6000])
        if self.poor:
            n = min(n, 300)
        if self.kind == "f64":
            keys = [0, NEGATIVE_ZERO, bits_of(float("inf")), bits_of(-1.5)]
            return keys + [bits_of(rng.random()) for _ in range(n)]
        if self.how == "identity":
            # The key says bucket and tophash: a few buckets, all tophashes.
            spread = rng.choice([1, 2, 8, 64, 4096])
            shift = rng.randrange(3)
            return [rng.randrange(spread) << shift | i << 20 |
                    rng.choice([0, 3, 5, 255, rng.randrange(256)]) << 56
                    for i in range(n)]
        if rng.random() < .5:
            return list(range(n))
        return [rng.getrandbits(64) for _ in range(n)]

    # What a script may do next. All keep self.present true.

    def norm(self, key):
        return 0 if self.kind == "f64" and key == NEGATIVE_ZERO else key

    def put(self, key):
        self.emit("put %d %d" % (key, self.rng.getrandbits(20)))
        key = self.norm(key)
        if key not in self.present and not (self.kind == "f64" and is_nan(key)):
            self.present[key] = len(self.order)
            self.order.append(key)
            self.load(len(self.order))

    def delete(self, key):
        self.emit("del %d" % key)
        at = self.present.pop(self.norm(key), None)
        if at is not None:
            last = self.order.pop()
            if at < len(self.order):
                self.order[at] = last
                self.present[last] = at

    def any_key(self):
        return self.rng.choice(self.keys)

    def present_key(self):
        return self.rng.choice(self.order) if self.order else self.any_key()

    def put_nan(self):
        self.nans += 1          # no two alike: so they can be told apart
        self.put(0x7ff8 << 48 | self.nans)

    def clear(self):
        self.emit("clear")
        self.present.clear()
        self.order.clear()

    def iterate(self):
        rng = self.rng
        i = rng.randrange(ITERATORS)
        what = rng.random()
        if i not in self.running or what < .1:
            self.emit("iter %d" % i)
            self.running.add(i)
        elif what < .85:
            for _ in range(rng.choice([1, 1, 3, 20])):
                self.emit("step %d" % i)
        elif what < .95:
            self.emit("drain %d" % i)
            self.running.discard(i)
        else:
            self.emit("end %d" % i)
            self.running.discard(i)

    # Phases.

    def mixture(self):
        rng = self.rng
        put, delete, get, iterate = rng.choice([
            (10, 2, 2, 1), (5, 5, 1, 1), (3, 6, 1, 2), (2, 1, 8, 2),
            (4, 4, 0, 8), (1, 0, 0, 0)])
        nan = 1 if self.kind == "f64" and not self.poor and \
            rng.random() < .5 else 0
        end = len(self.lines) + rng.randrange(20, 400)
        what = rng.choices(["put", "delete", "get", "iterate", "nan"],
                           [put, delete, get, iterate, nan], k=400)
        while len(self.lines) < end:
            op = what[len(self.lines) % len(what)]
            if op == "put":
                self.put(self.any_key())
            elif op == "delete":
                self.delete(self.present_key() if rng.random() < .8
                            else self.any_key())
            elif op == "get":
                self.emit("get %d" % (self.present_key() if rng.random() < .5
                                      else self.any_key()))
            elif op == "nan":
                self.put_nan()
            else:
                self.iterate()

    def grow(self):
        keys = self.rng.sample(self.keys, min(len(self.keys), 700))
        for key in keys:
            self.put(key)
            if self.running and self.rng.random() < .1:
                self.emit("step %d" % self.rng.choice(sorted(self.running)))

    def thin(self):
        keys = self.order[:]
        self.rng.shuffle(keys)
        for key in keys[:int(len(keys) * self.rng.choice([.5, .9, 1, 1]))]:
            self.delete(key)
        if self.rng.random() < .5:
            self.emit("get %d" % self.any_key())

    def turn_over(self):
        """Fills buckets one after the other and empties them: overflow buckets
        stay, until there are as many as buckets and the map grows to the same
        size. Needs keys that say their bucket."""
        full = self.rng.choice([9, 10, 17])
        left = self.rng.choice([0, 0, 1, 6])
        for low in self.rng.sample(range(1 << self.B),
                                   min(1 << self.B, 64)):
            keys = [low | i << 20 | self.rng.randrange(256) << 56
                    for i in range(full)]
            for key in keys:
                self.put(key)
            if self.rng.random() < .1:
                self.iterate()
            self.rng.shuffle(keys)
            for key in keys[left:]:
                self.delete(key)

    def phase(self):
        what = self.rng.random()
        if self.how == "identity" and self.kind != "f64" and what < .5:
            self.turn_over()
        elif what < .6:
            self.mixture()
        elif what < .75:
            self.grow()
        elif what < .85:
            self.thin()
        elif what < .9:
            self.clear()
        elif what < .97:
            self.begin()
        else:
            self.emit("walk")

    def make(self):
        while len(self.lines) < self.budget:
            self.phase()
        for i in sorted(self.running):
            self.emit("drain %d" % i)
        self.emit("walk")
        return self.lines


def long_script(seed, name):
    """A map of a million entries, and half of them dropped."""
    first = random.Random(seed).getrandbits(32)
    return ["script %s u64 1 %#x 0 997" % (name, ALL), "make 0",
            "fill %d 1000000 3" % first, "walk",
            "drop %d 500000 6" % first, "walk",
            "fill %d 300000 1" % first, "walk"]


def chain_script(name):
    """The longest chains: one bucket and one tophash for all keys."""
    return ["script %s u64 0 0 0x1200000000000034 10" % name, "make 0",
            "fill 0 1500 1", "walk", "drop 0 1400 1", "walk",
            "fill 5000 600 1", "walk", "drop 0 9000 1", "walk"]


def turnover_script(name):
    """Same-size growth again and again, at B of 10."""
    lines = ["script %s u64 0 %#x 0 50" % (name, ALL), "make 5000"]
    for turn in range(4):
        for low in range(0, 1 << 10, 2):
            base = low | turn << 40
            lines.append("fill %d 17 %d" % (base, 1 << 20 | 1 << 56))
            lines.append("drop %d 16 %d" % (base, 1 << 20 | 1 << 56))
    return lines + ["walk"]


def overfull_script(name):
    """A growth to the same size that ends with more entries than the load
    factor allows: the next put of a new key will double, other operations do
    not."""
    lines = ["script %s u64 0 %#x 0 1" % (name, ALL), "make 100"]
    for low in range(16):
        lines.append("fill %d 9 %d" % (low, 1 << 20))
        lines.append("drop %d 3 %d" % (low, 1 << 20))
    return lines + ["fill %d 14 %d" % (1 << 40, (1 << 20) + 1), "del 15",
                    "walk"]


def make_scripts(seed, count, first):
    scripts = []
    for i in range(count):
        name = "%d.%d" % (seed, i)
        scripts.append(Script(random.Random(name), name).make())
    if first:
        scripts += [long_script(seed, "%d.long" % seed),
                    chain_script("%d.chain" % seed),
                    turnover_script("%d.turnover" % seed),
                    overfull_script("%d.overfull" % seed)]
    return [line for script in scripts for line in script]


# Checking what iterators delivered.

class Wrong(Exception):
    pass


class Iterator:
    def __init__(self, born, entries):
        self.born = born        # entries up to this serial number are older
        self.entries = entries  # of the map that it walks
        self.delivered = set()  # serial numbers


class Model:
    """What is in the map, by the script alone."""

    def __init__(self):
        self.entries = {}       # key to (serial number, value, key as last put)
        self.other = None       # of its clone, or of what it was cloned from
        self.serial = 0
        self.iterators = {}
        self.kind = None

    def norm(self, key):
        return 0 if self.kind == "f64" and key == NEGATIVE_ZERO else key

    def put(self, key, value):
        last = key
        key = self.norm(key)
        value = 0 if self.kind == "set" else value
        entry = self.entries.get(key)
        if entry is None:
            self.serial += 1
            self.entries[key] = (self.serial, value, last)
        else:
            self.entries[key] = (entry[0], value, last)

    def delete(self, key):
        if not (self.kind == "f64" and is_nan(key)):
            self.entries.pop(self.norm(key), None)

    def clone(self):
        for i, iterator in list(self.iterators.items()):
            if iterator.entries is self.other:
                del self.iterators[i]
        self.other = dict(self.entries)

    def swap(self):
        if self.other is not None:
            self.entries, self.other = self.other, self.entries

    def cull(self, n):
        """What one loop leaves that deletes all entries but each n-th."""
        for key, (_, value, last) in list(self.entries.items()):
            if mix(last ^ mix(value)) % n != 0:
                self.delete(key)

    def delivery(self, i, line):
        """Takes one line of an iterator's and returns whether it goes on."""
        words = line.split()
        if not words or words[0] != str(i):
            raise Wrong("iterator %d delivered %r" % (i, line))
        iterator = self.iterators.get(i)
        if words[1] in ("end", "dropped"):
            self.iterators.pop(i, None)
            if iterator is not None and words[1] == "end":
                for key, (serial, _, _) in iterator.entries.items():
                    if serial <= iterator.born and \
                            serial not in iterator.delivered:
                        raise Wrong("iterator %d left key %d out" % (i, key))
            return False
        key, value = int(words[1]), int(words[2])
        if iterator is None:
            raise Wrong("iterator %d goes on after its end" % i)
        entry = iterator.entries.get(self.norm(key))
        if entry is None:
            raise Wrong("iterator %d delivered %d, which is deleted" % (i, key))
        if entry[0] in iterator.delivered:
            raise Wrong("iterator %d delivered %d twice" % (i, key))
        if (value, key) != entry[1:]:
            raise Wrong("iterator %d delivered %d with %d, should be %d with %d"
                        % (i, key, value, entry[2], entry[1]))
        iterator.delivered.add(entry[0])
        return True


def check_deliveries(script, deliveries, fills=False):
    """fills: whether what fill and drop do is followed, too. It takes a while, and
    matters where iterators come after them only."""
    model = Model()
    lines = iter(deliveries)
    for number, line in enumerate(script):
        words = line.split()
        op = words[0]
        try:
            if op == "put":
                model.put(int(words[1]), int(words[2]))
            elif op == "del":
                model.delete(int(words[1]))
            elif op == "script":
                model = Model()
                model.kind = words[2]
            elif op == "make":
                model.entries.clear()
                model.iterators.clear()
            elif op == "clear" or op == "wipe" and \
                    len(model.entries) >= int(words[1]):
                model.entries.clear()
            elif op == "cull":
                model.cull(int(words[1]))
            elif op == "clone":
                model.clone()
            elif op == "swap":
                model.swap()
            elif op in ("fill", "drop") and fills:
                first, count, stride = map(int, words[1:])
                for n in range(count):
                    if op == "fill":
                        model.put(first + n * stride & ALL, n)
                    else:
                        model.delete(first + n * stride & ALL)
            elif op == "end":
                model.iterators.pop(int(words[1]), None)
            elif op in ("iter", "step", "drain"):
                i = int(words[1])
                if op == "iter":
                    model.iterators[i] = Iterator(model.serial, model.entries)
                while model.delivery(i, next(lines, "")) and op == "drain":
                    pass
        except Wrong as wrong:
            raise Wrong("line %d (%s): %s" % (number + 1, line, wrong)) \
                from None
    if next(lines, None) is not None:
        raise Wrong("more was delivered than asked for")


# Running.

def start(argv, stdout):
    return subprocess.Popen(argv, stdout=open(stdout, "wb"))


def read_lines(path):
    with open(path, encoding="ascii") as f:
        return f.read().splitlines()


def states_with_lines(script):
    """The script's line that makes each line of output."""
    every = 1
    for number, line in enumerate(script):
        words = line.split()
        if words[0] == "script":
            every = int(words[6])
        elif words[0] in ("fill", "drop"):
            for _ in range(0, int(words[2]), every):
                yield number
        yield number


def first_difference(script, go, ours):
    for i, number in enumerate(states_with_lines(script)):
        a = go[i] if i < len(go) else "(nothing)"
        b = ours[i] if i < len(ours) else "(nothing)"
        if a != b:
            print("  line %d (%s), the operations before it:" %
                  (number + 1, script[number]))
            begin = max(j for j in range(number + 1)
                        if script[j].startswith("script "))
            for line in [script[begin]] + \
                    script[max(begin + 1, number - 4):number]:
                print("    " + line)
            print("  len B left nevacuate noverflow flags | result")
            print("  Go:  " + a)
            print("  map: " + b)
            return


def growths(states):
    """How many growths began that can be seen: to the same size, to a bigger
    one."""
    same = bigger = 0
    was_growing = False
    for line in states:
        words = line.split()
        growing = words[0] != "script" and words[2] != "0"
        if growing and not was_growing:
            if int(words[5]) & 8:
                same += 1
            else:
                bigger += 1
        was_growing = growing
    return same, bigger


def run_seed(seed, args, go_map, first):
    began = time.monotonic()
    path = os.path.join(args.work, "%d.script" % seed)
    script = make_scripts(seed, args.scripts, first)
    with open(path, "w", encoding="ascii") as f:
        f.write("\n".join(script) + "\n")
    ways = {"Go": [go_map], "typed": [args.c_map, "typed"],
            "untyped": [args.c_map, "untyped"]}
    outputs = {}
    failed = False
    children = {}
    for way, argv in ways.items():
        out = os.path.join(args.work, "%d.%s" % (seed, way))
        outputs[way] = out
        children[way] = start(argv + [path, out + ".deliveries"],
                              out + ".states")
    broken = [way for way, child in children.items()
              if child.wait(timeout=240) != 0]
    for way in broken:
        print("%s, seed %d: status %d" % (way, seed, children[way].returncode))
        failed = True
    states = {way: read_lines(out + ".states") for way, out in outputs.items()}
    for way in ("typed", "untyped"):
        if way not in broken and states[way] != states["Go"]:
            print("%s, seed %d: another state than Go's" % (way, seed))
            first_difference(script, states["Go"], states[way])
            failed = True
    delivered = 0
    for way, out in outputs.items():
        if way in broken:
            continue
        try:
            lines = read_lines(out + ".deliveries")
            delivered += len(lines)
            check_deliveries(script, lines)
        except Wrong as wrong:
            print("%s, seed %d: %s" % (way, seed, wrong))
            failed = True
    same, bigger = growths(states["Go"])
    print("seed %d: %d lines of scripts, %d states, %d growths to the same "
          "size, %d to a bigger one, %d deliveries; %.1f s" %
          (seed, len(script), len(states["Go"]), same, bigger, delivered,
           time.monotonic() - began))
    if failed:
        print("the script is %s; again: --seed %d" % (path, seed))
    return not failed


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--c-map", required=True)
    parser.add_argument("--work", required=True)
    parser.add_argument("--seed", type=int, action="append")
    parser.add_argument("--scripts", type=int, default=150)
    args = parser.parse_args()
    args.work = os.path.abspath(args.work)
    os.makedirs(args.work, exist_ok=True)
    go_map = build_go(args.work)
    seeds = args.seed or [1, random.SystemRandom().randrange(2, 1 << 31)]
    print("seeds", *seeds)
    results = [run_seed(seed, args, go_map, seed == seeds[0])
               for seed in seeds]
    return 0 if all(results) else 1


if __name__ == "__main__":
    sys.exit(main())
