// symboltable.h: the functions of a file by address, from the best symbol table that
// libdwfl finds: that of a separate file, of the file itself, or the part left of it.
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
// names belong to the module.
void symboltable_read(Dwfl_Module *module, struct symboltable *ret);
void symboltable_free(struct symboltable *t);

// symboltable_find returns the name of the function that has code at an address of the
// module, or NULL. It prefers the best of its names: malloc to __libc_malloc.
//
// *ret_start is where it starts; *ret_sure is false if its symbol has no size, so that
// another function may begin before the address. Cost: a search in a sorted table.
const char *symboltable_find(const struct symboltable *t, GElf_Addr address,
                             GElf_Addr *ret_start, bool *ret_sure);

#endif // MOUND_COMMAND_SYMBOLTABLE_H
