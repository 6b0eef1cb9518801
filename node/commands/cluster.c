#include "node/commands/cluster.h"
#include "node/call.h"

#include "base/error.h"
#include "node/clock.h"
#include "node/commands/command_docs.h"
#include "node/commands/handlers.h"
#include "node/control.h"
#include "node/node.h"
#include "node/resp/number.h"
#include "ring/slot.h"

#include <stdlib.h>

static enum cluster_health health_of_status(enum gossip_status status)
{
    switch (status) {
    case GOSSIP_ALIVE: return CLUSTER_ALIVE;
    case GOSSIP_SUSPECT: return CLUSTER_SUSPECT;
    case GOSSIP_DEAD: return CLUSTER_DEAD;
    case GOSSIP_LEFT: return CLUSTER_DEAD;
    }
    return CLUSTER_ALIVE;
}

/* A node that gossip does not know (yet) counts as alive: the view put it there, and only silence
 * speaks against it. */
static void read_gossip(struct node *node, const struct view *view, struct cluster_member *members)
{
    uint64_t now_ms = clock_monotonic_ms();
    uint64_t wall_ms = clock_wall_ms();
    pthread_mutex_lock(&node->gossip_lock);
    size_t count = node->gossip == NULL ? 0 : gossip_member_count(node->gossip);
    for (size_t i = 0; i < count; i++) {
        const struct gossip_member *member = gossip_member_at(node->gossip, i);
        int index = view_find(view, &member->id);
        if (index < 0) {
            continue;
        }
        members[index].health = health_of_status(member->status);
        if (member->heard_ms != 0 && member->heard_ms <= now_ms) {
            members[index].heard_ms = wall_ms - (now_ms - member->heard_ms);
        }
    }
    pthread_mutex_unlock(&node->gossip_lock);
}

int cluster_state_take(struct cluster_state *out, struct node *node)
{
    *out = (struct cluster_state){.view = node_view(node)};
    if (out->view == NULL) {
        return TORC_OK;
    }
    out->members = calloc(out->view->node_count + 1, sizeof(*out->members));
    if (out->members == NULL) {
        view_release(out->view);
        return TORC_ENOMEM;
    }
    read_gossip(node, out->view, out->members);
    return TORC_OK;
}

void cluster_state_release(struct cluster_state *state)
{
    free(state->members);
    view_release(state->view);
}

/* The state of a cluster that the node is part of; replies the error itself. */
static bool take_joined(struct call *call, struct cluster_state *out)
{
    if (cluster_state_take(out, worker_node(call->worker)) != TORC_OK) {
        call_reply_no_memory(call);
        return false;
    }
    if (out->view == NULL) {
        reply_error(call->reply, CALL_NOT_JOINED);
        return false;
    }
    return true;
}

void cluster_myid_command(struct call *call)
{
    char id[NODE_ID_TEXT_SIZE];
    node_id_format(&worker_node(call->worker)->id, id);
    reply_bulk_text(call->reply, id);
}

void cluster_slots_command(struct call *call)
{
    struct node *node = worker_node(call->worker);
    const struct view *view = node_view(node);
    if (view == NULL) {
        reply_error(call->reply, CALL_NOT_JOINED);
        return;
    }
    if (cluster_text_slots(node->cluster_text, view, call->reply) != TORC_OK) {
        call_reply_no_memory(call);
    }
    view_release(view);
}

void cluster_shards_command(struct call *call)
{
    struct node *node = worker_node(call->worker);
    struct cluster_state state;
    if (!take_joined(call, &state)) {
        return;
    }
    if (cluster_text_shards(node->cluster_text, state.view, state.members, call->reply) !=
        TORC_OK) {
        call_reply_no_memory(call);
    }
    cluster_state_release(&state);
}

static void reply_text(struct call *call, struct buf *text, int status)
{
    if (status != TORC_OK || text->failed) {
        call_reply_no_memory(call);
    } else {
        reply_verbatim(call->reply, "txt", buf_bytes(text));
    }
    buf_deinit(text);
}

void cluster_nodes_command(struct call *call)
{
    struct node *node = worker_node(call->worker);
    struct cluster_state state;
    if (!take_joined(call, &state)) {
        return;
    }
    struct buf text = {0};
    int status =
        cluster_text_nodes(node->cluster_text, state.view, state.members, &node->id, &text);
    reply_text(call, &text, status);
    cluster_state_release(&state);
}

/* What a view still asks for, beyond what Redis would show. */
static void write_unsettled(struct buf *out, const struct view *view)
{
    size_t syncing = 0;
    size_t down = 0;
    size_t moving = 0;
    for (size_t i = 0; view != NULL && i < view->node_count; i++) {
        syncing += view->nodes[i].status == NODE_SYNCING;
        down += view->nodes[i].status == NODE_DOWN;
    }
    for (uint32_t slot = 0; view != NULL && view->changing && slot < SLOT_COUNT; slot++) {
        moving += !view_slot_moved(view, (uint16_t)slot);
    }
    buf_append_format(out,
                      "cluster_nodes_syncing:%zu\r\n"
                      "cluster_nodes_down:%zu\r\n"
                      "cluster_ring_changing:%d\r\n"
                      "cluster_slots_to_move:%zu\r\n",
                      syncing, down, view != NULL && view->changing, moving);
}

static void write_info(struct buf *out, struct node *node, const struct view *view,
                       const struct cluster_summary *summary)
{
    struct gossip_counters counters = {0};
    pthread_mutex_lock(&node->gossip_lock);
    if (node->gossip != NULL) {
        counters = *gossip_counters(node->gossip);
    }
    pthread_mutex_unlock(&node->gossip_lock);
    bool good = summary->slots_assigned == SLOT_COUNT && summary->slots_dead == 0;
    unsigned long long epoch = view == NULL ? 0 : view->epoch;
    buf_append_format(out,
                      "cluster_state:%s\r\n"
                      "cluster_slots_assigned:%u\r\n"
                      "cluster_slots_ok:%u\r\n"
                      "cluster_slots_pfail:%u\r\n"
                      "cluster_slots_fail:%u\r\n"
                      "cluster_known_nodes:%zu\r\n"
                      "cluster_size:%zu\r\n"
                      "cluster_current_epoch:%llu\r\n"
                      "cluster_my_epoch:%llu\r\n"
                      "cluster_stats_messages_sent:%llu\r\n"
                      "cluster_stats_messages_received:%llu\r\n"
                      "total_cluster_links_buffer_limit_exceeded:0\r\n",
                      good ? "ok" : "fail", summary->slots_assigned,
                      summary->slots_assigned - summary->slots_suspect - summary->slots_dead,
                      summary->slots_suspect, summary->slots_dead,
                      view == NULL ? 1 : view->node_count, summary->primary_count, epoch, epoch,
                      (unsigned long long)counters.sent, (unsigned long long)counters.received);
    write_unsettled(out, view);
}

void cluster_info_command(struct call *call)
{
    struct node *node = worker_node(call->worker);
    struct cluster_state state;
    struct cluster_summary summary = {0};
    struct buf text = {0};
    int status = cluster_state_take(&state, node);
    if (status == TORC_OK && state.view != NULL) {
        status = cluster_text_summary(node->cluster_text, state.view, state.members, &node->id,
                                      &summary);
    }
    if (status == TORC_OK) {
        write_info(&text, node, state.view, &summary);
    }
    reply_text(call, &text, status);
    cluster_state_release(&state);
}

void cluster_keyslot_command(struct call *call)
{
    reply_integer(call->reply, slot_of_key(call->argv[2]));
}

bool cluster_read_slot(const struct call *call, size_t index, uint16_t *slot)
{
    int64_t number = 0;
    if (!parse_int64(call->argv[index], &number) || number < 0 || number >= SLOT_COUNT) {
        return false;
    }
    *slot = (uint16_t)number;
    return true;
}

/* Keys that this node holds, whatever its role in the slot; expired ones too, as in Redis. */
void cluster_countkeysinslot_command(struct call *call)
{
    uint16_t index = 0;
    if (!cluster_read_slot(call, 2, &index)) {
        reply_error(call->reply, "ERR Invalid slot");
        return;
    }
    struct slot *slot = &worker_node(call->worker)->slots[index];
    slot_lock(slot);
    size_t count = keyspace_count(slot_keys(slot));
    slot_unlock(slot);
    reply_integer(call->reply, (int64_t)count);
}

struct key_collection {
    struct reply_writer writer;
    size_t count, count_max;
};

static void collect_key(void *context, const struct object *object)
{
    struct key_collection *collection = context;
    if (collection->count < collection->count_max) {
        reply_bulk(&collection->writer, object_key(object));
        collection->count++;
    }
}

void cluster_getkeysinslot_command(struct call *call)
{
    uint16_t index = 0;
    int64_t count_max = 0;
    if (!cluster_read_slot(call, 2, &index) || !parse_int64(call->argv[3], &count_max) ||
        count_max < 0) {
        reply_error(call->reply, "ERR Invalid slot or number of keys");
        return;
    }
    struct buf keys = {0};
    struct key_collection collection = {
        .writer = {.out = &keys, .protocol = call->reply->protocol},
        .count_max = (size_t)count_max,
    };
    struct slot *slot = &worker_node(call->worker)->slots[index];
    slot_lock(slot);
    if (count_max > 0) {
        keyspace_scan(slot_keys(slot), 0, collection.count_max, collect_key, &collection);
    }
    slot_unlock(slot);
    if (keys.failed) {
        call_reply_no_memory(call);
    } else {
        reply_array(call->reply, collection.count);
        buf_append(call->reply->out, buf_head(&keys), buf_size(&keys));
    }
    buf_deinit(&keys);
}

/* Failure is decided by the voters' leases; nobody counts reports. */
void cluster_count_failure_reports_command(struct call *call)
{
    struct node_id id;
    const struct view *view = node_view(worker_node(call->worker));
    if (view == NULL) {
        reply_error(call->reply, CALL_NOT_JOINED);
        return;
    }
    if (node_id_parse(&id, call->argv[2]) != TORC_OK || view_find(view, &id) < 0) {
        struct bytes text = call->argv[2];
        reply_error(call->reply, "ERR Unknown node %.*s", (int)(text.size < 128 ? text.size : 128),
                    text.data);
    } else {
        reply_integer(call->reply, 0);
    }
    view_release(view);
}

/* True if this node owns a slot that another one leads. */
static bool follows_something(struct node *node)
{
    bool follows = false;
    for (uint32_t i = 0; i < SLOT_COUNT && !follows; i++) {
        slot_lock(&node->slots[i]);
        follows = node->slots[i].copy.role == COPY_FOLLOWER && node->slots[i].copy.owner;
        slot_unlock(&node->slots[i]);
    }
    return follows;
}

/* FORCE and TAKEOVER are understood and make no difference: nothing is ever taken without a
 * majority.
 */
void cluster_failover_command(struct call *call)
{
    struct node *node = worker_node(call->worker);
    if (call->argc > 3 || (call->argc == 3 && !call_argument_is(call, 2, "force") &&
                           !call_argument_is(call, 2, "takeover"))) {
        call_reply_syntax_error(call);
    } else if (!follows_something(node)) {
        reply_error(call->reply,
                    "ERR You should send CLUSTER FAILOVER to a replica: this node leads "
                    "every slot that it holds");
    } else {
        control_wish(node->control, true, NULL);
        reply_ok(call->reply);
    }
}

void cluster_forget_command(struct call *call)
{
    struct node_id id;
    struct bytes text = call->argv[2];
    struct node *node = worker_node(call->worker);
    const struct view *view = node_view(node);
    int index = view == NULL || node_id_parse(&id, text) != TORC_OK ? -1 : view_find(view, &id);
    if (view == NULL) {
        reply_error(call->reply, CALL_NOT_JOINED);
    } else if (index < 0) {
        reply_error(call->reply, "ERR Unknown node %.*s", (int)(text.size < 128 ? text.size : 128),
                    text.data);
    } else if (node_id_equal(&id, &node->id)) {
        reply_error(call->reply, "ERR I tried hard but I can't forget myself...");
    } else if (view->nodes[index].status != NODE_DOWN) {
        reply_error(call->reply, "ERR the node is not down: stop it first; what it leads is then "
                                 "handed over");
    } else {
        control_wish(node->control, false, &id);
        reply_ok(call->reply);
    }
    view_release(view);
}

/* Nodes keep no link for each pair of them, as Redis's do. */
void cluster_links_command(struct call *call)
{
    reply_array(call->reply, 0);
}

void cluster_reset_command(struct call *call)
{
    reply_error(call->reply,
                "ERR CLUSTER RESET is not supported: "
                "stop the node, have another one CLUSTER FORGET it, and empty its --state-dir");
}

void cluster_unsupported_command(struct call *call)
{
    struct bytes name = call->argv[1];
    reply_error(call->reply,
                "ERR CLUSTER %.*s is not supported: the cluster places slots and chooses primaries "
                "by itself; join a node with --join, stop it to have it hand its slots over",
                (int)(name.size < 64 ? name.size : 64), name.data);
}

void cluster_help_command(struct call *call)
{
    command_reply_help(call);
}
