// verb_clean.c: mound clean, which removes the files that killed processes left.
#include <argp.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "message.h"
#include "pages.h"
#include "units.h"
#include "verb.h"

struct cleaned {
    struct pages_removed sum;
    bool failed;
};

static bool clean(const struct pages_entry *entry, void *argument) {
    struct cleaned *c = argument;
    if (entry->pid != 0 || entry->elsewhere)
        return true;
    int e = pages_remove(entry, &c->sum);
    if (e != 0) {
        message_error("%s: %s", entry->path, strerror(e));
        c->failed = true;
    }
    return true;
}

static error_t parse(int key, char *value, struct argp_state *state) {
    (void)value;
    if (key == ARGP_KEY_ARG)
        argp_error(state, "this verb takes no arguments");
    return key == ARGP_KEY_ARG ? 0 : ARGP_ERR_UNKNOWN;
}

int verb_clean(int argc, char **argv) {
    static const struct argp argp = {
        .parser = parse,
        .doc = "Removes the pages of processes that have ended, unfinished "
               "ones too, and the profiles beside them: those of the user, or, "
               "for root, of all users."
               "\vExit status: 0 done, 2 something could not be removed."};
    struct cleaned c = {0};
    argp_parse(&argp, argc, argv, 0, NULL, NULL);
    pages_each(clean, &c);
    pages_each_unfinished(clean, &c);
    printf("removed %" PRIu64 " page%s and %" PRIu64 " profile%s: %s\n",
           c.sum.npages, c.sum.npages == 1 ? "" : "s", c.sum.nprofiles,
           c.sum.nprofiles == 1 ? "" : "s", units_bytes(c.sum.nbytes).s);
    return c.failed ? VERB_UNUSABLE : VERB_DONE;
}
