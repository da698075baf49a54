#!/usr/bin/env python3
"""Builds map_fuzz.c with clang's libFuzzer, AddressSanitizer and
UndefinedBehaviorSanitizer, runs the inputs of corpus/map/ once, and then fuzzes
for some seconds from a seed that is printed.

Usage: fuzz.py --work FOLDER [--swiss] [--seconds N] [--seed N] [--keep] [INPUT]...

With --swiss it is the map of mound_swiss.h, which has the same inputs.

With INPUTs those alone are run, and each operation is printed: what to do with
the file that a failure names. --keep adds what was found to corpus/map/ and
drops what is not needed: for fuzzing by hand, --seconds 600 and the like.
FOLDER gets the program, what it finds, and the inputs that fail.
"""
import argparse
import os
import random
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

HERE = os.path.dirname(os.path.abspath(__file__))
MAP = os.path.join(os.path.dirname(os.path.dirname(HERE)), "map")
SWISS = os.path.join(MAP, "swiss")
CORPUS = os.path.join(HERE, "corpus", "map")
# The functions that map_fuzz.c puts others in the place of.
WRAPPED = ["malloc", "calloc", "realloc", "free", "posix_memalign",
           "aligned_alloc", "strdup", "map_random", "map_seed", "getrandom"]
FLAGS = ["-std=gnu11", "-D_GNU_SOURCE", "-O1", "-g", "-Wall", "-Wextra",
         "-fsanitize=fuzzer,address,undefined", "-fno-sanitize-recover=all",
         # Operands are bytes: comparing tells nothing that coverage does not.
         "-fno-sanitize-coverage=trace-cmp",
         "-fno-omit-frame-pointer", "-I" + MAP,
         "-I" + os.path.join(MAP, "swiss"), "-pthread"]
LINK_FLAGS = ["-Wl," + ",".join("--wrap=" + name for name in WRAPPED)]
# The program counts blocks itself, without stopping all threads.
RUN = ["-detect_leaks=0", "-timeout=120", "-rss_limit_mb=2048"]
MAX_LEN = 300


def compile_all(clang, sources, program, flags):
    """Compiles as many at a time as there are cores; false: one did not."""
    def compile_one(source):
        made = "%s-%s.o" % (program, os.path.basename(source))
        return subprocess.run([clang, *FLAGS, *flags, "-c", source, "-o", made],
                              check=False).returncode == 0 and made
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        objects = list(pool.map(compile_one, sources))
    return all(objects) and subprocess.run(
        [clang, *FLAGS, *LINK_FLAGS, *objects, "-o", program],
        check=False).returncode == 0


def build(work, flags):
    clang = shutil.which("clang-14") or shutil.which("clang")
    if clang is None:
        sys.exit("fuzz: clang is needed: install clang-14 libclang-rt-14-dev")
    program = os.path.join(work, "map_fuzz")
    names = sorted(os.path.join(folder, name) for folder in (MAP, SWISS)
                   for name in os.listdir(folder))
    sources = [os.path.join(HERE, "map_fuzz.c")] + [
        name for name in names if name.endswith(".c")]
    headers = [name for name in names if name.endswith(".h")]
    newest = max(os.path.getmtime(name) for name in
                 sources + headers + [os.path.abspath(__file__)])
    if not os.path.exists(program) or os.path.getmtime(program) < newest:
        if not compile_all(clang, sources, program, flags):
            sys.exit("fuzz: %s failed; it needs libclang-rt-14-dev and "
                     "libxxhash-dev" % clang)
    return program


def fuzz(program, work, *args, trace=False):
    env = dict(os.environ)
    env.pop("MAP_FUZZ_TRACE", None)
    if trace:
        env["MAP_FUZZ_TRACE"] = "1"
    argv = [program] + RUN + ["-artifact_prefix=" + work + "/"] + list(args)
    process = subprocess.run(argv, env=env, check=False, text=True,
                             errors="replace", stderr=subprocess.PIPE)
    if process.returncode != 0 or trace:
        print(process.stderr[-12000:])
    else:
        print(process.stderr.rstrip().splitlines()[-1])
    if process.returncode != 0:
        sys.exit("fuzz: it failed with status %d; the input named above can be "
                 "run by itself:\n  %s --work %s INPUT" %
                 (process.returncode, os.path.abspath(__file__), work))


def keep(program, work, found):
    """Makes the corpus the smallest that reaches what it and found reach."""
    merged = os.path.join(work, "merged")
    shutil.rmtree(merged, ignore_errors=True)
    os.makedirs(merged)
    # By what is reached, not by how often: else it would be thousands.
    fuzz(program, work, "-set_cover_merge=1", "-use_counters=0", merged, CORPUS,
         found)
    shutil.rmtree(CORPUS)
    shutil.copytree(merged, CORPUS)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--work", required=True)
    parser.add_argument("--swiss", action="store_true")
    parser.add_argument("--seconds", type=int, default=10)
    parser.add_argument("--seed", type=int,
                        default=random.SystemRandom().randrange(1, 1 << 31))
    parser.add_argument("--keep", action="store_true")
    parser.add_argument("inputs", nargs="*", metavar="INPUT")
    args = parser.parse_args()
    work = os.path.abspath(args.work)
    os.makedirs(work, exist_ok=True)
    program = build(work, ["-DMAP_SWISS"] if args.swiss else [])
    if args.inputs:
        for name in args.inputs:
            fuzz(program, work, name, trace=True)
        return 0
    inputs = os.listdir(CORPUS)
    if not inputs:
        sys.exit("fuzz: %s is empty" % CORPUS)
    print("%d inputs of the corpus, each once" % len(inputs))
    fuzz(program, work, "-runs=0", CORPUS)
    found = os.path.join(work, "found")
    os.makedirs(found, exist_ok=True)
    print("fuzzing for %d s with -seed=%d" % (args.seconds, args.seed))
    fuzz(program, work, "-seed=%d" % args.seed, "-max_len=%d" % MAX_LEN,
         "-max_total_time=%d" % args.seconds, found, CORPUS)
    if args.keep:
        keep(program, work, found)
    return 0


if __name__ == "__main__":
    sys.exit(main())
