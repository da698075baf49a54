// doctor_options.c: finds the variables MOUND_... that the library would complain about:
// runs the library's own parser in a child whose standard error is a pipe.
#include "doctor.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "runtime/options.h"

// said prints a complaint of the library, "mound: NAME=VALUE: WHY".
static void said(struct doctor *d, char *line) {
    static const char mound[] = "mound: ", otherwise[] = "; using the default";
    line[strcspn(line, "\n")] = '\0';
    if (strncmp(line, mound, sizeof mound - 1) == 0)
        line += sizeof mound - 1;
    char *end = strstr(line, otherwise);
    if (end != NULL)
        *end = '\0';
    if (*line != '\0')
        doctor_found(d, "%s: correct it; until then it has no effect", line);
}

void doctor_options(struct doctor *d, char *const *environment) {
    int ends[2];
    if (environment == NULL || pipe2(ends, O_CLOEXEC) != 0)
        return;
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        dup2(ends[1], 2);
        options_read((char **)environment);
        _exit(0);
    }
    close(ends[1]);
    FILE *lines = fdopen(ends[0], "r");
    char *line = NULL;
    size_t room = 0;
    while (lines != NULL && getline(&line, &room, lines) > 0)
        said(d, line);
    free(line);
    if (lines != NULL)
        fclose(lines);
    while (child > 0 && waitpid(child, NULL, 0) < 0 && errno == EINTR)
        ;
    const char *off = doctor_proc_variable(environment, "MOUND_OFF");
    if (off != NULL && strcmp(off, "1") == 0)
        doctor_found(d, "MOUND_OFF=1: the C library serves malloc: unset it");
}
