#include "node/take.h"

#include "base/codec.h"
#include "base/error.h"
#include "node/clock.h"
#include "node/control.h"
#include "node/node.h"
#include "node/peers.h"
#include "node/request_text.h"
#include "node/resp/number.h"
#include "node/transfer.h"

#include <stdlib.h>

#define ASK_AGAIN_MS 20        /* after an answer that was no answer */
#define SEND_AGAIN_MS 2000     /* a slot that was promised and did not come */
#define RECEIVE_LIMIT_MS 60000 /* a slot whose refill began and does not end */
#define REQUEST_LIMIT_MS 2000
#define SLOTS_PER_REQUEST 1024 /* sent for at a time, so that other requests are not held up */

/* Who has the latest of a slot, as far as was heard. */
struct found {
    struct standing standing;
    uint16_t peer;        /* PEER_NONE: we ourselves, or nobody */
    uint64_t sent_for_ms; /* when it was last asked for; 0 = not yet */
};

struct ask {
    struct link_request request;
    struct take *take;
    uint16_t peer;
    bool active;   /* a request is under way */
    bool answered; /* the query is */
    bool sending;  /* the request under way is a send */
    uint64_t again_ms;
    uint64_t epoch; /* of the view for which it was asked */
    size_t count;
    uint16_t slots[SLOTS_PER_REQUEST]; /* of the send under way */
    struct buf standings;              /* of those slots, while they are collected */
};

struct take {
    struct control *control;
    const struct view *view; /* retained; NULL before the first */
    uint16_t *query;         /* the slots asked about, SLOT_COUNT long */
    size_t query_count;
    bool resolved;   /* all have answered the query */
    size_t missing;  /* slots still to be taken over, at the last look */
    size_t unserved; /* of those, the ones to lead */
    bool done;
    struct found *found; /* by slot */
    struct ask **asks;   /* by peer, NODES_MAX long */
};

struct take *take_create(struct control *control)
{
    struct take *take = calloc(1, sizeof(*take));
    if (take == NULL) {
        return NULL;
    }
    take->control = control;
    take->query = calloc(SLOT_COUNT, sizeof(*take->query));
    take->found = calloc(SLOT_COUNT, sizeof(*take->found));
    take->asks = calloc(NODES_MAX, sizeof(struct ask *));
    if (take->query == NULL || take->found == NULL || take->asks == NULL) {
        take_destroy(take);
        return NULL;
    }
    take->done = true;
    return take;
}

void take_destroy(struct take *take)
{
    if (take == NULL) {
        return;
    }
    for (size_t i = 0; take->asks != NULL && i < NODES_MAX; i++) {
        if (take->asks[i] != NULL) {
            buf_deinit(&take->asks[i]->standings);
            free(take->asks[i]);
        }
    }
    view_release(take->view);
    free(take->query);
    free(take->found);
    free(take->asks);
    free(take);
}

static struct ask *ask_of(struct take *take, uint16_t peer)
{
    if (take->asks[peer] == NULL) {
        struct ask *ask = calloc(1, sizeof(*ask));
        if (ask != NULL) {
            ask->take = take;
            ask->peer = peer;
        }
        take->asks[peer] = ask;
    }
    return take->asks[peer];
}

void take_restart(struct take *take)
{
    struct node *node = take->control->node;
    view_release(take->view);
    take->view = node_view(node);
    take->query_count = 0;
    take->resolved = false;
    take->done = false;
    for (unsigned i = 0; i < SLOT_COUNT; i++) {
        struct slot *slot = &node->slots[i];
        slot_lock(slot);
        take->found[i] = (struct found){.peer = PEER_NONE};
        slot->receiving = false; /* a refill under way begins anew under the new view */
        if (slot->role == SLOT_PRIMARY && slot->need_take) {
            take->query[take->query_count++] = (uint16_t)i;
        }
        slot_unlock(slot);
    }
    for (size_t i = 0; i < NODES_MAX; i++) {
        if (take->asks[i] != NULL) {
            take->asks[i]->answered = false;
            take->asks[i]->again_ms = 0;
        }
    }
}

/* ---- answers ---- */

static void note_query_answer(struct take *take, uint16_t peer, struct bytes answer)
{
    for (size_t i = 0; i < take->query_count; i++) {
        struct found *found = &take->found[take->query[i]];
        struct standing theirs;
        standing_decode(answer.data + i * STANDING_SIZE, &theirs);
        if (theirs.complete && standing_compare(&theirs, &found->standing) > 0) {
            found->standing = theirs;
            found->peer = peer;
        }
    }
}

/* The slots of the last request are to be asked for again. */
static void forget_sent(struct take *take, struct ask *ask)
{
    for (size_t i = 0; i < ask->count; i++) {
        take->found[ask->slots[i]].sent_for_ms = 0;
    }
    ask->count = 0;
}

static void note_send_answer(struct take *take, struct ask *ask, struct bytes answer)
{
    for (size_t i = 0; i < ask->count; i++) {
        if (answer.data[i] != SEND_DONE) {
            take->found[ask->slots[i]].sent_for_ms = 0;
        }
    }
    ask->count = 0;
}

static void on_answer(struct link_request *request, int result, const struct frame *frame)
{
    struct ask *ask = (struct ask *)((char *)request - offsetof(struct ask, request));
    struct take *take = ask->take;
    ask->active = false;
    ask->again_ms = clock_monotonic_ms() + ASK_AGAIN_MS;
    if (take->view == NULL || ask->epoch != take->view->epoch) {
        ask->count = 0;
        return; /* about a view that is past */
    }
    struct bytes answer =
        result == TORC_OK ? frame_bulk(frame) : (struct bytes){.data = NULL, .size = 0};
    if (ask->sending && answer.data != NULL && answer.size == ask->count) {
        note_send_answer(take, ask, answer);
    } else if (ask->sending) {
        forget_sent(take, ask);
    } else if (answer.data != NULL && answer.size == take->query_count * STANDING_SIZE) {
        ask->answered = true;
        note_query_answer(take, ask->peer, answer);
        ask->again_ms = 0;
    }
}

/* ---- requests ---- */

static void send_ask(struct take *take, struct ask *ask, const char *verb, struct bytes slots,
                     uint64_t now_ms)
{
    struct control *control = take->control;
    char epoch[NUMBER_INT64_SIZE];
    char id[NODE_ID_TEXT_SIZE];
    node_id_format(&control->node->id, id);
    struct bytes argv[] = {BYTES_LITERAL("torc.take"),
                           bytes_of(verb),
                           {epoch, format_int64(epoch, (int64_t)take->view->epoch)},
                           bytes_of(id),
                           slots};
    struct buf command = {0};
    request_append(&command, sizeof(argv) / sizeof(argv[0]), argv);
    ask->request.deadline_ms = now_ms + REQUEST_LIMIT_MS;
    ask->request.done = on_answer;
    ask->epoch = take->view->epoch;
    struct link *link = control_link(control, ask->peer);
    if (!command.failed && link != NULL &&
        link_send(link, &ask->request, FRAME_NO_SLOT, 0, buf_bytes(&command)) == TORC_OK) {
        ask->active = true;
        link_flush(link);
    } else {
        ask->again_ms = now_ms + ASK_AGAIN_MS;
    }
    buf_deinit(&command);
}

static void send_query(struct take *take, struct ask *ask, uint64_t now_ms)
{
    struct buf slots = {0};
    for (size_t i = 0; i < take->query_count; i++) {
        write_u16(&slots, take->query[i]);
    }
    ask->sending = false;
    if (!slots.failed) {
        send_ask(take, ask, "query", buf_bytes(&slots), now_ms);
    }
    buf_deinit(&slots);
}

/* Asks the others that are up; true when all have answered. */
static bool query_all(struct take *take, uint64_t now_ms)
{
    struct node *node = take->control->node;
    bool all = true;
    for (size_t i = 0; i < take->view->node_count; i++) {
        const struct view_node *other = &take->view->nodes[i];
        if (other->status != NODE_UP || node_id_equal(&other->id, &node->id)) {
            continue;
        }
        struct peer *peer = peers_find(node->peers, &other->id);
        struct ask *ask = peer == NULL ? NULL : ask_of(take, peer->index);
        if (ask == NULL || !ask->answered) {
            all = false;
        }
        if (ask != NULL && !ask->answered && !ask->active && now_ms >= ask->again_ms) {
            send_query(take, ask, now_ms);
        }
    }
    return all;
}

/* Everybody has stopped serving these slots: serve what we hold as much of as anybody. */
static void resolve(struct take *take)
{
    struct node *node = take->control->node;
    size_t lost = 0;
    for (size_t i = 0; i < take->query_count; i++) {
        struct slot *slot = &node->slots[take->query[i]];
        struct found *found = &take->found[take->query[i]];
        slot_lock(slot);
        struct standing ours = slot_standing(slot);
        bool still =
            slot->role == SLOT_PRIMARY && slot->need_take && slot->epoch == take->view->epoch;
        if (still && !ours.complete && found->peer == PEER_NONE) {
            /* Nobody holds it any more: what a cache has lost it begins anew. */
            keyspace_clear(slot->keys);
            slot->complete = true;
            lost += slot->sequence > 0;
            slot->sequence = 0;
            slot->effect_epoch = 0;
            slot->need_take = false;
        } else if (still && standing_compare(&ours, &found->standing) > 0) {
            slot->need_take = false;
            slot->source = PEER_NONE;
        } else if (still) {
            slot->source = found->peer;
        }
        slot_unlock(slot);
    }
    if (lost > 0) {
        log_warning(&node->log, "%zu slots had no copy left and begin empty", lost);
    }
}

/* True if the slot is to be sent for now; *ours is what we hold of it, *source who is asked. */
static bool is_due(struct take *take, struct slot *slot, uint64_t now_ms, struct standing *ours,
                   uint16_t *source)
{
    const struct found *found = &take->found[slot->index];
    bool due = false;
    slot_lock(slot);
    if (slot->role != SLOT_NONE && slot->need_take) {
        take->missing++;
        take->unserved += slot->role == SLOT_PRIMARY;
        /* Of a slot to lead the source is known only when all have answered. */
        *source = slot->role == SLOT_REPLICA ? slot->leader : slot->source;
        due = *source != PEER_NONE && (slot->role == SLOT_REPLICA || take->resolved) &&
              (found->sent_for_ms == 0 ||
               now_ms - found->sent_for_ms >= (slot->receiving ? RECEIVE_LIMIT_MS : SEND_AGAIN_MS));
        *ours = slot_standing(slot);
    }
    slot_unlock(slot);
    return due;
}

/* Collects the slots that are due into one request for each source. */
static void collect_due(struct take *take, uint64_t now_ms)
{
    take->missing = 0;
    take->unserved = 0;
    for (unsigned i = 0; i < SLOT_COUNT; i++) {
        struct standing ours;
        uint16_t source = PEER_NONE;
        if (!is_due(take, &take->control->node->slots[i], now_ms, &ours, &source)) {
            continue;
        }
        struct ask *ask = ask_of(take, source);
        if (ask == NULL || ask->active || now_ms < ask->again_ms ||
            ask->count == SLOTS_PER_REQUEST) {
            continue;
        }
        write_u16(&ask->standings, (uint16_t)i);
        standing_encode(&ask->standings, &ours);
        ask->slots[ask->count++] = (uint16_t)i;
        take->found[i].sent_for_ms = now_ms;
    }
}

static void send_collected(struct take *take, uint64_t now_ms)
{
    size_t peers = atomic_load(&take->control->node->peers->count);
    for (size_t i = 0; i < peers; i++) {
        struct ask *ask = take->asks[i];
        if (ask == NULL || ask->active || ask->count == 0) {
            continue;
        }
        ask->sending = true;
        if (!ask->standings.failed) {
            send_ask(take, ask, "send", buf_bytes(&ask->standings), now_ms);
        }
        if (!ask->active) {
            forget_sent(take, ask);
        }
        buf_reset(&ask->standings, 0);
    }
}

bool take_tick(struct take *take, uint64_t now_ms)
{
    if (take->done || take->view == NULL) {
        return take->view != NULL && take->done;
    }
    if (!take->resolved && (take->query_count == 0 || query_all(take, now_ms))) {
        resolve(take);
        take->resolved = true;
    }
    collect_due(take, now_ms);
    atomic_store(&take->control->node->unserved_slots, take->unserved);
    send_collected(take, now_ms);
    take->done = take->resolved && take->missing == 0;
    return take->done;
}
