#include "ring/membership.h"

#include "base/error.h"
#include "ring/voters.h"

#include <string.h>

static const struct member_fact *fact_of(const struct membership_input *input,
                                         const struct node_id *id)
{
    size_t low = 0;
    size_t high = input->fact_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = node_id_compare(&input->facts[middle].node.id, id);
        if (order == 0) {
            return &input->facts[middle];
        }
        if (order < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return NULL;
}

static bool is_lawful(const struct member_fact *fact)
{
    struct view_node node = fact->node;
    node.status = NODE_UP;
    node.weight_target = 0;
    return view_node_is_lawful(&node);
}

static void describe(struct view_node *node, const struct member_fact *fact)
{
    node->incarnation = fact->node.incarnation;
    memcpy(node->host, fact->node.host, sizeof(node->host));
    memcpy(node->zone, fact->node.zone, sizeof(node->zone));
    node->client_port = fact->node.client_port;
    node->direct_port = fact->node.direct_port;
    node->http_port = fact->node.http_port;
    node->bus_port = fact->node.bus_port;
}

static void take_down(struct view_node *node, uint64_t epoch)
{
    if (node->status == NODE_UP) {
        node->last_up = epoch;
    }
    node->status = NODE_DOWN;
    node->preferred = false;
}

/* A process that started anew has nothing of what it held, whatever it remembers. */
static bool restart(struct view_node *node, const struct member_state *state,
                    const struct member_fact *fact, uint64_t epoch)
{
    bool described = fact != NULL && fact->node.incarnation > node->incarnation && is_lawful(fact);
    if (!described && state->incarnation <= node->incarnation) {
        return false;
    }
    bool changed = node->status != NODE_DOWN || !node->lost || described;
    take_down(node, epoch);
    node->lost = true;
    if (described) {
        describe(node, fact);
        node->status = NODE_SYNCING;
        node->leaving = false;
    }
    return changed;
}

static bool update_status(struct view_node *node, const struct member_state *state, uint64_t epoch)
{
    bool in_the_way = node->status == NODE_SYNCING && state->accused;
    if (node->status != NODE_DOWN && (state->silent || in_the_way)) {
        take_down(node, epoch);
        return true;
    }
    if (node->status == NODE_DOWN && state->heard && state->incarnation == node->incarnation) {
        node->status = NODE_SYNCING;
        node->leaving = false;
        return true;
    }
    /* One that is given up owns nothing, and so is complete; up it would be an owner again. */
    if (node->status == NODE_SYNCING && state->complete_epoch == epoch && state->heard &&
        !view_node_is_given_up(node)) {
        node->status = NODE_UP;
        node->last_up = 0;
        node->lost = false;
        return true;
    }
    if (node->status == NODE_UP && state->accused) {
        node->last_up = epoch;
        node->status = NODE_SYNCING;
        node->preferred = false;
        return true;
    }
    return false;
}

static bool update_wishes(const struct membership_input *input, struct view *next, size_t index)
{
    struct view_node *node = &next->nodes[index];
    bool changed = false;
    /* What is known of wishes is of the run that the view speaks of: one that starts anew has none.
     */
    bool same_run = node->incarnation == input->view->nodes[index].incarnation;
    if (input->states[index].leaving && same_run && !node->leaving && node->status != NODE_DOWN) {
        node->leaving = true;
        node->preferred = false;
        changed = true;
    }
    if (input->forget != NULL && node_id_equal(input->forget, &node->id) &&
        !view_node_is_given_up(node) && node->status == NODE_DOWN) {
        node->removing = true;
        node->lost = true;
        changed = true;
    }
    bool given_up = input->replace_after_ms > 0 && node->status == NODE_DOWN && !node->lost &&
                    input->states[index].down_ms >= input->replace_after_ms;
    if (given_up) {
        node->lost = true;
        changed = true;
    }
    return changed;
}

static bool update_preferred(const struct membership_input *input, struct view *next)
{
    int wanted = input->prefer == NULL ? -1 : view_find(next, input->prefer);
    if (wanted < 0 || next->nodes[wanted].status != NODE_UP || next->nodes[wanted].leaving ||
        next->nodes[wanted].preferred) {
        return false;
    }
    for (size_t i = 0; i < next->node_count; i++) {
        next->nodes[i].preferred = (int)i == wanted;
    }
    return true;
}

static bool update_nodes(const struct membership_input *input, struct view *next)
{
    bool changed = false;
    uint64_t epoch = input->view->epoch;
    for (size_t i = 0; i < next->node_count; i++) {
        struct view_node *node = &next->nodes[i];
        const struct member_state *state = &input->states[i];
        changed = restart(node, state, fact_of(input, &node->id), epoch) ||
                  update_status(node, state, epoch) || changed;
        changed = update_wishes(input, next, i) || changed;
    }
    return update_preferred(input, next) || changed;
}

/* Everybody that is up has carried out the present view. */
static bool is_settled(const struct membership_input *input)
{
    for (size_t i = 0; i < input->view->node_count; i++) {
        if (input->view->nodes[i].status == NODE_UP &&
            input->states[i].complete_epoch != input->view->epoch) {
            return false;
        }
    }
    return true;
}

/* ---- a ring change under way ---- */

/* True if nothing of the slot is left with those the current ring gives it to. */
static bool is_gone(const struct view *view, uint16_t slot)
{
    uint16_t placed[COPIES_MAX];
    size_t count = view_owners_placed(view, slot, placed);
    for (size_t i = 0; i < count; i++) {
        const struct view_node *node = &view->nodes[placed[i]];
        if (node->status != NODE_DOWN || !node->lost) {
            return false;
        }
    }
    return true;
}

/* Both rings place the slot alike: nothing has to be done for it to move. */
static bool stays(const struct view *view, uint16_t slot)
{
    uint16_t from[COPIES_MAX];
    uint16_t to[COPIES_MAX];
    size_t from_count = view_owners_placed(view, slot, from);
    size_t to_count = view_owners_target(view, slot, to);
    return from_count == to_count && memcmp(from, to, from_count * sizeof(from[0])) == 0;
}

/* Nobody has to be asked. */
static bool moves_by_itself(const struct view *view, uint16_t slot)
{
    uint16_t owners[COPIES_MAX];
    return stays(view, slot) || (view_owners(view, slot, owners) == 0 && is_gone(view, slot));
}

/* True if the slot is served and everybody whom the other ring gives it to is given up. */
static bool cannot_go(const struct view *view, uint16_t slot)
{
    uint16_t nodes[COPIES_MAX];
    size_t count = view_owners(view, slot, nodes);
    if (count == 0 || view->nodes[nodes[0]].status != NODE_UP) {
        return false;
    }
    count = view_owners_other(view, slot, nodes);
    for (size_t i = 0; i < count; i++) {
        const struct view_node *node = &view->nodes[nodes[i]];
        if (node->status != NODE_DOWN || !node->lost) {
            return false;
        }
    }
    return true;
}

/* The change cannot come to its end, for those who were to have some slot are lost; the way back is
 * open. */
static bool must_turn_back(const struct view *view)
{
    bool stuck = false;
    for (uint32_t slot = 0; slot < SLOT_COUNT; slot++) {
        bool shut = cannot_go(view, (uint16_t)slot);
        if (shut && view_slot_moved(view, (uint16_t)slot)) {
            return false;
        }
        stuck = stuck || shut;
    }
    return stuck;
}

/* Slots whose primary says so, and is the same in the next view. */
static bool move_ready(const struct membership_input *input, struct view *next)
{
    const struct view *view = input->view;
    bool moved = false;
    for (size_t i = 0; i < view->node_count; i++) {
        const uint8_t *ready = input->states[i].ready;
        for (uint32_t slot = 0; ready != NULL && slot < SLOT_COUNT; slot++) {
            uint16_t owners[COPIES_MAX];
            if ((ready[slot / 8] >> slot % 8 & 1) != 0 && !view_slot_moved(view, (uint16_t)slot) &&
                view_owners(view, (uint16_t)slot, owners) > 0 && owners[0] == i) {
                view_set_slot_moved(next, (uint16_t)slot);
                moved = true;
            }
        }
    }
    return moved;
}

static bool move_by_themselves(const struct view *view, struct view *next)
{
    bool moved = false;
    for (uint32_t slot = 0; slot < SLOT_COUNT; slot++) {
        if (!view_slot_moved(view, (uint16_t)slot) && moves_by_itself(view, (uint16_t)slot)) {
            view_set_slot_moved(next, (uint16_t)slot);
            moved = true;
        }
    }
    return moved;
}

static bool all_moved(const struct view *view)
{
    bool all = true;
    for (size_t i = 0; i < sizeof(view->moved); i++) {
        all = all && view->moved[i] == 0xff;
    }
    return all;
}

static bool move_slots(const struct membership_input *input, struct view *next)
{
    const struct view *view = input->view;
    if (all_moved(view)) {
        bool settled = is_settled(input);
        if (settled) {
            view_finish_change(next);
        }
        return settled;
    }
    bool look = input->looked == NULL || !*input->looked;
    bool changed = move_ready(input, next);
    changed = (look && move_by_themselves(view, next)) || changed;
    if (look && !changed && must_turn_back(view)) {
        view_turn_back(next);
        changed = true;
    }
    if (!changed && input->looked != NULL) {
        *input->looked = true;
    }
    return changed;
}

/* ---- the beginning of a ring change ---- */

/* True if the node leads slots that no other node that is up owns. */
static bool leads_alone(const struct view *view, size_t index)
{
    for (uint32_t slot = 0; slot < SLOT_COUNT; slot++) {
        uint16_t owners[COPIES_MAX];
        if (view_owners(view, (uint16_t)slot, owners) == 1 && owners[0] == index) {
            return true;
        }
    }
    return false;
}

/* If it is heard again it is as if it asked for the first time. */
static void lose_share(struct view_node *node)
{
    if (node->weight_current > 0) {
        node->weight_asked = 0;
    }
    node->weight_target = 0;
}

/* What the node itself, or what has become of it, makes of its weight; true if that changes the
 * view. */
static bool want_weight(const struct membership_input *input, struct view *next, size_t index)
{
    struct view_node *node = &next->nodes[index];
    const struct member_fact *fact = fact_of(input, &node->id);
    bool given_up = node->status == NODE_DOWN && node->lost && input->replace_after_ms > 0 &&
                    input->states[index].down_ms >= input->replace_after_ms;
    bool alone = node->leaving && node->status == NODE_UP && input->view->nodes[index].leaving &&
                 node->weight_current > 0 && leads_alone(input->view, index);
    node->weight_target = node->weight_current;
    if (node->removing || given_up || alone) {
        lose_share(node);
    } else if (!node->leaving && node->status == NODE_UP && fact != NULL && is_lawful(fact) &&
               fact->node.weight_asked != node->weight_asked) {
        node->weight_asked = fact->node.weight_asked;
        if (!fact->waits) {
            node->weight_target = node->weight_asked;
        }
        return true;
    }
    return node->weight_target != node->weight_current;
}

/* Members that are not in the view yet, as they ask for. */
static bool admit(const struct membership_input *input, struct view *next)
{
    bool admitted = false;
    for (size_t i = 0; i < input->fact_count; i++) {
        const struct member_fact *fact = &input->facts[i];
        if (view_find(input->view, &fact->node.id) >= 0 ||
            view_was_removed(input->view, &fact->node.id)) {
            continue;
        }
        struct view_node joiner = {.id = fact->node.id,
                                   .status = NODE_UP,
                                   .weight_asked = fact->node.weight_asked,
                                   .weight_target = fact->waits ? 0 : fact->node.weight_asked};
        if (!is_lawful(fact)) {
            continue; /* it would keep every other change from being made */
        }
        describe(&joiner, fact);
        admitted = view_put_node(next, &joiner) == TORC_OK || admitted;
    }
    return admitted;
}

/* True if some node that stays would have slots. */
static bool anybody_left(const struct view *next)
{
    for (size_t i = 0; i < next->node_count; i++) {
        if (next->nodes[i].weight_target > 0 && next->nodes[i].status != NODE_DOWN) {
            return true;
        }
    }
    return false;
}

static bool remove_nodes(struct view *next)
{
    bool removed = false;
    for (size_t i = next->node_count; i > 0; i--) {
        struct node_id id = next->nodes[i - 1].id;
        if (next->nodes[i - 1].removing && next->nodes[i - 1].weight_current == 0 &&
            !view_is_voter(next, &id)) {
            removed = view_note_removed(next, &id) == TORC_OK && view_remove_node(next, &id);
        }
    }
    return removed;
}

static bool weights_differ(const struct view *next)
{
    bool differ = false;
    for (size_t i = 0; i < next->node_count; i++) {
        differ = differ || next->nodes[i].weight_target != next->nodes[i].weight_current;
    }
    return differ;
}

/* Not now: nobody would be left to have the slots. */
static void put_back(const struct view *view, struct view *next)
{
    for (size_t i = 0; i < view->node_count; i++) {
        int index = view_find(next, &view->nodes[i].id);
        next->nodes[index] = view->nodes[i];
    }
}

static bool begin_change(const struct membership_input *input, struct view *next)
{
    bool changed = false;
    for (size_t i = 0; i < next->node_count; i++) {
        changed = want_weight(input, next, i) || changed;
    }
    changed = admit(input, next) || changed;
    if (input->ring != NULL && ring_wish_check(input->ring, input->view) == TORC_OK) {
        ring_wish_apply(input->ring, next);
        changed = true;
    }
    if (weights_differ(next) && !anybody_left(next)) {
        put_back(input->view, next);
        changed = false;
    }
    next->changing = weights_differ(next);
    for (size_t i = 0; next->changing && i < next->node_count; i++) {
        next->nodes[i].preferred = false; /* the balance is made anew */
    }
    return changed || remove_nodes(next);
}

static bool turn_back(const struct membership_input *input, struct view *next)
{
    if (input->ring == NULL || !input->ring->cancel ||
        ring_wish_check(input->ring, input->view) != TORC_OK) {
        return false;
    }
    ring_wish_apply(input->ring, next);
    view_turn_back(next);
    return true;
}

struct view *membership_next(const struct membership_input *input)
{
    struct view *next = view_clone(input->view);
    if (next == NULL) {
        return NULL;
    }
    bool settled = is_settled(input);
    bool changed = update_nodes(input, next);
    /* Owners change for one reason at a time: who leads is then known to whoever takes over. */
    if (!changed && input->view->changing) {
        changed = turn_back(input, next) || move_slots(input, next);
    } else if (!changed && settled) {
        changed = begin_change(input, next);
    }
    changed = voters_choose(next) || changed;
    if (!changed) {
        view_release(next);
        return NULL;
    }
    if (settled) {
        next->settled_epoch = input->view->epoch;
    }
    next->epoch = input->view->epoch + 1;
    return next;
}
