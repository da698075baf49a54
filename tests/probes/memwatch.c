// memwatch: a library that watches memory being released sees all of it.
//
// usage: memwatch preload|table|code [threads]
//   preload  plugins/memwatch.so is preloaded in front of mound
//   table    functions are entered in the loader's table of libmound.so
//   code     a jump is written over libc's functions (x86-64)
// Exit 0; one line on stderr and 1; 77 where it cannot be done.
#include <dlfcn.h>
#include <errno.h>
#include <link.h>
#include <malloc.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { MIB = 1 << 20, NBLOCKS = 200, NSMALL = 400000, SMALL = 100, NLIVE = 50 };

static _Atomic size_t own_told;
static _Atomic size_t *told = &own_told;

static void fail(const char *what, size_t n) {
    fprintf(stderr, "memwatch: %s (%zu)\n", what, n);
    exit(1);
}

// Replace libc's functions, if this program interposes them.
static int my_madvise(void *addr, size_t nbytes, int advice) {
    if (advice == MADV_DONTNEED || advice == MADV_FREE)
        *told += nbytes;
    free(malloc(1000));
    return (int)syscall(SYS_madvise, addr, nbytes, advice);
}

static int my_munmap(void *addr, size_t nbytes) {
    *told += nbytes;
    free(malloc(1000));
    return (int)syscall(SYS_munmap, addr, nbytes);
}

#if defined(__x86_64__)
static void write_jump(void *at, void *to) {
    // mov $to, %r11; jmp *%r11
    unsigned char code[] = {0x49, 0xbb, 0, 0,    0,    0,   0,
                            0,    0,    0, 0x41, 0xff, 0xe3};
    memcpy(code + 2, &to, sizeof to);
    uintptr_t page = (uintptr_t)at & ~(uintptr_t)4095;
    if (mprotect((void *)page, 8192, PROT_READ | PROT_WRITE | PROT_EXEC) != 0)
        exit(77);
    memcpy(at, code, sizeof code);
}

static void patch_code(void) {
    void *libc = dlopen("libc.so.6", RTLD_NOW | RTLD_NOLOAD);
    write_jump(dlsym(libc, "madvise"), (void *)my_madvise);
    write_jump(dlsym(libc, "munmap"), (void *)my_munmap);
}
#else
static void patch_code(void) {
    exit(77);
}
#endif

// patch_table does what UCX does: each library's entries for the two names.
static void patch_table(void) {
    Dl_info info;
    struct link_map *map;
    if (!dladdr1(dlsym(RTLD_DEFAULT, "malloc"), &info, (void **)&map,
                 RTLD_DL_LINKMAP))
        fail("no link map", 0);
    const ElfW(Sym) *symbols = NULL;
    const char *names = NULL;
    const ElfW(Rela) * tables[2] = {0};
    size_t nbytes[2] = {0};
    for (const ElfW(Dyn) *d = map->l_ld; d->d_tag != DT_NULL; d++) {
        void *p = (void *)d->d_un.d_ptr;
        symbols = d->d_tag == DT_SYMTAB ? p : symbols;
        names = d->d_tag == DT_STRTAB ? p : names;
        tables[0] = d->d_tag == DT_JMPREL ? p : tables[0];
        tables[1] = d->d_tag == DT_RELA ? p : tables[1];
        nbytes[0] = d->d_tag == DT_PLTRELSZ ? d->d_un.d_val : nbytes[0];
        nbytes[1] = d->d_tag == DT_RELASZ ? d->d_un.d_val : nbytes[1];
    }
    int found = 0;
    for (int t = 0; t < 2; t++) {
        for (size_t i = 0; i < nbytes[t] / sizeof(ElfW(Rela)); i++) {
            const ElfW(Rela) *r = &tables[t][i];
            const char *name = names + symbols[ELF64_R_SYM(r->r_info)].st_name;
            void *new = strcmp(name, "madvise") == 0  ? (void *)my_madvise
                        : strcmp(name, "munmap") == 0 ? (void *)my_munmap
                                                      : NULL;
            if (new == NULL)
                continue;
            void **slot = (void **)(map->l_addr + r->r_offset);
            uintptr_t page = (uintptr_t)slot & ~(uintptr_t)4095;
            mprotect((void *)page, 8192, PROT_READ | PROT_WRITE);
            *slot = new;
            found++;
        }
    }
    if (found < 2)
        fail("the library has no entries for madvise and munmap",
             (size_t)found);
}

static size_t resident(void) {
    char text[200] = "";
    FILE *f = fopen("/proc/self/statm", "r");
    size_t pages = 0;
    if (f == NULL || fgets(text, sizeof text, f) == NULL ||
        sscanf(text, "%*u %zu", &pages) != 1)
        fail("no statm", 0);
    fclose(f);
    return pages * 4096;
}

static void *blocks[NBLOCKS];

// peak has 200 MiB in blocks of this size, frees them, and keeps some others alive.
static void peak(size_t size) {
    size_t n = NBLOCKS * (size_t)MIB / size;
    void **p = n <= NBLOCKS ? blocks : malloc(n * sizeof *p);
    for (size_t i = 0; i < n; i++) {
        p[i] = malloc(size);
        memset(p[i], 1, size);
    }
    for (size_t i = 0; i < n; i++)
        free(p[i]);
    if (p != blocks)
        free(p);
}

static void all_is_told(size_t size) {
    malloc_trim(0);
    size_t told_before = *told;
    errno = 12345;
    size_t before = resident();
    peak(size);
    errno = 12345;
    malloc_trim(0);
    size_t after = resident();
    size_t gone = *told - told_before;
    // The memory that was resident at the peak and is not any more.
    size_t most = before + NBLOCKS * (size_t)MIB;
    size_t least = after < most ? most - after : 0;
    if (gone + 2 * MIB < least)
        fail("MiB were not told", (least - gone) / MIB);
    if (least < 150 * (size_t)MIB)
        fail("MiB only went back", least / MIB);
}

static void *thread_main(void *arg) {
    void *live[NLIVE];
    for (int round = 0; round < 20; round++) {
        for (int i = 0; i < NLIVE; i++) {
            size_t size = (size_t)(i + 1) * 20000;
            live[i] = malloc(size);
            memset(live[i], 1, size);
        }
        for (int i = 0; i < NLIVE; i++)
            free(live[i]);
        malloc_trim(0);
    }
    return arg;
}

int main(int argc, char **argv) {
    if (argc < 2)
        return 2;
    if (strcmp(argv[1], "preload") == 0) {
        told = dlsym(RTLD_DEFAULT, "memwatch_told");
        if (told == NULL)
            fail("the plugin is not preloaded", 0);
    } else if (strcmp(argv[1], "table") == 0) {
        patch_table();
    } else {
        patch_code();
    }
    if (argc > 2) {
        pthread_t thread[4];
        for (int i = 0; i < 4; i++)
            pthread_create(&thread[i], NULL, thread_main, NULL);
        for (int i = 0; i < 4; i++)
            pthread_join(thread[i], NULL);
        if (*told == 0)
            fail("nothing was told", 0);
        return 0;
    }
    all_is_told(MIB);
    all_is_told(SMALL);
    all_is_told(40000);
    // An object that moves.
    size_t before = *told;
    char *p = malloc(64 * MIB);
    memset(p, 1, 64 * MIB);
    void *wall = malloc(MIB);
    p = realloc(p, 100 * MIB);
    if (p == NULL || p[64 * MIB - 1] != 1)
        fail("realloc lost contents", 0);
    free(p);
    free(wall);
    malloc_trim(0);
    if (*told - before < 64 * MIB)
        fail("MiB were told of an object that moved", (*told - before) / MIB);
    return 0;
}
