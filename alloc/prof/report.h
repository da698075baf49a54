// report.h: prints reports of misuse of the heap.
#ifndef MOUND_PROF_REPORT_H
#define MOUND_PROF_REPORT_H

#include "heap/mheap.h"

enum misuse {
    MISUSE_NONE,
    MISUSE_DOUBLE_FREE, // the slot is free
    MISUSE_INTERIOR,    // inside an object or between two
    MISUSE_FREED_SPAN,  // in pages that were once an object's
    MISUSE_FOREIGN,     // never handed out
    MISUSE_SIZE,        // another size than was requested
    MISUSE_OVERFLOW,    // bytes past its end were written
    MISUSE_UNDERFLOW,   // bytes before its beginning were written
    MISUSE_BROKEN,      // both
    MISUSE_WRITTEN,     // written after it was freed
};

enum report_action { REPORT_ABORT, REPORT_GO_ON, REPORT_IGNORE };

// report_set_action says what a report does; at first it aborts.
void report_set_action(enum report_action action);

// report_set_describe sets the function that prints where an object was
// allocated and freed, if that is known.
struct print;
void report_set_describe(void (*describe)(struct print *out, const void *p));

// report_begin says whether reports are enabled, and report_end ends the
// process if they abort: for callers that write a report of their own.
bool report_begin(void);
void report_end(void);

// struct report is what is known of a misuse.
struct report {
    const char *call;
    enum misuse misuse;
    const void *p;     // what was misused
    const void *block; // where its slot begins, for describe; NULL: at p
    size_t given;      // of a sized free; or the byte that was written since
    size_t size;       // of the object, as requested
    size_t nbytes;     // written past its end, or before its beginning
    bool goes_on;      // harmless: the process continues
};

// report_block writes to descriptor 2 one line and the stack of the call:
//
//   mound: CALL(): WHAT: 0xPTR (span 0xBASE, class N of SIZE bytes, slot S,
//   offset O)
//       #0 0xPC MODULE+0xOFFSET
//
// and then aborts, or returns. report_misuse is for what is
// no object, or not known to have a size; size is that of a sized free. Takes mheap.lock
// if its thread may; never a lock that its own thread holds half way through a
// change.
void report_block(struct mheap *h, const struct report *r);
void report_misuse(struct mheap *h, const char *call, enum misuse misuse,
                   const void *p, size_t size);

#endif // MOUND_PROF_REPORT_H
