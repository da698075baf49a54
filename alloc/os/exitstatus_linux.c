// exitstatus_linux.c: see exitstatus.h. on_exit is looked up only when this is
// called: most processes never do.
#include "os/exitstatus.h"

#include <dlfcn.h>

static void (*told)(int status);

static void exiting(int status, void *arg) {
    (void)arg;
    told(status);
}

bool exitstatus_tell(void (*function)(int status)) {
    int (*on_exit)(void (*)(int, void *), void *);
    *(void **)&on_exit = dlsym(RTLD_DEFAULT, "on_exit");
    told = function;
    return on_exit != NULL && on_exit(exiting, NULL) == 0;
}
