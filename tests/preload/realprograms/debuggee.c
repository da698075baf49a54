// debuggee.c: something for gdb to stop in.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct item {
    int number;
    char *text;
    struct item *next;
};

static int leaf(struct item *list) {
    int sum = 0;
    for (; list; list = list->next) {
        sum += list->number;
    }
    return sum;
}

int main(void) {
    struct item *list = NULL;
    for (int i = 0; i < 3; i++) {
        struct item *item = malloc(sizeof *item);
        *item = (struct item){i, strdup("text"), list};
        list = item;
    }
    printf("%d\n", leaf(list));
    return 0;
}
