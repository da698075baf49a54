#!/usr/bin/env python3
"""Writes the names of the variables that alloc/runtime/options.c reads, as C strings
without their prefix: mound run -o accepts them. Arguments: options.c and the output."""
import re
import sys


def main():
    with open(sys.argv[1], encoding='utf-8') as f:
        names = re.findall(r'^ +X\((\w+), ', f.read(), re.M)
    assert len(names) > 10, names
    with open(sys.argv[2], 'w', encoding='utf-8') as f:
        f.write('// Written by optionnames.py from alloc/runtime/options.c.\n')
        f.writelines('"%s",\n' % name for name in sorted(names))


main()
