// options.h: the environment variables, read once into one constant struct.
// preload/README.md documents each variable.
#ifndef MOUND_OPTIONS_H
#define MOUND_OPTIONS_H

#include "heap/mheap.h"
#include "os/unwind.h"
#include "out/outname.h"
#include "prof/report.h"
#include "runtime/statsvalue.h"

enum watch_mode { WATCH_OFF, WATCH_ON, WATCH_KEEP };

struct options {
    enum stats_mode stats;
    int stats_fd;       // with STATS_FD
    bool stats_classes; // with the table of classes
    bool stats_json;
    int stats_signal;       // that writes them; 0: none
    uint64_t stats_on;      // bit n - 1: before signal n ends the process, too
    uint64_t profile_rate;  // mean bytes between samples; 0: off
    uint64_t profile_every; // bytes of growth between files; 0: none
    int profile_signal;     // the signal that writes one; 0: none
    bool profile_peak;      // also one of the moment with the most in use
    unsigned profile_percent; // of memlimit, at which one is written; 0: none
    enum unwind_mode unwind;
    bool unwind_asked; // MOUND_UNWIND is set: reports have such stacks too
    uint64_t guard;    // one in this many samples is guarded; 0: none
    unsigned hardened; // 0, 1 or 2
    enum report_action misuse;
    bool off;
    bool keep_deepbind;
    enum thp_mode thp;
    uint64_t half_life_ns; // see struct mheap
    bool help_always;
    bool trace_scav;
    bool names;   // of mappings
    bool control; // requests from outside are answered
    enum watch_mode watch;
    uint64_t memlimit;        // bytes; 0: none
    const char *stats_path;   // absolute, before %-expansion
    const char *profile_path; // likewise; empty: no profile
};

extern const struct options *const options;

// options_write_stats says whether statistics may be written, at the end or earlier.
static inline bool options_write_stats(const struct options *o) {
    return o->stats != STATS_OFF || o->stats_signal != 0 || o->stats_on != 0;
}

// options_read fills *options from the environment envp or, if that is NULL, from
// /proc/self/environ. For each malformed variable it writes one line to descriptor 2
// and uses the default. It does not allocate. Called once.
void options_read(char **envp);

#endif // MOUND_OPTIONS_H
