/*
 * Members drawn at random from a container, several at a time: each at most once, or each draw for
 * itself. Works on any container that can be walked and can draw one. The caller holds the slot's
 * lock.
 */
#ifndef TORC_NODE_STORE_DRAW_H
#define TORC_NODE_STORE_DRAW_H

#include "node/store/store.h"

/* What a type of container can do. */
struct member_source {
    size_t (*count)(const struct object *object);
    uint64_t (*scan)(const struct object *object, uint64_t cursor, size_t budget,
                     member_visitor *visit, void *context); /* as keyspace_scan */
    void (*random)(const struct object *object, struct prng *prng, member_visitor *visit,
                   void *context); /* visits one, any of them as likely */
};

/* Visits `count` different members, all of them if there are no more: any such choice is as likely.
 * 0 or TORC_ENOMEM (nothing visited). */
int draw_distinct(const struct object *object, const struct member_source *source, size_t count,
                  struct prng *prng, member_visitor *visit, void *context) TORC_MUST_USE;
/* Visits a member drawn from all, `count` times. */
void draw_repeated(const struct object *object, const struct member_source *source, size_t count,
                   struct prng *prng, member_visitor *visit, void *context);

#endif
