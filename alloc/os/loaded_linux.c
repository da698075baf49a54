// loaded_linux.c: loaded.h by glibc's _dl_find_object, which was made for
// unwinders: it reads a sorted table that dlopen and dlclose replace.
#include "os/loaded.h"

#include <dlfcn.h>
#include <link.h>
#include <sys/auxv.h>

#if defined(DLFO_EH_SEGMENT_TYPE)

#pragma weak _dl_find_object

bool loaded_can_find(void) {
    return _dl_find_object != NULL;
}

static bool has(const struct loaded *object, uintptr_t addr) {
    return addr >= object->start && addr < object->end;
}

bool loaded_find(uintptr_t pc, struct loaded *ret_object) {
    struct dl_find_object found;
    if (!loaded_can_find() || _dl_find_object((void *)pc, &found) != 0)
        return false;
    ret_object->start = (uintptr_t)found.dlfo_map_start;
    ret_object->end = (uintptr_t)found.dlfo_map_end;
    ret_object->eh_frame_hdr = (uintptr_t)found.dlfo_eh_frame;
    ret_object->name = found.dlfo_link_map->l_name;
    ret_object->stays = ret_object->name[0] == '\0' ||
                        has(ret_object, (uintptr_t)loaded_find) ||
                        has(ret_object, (uintptr_t)getauxval);
    return true;
}

#else

bool loaded_can_find(void) {
    return false;
}

bool loaded_find(uintptr_t pc, struct loaded *ret_object) {
    (void)pc;
    (void)ret_object;
    return false;
}

#endif
