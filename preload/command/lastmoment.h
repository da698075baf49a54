// lastmoment.h: the figures of a process in its last moment, of which the counts of pages
// are exact and the others as old as the last publication.
#ifndef MOUND_COMMAND_LASTMOMENT_H
#define MOUND_COMMAND_LASTMOMENT_H

#include <stdint.h>

struct mound_page;

// lastmoment_bring_up takes page->stats to page->now and returns by how many bytes of pages
// in spans that differs; 0, and nothing is changed, if it is less than 1/64 of them. What
// came since the publication counts as live objects with memory; what went, likewise.
int64_t lastmoment_bring_up(struct mound_page *page);

// lastmoment_text says so in a line; "" for 0.
struct lastmoment_text {
    char s[160];
};
struct lastmoment_text lastmoment_text(int64_t differs);

#endif // MOUND_COMMAND_LASTMOMENT_H
