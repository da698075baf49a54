// top_screen.c: the screen of mound top, by ncursesw. While it is shown, standard error
// is a pipe whose lines are the message at the bottom.
//
// A child process does what writes to a process's page (release): if the user of the page
// truncates it meanwhile, only the child dies, and the terminal is restored.
#include "top.h"

#include <curses.h>
#include <errno.h>
#include <fcntl.h>
#include <locale.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "message.h"
#include "prof/summary.h"
#include "verb.h"

enum { HEAD_LINES = 2, ESCAPE = 27, ESCAPE_MS = 25 };
enum mode { LIST, DETAIL, HELP, CONFIRM };

struct screen {
    struct fleet fleet;
    enum top_key key;
    enum mode mode, before; // before: the mode in which CONFIRM was requested
    pid_t chosen;           // a live process; 0: the first
    size_t first;           // row of the list, or line of the text, at the top
    char *text;             // of DETAIL
    char message[TOP_LINE_BYTES];
    int from_stderr, from_child; // read ends of pipes
    int to_parent;               // write end of the second, for the child
    bool releasing;              // as the message says
    bool colours;
    bool end;
};

static volatile sig_atomic_t ended;

static void note_end(int sig) {
    ended = sig;
}

static void on_signals(void (*handler)(int sig)) {
    static const int signals[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT};
    struct sigaction action = {.sa_handler = handler};
    for (size_t i = 0; i < sizeof signals / sizeof signals[0]; i++)
        sigaction(signals[i], &action, NULL);
}

// chosen_row finds the chosen process, or the first live one.
static size_t chosen_row(struct screen *s) {
    size_t found = 0;
    for (size_t i = s->fleet.nships; i-- > 0;)
        if (s->fleet.ships[i].target.alive &&
            (s->fleet.ships[i].target.pid == s->chosen || s->chosen == 0))
            found = i;
    s->chosen = s->fleet.nships > 0 ? s->fleet.ships[found].target.pid : 0;
    return found;
}

static struct fleet_ship *chosen_ship(struct screen *s) {
    return s->chosen != 0 ? fleet_find(&s->fleet, s->chosen) : NULL;
}

static void print_at(int line, const char *text) {
    if (line < LINES)
        mvaddnstr(line, 0, text, COLS);
}

static void print_bar(struct screen *s, int line, const char *text) {
    if (line >= LINES)
        return;
    attron(s->colours ? COLOR_PAIR(1) : A_REVERSE);
    mvhline(line, 0, ' ', COLS);
    print_at(line, text);
    attroff(s->colours ? COLOR_PAIR(1) : A_REVERSE);
}

static void show_list(struct screen *s) {
    char line[TOP_LINE_BYTES];
    size_t room = LINES > HEAD_LINES + 1 ? (size_t)(LINES - HEAD_LINES - 1) : 0;
    size_t row = chosen_row(s);
    if (row < s->first)
        s->first = row;
    if (room > 0 && row >= s->first + room)
        s->first = row - room + 1;
    top_head(s->key, COLS, line);
    print_bar(s, 1, line);
    if (s->fleet.nships == 0)
        print_at(HEAD_LINES,
                 "no program runs on mound; start one by: mound run "
                 "PROGRAM");
    for (size_t i = 0; i < room && s->first + i < s->fleet.nships; i++) {
        const struct fleet_ship *ship = &s->fleet.ships[s->first + i];
        attr_t look = s->first + i == row   ? A_REVERSE
                      : !ship->target.alive ? A_DIM
                                            : A_NORMAL;
        top_row(ship, COLS, line);
        attron(look);
        if (look == A_REVERSE)
            mvhline(HEAD_LINES + (int)i, 0, ' ', COLS);
        print_at(HEAD_LINES + (int)i, line);
        attroff(look);
    }
}

// take_text returns what a function writes about a page to a descriptor.
static char *take_text(const struct mound_page *page) {
    int fd = memfd_create("text", MFD_CLOEXEC);
    if (fd < 0)
        return NULL;
    char *text = NULL;
    if (summary_write(page, fd) == 0 && write(fd, "\n", 1) == 1 &&
        summary_write_classes(page, fd) == 0) {
        off_t n = lseek(fd, 0, SEEK_END);
        text = n > 0 ? calloc(1, (size_t)n + 1) : NULL;
        if (text != NULL && pread(fd, text, (size_t)n, 0) != n)
            text[0] = '\0';
    }
    close(fd);
    return text;
}

// show_text shows the lines of text, from s->first on.
static void show_text(struct screen *s, const char *text) {
    size_t nlines = 0, room = LINES > 1 ? (size_t)(LINES - 1) : 0;
    for (const char *c = text; *c != '\0'; c++)
        nlines += *c == '\n';
    if (s->first + room > nlines)
        s->first = nlines > room ? nlines - room : 0;
    for (size_t i = 0; i < s->first; i++)
        text = strchr(text, '\n') + 1;
    for (size_t i = 0; i < room && *text != '\0'; i++) {
        char line[TOP_LINE_BYTES];
        size_t n = strcspn(text, "\n");
        snprintf(line, sizeof line, "%.*s", (int)n, text);
        print_at((int)i, line);
        text += n + (text[n] != '\0');
    }
}

static void show_detail(struct screen *s) {
    const struct fleet_ship *ship = chosen_ship(s);
    if (ship != NULL) {
        char *text = take_text(&ship->target.page);
        if (text != NULL) {
            free(s->text);
            s->text = text;
        }
    } else {
        snprintf(s->message, sizeof s->message, "%d has ended", (int)s->chosen);
    }
    show_text(s, s->text != NULL ? s->text : "");
}

static const char help[] =
    "mound top: all programs on mound\n"
    "\n"
    "up, down, PgUp, PgDn   choose a program, or move the text\n"
    "Enter, right           what its memory is made of; left, Esc: back\n"
    "r                      release its unused memory; y confirms\n"
    "s, S                   sort by the next column, by the one before\n"
    "q                      back, or quit\n"
    "\n"
    "RSS       memory of the process\n"
    "LIVE      objects in use\n"
    "HOLES     free slots between them: fragmentation\n"
    "CACHES    free slots that threads hold\n"
    "IDLE      free pages that are kept for a while, and go back by "
    "themselves\n"
    "OTHER     not mound's: code, stacks, other mappings\n"
    "MALLOCS/S allocations a second, or how a program ended\n";

static void show_bottom(struct screen *s) {
    char line[TOP_LINE_BYTES];
    const struct fleet_ship *ship = chosen_ship(s);
    if (s->mode == CONFIRM && ship != NULL)
        snprintf(line, sizeof line,
                 "release the unused memory of %.40s (%d)? y: yes",
                 ship->target.page.identity.program, (int)s->chosen);
    else if (s->message[0] != '\0')
        snprintf(line, sizeof line, "%s", s->message);
    else if (s->mode == LIST)
        snprintf(line, sizeof line,
                 "q quit  Enter details  r release  s sort (%s)  h help",
                 top_key_name(s->key));
    else
        snprintf(line, sizeof line, "q back  up, down: move  r release");
    print_bar(s, LINES - 1, line);
}

static void show(struct screen *s) {
    char line[TOP_LINE_BYTES];
    erase();
    enum mode mode = s->mode == CONFIRM ? s->before : s->mode;
    if (mode == LIST) {
        top_total(&s->fleet, COLS, line);
        print_at(0, line);
        show_list(s);
    } else if (mode == DETAIL) {
        show_detail(s);
    } else {
        show_text(s, help);
    }
    show_bottom(s);
    refresh();
}

// release starts a child that runs mound release; its output becomes the message.
static void release(struct screen *s) {
    char pid[16];
    snprintf(pid, sizeof pid, "%d", (int)s->chosen);
    snprintf(s->message, sizeof s->message, "%s: releasing", pid);
    s->releasing = true;
    pid_t child = fork();
    if (child < 0)
        snprintf(s->message, sizeof s->message, "fork: %s", strerror(errno));
    if (child != 0)
        return;
    on_signals(SIG_DFL);
    dup2(s->to_parent, STDOUT_FILENO);
    dup2(s->to_parent, STDERR_FILENO);
    char name[] = "mound release";
    int status = verb_release(2, (char *[]){name, pid, NULL});
    fflush(stdout);
    _exit(status);
}

// take_line reads a pipe and keeps the first line.
static bool take_line(int fd, char ret[TOP_LINE_BYTES]) {
    char text[4096];
    ssize_t n = read(fd, text, sizeof text - 1);
    if (n <= 0)
        return false;
    text[n] = '\0';
    text[strcspn(text, "\n")] = '\0';
    const char *line = strncmp(text, "mound: ", 7) == 0 ? text + 7 : text;
    snprintf(ret, TOP_LINE_BYTES, "%.500s", line);
    return true;
}

// take_messages always shows the first line of a child's answer, and complaints about
// other processes only if there is no message.
static void take_messages(struct screen *s) {
    char line[TOP_LINE_BYTES];
    if (take_line(s->from_child, line) && s->releasing) {
        memcpy(s->message, line, sizeof line);
        s->releasing = false;
    }
    if (take_line(s->from_stderr, line) && s->message[0] == '\0')
        memcpy(s->message, line, sizeof line);
}

static void move_by(struct screen *s, long by) {
    if (s->mode != LIST) {
        s->first = by < 0 && (size_t)-by > s->first ? 0 : s->first + (size_t)by;
        return;
    }
    long row = (long)chosen_row(s) + by;
    long last = -1; // ended programs are last, and cannot be chosen
    for (size_t i = 0; i < s->fleet.nships; i++)
        if (s->fleet.ships[i].target.alive)
            last = (long)i;
    row = row < 0 ? 0 : row > last ? last : row;
    if (row >= 0)
        s->chosen = s->fleet.ships[row].target.pid;
}

static void enter(struct screen *s, enum mode mode) {
    s->mode = mode;
    s->first = 0;
}

static void confirm(struct screen *s, int key) {
    s->mode = s->before;
    if (key == 'y' || key == 'Y')
        release(s);
}

static void press(struct screen *s, int key) {
    s->message[0] = '\0';
    if (s->mode == CONFIRM) {
        if (key != KEY_RESIZE)
            confirm(s, key);
        return;
    }
    switch (key) {
    case 'q':
    case ESCAPE:
    case KEY_LEFT:
        if (s->mode != LIST)
            enter(s, LIST);
        else if (key == 'q')
            s->end = true;
        break;
    case '\n':
    case '\r':
    case KEY_ENTER:
    case KEY_RIGHT:
        if (s->mode == LIST && chosen_ship(s) != NULL)
            enter(s, DETAIL);
        break;
    case KEY_UP:
    case 'k':
        move_by(s, -1);
        break;
    case KEY_DOWN:
    case 'j':
        move_by(s, 1);
        break;
    case KEY_PPAGE:
        move_by(s, 3 - LINES);
        break;
    case KEY_NPAGE:
    case ' ':
        move_by(s, LINES - 3);
        break;
    case KEY_HOME:
        move_by(s, -(1 << 20));
        break;
    case KEY_END:
        move_by(s, 1 << 20);
        break;
    case 's':
    case 'S':
        s->key = (s->key + (key == 's' ? 1 : TOP_KEYS - 1)) % TOP_KEYS;
        top_sort(&s->fleet, s->key);
        break;
    case 'r':
        if (chosen_ship(s) != NULL && s->mode != HELP) {
            s->before = s->mode;
            s->mode = CONFIRM;
        }
        break;
    case 'h':
    case '?':
        enter(s, HELP);
        break;
    default:
        break;
    }
}

static int64_t now_ms(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

// wait_keys handles keys and the output of children until the next reading is due or the
// screen ends.
static void wait_keys(struct screen *s, int64_t until) {
    int64_t left;
    while (!s->end && !ended && (left = until - now_ms()) > 0) {
        struct pollfd fds[] = {{STDIN_FILENO, POLLIN, 0},
                               {s->from_stderr, POLLIN, 0},
                               {s->from_child, POLLIN, 0}};
        int n = poll(fds, 3, (int)left);
        if (n > 0 && (fds[0].revents & (POLLHUP | POLLERR | POLLNVAL)) != 0) {
            s->end = true; // the terminal was closed
            return;
        }
        if (n > 0 && ((fds[1].revents | fds[2].revents) & POLLIN) != 0) {
            take_messages(s);
            show(s);
        }
        int key;
        while ((key = getch()) != ERR && !s->end) {
            press(s, key);
            show(s);
        }
        while (waitpid(-1, NULL, WNOHANG) > 0)
            ;
    }
}

static void run(struct screen *s, uint64_t interval_ns) {
    while (!s->end && !ended) {
        int64_t begin = now_ms();
        fleet_read(&s->fleet, true);
        top_sort(&s->fleet, s->key);
        take_messages(s);
        show(s);
        wait_keys(s, begin + (int64_t)(interval_ns / 1000000));
    }
}

static void use_colours(struct screen *s) {
    if (!message_colours(stdout) || !has_colors() || start_color() != OK)
        return;
    use_default_colors();
    s->colours = init_pair(1, COLOR_BLACK, COLOR_CYAN) == OK;
}

int top_screen(enum top_key key, uint64_t interval_ns) {
    struct screen s = {.key = key};
    int ends[2], child[2], saved;
    setlocale(LC_CTYPE, "");
    if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) != 0 ||
        pipe2(child, O_CLOEXEC | O_NONBLOCK) != 0 ||
        (saved = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3)) < 0) {
        message_error("top: %s", strerror(errno));
        return VERB_UNUSABLE;
    }
    SCREEN *terminal = newterm(NULL, stdout, stdin);
    if (terminal == NULL) {
        const char *name = getenv("TERM");
        message_error("top: TERM=%s: no such terminal is known; use --batch",
                      name != NULL ? name : "");
        return VERB_UNUSABLE;
    }
    set_escdelay(ESCAPE_MS);
    cbreak();
    noecho();
    keypad(stdscr, TRUE);
    nodelay(stdscr, TRUE);
    curs_set(0);
    use_colours(&s);
    on_signals(note_end);
    s.from_stderr = ends[0];
    s.from_child = child[0];
    s.to_parent = child[1];
    dup2(ends[1], STDERR_FILENO);
    run(&s, interval_ns);
    endwin();
    dup2(saved, STDERR_FILENO);
    delscreen(terminal);
    fleet_end(&s.fleet);
    free(s.text);
    if (ended != 0 && ended != SIGINT) { // end by it, as without a screen
        on_signals(SIG_DFL);
        raise(ended);
    }
    return VERB_DONE;
}
