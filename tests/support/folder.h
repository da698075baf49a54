// folder.h: a temporary folder for one test, and what lies in it.
#ifndef TESTS_SUPPORT_FOLDER_H
#define TESTS_SUPPORT_FOLDER_H

#include <stdbool.h>
#include <stddef.h>

// struct folder is one temporary folder.
struct folder {
    char path[200];
};

struct folder folder_make(void);

// folder_remove removes the folder with the files in it.
void folder_remove(const struct folder *f);

// folder_join returns the path of a file in the folder, in one of a few static
// buffers that are used in turn.
const char *folder_join(const struct folder *f, const char *name);

// folder_count returns the number of files whose names begin with prefix, and
// stores the name of one of them, unless it is NULL.
int folder_count(const struct folder *f, const char *prefix,
                 char ret_name[256]);

bool folder_has(const struct folder *f, const char *name);

// folder_read returns the text of a file, to be freed, or NULL if there is no
// such regular file. ret_size may be NULL.
char *folder_read(const struct folder *f, const char *name, size_t *ret_size);

void folder_write(const struct folder *f, const char *name, const char *text);

#endif // TESTS_SUPPORT_FOLDER_H
