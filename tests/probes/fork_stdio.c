// Probes trap 24 (glibc bug 19431): one thread forks, one flushes all streams,
// some read lines into buffers that grow, some open and close streams. fork
// takes stdio's list lock and the allocator's; fflush(NULL) the list lock and
// each stream's; getline a stream's and the allocator's. Any wrong order is a
// deadlock of three.
#include "expect.h"

#include <pthread.h>

enum { NFORKS = 100, NREADERS = 3, NFLUSHERS = 2 };

static _Atomic bool stop;
static _Atomic long nlines, nflushes;

static void *read_lines(void *arg) {
    while (!stop) {
        // A long line makes getline grow its buffer with the stream locked.
        FILE *f = fopen("/proc/self/maps", "re");
        expect(f, "fopen");
        char *line = NULL;
        size_t nline = 0;
        while (getdelim(&line, &nline, 'Z', f) > 0) {
            nlines++;
        }
        free(line);
        fclose(f);
        char *text = NULL;
        size_t ntext = 0;
        FILE *memory = open_memstream(&text, &ntext);
        expect(memory, "open_memstream");
        for (int i = 0; i < 200; i++) {
            fprintf(memory, "%d and %d\n", i, i * i);
        }
        fclose(memory);
        free(text);
    }
    return arg;
}

static void *flush_all(void *arg) {
    while (!stop) {
        fflush(NULL);
        nflushes++;
    }
    return arg;
}

int main(void) {
    pthread_t threads[NREADERS + NFLUSHERS];
    for (int i = 0; i < NREADERS + NFLUSHERS; i++) {
        expect(pthread_create(&threads[i], NULL,
                              i < NREADERS ? read_lines : flush_all, NULL) == 0,
               "thread");
    }
    for (int i = 0; i < NFORKS; i++) {
        pid_t pid = fork();
        if (pid == 0) {
            probe_child_starts();
            // The child's stdio must be usable, its list lock free and usable
            // again by a further fork.
            FILE *f = fopen("/proc/self/status", "re");
            char *line = NULL;
            size_t nline = 0;
            expect(f && getline(&line, &nline, f) > 0, "getline in the child");
            fclose(f);
            free(line);
            fflush(NULL);
            if (i % 8 == 0) {
                pid_t grandchild = fork();
                if (grandchild == 0) {
                    probe_child_starts();
                    fflush(NULL);
                    free(malloc(100000));
                    _exit(0);
                }
                probe_child_passed(grandchild, "fork in the child");
                fclose(fopen("/dev/null", "re"));
            }
            _exit(0);
        }
        probe_child_passed(pid, "fork");
    }
    stop = true;
    for (int i = 0; i < NREADERS + NFLUSHERS; i++) {
        pthread_join(threads[i], NULL);
    }
    expect(nlines > 0 && nflushes > 0, "the other threads never ran");
    probe_sound();
    return 0;
}
