# lookup.py: names for the addresses of a profile, from the files that they were mapped
# from, if those still have the same build ID.

import os

from elf import Elf, open_elf
from frames import Frames
from names import readable
from symbols import all_symbols
from trouble import Unusable, complain, reason


def check_same(elf, path, build_id, time_ns):
    """Raises Unusable if the file is not the one that was mapped."""
    own = elf.build_id()
    if own != build_id:
        raise Unusable('the file has changed: its build id is not the one in '
                       'the profile' if own and build_id else
                       'the profile has no build id of it' if own else
                       'the file has changed: it has no build id')
    if not own and not 0 < os.stat(path).st_mtime_ns < time_ns:
        raise Unusable('without a build id, it may not be the same file')


def names_in_file(path, build_id, time_ns, offsets, debug_dir):
    """The names of the functions at offsets in a file, as a dict."""
    with open_elf(path) as file:
        elf = Elf(file)
        check_same(elf, path, build_id, time_ns)
        by_address = {}
        for offset in offsets:
            address = elf.address_of(offset)
            if address is not None:
                by_address[address] = offset
        addresses = sorted(by_address)
        symbols, complete = all_symbols(elf, path, build_id, debug_dir,
                                        addresses)
        frames = Frames(elf)
        names = {}
        for i, address in enumerate(addresses):
            name = symbols.sized(i)
            if name is None:
                name = inexact_name(path, symbols.sizeless(i), complete,
                                    frames.start(address))
            if name is not None:
                names[by_address[address]] = name
        return names


def inexact_name(path, symbol, complete, start):
    """A name for an address that no symbol covers: that of the last symbol before it,
    unless another function may start between."""
    if symbol is not None and (complete if start is None
                               else symbol.value >= start):
        return symbol.name
    if start is not None:
        return b'fn_%#x (%s)' % (start, os.path.basename(path))
    return None


def symbolize(profile, debug_dir):
    files = {}
    for mapping in profile.mappings.values():
        path = profile.strings[mapping.filename_string]
        # [vdso] and anonymous memory have no slash.
        if (mapping.unnamed_locations and not mapping.named and
                path.startswith(b'/')):
            build_id = profile.strings[mapping.build_id_string]
            files.setdefault((path, build_id), []).append(mapping)

    found = []  # location, name
    for (path, build_id), mappings in files.items():
        offsets = {}
        for mapping in mappings:
            for location in mapping.unnamed_locations:
                if mapping.start <= location.address < mapping.limit:
                    offsets.setdefault(location.address - mapping.start +
                                       mapping.offset, []).append(location)
        try:
            names = names_in_file(path, os.fsdecode(build_id), profile.time_ns,
                                  offsets, debug_dir)
        except (OSError, Unusable, MemoryError) as error:
            complain(path, reason(error))
            continue
        found += [(location, name) for offset, name in names.items()
                  for location in offsets[offset]]

    names = readable({name for _, name in found})
    for location, name in found:
        profile.name_location(location, names[name], name)
