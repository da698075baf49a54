// Probes trap 7. The runner copies this program, which is linked to libmound.so
// (LD_PRELOAD with a path is ignored for such programs), makes the copy set-user-ID and
// requests a dump by path: in a program with another user's rights the environment must
// not name files to write to.
// Prints whether it is secure; the runner looks for the file.
#include "expect.h"

#include <sys/auxv.h>

#include "mound.h"

int main(void) {
    expect(mound_version() > 0, "libmound.so is not loaded");
    probe_workout();
    printf(getauxval(AT_SECURE) ? "secure\n" : "plain\n");
    return 0;
}
