#include "ring/view.h"

#include "base/error.h"

#include <assert.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#define NODE_CAPACITY_MIN 16
#define LEASE_MS_DEFAULT 2000

/* Views that follow each other mostly place alike: they share what was computed. */
struct shared_placement {
    struct placement placement; /* first, so that one is the other */
    uint64_t signature;         /* of what it was computed from */
    _Atomic unsigned references;
};

static struct placement *placement_retain(struct placement *placement)
{
    struct shared_placement *shared = (struct shared_placement *)placement;
    if (shared != NULL) {
        atomic_fetch_add_explicit(&shared->references, 1, memory_order_relaxed);
    }
    return placement;
}

static void placement_release(struct placement *placement)
{
    struct shared_placement *shared = (struct shared_placement *)placement;
    if (shared != NULL &&
        atomic_fetch_sub_explicit(&shared->references, 1, memory_order_acq_rel) == 1) {
        free(shared);
    }
}

static bool is_sealed(const struct view *view)
{
    return view->owners != NULL;
}

void view_expect_like(struct view *view, const struct view *known)
{
    assert(view->like == NULL);
    view->like = view_retain(known);
}

struct view *view_create(void)
{
    struct view *view = calloc(1, sizeof(*view));
    if (view != NULL) {
        view->epoch = 1;
        view->copies = 1;
        view->lease_ms = LEASE_MS_DEFAULT;
        atomic_init(&view->references, 1);
    }
    return view;
}

struct view *view_clone(const struct view *view)
{
    struct view *clone = view_create();
    if (clone == NULL) {
        return NULL;
    }
    if (view->node_count > 0) {
        clone->nodes = malloc(view->node_count * sizeof(*clone->nodes));
        if (clone->nodes == NULL) {
            free(clone);
            return NULL;
        }
        memcpy(clone->nodes, view->nodes, view->node_count * sizeof(*clone->nodes));
    }
    if (view->removed_count > 0) {
        clone->removed = malloc(view->removed_count * sizeof(*clone->removed));
        if (clone->removed == NULL) {
            free(clone->nodes);
            free(clone);
            return NULL;
        }
        memcpy(clone->removed, view->removed, view->removed_count * sizeof(*clone->removed));
        clone->removed_count = view->removed_count;
    }
    clone->node_count = view->node_count;
    clone->node_capacity = view->node_count;
    clone->epoch = view->epoch;
    clone->cluster_id = view->cluster_id;
    memcpy(clone->cluster_name, view->cluster_name, sizeof(clone->cluster_name));
    clone->copies = view->copies;
    clone->lease_ms = view->lease_ms;
    clone->settled_epoch = view->settled_epoch;
    clone->changing = view->changing;
    clone->turned_back = view->turned_back;
    memcpy(clone->moved, view->moved, sizeof(clone->moved));
    memcpy(clone->voters, view->voters, sizeof(clone->voters));
    clone->voter_count = view->voter_count;
    if (is_sealed(view)) {
        view_expect_like(clone, view);
    }
    return clone;
}

/* Where the node of that id is, or where it would go. */
static size_t lower_bound(const struct view *view, const struct node_id *id)
{
    size_t low = 0;
    size_t high = view->node_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (node_id_compare(&view->nodes[middle].id, id) < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

int view_find(const struct view *view, const struct node_id *id)
{
    size_t at = lower_bound(view, id);
    return at < view->node_count && node_id_equal(&view->nodes[at].id, id) ? (int)at : -1;
}

int view_put_node(struct view *view, const struct view_node *node)
{
    assert(!is_sealed(view));
    size_t at = lower_bound(view, &node->id);
    if (at < view->node_count && node_id_equal(&view->nodes[at].id, &node->id)) {
        view->nodes[at] = *node;
        return 0;
    }
    if (view->node_count == NODES_MAX) {
        return TORC_ETOOBIG;
    }
    struct view_node copy = *node; /* it may be one of ours, about to move */
    if (view->node_count == view->node_capacity) {
        size_t capacity = view->node_capacity * 2;
        capacity = capacity < NODE_CAPACITY_MIN ? NODE_CAPACITY_MIN : capacity;
        struct view_node *nodes = realloc(view->nodes, capacity * sizeof(*nodes));
        if (nodes == NULL) {
            return TORC_ENOMEM;
        }
        view->nodes = nodes;
        view->node_capacity = capacity;
    }
    memmove(&view->nodes[at + 1], &view->nodes[at], (view->node_count - at) * sizeof(copy));
    view->nodes[at] = copy;
    view->node_count++;
    return 0;
}

bool view_remove_node(struct view *view, const struct node_id *id)
{
    assert(!is_sealed(view));
    int found = view_find(view, id);
    if (found < 0) {
        return false;
    }
    size_t at = (size_t)found;
    view->node_count--;
    memmove(&view->nodes[at], &view->nodes[at + 1], (view->node_count - at) * sizeof(*view->nodes));
    return true;
}

int view_note_removed(struct view *view, const struct node_id *id)
{
    assert(!is_sealed(view));
    if (view_was_removed(view, id)) {
        return 0;
    }
    if (view->removed_count == REMOVED_MAX) {
        view->removed_count--;
        memmove(&view->removed[0], &view->removed[1], view->removed_count * sizeof(*view->removed));
    }
    struct node_id *removed =
        realloc(view->removed, (view->removed_count + 1) * sizeof(*view->removed));
    if (removed == NULL) {
        return TORC_ENOMEM;
    }
    view->removed = removed;
    view->removed[view->removed_count++] = *id;
    return 0;
}

bool view_was_removed(const struct view *view, const struct node_id *id)
{
    for (size_t i = 0; i < view->removed_count; i++) {
        if (node_id_equal(&view->removed[i], id)) {
            return true;
        }
    }
    return false;
}

void view_finish_change(struct view *view)
{
    assert(!is_sealed(view));
    assert(view->changing);
    for (size_t i = 0; i < view->node_count; i++) {
        view->nodes[i].weight_current = view->nodes[i].weight_target;
    }
    view->changing = false;
    view->turned_back = false;
    memset(view->moved, 0, sizeof(view->moved));
}

void view_turn_back(struct view *view)
{
    assert(!is_sealed(view));
    assert(view->changing);
    for (size_t i = 0; i < view->node_count; i++) {
        uint32_t weight = view->nodes[i].weight_current;
        view->nodes[i].weight_current = view->nodes[i].weight_target;
        view->nodes[i].weight_target = weight;
    }
    for (size_t i = 0; i < sizeof(view->moved); i++) {
        view->moved[i] = (uint8_t)~view->moved[i];
    }
    view->turned_back = !view->turned_back;
}

bool view_is_voter(const struct view *view, const struct node_id *id)
{
    for (size_t i = 0; i < view->voter_count; i++) {
        if (node_id_equal(&view->voters[i], id)) {
            return true;
        }
    }
    return false;
}

bool view_slot_moved(const struct view *view, uint16_t slot)
{
    assert(slot < SLOT_COUNT);
    return (view->moved[slot / 8] >> (slot % 8) & 1) != 0;
}

void view_set_slot_moved(struct view *view, uint16_t slot)
{
    assert(!is_sealed(view));
    assert(slot < SLOT_COUNT);
    view->moved[slot / 8] |= (uint8_t)(1u << (slot % 8));
}

static bool node_is_like(const struct view_node *a, const struct view_node *b)
{
    return node_id_equal(&a->id, &b->id) && a->incarnation == b->incarnation &&
           a->status == b->status && a->last_up == b->last_up && a->lost == b->lost &&
           a->leaving == b->leaving && a->preferred == b->preferred && a->removing == b->removing &&
           a->weight_current == b->weight_current && a->weight_target == b->weight_target &&
           strcmp(a->zone, b->zone) == 0;
}

bool view_is_like(const struct view *a, const struct view *b)
{
    bool like = a->node_count == b->node_count && a->copies == b->copies &&
                a->changing == b->changing && a->turned_back == b->turned_back;
    for (size_t i = 0; i < a->node_count && like; i++) {
        like = node_is_like(&a->nodes[i], &b->nodes[i]);
    }
    return like;
}

uint64_t view_ring_tag(const struct view *view)
{
    uint64_t tag = 0;
    for (size_t i = 0; i < view->node_count; i++) {
        const struct view_node *node = &view->nodes[i];
        struct {
            struct node_id id;
            uint32_t current, target, removing;
        } seen = {node->id, node->weight_current, node->weight_target, node->removing};
        static_assert(sizeof(seen) == NODE_ID_SIZE + 12, "without holes");
        tag = XXH3_64bits_withSeed(&seen, sizeof(seen), tag);
    }
    return tag == 0 ? 1 : tag;
}

/* Zero-terminated within its array, and nothing below `lowest` in it: what is printed into a
 * line-oriented reply cannot break the line. */
static bool text_is_clean(const char *text, size_t array_size, char lowest)
{
    size_t size = strnlen(text, array_size);
    for (size_t i = 0; i < size; i++) {
        unsigned char c = (unsigned char)text[i];
        if (c < (unsigned char)lowest || c == 0x7f) {
            return false;
        }
    }
    return size < array_size;
}

bool view_node_is_lawful(const struct view_node *node)
{
    return node->host[0] != '\0' && text_is_clean(node->host, sizeof(node->host), '!') &&
           text_is_clean(node->zone, sizeof(node->zone), '!') &&
           (node->status == NODE_UP || node->status == NODE_SYNCING || node->status == NODE_DOWN) &&
           node->weight_asked <= WEIGHT_MAX && node->weight_current <= WEIGHT_MAX &&
           node->weight_target <= WEIGHT_MAX;
}

static bool node_is_valid(const struct view *view, const struct view_node *node)
{
    return view_node_is_lawful(node) &&
           (node->status != NODE_UP || (node->last_up == 0 && !node->lost)) &&
           node->last_up < view->epoch &&
           (view->changing || node->weight_target == node->weight_current);
}

static bool view_is_valid(const struct view *view)
{
    if (view->epoch == 0 || view->copies < 1 || view->copies > COPIES_MAX ||
        view->node_count > NODES_MAX || view->voter_count > VOTERS_MAX ||
        view->removed_count > REMOVED_MAX || view->lease_ms < LEASE_MS_MIN ||
        view->lease_ms > LEASE_MS_MAX || view->settled_epoch >= view->epoch ||
        !text_is_clean(view->cluster_name, sizeof(view->cluster_name), ' ')) {
        return false;
    }
    size_t preferred_count = 0;
    for (size_t i = 0; i < view->node_count; i++) {
        if (!node_is_valid(view, &view->nodes[i]) || view_was_removed(view, &view->nodes[i].id) ||
            (i > 0 && node_id_compare(&view->nodes[i - 1].id, &view->nodes[i].id) >= 0)) {
            return false;
        }
        preferred_count += view->nodes[i].preferred;
    }
    if (preferred_count > 1 || (view->turned_back && !view->changing)) {
        return false;
    }
    for (size_t i = 0; i < view->voter_count; i++) {
        for (size_t j = 0; j < i; j++) {
            if (node_id_equal(&view->voters[i], &view->voters[j])) {
                return false;
            }
        }
        if (view_find(view, &view->voters[i]) < 0) {
            return false;
        }
    }
    for (size_t i = 0; i < sizeof(view->moved) && !view->changing; i++) {
        if (view->moved[i] != 0) {
            return false;
        }
    }
    return true;
}

/* Of all that placement_build looks at. */
static uint64_t placement_signature(const struct view *view, bool target)
{
    XXH3_state_t *state = XXH3_createState();
    if (state == NULL) {
        return 0; /* like nothing else: it is computed */
    }
    XXH3_64bits_reset(state);
    XXH3_64bits_update(state, &view->copies, sizeof(view->copies));
    for (size_t i = 0; i < view->node_count; i++) {
        const struct view_node *node = &view->nodes[i];
        uint32_t weight = target ? node->weight_target : node->weight_current;
        XXH3_64bits_update(state, node->id.bytes, NODE_ID_SIZE);
        XXH3_64bits_update(state, &weight, sizeof(weight));
        XXH3_64bits_update(state, node->zone, strlen(node->zone) + 1);
    }
    uint64_t signature = XXH3_64bits_digest(state);
    XXH3_freeState(state);
    return signature;
}

static int compute_placement(const struct view *view, bool target, struct placement *placement)
{
    struct placement_member *members = malloc((view->node_count + 1) * sizeof(*members));
    if (members == NULL) {
        return TORC_ENOMEM;
    }
    for (size_t i = 0; i < view->node_count; i++) {
        const struct view_node *node = &view->nodes[i];
        members[i] = (struct placement_member){
            .id = node->id,
            .weight = target ? node->weight_target : node->weight_current,
            .zone = node->zone,
        };
    }
    int error = placement_build(placement, members, view->node_count, view->copies);
    free(members);
    return error;
}

static int build_placement(const struct view *view, bool target, struct placement **out)
{
    uint64_t signature = placement_signature(view, target);
    for (size_t i = 0; i < 2 && view->like != NULL; i++) {
        struct placement *known = i == 0 ? view->like->current : view->like->target;
        if (known != NULL && signature != 0 &&
            ((struct shared_placement *)known)->signature == signature) {
            *out = placement_retain(known);
            return 0;
        }
    }
    struct shared_placement *shared = malloc(sizeof(*shared));
    if (shared == NULL) {
        return TORC_ENOMEM;
    }
    int error = compute_placement(view, target, &shared->placement);
    if (error != 0) {
        free(shared);
        return error;
    }
    shared->signature = signature;
    atomic_init(&shared->references, 1);
    *out = &shared->placement;
    return 0;
}

static const struct placement *placement_of_slot(const struct view *view, uint16_t slot)
{
    return view_slot_moved(view, slot) ? view->target : view->current;
}

/* Of a slot whose nodes will all be removed: of those of the ring that stay, the one with the
 * highest hash of itself and the slot, which another node's joining the view does not change. */
static size_t list_stand_in(const struct view *view, bool target, uint16_t slot,
                            uint16_t out[COPIES_MAX])
{
    uint64_t best = 0;
    size_t count = 0;
    for (size_t i = 0; i < view->node_count; i++) {
        const struct view_node *node = &view->nodes[i];
        uint32_t weight = target ? node->weight_target : node->weight_current;
        uint64_t hash = XXH3_64bits_withSeed(node->id.bytes, NODE_ID_SIZE, slot);
        if (weight > 0 && !view_node_is_given_up(node) && (count == 0 || hash > best)) {
            best = hash;
            out[0] = (uint16_t)i;
            count = 1;
        }
    }
    return count;
}

/* Where the ring places the slot, whatever becomes of the nodes. */
static size_t list_ring(const struct view *view, const struct placement *placement, uint16_t slot,
                        uint16_t out[COPIES_MAX])
{
    size_t count = 0;
    while (count < view->copies && placement->owners[count][slot] != PLACEMENT_NONE) {
        out[count] = placement->owners[count][slot];
        count++;
    }
    return count;
}

/* The same without those that will not come back. */
static size_t list_placed(const struct view *view, const struct placement *placement, uint16_t slot,
                          uint16_t out[COPIES_MAX])
{
    uint16_t ring[COPIES_MAX];
    size_t ring_count = list_ring(view, placement, slot, ring);
    size_t count = 0;
    for (size_t i = 0; i < ring_count; i++) {
        if (!view_node_is_given_up(&view->nodes[ring[i]])) {
            out[count++] = ring[i];
        }
    }
    return count > 0 ? count : list_stand_in(view, placement == view->target, slot, out);
}

/* 0 leads before 1, 1 before 2. */
static int leading_rank(const struct view_node *node)
{
    return node->preferred ? 0 : node->leaving ? 2 : 1;
}

/* Of a slot that no node that is up owns: those that hold what was acknowledged last. *lost: nobody
 * does. Also those who are being removed tell by their last_up that others hold less. */
static size_t last_holders(const struct view *view, uint16_t slot, uint16_t out[COPIES_MAX],
                           bool *lost)
{
    const struct placement *placement = placement_of_slot(view, slot);
    uint16_t nodes[2 * COPIES_MAX];
    size_t placed_count = list_placed(view, placement, slot, nodes);
    size_t node_count = placed_count + list_ring(view, placement, slot, nodes + placed_count);
    uint64_t last_up = 0;
    size_t intact = 0;
    size_t count = 0;
    for (size_t i = 0; i < node_count; i++) {
        const struct view_node *node = &view->nodes[nodes[i]];
        last_up = node->last_up > last_up ? node->last_up : last_up;
    }
    for (size_t i = 0; i < placed_count; i++) {
        const struct view_node *node = &view->nodes[nodes[i]];
        if (node->last_up == last_up && last_up > 0 && !node->lost) {
            intact++;
            if (node->status == NODE_SYNCING) {
                out[count++] = nodes[i];
            }
        }
    }
    *lost = intact == 0;
    return count;
}

static void derive_owners(const struct view *view, uint16_t slot, uint16_t owners[COPIES_MAX])
{
    uint16_t placed[COPIES_MAX];
    size_t placed_count = list_placed(view, placement_of_slot(view, slot), slot, placed);
    size_t count = 0;
    for (int rank = 0; rank <= 2; rank++) {
        for (size_t i = 0; i < placed_count; i++) {
            const struct view_node *node = &view->nodes[placed[i]];
            if (node->status == NODE_UP && leading_rank(node) == rank) {
                owners[count++] = placed[i];
            }
        }
    }
    if (count > 0) {
        return;
    }
    uint16_t holders[COPIES_MAX];
    bool lost = false;
    size_t holder_count = last_holders(view, slot, holders, &lost);
    if (holder_count > 0) {
        owners[0] = holders[0];
    }
    for (size_t i = 0; lost && i < placed_count; i++) {
        if (view->nodes[placed[i]].status == NODE_SYNCING) {
            owners[0] = placed[i];
            return;
        }
    }
}

/* Of a view that is like one before, only slots that have moved since have other owners. */
static void derive_all_owners(const struct view *view, uint16_t (*owners)[COPIES_MAX])
{
    const struct view *like = view->like;
    bool alike = like != NULL && like->current == view->current && like->target == view->target &&
                 view_is_like(like, view);
    if (alike) {
        memcpy(owners, like->owners, SLOT_COUNT * sizeof(*owners));
    }
    for (uint32_t slot = 0; slot < SLOT_COUNT; slot++) {
        if (slot % 8 == 0 && alike && like->moved[slot / 8] == view->moved[slot / 8]) {
            slot += 7;
            continue;
        }
        memset(owners[slot], 0xff, sizeof(owners[slot]));
        derive_owners(view, (uint16_t)slot, owners[slot]);
    }
}

/* Slots that stay where they are need nobody's word to move. */
static void move_alike(struct view *view)
{
    for (uint32_t slot = 0; slot < SLOT_COUNT; slot++) {
        uint16_t from[COPIES_MAX];
        uint16_t to[COPIES_MAX];
        size_t count = list_placed(view, view->current, (uint16_t)slot, from);
        if (list_placed(view, view->target, (uint16_t)slot, to) == count &&
            memcmp(from, to, count * sizeof(from[0])) == 0) {
            view_set_slot_moved(view, (uint16_t)slot);
        }
    }
}

static int seal(struct view *view, bool proposed)
{
    assert(!is_sealed(view));
    if (!view_is_valid(view)) {
        return TORC_EINVAL;
    }
    uint16_t(*owners)[COPIES_MAX] = malloc(SLOT_COUNT * sizeof(*owners));
    if (owners == NULL) {
        return TORC_ENOMEM;
    }
    int error = build_placement(view, false, &view->current);
    if (error != 0) {
        goto err_after_owners;
    }
    if (view->changing) {
        error = build_placement(view, true, &view->target);
        if (error != 0) {
            goto err_after_current;
        }
    }
    if (proposed && view->changing) {
        move_alike(view);
    }
    derive_all_owners(view, owners);
    view->owners = owners;
    view_release(view->like);
    view->like = NULL;
    return 0;
err_after_current:
    placement_release(view->current);
    view->current = NULL;
err_after_owners:
    free(owners);
    return error;
}

int view_seal(struct view *view)
{
    return seal(view, false);
}

int view_seal_proposal(struct view *view)
{
    return seal(view, true);
}

struct view *view_retain(const struct view *view)
{
    /* The count is the one part of a sealed view that changes. */
    struct view *mutable_view = (struct view *)view;
    atomic_fetch_add_explicit(&mutable_view->references, 1, memory_order_relaxed);
    return mutable_view;
}

void view_release(const struct view *view)
{
    struct view *mutable_view = (struct view *)view;
    if (view == NULL) {
        return;
    }
    /* Release: what this thread read of it comes before; acquire: the last one sees all that. */
    unsigned before = atomic_fetch_sub_explicit(&mutable_view->references, 1, memory_order_acq_rel);
    assert(before > 0);
    if (before == 1) {
        view_release(mutable_view->like);
        free(mutable_view->owners);
        placement_release(mutable_view->target);
        placement_release(mutable_view->current);
        free(mutable_view->removed);
        free(mutable_view->nodes);
        free(mutable_view);
    }
}

size_t view_owners(const struct view *view, uint16_t slot, uint16_t out[COPIES_MAX])
{
    assert(is_sealed(view));
    assert(slot < SLOT_COUNT);
    const uint16_t *owners = view->owners[slot];
    size_t count = 0;
    while (count < COPIES_MAX && owners[count] != PLACEMENT_NONE) {
        out[count] = owners[count];
        count++;
    }
    return count;
}

size_t view_owners_placed(const struct view *view, uint16_t slot, uint16_t out[COPIES_MAX])
{
    assert(is_sealed(view));
    assert(slot < SLOT_COUNT);
    return list_placed(view, placement_of_slot(view, slot), slot, out);
}

size_t view_owners_target(const struct view *view, uint16_t slot, uint16_t out[COPIES_MAX])
{
    assert(is_sealed(view));
    assert(slot < SLOT_COUNT);
    return view->target == NULL ? 0 : list_placed(view, view->target, slot, out);
}

size_t view_owners_other(const struct view *view, uint16_t slot, uint16_t out[COPIES_MAX])
{
    assert(is_sealed(view));
    assert(slot < SLOT_COUNT);
    if (view->target == NULL) {
        return 0;
    }
    return list_placed(view, view_slot_moved(view, slot) ? view->current : view->target, slot, out);
}

size_t view_holders(const struct view *view, uint16_t slot, uint16_t out[COPIES_MAX])
{
    size_t count = view_owners(view, slot, out);
    if (count == 0 || view->nodes[out[0]].status == NODE_UP) {
        return count;
    }
    bool lost = false;
    return last_holders(view, slot, out, &lost);
}

/* Adds those of some nodes that are alive, no owners, and not yet among them. */
static size_t add_learners(const struct view *view, const uint16_t *owners, const uint16_t *nodes,
                           size_t node_count, uint16_t out[VIEW_LEARNERS_MAX], size_t count)
{
    for (size_t i = 0; i < node_count; i++) {
        bool known = view->nodes[nodes[i]].status == NODE_DOWN;
        for (size_t j = 0; j < COPIES_MAX && owners[j] != PLACEMENT_NONE; j++) {
            known = known || owners[j] == nodes[i];
        }
        for (size_t j = 0; j < count; j++) {
            known = known || out[j] == nodes[i];
        }
        if (!known) {
            out[count++] = nodes[i];
        }
    }
    return count;
}

size_t view_learners(const struct view *view, uint16_t slot, uint16_t out[VIEW_LEARNERS_MAX])
{
    const uint16_t *owners = view->owners[slot];
    if (owners[0] == PLACEMENT_NONE) {
        return 0; /* nobody has anything to send */
    }
    uint16_t nodes[COPIES_MAX];
    size_t count = view_owners_placed(view, slot, nodes);
    count = add_learners(view, owners, nodes, count, out, 0);
    if (view->changing && !view_slot_moved(view, slot)) {
        size_t target_count = view_owners_target(view, slot, nodes);
        count = add_learners(view, owners, nodes, target_count, out, count);
    }
    return count;
}
