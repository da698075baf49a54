// export.h: the parts of verb export.
#ifndef MOUND_COMMAND_EXPORT_H
#define MOUND_COMMAND_EXPORT_H

#include <stdbool.h>
#include <stdio.h>
#include <sys/socket.h>

#include "openmetrics.h"

// struct export_address is a place to listen on.
struct export_address {
    union {
        struct sockaddr any;
        struct sockaddr_storage room;
    };
    socklen_t nbytes;
    bool loopback;
};

// export_address_read reads "9100", ":9100", "127.0.0.1:9100", "localhost:9100",
// "[::1]:9100" or "0.0.0.0:9100"; without a host it is 127.0.0.1. False: it is none.
bool export_address_read(const char *text, struct export_address *ret);

// export_write writes all pages of this user to out.
void export_write(FILE *out, enum openmetrics_form form, bool classes);

// export_listen serves until SIGINT or SIGTERM, and returns an exit status.
int export_listen(const struct export_address *address, const char *text,
                  bool classes);

#endif // MOUND_COMMAND_EXPORT_H
