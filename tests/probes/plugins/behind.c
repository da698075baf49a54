// Is preloaded behind the library, and has names that it passes on.
#include <unistd.h>

int setuid(uid_t uid) {
    return (int)uid + 1;
}

int prctl(int option, ...) {
    return option + 2;
}
