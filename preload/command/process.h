// process.h: figures and identity of a process, from /proc.
#ifndef MOUND_COMMAND_PROCESS_H
#define MOUND_COMMAND_PROCESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct process {
    pid_t pid;              // in this pid namespace
    pid_t inner;            // in its own pid namespace
    uint64_t pid_namespace; // inode; 0: not readable
    uint64_t start_ticks;   // since the machine started
    uid_t uid;              // effective
    char state;             // R, S, D, T, Z, ...
    char name[64];          // from the kernel, which cuts it; '?' for odd bytes
    uint64_t threads;

    // Bytes; all 0 for a zombie or a kernel thread.
    uint64_t rss, rss_peak, rss_anon, rss_file, rss_shmem, swap;
};

// process_read returns false, with errno, if there is no such process.
bool process_read(pid_t pid, struct process *ret);

// process_runs says whether it still runs: it is neither dead nor a zombie.
bool process_runs(const struct process *p);

// process_next iterates over the processes that are visible here; it returns 0 at the
// end. *at is 0 at the first call, and is closed by the end or process_stop.
struct process_walk {
    void *dir;
};
pid_t process_next(struct process_walk *at);
void process_stop(struct process_walk *at);

// process_namespace is the inode of this process's own pid namespace; 0: not known.
uint64_t process_namespace(void);

// process_has_our_root says whether paths of a process lead to the same files as here,
// i.e. it is in no container or chroot. True also if that cannot be found out.
bool process_has_our_root(pid_t pid);

// process_file reads /proc/PID/NAME, at most nbytes - 1, and ends it in 0. It returns
// the number of bytes, or -errno.
ssize_t process_file(pid_t pid, const char *name, char *buf, size_t nbytes);

// process_field returns the text after "NAME:" and spaces at the beginning of a line of a
// status file, or NULL. process_effective is the second number of "Uid" or "Gid" there.
const char *process_field(const char *status, const char *name);
unsigned process_effective(const char *status, const char *name);

// process_user is the name of a user, or the number in digits if it has none.
struct process_user_name {
    char s[40];
};
struct process_user_name process_user(uid_t uid);

#endif // MOUND_COMMAND_PROCESS_H
