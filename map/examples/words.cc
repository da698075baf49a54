// words.cc: words.c in C++.
//
//     c++ words.cc $(pkg-config --cflags --libs moundmap)
//     ./a.out <text | sort -rn | head
#include <mound_map.h>
#include <cstdio>
#include <iostream>
#include <string>

MOUND_MAP_STR(counts, unsigned) // const char * -> unsigned, keys are copied

int main() {
    counts *m = counts_make(0);
    std::string word;
    while (std::cin >> word) {
        unsigned *n = counts_put(m, word.c_str(), nullptr); // 0 when it is new
        if (n == nullptr) {
            std::perror("words");
            return 1;
        }
        ++*n;
    }
    mound_map_foreach(counts, it, m) std::cout << *it.elem << ' ' << *it.key
                                               << '\n';
    counts_free(m);
}
