// environment.c: see environment.h.
#include "environment.h"

#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "library.h"
#include "message.h"

static const char *const variables[] = {
#include <optionnames.inc>
};
enum { NVARIABLES = sizeof variables / sizeof variables[0] };

static bool refuse_option(const char *option) {
    char all[1024] = "";
    size_t n = 0;
    for (unsigned i = 0; i < NVARIABLES; i++)
        n += (size_t)snprintf(all + n, sizeof all - n, "%s%s",
                              i > 0 ? ", " : "", variables[i]);
    for (char *s = all; *s != '\0'; s++)
        *s = (char)tolower((unsigned char)*s);
    message_error("-o %.*s: no such option; there are: %s",
                  (int)strcspn(option, "="), option, all);
    return false;
}

bool environment_option(const char *option) {
    const char *whole = option;
    char name[64] = "MOUND_";
    size_t n = strcspn(option, "="), begin = strlen(name);
    if (strncasecmp(option, name, begin) == 0) {
        option += begin; // the full name
        n -= begin;
    }
    if (n >= sizeof name - begin)
        return refuse_option(whole);
    for (size_t i = 0; i < n; i++) {
        char c = option[i];
        name[begin + i] = c == '-' ? '_' : (char)toupper((unsigned char)c);
    }
    name[begin + n] = '\0';
    for (unsigned i = 0; i < NVARIABLES; i++)
        if (strcmp(variables[i], name + begin) == 0) {
            const char *value = option[n] == '=' ? option + n + 1 : "1";
            if (setenv(name, value, 1) == 0)
                return true;
            message_error("%s: %s", name, strerror(errno));
            return false;
        }
    return refuse_option(whole);
}

static bool is_there(char *path, size_t nbytes, const char *folder,
                     const char *sub) {
    char joined[2 * PATH_MAX], whole[PATH_MAX];
    snprintf(joined, sizeof joined, "%s%s/libmound.so.0", folder, sub);
    if (access(joined, R_OK) != 0 || realpath(joined, whole) == NULL)
        return false;
    // With the real folder, but not the real file name, which an upgrade replaces.
    char *slash = strrchr(whole, '/');
    snprintf(path, nbytes, "%.*s/libmound.so.0", (int)(slash - whole), whole);
    return true;
}

const char *environment_library(void) {
    static char path[PATH_MAX];
    char self[PATH_MAX];
    if (path[0] != '\0')
        return path;
    ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
    self[n < 0 ? 0 : n] = '\0';
    char *slash = strrchr(self, '/');
    if (slash != NULL) {
        *slash = '\0';
        const char *folder = strrchr(self, '/');
        // In the build directory; where both were moved to; where they were installed.
        if (folder != NULL && strcmp(folder, "/command") == 0 &&
            is_there(path, sizeof path, self, "/.."))
            return path;
        if (is_there(path, sizeof path, self, "/" MOUND_LIBRARY_FROM_BIN))
            return path;
    }
    if (is_there(path, sizeof path, MOUND_LIBRARY_FOLDER, ""))
        return path;
    message_error(MOUND_LIBRARY_FOLDER "/libmound.so.0: %s", strerror(ENOENT));
    return NULL;
}

// has_mound says whether a value of LD_PRELOAD has libmound.so.
static bool has_mound(const char *preload) {
    char copy[8 * PATH_MAX], *rest = NULL;
    snprintf(copy, sizeof copy, "%s", preload);
    for (char *one = strtok_r(copy, ": ", &rest); one != NULL;
         one = strtok_r(NULL, ": ", &rest)) {
        char whole[PATH_MAX];
        if (library_is_named(one) ||
            (realpath(one, whole) != NULL && library_is_named(whole)))
            return true;
    }
    return false;
}

static bool set_preload(void) {
    const char *others = getenv("LD_PRELOAD");
    if (others != NULL && has_mound(others))
        return true;
    const char *library = environment_library();
    if (library == NULL)
        return false;
    if (strpbrk(library, ": ") != NULL) {
        message_error(
            "%s: LD_PRELOAD cannot have a path with a space or a colon",
            library);
        return false;
    }
    bool any = others != NULL && others[0] != '\0';
    char *value;
    if (asprintf(&value, "%s%s%s", library, any ? ":" : "", any ? others : "") <
            0 ||
        setenv("LD_PRELOAD", value, 1) != 0) {
        message_error("LD_PRELOAD: %s", strerror(errno));
        return false;
    }
    free(value);
    return true;
}

bool environment_set(bool keep) {
    const char *watch = getenv("MOUND_WATCH");
    if (!set_preload())
        return false;
    if (watch == NULL || (keep && strcmp(watch, "0") != 0))
        setenv("MOUND_WATCH", keep ? "keep" : "1", 1);
    setenv("MOUND_CONTROL", "1", 0);
    return true;
}
