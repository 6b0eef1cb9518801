/*
 * The view: the agreed, numbered description of the cluster. Everything about ownership is a pure
 * function of it. A view is built by one owner (view_create .. view_add .. view_seal), is immutable
 * once sealed, and is then shared by any number of threads through retain and release.
 *
 *      nodes[]   sorted by id; an index into it is good for this view only
 *      current   node -> weight_current          place(current, slot)
 *      target    node -> weight_target           place(target, slot), while `changing`
 *      moved     one bit a slot: 1 = already owned as the target says
 */
#ifndef TORC_RING_VIEW_H
#define TORC_RING_VIEW_H

#include "base/attributes.h"
#include "base/buf.h"
#include "base/limits.h"
#include "ring/node_id.h"
#include "ring/placement.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum node_status {
    NODE_UP = 1,      /* owns slots and serves */
    NODE_SYNCING = 2, /* being refilled; owns nothing yet */
    NODE_DOWN = 3,    /* not heard from; its copies count for nothing */
};

struct view_node {
    struct node_id id;
    uint64_t incarnation;         /* grows at each start of the node */
    char host[HOST_SIZE_MAX + 1]; /* announced: an address or a DNS name; zero-terminated */
    uint16_t client_port;
    uint16_t direct_port;
    uint16_t http_port;
    uint16_t bus_port; /* TCP and UDP */
    char zone[ZONE_SIZE_MAX + 1];
    enum node_status status;
    uint32_t weight_current; /* thousandths; in the current ring */
    uint32_t weight_target;  /* in the target ring; equals weight_current unless changing */
};

struct view {
    uint64_t epoch; /* 1 is the first */
    struct node_id cluster_id;
    char cluster_name[CLUSTER_NAME_SIZE_MAX + 1];
    uint8_t copies;
    bool changing; /* a target ring is set */
    struct view_node *nodes;
    size_t node_count;
    size_t node_capacity;
    uint8_t moved[SLOT_COUNT / 8];
    struct node_id voters[VOTERS_MAX];
    size_t voter_count;

    /* Derived by view_seal. */
    struct placement *current;
    struct placement *target;       /* NULL unless changing */
    uint16_t (*owners)[COPIES_MAX]; /* [slot]: those that are up, then PLACEMENT_NONE */
    _Atomic unsigned references;
};

/* An empty, unsealed view with one reference, or NULL without memory. */
struct view *view_create(void);
/* An unsealed copy, one reference, to be changed into the next view; NULL without memory. The
 * caller sets the new epoch. */
struct view *view_clone(const struct view *view);
/* Adds or replaces the node of that id; keeps nodes[] sorted. 0, TORC_ENOMEM, TORC_ETOOBIG. */
int view_put_node(struct view *view, const struct view_node *node) TORC_MUST_USE;
/* True if it was there. Voters are the caller's to keep in step. */
bool view_remove_node(struct view *view, const struct node_id *id);
/*
 * Checks the whole and computes the placements (about 40 ms with 1 000 nodes). From here on
 * immutable. TORC_EINVAL, with the view still unsealed: what view_decode refuses, and, unless
 * changing, moved bits or target weights that differ from the current ones.
 * 0, TORC_ENOMEM, TORC_EINVAL.
 */
int view_seal(struct view *view) TORC_MUST_USE;

struct view *view_retain(const struct view *view);
void view_release(const struct view *view); /* NULL is allowed */

/* Index into nodes[], or -1. */
int view_find(const struct view *view, const struct node_id *id);
bool view_is_voter(const struct view *view, const struct node_id *id);
bool view_slot_moved(const struct view *view, uint16_t slot);
void view_set_slot_moved(struct view *view, uint16_t slot); /* before sealing */

/*
 * Owners of a slot, primary first: indexes into nodes[] of those that are up; returns how many
 * (0 .. copies). Sealed views only.
 */
size_t view_owners(const struct view *view, uint16_t slot, uint16_t out[COPIES_MAX]);
/* The same whatever their status: who will own the slot once everybody is up. */
size_t view_owners_placed(const struct view *view, uint16_t slot, uint16_t out[COPIES_MAX]);

/* Appends the encoding (docs/protocol.md, "View"). Sealed views only; out of memory shows in
 * out->failed. */
void view_encode(const struct view *view, struct buf *out);
/*
 * Decodes, checks and seals; *out has one reference. Refuses: unknown version or flags, counts over
 * the limits, duplicate or unsorted ids, empty hosts, control characters in texts or blanks in
 * hosts and zones (they are printed in line-oriented replies), weights over WEIGHT_MAX, unknown
 * status, voters that are not nodes or named twice, copies not 1..COPIES_MAX, epoch 0, bytes left
 * over. 0, TORC_ECORRUPT, TORC_EVERSION, TORC_ENOMEM.
 */
int view_decode(struct view **out, struct bytes input) TORC_MUST_USE;

#endif
