// heapread.h: what the record of the heap has beside the counters, out of any memory that
// can be read: how much records take, options, and which addresses are mound's.
#ifndef MOUND_COMMAND_HEAPREAD_H
#define MOUND_COMMAND_HEAPREAD_H

#include "counters.h"
#include "library.h"
#include "mound_page.h"

// heapread fills in what it finds, of a library that is loaded at a distance of bias from
// where it was linked; of a version that does not say where something is, nothing.
void heapread(const struct memory *m, const struct library *library,
              uint64_t bias, struct mound_page *page);

// heapread_mode returns the mode in the words of a page, MOUND_PAGE_SERVES where it is
// not known; MOUND_PAGE_SANITIZER stands for any runtime that serves in mound's place.
uint32_t heapread_mode(const struct memory *m, const struct library *library,
                       uint64_t bias);

#endif // MOUND_COMMAND_HEAPREAD_H
