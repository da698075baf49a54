#!/bin/sh
# separate-debug.sh: run by `meson install`. Moves the debug information of an installed
# library into .debug/ beside it, where gdb, perf and valgrind look for it.
# Arguments: objcopy, the library's path below the prefix.
set -eu
library=$MESON_INSTALL_DESTDIR_PREFIX/$2
folder=$(dirname "$library")/.debug
debug=$folder/$(basename "$library").debug
[ -z "${MESON_INSTALL_DRY_RUN:-}" ] || exit 0
# With `meson install --strip` there is no debug information.
"$1" --dump-section .debug_info=/dev/null "$library" /dev/null 2>/dev/null || exit 0
mkdir -p "$folder"
"$1" --only-keep-debug "$library" "$debug"
chmod 644 "$debug"
"$1" --strip-unneeded --add-gnu-debuglink="$debug" "$library"
