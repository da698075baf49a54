// export_http.c: mound export --listen, by libmicrohttpd, in one thread and with few
// connections at a time.
#include "export.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <microhttpd.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fleet.h"
#include "message.h"
#include "prof/summary.h"
#include "request.h"
#include "verb.h"

enum { CONNECTIONS = 32, IDLE_S = 10, PROFILE_MS = 10 * 1000 };

struct server {
    const struct export_address *address;
    bool classes;
};

static enum MHD_Result reply(struct MHD_Connection *c, unsigned status,
                             const char *type, struct MHD_Response *body) {
    if (body == NULL)
        return MHD_NO;
    MHD_add_response_header(body, MHD_HTTP_HEADER_CONTENT_TYPE, type);
    MHD_add_response_header(body, MHD_HTTP_HEADER_CACHE_CONTROL, "no-store");
    enum MHD_Result ret = MHD_queue_response(c, status, body);
    MHD_destroy_response(body);
    return ret;
}

static enum MHD_Result say(struct MHD_Connection *c, unsigned status,
                           const char *text) {
    return reply(c, status, "text/plain; charset=utf-8",
                 MHD_create_response_from_buffer(strlen(text), (void *)text,
                                                 MHD_RESPMEM_MUST_COPY));
}

// reply_fd sends a whole file and closes its descriptor.
static enum MHD_Result reply_fd(struct MHD_Connection *c, const char *type,
                                int fd) {
    struct stat st;
    if (fstat(fd, &st) != 0) {
        close(fd);
        return MHD_NO;
    }
    struct MHD_Response *body =
        MHD_create_response_from_fd64((uint64_t)st.st_size, fd);
    if (body == NULL)
        close(fd);
    return reply(c, MHD_HTTP_OK, type, body);
}

static enum MHD_Result metrics(struct MHD_Connection *c,
                               const struct server *s) {
    const char *accept =
        MHD_lookup_connection_value(c, MHD_HEADER_KIND, MHD_HTTP_HEADER_ACCEPT);
    bool strict = accept != NULL &&
                  strstr(accept, "application/openmetrics-text") != NULL;
    char *text = NULL;
    size_t n = 0;
    FILE *out = open_memstream(&text, &n);
    if (out == NULL)
        return MHD_NO;
    export_write(out, strict ? OPENMETRICS_STRICT : OPENMETRICS_PROMETHEUS,
                 s->classes);
    if (fclose(out) != 0) {
        free(text);
        return MHD_NO;
    }
    return reply(
        c, MHD_HTTP_OK,
        strict ? "application/openmetrics-text; version=1.0.0; charset=utf-8"
               : "text/plain; version=0.0.4; charset=utf-8",
        MHD_create_response_from_buffer(n, text, MHD_RESPMEM_MUST_FREE));
}

// refuse replies with the list of processes.
static enum MHD_Result refuse(struct MHD_Connection *c, const struct fleet *f) {
    char *text = NULL;
    size_t n = 0, nalive = 0;
    FILE *out = open_memstream(&text, &n);
    if (out == NULL)
        return MHD_NO;
    for (size_t i = 0; i < f->nships; i++) {
        const struct target *t = &f->ships[i].target;
        if (t->alive && nalive++ == 0)
            fprintf(out, "choose one:\n");
        if (t->alive)
            fprintf(out, "?pid=%d  %.*s\n", (int)t->pid, MOUND_PAGE_NAME_BYTES,
                    t->page.identity.program);
    }
    if (nalive == 0)
        fprintf(out, "no program has a page: start one by mound run\n");
    fclose(out);
    enum MHD_Result ret =
        say(c, nalive > 0 ? MHD_HTTP_BAD_REQUEST : MHD_HTTP_NOT_FOUND, text);
    free(text);
    return ret;
}

// choose returns the live process that ?pid= names, or the only one; or NULL.
static struct target *choose(struct MHD_Connection *c, struct fleet *f) {
    const char *pid =
        MHD_lookup_connection_value(c, MHD_GET_ARGUMENT_KIND, "pid");
    struct target *only = NULL;
    size_t nalive = 0;
    for (size_t i = 0; i < f->nships; i++)
        if (f->ships[i].target.alive) {
            only = &f->ships[i].target;
            nalive++;
        }
    if (pid == NULL)
        return nalive == 1 ? only : NULL;
    struct fleet_ship *s = fleet_find(f, (pid_t)atol(pid));
    return s != NULL ? &s->target : NULL;
}

static enum MHD_Result variables(struct MHD_Connection *c,
                                 const struct target *t) {
    int fd = memfd_create("vars", MFD_CLOEXEC);
    if (fd < 0)
        return MHD_NO;
    if (summary_write_json(&t->page, (int)t->pid, fd) != 0) {
        close(fd);
        return MHD_NO;
    }
    return reply_fd(c, "application/json; charset=utf-8", fd);
}

static enum MHD_Result profile(struct MHD_Connection *c, struct target *t) {
    if (t->page.stats.profile_rate == 0)
        return say(
            c, MHD_HTTP_SERVICE_UNAVAILABLE,
            "the process takes no samples: mound profile PID takes some, or "
            "MOUND_PROFILE_RATE\n");
    char *path = request_profile(t, MOUND_PAGE_PROFILE_WRITE, PROFILE_MS);
    int fd = path != NULL ? open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW) : -1;
    if (path != NULL)
        unlink(path);
    free(path);
    if (fd < 0)
        return say(c, MHD_HTTP_SERVICE_UNAVAILABLE,
                   "the process wrote no profile: it has no MOUND_CONTROL, or "
                   "does not allocate now\n");
    return reply_fd(c, "application/octet-stream", fd);
}

static enum MHD_Result of_one(struct MHD_Connection *c, const char *path) {
    struct fleet f = {0};
    fleet_read(&f, false);
    struct target *t = choose(c, &f);
    enum MHD_Result ret = t == NULL                          ? refuse(c, &f)
                          : strcmp(path, "/debug/vars") == 0 ? variables(c, t)
                                                             : profile(c, t);
    fleet_end(&f);
    return ret;
}

// is_local says whether the Host of a request is this machine. A web site could make its
// own name resolve to 127.0.0.1 and read what is served here (DNS rebinding).
static bool is_local(struct MHD_Connection *c) {
    const char *host =
        MHD_lookup_connection_value(c, MHD_HEADER_KIND, MHD_HTTP_HEADER_HOST);
    static const char *const names[] = {"localhost", "127.0.0.1", "[::1]"};
    if (host == NULL)
        return true;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        size_t n = strlen(names[i]);
        if (strncmp(host, names[i], n) == 0 &&
            (host[n] == '\0' || host[n] == ':'))
            return true;
    }
    return strncmp(host, "127.", 4) == 0 &&
           strspn(host, "0123456789.:") == strlen(host);
}

static enum MHD_Result answer(void *of, struct MHD_Connection *c,
                              const char *path, const char *method,
                              const char *version, const char *upload,
                              size_t *nupload, void **state) {
    static int begun;
    const struct server *s = of;
    (void)version;
    (void)upload;
    if (strcmp(method, MHD_HTTP_METHOD_GET) != 0 &&
        strcmp(method, MHD_HTTP_METHOD_HEAD) != 0)
        return *nupload == 0 ? say(c, MHD_HTTP_METHOD_NOT_ALLOWED, "only GET\n")
                             : MHD_NO;
    if (*state == NULL) { // the first call has the headers only
        *state = &begun;
        return MHD_YES;
    }
    if (s->address->loopback && !is_local(c))
        return say(c, MHD_HTTP_FORBIDDEN, "only for localhost\n");
    if (strcmp(path, "/metrics") == 0)
        return metrics(c, s);
    if (strcmp(path, "/debug/vars") == 0 ||
        strcmp(path, "/debug/pprof/heap") == 0)
        return of_one(c, path);
    return say(c, strcmp(path, "/") == 0 ? MHD_HTTP_OK : MHD_HTTP_NOT_FOUND,
               "/metrics\n/debug/vars\n/debug/pprof/heap\n");
}

// listener returns a socket that listens at an address, and the port, or -1 with errno.
// libmicrohttpd would set errno to unrelated errors if it failed to listen itself.
static int listener(const struct export_address *address, unsigned *ret_port) {
    int on = 1;
    union {
        struct sockaddr any;
        struct sockaddr_in v4;
        struct sockaddr_in6 v6;
    } own;
    socklen_t nbytes = sizeof own;
    bool v6 = address->any.sa_family == AF_INET6;
    int fd = socket(address->any.sa_family,
                    SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -1;
    if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) != 0 ||
        (v6 &&
         setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on) != 0) ||
        bind(fd, &address->any, address->nbytes) != 0 ||
        listen(fd, SOMAXCONN) != 0 || getsockname(fd, &own.any, &nbytes) != 0) {
        int error = errno;
        close(fd);
        errno = error;
        return -1;
    }
    *ret_port = ntohs(v6 ? own.v6.sin6_port : own.v4.sin_port);
    return fd;
}

int export_listen(const struct export_address *address, const char *text,
                  bool classes) {
    const struct server s = {address, classes};
    sigset_t end;
    int sig, fd;
    unsigned port = 0;
    sigemptyset(&end);
    sigaddset(&end, SIGINT);
    sigaddset(&end, SIGTERM);
    sigaddset(&end, SIGHUP);
    sigprocmask(SIG_BLOCK, &end, NULL); // the server's thread inherits it
    signal(SIGPIPE, SIG_IGN);
    fd = listener(address, &port);
    if (fd < 0) {
        message_error("--listen %s: %s", text, strerror(errno));
        return VERB_UNUSABLE;
    }
    int v6 = address->any.sa_family == AF_INET6 ? MHD_USE_IPv6 : 0;
    struct MHD_Daemon *daemon = MHD_start_daemon(
        (unsigned)(MHD_USE_AUTO_INTERNAL_THREAD | v6), 0, NULL, NULL, answer,
        (void *)&s, MHD_OPTION_LISTEN_SOCKET, fd, MHD_OPTION_CONNECTION_LIMIT,
        (unsigned)CONNECTIONS, MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)IDLE_S,
        MHD_OPTION_END);
    if (daemon == NULL) {
        message_error("--listen %s: libmicrohttpd does not start", text);
        return VERB_UNUSABLE;
    }
    const char *colon = strrchr(text, ':');
    int nhost = colon != NULL ? (int)(colon - text) : 0;
    printf("http://%.*s:%u/metrics\n", nhost > 0 ? nhost : 9,
           nhost > 0 ? text : "127.0.0.1", port);
    fflush(stdout);
    sigwait(&end, &sig);
    MHD_stop_daemon(daemon);
    return VERB_DONE;
}
