// A program that changes descriptor 2 before it ends, for the tests of the dump (trap
// 39): nothing may ever be written to a descriptor that is not the stderr it started
// with. It reports by its exit status, since it has no stderr left. argv[1] says what to
// do, argv[2] is a file of its own.
#include "expect.h"

#include <sys/resource.h>
#include <sys/socket.h>

enum { BAD = 1, NFILES = 1000 };

static void misuse(void) {
    volatile char *p = malloc(100);
    free((char *)p + 1);
}

int main(int argc, char **argv) {
    const char *way = argc > 1 ? argv[1] : "";
    const char *path = argc > 2 ? argv[2] : "/dev/null";
    free(malloc(100));
    if (strcmp(way, "closed") == 0) {
        close(2);
        return 0;
    } else if (strcmp(way, "stdio_closed") == 0) {
        // As coreutils do in their exit handler.
        fclose(stderr);
        return 0;
    } else if (strcmp(way, "file") == 0) {
        close(2);
        if (open(path, O_RDWR | O_CREAT | O_TRUNC, 0600) != 2) {
            return BAD;
        }
        return write(2, "data\n", 5) == 5 ? 0 : BAD;
    } else if (strcmp(way, "misuse_file") == 0) {
        // A write by mistake while its data file has the number.
        close(2);
        if (open(path, O_RDWR | O_CREAT | O_TRUNC, 0600) != 2 ||
            write(2, "data\n", 5) != 5) {
            return BAD;
        }
        misuse();
        return 0;
    } else if (strcmp(way, "misuse_log") == 0) {
        // It sends its messages to a log.
        if (!freopen(path, "a", stderr)) {
            return BAD;
        }
        misuse();
        return 0;
    } else if (strcmp(way, "daemon") == 0 || strcmp(way, "daemon_exec") == 0) {
        // The process that started it must not wait for it.
        if (fork() != 0) {
            _exit(0);
        }
        int null = open("/dev/null", O_RDWR);
        setsid();
        for (int fd = 0; fd <= 2; fd++) {
            dup2(null, fd);
        }
        if (strcmp(way, "daemon_exec") == 0) {
            execl("/bin/sleep", "sleep", "15", (char *)NULL);
        }
        sleep(15);
        return 0;
    } else if (strcmp(way, "socket") == 0) {
        // The peer must see only what the program sent.
        int pair[2];
        if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) != 0) {
            return BAD;
        }
        dup2(pair[0], 2);
        close(pair[0]);
        pid_t pid = fork();
        if (pid == 0) {
            (void)!write(2, "data", 4);
            exit(0);
        }
        if (waitpid(pid, NULL, 0) != pid) {
            return BAD;
        }
        char got[100];
        ssize_t n = recv(pair[1], got, sizeof got, MSG_DONTWAIT);
        return n == 4 && memcmp(got, "data", 4) == 0 ? 0 : BAD;
    } else if (strcmp(way, "all_reused") == 0) {
        // A daemon closes all descriptors and opens its own files, also with the number
        // of a hidden duplicate of stderr.
        struct rlimit limit;
        getrlimit(RLIMIT_NOFILE, &limit);
        for (unsigned fd = 2; fd < limit.rlim_cur && fd < 70000; fd++) {
            close((int)fd);
        }
        close_range(2, ~0U, 0);
        limit.rlim_cur = limit.rlim_cur < NFILES ? limit.rlim_cur : NFILES;
        setrlimit(RLIMIT_NOFILE, &limit);
        int fd;
        do {
            fd = open(path, O_RDWR | O_CREAT | O_APPEND, 0600);
        } while (fd >= 0);
        return 0;
    } else if (strcmp(way, "closefrom3") == 0) {
        // Descriptor 2 itself is unchanged.
        close_range(3, ~0U, 0);
        return 0;
    } else if (strcmp(way, "closefrom3_reused") == 0) {
        close_range(3, ~0U, 0);
        int fd;
        do {
            fd = open(path, O_RDWR | O_CREAT | O_APPEND, 0600);
        } while (fd >= 0 && fd < NFILES);
        return 0;
    } else if (strcmp(way, "broken_pipe") == 0) {
        // The reader of our stderr has ended before we start. The end must still be a
        // normal one, without SIGPIPE.
        int pair[2];
        if (pipe(pair) != 0) {
            return BAD;
        }
        dup2(pair[1], 2);
        close(pair[0]);
        close(pair[1]);
        execl("/proc/self/exe", argv[0], "nothing", (char *)NULL);
        return BAD;
    } else if (strcmp(way, "file_limit") == 0) {
        // Writing to a file past this limit raises SIGXFSZ.
        struct rlimit none = {0, 0};
        return setrlimit(RLIMIT_FSIZE, &none) == 0 ? 0 : BAD;
    } else if (strcmp(way, "nothing") == 0) {
        return 0;
    } else if (strcmp(way, "leak") == 0) {
        // exec: other programs must not inherit a duplicate of stderr. Prints the number
        // of open descriptors.
        execl("/bin/sh", "sh", "-c", "set -- /proc/$$/fd/*; echo $#",
              (char *)NULL);
        return BAD;
    }
    return BAD;
}
