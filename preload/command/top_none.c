// top_none.c: replaces top_screen.c in builds without ncursesw.
#include "message.h"
#include "top.h"
#include "verb.h"

int top_screen(enum top_key key, uint64_t interval_ns) {
    (void)key;
    (void)interval_ns;
    message_error("top: this mound was built without ncursesw; use --batch");
    return VERB_UNUSABLE;
}
