// explain.h: one sentence that follows from the figures of a page, and what can be done.
#ifndef MOUND_COMMAND_EXPLAIN_H
#define MOUND_COMMAND_EXPLAIN_H

#include "target.h"

struct explain_text {
    char s[512];
};

// explain says what the largest part of the RSS is that somebody may not expect. before
// is an earlier reading of the same process, or NULL: what grows is then not known.
struct explain_text explain(const struct target *t,
                            const struct mound_page *before);

#endif // MOUND_COMMAND_EXPLAIN_H
