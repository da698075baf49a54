# names.py: makes names of functions readable.

import re
import subprocess

DEMANGLER = ('c++filt', '-p')
DEMANGLER_TIMEOUT_S = 60

OPENING = (b'<', b'(', b'[', b'{')
CLOSING = {b'>': b'<', b')': b'(', b']': b'[', b'}': b'{'}
OPERATOR = re.compile(rb'\boperator(<=>|<<=?|>>=?|->\*?|\(\)|[<>]=?)')
DEFAULT_ARGUMENT = re.compile(
    rb'std::(allocator|char_traits|default_delete|less|hash|equal_to)<')
STRING = b'std::__cxx11::basic_string'
CLONE = re.compile(rb'( \[clone [^]]*\])+$')
COPY = re.compile(rb'(\.(cold|constprop|isra|lto_priv|part|llvm)(\.\d+)*)+$')
CRATE_HASH = re.compile(rb'\[[0-9a-f]{10,16}\]')
ARGUMENTS_MAX = 60  # a hash table of the standard library has a thousand


class Bracket:
    """An open bracket, and the parts between commas after it."""

    def __init__(self, kind, is_list):
        self.kind = kind
        self.is_list = is_list  # of arguments of a template
        self.parts = [b'']


def shorten(name):
    """Shortens a demangled name of C++ or Rust: without template arguments that are
    defaults or too long to read. A name that cannot be parsed stays unchanged."""
    top = Bracket(b'', False)
    open_brackets = [top]
    at = 0
    while at < len(name):
        here = open_brackets[-1]
        operator = OPERATOR.match(name, at)
        c = operator.group() if operator else name[at:at + 1]
        at += len(c)
        if c in OPENING:
            # In Rust, what begins with < is a type: <T as Trait>::method.
            open_brackets.append(Bracket(
                c, c == b'<' and here.parts[-1].strip() != b''))
        elif c == b',' and here.is_list:
            here.parts.append(b'')
        elif c in CLOSING and name[at - 2:at] != b'->':
            if CLOSING[c] != here.kind:
                return name
            open_brackets.pop()
            text = (template_arguments(here.parts) if here.is_list
                    else here.kind + here.parts[0] + c)
            before = open_brackets[-1].parts
            if before[-1].endswith(STRING) and text == b'<char>':
                before[-1] = before[-1][:-len(STRING)] + b'std::string'
            else:
                before[-1] += text
        else:
            here.parts[-1] += c
    if len(open_brackets) > 1:
        return name
    return CRATE_HASH.sub(b'', top.parts[0])


def template_arguments(parts):
    parts = [part.strip() for part in parts]
    text = b'<' + b', '.join(
        parts[:1] + [p for p in parts[1:] if not DEFAULT_ARGUMENT.match(p)]
    ) + b'>'
    return text if len(text) <= ARGUMENTS_MAX else b'<...>'


def demangle(names):
    """Demangles names of C++ and Rust; returns a dict."""
    mangled = [n for n in sorted(names) if re.fullmatch(rb'_[ZR][\w.$]+', n)]
    if not mangled:
        return {}
    try:
        done = subprocess.run(
            DEMANGLER, input=b'\n'.join(mangled) + b'\n', check=True,
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
            timeout=DEMANGLER_TIMEOUT_S)
    except (OSError, subprocess.SubprocessError):
        return {}
    lines = done.stdout.split(b'\n')[:-1]
    return dict(zip(mangled, lines)) if len(lines) == len(mangled) else {}


def readable(names):
    """Readable names for symbols, as a dict. Parts and copies of a function that the
    compiler made get its name."""
    demangled = demangle(names)
    return {name: shorten(CLONE.sub(b'', demangled[name]))
            if name in demangled else COPY.sub(b'', name) for name in names}
