#include "node/commands/cluster_text.h"

#include "base/error.h"

#include <arpa/inet.h>
#include <assert.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>

#define RANGE_NONE UINT16_MAX

static_assert(SLOT_COUNT < RANGE_NONE, "ranges are numbered in 16 bits");

/* Consecutive slots with the same primary. */
struct slot_range {
    uint16_t start, end; /* both included */
    uint16_t primary;    /* index into the view's nodes */
    uint16_t next;       /* range of the same primary, in order; RANGE_NONE at the last */
};

struct node_slots {
    uint16_t first;      /* range; RANGE_NONE when it leads nothing */
    uint16_t led;        /* slots, as a primary */
    uint16_t replicated; /* slots, as a replica */
};

struct cluster_text {
    pthread_mutex_t lock;

    /* lock: of the view of this cluster and epoch; epoch 0 = of none */
    uint64_t epoch;
    struct node_id cluster_id;
    struct slot_range *ranges;
    size_t range_count;
    struct node_slots *nodes; /* parallel to the view's */
    struct buf slots[2];      /* CLUSTER SLOTS in RESP2 and RESP3; empty until asked for */
};

struct cluster_text *cluster_text_create(void)
{
    struct cluster_text *text = calloc(1, sizeof(*text));
    if (text == NULL) {
        return NULL;
    }
    if (pthread_mutex_init(&text->lock, NULL) != 0) {
        free(text);
        return NULL;
    }
    return text;
}

static void clear(struct cluster_text *text)
{
    free(text->ranges);
    free(text->nodes);
    text->ranges = NULL;
    text->nodes = NULL;
    text->range_count = 0;
    text->epoch = 0;
    buf_reset(&text->slots[0], 0);
    buf_reset(&text->slots[1], 0);
}

void cluster_text_destroy(struct cluster_text *text)
{
    if (text == NULL) {
        return;
    }
    clear(text);
    pthread_mutex_destroy(&text->lock);
    free(text);
}

/* Finds the ranges, at most SLOT_COUNT, and counts every node's slots. */
static void find_ranges(struct cluster_text *text, const struct view *view)
{
    struct slot_range *last = NULL;
    for (unsigned slot = 0; slot < SLOT_COUNT; slot++) {
        uint16_t owners[COPIES_MAX];
        size_t count = view_owners(view, (uint16_t)slot, owners);
        for (size_t i = 1; i < count; i++) {
            text->nodes[owners[i]].replicated++;
        }
        if (count == 0) {
            continue;
        }
        text->nodes[owners[0]].led++;
        if (last != NULL && last->end + 1u == slot && last->primary == owners[0]) {
            last->end = (uint16_t)slot;
            continue;
        }
        last = &text->ranges[text->range_count++];
        *last = (struct slot_range){
            .start = (uint16_t)slot, .end = (uint16_t)slot, .primary = owners[0]};
    }
}

/* Links the ranges of each primary, in order. */
static void link_ranges(struct cluster_text *text)
{
    for (size_t i = text->range_count; i > 0; i--) {
        struct slot_range *range = &text->ranges[i - 1];
        range->next = text->nodes[range->primary].first;
        text->nodes[range->primary].first = (uint16_t)(i - 1);
    }
}

/* Lock held. Makes what is kept that of this view. */
static int refresh_locked(struct cluster_text *text, const struct view *view)
{
    assert(view->epoch > 0);
    if (text->epoch == view->epoch && node_id_equal(&text->cluster_id, &view->cluster_id)) {
        return TORC_OK;
    }
    clear(text);
    text->ranges = malloc(SLOT_COUNT * sizeof(*text->ranges));
    text->nodes = calloc(view->node_count + 1, sizeof(*text->nodes));
    if (text->ranges == NULL || text->nodes == NULL) {
        clear(text);
        return TORC_ENOMEM;
    }
    for (size_t i = 0; i < view->node_count; i++) {
        text->nodes[i].first = RANGE_NONE;
    }
    find_ranges(text, view);
    link_ranges(text);
    text->epoch = view->epoch;
    text->cluster_id = view->cluster_id;
    return TORC_OK;
}

static void write_slots(const struct cluster_text *text, const struct view *view,
                        struct reply_writer *reply)
{
    reply_array(reply, text->range_count);
    for (size_t i = 0; i < text->range_count; i++) {
        const struct slot_range *range = &text->ranges[i];
        const struct view_node *node = &view->nodes[range->primary];
        char id[NODE_ID_TEXT_SIZE];
        node_id_format(&node->id, id);
        reply_array(reply, 3);
        reply_integer(reply, range->start);
        reply_integer(reply, range->end);
        reply_array(reply, 4);
        reply_bulk_text(reply, node->host);
        reply_integer(reply, node->direct_port);
        reply_bulk_text(reply, id);
        reply_map(reply, 0); /* no other names for it */
    }
}

int cluster_text_slots(struct cluster_text *text, const struct view *view,
                       struct reply_writer *reply)
{
    pthread_mutex_lock(&text->lock);
    int status = refresh_locked(text, view);
    struct buf *kept = &text->slots[reply->protocol == 3 ? 1 : 0];
    if (status == TORC_OK && buf_size(kept) == 0) {
        struct reply_writer writer = {.out = kept, .protocol = reply->protocol};
        write_slots(text, view, &writer);
        if (kept->failed) {
            buf_reset(kept, 0);
            status = TORC_ENOMEM;
        }
    }
    if (status == TORC_OK) {
        buf_append(reply->out, buf_head(kept), buf_size(kept));
    }
    pthread_mutex_unlock(&text->lock);
    return status;
}

static enum cluster_health health_of(const struct cluster_member *members, size_t index)
{
    return members == NULL ? CLUSTER_ALIVE : members[index].health;
}

static bool is_host_name(const char *host)
{
    struct in6_addr address;
    return inet_pton(AF_INET, host, &address) != 1 && inet_pton(AF_INET6, host, &address) != 1;
}

static const char *shard_health(const struct view_node *node, enum cluster_health health)
{
    if (node->status == NODE_DOWN || health == CLUSTER_DEAD) {
        return "fail";
    }
    return node->status == NODE_SYNCING ? "loading" : "online";
}

static void write_shard_slots(const struct cluster_text *text, size_t node,
                              struct reply_writer *reply)
{
    size_t count = 0;
    for (uint16_t i = text->nodes[node].first; i != RANGE_NONE; i = text->ranges[i].next) {
        count++;
    }
    reply_array(reply, 2 * count);
    for (uint16_t i = text->nodes[node].first; i != RANGE_NONE; i = text->ranges[i].next) {
        reply_integer(reply, text->ranges[i].start);
        reply_integer(reply, text->ranges[i].end);
    }
}

static void write_shard_node(const struct view_node *node, enum cluster_health health,
                             struct reply_writer *reply)
{
    bool named = is_host_name(node->host);
    char id[NODE_ID_TEXT_SIZE];
    node_id_format(&node->id, id);
    reply_map(reply, named ? 8 : 7);
    reply_bulk_text(reply, "id");
    reply_bulk_text(reply, id);
    reply_bulk_text(reply, "port");
    reply_integer(reply, node->direct_port);
    reply_bulk_text(reply, "ip");
    reply_bulk_text(reply, node->host);
    reply_bulk_text(reply, "endpoint");
    reply_bulk_text(reply, node->host);
    if (named) {
        reply_bulk_text(reply, "hostname");
        reply_bulk_text(reply, node->host);
    }
    reply_bulk_text(reply, "role");
    reply_bulk_text(reply, "master");
    reply_bulk_text(reply, "replication-offset");
    reply_integer(reply, 0); /* sequences are counted slot by slot: there is no one figure */
    reply_bulk_text(reply, "health");
    reply_bulk_text(reply, shard_health(node, health));
}

int cluster_text_shards(struct cluster_text *text, const struct view *view,
                        const struct cluster_member *members, struct reply_writer *reply)
{
    pthread_mutex_lock(&text->lock);
    int status = refresh_locked(text, view);
    if (status == TORC_OK) {
        reply_array(reply, view->node_count);
        for (size_t i = 0; i < view->node_count; i++) {
            reply_map(reply, 2);
            reply_bulk_text(reply, "slots");
            write_shard_slots(text, i, reply);
            reply_bulk_text(reply, "nodes");
            reply_array(reply, 1);
            write_shard_node(&view->nodes[i], health_of(members, i), reply);
        }
    }
    pthread_mutex_unlock(&text->lock);
    return status;
}

static void write_node_slots(const struct cluster_text *text, size_t node, struct buf *out)
{
    for (uint16_t i = text->nodes[node].first; i != RANGE_NONE; i = text->ranges[i].next) {
        const struct slot_range *range = &text->ranges[i];
        if (range->start == range->end) {
            buf_append_format(out, " %u", range->start);
        } else {
            buf_append_format(out, " %u-%u", range->start, range->end);
        }
    }
}

static void write_node_line(const struct cluster_text *text, const struct view *view, size_t index,
                            const struct cluster_member *members, bool myself, struct buf *out)
{
    const struct view_node *node = &view->nodes[index];
    enum cluster_health health = myself ? CLUSTER_ALIVE : health_of(members, index);
    bool named = is_host_name(node->host);
    const char *failure = node->status == NODE_DOWN ? ",fail"
                          : health != CLUSTER_ALIVE ? ",fail?"
                                                    : "";
    bool connected = node->status != NODE_DOWN && health != CLUSTER_DEAD;
    uint64_t heard_ms = myself || members == NULL ? 0 : members[index].heard_ms;
    char id[NODE_ID_TEXT_SIZE];
    node_id_format(&node->id, id);
    buf_append_format(out, "%s %s:%u@%u%s%s %smaster%s - 0 %llu %llu %s", id, node->host,
                      node->direct_port, node->bus_port, named ? "," : "", named ? node->host : "",
                      myself ? "myself," : "", failure, (unsigned long long)heard_ms,
                      (unsigned long long)view->epoch, connected ? "connected" : "disconnected");
    write_node_slots(text, index, out);
    buf_append_text(out, "\n");
}

int cluster_text_nodes(struct cluster_text *text, const struct view *view,
                       const struct cluster_member *members, const struct node_id *self,
                       struct buf *out)
{
    pthread_mutex_lock(&text->lock);
    int status = refresh_locked(text, view);
    for (size_t i = 0; status == TORC_OK && i < view->node_count; i++) {
        bool myself = node_id_equal(&view->nodes[i].id, self);
        write_node_line(text, view, i, members, myself, out);
    }
    pthread_mutex_unlock(&text->lock);
    return status;
}

int cluster_text_summary(struct cluster_text *text, const struct view *view,
                         const struct cluster_member *members, const struct node_id *self,
                         struct cluster_summary *out)
{
    *out = (struct cluster_summary){0};
    pthread_mutex_lock(&text->lock);
    int status = refresh_locked(text, view);
    for (size_t i = 0; status == TORC_OK && i < view->node_count; i++) {
        const struct node_slots *slots = &text->nodes[i];
        enum cluster_health health = health_of(members, i);
        out->slots_assigned += slots->led;
        out->slots_suspect += health == CLUSTER_SUSPECT ? slots->led : 0;
        out->slots_dead += health == CLUSTER_DEAD ? slots->led : 0;
        out->primary_count += slots->led > 0 ? 1 : 0;
        if (node_id_equal(&view->nodes[i].id, self)) {
            out->slots_primary = slots->led;
            out->slots_replica = slots->replicated;
        }
    }
    pthread_mutex_unlock(&text->lock);
    return status;
}
