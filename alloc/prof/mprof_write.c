// mprof_write.c: see mprof_write.h. Here the text of gperftools; the other form
// is in mprof_pprof.c.
//
// All large data is static, since this may run in a signal handler on a small
// stack.
#include "prof/mprof_write.h"

#include <errno.h>
#include <string.h>

#include "base/str.h"
#include "base/turn.h"
#include "prof/mprof_pprof.h"
#include "prof/peak.h"
#include "prof/sample.h"

enum { DIGITS = 24 }; // of a number of 64 bits, and a few characters

// The address written for a stack without addresses: google-pprof skips lines
// that have none. No code is there, and it is not negative: near 0 google-pprof
// finds some symbol, and at the very top it counts the line in the total only.
static const uintptr_t NO_STACK = INTPTR_MAX;

static void put_str(struct gzip *file, const char *s) {
    gzip_write(file, s, str_len(s));
}

static void put_decimal(struct gzip *file, uint64_t n) {
    char digits[DIGITS];
    size_t at = DIGITS;
    do {
        digits[--at] = (char)('0' + n % 10);
        n /= 10;
    } while (n > 0);
    gzip_write(file, digits + at, DIGITS - at);
}

static void put_hex(struct gzip *file, uint64_t n) {
    char digits[DIGITS];
    size_t at = DIGITS;
    do {
        digits[--at] = "0123456789abcdef"[n & 15];
        n >>= 4;
    } while (n > 0);
    gzip_write(file, digits + at, DIGITS - at);
}

static void put_address(struct gzip *file, uintptr_t pc) {
    put_str(file, " 0x");
    put_hex(file, pc);
}

// put_counts prints "in-use objects: bytes [allocated objects: bytes] @".
static void put_counts(struct gzip *file, struct mprof_counts objects,
                       struct mprof_counts bytes, const char *before_allocs) {
    put_decimal(file, objects.ninuse);
    put_str(file, ": ");
    put_decimal(file, bytes.ninuse);
    put_str(file, " [");
    put_str(file, before_allocs);
    put_decimal(file, objects.nallocs);
    put_str(file, ": ");
    put_decimal(file, bytes.nallocs);
    put_str(file, "] @");
}

// as_sampled returns a bucket's counts as they would be at the rate that the header
// names, by which readers scale all of them.
static struct mprof_counts as_sampled(const struct mprof_output *out,
                                      const struct mbucket *b) {
    struct mprof_counts n = mprof_output_counts(out, b);
    if (b->rate == out->rate)
        return n;
    double factor =
        sample_chance(b->size, out->rate) / sample_chance(b->size, b->rate);
    n.nallocs = (uint64_t)((double)n.nallocs * factor + 0.5);
    n.ninuse = (uint64_t)((double)n.ninuse * factor + 0.5);
    return n;
}

static struct mprof_counts bytes_of(struct mprof_counts objects, size_t size) {
    return (struct mprof_counts){objects.nallocs * size, objects.ninuse * size};
}

// write_header writes the sums. If both pairs have the same text, pprof assumes
// that allocations were not counted and names its two types differently: a
// profile would change its types with its first free. So one of them then has a
// leading 0, which no reader takes for another number.
static void write_header(struct mprof_output *out) {
    struct mprof_counts objects = {0, 0};
    struct mprof_counts bytes = {0, 0};
    for (const struct mbucket *b = out->newest; b != NULL; b = b->older) {
        struct mprof_counts n = as_sampled(out, b);
        objects.nallocs += n.nallocs;
        objects.ninuse += n.ninuse;
        bytes.nallocs += n.nallocs * b->size;
        bytes.ninuse += n.ninuse * b->size;
    }
    put_str(&out->file, "heap profile: ");
    put_counts(&out->file, objects, bytes,
               objects.nallocs == objects.ninuse ? "0" : "");
    if (out->rate <= 1) { // google-pprof would scale heap_v2/1
        put_str(&out->file, " heapprofile\n");
        return;
    }
    put_str(&out->file, " heap_v2/");
    put_decimal(&out->file, out->rate);
    put_str(&out->file, "\n");
}

// Images that are gone.
//
// Readers of the text find the library of an address by the list of mappings. So the
// addresses of an image that is in none of these are moved to where no program has
// memory, by its number in the high bits, and the list has the image there too.

enum { IMAGE_SHIFT = 48 };

// One writer at a time: see mprof_write.
static bool image_is_there[IMAGES_MAX + 1];

static void find_images_there(struct mprof_output *out) {
    struct mapping m;
    memset(image_is_there, 0, sizeof image_is_there);
    if (out->newest_image == NULL)
        return;
    mappings_open(&out->list);
    while (mappings_next(&out->list, &m))
        for (const struct image *i = out->newest_image; i != NULL; i = i->older)
            if (image_is_at(i, &m))
                image_is_there[i->number] = true;
    mappings_close(&out->list);
}

static uintptr_t moved(uint16_t image, uintptr_t addr) {
    return image == 0 || image_is_there[image]
               ? addr
               : addr | (uintptr_t)image << IMAGE_SHIFT;
}

// write_images writes lines as the kernel does.
static void write_images(struct mprof_output *out) {
    for (const struct image *i = out->newest_image; i != NULL; i = i->older) {
        if (image_is_there[i->number])
            continue;
        put_hex(&out->file, moved(i->number, i->code.start));
        put_str(&out->file, "-");
        put_hex(&out->file, moved(i->number, i->code.limit));
        put_str(&out->file, " r-xp ");
        put_hex(&out->file, i->code.offset);
        put_str(&out->file, " 00:00 0 ");
        put_str(&out->file, i->name);
        put_str(&out->file, "\n");
    }
}

static void write_bucket(struct mprof_output *out, const struct mbucket *b) {
    struct mprof_counts objects = as_sampled(out, b);
    if (objects.nallocs == 0)
        return;
    put_counts(&out->file, objects, bytes_of(objects, b->size), "");
    for (uint32_t i = 0; i < b->npcs; i++)
        put_address(&out->file, moved(mbucket_image(b, i), b->pcs[i]));
    if (b->npcs == 0)
        put_address(&out->file, NO_STACK);
    put_str(&out->file, "\n");
}

static void write_mappings(struct mprof_output *out) {
    const char *text;
    size_t n;
    put_str(&out->file, "\nMAPPED_LIBRARIES:\n");
    mappings_open(&out->list);
    while ((n = mappings_next_text(&out->list, &text)) > 0)
        gzip_write(&out->file, text, n);
    mappings_close(&out->list);
    write_images(out);
}

// write_heap_v2 needs no memory: it reads the counters twice instead of storing
// them, so its first line may be older than the others.
static int write_heap_v2(struct mprof_output *out, int fd) {
    find_images_there(out);
    gzip_start(&out->file, fd, GZIP_PLAIN);
    write_header(out);
    for (const struct mbucket *b = out->newest; b != NULL; b = b->older)
        write_bucket(out, b);
    write_mappings(out);
    return gzip_end(&out->file);
}

// write_output writes a profile as of now, or as of the peak of with_peak.
static int write_output(const struct mprof *mp, struct mprof *with_peak,
                        enum mprof_format format, int fd, uint64_t wait_ns) {
    static struct mprof_output out; // guarded by the turn
    static struct turn turn;
    int taken = turn_take(&turn, wait_ns);
    if (taken == -EBUSY || (taken != 0 && wait_ns == 0))
        return -EBUSY;
    out.mp = mp;
    out.peak = with_peak != NULL;
    if (out.peak)
        peak_hold(with_peak);
    out.newest = mprof_newest(mp);
    out.newest_image =
        images_newest(&mp->images); // what these refer to, and more
    out.rate = atomic_load_explicit(&mp->rate, memory_order_relaxed);
    int error = format == MPROF_PPROF ? mprof_pprof_write(&out, fd)
                                      : write_heap_v2(&out, fd);
    if (out.peak)
        peak_release(with_peak);
    turn_give(&turn);
    return error;
}

int mprof_write_waiting(const struct mprof *mp, enum mprof_format format,
                        int fd, uint64_t wait_ns) {
    return write_output(mp, NULL, format, fd, wait_ns);
}

int mprof_write_peak(struct mprof *mp, enum mprof_format format, int fd,
                     uint64_t wait_ns) {
    return write_output(mp, mp, format, fd, wait_ns);
}

int mprof_write(const struct mprof *mp, enum mprof_format format, int fd) {
    return mprof_write_waiting(mp, format, fd, 0);
}
