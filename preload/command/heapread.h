// heapread.h: reads the heap's other data, beside the counters, from any memory: the size
// of metadata, options, and mound's address ranges.
#ifndef MOUND_COMMAND_HEAPREAD_H
#define MOUND_COMMAND_HEAPREAD_H

#include "counters.h"
#include "library.h"
#include "mound_page.h"

// heapread fills in what it finds for a library that is loaded at its link address plus
// bias. A version that does not say where a figure is leaves it unchanged.
void heapread(const struct memory *m, const struct library *library,
              uint64_t bias, struct mound_page *page);

// heapread_mode returns the mode as a page has it, MOUND_PAGE_SERVES if it is not known;
// MOUND_PAGE_SANITIZER means any runtime that serves instead of mound.
uint32_t heapread_mode(const struct memory *m, const struct library *library,
                       uint64_t bias);

#endif // MOUND_COMMAND_HEAPREAD_H
