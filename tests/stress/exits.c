// exits.c: threads that start, stop and write profiles while others end the
// process, in forked children. Under ThreadSanitizer it finds what they do not
// agree on; here it sees that each child
// ends, in time, and leaves its two files.
#include <dirent.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "mound.h"
#include "life/process.h"

enum { NCHILDREN = 10, NTHREADS = 6, NROUNDS = 20, LIMIT_S = 30 };

static pthread_barrier_t barrier;

// They allocate nothing: that their caches are hidden meanwhile is a race which is
// meant (watch/profile.c), and races.c sees to the others.
static void *profile(void *arg) {
    int null = open("/dev/null", O_WRONLY);
    pthread_barrier_wait(&barrier);
    for (int i = 0; i < NROUNDS; i++) {
        mound_memprofile_start((uintptr_t)arg + 1);
        mound_memprofile_write(null, MOUND_MEMPROFILE_PPROF);
        mound_memprofile_stop();
    }
    close(null);
    return NULL;
}

static void *end(void *arg) {
    (void)arg;
    pthread_barrier_wait(&barrier);
    process_exiting(0);
    return NULL;
}

static void run_child(void) {
    pthread_t threads[NTHREADS];
    pthread_barrier_init(&barrier, NULL, NTHREADS);
    alarm(LIMIT_S);
    for (uintptr_t i = 0; i < NTHREADS; i++)
        if (pthread_create(&threads[i], NULL, i % 2 == 0 ? profile : end,
                           (void *)i) != 0)
            _exit(1);
    for (int i = 0; i < NTHREADS; i++)
        pthread_join(threads[i], NULL);
    exit(0);
}

// start_again runs this program with a folder for its files, in which the
// environment says that it writes.
static void start_again(char *name) {
    char folder[] = "/tmp/mound-exits-XXXXXX";
    char path[sizeof folder + 20];
    if (mkdtemp(folder) == NULL)
        return;
    snprintf(path, sizeof path, "%s/profile", folder);
    setenv("MOUND_PROFILE", path, 1);
    snprintf(path, sizeof path, "%s/stats", folder);
    setenv("MOUND_STATS", path, 1);
    execl("/proc/self/exe", name, folder, (char *)NULL);
}

// take_files removes the files in the folder and returns how many there were.
static int take_files(const char *folder) {
    int n = 0;
    DIR *dir = opendir(folder);
    struct dirent *e;
    while (dir != NULL && (e = readdir(dir)) != NULL)
        n += unlinkat(dirfd(dir), e->d_name, 0) == 0;
    if (dir != NULL)
        closedir(dir);
    return n;
}

int main(int argc, char **argv) {
    if (argc < 2)
        start_again(argv[0]);
    for (int i = 0; i < NCHILDREN && argc == 2; i++) {
        pid_t pid = fork();
        if (pid == 0)
            run_child();
        int status = 1;
        waitpid(pid, &status, 0);
        int nfiles = take_files(argv[1]);
        if (status != 0 || nfiles != 2) {
            fprintf(stderr, "child %d: status %x, %d files\n", i,
                    (unsigned)status, nfiles);
            _exit(1);
        }
    }
    // Our own two go nowhere.
    rmdir(argc == 2 ? argv[1] : "");
    _exit(argc == 2 ? 0 : 1);
}
