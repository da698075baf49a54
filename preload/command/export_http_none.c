// export_http_none.c: replaces export_http.c in builds without libmicrohttpd.
#include "export.h"
#include "message.h"
#include "verb.h"

int export_listen(const struct export_address *address, const char *text,
                  bool classes) {
    (void)address;
    (void)classes;
    message_error("--listen %s: this mound was built without libmicrohttpd; "
                  "use --textfile",
                  text);
    return VERB_UNUSABLE;
}
