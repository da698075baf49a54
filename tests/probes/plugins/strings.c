// A plugin that frees what libc took from malloc for it: strdup, asprintf,
// getline. Loaded with RTLD_DEEPBIND its own malloc and free would be libc's.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// plugin_strings returns the number of results that were right: 4.
int plugin_strings(void) {
    int nright = 0;
    char *copy = strdup("a copy");
    nright += copy && strcmp(copy, "a copy") == 0;
    char *text = NULL;
    nright += asprintf(&text, "%d and %s", 7, copy) == 12;
    char *line = NULL;
    size_t nline = 0;
    FILE *f = fopen("/proc/self/status", "re");
    nright += f && getline(&line, &nline, f) > 0;
    if (f) {
        fclose(f);
    }
    char *path = realpath("/", NULL);
    nright += path && strcmp(path, "/") == 0;
    path = realloc(path, 100000);
    free(path);
    free(line);
    free(text);
    free(copy);
    return nright;
}

// plugin_free_is tells which free this plugin is bound to.
void *plugin_free_is(void) {
    void (*volatile f)(void *) = free;
    return (void *)f;
}

// plugin_own_blocks only frees what it took itself.
int plugin_own_blocks(void) {
    for (int i = 1; i < 1000; i++) {
        char *p = malloc((size_t)i * 50);
        if (!p) {
            return 0;
        }
        memset(p, i, (size_t)i * 50);
        p = realloc(p, (size_t)i * 60);
        free(p);
    }
    return 1;
}
