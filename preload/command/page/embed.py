#!/usr/bin/env python3
"""embed.py OUT FILE...: writes the files as constants of C, page.css as page_css."""
import os
import re
import sys


def constant(path):
    with open(path, 'rb') as f:
        data = f.read()
    name = re.sub(r'\W', '_', os.path.basename(path))
    lines = [', '.join(map(str, data[i:i + 16])) + ','
             for i in range(0, len(data), 16)]
    return 'const char %s[] = {\n    %s\n    0};\n' % (name, '\n    '.join(lines))


with open(sys.argv[1], 'w', encoding='ascii') as out:
    out.write('#include "page_files.h"\n\n' +
              '\n'.join(map(constant, sys.argv[2:])))
