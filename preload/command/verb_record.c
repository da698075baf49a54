// verb_record.c: mound record, which records the memory of a program over time, from its
// start to its end, and the profiles of its peak and its end.
#include <argp.h>
#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "calltree.h"
#include "flame.h"
#include "launch.h"
#include "message.h"
#include "output.h"
#include "pprof_read.h"
#include "program.h"
#include "record.h"
#include "series.h"
#include "symbolize.h"
#include "units.h"
#include "verb.h"

enum { KEY_FOR = 0x100, KEY_RATE, KEY_OPTION };

struct options {
    char **argv;
    const char *output;
    uint64_t for_ns;
    uint64_t rate;
};

// struct recording is a running program, and the file that it is recorded in.
struct recording {
    char **argv;
    time_t start;
    bool has_head;
    const char *path; // of the data
    FILE *file;
    struct bytes line;
    char *folder;           // the program writes its profiles to it
    struct mound_page most; // the reading with the most live bytes
    double most_seconds;
    uint64_t most_live;
    size_t nprofiles;
};

static const struct argp_option argp_options[] = {
    {.name = "output",
     .key = 'o',
     .arg = "FILE",
     .doc = "Write to FILE instead of " RECORD_FILE "; if it ends in .html, "
            "write the page there, and the data beside it in a file that ends "
            "in .jsonl"},
    {.name = "for",
     .key = KEY_FOR,
     .arg = "TIME",
     .doc = "End the program by SIGTERM after this time"},
    {.name = "rate",
     .key = KEY_RATE,
     .arg = "BYTES",
     .doc = "Take one sample for each BYTES allocated. Default: 512KiB"},
    {.name = "option",
     .key = KEY_OPTION,
     .arg = "NAME=VALUE",
     .doc = "Set MOUND_NAME, as in --option memlimit=512MiB; see libmound(7)"},
    {0}};

static error_t parse(int key, char *value, struct argp_state *state) {
    struct options *o = state->input;
    switch (key) {
    case 'o':
        o->output = value;
        return 0;
    case KEY_FOR:
        if (!units_read_duration(value, &o->for_ns))
            argp_error(state, "%s: not a time such as 500ms or 30s", value);
        return 0;
    case KEY_RATE:
        if (!units_read_bytes(value, &o->rate) || o->rate == 0)
            argp_error(state, "%s: not a size such as 64KiB", value);
        return 0;
    }
    return launch_parse(key, value, state, KEY_OPTION, &o->argv);
}

static bool ends_with(const char *s, const char *with) {
    size_t n = strlen(s), nwith = strlen(with);
    return n > nwith && strcmp(s + n - nwith, with) == 0;
}

// data_path is the path of the data file, to be freed.
static char *data_path(const char *output) {
    static const char html[] = ".html";
    if (!ends_with(output, html))
        return store_copy(output, strlen(output));
    return store_printf("%.*s.jsonl", (int)(strlen(output) - (sizeof html - 1)),
                        output);
}

// flush_line writes r->line to the file.
static void flush_line(struct recording *r) {
    fwrite(r->line.at, 1, r->line.n, r->file);
    fflush(r->file);
    r->line.n = 0;
}

// add_head adds the description of the program once it has loaded mound.
static void add_head(struct recording *r, const char *program) {
    struct bytes command = {0};
    char date[64];
    struct tm tm;
    strftime(date, sizeof date, "%Y-%m-%d %H:%M:%S %z",
             localtime_r(&r->start, &tm));
    for (char **a = r->argv; *a != NULL; a++)
        bytes_printf(&command, "%s%s", a > r->argv ? " " : "", *a);
    bytes_add(&command, "", 1);
    char *title = store_printf("Memory of %s", program);
    const char *facts[] = {command.at, date};
    flame_head(&r->line, title, facts, 2);
    flush_line(r);
    free(title);
    bytes_free(&command);
    r->has_head = true;
}

static void note(void *argument, const struct series_point *point,
                 const struct mound_page *page) {
    struct recording *r = argument;
    if (!r->has_head)
        add_head(r, page->identity.program);
    if (page->stats.live >= r->most_live) {
        r->most_live = page->stats.live;
        r->most_seconds = point->seconds;
        r->most = *page;
    }
    record_sample(&r->line, point);
    flush_line(r);
}

// Profiles. The program writes them to a folder that this command makes.

static bool make_folder(struct recording *r, const struct options *o) {
    const char *tmp = getenv("TMPDIR");
    r->folder = store_printf("%s/mound-record.XXXXXX",
                             tmp != NULL && tmp[0] == '/' ? tmp : "/tmp");
    if (mkdtemp(r->folder) == NULL) {
        message_error("%s: %s", r->folder, strerror(errno));
        return false;
    }
    // One for each process: the program may start others.
    char *name = store_printf("%s/%%p.pb.gz", r->folder);
    setenv("MOUND_PROFILE", name, 1);
    setenv("MOUND_PROFILE_AT", "peak", 1);
    // This also writes a profile when a signal ends the program, and statistics, whose
    // file must be in the folder too.
    char *stats = store_printf("%s/%%p.json", r->folder);
    setenv("MOUND_STATS_ON", "TERM,INT,HUP", 0);
    setenv("MOUND_STATS", stats, 0);
    free(stats);
    char *rate = store_printf("%" PRIu64, o->rate);
    setenv("MOUND_PROFILE_RATE", rate, 1);
    free(rate);
    free(name);
    return true;
}

static void remove_folder(struct recording *r) {
    DIR *dir = opendir(r->folder);
    struct dirent *entry;
    while (dir != NULL && (entry = readdir(dir)) != NULL)
        if (entry->d_name[0] != '.')
            unlinkat(dirfd(dir), entry->d_name, 0);
    if (dir != NULL)
        closedir(dir);
    rmdir(r->folder);
    free(r->folder);
}

// add_profile adds a profile that the program has written; false: there is none.
static bool add_profile(struct recording *r, pid_t pid, const char *ending,
                        const char *name, double seconds) {
    struct pprof p;
    struct calltree t;
    char *path = store_printf("%s/%d%s", r->folder, (int)pid, ending);
    bool ok = access(path, F_OK) == 0 && pprof_read(path, &p);
    free(path);
    if (!ok)
        return false;
    symbolize_profile(&p, 0);
    calltree_init(&t, false);
    calltree_add(&t, &p, 1);
    calltree_finish(&t);
    char *about = store_printf("%s, estimated from one sample for each %s",
                               name, units_bytes(p.rate).s);
    flame_profile(&r->line, &t, name, about, seconds, false);
    free(about);
    calltree_free(&t);
    pprof_free(&p);
    flush_line(r);
    r->nprofiles++;
    return true;
}

static void add_end(struct recording *r, const struct launched *l,
                    const struct series *s) {
    double end = (double)(l->end_ns - l->begin_ns) / 1e9;
    bool peak =
        add_profile(r, l->pid, ".peak.pb.gz", "at the peak", r->most_seconds);
    bool last = add_profile(r, l->pid, ".pb.gz", "at the end", end);
    if (r->most_live > 0)
        record_classes(&r->line, &r->most);
    char *text = store_printf(
        "%s after %s; peak RSS %s, %s malloc%s%s", launch_how(l).s,
        units_duration(l->end_ns - l->begin_ns).s,
        units_bytes(s->page.stats.rss_peak).s,
        units_count((double)s->page.stats.mallocs).s,
        s->page.stats.mallocs == 1 ? "" : "s",
        last   ? ""
        : peak ? "; it was killed before it wrote the profile at the end"
               : "; it wrote no profile");
    record_end(&r->line, text);
    free(text);
    flush_line(r);
}

static bool write_page(const struct options *o, const char *path) {
    struct bytes lines = {0}, page = {0};
    if (!record_read(path, &lines))
        return false;
    flame_page(&page, &lines);
    bool ok = output_write(o->output, page.at, page.n);
    bytes_free(&lines);
    bytes_free(&page);
    return ok;
}

// record runs the program and says whether all was written.
static bool record(const struct options *o, struct recording *r,
                   const struct program *program, struct launched *l) {
    struct series s = {.each = note, .argument = r};
    if (!launch_start(program, o->argv, l))
        return false;
    series_watch(&s, l, o->for_ns);
    launch_forget(l);
    add_end(r, l, &s);
    size_t n = s.n;
    series_free(&s);
    bool ok = !ferror(r->file);
    if (!ok)
        message_error("%s: %s", r->path, strerror(errno));
    if (n == 0)
        message_error(
            "%s: its memory could not be read; mound doctor %s may say why",
            o->argv[0], o->argv[0]);
    if (!ok || n == 0)
        return false;
    bool page = ends_with(o->output, ".html");
    if (page && !write_page(o, r->path))
        return false;
    fprintf(stderr, "mound: %s: %zu reading%s, %zu profile%s%s%s\n",
            page ? o->output : r->path, n, n == 1 ? "" : "s", r->nprofiles,
            r->nprofiles == 1 ? "" : "s",
            page ? "" : "; to make a page of it: mound report ",
            page ? "" : r->path);
    return true;
}

int verb_record(int argc, char **argv) {
    static const struct argp argp = {
        .options = argp_options,
        .parser = parse,
        .args_doc = "[--] PROGRAM [ARGUMENT...]",
        .doc = "Runs a program on mound and records its memory: what its RSS "
               "is made of, from start to end, and which functions allocated "
               "it, at the peak and at the end. mound report makes a page of "
               "the record.\vOnly the process itself is recorded, not its "
               "children. The file has a line of JSON for each "
               "reading.\n\nExit status: that of the program, 128 + N if "
               "signal N killed it; 2 if it could not be recorded."};
    struct options o = {.output = RECORD_FILE, .rate = 512 << 10};
    struct recording r = {.start = time(NULL)};
    struct program program;
    struct launched l;
    argp_parse(&argp, argc, argv, ARGP_IN_ORDER, NULL, &o);
    if (!launch_prepare(o.argv, false, &program) || !make_folder(&r, &o))
        return VERB_UNUSABLE;
    char *path = data_path(o.output);
    r.path = path;
    r.argv = o.argv;
    r.file = fopen(path, "we");
    bool ok = false;
    if (r.file == NULL)
        message_error("%s: %s", path, strerror(errno));
    else
        ok = record(&o, &r, &program, &l);
    if (r.file != NULL && fclose(r.file) != 0 && ok) {
        message_error("%s: %s", path, strerror(errno));
        ok = false;
    }
    remove_folder(&r);
    bytes_free(&r.line);
    free(path);
    return ok ? launch_exit_code(&l) : VERB_UNUSABLE;
}
