// libunwind_linux.c: libunwind.h with libunwind 1.6 to 1.8 and glibc, on x86-64.
//
// Five properties of libunwind need work here:
//
// - It checks whether memory is readable with a pipe that it opens at first use and
//   keeps for ever. If the program closes these descriptors and opens its own under
//   the same numbers, libunwind reads bytes from the program's sockets. So its public
//   table of accessors gets another function to read memory, and the pipe is closed.
// - It finds unwind tables with dl_iterate_phdr, which waits for the loader's lock. A
//   program can hold that lock while it waits for a lock that the caller of malloc
//   holds. So its reference to that function is redirected to one that uses
//   loaded_find, which takes no lock.
// - Its fast trace and its cache keep entries of a library after another one is
//   loaded at the same address. So neither is used: it goes step by step.
// - It takes locks of its own, for which a signal handler that unwinds with the same
//   copy would wait. So signals are blocked while it runs.
// - It needs about 5 KiB of stack, which a coroutine may not have. So it runs on a
//   stack of ours. There is one; a thread that finds it in use gets no walk.
#include "os/libunwind.h"

#if defined(__x86_64__)

#include <dlfcn.h>
#include <elf.h>
#include <fcntl.h>
#include <link.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "base/bits.h"
#include "base/str.h"
#include "os/loaded.h"
#include "os/sys.h"
#include "os/syscall.h"

enum {
    CURSOR_WORDS = 127,  // unw_cursor_t
    CONTEXT_WORDS = 128, // unw_context_t, which has 121
    REGISTER_IP = 16,    // UNW_REG_IP
    CACHE_NONE = 0,      // UNW_CACHE_NONE
    STACK_BYTES = 64 << 10,
    SIGNALS_BYTES = 8, // of the kernel's set of signals
    PAGE_BYTES = 4096,
};

typedef int access_mem_fn(void *space, uintptr_t addr, uintptr_t *word,
                          int write, void *arg);
typedef int seen_fn(struct dl_phdr_info *info, size_t size, void *arg);

// struct accessors is the beginning of unw_accessors_t.
struct accessors {
    void *find_proc_info;
    void *put_unwind_info;
    void *get_dyn_info_list_addr;
    access_mem_fn *access_mem;
};

// Constant once libunwind is loaded.
static struct lib {
    struct accessors *(*get_accessors)(void *space);
    int (*set_caching_policy)(void *space, int policy);
    int (*getcontext)(void *context);
    int (*init_local)(void *cursor, void *context);
    int (*step)(void *cursor);
    int (*get_reg)(void *cursor, int reg, uintptr_t *ret_value);
    void **local_space;
} lib;

static const struct {
    char name[32];
    size_t at; // in lib
} lib_names[] = {
    {"_Ux86_64_get_accessors", offsetof(struct lib, get_accessors)},
    {"_ULx86_64_set_caching_policy", offsetof(struct lib, set_caching_policy)},
    {"_Ux86_64_getcontext", offsetof(struct lib, getcontext)},
    {"_ULx86_64_init_local", offsetof(struct lib, init_local)},
    {"_ULx86_64_step", offsetof(struct lib, step)},
    {"_ULx86_64_get_reg", offsetof(struct lib, get_reg)},
    {"_ULx86_64_local_addr_space", offsetof(struct lib, local_space)},
};

// The walk. One thread at a time runs it; walker is its sys_self.

static _Atomic uintptr_t walker;
static struct stack_view view;
static struct stack_view code; // the page of code that was read last
static uintptr_t cursor[CURSOR_WORDS] __attribute__((aligned(16)));
static uintptr_t context[CONTEXT_WORDS] __attribute__((aligned(16)));
static char stack[STACK_BYTES] __attribute__((aligned(16)));
static bool access_seen;  // by prime
static bool iterate_seen; // by prime

// in_walk says whether libunwind runs for us, not for the program, which may
// use the same copy.
static bool in_walk(void) {
    // relaxed: a thread sees what it wrote itself
    return atomic_load_explicit(&walker, memory_order_relaxed) == sys_self();
}

// read_word reads a word at any address. libunwind 1.8 reads one at each return address
// into code without unwind tables: if it cannot, it takes the address for a wild one
// and the word that the stack pointer points at for the caller's.
static bool read_word(uintptr_t addr, uintptr_t *ret_word) {
    enum { BYTE_BITS = 8 };
    unsigned nbits = addr % STACK_WORD_BYTES * BYTE_BITS;
    uintptr_t low;
    uintptr_t high;
    if (nbits == 0)
        return stack_read(&view, addr, ret_word);
    addr = align_down(addr, STACK_WORD_BYTES); // stacks are aligned: it is code
    if (!stack_read(&code, addr, &low) ||
        !stack_read(&code, addr + STACK_WORD_BYTES, &high))
        return false;
    *ret_word = low >> nbits | high << (BYTE_BITS * STACK_WORD_BYTES - nbits);
    return true;
}

// access_mem reads and writes words for libunwind: of the stack, and of code
// without unwind tables.
UNSANITIZED static int access_mem(void *space, uintptr_t addr, uintptr_t *word,
                                  int write, void *arg) {
    (void)space;
    (void)arg;
    if (write) {
        *(uintptr_t *)addr = *word; // a register that libunwind has saved
        return 0;
    }
    access_seen = true;
    if (in_walk())
        return read_word(addr, word) ? 0 : -1;
    if (!stack_readable(addr))
        return -1;
    *word = *(const volatile uintptr_t *)addr;
    return 0;
}

// info_of describes an object as dl_iterate_phdr does.
static bool info_of(const struct loaded *object,
                    struct dl_phdr_info *ret_info) {
    const void *headers;
    unsigned n;
    uintptr_t base;
    if (!loaded_headers(object, &headers, &n, &base))
        return false;
    memset(ret_info, 0, sizeof *ret_info);
    ret_info->dlpi_addr = base;
    ret_info->dlpi_name = object->name;
    ret_info->dlpi_phdr = headers;
    ret_info->dlpi_phnum = (ElfW(Half))n;
    return true;
}

// The C library's pthread_setcancelstate, looked up in load.
static int (*set_cancel)(int state, int *ret_before);

// The functions that libunwind called before redirect.
static int (*iterate_before)(seen_fn *seen, void *arg);
static int (*mask_before)(int how, const sigset_t *set, sigset_t *ret_before);
static __typeof__(mask_before) thread_mask_before;

// iterate replaces dl_iterate_phdr. libunwind's argument begins with the
// address that it looks for.
static int iterate(seen_fn *seen, void *arg) {
    if (!in_walk())
        return iterate_before(seen, arg);
    struct loaded object;
    struct dl_phdr_info info;
    iterate_seen = true;
    if (!loaded_find(*(const uintptr_t *)arg, &object) ||
        !info_of(&object, &info))
        return 0;
    return seen(&info, offsetof(struct dl_phdr_info, dlpi_adds), arg);
}

// leave_mask replaces sigprocmask, which libunwind calls a dozen times for each
// frame: all signals are blocked already. 1.8 calls pthread_sigmask.
static int leave_mask(int how, const sigset_t *set, sigset_t *ret_before) {
    return in_walk() ? 0 : mask_before(how, set, ret_before);
}

static int leave_thread_mask(int how, const sigset_t *set,
                             sigset_t *ret_before) {
    return in_walk() ? 0 : thread_mask_before(how, set, ret_before);
}

struct steps {
    struct stack_skip skip;
    uintptr_t *pcs;
    unsigned max;
    unsigned n;
};

static void go(void *arg) {
    struct steps *s = arg;
    if (lib.init_local(cursor, context) < 0)
        return;
    while (s->n < s->max && s->skip.nskipped < STACK_SKIPPED_MAX &&
           lib.step(cursor) > 0 &&
           lib.get_reg(cursor, REGISTER_IP, &s->pcs[s->n]) >= 0)
        if (!stack_skips(&s->skip, s->pcs[s->n]))
            s->n++;
}

// libunwind_on_stack calls f(arg) with the stack pointer at top.
void libunwind_on_stack(void (*f)(void *), void *arg, void *top) HIDDEN;
__asm__(".text\n"
        ".globl libunwind_on_stack\n"
        ".hidden libunwind_on_stack\n"
        ".type libunwind_on_stack, @function\n"
        "libunwind_on_stack:\n"
        ".cfi_startproc\n"
        "push %rbp\n"
        ".cfi_def_cfa_offset 16\n"
        ".cfi_offset 6, -16\n"
        "mov %rsp, %rbp\n"
        ".cfi_def_cfa_register 6\n"
        "mov %rdi, %rax\n"
        "mov %rsi, %rdi\n"
        "mov %rdx, %rsp\n"
        "call *%rax\n"
        "mov %rbp, %rsp\n"
        "pop %rbp\n"
        ".cfi_def_cfa 7, 8\n"
        "ret\n"
        ".cfi_endproc\n"
        ".size libunwind_on_stack, . - libunwind_on_stack\n");

NOINLINE unsigned libunwind_walk(const struct stack_skip *skip,
                                 uintptr_t *ret_pcs, unsigned max) {
    const uint64_t all = ~(uint64_t)0;
    uint64_t mask;
    uintptr_t nobody = 0;
    struct steps steps = {*skip, ret_pcs, max, 0};
    int cancel;
    if (syscall4(SYS_rt_sigprocmask, SIG_BLOCK, &all, &mask, SIGNALS_BYTES) !=
        0)
        return 0;
    // acquire: the last walk is over; partner: release below
    if (atomic_compare_exchange_strong_explicit(&walker, &nobody, sys_self(),
                                                memory_order_acquire,
                                                memory_order_relaxed)) {
        // Tables that are not in memory are read from the file, and open is a
        // cancellation point.
        set_cancel(PTHREAD_CANCEL_DISABLE, &cancel);
        view = stack_view_from((uintptr_t)__builtin_frame_address(0));
        code = (struct stack_view){.own = false};
        lib.getcontext(context);
        libunwind_on_stack(go, &steps, stack + STACK_BYTES);
        set_cancel(cancel, NULL);
        atomic_store_explicit(&walker, 0, memory_order_release);
    }
    syscall4(SYS_rt_sigprocmask, SIG_SETMASK, &mask, NULL, SIGNALS_BYTES);
    return steps.n;
}

// Loading it.

// pipe_numbers returns the descriptors that the next pipe would get.
static bool pipe_numbers(int *ret_fds) {
    if (syscall2(SYS_pipe2, ret_fds, O_CLOEXEC) != 0)
        return false;
    sys_close(ret_fds[0]);
    sys_close(ret_fds[1]);
    return true;
}

static void close_if_pipe(const int *fds) {
    struct sys_file read_end;
    struct sys_file write_end;
    if (!sys_file_of(fds[0], &read_end) || !sys_file_of(fds[1], &write_end) ||
        !S_ISFIFO(read_end.mode) || !sys_file_same(&read_end, &write_end))
        return;
    sys_close(fds[0]);
    sys_close(fds[1]);
}

static bool find_names(void *handle) {
    *(void **)&set_cancel = dlsym(RTLD_DEFAULT, "pthread_setcancelstate");
    if (set_cancel == NULL)
        return false;
    for (size_t i = 0; i < sizeof lib_names / sizeof *lib_names; i++) {
        void *p = dlsym(handle, lib_names[i].name);
        *(void **)((char *)&lib + lib_names[i].at) = p;
        if (p == NULL)
            return false;
    }
    return true;
}

// struct library is one that was loaded.
struct library {
    uintptr_t base;
    const ElfW(Dyn) * dynamic;
};

static bool library_of(uintptr_t pc, struct library *ret) {
    struct loaded object;
    const void *headers;
    unsigned n;
    if (!loaded_find(pc, &object) ||
        !loaded_headers(&object, &headers, &n, &ret->base))
        return false;
    for (const ElfW(Phdr) *h = headers; n > 0; h++, n--)
        if (h->p_type == PT_DYNAMIC) {
            ret->dynamic = (const void *)(ret->base + h->p_vaddr);
            return true;
        }
    return false;
}

// struct imports is the relocations of a library.
struct imports {
    const ElfW(Rela) * list[2]; // of functions; all others
    size_t nbytes[2];
    const ElfW(Sym) * symbols;
    const char *strings;
};

static struct imports imports_of(const struct library *l) {
    struct imports im = {.symbols = NULL};
    for (const ElfW(Dyn) *d = l->dynamic; d->d_tag != DT_NULL; d++) {
        if (d->d_tag == DT_JMPREL)
            im.list[0] = (const void *)d->d_un.d_ptr;
        else if (d->d_tag == DT_PLTRELSZ)
            im.nbytes[0] = d->d_un.d_val;
        else if (d->d_tag == DT_RELA)
            im.list[1] = (const void *)d->d_un.d_ptr;
        else if (d->d_tag == DT_RELASZ)
            im.nbytes[1] = d->d_un.d_val;
        else if (d->d_tag == DT_SYMTAB)
            im.symbols = (const void *)d->d_un.d_ptr;
        else if (d->d_tag == DT_STRTAB)
            im.strings = (const void *)d->d_un.d_ptr;
    }
    return im;
}

// write_slot writes an entry that the loader may have made read-only. The page
// stays writable, because its previous protection is not known.
static bool write_slot(uintptr_t slot, void *value, void **ret_before) {
    void *page = (void *)align_down(slot, PAGE_BYTES);
    if (syscall3(SYS_mprotect, page, PAGE_BYTES, PROT_READ | PROT_WRITE) != 0)
        return false;
    *ret_before = *(void **)slot;
    __atomic_store_n((void **)slot, value, __ATOMIC_RELEASE);
    return true;
}

// redirect replaces a library's references to an external function.
static bool redirect(const struct library *l, const char *name, void *to,
                     void **ret_before) {
    struct imports im = imports_of(l);
    bool found = false;
    for (unsigned i = 0; i < 2; i++)
        for (size_t k = 0; k < im.nbytes[i] / sizeof(ElfW(Rela)); k++) {
            const ElfW(Rela) *rela = &im.list[i][k];
            uint64_t type = ELF64_R_TYPE(rela->r_info);
            const ElfW(Sym) *symbol = &im.symbols[ELF64_R_SYM(rela->r_info)];
            if ((type != R_X86_64_JUMP_SLOT && type != R_X86_64_GLOB_DAT) ||
                !str_same(im.strings + symbol->st_name, name))
                continue;
            if (!write_slot(l->base + rela->r_offset, to, ret_before))
                return false;
            found = true;
        }
    return found;
}

// prime does the first walk, in which libunwind opens its pipe and allocates.
// It returns false if libunwind does not call our functions to read memory and
// to find tables.
static bool prime(void) {
    static const struct stack_skip nothing;
    uintptr_t pcs[2];
    struct accessors *accessors = lib.get_accessors(*lib.local_space);
    access_mem_fn *before = accessors->access_mem;
    accessors->access_mem = access_mem;
    lib.set_caching_policy(*lib.local_space, CACHE_NONE);
    libunwind_walk(&nothing, pcs, 2);
    if (!access_seen)
        accessors->access_mem = before;
    return access_seen && iterate_seen;
}

static const char *load(void) {
    static const char name[] = "libunwind.so.8";
    struct library l;
    bool shared = dlopen(name, RTLD_NOW | RTLD_NOLOAD) != NULL;
    void *handle = dlopen(name, RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
    if (!loaded_can_find())
        return "this C library has no _dl_find_object";
    if (handle == NULL)
        return "libunwind.so.8 cannot be loaded";
    if (!find_names(handle) || !library_of((uintptr_t)lib.step, &l) ||
        !redirect(&l, "dl_iterate_phdr", iterate, (void **)&iterate_before))
        return "libunwind.so.8 lacks what mound needs of it";
    redirect(&l, "sigprocmask", leave_mask, (void **)&mask_before);
    redirect(&l, "pthread_sigmask", leave_thread_mask,
             (void **)&thread_mask_before);
    // The pipe stays open in a process with several threads, and if the program
    // uses the same copy.
    int fds[2];
    bool closing = !shared && sys_single_threaded() && pipe_numbers(fds);
    bool ok = prime();
    if (closing)
        close_if_pipe(fds);
    return ok ? NULL : "libunwind.so.8 ignores the memory accessor";
}

const char *libunwind_load(void) {
    const char *why = load();
    char *(*error)(void);
    *(void **)&error = dlsym(RTLD_DEFAULT, "dlerror");
    if (why != NULL && error != NULL)
        error(); // clear it: the program must not see our error
    return why;
}

#else

const char *libunwind_load(void) {
    return "libunwind is used on x86-64 only";
}

unsigned libunwind_walk(const struct stack_skip *skip, uintptr_t *ret_pcs,
                        unsigned max) {
    (void)skip;
    (void)ret_pcs;
    (void)max;
    return 0;
}

#endif
