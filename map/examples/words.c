// words.c: counts the words of standard input.
//
//     cc words.c $(pkg-config --cflags --libs moundmap)
//     ./a.out <text | sort -rn | head
#include <mound_map.h>
#include <stdio.h>

MOUND_MAP_STR(counts, unsigned) // const char * -> unsigned, keys are copied

int main(void) {
    counts *m = counts_make(0);
    char word[256];
    while (scanf("%255s", word) == 1) {
        unsigned *n = counts_put(m, word, NULL); // 0 when the word is new
        if (n == NULL) {
            perror("words");
            return 1;
        }
        ++*n;
    }
    mound_map_foreach(counts, it, m) printf("%u %s\n", *it.elem, *it.key);
    counts_free(m);
    return 0;
}
