#include "ring/view.h"

#include "base/error.h"

#include <assert.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#define NODE_CAPACITY_MIN 16

struct view *view_create(void)
{
    struct view *view = calloc(1, sizeof(*view));
    if (view != NULL) {
        view->epoch = 1;
        view->copies = 1;
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
    clone->node_count = view->node_count;
    clone->node_capacity = view->node_count;
    clone->epoch = view->epoch;
    clone->cluster_id = view->cluster_id;
    memcpy(clone->cluster_name, view->cluster_name, sizeof(clone->cluster_name));
    clone->copies = view->copies;
    clone->changing = view->changing;
    memcpy(clone->moved, view->moved, sizeof(clone->moved));
    memcpy(clone->voters, view->voters, sizeof(clone->voters));
    clone->voter_count = view->voter_count;
    return clone;
}

static bool is_sealed(const struct view *view)
{
    return view->owners != NULL;
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

static bool node_is_valid(const struct view *view, const struct view_node *node)
{
    return node->host[0] != '\0' && text_is_clean(node->host, sizeof(node->host), '!') &&
           text_is_clean(node->zone, sizeof(node->zone), '!') &&
           (node->status == NODE_UP || node->status == NODE_SYNCING || node->status == NODE_DOWN) &&
           node->weight_current <= WEIGHT_MAX && node->weight_target <= WEIGHT_MAX &&
           (view->changing || node->weight_target == node->weight_current);
}

static bool view_is_valid(const struct view *view)
{
    if (view->epoch == 0 || view->copies < 1 || view->copies > COPIES_MAX ||
        view->node_count > NODES_MAX || view->voter_count > VOTERS_MAX ||
        !text_is_clean(view->cluster_name, sizeof(view->cluster_name), ' ')) {
        return false;
    }
    for (size_t i = 0; i < view->node_count; i++) {
        if (!node_is_valid(view, &view->nodes[i]) ||
            (i > 0 && node_id_compare(&view->nodes[i - 1].id, &view->nodes[i].id) >= 0)) {
            return false;
        }
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

static int build_placement(const struct view *view, bool target, struct placement **out)
{
    int error = TORC_ENOMEM;
    struct placement *placement = malloc(sizeof(*placement));
    struct placement_member *members = malloc((view->node_count + 1) * sizeof(*members));
    if (placement == NULL || members == NULL) {
        goto fail;
    }
    for (size_t i = 0; i < view->node_count; i++) {
        const struct view_node *node = &view->nodes[i];
        members[i] = (struct placement_member){
            .id = node->id,
            .weight = target ? node->weight_target : node->weight_current,
            .zone = node->zone,
        };
    }
    error = placement_build(placement, members, view->node_count, view->copies);
    if (error != 0) {
        goto fail;
    }
    free(members);
    *out = placement;
    return 0;
fail:
    free(members);
    free(placement);
    return error;
}

static const struct placement *placement_of_slot(const struct view *view, uint16_t slot)
{
    return view_slot_moved(view, slot) ? view->target : view->current;
}

int view_seal(struct view *view)
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
    memset(owners, 0xff, SLOT_COUNT * sizeof(*owners));
    for (uint32_t slot = 0; slot < SLOT_COUNT; slot++) {
        const struct placement *placement = placement_of_slot(view, (uint16_t)slot);
        size_t count = 0;
        for (size_t rank = 0; rank < view->copies; rank++) {
            uint16_t node = placement->owners[rank][slot];
            if (node != PLACEMENT_NONE && view->nodes[node].status == NODE_UP) {
                owners[slot][count++] = node;
            }
        }
    }
    view->owners = owners;
    return 0;
err_after_current:
    free(view->current);
    view->current = NULL;
err_after_owners:
    free(owners);
    return error;
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
        free(mutable_view->owners);
        free(mutable_view->target);
        free(mutable_view->current);
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
    const struct placement *placement = placement_of_slot(view, slot);
    size_t count = 0;
    while (count < view->copies && placement->owners[count][slot] != PLACEMENT_NONE) {
        out[count] = placement->owners[count][slot];
        count++;
    }
    return count;
}
