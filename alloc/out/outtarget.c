// outtarget.c: see outtarget.h.
//
// A file is replaced by a rename, which does not follow links: no link can
// redirect us to another file. But renaming over /dev/stdout or /dev/null would
// remove it for every program. So links are followed here, only to see whether
// a device, a pipe or a descriptor is at their end.
#include "out/outtarget.h"

#include <errno.h>
#include <string.h>

#include "base/str.h"
#include "os/file.h"
#include "out/outname.h"

enum { LINKS_MAX = 40 }; // as the kernel

static const char own_descriptors[] = "/proc/self/fd";

// in_proc says whether a folder is in the /proc of this process, and whether it is
// that of its descriptors: those links are not to be read but to be used.
static bool in_proc(int dir, bool *ret_own) {
    struct file_status folder, own;
    *ret_own = false;
    if (file_status_at_fd(dir, &folder) != 0 ||
        file_status_of(FILE_NO_DIR, own_descriptors, &own) != 0 ||
        folder.device != own.device)
        return false;
    *ret_own = folder.inode == own.inode;
    return true;
}

// number_of returns the descriptor that a name in /proc/self/fd means, or -EBADF.
static int number_of(const char *name) {
    int n = 0;
    for (; *name >= '0' && *name <= '9' && n < INT32_MAX / 10 - 1; name++)
        n = n * 10 + (*name - '0');
    return *name == '\0' ? n : -EBADF;
}

static int use_proc(const char *name, bool own, struct outtarget *ret) {
    ret->kind = own ? OUTTARGET_DESCRIPTOR : OUTTARGET_STREAM;
    ret->fd = own ? number_of(name) : -1;
    return own && ret->fd < 0 ? ret->fd : 0;
}

static int use(enum file_kind kind, struct outtarget *ret) {
    ret->kind = kind == FILE_REGULAR ? OUTTARGET_FILE : OUTTARGET_STREAM;
    ret->fd = -1;
    return kind == FILE_FOLDER ? -EISDIR : kind == FILE_OTHER ? -EOPNOTSUPP : 0;
}

// enter opens the folder that text, a link's, leads to, and sets *ret_name to its
// last part.
static int enter(int dir, char *text, const char **ret_name) {
    char *slash = str_find_last(text, '/');
    *ret_name = slash != NULL ? slash + 1 : text;
    if (slash == NULL)
        return file_open_dir(dir, ".");
    if (slash == text)
        return file_open_dir(dir, "/");
    *slash = '\0';
    return file_open_dir(dir, text);
}

int outtarget_find(int dir, const char *name, struct outtarget *ret_target) {
    static char text[OUTNAME_PATH_MAX];
    int at = dir;
    int error = -ELOOP;
    for (int i = 0; i < LINKS_MAX; i++) {
        struct file_status there;
        bool own;
        error = file_status_of(at, name, &there);
        bool nothing = error == -ENOENT;
        if (error != 0 && !nothing)
            break;
        if (((!nothing && there.kind == FILE_LINK) || (nothing && i > 0)) &&
            in_proc(at, &own)) {
            error = nothing && !own ? error : use_proc(name, own, ret_target);
            break;
        }
        if (nothing || there.kind != FILE_LINK) {
            error = use(nothing ? FILE_REGULAR : there.kind, ret_target);
            break;
        }
        error = file_read_link(at, name, text, sizeof text);
        if (error != 0)
            break;
        int next = enter(at, text, &name);
        if (at != dir)
            file_close(at);
        at = next;
        error = next < 0 ? next : -ELOOP;
        if (next < 0)
            break;
    }
    if (at >= 0 && at != dir)
        file_close(at);
    return error;
}
