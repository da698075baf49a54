// list.c: the ring with its links inside the members.
#include "base/list.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

struct member {
    int value;
    struct list link;
};

static int value_at(const struct list *head, unsigned i) {
    struct list *l = head->next;
    while (i-- > 0)
        l = l->next;
    return l == head ? -1 : list_entry(l, struct member, link)->value;
}

// links_agree says whether each member's neighbours know it.
static bool links_agree(const struct list *head) {
    const struct list *l = head;
    do {
        if (l->next->prev != l)
            return false;
        l = l->next;
    } while (l != head);
    return true;
}

Test(list, a_new_list_is_empty) {
    struct list head;

    list_init(&head);

    cr_assert(list_empty(&head));
    cr_assert(eq(int, value_at(&head, 0), -1));
}

Test(list, members_stand_newest_first) {
    struct list head;
    struct member a = {1, {0}}, b = {2, {0}}, c = {3, {0}};
    list_init(&head);

    list_push(&head, &a.link);
    list_push(&head, &b.link);
    list_push(&head, &c.link);

    cr_assert(eq(int, value_at(&head, 0), 3));
    cr_assert(eq(int, value_at(&head, 1), 2));
    cr_assert(eq(int, value_at(&head, 2), 1));
    cr_assert(eq(int, value_at(&head, 3), -1));
    cr_assert(links_agree(&head));
}

Test(list, a_member_leaves_from_anywhere) {
    for (int gone = 0; gone < 3; gone++) {
        struct list head;
        struct member m[3] = {{0, {0}}, {1, {0}}, {2, {0}}};
        list_init(&head);
        for (int i = 0; i < 3; i++)
            list_push(&head, &m[i].link);

        list_remove(&m[gone].link);

        cr_assert(links_agree(&head));
        cr_assert(eq(int, value_at(&head, 2), -1));
        for (unsigned i = 0; i < 2; i++)
            cr_assert(ne(int, value_at(&head, i), gone));
    }
}

Test(list, a_member_in_no_list_may_be_taken_out_again) {
    struct list head;
    struct member a = {1, {0}}, b = {2, {0}};
    list_init(&head);
    list_push(&head, &a.link);
    list_push(&head, &b.link);
    list_remove(&a.link);

    list_remove(&a.link);

    cr_assert(eq(int, value_at(&head, 0), 2));
    cr_assert(eq(int, value_at(&head, 1), -1));
    cr_assert(links_agree(&head));
}
