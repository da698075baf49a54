// threadexit_linux.c: threadexit.h by a key of POSIX thread-specific data. The
// key is made in our constructor, which runs before all others, so its number
// is low and setting it does not allocate in glibc.
#include "os/threadexit.h"

#include <pthread.h>
#include <stdatomic.h>

static AT_START pthread_key_t key;
static AT_START _Atomic bool key_made;
static AT_START void (*call)(void);

static void destructor(void *armed) {
    (void)armed;
    call();
}

bool threadexit_init(void (*at_exit)(void)) {
    call = at_exit;
    bool made = pthread_key_create(&key, destructor) == 0;
    // release: partner in threadexit_arm, which then sees key and call
    atomic_store_explicit(&key_made, made, memory_order_release);
    return made;
}

bool threadexit_arm(void) {
    static const char armed;
    return atomic_load_explicit(&key_made, memory_order_acquire) &&
           pthread_setspecific(key, &armed) == 0;
}
