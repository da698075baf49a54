// stack.c: a variable of the stack is freed.
#include "misuse.h"

int main(void) {
    char on_stack[64] __attribute__((aligned(16))) = {0};
    free(about_to(on_stack));
    after();
    return 0;
}
