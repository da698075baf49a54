// lastmoment.h: the figures of a process at its end: counts of pages are exact, the
// others are as old as the last publication.
#ifndef MOUND_COMMAND_LASTMOMENT_H
#define MOUND_COMMAND_LASTMOMENT_H

#include <stdint.h>

struct mound_page;

// lastmoment_bring_up updates page->stats to page->now and returns the difference in
// bytes of pages in spans, or 0, with nothing changed, if it is less than 1/64 of them.
// The difference counts as live objects with memory.
int64_t lastmoment_bring_up(struct mound_page *page);

// lastmoment_text describes the difference in a line; "" for 0.
struct lastmoment_text {
    char s[160];
};
struct lastmoment_text lastmoment_text(int64_t differs);

#endif // MOUND_COMMAND_LASTMOMENT_H
