#include "node/execute.h"

#include "base/error.h"
#include "node/blocking.h"
#include "node/memory.h"
#include "node/peers.h"
#include "node/session.h"
#include "node/slots_replicate.h"
#include "node/tracking.h"
#include "node/worker.h"

#include <assert.h>
#include <stdlib.h>

static void count_call(struct worker *worker, const struct call *call, uint64_t errors)
{
    struct worker_stats *stats = &worker->stats;
    if (call->hits != 0) {
        stat_add(&stats->hits, call->hits);
    }
    if (call->misses != 0) {
        stat_add(&stats->misses, call->misses);
    }
    if (call->expired != 0) {
        stat_add(&stats->expired, call->expired);
    }
    if (errors != 0) {
        stat_add(&stats->error_replies, errors);
    }
}

void slot_publish(struct worker *worker, struct slot *slot, struct bytes effects,
                  const struct bytes *keys, size_t key_count)
{
    copy_publish(&slot->copy, &worker->rim.copies, effects, keys, key_count);
    stat_add(&worker->stats.effects_sent, slot->copy.member_count);
}

void slot_collect_acks(const struct worker *worker, const struct slot *slot, struct ack_set *acks)
{
    if (worker->node->config.acks == ACKS_PRIMARY) {
        return;
    }
    for (unsigned i = 0; i < slot->copy.member_count; i++) {
        const struct copy_member *member = &slot->copy.members[i];
        if (member->stage == MEMBER_ATTACHED &&
            atomic_load_explicit(&member->stream->acked, memory_order_acquire) < member->position) {
            ack_set_add(acks, member->stream, member->position, member->position);
        }
    }
}

/* A write with a name that was made already is answered as it was then; one for whose name there is
 * no room is refused. Slot lock held. True if so. */
static bool answer_again(const struct slot *slot, const struct execution *execution,
                         struct reply_writer *writer)
{
    if (execution->once == NULL) {
        return false;
    }
    if (TORC_UNLIKELY(outcomes_settled(slot->copy.outcomes, execution->once))) {
        reply_error(writer, "UNCERTAIN the write has been answered before"); /* to nobody */
        return true;
    }
    struct bytes reply = outcomes_find(slot->copy.outcomes, execution->once);
    if (reply.data == NULL) {
        if (TORC_LIKELY(!outcomes_full(slot->copy.outcomes, execution->once))) {
            return false;
        }
        reply_error(writer, "ONCEFULL slot %u keeps the outcomes of %u clients already",
                    execution->slot, (unsigned)OUTCOME_CLIENTS_MAX);
        return true;
    }
    if (reply.size == 0) {
        reply_error(writer, "UNCERTAIN the write was made, and its reply was too long to keep");
    } else {
        buf_append(execution->out, reply.data, reply.size);
    }
    return true;
}

/* True when a replica is so far behind that another write would only make it worse. */
static bool replicas_overloaded(const struct slot *slot)
{
    for (unsigned i = 0; i < slot->copy.member_count; i++) {
        const struct replica_stream *stream = slot->copy.members[i].stream;
        bool waited_for = slot->copy.members[i].stage == MEMBER_ATTACHED;
        if (waited_for && atomic_load_explicit(&stream->backlog_size, memory_order_relaxed) >
                              STREAM_BACKLOG_SIZE_MAX) {
            return true;
        }
    }
    return false;
}

/* Tells the members what the call did; `before`: where its reply begins. Slot lock held. */
static void tell_members(struct worker *worker, struct copy *copy,
                         const struct execution *execution, const struct once *once, size_t before)
{
    struct bytes reply = {buf_head(execution->out) + before, buf_size(execution->out) - before};
    /* Any argument may be a key: one that is none does no harm. */
    copy_publish_once(copy, &worker->rim.copies, buf_bytes(&worker->effects), execution->argv + 1,
                      execution->argc - 1, once, reply);
    stat_add(&worker->stats.effects_sent, copy->member_count);
    buf_reset(&worker->effects, WORKER_READ_BUFFER_SIZE);
}

/* Numbers what the call changed, and tells the members. Slot lock held. */
static inline void publish(struct worker *worker, struct slot *slot,
                           const struct execution *execution, const struct once *once,
                           size_t before)
{
    if (worker->effects.failed) {
        log_error(&worker->node->log, "out of memory for replication: stopping");
        abort();
    }
    if (TORC_LIKELY(slot->copy.member_count == 0 && once == NULL)) {
        copy_count_effect(&slot->copy);
    } else {
        tell_members(worker, &slot->copy, execution, once, before);
    }
    if (TORC_UNLIKELY(tracking_is_due(worker->node, slot))) {
        tracking_changed(worker, slot, execution);
    }
}

/* A client that said READONLY on the direct port reads what a replica holds, unless it wants to
 * hear when that changes: a replica may be the last to know. Slot lock held. */
static bool may_read_replica(const struct slot *slot, const struct execution *execution)
{
    const struct session *session = execution->session;
    return session != NULL && session->readonly && session->access == ACCESS_DIRECT &&
           (atomic_load_explicit(&session->tracking, memory_order_relaxed) & SESSION_TRACKING) ==
               0 &&
           (execution->command->flags & COMMAND_WRITE) == 0 && slot->copy.role == COPY_FOLLOWER &&
           slot->copy.owner && slot->copy.attached;
}

/* Slot lock held. */
static inline __attribute__((always_inline)) struct call
call_in_slot(struct worker *worker, struct slot *slot, const struct execution *execution,
             struct reply_writer *writer)
{
    return (struct call){.command = execution->command,
                         .argv = execution->argv,
                         .argc = execution->argc,
                         .now_ms = worker->now_wall_ms,
                         .keys = slot_keys(slot),
                         .hash = execution->hash,
                         .reply = writer,
                         .session = execution->session,
                         .worker = worker,
                         .prng = &worker->prng,
                         .effects = slot->copy.member_count > 0 ? &worker->effects : NULL};
}

static void read_replica(struct worker *worker, struct slot *slot,
                         const struct execution *execution, struct reply_writer *writer)
{
    struct call call = call_in_slot(worker, slot, execution, writer);
    call.effects = NULL; /* there is nothing to tell of a read */
    call.from_replica = true;
    execution->command->handler(&call);
    slot_unlock(slot);
    count_call(worker, &call, writer->errors);
}

/* What has come of a blocking command. True if it waits. */
static bool begin_waiting(struct slot *slot, const struct execution *execution,
                          struct blocked *blocked, struct call *call)
{
    if (call->wait->count == 0) {
        return false;
    }
    if (blocking_enqueue(blocked, slot, execution, call->wait) == TORC_OK) {
        return true;
    }
    call_reply_no_memory(call);
    return false;
}

/* `blocked`, of a blocking command, is NULL or not where this is put in: what is only for such
 * commands costs others nothing. */
static inline __attribute__((always_inline)) bool
run(struct worker *worker, const struct execution *execution, struct blocked *blocked)
{
    const struct command *command = execution->command;
    struct slot *slot = &worker->node->slots[execution->slot];
    bool no_memory = (command->flags & COMMAND_DENYOOM) != 0 && !memory_make_room(worker);
    struct reply_writer writer = {.out = execution->out, .protocol = execution->protocol};

    slot_lock(slot);
    if (TORC_UNLIKELY(!slot_serves(slot) || !worker->has_lease)) {
        if (may_read_replica(slot, execution)) {
            read_replica(worker, slot, execution, &writer);
            return true;
        }
        slot_unlock(slot);
        return false;
    }
    worker->guarded = true;
    slot->commands++;
    struct call call = call_in_slot(worker, slot, execution, &writer);
    struct call_wait wait = {0};
    if (blocked != NULL) {
        call.wait = &wait;
    }
    size_t before = buf_size(execution->out);
    if (TORC_UNLIKELY(answer_again(slot, execution, &writer))) {
        /* Nothing to do; who asks waits for the members as for any write. */
    } else if (TORC_UNLIKELY(no_memory)) {
        call_reply_no_memory(&call);
    } else if (TORC_UNLIKELY((command->flags & COMMAND_WRITE) != 0 && replicas_overloaded(slot))) {
        reply_error(&writer, "TRYAGAIN a replica of slot %u is too far behind", execution->slot);
    } else {
        command->handler(&call);
    }
    bool waits = blocked != NULL && begin_waiting(slot, execution, blocked, &call);
    if (call.changes > 0) {
        /* One that waits has not been made: it may have found keys expired, and no more. */
        publish(worker, slot, execution, waits ? NULL : execution->once, before);
        if (TORC_UNLIKELY(slot->waiters != NULL)) {
            blocking_serve(worker, slot, execution);
        }
    }
    if (TORC_UNLIKELY(execution->tracked)) {
        tracking_note(worker, slot, execution);
    }
    if (slot->copy.member_count > 0) {
        slot_collect_acks(worker, slot, execution->acks);
    }
    slot_unlock(slot);
    count_call(worker, &call, writer.errors);
    return true;
}

bool execute_in_slot(struct worker *worker, const struct execution *execution)
{
    return run(worker, execution, NULL);
}

bool execute_blocking(struct worker *worker, const struct execution *execution,
                      struct blocked *blocked)
{
    assert(blocked != NULL);
    return run(worker, execution, blocked);
}

bool execute_waiting(struct worker *worker, struct slot *slot, const struct execution *execution)
{
    struct reply_writer writer = {.out = execution->out, .protocol = execution->protocol};
    struct call_wait wait = {0};
    struct call call = call_in_slot(worker, slot, execution, &writer);
    call.wait = &wait;
    size_t before = buf_size(execution->out);
    if (!answer_again(slot, execution, &writer)) {
        execution->command->handler(&call);
    }
    bool waits = wait.count > 0;
    if (call.changes > 0) {
        publish(worker, slot, execution, waits ? NULL : execution->once, before);
    }
    if (!waits && slot->copy.member_count > 0) {
        slot_collect_acks(worker, slot, execution->acks);
    }
    count_call(worker, &call, writer.errors);
    return !waits;
}

void execute_local(struct worker *worker, const struct execution *execution)
{
    struct reply_writer writer = {.out = execution->out, .protocol = execution->protocol};
    struct call call = {.command = execution->command,
                        .argv = execution->argv,
                        .argc = execution->argc,
                        .now_ms = worker->now_wall_ms,
                        .reply = &writer,
                        .session = execution->session,
                        .worker = worker};
    worker->local_acks = execution->acks;
    worker->guarded = worker->guarded || command_is_node_wide(execution->command);
    execution->command->handler(&call);
    worker->local_acks = NULL;
    count_call(worker, &call, writer.errors);
}

void slot_replicate(struct call *call, struct slot *slot, size_t argc, const struct bytes *argv)
{
    struct worker *worker = call->worker;
    struct buf effect = {0};
    if (slot->copy.member_count > 0) {
        struct call telling = {.effects = &effect};
        call_effect(&telling, argc, argv);
        if (effect.failed) {
            log_error(&worker->node->log, "out of memory for replication: stopping");
            abort();
        }
    }
    slot_publish(worker, slot, buf_bytes(&effect), NULL, 0);
    buf_deinit(&effect);
    slot_collect_acks(worker, slot, worker->local_acks);
}
