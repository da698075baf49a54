// absl.cc: absl::flat_hash_map with its own hash.
#include <absl/container/flat_hash_map.h>

template <class K, class V> using Table = absl::flat_hash_map<K, V>;

#include "cxx.h"
