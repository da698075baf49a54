// helper_none.c: replaces alloc/os/helper_linux.c where every thread must be one of the
// C library's: a helper that never starts.
#include "os/helper.h"

const char helper_path_status[] = "/proc/self/status";
const char helper_path_rollup[] = "/proc/self/smaps_rollup";
const char helper_path_pagemap[] = "/proc/self/pagemap";

bool helper_possible(void) {
    return true; // so that what a helper does is tried without one
}

bool helper_start(struct helper *h, void (*run)(void *arg), void *arg) {
    (void)h;
    (void)run;
    (void)arg;
    return false;
}

bool helper_here(void) {
    return false;
}

bool helper_sleep_ns(struct helper *h, uint64_t delay_ns) {
    (void)h;
    (void)delay_ns;
    return false;
}

uint32_t helper_listen(const struct helper *h) {
    (void)h;
    return 0;
}

bool helper_wait(struct helper *h, uint32_t heard, uint64_t delay_ns) {
    (void)h;
    (void)heard;
    (void)delay_ns;
    return false;
}

void helper_end_if_left(void) {
}

void helper_ring_resting(struct helper *h) {
    (void)h;
}

bool helper_pause(struct helper *h) {
    (void)h;
    return false;
}

void helper_resume(struct helper *h) {
    (void)h;
}

void helper_forked(struct helper *h) {
    (void)h;
}
