// ankerl.cc: ankerl::unordered_dense::map with its own hash.
#include <ankerl/unordered_dense.h>

template <class K, class V> using Table = ankerl::unordered_dense::map<K, V>;

#include "cxx.h"
