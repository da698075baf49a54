// std.cc: std::unordered_map with std::hash.
#include <unordered_map>

template <class K, class V> using Table = std::unordered_map<K, V>;

#include "cxx.h"
