// verb_report.c: mound report, which makes an HTML page from the file of mound record.
#include <argp.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "flame.h"
#include "message.h"
#include "output.h"
#include "record.h"
#include "verb.h"

struct options {
    const char *file;
    const char *output;
};

static error_t parse(int key, char *value, struct argp_state *state) {
    struct options *o = state->input;
    switch (key) {
    case 'o':
        o->output = value;
        return 0;
    case ARGP_KEY_ARG:
        if (state->arg_num > 0)
            argp_error(state, "give one file");
        o->file = value;
        return 0;
    }
    return ARGP_ERR_UNKNOWN;
}

int verb_report(int argc, char **argv) {
    static const struct argp_option options[] = {
        {.name = "output",
         .key = 'o',
         .arg = "FILE",
         .doc = "Write the page to FILE instead of stdout"},
        {0}};
    static const struct argp argp = {
        .options = options,
        .parser = parse,
        .args_doc = "[FILE]",
        .doc = "Makes an HTML page of what mound record wrote to FILE "
               "(default: " RECORD_FILE
               "): memory over time, which functions allocated it, size "
               "classes. The page is one file, which works offline.\vExit "
               "status: 0 done, 2 failed."};
    struct options o = {.file = RECORD_FILE, .output = "-"};
    struct bytes lines = {0}, page = {0};
    argp_parse(&argp, argc, argv, 0, NULL, &o);
    if (o.output[0] == '-' && o.output[1] == '\0' && isatty(STDOUT_FILENO)) {
        message_error("stdout is a terminal; write the page to a file: mound "
                      "report > page.html");
        return VERB_UNUSABLE;
    }
    if (!record_read(o.file, &lines))
        return VERB_UNUSABLE;
    flame_page(&page, &lines);
    bool ok = output_write(o.output, page.at, page.n);
    bytes_free(&lines);
    bytes_free(&page);
    return ok ? VERB_DONE : VERB_UNUSABLE;
}
