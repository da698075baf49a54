# moundmap-gdb.py: gdb prints the maps of libmoundmap as it prints std::map:
#
#   (gdb) source moundmap-gdb.py
#   (gdb) print *m
#   $1 = ages of 2 entries (B=0) = {["rob"] = 66, ["ken"] = 79}
#
# moundmap_printers.py, which says of what, and moundmap_entries.py have to lie beside
# this file. Scripts of gdb share one set of names: all that this one leaves there is a
# function.


def moundmap_load():
    import os
    import sys
    import types

    import gdb
    import gdb.printing

    folder = os.path.dirname(os.path.abspath(__file__))
    for name in 'moundmap_entries', 'moundmap_printers':
        # Not imported from there, which would leave compiled files behind, in a
        # folder of the system.
        path = os.path.join(folder, name + '.py')
        try:
            with open(path, encoding='utf-8') as file:
                code = compile(file.read(), path, 'exec')
        except OSError as error:
            gdb.write('moundmap-gdb.py: %s\n' % error, gdb.STDERR)
            return
        module = sys.modules[name] = types.ModuleType(name)
        exec(code, module.__dict__)
    # Loaded by gdb beside the library, they belong to that; sourced, to all.
    gdb.printing.register_pretty_printer(gdb.current_objfile(),
                                         module.Printers('moundmap'),
                                         replace=True)


moundmap_load()
