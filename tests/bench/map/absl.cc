// absl.cc: absl::flat_hash_map with its own hash.
#include <absl/container/flat_hash_map.h>

#include <cstdlib>

template <class K, class V> using Table = absl::flat_hash_map<K, V>;

// A package of a newer release has this from its newer C library.
extern "C" __attribute__((weak)) long __isoc23_strtol(const char *text,
                                                      char **end, int base) {
    return std::strtol(text, end, base);
}

#include "cxx.h"
