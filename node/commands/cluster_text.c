#include "node/commands/cluster_text.h"

#include "base/error.h"

#include <arpa/inet.h>
#include <assert.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define RANGE_NONE UINT16_MAX

static_assert(SLOT_COUNT < RANGE_NONE, "ranges are numbered in 16 bits");

/* Consecutive slots with the same owners in the same order. */
struct slot_range {
    uint16_t start, end; /* both included */
    uint16_t next;       /* range of the same primary, in order; RANGE_NONE at the last */
    uint16_t owner_count;
    uint16_t owners[COPIES_MAX]; /* unused ones zero, so that owners compare as bytes */
};

struct cluster_text {
    pthread_mutex_t lock;

    /* lock: of the view of this cluster and epoch; epoch 0 = of none */
    uint64_t epoch;
    struct node_id cluster_id;
    struct slot_range *ranges;
    size_t range_count;
    uint16_t *first_ranges; /* by node: its first range as a primary; RANGE_NONE */
    struct buf slots[2];    /* CLUSTER SLOTS in RESP2 and RESP3; empty until asked for */
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
    free(text->first_ranges);
    text->ranges = NULL;
    text->first_ranges = NULL;
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

static bool same_owners(const struct slot_range *a, const struct slot_range *b)
{
    return a->owner_count == b->owner_count && memcmp(a->owners, b->owners, sizeof(a->owners)) == 0;
}

/* Writes at most SLOT_COUNT ranges; returns how many. */
static size_t find_ranges(const struct view *view, struct slot_range *out)
{
    size_t count = 0;
    for (unsigned slot = 0; slot < SLOT_COUNT; slot++) {
        struct slot_range one = {.start = (uint16_t)slot, .end = (uint16_t)slot};
        one.next = RANGE_NONE;
        one.owner_count = (uint16_t)view_owners(view, (uint16_t)slot, one.owners);
        memset(one.owners + one.owner_count, 0,
               (COPIES_MAX - one.owner_count) * sizeof(one.owners[0]));
        if (one.owner_count == 0) {
            continue;
        }
        struct slot_range *last = count == 0 ? NULL : &out[count - 1];
        if (last != NULL && last->end + 1u == slot && same_owners(last, &one)) {
            last->end = (uint16_t)slot;
        } else {
            out[count++] = one;
        }
    }
    return count;
}

static void link_ranges(struct cluster_text *text, size_t node_count)
{
    for (size_t i = 0; i < node_count; i++) {
        text->first_ranges[i] = RANGE_NONE;
    }
    for (size_t i = text->range_count; i > 0; i--) {
        struct slot_range *range = &text->ranges[i - 1];
        assert(range->owners[0] < node_count);
        range->next = text->first_ranges[range->owners[0]];
        text->first_ranges[range->owners[0]] = (uint16_t)(i - 1);
    }
}

/* Lock held. Makes the kept ranges those of this view. */
static int refresh_locked(struct cluster_text *text, const struct view *view)
{
    assert(view->epoch > 0);
    if (text->epoch == view->epoch && node_id_equal(&text->cluster_id, &view->cluster_id)) {
        return TORC_OK;
    }
    clear(text);
    text->ranges = malloc(SLOT_COUNT * sizeof(*text->ranges));
    text->first_ranges = malloc((view->node_count + 1) * sizeof(*text->first_ranges));
    if (text->ranges == NULL || text->first_ranges == NULL) {
        clear(text);
        return TORC_ENOMEM;
    }
    text->range_count = find_ranges(view, text->ranges);
    struct slot_range *fitted =
        realloc(text->ranges, (text->range_count + 1) * sizeof(*text->ranges));
    text->ranges = fitted == NULL ? text->ranges : fitted;
    link_ranges(text, view->node_count);
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
        reply_array(reply, 2u + range->owner_count);
        reply_integer(reply, range->start);
        reply_integer(reply, range->end);
        for (size_t j = 0; j < range->owner_count; j++) {
            const struct view_node *node = &view->nodes[range->owners[j]];
            char id[NODE_ID_TEXT_SIZE];
            node_id_format(&node->id, id);
            reply_array(reply, 4);
            reply_bulk_text(reply, node->host);
            reply_integer(reply, node->direct_port);
            reply_bulk_text(reply, id);
            reply_map(reply, 0); /* no other names for it */
        }
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

static const char *shard_health(const struct view_node *node, enum cluster_health health)
{
    if (node->status == NODE_DOWN || health == CLUSTER_DEAD) {
        return "fail";
    }
    return node->status == NODE_SYNCING ? "loading" : "online";
}

static void write_shard_node(const struct view *view, const struct cluster_member *members,
                             size_t index, bool primary, struct reply_writer *reply)
{
    const struct view_node *node = &view->nodes[index];
    struct in6_addr address;
    bool is_name = inet_pton(AF_INET, node->host, &address) != 1 &&
                   inet_pton(AF_INET6, node->host, &address) != 1;
    char id[NODE_ID_TEXT_SIZE];
    node_id_format(&node->id, id);
    reply_map(reply, is_name ? 8 : 7);
    reply_bulk_text(reply, "id");
    reply_bulk_text(reply, id);
    reply_bulk_text(reply, "port");
    reply_integer(reply, node->direct_port);
    reply_bulk_text(reply, "ip");
    reply_bulk_text(reply, node->host);
    reply_bulk_text(reply, "endpoint");
    reply_bulk_text(reply, node->host);
    if (is_name) {
        reply_bulk_text(reply, "hostname");
        reply_bulk_text(reply, node->host);
    }
    reply_bulk_text(reply, "role");
    reply_bulk_text(reply, primary ? "master" : "replica");
    reply_bulk_text(reply, "replication-offset");
    reply_integer(reply, 0); /* sequences are counted slot by slot: there is no one figure */
    reply_bulk_text(reply, "health");
    reply_bulk_text(reply, shard_health(node, health_of(members, index)));
}

static int compare_owners(const void *a, const void *b)
{
    const struct slot_range *left = *(const struct slot_range *const *)a;
    const struct slot_range *right = *(const struct slot_range *const *)b;
    if (left->owner_count != right->owner_count) {
        return left->owner_count < right->owner_count ? -1 : 1;
    }
    for (size_t i = 0; i < left->owner_count; i++) {
        if (left->owners[i] != right->owners[i]) {
            return left->owners[i] < right->owners[i] ? -1 : 1;
        }
    }
    return (int)left->start - (int)right->start;
}

/* `group` are the ranges of one shard; none for a node that owns nothing. */
static void write_shard_slots(const struct slot_range *const *group, size_t count,
                              struct reply_writer *reply)
{
    reply_map(reply, 2);
    reply_bulk_text(reply, "slots");
    reply_array(reply, 2 * count);
    for (size_t i = 0; i < count; i++) {
        reply_integer(reply, group[i]->start);
        reply_integer(reply, group[i]->end);
    }
    reply_bulk_text(reply, "nodes");
}

/* Ranges sorted by owners, so that those of one shard stand together, and who owns nothing. */
struct shards {
    const struct slot_range **sorted;
    bool *owns; /* by node */
    size_t range_count;
    size_t shard_count;
};

static void shards_deinit(struct shards *shards)
{
    free(shards->sorted);
    free(shards->owns);
}

static int shards_init(struct shards *shards, const struct cluster_text *text, size_t node_count)
{
    *shards = (struct shards){.range_count = text->range_count};
    shards->sorted = malloc((text->range_count + 1) * sizeof(*shards->sorted));
    shards->owns = calloc(node_count + 1, sizeof(*shards->owns));
    if (shards->sorted == NULL || shards->owns == NULL) {
        shards_deinit(shards);
        return TORC_ENOMEM;
    }
    for (size_t i = 0; i < text->range_count; i++) {
        const struct slot_range *range = &text->ranges[i];
        shards->sorted[i] = range;
        for (size_t j = 0; j < range->owner_count; j++) {
            shards->owns[range->owners[j]] = true;
        }
    }
    qsort(shards->sorted, text->range_count, sizeof(*shards->sorted), compare_owners);
    for (size_t i = 0; i < text->range_count; i++) {
        bool starts = i == 0 || !same_owners(shards->sorted[i - 1], shards->sorted[i]);
        shards->shard_count += starts ? 1 : 0;
    }
    return TORC_OK;
}

static void write_shards(const struct shards *shards, const struct view *view,
                         const struct cluster_member *members, struct reply_writer *reply)
{
    size_t idle = 0;
    for (size_t i = 0; i < view->node_count; i++) {
        idle += shards->owns[i] ? 0 : 1;
    }
    reply_array(reply, shards->shard_count + idle);
    for (size_t i = 0, end = 0; i < shards->range_count; i = end) {
        const struct slot_range *owners = shards->sorted[i];
        end = i + 1;
        while (end < shards->range_count && same_owners(owners, shards->sorted[end])) {
            end++;
        }
        write_shard_slots(&shards->sorted[i], end - i, reply);
        reply_array(reply, owners->owner_count);
        for (size_t j = 0; j < owners->owner_count; j++) {
            write_shard_node(view, members, owners->owners[j], j == 0, reply);
        }
    }
    for (size_t i = 0; i < view->node_count; i++) {
        if (!shards->owns[i]) {
            write_shard_slots(NULL, 0, reply);
            reply_array(reply, 1);
            write_shard_node(view, members, i, true, reply);
        }
    }
}

int cluster_text_shards(struct cluster_text *text, const struct view *view,
                        const struct cluster_member *members, struct reply_writer *reply)
{
    struct shards shards;
    pthread_mutex_lock(&text->lock);
    int status = refresh_locked(text, view);
    if (status == TORC_OK) {
        status = shards_init(&shards, text, view->node_count);
    }
    if (status == TORC_OK) {
        write_shards(&shards, view, members, reply);
        shards_deinit(&shards);
    }
    pthread_mutex_unlock(&text->lock);
    return status;
}

/* The slots a node leads, neighbours joined: CLUSTER NODES does not tell who the replicas are. */
static void write_node_slots(const struct cluster_text *text, size_t node, struct buf *out)
{
    for (uint16_t i = text->first_ranges[node]; i != RANGE_NONE;) {
        unsigned start = text->ranges[i].start;
        unsigned end = text->ranges[i].end;
        i = text->ranges[i].next;
        while (i != RANGE_NONE && text->ranges[i].start == end + 1) {
            end = text->ranges[i].end;
            i = text->ranges[i].next;
        }
        if (start == end) {
            buf_append_format(out, " %u", start);
        } else {
            buf_append_format(out, " %u-%u", start, end);
        }
    }
}

static void write_node_line(const struct cluster_text *text, const struct view *view, size_t index,
                            const struct cluster_member *members, bool myself, struct buf *out)
{
    const struct view_node *node = &view->nodes[index];
    enum cluster_health health = myself ? CLUSTER_ALIVE : health_of(members, index);
    struct in6_addr address;
    bool is_name = inet_pton(AF_INET, node->host, &address) != 1 &&
                   inet_pton(AF_INET6, node->host, &address) != 1;
    const char *failure = node->status == NODE_DOWN ? ",fail"
                          : health != CLUSTER_ALIVE ? ",fail?"
                                                    : "";
    bool connected = node->status != NODE_DOWN && health != CLUSTER_DEAD;
    char id[NODE_ID_TEXT_SIZE];
    node_id_format(&node->id, id);
    buf_append_format(out, "%s %s:%u@%u%s%s %smaster%s - 0 %llu %llu %s", id, node->host,
                      node->direct_port, node->bus_port, is_name ? "," : "",
                      is_name ? node->host : "", myself ? "myself," : "", failure,
                      (unsigned long long)(members == NULL ? 0 : members[index].heard_ms),
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

static void add_range(struct cluster_summary *summary, const struct slot_range *range,
                      const struct cluster_member *members, int self)
{
    unsigned count = range->end - range->start + 1u;
    enum cluster_health health = health_of(members, range->owners[0]);
    summary->slots_assigned += count;
    summary->slots_suspect += health == CLUSTER_SUSPECT ? count : 0;
    summary->slots_dead += health == CLUSTER_DEAD ? count : 0;
    for (int i = 0; i < range->owner_count; i++) {
        if (range->owners[i] == self) {
            *(i == 0 ? &summary->slots_primary : &summary->slots_replica) += count;
        }
    }
}

int cluster_text_summary(struct cluster_text *text, const struct view *view,
                         const struct cluster_member *members, const struct node_id *self,
                         struct cluster_summary *out)
{
    *out = (struct cluster_summary){0};
    pthread_mutex_lock(&text->lock);
    int status = refresh_locked(text, view);
    if (status == TORC_OK) {
        int self_index = view_find(view, self);
        for (size_t i = 0; i < text->range_count; i++) {
            add_range(out, &text->ranges[i], members, self_index);
        }
        for (size_t i = 0; i < view->node_count; i++) {
            out->primary_count += text->first_ranges[i] != RANGE_NONE ? 1 : 0;
        }
    }
    pthread_mutex_unlock(&text->lock);
    return status;
}
