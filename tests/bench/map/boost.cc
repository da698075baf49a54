// boost.cc: boost::unordered_flat_map with boost::hash.
#include <boost/unordered/unordered_flat_map.hpp>

template <class K, class V> using Table = boost::unordered_flat_map<K, V>;

#include "cxx.h"
