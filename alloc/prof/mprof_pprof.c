// mprof_pprof.c: see mprof_pprof.h. What Go 1.19 writes for its heap profile:
// runtime/pprof/protomem.go and proto.go. The fields may come in any order, so
// everything is written as soon as it is known, and strings where they are
// first used.
//
// No symbols are looked up here: readers find them by mapping, build id and
// address.
#include "prof/mprof_pprof.h"

#include <errno.h>
#include <string.h>

#include "base/str.h"
#include "os/sys.h"
#include "prof/locations.h"
#include "prof/peak.h"
#include "prof/pprof_fields.h"
#include "prof/protobuf.h"
#include "prof/scratch.h"

enum { PROGRAM_PATH_MAX = 4096 };

_Static_assert(UNWIND_MAX * 5 + 128 <= PROTOBUF_MESSAGE,
               "a sample fits: a location's number has 32 bits");

// struct range is a mapping that was written.
struct range {
    uint64_t start;
    uint64_t limit;
    uint32_t id;
};

// struct pprof is a profile being written. What grows with it is mapped, and
// given back at the end.
struct pprof {
    struct mprof_output *out;
    bool stackless; // some bucket has no addresses
    struct locations locations;
    struct range *ranges; // in order of addresses
    size_t nranges;
    size_t ranges_max;
    struct mapping program;             // start is 0 if it was not found
    uint32_t image_ids[IMAGES_MAX + 1]; // mappings, by number of image; or 0
    uint32_t nstrings;
    struct message message;
    struct message part; // of message
    struct message head; // what stands before a field of the profile
    char build_id[BUILDID_TEXT];
    char program_path[PROGRAM_PATH_MAX];
};

// write_bytes writes a field of the profile.
static void write_bytes(struct pprof *p, unsigned field, const void *bytes,
                        size_t n) {
    p->head.n = 0;
    put_key(&p->head, field, WIRE_BYTES);
    put_varint(&p->head, n);
    gzip_write(&p->out->file, p->head.bytes, p->head.n);
    gzip_write(&p->out->file, bytes, n);
}

// write_message writes p->message as a field of the profile, and empties it.
static void write_message(struct pprof *p, unsigned field) {
    write_bytes(p, field, p->message.bytes, p->message.n);
    p->message.n = 0;
}

static void write_int(struct pprof *p, unsigned field, uint64_t value) {
    p->head.n = 0;
    put_int(&p->head, field, value);
    gzip_write(&p->out->file, p->head.bytes, p->head.n);
}

// write_string returns the number of the string in the profile's table. Only
// the first is empty.
static uint32_t write_string(struct pprof *p, const char *s) {
    if (s[0] == '\0' && p->nstrings > 0)
        return 0;
    write_bytes(p, PROFILE_STRING_TABLE, s, str_len(s));
    return p->nstrings++;
}

// The strings that are in every profile, by number.
enum {
    STRING_EMPTY,
    STRING_SPACE,
    STRING_BYTES,
    STRING_COUNT,
    STRING_ALLOC_OBJECTS,
    STRING_ALLOC_SPACE,
    STRING_INUSE_OBJECTS,
    STRING_INUSE_SPACE,
    STRING_DROP_FRAMES,
    STRING_NO_STACK,
};

static void write_strings(struct pprof *p) {
    static const char strings[][128] = {
        [STRING_EMPTY] = "",
        [STRING_SPACE] = "space",
        [STRING_BYTES] = "bytes",
        [STRING_COUNT] = "count",
        [STRING_ALLOC_OBJECTS] = "alloc_objects",
        [STRING_ALLOC_SPACE] = "alloc_space",
        [STRING_INUSE_OBJECTS] = "inuse_objects",
        [STRING_INUSE_SPACE] = "inuse_space",
        // Readers cut the frame whose whole name this matches, and all that it
        // called. They have such a list of their own for the text form only.
        [STRING_DROP_FRAMES] =
            "(__libc_)?(m|c|re|v|pv)alloc|reallocarray|c?free|"
            "(__libc_|posix_)?memalign|aligned_alloc|"
            "operator new(\\[\\])?|mound_.*",
        [STRING_NO_STACK] = "[no stack]",
    };
    p->nstrings = 0;
    for (size_t i = 0; i < sizeof strings / sizeof strings[0]; i++)
        write_string(p, strings[i]);
}

static void write_value_type(struct pprof *p, unsigned field, uint32_t type,
                             uint32_t unit) {
    put_int(&p->message, VALUE_TYPE_TYPE, type);
    put_int(&p->message, VALUE_TYPE_UNIT, unit);
    write_message(p, field);
}

// write_about writes what applies to all samples. Readers show the last type by
// default, so no default is named.
static void write_about(struct pprof *p) {
    static const unsigned type = PROFILE_SAMPLE_TYPE;
    write_strings(p);
    write_value_type(p, PROFILE_PERIOD_TYPE, STRING_SPACE, STRING_BYTES);
    write_int(p, PROFILE_PERIOD, p->out->rate);
    write_value_type(p, type, STRING_ALLOC_OBJECTS, STRING_COUNT);
    write_value_type(p, type, STRING_ALLOC_SPACE, STRING_BYTES);
    write_value_type(p, type, STRING_INUSE_OBJECTS, STRING_COUNT);
    write_value_type(p, type, STRING_INUSE_SPACE, STRING_BYTES);
    write_int(p, PROFILE_DROP_FRAMES, STRING_DROP_FRAMES);
    uint64_t start = p->out->mp->start_unix_ns;
    uint64_t now = sys_unix_ns();
    write_int(p, PROFILE_TIME_NANOS, start);
    if (start != 0 && now > start) // the clock may have been put back
        write_int(p, PROFILE_DURATION_NANOS, now - start);
}

// Mappings.

static void find_program_path(struct pprof *p) {
    static const char mark[] = " (deleted)"; // as in the list of mappings
    long ret = sys_program_path(p->program_path, PROGRAM_PATH_MAX - 1);
    size_t n = ret > 0 ? (size_t)ret : 0;
    size_t nmark = sizeof mark - 1;
    p->program_path[n] = '\0';
    if (n > nmark && str_same(p->program_path + n - nmark, mark))
        p->program_path[n - nmark] = '\0';
}

// count_mappings counts them and finds the program's own.
static size_t count_mappings(struct pprof *p) {
    struct mapping m;
    size_t n = 0;
    find_program_path(p);
    p->program.start = 0;
    mappings_open(&p->out->list);
    for (; mappings_next(&p->out->list, &m); n++)
        if (p->program.start == 0 && m.name[0] == '/' &&
            str_same(m.name, p->program_path)) {
            p->program = m;
            p->program.name = p->program_path; // m's goes away
        }
    mappings_close(&p->out->list);
    return n;
}

// write_mapping_as writes one whose build ID is in p->build_id, or "".
static void write_mapping_as(struct pprof *p, const struct mapping *m,
                             uint32_t id) {
    struct message *message = &p->message;
    uint32_t name = write_string(p, m->name);
    uint32_t build_id = write_string(p, p->build_id);
    put_int(message, MAPPING_ID, id);
    put_int(message, MAPPING_START, m->start);
    put_int(message, MAPPING_LIMIT, m->limit);
    put_int(message, MAPPING_OFFSET, m->offset);
    put_int(message, MAPPING_FILENAME, name);
    put_int(message, MAPPING_BUILD_ID, build_id);
    write_message(p, PROFILE_MAPPING);
}

static void write_mapping(struct pprof *p, const struct mapping *m,
                          uint32_t id) {
    if (mappings_build_id(m, p->build_id) == 0)
        p->build_id[0] = '\0';
    write_mapping_as(p, m, id);
    for (const struct image *i = p->out->newest_image; i != NULL; i = i->older)
        if (image_is_at(i, m))
            p->image_ids[i->number] = id;
}

// write_images writes the images that are in none of these mappings: they were
// unloaded, or may have been.
static void write_images(struct pprof *p, uint32_t id) {
    for (const struct image *i = p->out->newest_image; i != NULL;
         i = i->older) {
        struct mapping m = {i->code.start, i->code.limit, i->code.offset,
                            i->name, false};
        if (p->image_ids[i->number] != 0)
            continue;
        image_build_id(i, p->build_id);
        write_mapping_as(p, &m, ++id);
        p->image_ids[i->number] = id;
    }
}

// write_mappings writes the program first, since readers take the first for it,
// and fills p->ranges. Readers expect at least one, so there always is.
static void write_mappings(struct pprof *p) {
    static const struct mapping everything = {.name = ""};
    uint32_t id = 0;
    struct mapping m;
    bool found = p->program.start != 0;
    if (found)
        write_mapping(p, &p->program, ++id);
    mappings_open(&p->out->list);
    while (p->nranges < p->ranges_max && mappings_next(&p->out->list, &m)) {
        bool is_program = found && m.start == p->program.start;
        if (!is_program)
            write_mapping(p, &m, ++id);
        p->ranges[p->nranges++] =
            (struct range){m.start, m.limit, is_program ? 1 : id};
    }
    mappings_close(&p->out->list);
    if (id == 0) {
        write_mapping(p, &everything, ++id);
        p->ranges[p->nranges++] = (struct range){0, UINT64_MAX, 1};
    }
    write_images(p, id);
}

// mapping_id returns the number of the mapping that address lies in, or 0.
static uint32_t mapping_id(const struct pprof *p, uint64_t address) {
    size_t lo = 0;
    size_t hi = p->nranges;
    while (lo < hi) { // the first range that ends above address
        size_t middle = lo + (hi - lo) / 2;
        if (p->ranges[middle].limit <= address)
            lo = middle + 1;
        else
            hi = middle;
    }
    if (lo == p->nranges || address < p->ranges[lo].start)
        return 0;
    return p->ranges[lo].id;
}

// Locations.

static struct location location_of(const struct mbucket *b, uint32_t i) {
    return (struct location){b->pcs[i], mbucket_image(b, i)};
}

static bool add_all_locations(struct pprof *p) {
    p->stackless = false;
    for (const struct mbucket *b = p->out->newest; b != NULL; b = b->older) {
        if (b->npcs == 0)
            p->stackless = true;
        for (uint32_t i = 0; i < b->npcs; i++)
            if (!locations_add(&p->locations, location_of(b, i)))
                return false;
    }
    return true;
}

// stackless_number is the number of the location for samples without addresses.
static uint32_t stackless_number(const struct pprof *p) {
    return p->locations.n + 1;
}

// write_stackless gives what has no stack a name. Readers would count samples
// without any location in the total and show them nowhere.
static void write_stackless(struct pprof *p) {
    struct message *message = &p->message;
    put_int(message, FUNCTION_ID, 1);
    put_int(message, FUNCTION_NAME, STRING_NO_STACK);
    put_int(message, FUNCTION_SYSTEM_NAME, STRING_NO_STACK);
    write_message(p, PROFILE_FUNCTION);
    put_int(&p->part, LINE_FUNCTION, 1);
    put_int(message, LOCATION_ID, stackless_number(p));
    put_message(message, LOCATION_LINE, &p->part);
    write_message(p, PROFILE_LOCATION);
}

static void write_locations(struct pprof *p) {
    struct message *message = &p->message;
    for (uint32_t i = 0; i < p->locations.n; i++) {
        // Inside the call, which may be the last instruction of its function.
        uint64_t address = p->locations.all[i].pc - 1;
        uint16_t image = p->locations.all[i].image;
        put_int(message, LOCATION_ID, i + 1);
        put_int(message, LOCATION_MAPPING,
                image != 0 ? p->image_ids[image] : mapping_id(p, address));
        put_int(message, LOCATION_ADDRESS, address);
        write_message(p, PROFILE_LOCATION);
    }
    if (p->stackless)
        write_stackless(p);
}

// Samples.

// put_scaled puts objects and bytes, scaled up.
static void put_scaled(struct message *m, uint64_t n, size_t size,
                       uint64_t rate) {
    put_varint(m, mprof_scale(n, size, rate));
    put_varint(m, mprof_scale(n * size, size, rate));
}

struct mprof_counts mprof_output_counts(const struct mprof_output *out,
                                        const struct mbucket *b) {
    return out->peak ? peak_counts(out->mp, b) : mprof_counts(b);
}

static void write_sample(struct pprof *p, const struct mbucket *b) {
    struct mprof_counts counts = mprof_output_counts(p->out, b);
    struct message *part = &p->part;
    if (counts.nallocs == 0)
        return;
    for (uint32_t i = 0; i < b->npcs; i++)
        put_varint(part, locations_number(&p->locations, location_of(b, i)));
    if (b->npcs == 0)
        put_varint(part, stackless_number(p));
    put_message(&p->message, SAMPLE_LOCATION, part);

    put_scaled(part, counts.nallocs, b->size, b->rate);
    put_scaled(part, counts.ninuse, b->size, b->rate);
    put_message(&p->message, SAMPLE_VALUE, part);

    put_int(part, LABEL_KEY, STRING_BYTES);
    put_int(part, LABEL_NUM, b->size);
    put_message(&p->message, SAMPLE_LABEL, part);
    write_message(p, PROFILE_SAMPLE);
}

// prepare gets all memory that will be needed, so that nothing has been written
// if it is refused.
static bool prepare(struct pprof *p) {
    // Between counting and reading again libraries may be loaded.
    enum { MORE = 64 };
    p->ranges_max = count_mappings(p) + MORE;
    p->ranges = scratch_map(p->ranges_max * sizeof p->ranges[0]);
    return p->ranges != NULL && add_all_locations(p);
}

static void release(struct pprof *p) {
    scratch_unmap(p->ranges, p->ranges_max * sizeof p->ranges[0]);
    locations_free(&p->locations);
}

static void write_profile(struct pprof *p) {
    write_about(p);
    write_mappings(p);
    write_locations(p);
    for (const struct mbucket *b = p->out->newest; b != NULL; b = b->older)
        write_sample(p, b);
}

int mprof_pprof_write(struct mprof_output *out, int fd) {
    static struct pprof pprof; // one writer at a time: see mprof_write
    struct pprof *p = &pprof;
    int error = -ENOMEM;
    p->out = out;
    p->locations = (struct locations){.n = 0};
    p->nranges = 0;
    memset(p->image_ids, 0, sizeof p->image_ids);
    p->message.n = p->part.n = 0;
    if (prepare(p)) {
        gzip_start(&out->file, fd, GZIP_PACKED);
        write_profile(p);
        error = gzip_end(&out->file);
    }
    release(p);
    return error;
}
