// export_http_none.c: stands in for export_http.c where there was no libmicrohttpd.
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
