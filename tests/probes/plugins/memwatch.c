// memwatch.c: preloaded in front of mound, functions in the place of libc's madvise
// and munmap, as in libraries that keep memory registered with a device. They take
// a lock that is not recursive, allocate and free while they hold it, use thread-local
// memory, and count what they are told.
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

_Atomic size_t memwatch_told; // bytes
_Atomic size_t memwatch_calls;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static __thread void *last; // allocated when this thread was here before

static void told(size_t nbytes) {
    pthread_mutex_lock(&lock);
    memwatch_told += nbytes;
    memwatch_calls++;
    void *new = malloc(100);
    void *large = malloc(300000);
    if (large != NULL) // the program may be at a limit
        ((char *)large)[0] = 1;
    free(large);
    free(last);
    last = new;
    pthread_mutex_unlock(&lock);
}

int madvise(void *addr, size_t nbytes, int advice) {
    if (advice == MADV_DONTNEED || advice == MADV_FREE)
        told(nbytes);
    return (int)syscall(SYS_madvise, addr, nbytes, advice);
}

int munmap(void *addr, size_t nbytes) {
    told(nbytes);
    return (int)syscall(SYS_munmap, addr, nbytes);
}
