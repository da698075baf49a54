// message.h: messages to the user beside the output: one line each, on stderr.
#ifndef MOUND_COMMAND_MESSAGE_H
#define MOUND_COMMAND_MESSAGE_H

#include <stdbool.h>
#include <stdio.h>

// message_error prints "mound: ", the text as printf formats it, and a newline. Name the
// thing first and end in strerror(errno) if there is one: "/tmp/x: No such file or
// directory". Control characters are printed as '?'.
void message_error(const char *format, ...)
    __attribute__((format(printf, 1, 2)));

// message_flush flushes stdout; false after a complaint: not all of it was written.
// Called at the end of a verb, because only then a full disk is detected.
bool message_flush(void);

// message_colours says whether f may have colours: a terminal that is not dumb, and
// NO_COLOR is not set.
bool message_colours(FILE *f);

#endif // MOUND_COMMAND_MESSAGE_H
