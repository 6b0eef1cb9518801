#include "node/operation.h"

#include "base/error.h"
#include "node/blocking.h"
#include "node/bus_server.h"
#include "node/clock.h"
#include "node/connection.h"
#include "node/execute.h"
#include "node/far.h"
#include "node/gather.h"
#include "node/peers.h"
#include "node/worker.h"
#include "ring/slot.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <xxhash.h>

static const char unacknowledged[] = "UNCERTAIN the replicas did not acknowledge in time, or this "
                                     "node lost its lease; a write may or "
                                     "may not be kept";

struct operation *operation_create(struct worker *worker, enum asker asker)
{
    struct operation *operation = calloc(1, sizeof(*operation));
    if (operation != NULL) {
        operation->worker = worker;
        operation->asker = asker;
        operation->sequence = ++worker->last_sequence;
        operation->slot = FRAME_NO_SLOT;
        operation->target = PEER_NONE;
        operation->reply_count = 1;
        operation->deadline_ms =
            clock_monotonic_ms() +
            atomic_load_explicit(&worker->node->config.proxy_timeout_ms, memory_order_relaxed);
    }
    return operation;
}

/* ---- names of writes ---- */

static struct names *names_for(const struct operation *operation)
{
    struct worker *worker = operation->worker;
    return operation->blocked != NULL ? &worker->wait_names : &worker->names;
}

static uint64_t make_origin(const struct operation *operation)
{
    const struct worker *worker = operation->worker;
    struct {
        struct node_id id;
        uint32_t worker;
        uint64_t incarnation;
    } origin;
    memset(&origin, 0, sizeof(origin));
    origin.id = worker->node->id;
    origin.worker = worker->index + (operation->blocked != NULL ? 1u << 31 : 0);
    origin.incarnation = worker->node->incarnation;
    return XXH3_64bits(&origin, sizeof(origin)) & ~ONCE_ORIGIN_CLIENT;
}

/* Names the write when it is about to leave this node for the first time. */
static void name_write(struct operation *operation)
{
    struct names *names = names_for(operation);
    if (operation->once.id != 0 || operation->asker == ASKER_PEER ||
        operation->slot == FRAME_NO_SLOT || (operation->command->flags & COMMAND_WRITE) == 0) {
        return;
    }
    if (names->origin == 0) {
        names->origin = make_origin(operation);
    }
    operation->once = (struct once){.origin = names->origin, .id = ++names->last_id};
    operation->named_ms = clock_monotonic_ms();
    operation->listed = true;
    operation->once_previous = names->last;
    if (names->last != NULL) {
        names->last->once_next = operation;
    } else {
        names->first = operation;
    }
    names->last = operation;
}

void operation_set_name(struct operation *operation, const struct once *once, uint64_t age_ms)
{
    const uint64_t now_ms = clock_monotonic_ms();
    operation->once = *once;
    operation->named_ms = now_ms > age_ms ? now_ms - age_ms : 0;
}

void operation_forget_name(struct operation *operation)
{
    struct names *names = names_for(operation);
    if (!operation->listed) {
        return; /* none, or another node's or a client's */
    }
    if (operation->once_previous != NULL) {
        operation->once_previous->once_next = operation->once_next;
    } else {
        names->first = operation->once_next;
    }
    if (operation->once_next != NULL) {
        operation->once_next->once_previous = operation->once_previous;
    } else {
        names->last = operation->once_previous;
    }
    operation->once = (struct once){0};
    operation->once_next = NULL;
    operation->named_ms = 0;
    operation->listed = false;
}

void operation_destroy(struct operation *operation)
{
    operation_forget_name(operation);
    blocking_destroy(operation->blocked);
    gather_destroy(operation->gather);
    ack_set_deinit(&operation->acks);
    buf_deinit(&operation->reply);
    buf_deinit(&operation->request);
    free(operation);
}

static void deliver(struct operation *operation)
{
    operation->done = true;
    if (operation->blocked != NULL) {
        blocking_done(operation);
    }
    switch (operation->asker) {
    case ASKER_CLIENT:
        if (operation->connection == NULL) {
            operation_destroy(operation);
        } else {
            connection_advance(operation->connection);
        }
        return;
    case ASKER_GATHER: gather_part_done(operation); return;
    case ASKER_PEER:
        if (operation->bus != NULL) {
            bus_respond(operation->bus, operation->peer_request_id,
                        operation->uncertain ? RESPONSE_UNCERTAIN
                        : operation->tracked ? RESPONSE_NOTED
                                             : RESPONSE_DONE,
                        buf_bytes(&operation->reply));
        }
        bus_operation_destroy(operation);
    }
}

/* ---- waiting for acknowledgements ---- */

static void waiting_add(struct operation *operation)
{
    struct worker *worker = operation->worker;
    operation->wait_previous = NULL;
    operation->wait_next = worker->waiting;
    if (worker->waiting != NULL) {
        worker->waiting->wait_previous = operation;
    }
    worker->waiting = operation;
    atomic_fetch_add_explicit(&worker->waiting_count, 1, memory_order_relaxed);
}

static void waiting_remove(struct operation *operation)
{
    atomic_fetch_sub_explicit(&operation->worker->waiting_count, 1, memory_order_relaxed);
    if (operation->wait_previous != NULL) {
        operation->wait_previous->wait_next = operation->wait_next;
    } else {
        operation->worker->waiting = operation->wait_next;
    }
    if (operation->wait_next != NULL) {
        operation->wait_next->wait_previous = operation->wait_previous;
    }
}

static void replace_reply_by_error(struct operation *operation, const char *error)
{
    buf_reset(&operation->reply, 0);
    for (unsigned i = 0; i < operation->reply_count && !operation->silent; i++) {
        buf_append_format(&operation->reply, "-%s\r\n", error);
    }
}

/* Whether the reply may leave: acknowledged, and the lease has not run out meanwhile. */
static enum ack_state reply_state(const struct operation *operation)
{
    const struct worker *worker = operation->worker;
    enum ack_state state = ack_set_state(&operation->acks, worker->bit);
    if (!operation->guarded || state == ACKS_FAILED) {
        return state;
    }
    if (atomic_load(&worker->node->term) != operation->term) {
        return ACKS_FAILED; /* another node may have gone on without us since */
    }
    return worker_may_answer(worker, operation->term) ? state : ACKS_PENDING;
}

void operation_finish(struct operation *operation)
{
    if (operation->silent) {
        buf_reset(&operation->reply, 0);
    }
    if (operation->blocked != NULL) {
        blocking_done(operation);
    }
    enum ack_state state = reply_state(operation);
    if (state == ACKS_PENDING) {
        waiting_add(operation);
        return;
    }
    if (state == ACKS_FAILED) {
        operation->uncertain = true;
        replace_reply_by_error(operation, unacknowledged);
    }
    deliver(operation);
}

void operation_fail(struct operation *operation, const char *error)
{
    replace_reply_by_error(operation, error);
    stat_add(&operation->worker->stats.error_replies, 1);
    deliver(operation);
}

void operations_check_acks(struct worker *worker)
{
    struct operation *operation = worker->waiting;
    while (operation != NULL) {
        /* Delivering never takes another operation out of this list. */
        struct operation *next = operation->wait_next;
        enum ack_state state = reply_state(operation);
        if (state != ACKS_PENDING) {
            waiting_remove(operation);
            if (state == ACKS_FAILED) {
                operation->uncertain = true;
                replace_reply_by_error(operation, unacknowledged);
            }
            deliver(operation);
        }
        operation = next;
    }
}

/* ---- finding the node that does it ---- */

/* Milliseconds for which CLIENT PAUSE WRITE still holds this command back. */
static uint64_t paused_ms(const struct worker *worker, const struct command *command)
{
    const struct node *node = worker->node;
    uint64_t until = atomic_load_explicit(&node->pause_until_ms, memory_order_relaxed);
    if (TORC_LIKELY(until == 0) || (command->flags & COMMAND_WRITE) == 0 ||
        !atomic_load_explicit(&node->pause_writes_only, memory_order_relaxed)) {
        return 0;
    }
    uint64_t now_ms = clock_wall_ms();
    return until > now_ms ? until - now_ms : 0;
}

bool operations_must_hold(const struct worker *worker, const struct command *command, uint16_t slot)
{
    return worker->held_count[slot] > 0 || paused_ms(worker, command) > 0;
}

static void hold(struct operation *operation)
{
    struct worker *worker = operation->worker;
    operation->held_next = NULL;
    if (worker->held_last != NULL) {
        worker->held_unsorted =
            worker->held_unsorted || worker->held_last->sequence > operation->sequence;
        worker->held_last->held_next = operation;
    } else {
        worker->held_first = operation;
    }
    worker->held_last = operation;
    if (operation->slot != FRAME_NO_SLOT) {
        worker->held_count[operation->slot]++;
    }
}

static void fail_unreachable(struct operation *operation)
{
    char error[160];
    if (operation->slot == FRAME_NO_SLOT) {
        snprintf(error, sizeof(error), "CLUSTERDOWN a node that must answer this is not reachable");
    } else {
        snprintf(error, sizeof(error), "CLUSTERDOWN the owner of slot %u is not reachable",
                 operation->slot);
    }
    operation_fail(operation, error);
}

/* Of a write that may have been made, or not: a word of its own, for clients repeat what fails with
 * TRYAGAIN or CLUSTERDOWN. */
static void fail_uncertain(struct operation *operation)
{
    operation_fail(operation,
                   "UNCERTAIN the owner of the slot went away or did not answer in time; "
                   "the write may or may not have been made");
}

static void give_up(struct operation *operation)
{
    if (operation->uncertain) {
        fail_uncertain(operation);
    } else {
        fail_unreachable(operation);
    }
}

static void count_sent(const struct operation *operation)
{
    struct worker *worker = operation->worker;
    if (operation->blocked != NULL) {
        /* It may be away for long, and its connection executes nothing meanwhile. */
        operation->blocked->sent = true;
        operation->blocked->again = true;
    } else if (operation->slot != FRAME_NO_SLOT) {
        worker->sent_count[operation->slot]++;
        worker->sent_total++;
    }
}

static void count_returned(const struct operation *operation)
{
    struct worker *worker = operation->worker;
    if (operation->blocked != NULL) {
        operation->blocked->sent = false;
    } else if (operation->slot != FRAME_NO_SLOT) {
        worker->sent_total--;
        if (--worker->sent_count[operation->slot] == 0) {
            worker->recalled[operation->slot] = false;
        }
    }
}

/* To be sent again, in its place among those that were begun before and after it. */
static void recall(struct operation *operation)
{
    struct worker *worker = operation->worker;
    if (operation->blocked == NULL && operation->slot != FRAME_NO_SLOT) {
        worker->recalled[operation->slot] = worker->sent_count[operation->slot] > 0;
    }
    hold(operation);
}

/* The arguments of an operation that was not executed when its request was parsed, in
 * worker->replayed. */
static const struct bytes *parse_request(struct operation *operation, size_t *argc)
{
    struct worker *worker = operation->worker;
    struct request_parser parser;
    struct request request;
    request_parser_init(&parser);
    worker->replayed.count = 0;
    enum request_status status =
        request_parse(&parser, buf_head(&operation->request), buf_size(&operation->request),
                      &worker->replayed, &request);
    assert(status == REQUEST_COMPLETE); /* this node wrote it */
    request_parser_deinit(&parser);
    *argc = request.count;
    return worker->replayed.items + request.first;
}

/* As whom it is executed. A tracked read is noted for that one; it is nobody who is told of
 * anything if whoever asked is gone. */
static struct session *session_for(const struct operation *operation)
{
    struct session *nobody = &operation->worker->peer_session;
    struct connection *connection = operation->connection;
    switch (operation->asker) {
    case ASKER_CLIENT: break;
    case ASKER_GATHER: connection = operation->tracked ? gather_client(operation) : NULL; break;
    case ASKER_PEER:
        return operation->tracked && operation->bus != NULL ? &operation->bus->session : nobody;
    }
    return connection != NULL ? &connection->session : nobody;
}

/* A tracked read was answered by another node. */
static void settle_read(struct operation *operation, bool noted)
{
    const struct session *session = session_for(operation);
    if (session->tracker != NULL) {
        size_t argc = 0;
        const struct bytes *argv = parse_request(operation, &argc);
        far_answered(operation, session, noted, argv, argc);
    }
}

static void on_response(struct link_request *request, int result, const struct frame *frame)
{
    struct operation *operation =
        (struct operation *)((char *)request - offsetof(struct operation, link_request));
    const bool readonly = (operation->command->flags & COMMAND_WRITE) == 0;
    uint64_t now_ms = clock_monotonic_ms();
    count_returned(operation);
    if (result == TORC_OK && frame->flags == RESPONSE_NOTHING && operation->blocked != NULL) {
        blocking_nothing_came(operation);
        return;
    }
    if (result == TORC_OK && (frame->flags == RESPONSE_DONE || frame->flags == RESPONSE_NOTED)) {
        buf_append(&operation->reply, frame->payload.data, frame->payload.size);
        if (TORC_UNLIKELY(operation->tracked)) {
            settle_read(operation, frame->flags == RESPONSE_NOTED);
        }
        operation_finish(operation);
        return;
    }
    bool unknown = result == TORC_ETIMEOUT || result == TORC_ECLOSED ||
                   (result == TORC_OK && frame->flags == RESPONSE_UNCERTAIN);
    operation->uncertain = operation->uncertain || (unknown && !readonly);
    bool may_repeat =
        operation->once.id != 0 && now_ms < operation->named_ms + OPERATION_REPEAT_LIMIT_MS;
    if (now_ms >= operation->deadline_ms || (operation->uncertain && !may_repeat)) {
        give_up(operation);
    } else {
        recall(operation);
    }
}

static void send_to_peer(struct operation *operation, struct peer *peer)
{
    struct worker *worker = operation->worker;
    struct link *link = peer == NULL ? NULL : worker_link(worker, peer->index);
    struct buf before = {0};
    operation->link_request.deadline_ms = operation->deadline_ms;
    operation->link_request.done = on_response;
    uint8_t flags = operation->protocol == 3 ? FRAME_FLAG_RESP3 : 0;
    name_write(operation);
    if (operation->listed) {
        operation->once.settled = names_for(operation)->first->once.id;
    }
    if (operation->once.id != 0) {
        once_encode(&before, &operation->once);
        flags |= FRAME_FLAG_ONCE;
    }
    if (operation->blocked != NULL) {
        struct wait_terms terms =
            blocking_terms(operation, clock_monotonic_ms(), &operation->link_request.deadline_ms);
        wait_terms_encode(&before, &terms);
        flags |= FRAME_FLAG_WAIT;
    } else if (operation->slot != FRAME_NO_SLOT && worker->sent_count[operation->slot] == 0) {
        flags |= FRAME_FLAG_FIRST;
    }
    if (TORC_UNLIKELY(operation->tracked)) {
        flags |= FRAME_FLAG_TRACKED;
        operation->told_before = far_stamp(&worker->far, operation->slot);
    }
    operation->target_sent = peer == NULL ? PEER_NONE : peer->index;
    if (link == NULL || before.failed ||
        link_send(link, &operation->link_request, operation->slot, flags, buf_bytes(&before),
                  buf_bytes(&operation->request)) != TORC_OK) {
        hold(operation);
    } else {
        stat_add(&worker->stats.commands_proxied, 1);
        count_sent(operation);
    }
    buf_deinit(&before);
}

/* True if the request was sent to a node that does not lead its slot any more. */
static bool is_misplaced(void *context, const struct link_request *request)
{
    struct worker *worker = context;
    const struct operation *operation =
        (const struct operation *)((const char *)request -
                                   offsetof(struct operation, link_request));
    uint16_t owners[COPIES_MAX];
    const struct view *view = worker->view;
    if (request->done != on_response) {
        return false; /* no operation's: see far.c */
    }
    if (operation->slot == FRAME_NO_SLOT || view_owners(view, operation->slot, owners) == 0) {
        return false;
    }
    const struct peer *peer = peers_at(worker->node->peers, operation->target_sent);
    return !node_id_equal(&view->nodes[owners[0]].id, &peer->id);
}

void operations_follow_view(struct worker *worker)
{
    if (worker->view == NULL) {
        return;
    }
    size_t count = atomic_load_explicit(&worker->node->peers->count, memory_order_acquire);
    for (size_t i = 0; i < count; i++) {
        if (worker->links[i] != NULL && worker->links[i]->first != NULL) {
            link_give_up(worker->links[i], is_misplaced, worker);
        }
    }
}

/* Executes an operation that was not executed when its request was parsed. */
static bool execute_request(struct operation *operation)
{
    struct worker *worker = operation->worker;
    size_t argc = 0;
    const struct bytes *argv = parse_request(operation, &argc);
    struct execution execution = {.command = operation->command,
                                  .argv = argv,
                                  .argc = argc,
                                  .slot = operation->slot,
                                  .session = session_for(operation),
                                  .protocol = operation->protocol,
                                  .once = operation->once.id != 0 ? &operation->once : NULL,
                                  .out = &operation->reply,
                                  .acks = &operation->acks,
                                  .tracked = operation->tracked};
    /* Whoever is at it now has its own executions guarded. */
    bool guarded = worker->guarded;
    worker->guarded = false;
    bool executed = true;
    if (operation->slot == FRAME_NO_SLOT) {
        execute_local(worker, &execution);
    } else {
        execution.hash = key_hash(argv[operation->command->first_key]);
        executed = operation->blocked != NULL
                       ? execute_blocking(worker, &execution, operation->blocked)
                       : execute_in_slot(worker, &execution);
    }
    operation->guarded = worker->guarded;
    operation->term = worker->term;
    worker->guarded = guarded;
    return executed;
}

static void attempt(struct operation *operation)
{
    struct worker *worker = operation->worker;
    const struct view *view = worker_view(worker);
    if (operation->slot == FRAME_NO_SLOT && operation->target != PEER_NONE) {
        send_to_peer(operation, peers_at(worker->node->peers, operation->target));
        return;
    }
    if (operation->slot == FRAME_NO_SLOT && atomic_load(&worker->node->unserved_slots) > 0) {
        hold(operation);
        return;
    }
    /* Behind what is still under way to whoever led the slot, nothing is executed here. */
    if (!worker_is_behind(worker, operation->slot) && execute_request(operation)) {
        if (operation->blocked != NULL && operation->blocked->waiting) {
            blocking_begin_wait(operation);
        } else {
            operation_finish(operation);
        }
        return;
    }
    uint16_t owners[COPIES_MAX];
    if (view == NULL || view_owners(view, operation->slot, owners) == 0) {
        if (operation->uncertain) {
            hold(operation); /* whoever leads the slot next knows */
        } else {
            fail_unreachable(operation);
        }
        return;
    }
    const struct node_id *owner = &view->nodes[owners[0]].id;
    if (node_id_equal(owner, &worker->node->id)) {
        hold(operation); /* being taken over */
        return;
    }
    if (operation->asker == ASKER_PEER) {
        if (operation->bus != NULL) {
            bus_refuse(operation->bus, operation->slot, operation->peer_request_id);
        }
        bus_operation_destroy(operation);
        return;
    }
    send_to_peer(operation, peers_get(worker->node->peers, owner));
}

void operation_start(struct operation *operation)
{
    struct worker *worker = operation->worker;
    if (operation->blocked != NULL && blocking_ends(operation)) {
        return;
    }
    if (operation->slot != FRAME_NO_SLOT &&
        (worker->recalled[operation->slot] ||
         operations_must_hold(worker, operation->command, operation->slot))) {
        uint64_t paused = paused_ms(worker, operation->command);
        if (paused > 0 && operation->blocked == NULL) { /* that time does not count */
            operation->deadline_ms =
                clock_monotonic_ms() + paused + worker->node->config.proxy_timeout_ms;
        }
        hold(operation);
        return;
    }
    attempt(operation);
}

/* Sorts a list of held ones, linked by held_next, by the order in which they were begun. */
static struct operation *sort_held(struct operation *list)
{
    if (list == NULL || list->held_next == NULL) {
        return list;
    }
    struct operation *halves[2] = {NULL, NULL};
    for (size_t i = 0; list != NULL; i++) {
        struct operation *next = list->held_next;
        list->held_next = halves[i % 2];
        halves[i % 2] = list;
        list = next;
    }
    halves[0] = sort_held(halves[0]);
    halves[1] = sort_held(halves[1]);
    struct operation *sorted = NULL;
    struct operation **end = &sorted;
    while (halves[0] != NULL || halves[1] != NULL) {
        bool second =
            halves[0] == NULL || (halves[1] != NULL && halves[1]->sequence < halves[0]->sequence);
        *end = halves[second];
        halves[second] = halves[second]->held_next;
        end = &(*end)->held_next;
    }
    return sorted;
}

/* Takes all held ones out, in the order in which they were begun. */
static struct operation *take_held(struct worker *worker)
{
    struct operation *held =
        worker->held_unsorted ? sort_held(worker->held_first) : worker->held_first;
    worker->held_first = NULL;
    worker->held_last = NULL;
    worker->held_unsorted = false;
    return held;
}

void operations_tick(struct worker *worker, uint64_t now_ms)
{
    struct operation *held = take_held(worker);
    for (struct operation *at = held; at != NULL; at = at->held_next) {
        if (at->slot != FRAME_NO_SLOT) {
            worker->held_count[at->slot]--;
        }
    }
    while (held != NULL) {
        struct operation *operation = held;
        held = operation->held_next;
        if (operation->deadline_ms <= now_ms) {
            give_up(operation);
        } else {
            /* One that is held again makes those behind it for the same slot queue as well. */
            operation_start(operation);
        }
    }
    struct operation *waiting = worker->waiting;
    while (waiting != NULL) {
        struct operation *next = waiting->wait_next;
        if (waiting->deadline_ms <= now_ms) {
            waiting_remove(waiting);
            if (waiting->late) {
                buf_reset(&waiting->reply, 0);
                buf_append_text(&waiting->reply, ":0\r\n");
                deliver(waiting);
            } else {
                waiting->uncertain = true;
                operation_fail(waiting, unacknowledged);
            }
        }
        waiting = next;
    }
}

void operations_abandon(struct worker *worker)
{
    while (worker->held_first != NULL) {
        struct operation *operation = worker->held_first;
        worker->held_first = operation->held_next;
        operation_fail(operation, "CLUSTERDOWN the node is stopping");
    }
    worker->held_last = NULL;
    /* Failing a part of a gather may have the whole of it wait in its place. */
    while (worker->waiting != NULL) {
        struct operation *waiting = worker->waiting;
        worker->waiting = NULL;
        while (waiting != NULL) {
            struct operation *next = waiting->wait_next;
            operation_fail(waiting, unacknowledged);
            waiting = next;
        }
    }
}
