// unwind_reload.c: a library is unloaded and another one is loaded at its address. What
// an unwinder has cached about the old code must not be used for stacks of the new code.
// Useful only if every malloc is sampled (MOUND_PROFILE_RATE=1).
#include "expect.h"

#include <pthread.h>

enum { NLOADS = 20, NBLOCKS = 10 };

static void allocate(void) {
    void *blocks[NBLOCKS];
    for (int i = 0; i < NBLOCKS; i++) {
        blocks[i] = malloc(100);
        expect(blocks[i], "malloc failed");
    }
    for (int i = 0; i < NBLOCKS; i++) {
        free(blocks[i]);
    }
}

// load_and_call returns the address of the code that called back.
static void *load_and_call(const char *name) {
    void *handle = dlopen(probe_sibling(name), RTLD_NOW | RTLD_LOCAL);
    expect(handle, "%s", dlerror());
    void (*call)(void (*back)(void)) = NULL;
    *(void **)&call = dlsym(handle, "call");
    expect(call, "no function in %s", name);
    call(allocate);
    dlclose(handle);
    return *(void **)&call;
}

static void *run(void *arg) {
    int nsame = 0;
    void *last = NULL;
    for (int i = 0; i < NLOADS; i++) {
        void *here =
            load_and_call(i % 2 == 0 ? "unwind_frame.so" : "unwind_number.so");
        nsame += here == last;
        last = here;
    }
    if (nsame == 0) {
        skip("the libraries never came to the same place");
    }
    return arg;
}

int main(void) {
    pthread_t thread;
    run(NULL);
    expect(pthread_create(&thread, NULL, run, NULL) == 0, "no thread");
    pthread_join(thread, NULL);
    probe_sound();
    return 0;
}
