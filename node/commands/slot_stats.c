/* CLUSTER SLOT-STATS: what the slots that this node leads hold, and how often they are asked for.
 * The form is Valkey's; of its metrics only the number of keys is kept, beside two of Torc's own.
 */
#include "node/call.h"
#include "node/commands/cluster.h"
#include "node/commands/handlers.h"
#include "node/node.h"

struct slot_stats {
    bool led;
    uint64_t keys, memory_bytes, commands;
};

static struct slot_stats read_stats(struct slot *slot)
{
    slot_lock(slot);
    struct slot_stats stats = {.led = slot->copy.role == COPY_PRIMARY,
                               .keys = keyspace_count(slot_keys(slot)),
                               .memory_bytes = keyspace_memory(slot_keys(slot)),
                               .commands = slot->commands};
    slot_unlock(slot);
    return stats;
}

static void reply_metric(struct reply_writer *writer, struct bytes name, uint64_t value)
{
    reply_bulk(writer, name);
    reply_integer(writer, (int64_t)value);
}

/* CLUSTER SLOT-STATS SLOTSRANGE FIRST LAST */
void cluster_slot_stats_command(struct call *call)
{
    struct node *node = worker_node(call->worker);
    uint16_t first = 0;
    uint16_t last = 0;
    if (call->argc != 5 || !call_argument_is(call, 2, "slotsrange")) {
        call_reply_syntax_error(call);
        return;
    }
    if (!cluster_read_slot(call, 3, &first) || !cluster_read_slot(call, 4, &last)) {
        reply_error(call->reply, "ERR Invalid or out of range slot");
        return;
    }
    if (first > last) {
        reply_error(call->reply, "ERR Start slot number %u is greater than end slot number %u",
                    first, last);
        return;
    }
    struct buf elements = {0};
    struct reply_writer writer = {.out = &elements, .protocol = call->reply->protocol};
    size_t count = 0;
    for (unsigned i = first; i <= last; i++) {
        struct slot_stats stats = read_stats(&node->slots[i]);
        if (!stats.led) {
            continue;
        }
        count++;
        reply_array(&writer, 2);
        reply_integer(&writer, i);
        reply_map(&writer, 3);
        reply_metric(&writer, BYTES_LITERAL("key-count"), stats.keys);
        reply_metric(&writer, BYTES_LITERAL("memory-bytes"), stats.memory_bytes);
        reply_metric(&writer, BYTES_LITERAL("commands"), stats.commands);
    }
    if (elements.failed) {
        call_reply_no_memory(call);
    } else {
        reply_array(call->reply, count);
        buf_append(call->reply->out, buf_head(&elements), buf_size(&elements));
    }
    buf_deinit(&elements);
}
