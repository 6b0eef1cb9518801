#include "ring/lease.h"

#include "base/error.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

/* ---- the voter's side ---- */

void supports_init(struct supports *supports)
{
    *supports = (struct supports){0};
}

void supports_deinit(struct supports *supports)
{
    free(supports->items);
    *supports = (struct supports){0};
}

void supports_grace(struct supports *supports, uint64_t until_ms)
{
    if (until_ms > supports->grace_until_ms) {
        supports->grace_until_ms = until_ms;
    }
}

/* Where the node is, or where it would go. */
static size_t lower_bound(const struct supports *supports, const struct node_id *id)
{
    size_t low = 0;
    size_t high = supports->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (node_id_compare(&supports->items[middle].id, id) < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

static struct support *find(const struct supports *supports, const struct node_id *id)
{
    size_t at = lower_bound(supports, id);
    return at < supports->count && node_id_equal(&supports->items[at].id, id) ? &supports->items[at]
                                                                              : NULL;
}

const struct support *supports_find(const struct supports *supports, const struct node_id *id)
{
    return find(supports, id);
}

static struct support *add(struct supports *supports, const struct node_id *id)
{
    if (supports->count == supports->capacity) {
        size_t capacity = supports->capacity == 0 ? 16 : 2 * supports->capacity;
        struct support *items = realloc(supports->items, capacity * sizeof(*items));
        if (items == NULL) {
            return NULL;
        }
        supports->items = items;
        supports->capacity = capacity;
    }
    size_t at = lower_bound(supports, id);
    assert(supports->items != NULL);
    memmove(&supports->items[at + 1], &supports->items[at],
            (supports->count - at) * sizeof(supports->items[0]));
    supports->items[at] = (struct support){.id = *id};
    supports->count++;
    return &supports->items[at];
}

int supports_note(struct supports *supports, const struct node_id *id, uint64_t incarnation,
                  uint64_t length_ms, uint64_t now_ms)
{
    struct support *support = find(supports, id);
    if (support == NULL) {
        support = add(supports, id);
    }
    if (support == NULL) {
        return TORC_ENOMEM;
    }
    if (incarnation < support->incarnation ||
        (incarnation == support->incarnation && support->ended)) {
        return TORC_ESTALE;
    }
    if (incarnation > support->incarnation) {
        support->incarnation = incarnation;
        support->until_ms = 0;
        support->ended = false;
    }
    support->heard_ms = now_ms;
    if (length_ms > 0) {
        support->until_ms = now_ms + length_ms;
    }
    return TORC_OK;
}

void supports_expect(struct supports *supports, const struct view *view, uint64_t now_ms)
{
    for (size_t i = 0; i < view->node_count; i++) {
        const struct view_node *node = &view->nodes[i];
        const struct support *support = find(supports, &node->id);
        if (node->status == NODE_DOWN ||
            (support != NULL && support->incarnation >= node->incarnation)) {
            continue;
        }
        if (supports_note(supports, &node->id, node->incarnation, 0, now_ms) != TORC_OK) {
            return;
        }
    }
}

void supports_end(struct supports *supports, const struct node_id *id, uint64_t incarnation)
{
    struct support *support = find(supports, id);
    if (support != NULL && support->incarnation == incarnation) {
        support->until_ms = 0;
        support->ended = true;
    }
}

/* That incarnation is known to serve nothing any more. */
static bool is_gone(const struct support *support, uint64_t incarnation)
{
    return support != NULL && (support->incarnation > incarnation ||
                               (support->incarnation == incarnation && support->ended));
}

bool supports_silent(const struct supports *supports, const struct node_id *id,
                     uint64_t incarnation, uint64_t length_ms, uint64_t now_ms)
{
    const struct support *support = find(supports, id);
    if (is_gone(support, incarnation)) {
        return true;
    }
    if (now_ms < supports->grace_until_ms) {
        return false;
    }
    return support == NULL || support->incarnation != incarnation ||
           now_ms >= support->heard_ms + length_ms;
}

bool lease_is_taken(const struct view_node *node, const struct view *next)
{
    int index = view_find(next, &node->id);
    bool has_nothing = node->removing && node->weight_current == 0 && node->weight_target == 0 &&
                       next->settled_epoch + 1 == next->epoch; /* and knows it */
    if (node->status == NODE_DOWN || (index < 0 && has_nothing)) {
        return false;
    }
    return index < 0 || next->nodes[index].incarnation != node->incarnation ||
           next->nodes[index].status == NODE_DOWN ||
           (node->status == NODE_UP && next->nodes[index].status == NODE_SYNCING);
}

bool supports_forbid(const struct supports *supports, const struct view *present,
                     const struct view *next, uint64_t now_ms)
{
    for (size_t i = 0; i < present->node_count; i++) {
        const struct view_node *node = &present->nodes[i];
        if (!lease_is_taken(node, next)) {
            continue;
        }
        const struct support *support = find(supports, &node->id);
        bool supported = support != NULL && support->incarnation == node->incarnation &&
                         now_ms < support->until_ms;
        bool graced = now_ms < supports->grace_until_ms;
        if ((supported || graced) && !is_gone(support, node->incarnation)) {
            return true;
        }
    }
    return false;
}

/* ---- the holder's side ---- */

void lease_init(struct lease *lease)
{
    *lease = (struct lease){0};
}

/* What a majority has granted: the middle of the voters' ends, the later ones first. */
static uint64_t majority_until(const struct lease *lease)
{
    uint64_t best = 0;
    for (size_t i = 0; i < lease->voter_count; i++) {
        size_t as_long = 0;
        for (size_t j = 0; j < lease->voter_count; j++) {
            as_long += lease->until_ms[j] >= lease->until_ms[i];
        }
        if (as_long > lease->voter_count / 2 && lease->until_ms[i] > best) {
            best = lease->until_ms[i];
        }
    }
    return best;
}

uint64_t lease_until_ms(const struct lease *lease)
{
    uint64_t until_ms = majority_until(lease);
    return until_ms > lease->carried_ms ? until_ms : lease->carried_ms;
}

static bool same_voters(const struct lease *lease, const struct view *view)
{
    bool same = lease->voter_count == view->voter_count;
    for (size_t i = 0; same && i < lease->voter_count; i++) {
        same = view_is_voter(view, &lease->voters[i]);
    }
    return same;
}

void lease_install(struct lease *lease, const struct view *view)
{
    if (same_voters(lease, view)) {
        return;
    }
    lease->carried_ms = lease_until_ms(lease);
    lease->voter_count = view->voter_count;
    memcpy(lease->voters, view->voters, sizeof(lease->voters));
    memset(lease->until_ms, 0, sizeof(lease->until_ms));
}

void lease_grant(struct lease *lease, const struct node_id *voter, uint64_t asked_ms,
                 uint64_t length_ms)
{
    uint64_t until_ms = asked_ms + length_ms * LEASE_HOLDER_PERMILLE / 1000;
    for (size_t i = 0; i < lease->voter_count; i++) {
        if (node_id_equal(&lease->voters[i], voter) && until_ms > lease->until_ms[i]) {
            lease->until_ms[i] = until_ms;
        }
    }
}

void lease_drop(struct lease *lease)
{
    memset(lease->until_ms, 0, sizeof(lease->until_ms));
    lease->carried_ms = 0;
}
