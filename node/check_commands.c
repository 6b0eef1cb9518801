/* TORC.CHECK: has copies compared, and shows what came of it. */
#include "base/error.h"
#include "node/call.h"
#include "node/check.h"
#include "node/commands/handlers.h"
#include "node/node.h"
#include "node/peers.h"

/* TORC.CHECK START */
void torc_check_start_command(struct call *call)
{
    uint64_t run;
    if (check_start(worker_node(call->worker), &run) == TORC_OK) {
        reply_integer(call->reply, (int64_t)run);
    } else {
        reply_error(call->reply, "BUSY check %llu is under way", (unsigned long long)run);
    }
}

static void reply_number(struct reply_writer *writer, const char *name, uint64_t value)
{
    reply_bulk_text(writer, name);
    reply_integer(writer, (int64_t)value);
}

static void reply_peer_id(struct call *call, uint16_t peer)
{
    char id[NODE_ID_TEXT_SIZE];
    node_id_format(&peers_at(worker_node(call->worker)->peers, peer)->id, id);
    reply_bulk_text(call->reply, id);
}

/* Lock held. */
static void reply_received(struct call *call, const struct check *check, size_t peers)
{
    size_t count = 0;
    for (size_t i = 0; i < peers; i++) {
        count += check->received[i].run != 0;
    }
    reply_array(call->reply, count);
    for (size_t i = 0; i < peers; i++) {
        const struct check_received *received = &check->received[i];
        if (received->run != 0) {
            reply_array(call->reply, 5);
            reply_peer_id(call, (uint16_t)i);
            reply_integer(call->reply, (int64_t)received->run);
            reply_integer(call->reply, (int64_t)received->compared);
            reply_integer(call->reply, (int64_t)received->passed);
            reply_integer(call->reply, (int64_t)received->differing);
        }
    }
}

/* Lock held. */
static void reply_differing(struct call *call, const struct check *check)
{
    size_t count = 0;
    for (uint32_t slot = 0; slot < SLOT_COUNT; slot++) {
        count += check->differing_from[slot] != CHECK_PEER_NONE;
    }
    reply_array(call->reply, count);
    for (uint32_t slot = 0; slot < SLOT_COUNT; slot++) {
        if (check->differing_from[slot] != CHECK_PEER_NONE) {
            reply_array(call->reply, 2);
            reply_integer(call->reply, slot);
            reply_peer_id(call, check->differing_from[slot]);
        }
    }
}

/* TORC.CHECK STATUS */
void torc_check_status_command(struct call *call)
{
    struct node *node = worker_node(call->worker);
    struct check *check = &node->check;
    size_t peers = atomic_load_explicit(&node->peers->count, memory_order_acquire);
    struct check_received sums = {0};
    pthread_mutex_lock(&check->lock);
    for (size_t i = 0; i < peers; i++) {
        sums.compared += check->received[i].compared;
        sums.passed += check->received[i].passed;
        sums.differing += check->received[i].differing;
    }
    reply_map(call->reply, 12);
    reply_number(call->reply, "run", atomic_load(&check->run));
    /* Read first: once it is 0 the other numbers are final. */
    reply_number(call->reply, "running", check_is_running(check));
    reply_number(call->reply, "slots-to-check", atomic_load(&check->slots_to_check));
    reply_number(call->reply, "slots-checked", atomic_load(&check->slots_checked));
    reply_number(call->reply, "slots-gone", atomic_load(&check->slots_gone));
    reply_number(call->reply, "ranges-sent", atomic_load(&check->ranges_sent));
    reply_number(call->reply, "ranges-unsent", atomic_load(&check->ranges_unsent));
    reply_number(call->reply, "ranges-compared", sums.compared);
    reply_number(call->reply, "ranges-passed-over", sums.passed);
    reply_number(call->reply, "ranges-differing", sums.differing);
    reply_bulk_text(call->reply, "received");
    reply_received(call, check, peers);
    reply_bulk_text(call->reply, "differing");
    reply_differing(call, check);
    pthread_mutex_unlock(&check->lock);
}
