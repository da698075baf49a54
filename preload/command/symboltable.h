// symboltable.h: the functions of a file by address, out of the best table of symbols that
// libdwfl finds: a separate file's, the file's own, or what is left of it.
#ifndef MOUND_COMMAND_SYMBOLTABLE_H
#define MOUND_COMMAND_SYMBOLTABLE_H

#include <elfutils/libdwfl.h>
#include <stdbool.h>
#include <stddef.h>

struct symboltable {
    struct symboltable_start *starts; // in order of addresses
    size_t n;
};

// symboltable_read lists all functions of a module; symboltable_free frees the list. The
// names are the module's.
void symboltable_read(Dwfl_Module *module, struct symboltable *ret);
void symboltable_free(struct symboltable *t);

// symboltable_find returns the name of the function that has code at an address of the
// module, or NULL. It has the best of its names: malloc before __libc_malloc.
//
// *ret_start is where it starts; *ret_sure is false where its symbol has no size, so that
// another function may have begun since. Cost: a search in a sorted table.
const char *symboltable_find(const struct symboltable *t, GElf_Addr address,
                             GElf_Addr *ret_start, bool *ret_sure);

#endif // MOUND_COMMAND_SYMBOLTABLE_H
