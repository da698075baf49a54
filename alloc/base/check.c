// check.c: ends a process whose heap is corrupted.
#include "base/check.h"

#include "base/print.h"
#include "base/stdfd.h"
#include "os/sys.h"

void throw_(const char *phrase) {
    struct print out = print_to(stdfd_err());
    print_str(&out, "mound: fatal: ");
    print_str(&out, phrase);
    print_str(&out, "\n");
    print_flush(&out);
    sys_abort();
}
