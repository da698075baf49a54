// flame.h: the page in HTML that shows stacks as a flame graph, and how memory
// developed. It is one file that loads nothing. What it shows is a list of objects in
// JSON, which preload/profiles.md describes; page/ has the code that does.
#ifndef MOUND_COMMAND_FLAME_H
#define MOUND_COMMAND_FLAME_H

#include "calltree.h"
#include "store.h"

// flame_head adds an object with a title and n lines below it.
void flame_head(struct bytes *out, const char *title, const char *const *facts,
                size_t n);

// flame_profile adds an object with a tree that is finished. Stacks too thin to be seen
// are left out, so that it has at most 30 000 nodes.
//
// name    what distinguishes it from others on the page
// about   a line for people
// seconds since the start, a place in the series; less than 0: none
// is_diff the tree is a difference
void flame_profile(struct bytes *out, const struct calltree *t,
                   const char *name, const char *about, double seconds,
                   bool is_diff);

// flame_page writes the page of such objects, each ends in a newline.
void flame_page(struct bytes *out, const struct bytes *objects);

#endif // MOUND_COMMAND_FLAME_H
