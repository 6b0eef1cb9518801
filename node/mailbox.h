/*
 * What any thread posts to the one that takes it, without a lock. Whatever is posted has a `struct
 * mail` in it, and belongs to the taker from then on. Zeroed is empty.
 */
#ifndef TORC_NODE_MAILBOX_H
#define TORC_NODE_MAILBOX_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

struct mail {
    struct mail *next;
};

struct mailbox {
    _Atomic(struct mail *) last; /* the newest first */
};

/* Any thread. Waking the taker is the caller's. */
static inline void mailbox_post(struct mailbox *box, struct mail *mail)
{
    mail->next = atomic_load_explicit(&box->last, memory_order_relaxed);
    while (!atomic_compare_exchange_weak(&box->last, &mail->next, mail)) {
    }
}

/* Any thread. */
static inline bool mailbox_is_empty(const struct mailbox *box)
{
    return atomic_load(&box->last) == NULL;
}

/* The taker: all that was posted, the oldest first; NULL = nothing. */
static inline struct mail *mailbox_take(struct mailbox *box)
{
    struct mail *left = atomic_exchange(&box->last, NULL);
    struct mail *ordered = NULL;
    while (left != NULL) {
        struct mail *next = left->next;
        left->next = ordered;
        ordered = left;
        left = next;
    }
    return ordered;
}

#endif
