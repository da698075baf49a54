#!/usr/bin/env python3
# pack.py: packs the modules of a program in python into one file that python runs.
#
#   pack.py OUT MODULE...
#
# As python's zipapp does, but the same modules give the same bytes, whatever their
# times.

import os
import sys
import zipfile

INTERPRETER = b'#!/usr/bin/env python3\n'


def main(out, *modules):
    with open(out, 'wb') as file:
        file.write(INTERPRETER)
        with zipfile.ZipFile(file, 'w', zipfile.ZIP_DEFLATED) as pack:
            for path in modules:
                with open(path, 'rb') as module:
                    pack.writestr(zipfile.ZipInfo(os.path.basename(path)),
                                  module.read(), zipfile.ZIP_DEFLATED)
    os.chmod(out, 0o755)


if __name__ == '__main__':
    main(*sys.argv[1:])
