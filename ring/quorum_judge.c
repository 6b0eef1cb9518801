/* What is known of each node of the view, and whether another view is called for. */
#include "base/error.h"
#include "ring/quorum_internal.h"

#include <stdlib.h>

#define RANK_DELAY_MS 200 /* for each voter of a lower id, which should have proposed by then */
#define WISH_FRESH_MS 1500
#define READY_WAIT_MS 1000   /* for which slots that may move wait for those of other nodes */
#define REPORT_FRESH_MS 1500 /* an accusation that is not repeated is withdrawn */

bool quorum_hears(const struct quorum *quorum, const struct node_id *id)
{
    const struct support *support = supports_find(&quorum->supports, id);
    return node_id_equal(id, &quorum->options.self) ||
           (support != NULL && !support->ended &&
            quorum->now_ms < support->heard_ms + quorum->view->lease_ms);
}

size_t quorum_rank(const struct quorum *quorum)
{
    size_t rank = 0;
    for (size_t i = 0; i < quorum->view->voter_count; i++) {
        const struct node_id *voter = &quorum->view->voters[i];
        rank += node_id_compare(voter, &quorum->options.self) < 0 && quorum_hears(quorum, voter);
    }
    return rank;
}

/* ---- replicas that hold up writes ---- */

static size_t count_accusers(const struct quorum *quorum, const struct node_id *id)
{
    size_t count = 0;
    for (size_t i = 0; i < quorum->peers.count; i++) {
        const struct quorum_peer *peer = quorum->peers.items[i];
        int index = view_find(quorum->view, &peer->id);
        bool up = index >= 0 && quorum->view->nodes[index].status == NODE_UP;
        count += up && peer->report_ms != 0 && peer->report_epoch == quorum->view->epoch &&
                 quorum->now_ms < peer->report_ms + REPORT_FRESH_MS &&
                 quorum_peer_calls_slow(peer, id);
    }
    return count;
}

/* Two nodes that cannot reach each other accuse each other, and one has to give way: the one with
 * more accusers, else the one with the higher id. Never two at a time. */
bool quorum_is_accused(const struct quorum *quorum, const struct node_id *id)
{
    size_t accusers = count_accusers(quorum, id);
    if (accusers == 0) {
        return false;
    }
    for (size_t i = 0; i < quorum->view->node_count; i++) {
        const struct view_node *other = &quorum->view->nodes[i];
        size_t theirs = other->status != NODE_DOWN && !node_id_equal(&other->id, id)
                            ? count_accusers(quorum, &other->id)
                            : 0;
        if (theirs > accusers || (theirs == accusers && node_id_compare(&other->id, id) > 0)) {
            return false;
        }
    }
    return true;
}

/* ---- each node ---- */

/* What this voter itself says of the node: see list_silent. */
static bool differs_here(const struct quorum *quorum, const struct view_node *node)
{
    if (node->status == NODE_DOWN) {
        return quorum_hears(quorum, &node->id);
    }
    return !node_id_equal(&node->id, &quorum->options.self) &&
           supports_silent(&quorum->supports, &node->id, node->incarnation, quorum->view->lease_ms,
                           quorum->now_ms);
}

/* A majority of voters does not hear the node any more, or hears it again if it is down: by one
 * alone it would go down and come back without end. */
static bool majority_differs(const struct quorum *quorum, const struct view_node *node)
{
    size_t differing = 0;
    const struct view *view = quorum->view;
    for (size_t i = 0; i < view->voter_count; i++) {
        const struct node_id *voter = &view->voters[i];
        if (node_id_equal(voter, &quorum->options.self)) {
            differing += differs_here(quorum, node);
            continue;
        }
        const struct quorum_peer *peer = quorum_peers_find(&quorum->peers, voter);
        differing += peer != NULL && peer->silent_ms != 0 && peer->silent_epoch == view->epoch &&
                     quorum->now_ms < peer->silent_ms + view->lease_ms &&
                     quorum_peer_calls_silent(peer, &node->id);
    }
    return differing > view->voter_count / 2;
}

/* This voter knows that the incarnation of the view serves no more: no need to ask others. */
static bool known_gone(const struct quorum *quorum, const struct view_node *node)
{
    const struct support *support = supports_find(&quorum->supports, &node->id);
    return support != NULL && support->incarnation == node->incarnation && support->ended;
}

static struct member_state judge(struct quorum *quorum, const struct view_node *node)
{
    struct member_state state = {0};
    const struct support *support = supports_find(&quorum->supports, &node->id);
    struct quorum_peer *peer = quorum_peers_get(&quorum->peers, &node->id, 0);
    if (support != NULL) {
        state.incarnation = support->incarnation;
        state.heard = quorum_hears(quorum, &node->id);
    }
    bool differs = majority_differs(quorum, node);
    state.silent = known_gone(quorum, node) || (differs && node->status != NODE_DOWN);
    state.heard = node->status == NODE_DOWN ? differs : state.heard;
    state.accused = quorum_is_accused(quorum, &node->id) && support != NULL &&
                    quorum->now_ms >= support->until_ms;
    if (peer == NULL) {
        return state;
    }
    if (node->status != NODE_DOWN) {
        peer->down_since_ms = 0;
    } else if (peer->down_since_ms == 0) {
        peer->down_since_ms = quorum->now_ms;
    }
    state.down_ms = peer->down_since_ms == 0 ? 0 : quorum->now_ms - peer->down_since_ms;
    if (peer->incarnation == node->incarnation) {
        state.leaving = peer->leaving;
        state.complete_epoch = peer->complete_epoch;
        state.ready = peer->report_epoch == quorum->view->epoch ? peer->ready : NULL;
    }
    return state;
}

static const struct node_id *wish(const struct node_id *id)
{
    return node_id_is_zero(id) ? NULL : id;
}

/* One that is not repeated is withdrawn: whoever made it was told that nothing came of it. */
static const struct ring_wish *asked_ring(const struct quorum *quorum)
{
    bool fresh = quorum->now_ms < quorum->asked_ring_ms + WISH_FRESH_MS;
    return quorum->asked_ring.tag != 0 && fresh ? &quorum->asked_ring : NULL;
}

static bool all_ready(const struct view *view, const struct member_state *states)
{
    bool all = true;
    for (uint32_t slot = 0; slot < SLOT_COUNT && all; slot++) {
        uint16_t owners[COPIES_MAX];
        if (!view_slot_moved(view, (uint16_t)slot) &&
            view_owners(view, (uint16_t)slot, owners) > 0) {
            const uint8_t *ready = states[owners[0]].ready;
            all = ready != NULL && (ready[slot / 8] >> slot % 8 & 1) != 0;
        }
    }
    return all;
}

/* True while slots that may move are to wait for those of other nodes. */
static bool holds_back(struct quorum *quorum, const struct member_state *states)
{
    const struct view *view = quorum->view;
    bool any = false;
    for (size_t i = 0; i < view->node_count; i++) {
        any = any || states[i].ready != NULL;
    }
    if (!any || !view->changing || quorum->ready_epoch != view->epoch) {
        quorum->ready_epoch = any ? view->epoch : 0;
        quorum->ready_since_ms = quorum->now_ms;
    }
    return any && view->changing && quorum->now_ms < quorum->ready_since_ms + READY_WAIT_MS &&
           !all_ready(view, states);
}

static struct view *next_view(struct quorum *quorum, const struct member_fact *facts,
                              size_t fact_count)
{
    const struct view *view = quorum->view;
    struct member_state *states = calloc(view->node_count + 1, sizeof(*states));
    if (states == NULL) {
        return NULL;
    }
    for (size_t i = 0; i < view->node_count; i++) {
        states[i] = judge(quorum, &view->nodes[i]);
    }
    if (holds_back(quorum, states)) {
        for (size_t i = 0; i < view->node_count; i++) {
            states[i].ready = NULL;
        }
    }
    bool looked = quorum->looked_epoch == view->epoch;
    struct membership_input input = {.view = view,
                                     .states = states,
                                     .facts = facts,
                                     .fact_count = fact_count,
                                     .replace_after_ms = quorum->options.replace_after_ms,
                                     .prefer = wish(&quorum->asked_prefer),
                                     .forget = wish(&quorum->asked_forget),
                                     .ring = asked_ring(quorum),
                                     .looked = &looked};
    struct view *next = membership_next(&input);
    quorum->looked_epoch = looked ? view->epoch : 0;
    free(states);
    return next;
}

void quorum_consider(struct quorum *quorum, const struct member_fact *facts, size_t fact_count,
                     uint64_t now_ms)
{
    quorum->now_ms = now_ms;
    if (!quorum_is_voter(quorum) || quorum->left ||
        !agreement_is_idle(&quorum->agreement, now_ms)) {
        return;
    }
    struct view *next = next_view(quorum, facts, fact_count);
    if (next == NULL) {
        quorum->pending_since_ms = 0;
        return;
    }
    if (quorum->pending_since_ms == 0) {
        quorum->pending_since_ms = now_ms;
    }
    bool turn = now_ms >= quorum->pending_since_ms + RANK_DELAY_MS * quorum_rank(quorum);
    if (turn && quorum_may_accept(quorum, next) && view_seal_proposal(next) == TORC_OK) {
        quorum->counters.proposals++;
        agreement_propose(&quorum->agreement, next, now_ms);
    }
    view_release(next);
}
