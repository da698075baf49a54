// unwinder.c: see unwinder.h.
#include "watch/unwinder.h"

#include "base/print.h"
#include "base/stdfd.h"
#include "os/sys.h"
#include "os/unwind.h"
#include "runtime/options.h"

enum { LOADER_STACK = 256 << 10 }; // bytes, more than the dynamic loader needs

static void complain(enum unwind_mode instead, const char *why) {
    static const char *const names[] = {"frame pointers", "unwind tables",
                                        "libunwind"};
    struct print out = print_to(stdfd_err());
    print_str(&out, "mound: MOUND_UNWIND=");
    print_str(&out, options->unwind == UNWIND_TABLES ? "tables" : "libunwind");
    print_str(&out, ": ");
    print_str(&out, why);
    print_str(&out, "; using ");
    print_str(&out, names[instead]);
    print_str(&out, "\n");
    print_flush(&out);
}

void unwinder_load(void) {
    const char *why = "the stack is too small to load it";
    enum unwind_mode wanted = options->unwind;
    if (wanted == UNWIND_LIBUNWIND && sys_stack_limit() < LOADER_STACK)
        wanted = UNWIND_TABLES;
    enum unwind_mode mode = unwind_init(wanted, &why);
    if (mode != options->unwind && options->unwind_asked)
        complain(mode, why);
}
