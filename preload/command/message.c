// message.c: see message.h.
#include "message.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { LINE_BYTES = 2048 };

void message_error(const char *format, ...) {
    char line[LINE_BYTES];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(line, sizeof line, format, arguments);
    va_end(arguments);
    for (unsigned char *s = (unsigned char *)line; *s != '\0'; s++)
        if (*s < ' ' || *s == 0x7f)
            *s = '?';
    fflush(stdout);
    fprintf(stderr, "mound: %s\n", line);
}

bool message_flush(void) {
    if (fflush(stdout) == 0 && !ferror(stdout))
        return true;
    message_error("stdout: %s", strerror(errno != 0 ? errno : EIO));
    return false;
}

bool message_colours(FILE *f) {
    const char *no = getenv("NO_COLOR");
    const char *term = getenv("TERM");
    return (no == NULL || no[0] == '\0') && term != NULL &&
           strcmp(term, "dumb") != 0 && isatty(fileno(f));
}
