#include "node/blocking.h"

#include "base/error.h"
#include "node/bus_server.h"
#include "node/clock.h"
#include "node/commands/timeout.h"
#include "node/connection.h"
#include "node/dispatch.h"
#include "node/execute.h"
#include "node/operation.h"
#include "node/worker.h"

#include <assert.h>
#include <stddef.h>
#include <stdlib.h>

static void on_timer(struct ev_loop *loop, ev_timer *watcher, int events);

/* ---- life ---- */

static int attach(struct operation *operation, uint64_t since_ms, uint64_t until_ms)
{
    struct blocked *blocked = calloc(1, sizeof(*blocked));
    if (blocked == NULL) {
        return TORC_ENOMEM;
    }
    blocked->operation = operation;
    blocked->until_ms = until_ms;
    blocked->waiter.since_ms = since_ms;
    ev_timer_init(&blocked->timer, on_timer, 0, 0);
    blocked->timer.data = blocked;
    operation->blocked = blocked;
    /* It may be held for as long as it may wait: a slot that nobody serves has no values. */
    operation->deadline_ms =
        until_ms == 0 ? UINT64_MAX : until_ms + operation->worker->node->config.proxy_timeout_ms;
    return TORC_OK;
}

int blocking_of_client(struct operation *operation, const struct bytes *argv, size_t argc)
{
    uint64_t now_ms = clock_monotonic_ms();
    uint64_t timeout_ms = 0;
    const char *wrong = timeout_read(argv[timeout_index(operation->command, argc)],
                                     operation->worker->now_wall_ms, &timeout_ms);
    return attach(operation, now_ms, timeout_ms == 0 && wrong == NULL ? 0 : now_ms + timeout_ms);
}

int blocking_of_peer(struct operation *operation, const struct wait_terms *terms)
{
    uint64_t now_ms = clock_monotonic_ms();
    uint64_t since_ms = now_ms > terms->waited_ms ? now_ms - terms->waited_ms : 0;
    int result = attach(operation, since_ms, now_ms + terms->limit_ms);
    if (result == TORC_OK) {
        operation->blocked->again = terms->waited_ms > 0;
    }
    return result;
}

static void forget_call(struct blocked *blocked)
{
    free(blocked->argv);
    blocked->argv = NULL;
    buf_deinit(&blocked->reply);
    ack_set_deinit(&blocked->acks);
}

void blocking_destroy(struct blocked *blocked)
{
    if (blocked != NULL) {
        assert(!blocked->waiting);
        forget_call(blocked);
        free(blocked);
    }
}

/* ---- ends ---- */

/* Nothing came, or it is to be over before something does. */
static void end_empty(struct operation *operation)
{
    const struct blocked *blocked = operation->blocked;
    struct reply_writer writer = {.out = &operation->reply, .protocol = operation->protocol};
    if (operation->asker == ASKER_PEER) {
        if (operation->bus != NULL) {
            bus_respond(operation->bus, operation->peer_request_id, RESPONSE_NOTHING,
                        (struct bytes){NULL, 0});
        }
        bus_operation_destroy(operation);
        return;
    }
    if (blocked->reason == UNBLOCK_ERROR) {
        reply_error(&writer, "UNBLOCKED client unblocked via CLIENT UNBLOCK");
    } else {
        reply_null_array(&writer);
    }
    operation_finish(operation);
}

static bool is_served_here(const struct operation *operation)
{
    struct slot *slot = &operation->worker->node->slots[operation->slot];
    slot_lock(slot);
    bool served = slot_serves(slot);
    slot_unlock(slot);
    return served;
}

bool blocking_ends(struct operation *operation)
{
    const struct blocked *blocked = operation->blocked;
    struct reply_writer writer = {.out = &operation->reply, .protocol = operation->protocol};
    if (blocked->gone) {
        operation_finish(operation); /* to nobody */
        return true;
    }
    if (blocked->reason != UNBLOCK_NONE) {
        end_empty(operation);
        return true;
    }
    if (operation->asker == ASKER_CLIENT &&
        operation->connection->session.access == ACCESS_DIRECT && !operation->uncertain &&
        !is_served_here(operation) &&
        dispatch_reply_moved(operation->worker, operation->slot, &writer)) {
        operation_finish(operation);
        return true;
    }
    return false;
}

void blocking_done(struct operation *operation)
{
    struct blocked *blocked = operation->blocked;
    if (blocked->done) {
        return;
    }
    blocked->done = true;
    /* From here on it waits for acknowledgements, as any. */
    operation->deadline_ms =
        clock_monotonic_ms() + operation->worker->node->config.proxy_timeout_ms;
    if (operation->asker == ASKER_CLIENT && operation->connection != NULL) {
        connection_unblock(operation->connection);
    }
}

/* Slot lock held. */
static void leave_queues(struct slot *slot, struct blocked *blocked)
{
    waiters_remove(&slot->waiters, &blocked->waiter);
    atomic_fetch_sub_explicit(&blocked->operation->worker->node->waiting_commands, 1,
                              memory_order_relaxed);
}

/* True if it was still in its queues; else it has been served or put out, and comes by itself. */
static bool take_back(struct blocked *blocked)
{
    struct operation *operation = blocked->operation;
    struct slot *slot = &operation->worker->node->slots[operation->slot];
    slot_lock(slot);
    bool queued = blocked->waiter.queued;
    if (queued) {
        leave_queues(slot, blocked);
    }
    slot_unlock(slot);
    if (queued) {
        blocked->waiting = false;
        ev_timer_stop(operation->worker->loop, &blocked->timer);
        forget_call(blocked);
    }
    return queued;
}

static void on_timer(struct ev_loop *loop, ev_timer *watcher, int events)
{
    (void)loop;
    (void)events;
    struct blocked *blocked = watcher->data;
    if (take_back(blocked)) {
        end_empty(blocked->operation);
    }
}

/* Asks the node where it waits to let it go. */
static void recall(const struct operation *operation)
{
    link_cancel(operation->worker->links[operation->target_sent], &operation->link_request);
}

void blocking_abandon(struct operation *operation)
{
    struct blocked *blocked = operation->blocked;
    blocked->gone = true;
    if (blocked->done) {
        return;
    }
    if (blocked->waiting) {
        if (take_back(blocked)) {
            operation_destroy(operation);
        }
    } else if (blocked->sent) {
        recall(operation);
    }
}

void blocking_end_early(struct operation *operation, enum unblock_reason reason)
{
    struct blocked *blocked = operation->blocked;
    if (blocked->done || blocked->reason != UNBLOCK_NONE) {
        return;
    }
    blocked->reason = reason;
    if (blocked->waiting) {
        if (take_back(blocked)) {
            end_empty(operation);
        }
    } else if (blocked->sent) {
        recall(operation);
    }
}

/* ---- waiting here ---- */

void blocking_begin_wait(struct operation *operation)
{
    struct blocked *blocked = operation->blocked;
    struct ev_loop *loop = operation->worker->loop;
    ack_set_deinit(&operation->acks); /* of what it has not read after all */
    if (blocked->until_ms == 0) {
        return;
    }
    uint64_t now_ms = clock_monotonic_ms();
    uint64_t left_ms = blocked->until_ms > now_ms ? blocked->until_ms - now_ms : 0;
    ev_now_update(loop); /* the batch may have taken a while */
    ev_timer_set(&blocked->timer, (double)left_ms / 1000, 0);
    ev_timer_start(loop, &blocked->timer);
}

static void go_on(struct blocked *blocked)
{
    struct operation *operation = blocked->operation;
    blocked->waiting = false;
    ev_timer_stop(operation->worker->loop, &blocked->timer);
    if (blocked->superseded) {
        bus_operation_destroy(operation); /* nobody waits for an answer under that number */
        return;
    }
    if (!blocked->served) {
        forget_call(blocked);
        operation_start(operation);
        return;
    }
    struct buf empty = operation->reply;
    operation->reply = blocked->reply;
    blocked->reply = empty;
    operation->acks = blocked->acks;
    blocked->acks = (struct ack_set){0};
    operation->guarded = true;
    operation->term = blocked->term;
    operation_finish(operation);
}

static struct blocked *blocked_of(struct mail *mail)
{
    return (struct blocked *)(void *)((char *)mail - offsetof(struct blocked, mail));
}

void blocking_collect(struct worker *worker)
{
    struct mail *mail = mailbox_take(&worker->posted);
    while (mail != NULL) {
        struct blocked *blocked = blocked_of(mail);
        mail = mail->next;
        go_on(blocked);
    }
}

/* ---- waiting at another node ---- */

struct wait_terms blocking_terms(const struct operation *operation, uint64_t now_ms,
                                 uint64_t *due_ms)
{
    const struct blocked *blocked = operation->blocked;
    struct wait_terms terms = {.limit_ms = BLOCKING_TURN_MS};
    if (blocked->until_ms != 0 && blocked->until_ms < now_ms + BLOCKING_TURN_MS) {
        /* Also when no time is left it is asked: it may have been done already. */
        terms.limit_ms = blocked->until_ms > now_ms ? (uint32_t)(blocked->until_ms - now_ms) : 1;
    }
    if (blocked->again) {
        uint64_t waited_ms = now_ms - blocked->waiter.since_ms;
        terms.waited_ms = waited_ms > 0 ? waited_ms : 1;
    }
    *due_ms = now_ms + terms.limit_ms + operation->worker->node->config.proxy_timeout_ms;
    return terms;
}

void blocking_nothing_came(struct operation *operation)
{
    const struct blocked *blocked = operation->blocked;
    bool over = blocked->until_ms != 0 && blocked->until_ms <= clock_monotonic_ms();
    operation->uncertain = false; /* whoever leads the slot knows nothing of it */
    operation_forget_name(operation);
    if (over && !blocked->gone) {
        end_empty(operation);
    } else {
        operation_start(operation);
    }
}

/* ---- under the slot's lock ---- */

static bool same_name(const struct once *a, const struct once *b)
{
    return a->id != 0 && a->id == b->id && a->origin == b->origin;
}

/* Others' operations; they belong to their workers from here on. `self`: the worker whose thread
 * this is, if any. */
static void post(struct blocked *list, const struct worker *self)
{
    while (list != NULL) {
        struct blocked *blocked = list;
        struct worker *worker = blocked->operation->worker;
        list = blocked->next;
        mailbox_post(&worker->posted, &blocked->mail);
        if (worker != self) {
            worker_wake(worker);
        }
    }
}

/* A request that is sent again has its place in the queue still taken by itself, if the node has
 * not noticed yet that the connection it came by has broken. */
static void put_out_namesake(struct slot *slot, const struct blocked *blocked,
                             const struct bytes *keys)
{
    const struct once *name = &blocked->operation->once;
    struct waiter_place *place = waiters_first(slot->waiters, keys[0], key_hash(keys[0]));
    while (place != NULL) {
        struct blocked *other = (struct blocked *)place->waiter;
        if (other->operation->asker == ASKER_PEER && same_name(&other->operation->once, name)) {
            leave_queues(slot, other);
            other->served = false;
            other->next = NULL;
            other->superseded = true;
            post(other, NULL);
            return;
        }
        place = place->next;
    }
}

int blocking_enqueue(struct blocked *blocked, struct slot *slot, const struct execution *execution,
                     const struct call_wait *wait)
{
    const struct bytes *keys = execution->argv + wait->first;
    if (blocked->operation->asker == ASKER_PEER && blocked->again) {
        put_out_namesake(slot, blocked, keys);
    }
    struct bytes *argv = malloc(execution->argc * sizeof(*argv));
    if (argv == NULL) {
        return TORC_ENOMEM;
    }
    if (waiters_add(&slot->waiters, &blocked->waiter, keys, wait->count) != TORC_OK) {
        free(argv);
        return TORC_ENOMEM;
    }
    atomic_fetch_add_explicit(&blocked->operation->worker->node->waiting_commands, 1,
                              memory_order_relaxed);
    memcpy(argv, execution->argv, execution->argc * sizeof(*argv));
    free(blocked->argv);
    blocked->argv = argv;
    blocked->argc = execution->argc;
    blocked->command = execution->command;
    blocked->type = wait->type;
    blocked->served = false;
    blocked->waiting = true;
    blocked->again = true;
    return TORC_OK;
}

/* True if that was all it waited for: it has its reply. */
static bool serve(struct worker *worker, struct slot *slot, struct blocked *blocked)
{
    const struct operation *operation = blocked->operation;
    const struct execution execution = {.command = blocked->command,
                                        .argv = blocked->argv,
                                        .argc = blocked->argc,
                                        .slot = operation->slot,
                                        .hash =
                                            key_hash(blocked->argv[blocked->command->first_key]),
                                        .session = &worker->peer_session,
                                        .protocol = operation->protocol,
                                        .once = operation->once.id != 0 ? &operation->once : NULL,
                                        .out = &blocked->reply,
                                        .acks = &blocked->acks};
    if (!execute_waiting(worker, slot, &execution)) {
        return false;
    }
    blocked->served = true;
    blocked->term = worker->term;
    leave_queues(slot, blocked);
    return true;
}

/* Serves who waits for one key, and appends them to the list that ends at *end. */
static struct blocked **serve_key(struct worker *worker, struct slot *slot, struct bytes key,
                                  struct blocked **end)
{
    uint64_t hash = key_hash(key);
    struct waiter_place *place = waiters_first(slot->waiters, key, hash);
    while (place != NULL) {
        struct blocked *blocked = (struct blocked *)place->waiter;
        const struct object *object = keyspace_find(slot_keys(slot), key, hash);
        if (object == NULL) {
            break;
        }
        place = place->next;
        if (object_type(object) == blocked->type && serve(worker, slot, blocked)) {
            blocked->next = NULL;
            *end = blocked;
            end = &blocked->next;
        }
    }
    return end;
}

static struct blocked **serve_keys_of(struct worker *worker, struct slot *slot,
                                      const struct command *command, const struct bytes *argv,
                                      size_t argc, struct blocked **end)
{
    size_t keys_end = command_keys_end(command, argv, argc);
    for (size_t i = (size_t)command->first_key; i < keys_end && slot->waiters != NULL;
         i = command_key_next(command, i)) {
        end = serve_key(worker, slot, argv[i], end);
    }
    return end;
}

void blocking_serve(struct worker *worker, struct slot *slot, const struct execution *execution)
{
    struct blocked *served = NULL;
    struct blocked **end =
        serve_keys_of(worker, slot, execution->command, execution->argv, execution->argc, &served);
    /* What one of them moved may be what another one waits for. */
    for (const struct blocked *at = served; at != NULL; at = at->next) {
        end = serve_keys_of(worker, slot, at->command, at->argv, at->argc, end);
    }
    post(served, worker);
}

void blocking_put_out(struct slot *slot)
{
    struct blocked *out = NULL;
    struct waiter *waiter;
    while ((waiter = waiters_any(slot->waiters)) != NULL) {
        struct blocked *blocked = (struct blocked *)waiter;
        leave_queues(slot, blocked);
        blocked->served = false;
        blocked->next = out;
        out = blocked;
    }
    post(out, NULL);
}
