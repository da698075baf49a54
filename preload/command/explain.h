// explain.h: one sentence that explains the figures of a page, and a remedy.
#ifndef MOUND_COMMAND_EXPLAIN_H
#define MOUND_COMMAND_EXPLAIN_H

#include "target.h"

struct explain_text {
    char s[512];
};

// explain names the largest unexpected part of the RSS. before is an earlier reading of
// the same process, or NULL: growth is then unknown.
struct explain_text explain(const struct target *t,
                            const struct mound_page *before);

#endif // MOUND_COMMAND_EXPLAIN_H
