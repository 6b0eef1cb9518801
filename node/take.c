#include "node/take.h"

#include "base/error.h"
#include "node/call.h"
#include "node/clock.h"
#include "node/commands/handlers.h"
#include "node/control.h"
#include "node/node.h"
#include "node/peers.h"
#include "node/request_text.h"
#include "node/worker.h"
#include "replication/takeover.h"

#include <stdlib.h>

#define REQUEST_LIMIT_MS 2000

struct ask {
    struct link_request request;
    struct take *take;
    uint16_t peer;
    bool active;    /* under way in the link */
    uint64_t epoch; /* of the view for which it was asked */
};

struct take {
    struct control *control;
    struct takeover *takeover;
    size_t unresolved;           /* slots, by the last look */
    struct ask *asks[NODES_MAX]; /* by peer; NULL until needed */
};

struct take *take_create(struct control *control)
{
    struct take *take = calloc(1, sizeof(*take));
    if (take == NULL) {
        return NULL;
    }
    take->control = control;
    take->takeover = takeover_create(&control->rim.takeover);
    if (take->takeover == NULL) {
        free(take);
        return NULL;
    }
    return take;
}

void take_destroy(struct take *take)
{
    if (take == NULL) {
        return;
    }
    for (size_t i = 0; i < NODES_MAX; i++) {
        free(take->asks[i]);
    }
    takeover_destroy(take->takeover);
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

void take_restart(struct take *take, const struct copy_view *installed)
{
    if (takeover_begin(take->takeover, installed) != TORC_OK) {
        log_error(&take->control->node->log, "out of memory for taking slots over: stopping");
        abort();
    }
    take->unresolved = takeover_unresolved(take->takeover);
}

static void on_answer(struct link_request *request, int result, const struct frame *frame)
{
    struct ask *ask = (struct ask *)((char *)request - offsetof(struct ask, request));
    struct bytes answer = {NULL, 0};
    if (result == TORC_OK) {
        answer = frame_bulk(frame);
    }
    ask->active = false;
    takeover_answered(ask->take->takeover, ask->peer, ask->epoch, answer, clock_monotonic_ms());
    control_wake(ask->take->control); /* what follows does not wait for a tick: clients do */
}

static void send_request(struct take *take, struct ask *ask, struct bytes body, uint64_t now_ms)
{
    struct control *control = take->control;
    char id[NODE_ID_TEXT_SIZE];
    node_id_format(&control->node->id, id);
    struct bytes argv[] = {BYTES_LITERAL("torc.take"), bytes_of(id), body};
    struct buf command = {0};
    request_append(&command, sizeof(argv) / sizeof(argv[0]), argv);
    ask->request.deadline_ms = now_ms + REQUEST_LIMIT_MS;
    ask->request.done = on_answer;
    ask->epoch = takeover_epoch(take->takeover);
    ask->active = true;
    struct link *link = control_link(control, ask->peer);
    if (!command.failed && link != NULL &&
        link_send(link, &ask->request, FRAME_NO_SLOT, 0, (struct bytes){NULL, 0},
                  buf_bytes(&command)) == TORC_OK) {
        link_flush(link);
    } else {
        ask->active = false;
        takeover_answered(take->takeover, ask->peer, ask->epoch, (struct bytes){NULL, 0}, now_ms);
    }
    buf_deinit(&command);
}

static void wake_workers(struct node *node)
{
    for (unsigned i = 0; i < node->worker_count; i++) {
        atomic_store(&node->workers[i]->view_came, true);
        worker_wake(node->workers[i]);
    }
}

void take_tick(struct take *take, uint64_t now_ms)
{
    struct node *node = take->control->node;
    const size_t unresolved = takeover_tick(take->takeover, now_ms);
    if (unresolved < take->unresolved) {
        wake_workers(node); /* members are to be attached */
    }
    take->unresolved = unresolved;
    const size_t peers = atomic_load(&node->peers->count);
    for (size_t i = 0; i < peers; i++) {
        struct buf request = {0};
        struct ask *ask = ask_of(take, (uint16_t)i);
        /* A request of an earlier view may still be in the link. */
        enum takeover_request kind =
            ask == NULL || ask->active
                ? TAKEOVER_NOTHING
                : takeover_request(take->takeover, (uint16_t)i, now_ms, &request);
        if (kind == TAKEOVER_STOP) {
            atomic_store(&node->moves.stopped_us, clock_monotonic_us());
        }
        if (kind != TAKEOVER_NOTHING) {
            send_request(take, ask, buf_bytes(&request), now_ms);
        }
        buf_deinit(&request);
    }
}

bool take_is_under_way(const struct take *take)
{
    return take->unresolved > 0;
}

bool take_waits_for(const struct take *take, uint16_t peer)
{
    return takeover_waits_for(take->takeover, peer);
}

/* torc.take NODE-ID REQUEST: the answering side. */
void torc_take_command(struct call *call)
{
    struct worker *worker = call->worker;
    struct node *node = worker_node(worker);
    struct node_id id;
    if (call->argc != 3) {
        call_reply_syntax_error(call);
        return;
    }
    struct peer *asker =
        node_id_parse(&id, call->argv[1]) == TORC_OK ? peers_find(node->peers, &id) : NULL;
    struct buf answer = {0};
    uint64_t epoch = atomic_load(&node->epoch);
    int result = asker == NULL ? TORC_ESTALE
                               : takeover_serve(&worker->rim.takeover, asker->index, epoch,
                                                call->argv[2], &answer);
    switch (result) {
    case TORC_OK:
        atomic_store(&asker->asked_epoch, epoch);
        reply_bulk(call->reply, buf_bytes(&answer));
        break;
    case TORC_ESTALE: reply_error(call->reply, "TRYAGAIN another view is installed here"); break;
    case TORC_ENOMEM: call_reply_no_memory(call); break;
    default: call_reply_syntax_error(call); break;
    }
    buf_deinit(&answer);
}
