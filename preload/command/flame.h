// flame.h: the HTML page that shows stacks as a flame graph, and memory over time. It is
// one file that loads nothing. Its data is a list of objects in JSON, described in
// preload/profiles.md; page/ has the code.
#ifndef MOUND_COMMAND_FLAME_H
#define MOUND_COMMAND_FLAME_H

#include "calltree.h"
#include "store.h"

// flame_head adds an object with a title and n lines below it.
void flame_head(struct bytes *out, const char *title, const char *const *facts,
                size_t n);

// flame_profile adds an object with a finished tree. Stacks too thin to be visible are
// left out, so that it has at most 30 000 nodes.
//
// name    distinguishes it from others on the page
// about   a line of description
// seconds since the start, its place in the series; less than 0: none
// is_diff the tree is a difference
void flame_profile(struct bytes *out, const struct calltree *t,
                   const char *name, const char *about, double seconds,
                   bool is_diff);

// flame_page writes the page of such objects, each ends in a newline.
void flame_page(struct bytes *out, const struct bytes *objects);

#endif // MOUND_COMMAND_FLAME_H
