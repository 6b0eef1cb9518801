/* WAIT: how many replicas have every write that was made before it. */
#include "base/error.h"
#include "node/call.h"
#include "node/command.h"
#include "node/commands/handlers.h"
#include "node/node.h"
#include "node/peers.h"
#include "node/worker.h"

/* The fewest replicas that a slot has which this node leads. */
static int64_t count_replicas(struct node *node)
{
    int64_t least = COPIES_MAX;
    for (unsigned i = 0; i < SLOT_COUNT; i++) {
        int64_t owners = 0;
        struct slot *slot = &node->slots[i];
        slot_lock(slot);
        for (unsigned j = 0; j < slot->copy.member_count; j++) {
            owners += slot->copy.members[j].owner;
        }
        bool leads = slot->copy.role == COPY_PRIMARY;
        slot_unlock(slot);
        least = leads && owners < least ? owners : least;
    }
    return least == COPIES_MAX ? 0 : least;
}

/* Everything this node has told its replicas so far. */
static void collect_streams(struct worker *worker, struct ack_set *acks)
{
    struct node *node = worker->node;
    size_t count = atomic_load_explicit(&node->peers->count, memory_order_acquire);
    for (size_t i = 0; i < count; i++) {
        for (unsigned shard = 0; shard < node->worker_count; shard++) {
            struct replica_stream *stream =
                atomic_load(&peers_at(node->peers, (uint16_t)i)->streams[shard]);
            if (stream == NULL) {
                continue;
            }
            spin_lock(&stream->lock);
            uint64_t appended = stream->stream.appended;
            bool pending = stream->stream.acked < appended;
            spin_unlock(&stream->lock);
            if (pending) {
                ack_set_add(acks, stream, appended, appended);
            }
        }
    }
}

/* With --acks in-sync nothing was answered that the replicas do not have, so there is nothing to
 * wait for. Else it waits for all that this node has told them, whoever wrote it: more than is
 * asked, but a connection need not remember what it wrote. Writes to slots of other nodes are
 * theirs to wait for. */
void wait_command(struct call *call)
{
    int64_t wanted = 0;
    int64_t timeout_ms = 0;
    struct worker *worker = call->worker;
    if (!call_argument_int64(call, 1, &wanted) || !call_argument_int64(call, 2, &timeout_ms)) {
        return;
    }
    if (wanted < 0 || timeout_ms < 0) {
        reply_error(call->reply, wanted < 0 ? "ERR numreplicas must not be negative"
                                            : "ERR timeout is negative");
        return;
    }
    reply_integer(call->reply, count_replicas(worker->node));
    if (wanted > 0 && worker->node->config.acks == ACKS_PRIMARY) {
        collect_streams(worker, worker->local_acks);
        worker->wait_ms = timeout_ms == 0 ? INT64_MAX / 2 : (uint64_t)timeout_ms;
    }
}
