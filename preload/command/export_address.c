// export_address.c: see export.h.
#include "export.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

static bool read_port(const char *text, in_port_t *ret) {
    char *end;
    if (text[0] < '0' || text[0] > '9')
        return false;
    unsigned long port = strtoul(text, &end, 10);
    *ret = htons((in_port_t)port);
    return *end == '\0' && port <= 65535;
}

bool export_address_read(const char *text, struct export_address *ret) {
    char host[64] = "127.0.0.1";
    const char *port = strrchr(text, ':');
    *ret = (struct export_address){0};
    if (port == NULL) {
        port = text;
    } else {
        size_t n = (size_t)(port - text);
        if (n >= sizeof host)
            return false;
        if (n >= 2 && text[0] == '[' && text[n - 1] == ']') {
            text++;
            n -= 2;
        } else if (memchr(text, ':', n) != NULL) {
            return false; // an IPv6 address without brackets
        }
        if (n > 0) {
            memcpy(host, text, n);
            host[n] = '\0';
        }
        port++;
    }
    if (strcmp(host, "localhost") == 0)
        strcpy(host, "127.0.0.1");
    struct sockaddr_in *v4 = (struct sockaddr_in *)&ret->room;
    struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)&ret->room;
    if (inet_pton(AF_INET, host, &v4->sin_addr) == 1) {
        v4->sin_family = AF_INET;
        ret->nbytes = sizeof *v4;
        ret->loopback = ntohl(v4->sin_addr.s_addr) >> 24 == IN_LOOPBACKNET;
        return read_port(port, &v4->sin_port);
    }
    if (inet_pton(AF_INET6, host, &v6->sin6_addr) == 1) {
        v6->sin6_family = AF_INET6;
        ret->nbytes = sizeof *v6;
        ret->loopback = IN6_IS_ADDR_LOOPBACK(&v6->sin6_addr);
        return read_port(port, &v6->sin6_port);
    }
    return false;
}
