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
    NODE_UP = 1,      /* holds every acknowledged write of the slots it owns, and serves */
    NODE_SYNCING = 2, /* being refilled; owns nothing, but see view_owners */
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
    bool leaving;            /* is to be primary only of what nobody else holds */
    bool preferred;          /* is to be primary of all that it owns; at most one node */
    bool removing;           /* is to be removed once it owns nothing; with `lost` it owns nothing
                                from now on */
    bool lost;               /* not up: what it held when it was last up is gone */
    uint64_t last_up;        /* not up: the last epoch at which it was up; 0 = never. Up: 0 */
    uint32_t weight_asked;   /* thousandths; what it last asked for itself and was heard with */
    uint32_t weight_current; /* in the current ring */
    uint32_t weight_target;  /* in the target ring; equals weight_current unless changing */
};

struct view {
    uint64_t epoch; /* 1 is the first */
    struct node_id cluster_id;
    char cluster_name[CLUSTER_NAME_SIZE_MAX + 1];
    uint8_t copies;
    uint32_t lease_ms;      /* the same for all, or leases would mean different things */
    uint64_t settled_epoch; /* newest epoch known to have been carried out on every node that was
                               up: what others took over under it, or before, may be dropped */
    bool changing;          /* a target ring is set */
    bool turned_back;       /* the target is the ring that was current when the change began */
    struct view_node *nodes;
    size_t node_count;
    size_t node_capacity;
    uint8_t moved[SLOT_COUNT / 8];
    struct node_id voters[VOTERS_MAX];
    size_t voter_count;
    struct node_id *removed; /* nodes that were removed and must not come back, oldest first */
    size_t removed_count;    /* at most REMOVED_MAX */

    const struct view *like; /* sealed, and perhaps much the same; until it is sealed itself */

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
/* Notes that the node must not come back; of more than REMOVED_MAX the oldest is forgotten. 0 or
 * TORC_ENOMEM. */
int view_note_removed(struct view *view, const struct node_id *id) TORC_MUST_USE;
bool view_was_removed(const struct view *view, const struct node_id *id);
/* The target ring becomes the current one: before sealing, once every slot is moved. */
void view_finish_change(struct view *view);
/* The target ring becomes the current one and the other way round, and so do the moved bits: every
 * slot stays where it is, and those that have moved are to go back. Before sealing. */
void view_turn_back(struct view *view);
/* Before sealing, once: what is derived is taken from `known`, a sealed view, where it is equal. */
void view_expect_like(struct view *view, const struct view *known);
/*
 * Checks the whole and computes the placements (about 40 ms with 1 000 nodes). From here on
 * immutable. TORC_EINVAL, with the view still unsealed: what view_decode refuses, and, unless
 * changing, moved bits or target weights that differ from the current ones.
 * 0, TORC_ENOMEM, TORC_EINVAL.
 */
int view_seal(struct view *view) TORC_MUST_USE;
/* The same of one that is to be agreed on: while the ring changes, slots that both rings place
 * alike have moved. */
int view_seal_proposal(struct view *view) TORC_MUST_USE;

struct view *view_retain(const struct view *view);
void view_release(const struct view *view); /* NULL is allowed */

/* True if a view may have such a node: its texts can be printed, its weights are within limits. */
bool view_node_is_lawful(const struct view_node *node);
/* It will not come back, and what it held is gone: it owns nothing, wherever a ring places slots on
 * it. One that is up and to be removed owns what it owns until that has moved. */
static inline bool view_node_is_given_up(const struct view_node *node)
{
    return node->removing && node->lost;
}
/* Index into nodes[], or -1. */
int view_find(const struct view *view, const struct node_id *id);
bool view_is_voter(const struct view *view, const struct node_id *id);
/* True if the views place and count every slot alike that has moved in both or in neither: the same
 * runs of the same nodes, of the same status and weights. */
bool view_is_like(const struct view *a, const struct view *b);
/* A name for the ring and the change of it that is under way: a hash of the weights. Never 0. */
uint64_t view_ring_tag(const struct view *view);
bool view_slot_moved(const struct view *view, uint16_t slot);
void view_set_slot_moved(struct view *view, uint16_t slot); /* before sealing */

/*
 * Owners of a slot, primary first: indexes into nodes[]; returns how many (0 .. copies). Sealed
 * views only. They are the nodes that the ring places there and that are up: a preferred one first,
 * those that are leaving last, else in the ring's order. Every one of them holds every acknowledged
 * write.
 *
 * When none of them is up, what was acknowledged is with the last that went down, those with the
 * highest last_up, unless it is lost to all of these. Nobody else may lead: the first of them that
 * is syncing does (so as to become up again; only nodes that are up serve), and nobody while they
 * are all down. If it is lost, the first that is syncing leads, and begins empty.
 */
size_t view_owners(const struct view *view, uint16_t slot, uint16_t out[COPIES_MAX]);
/* The same whatever their status: who will own the slot once everybody is up. A node that was lost
 * and is being removed is not among them; when that leaves none, another node of the ring stands
 * in, so that a ring change cannot be stuck for want of somebody to give the slot to. */
size_t view_owners_placed(const struct view *view, uint16_t slot, uint16_t out[COPIES_MAX]);
/* Of the owners, and of syncing nodes of a slot that no node that is up owns: those whose copies
 * hold every acknowledged write. Returns how many; 0 = it is lost, or nobody leads. */
size_t view_holders(const struct view *view, uint16_t slot, uint16_t out[COPIES_MAX]);
/* Owners to be: nodes that the primary must send the slot to, because they are syncing or because
 * the target ring places the slot there and it has not moved. Returns how many. */
#define VIEW_LEARNERS_MAX (2 * COPIES_MAX)
size_t view_learners(const struct view *view, uint16_t slot, uint16_t out[VIEW_LEARNERS_MAX]);
/* Where the target ring places the slot; 0 unless changing. */
size_t view_owners_target(const struct view *view, uint16_t slot, uint16_t out[COPIES_MAX]);

/* Where the other ring of a change under way places the slot: the target for one that has not
 * moved, the current one for one that has; 0 unless changing. */
size_t view_owners_other(const struct view *view, uint16_t slot, uint16_t out[COPIES_MAX]);

/* Appends the encoding (docs/protocol.md, "View"). Sealed views only; out of memory shows in
 * out->failed. */
void view_encode(const struct view *view, struct buf *out);
/*
 * Decodes, checks and seals; *out has one reference. Refuses: unknown version or flags, counts over
 * the limits, duplicate or unsorted ids, empty hosts, control characters in texts or blanks in
 * hosts and zones (they are printed in line-oriented replies), weights over WEIGHT_MAX, unknown
 * status, voters that are not nodes or named twice, copies not 1..COPIES_MAX, epoch 0, bytes left
 * over. What is as in `known`, a sealed view or NULL, is taken from there, which saves most of the
 * time. 0, TORC_ECORRUPT, TORC_EVERSION, TORC_ENOMEM.
 */
int view_decode(struct view **out, struct bytes input, const struct view *known) TORC_MUST_USE;

#endif
