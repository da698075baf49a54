// list.h: a doubly linked ring with a head; the links are in the members. All
// operations take constant time; the head's owner provides the locking.
#ifndef MOUND_BASE_LIST_H
#define MOUND_BASE_LIST_H

#include "base/compiler.h"

struct list {
    struct list *next;
    struct list *prev;
};

#define list_entry(link, type, member)                                         \
    ((type *)((char *)(link)-offsetof(type, member)))

static inline void list_init(struct list *head) {
    head->next = head;
    head->prev = head;
}

static inline bool list_empty(const struct list *head) {
    return head->next == head;
}

// list_push inserts a member at the front.
static inline void list_push(struct list *head, struct list *link) {
    link->next = head->next;
    link->prev = head;
    head->next->prev = link;
    head->next = link;
}

// list_remove removes a member. A member in no list links to itself and may be
// removed again.
static inline void list_remove(struct list *link) {
    link->prev->next = link->next;
    link->next->prev = link->prev;
    list_init(link);
}

#endif // MOUND_BASE_LIST_H
