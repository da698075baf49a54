// next.h: the definitions behind ours.
#ifndef MOUND_NEXT_H
#define MOUND_NEXT_H

// next_find returns the next definition of a function in the search order, as
// dlsym(RTLD_NEXT, name) does; or NULL. It takes no lock and allocates nothing, so it
// may be called anywhere, also between fork and exec and in signal handlers; a name is
// looked up at its first call. It uses dlsym for a C library older than glibc 2.35 and
// for a function that chooses its code when it is bound (IFUNC).
void *next_find(const char *name) __attribute__((visibility("hidden")));

// NEXT sets a pointer to the next function of that name, once.
#define NEXT(pointer, name)                                                    \
    do {                                                                       \
        if (__builtin_expect((pointer) == NULL, 0))                            \
            *(void **)&(pointer) = next_find(name);                            \
    } while (0)

#endif // MOUND_NEXT_H
