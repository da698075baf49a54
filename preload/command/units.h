// units.h: formats numbers for people, and parses them.
#ifndef MOUND_COMMAND_UNITS_H
#define MOUND_COMMAND_UNITS_H

#include <stdbool.h>
#include <stdint.h>

// struct units_text has room for the text of any number.
struct units_text {
    char s[24];
};

// units_bytes: "0 B", "512 B", "1.5 KiB", "12.3 MiB", "1.2 GiB".
struct units_text units_bytes(uint64_t nbytes);

// units_change: the same with a sign, "+1.5 MiB" or "-12.3 MiB"; "0 B" has none.
struct units_text units_change(int64_t nbytes);

// units_count: "999", "12.3 k", "4.5 M", "1.2 G".
struct units_text units_count(double n);

// units_duration: "350 ms", "12.3 s", "4 min 30 s", "2 h 5 min", "3 d 4 h".
struct units_text units_duration(uint64_t ns);

// units_read_bytes reads "4096", "512KiB", "64 MiB", "1.5G"; units_read_duration reads
// "30s", "500ms", "5m", "1h", "30" (seconds). False: no such number, or too large.
bool units_read_bytes(const char *text, uint64_t *ret);
bool units_read_duration(const char *text, uint64_t *ret_ns);

#endif // MOUND_COMMAND_UNITS_H
