// pprof.h: heap profiles in pprof's format: gzip of profile.proto, as mound
// (alloc/prof/mprof_pprof.c), Go and others write them.
#ifndef MOUND_COMMAND_PPROF_H
#define MOUND_COMMAND_PPROF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "store.h"

// The values of each stack, in the order in which they are shown.
enum pprof_value {
    PPROF_INUSE_SPACE, // bytes
    PPROF_INUSE_OBJECTS,
    PPROF_ALLOC_SPACE, // bytes
    PPROF_ALLOC_OBJECTS,
    PPROF_VALUES,
};

// In the following structs, texts are numbers in strings; mappings, functions and
// locations are numbers in their arrays.
enum { PPROF_NONE = UINT32_MAX };

struct pprof_mapping {
    uint64_t id; // in the file
    uint64_t start;
    uint64_t limit;
    uint64_t offset;
    uint32_t file;
    uint32_t build_id;
    bool named; // its locations have functions already, if it has any
    bool has_lines;
    bool has_inline;
};

struct pprof_function {
    uint64_t id;
    uint32_t name;
    uint32_t system_name; // as the linker knows it
    uint32_t file;        // of the source, or of the program
};

// struct pprof_line is a function at a location. The innermost comes first; all but the
// last are inlined.
struct pprof_line {
    uint32_t function;
    int64_t line; // 0: not known
};

struct pprof_location {
    uint64_t id;
    uint64_t address;
    uint32_t mapping;    // or PPROF_NONE
    uint32_t first_line; // in lines
    uint32_t nlines;
};

struct pprof_sample {
    uint32_t first; // in stack: numbers of locations, the innermost first
    uint32_t n;
    uint64_t size; // of an object; 0: not known
    int64_t values[PPROF_VALUES];
};

struct pprof {
    struct intern strings;
    struct pprof_mapping *mappings;
    struct pprof_function *functions;
    struct pprof_line *lines;
    struct pprof_location *locations;
    struct pprof_sample *samples;
    uint32_t *stack;
    size_t nmappings, nfunctions, nlines, nlocations, nsamples, nstack;
    size_t mappings_max, functions_max, lines_max, locations_max, samples_max,
        stack_max;
    uint64_t time_ns; // when sampling started, since 1970; 0: not known
    uint64_t duration_ns;
    uint64_t rate;        // mean bytes between samples
    uint32_t drop_frames; // a regular expression, for other programs
    bool has_alloc_values;
};

// pprof_write writes the bytes of a file.
void pprof_write(const struct pprof *p, struct bytes *ret);

// pprof_subtract subtracts the values of base from those of the same stacks in p. Stacks
// that only base has get negative values. Locations are the same if their mappings and
// addresses are.
void pprof_subtract(struct pprof *p, const struct pprof *base);

const char *pprof_text(const struct pprof *p, uint32_t string);
void pprof_free(struct pprof *p);

#endif // MOUND_COMMAND_PPROF_H
