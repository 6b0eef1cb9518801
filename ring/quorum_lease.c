/* Asking for the lease, and answering those who ask. */
#include "base/error.h"
#include "ring/quorum_internal.h"

#include <string.h>

/* As a voter: nodes of the view that are not down and silent, then those that are down and heard.
 */
static size_t list_silent(const struct quorum *quorum, struct node_id out[QUORUM_SILENT_MAX])
{
    const struct view *view = quorum->view;
    size_t count = 0;
    for (int down = 0; down < 2; down++) {
        for (size_t i = 0; i < view->node_count && count < QUORUM_SILENT_MAX; i++) {
            const struct view_node *node = &view->nodes[i];
            bool differs = down == 1
                               ? quorum_hears(quorum, &node->id)
                               : supports_silent(&quorum->supports, &node->id, node->incarnation,
                                                 view->lease_ms, quorum->now_ms);
            if (differs && (node->status == NODE_DOWN) == (down == 1) &&
                !node_id_equal(&node->id, &quorum->options.self)) {
                out[count++] = node->id;
            }
        }
    }
    return count;
}

static bool has_answered(const struct quorum *quorum, size_t voter)
{
    uint64_t answered_ms = quorum->answered_ms[voter];
    return node_id_equal(&quorum->view->voters[voter], &quorum->options.self) ||
           (answered_ms != 0 && quorum->now_ms < answered_ms + quorum->view->lease_ms);
}

void quorum_ask_lease(struct quorum *quorum, bool farewell)
{
    struct quorum_wire wire = quorum_wire_begin(quorum, QUORUM_LEASE_REQUEST);
    wire.asked_ms = quorum->now_ms;
    wire.leaving = quorum->leaving;
    wire.farewell = farewell;
    wire.complete_epoch = quorum->complete_epoch;
    wire.silent_count = quorum_is_voter(quorum) ? list_silent(quorum, wire.silent) : 0;
    for (size_t i = 0; i < quorum->view->voter_count; i++) {
        const struct node_id *voter = &quorum->view->voters[i];
        wire.answered = has_answered(quorum, i);
        quorum->counters.lease_requests++;
        if (node_id_equal(voter, &quorum->options.self)) {
            (void)quorum_handle_request(quorum, &wire); /* without memory it has no lease */
        } else {
            quorum_send(quorum, voter, &wire);
        }
    }
}

/* May this node be supported for another lease, as far as this voter is concerned? */
static bool may_support(const struct quorum *quorum, const struct quorum_wire *wire)
{
    const struct view *view = quorum->view;
    int index = view_find(view, &wire->sender);
    if (!quorum_is_voter(quorum) || index < 0 ||
        view->nodes[index].incarnation != wire->incarnation || wire->epoch < view->epoch) {
        return false;
    }
    if (wire->epoch == view->epoch && quorum->agreement.accepted_view != NULL &&
        !quorum->options.break_renew_after_accept) {
        return false; /* support belongs to an epoch, and this voter has voted to end this one */
    }
    if (quorum_withholds(quorum, &view->nodes[index])) {
        return false;
    }
    return wire->epoch > view->epoch ||
           (view->nodes[index].status == NODE_UP && !quorum_is_accused(quorum, &wire->sender));
}

static void note_peer(struct quorum *quorum, const struct quorum_wire *wire)
{
    struct quorum_peer *peer = quorum_peers_get(&quorum->peers, &wire->sender, wire->incarnation);
    if (peer == NULL || peer->incarnation != wire->incarnation) {
        return;
    }
    peer->complete_epoch = wire->complete_epoch;
    peer->leaving = wire->leaving;
    peer->silent_ms = quorum->now_ms;
    peer->silent_epoch = wire->epoch;
    peer->silent_count = wire->silent_count;
    memcpy(peer->silent, wire->silent, wire->silent_count * sizeof(wire->silent[0]));
}

int quorum_handle_request(struct quorum *quorum, const struct quorum_wire *wire)
{
    if (view_find(quorum->view, &wire->sender) < 0 && wire->epoch <= quorum->view->epoch) {
        return TORC_OK; /* not of this view: it will hear of the newer one through gossip */
    }
    if (wire->farewell) {
        supports_end(&quorum->supports, &wire->sender, wire->incarnation);
        return TORC_OK;
    }
    /* Who does not hear this voter cannot hold a lease of it, and counts as silent: or one that
     * hears nobody would never be replaced. */
    bool grant = false;
    if (wire->answered) {
        grant = may_support(quorum, wire);
        int result = supports_note(&quorum->supports, &wire->sender, wire->incarnation,
                                   grant ? quorum->view->lease_ms : 0, quorum->now_ms);
        if (result != TORC_OK) {
            return result == TORC_ESTALE ? TORC_OK : result;
        }
        note_peer(quorum, wire);
    }
    quorum->counters.lease_grants += grant;
    quorum->counters.lease_refusals += !grant;
    struct quorum_wire answer = quorum_wire_begin(quorum, QUORUM_LEASE_ANSWER);
    answer.asked_ms = wire->asked_ms;
    answer.asker = wire->incarnation;
    answer.granted = grant;
    if (node_id_equal(&wire->sender, &quorum->options.self)) {
        quorum_handle_answer(quorum, &answer);
    } else {
        quorum_send(quorum, &wire->sender, &answer);
    }
    return TORC_OK;
}

void quorum_handle_answer(struct quorum *quorum, const struct quorum_wire *wire)
{
    for (size_t i = 0; i < quorum->view->voter_count; i++) {
        if (node_id_equal(&quorum->view->voters[i], &wire->sender)) {
            if (!has_answered(quorum, i)) {
                quorum->lease_at_ms = quorum->now_ms; /* it counts from the next request on */
            }
            quorum->answered_ms[i] = quorum->now_ms;
        }
    }
    bool ours = wire->asker == quorum->options.incarnation; /* and not an earlier run's */
    if (wire->granted && ours && wire->asked_ms <= quorum->now_ms && !quorum->left) {
        lease_grant(&quorum->lease, &wire->sender, wire->asked_ms, quorum->view->lease_ms);
    }
}
