// top.h: the parts of verb top: the text of the list of programs, and the screen.
#ifndef MOUND_COMMAND_TOP_H
#define MOUND_COMMAND_TOP_H

#include <stddef.h>
#include <stdint.h>

#include "fleet.h"

enum top_key {
    TOP_RSS,
    TOP_LIVE,
    TOP_HOLES,
    TOP_IDLE,
    TOP_RATE,
    TOP_PID,
    TOP_PROGRAM,
    TOP_KEYS,
};

enum { TOP_LINE_BYTES = 512 };

// top_key_name is the name of a key for --sort; top_key_read finds the key, or returns
// TOP_KEYS.
const char *top_key_name(enum top_key key);
enum top_key top_key_read(const char *name);

// top_sort sorts by key: sizes and rates downwards, others upwards, ended programs last.
void top_sort(struct fleet *f, enum top_key key);

// top_total writes one line about all of them, top_head the column heads with that of key
// in brackets, top_row a program. width is that of the terminal: it determines the
// columns, and no line is longer.
void top_total(const struct fleet *f, int width, char ret[TOP_LINE_BYTES]);
void top_head(enum top_key key, int width, char ret[TOP_LINE_BYTES]);
void top_row(const struct fleet_ship *s, int width, char ret[TOP_LINE_BYTES]);

// top_screen shows the list until q or a signal, and returns an exit status. It leaves
// the terminal as it found it. interval_ns: between readings.
int top_screen(enum top_key key, uint64_t interval_ns);

#endif // MOUND_COMMAND_TOP_H
