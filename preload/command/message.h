// message.h: what the command says to the user beside its output: one line on stderr.
#ifndef MOUND_COMMAND_MESSAGE_H
#define MOUND_COMMAND_MESSAGE_H

#include <stdbool.h>
#include <stdio.h>

// message_error prints "mound: " and the text, as printf does, and a newline. Name the
// thing first and end in strerror(errno) where there is one: "/tmp/x: No such file or
// directory". Bytes that a terminal would obey are printed as '?'.
void message_error(const char *format, ...)
    __attribute__((format(printf, 1, 2)));

// message_flush flushes stdout; false, after a complaint: not all of it was written.
// For the end of a verb, as a full disk is found out then.
bool message_flush(void);

// message_colours says whether f may have colours: a terminal that is not dumb, and
// NO_COLOR is not set.
bool message_colours(FILE *f);

#endif // MOUND_COMMAND_MESSAGE_H
