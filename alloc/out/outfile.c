// outfile.c: see outfile.h.
//
// A directory is opened once, and everything is done by names in it. After a
// failed system call another is tried only if the cause may be ordinary, such
// as a filesystem with fewer features: a filter that refused the first may kill
// for the next.
#include "out/outfile.h"

#include <errno.h>
#include <string.h>

#include "base/print.h"
#include "base/stdfd.h"
#include "base/turn.h"
#include "os/file.h"
#include "os/sys.h"
#include "out/outtarget.h"

enum {
    TRIES_MAX = 1000000, // numbers of %n, or of names with one %p
    RANDOM_TRIES = 16,
    RANDOM_DIGITS = 16,
};

static const char own_name[] = ".mound-";

// struct placing is a file before it has its final name.
struct placing {
    int dir;
    int fd; // without a name; or -1: it has the name own
    bool owns;
    char own[sizeof own_name + RANDOM_DIGITS];
    struct outname name;
};

static struct turn turn;
static struct placing placing; // whose turn it is

// random_name makes a name that no other process should use: other pid
// namespaces have the same PIDs. Guessing it only makes us choose another.
static void random_name(char ret_name[sizeof placing.own]) {
    static uint64_t counter;
    uint64_t x = sys_secret() + ++counter;
    x = (x ^ sys_ticks()) * 0x9e3779b97f4a7c15u;
    x = (x ^ x >> 29 ^ (uint64_t)sys_pid() << 32) * 0xbf58476d1ce4e5b9u;
    x ^= x >> 32;
    memcpy(ret_name, own_name, sizeof own_name - 1);
    char *digits = ret_name + sizeof own_name - 1;
    for (int i = 0; i < RANDOM_DIGITS; i++, x >>= 4)
        digits[i] = "0123456789abcdef"[x & 15];
    digits[RANDOM_DIGITS] = '\0';
}

static void remove_own(struct placing *p) {
    if (p->owns)
        file_remove(p->dir, p->own);
    p->owns = false;
}

// take_own makes the file's own name, by a new file or for the one without a name;
// it returns the descriptor of a new file, or 0.
static int take_own(struct placing *p) {
    int error = -EEXIST;
    for (int i = 0; i < RANDOM_TRIES && error == -EEXIST; i++) {
        random_name(p->own);
        error = p->fd >= 0 ? file_name(p->fd, p->dir, p->own)
                           : file_create(p->dir, p->own);
    }
    p->owns = error >= 0;
    return error;
}

static int replace(struct placing *p) {
    if (!p->owns) {
        int error = take_own(p);
        if (error < 0)
            return error;
    }
    return file_rename(p->dir, p->own, p->name.text);
}

static int place_new(struct placing *p) {
    return p->fd >= 0 ? file_name(p->fd, p->dir, p->name.text)
                      : file_rename_new(p->dir, p->own, p->name.text);
}

// place_again replaces what was written under that name before.
static int place_again(struct placing *p, uint64_t which) {
    outname_try(&p->name, which);
    int error = p->name.too_long ? -ENAMETOOLONG : replace(p);
    p->owns = p->owns && error != 0;
    return error;
}

static int place(struct placing *p, uint64_t *which) {
    int error = -EEXIST;
    if (which != NULL && *which != 0)
        return place_again(p, *which);
    for (uint64_t i = 1; i <= TRIES_MAX && error == -EEXIST; i++) {
        outname_try(&p->name, i);
        if (p->name.too_long)
            return -ENAMETOOLONG;
        error = place_new(p);
        if (error == 0 && which != NULL)
            *which = i;
        if (!p->name.counts && !p->name.own) {
            error = error == -EEXIST ? replace(p) : error;
            break;
        }
    }
    if (error == 0)
        p->owns = false;
    return error;
}

// without_name writes a file that has no name and gives it one. *ret_again: this
// filesystem or process cannot do that.
static int without_name(struct placing *p, const struct outfile *out,
                        bool *ret_again) {
    p->fd = file_create_unnamed(p->dir);
    *ret_again = p->fd < 0;
    if (p->fd < 0)
        return p->fd;
    int error = out->write(p->fd);
    if (error == 0) {
        error = place(p, out->which);
        *ret_again = error < 0 && error != -ENOSPC && error != -EDQUOT &&
                     error != -ENAMETOOLONG && error != -EEXIST;
    }
    int late = file_close(p->fd);
    p->fd = -1;
    return error != 0 ? error : late;
}

static int with_name(struct placing *p, const struct outfile *out) {
    int fd = take_own(p);
    if (fd < 0)
        return fd;
    int error = out->write(fd);
    int late = file_close(fd);
    if (error == 0)
        error = late;
    return error != 0 ? error : place(p, out->which);
}

static int write_file(struct placing *p, const struct outfile *out) {
    bool again;
    int error = without_name(p, out, &again);
    remove_own(p);
    if (again)
        error = with_name(p, out);
    remove_own(p);
    return error;
}

// write_stream opens what outtarget found to be a pipe or a device. It may have
// been replaced by now.
static int write_stream(const struct placing *p, const struct outfile *out) {
    struct file_status there;
    int fd = file_open_stream(p->dir, p->name.text);
    if (fd < 0)
        return fd;
    int error = file_status_at_fd(fd, &there);
    if (error == 0 && there.kind != FILE_STREAM)
        error = -EINVAL;
    if (error == 0)
        error = out->write(fd);
    file_close(fd);
    return error;
}

static int write_descriptor(int fd, const struct outfile *out) {
    struct sys_file there;
    if (fd == 1 || fd == 2)
        fd = stdfd_of(fd);
    return fd >= 0 && sys_file_of(fd, &there) ? out->write(fd) : -EBADF;
}

// write_there writes to a name that is not a regular file; *ret_done: it was
// not one, or that cannot be known.
static int write_there(struct placing *p, const struct outfile *out,
                       bool *ret_done) {
    struct outtarget target;
    int error = outtarget_find(p->dir, p->name.text, &target);
    *ret_done = error != 0 || target.kind != OUTTARGET_FILE;
    if (!*ret_done || error != 0)
        return error;
    return target.kind == OUTTARGET_STREAM ? write_stream(p, out)
                                           : write_descriptor(target.fd, out);
}

static int write_in_folder(struct placing *p, const struct outfile *out) {
    bool done = false;
    int error = 0;
    outname_bare(&p->name);
    if (!p->name.counts && !p->name.too_long)
        error = write_there(p, out, &done);
    if (done)
        return error;
    outname_try(&p->name, 1);
    if (p->name.too_long)
        return -ENAMETOOLONG;
    if (p->name.number > 0 || p->name.tag != NULL ||
        p->name.own) // with another name than the bare
        error = p->name.counts ? 0 : write_there(p, out, &done);
    return done ? error : write_file(p, out);
}

static int write_placing(struct placing *p, const struct outfile *out,
                         uint64_t number) {
    p->fd = p->dir = -1;
    p->owns = false;
    outname_start(&p->name, out->path, number);
    p->name.tag = out->tag;
    outname_try(&p->name, 1); // for the complaint
    if (p->name.too_long)
        return -ENAMETOOLONG;
    p->dir = file_open_dir(FILE_NO_DIR, p->name.folder);
    if (p->dir < 0)
        return p->dir;
    int error = write_in_folder(p, out);
    file_close(p->dir);
    return error;
}

static void complain(const char *variable, const struct outname *name,
                     int error, const char *when) {
    int fd = stdfd_err();
    if (fd < 0)
        return;
    struct print out = print_to(fd);
    print_str(&out, "mound: ");
    print_str(&out, variable);
    print_str(&out, ": cannot write ");
    print_str(&out, name->folder);
    print_str(&out, name->text);
    print_str(&out, ": ");
    print_str(&out, file_error_text(error));
    print_str(&out, when);
    print_str(&out, "\n");
    print_flush(&out);
}

// look returns the error that would occur, as far as it can be known.
static int look(struct placing *p) {
    struct outtarget target = {OUTTARGET_FILE, -1};
    int error = 0;
    if (!p->name.counts)
        error = outtarget_find(p->dir, p->name.text, &target);
    if (error != 0)
        return error;
    if (target.kind == OUTTARGET_FILE)
        return file_may_create(p->dir);
    if (target.fd == 1 || target.fd == 2)
        stdfd_keep(target.fd, /* waiters= */ true);
    return 0;
}

void outfile_look(const struct outfile *out) {
    struct placing *p = &placing;
    if (turn_take(&turn, 0) != 0)
        return; // cannot be: there is one thread
    stdfd_keep(2, /* waiters= */ false);
    outname_start(&p->name, out->path, 0);
    outname_bare(&p->name);
    p->dir = p->name.too_long ? -ENAMETOOLONG
                              : file_open_dir(FILE_NO_DIR, p->name.folder);
    int error = p->dir < 0 ? p->dir : look(p);
    if (p->dir >= 0)
        file_close(p->dir);
    *out->said = error;
    if (error != 0)
        complain(out->variable, &p->name, error, " (at the start)");
    turn_give(&turn);
}

int outfile_write(const struct outfile *out, uint64_t number) {
    bool last = number == 0;
    int error = turn_take(&turn, last ? OUTFILE_WAIT_NS : 0);
    if (error == -EDEADLK && last) {
        // Our own writer, which we interrupted, will never continue.
        outfile_abandon();
        error = 0;
    }
    if (error != 0)
        return -EBUSY;
    error = write_placing(&placing, out, number);
    bool said = out->variable == NULL || error == *out->said ||
                error == -EBUSY; // the caller tries again
    if (error < 0 && !said)
        complain(out->variable, &placing.name, error, "");
    turn_give(&turn);
    return error;
}

void outfile_abandon(void) {
    int error = turn_take(&turn, 0);
    if (error == -EDEADLK)
        remove_own(&placing);
    if (error == 0)
        turn_give(&turn);
}
