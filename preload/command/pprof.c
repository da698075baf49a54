// pprof.c: see pprof.h.
#include "pprof.h"

#include <stdlib.h>

const char *pprof_text(const struct pprof *p, uint32_t string) {
    return p->strings.texts[string];
}

void pprof_free(struct pprof *p) {
    intern_free(&p->strings);
    free(p->mappings);
    free(p->functions);
    free(p->lines);
    free(p->locations);
    free(p->samples);
    free(p->stack);
    *p = (struct pprof){0};
}
