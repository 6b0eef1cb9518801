/* The data behind the copies, the operations of clients on it, and the replies that wait. */
#include "base/codec.h"
#include "base/error.h"
#include "tests/sim/check_history.h"
#include "tests/sim/cluster_node.h"

#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#define BYTES_PER_KEY 200 /* of a refill's budget */
#define EXPIRE_MS 50

/* ---- effects ----
 * A sequence of: 1, key bytes32, expiry u64, value bytes32 (set); or 2, key bytes32 (delete). */

enum effect_kind { EFFECT_SET = 1, EFFECT_DELETE = 2 };

static void delete_key(struct keyspace *keys, struct bytes key)
{
    keyspace_delete(keys, key, key_hash(key));
}

static bool apply(struct keyspace *keys, struct bytes effects)
{
    struct reader reader;
    reader_init(&reader, effects);
    while (reader_left(&reader) > 0) {
        uint8_t kind = read_u8(&reader);
        struct bytes key = read_bytes32(&reader, SIZE_MAX);
        if (kind == EFFECT_DELETE) {
            delete_key(keys, key);
            continue;
        }
        uint64_t expire_at_ms = read_u64(&reader);
        struct bytes value = read_bytes32(&reader, SIZE_MAX);
        if (reader.failed || kind != EFFECT_SET) {
            return false;
        }
        if (keyspace_set_string(keys, key, key_hash(key), value, expire_at_ms, NULL) != TORC_OK) {
            abort();
        }
    }
    return !reader.failed;
}

static bool data_apply(void *context, uint16_t slot, struct bytes effects)
{
    struct sim_node *node = context;
    return apply(node->keys[slot], effects);
}

static void data_clear(void *context, uint16_t slot)
{
    struct sim_node *node = context;
    keyspace_clear(node->keys[slot]);
}

struct visiting {
    struct keyspace *keys;
    copy_key_visitor *visit;
    void *context;
};

/* Every fourth key is sent in two pieces. */
static bool is_big(struct bytes key)
{
    return key_hash(key) % 4 == 0;
}

static void visit_object(void *context, const struct object *object)
{
    const struct visiting *visiting = context;
    struct buf dump = {0};
    if (is_big(object_key(object))) {
        struct copy_key big = {.key = object_key(object), .big = true};
        visiting->visit(visiting->context, &big);
        return;
    }
    object_dump(object, &dump);
    struct copy_key key = {.key = object_key(object),
                           .expire_at_ms = keyspace_expire_at_ms(visiting->keys, object),
                           .dump = buf_bytes(&dump)};
    visiting->visit(visiting->context, &key);
    buf_deinit(&dump);
}

static void data_key(void *context, uint16_t slot, struct bytes key, copy_key_visitor *visit,
                     void *visitor_context)
{
    struct sim_node *node = context;
    const struct object *object = keyspace_find(node->keys[slot], key, key_hash(key));
    if (object == NULL) {
        struct copy_key absent = {.key = key};
        visit(visitor_context, &absent);
        return;
    }
    struct visiting visiting = {node->keys[slot], visit, visitor_context};
    visit_object(&visiting, object);
}

static uint64_t data_scan(void *context, uint16_t slot, uint64_t cursor, size_t budget,
                          copy_key_visitor *visit, void *visitor_context)
{
    struct sim_node *node = context;
    struct visiting visiting = {node->keys[slot], visit, visitor_context};
    return keyspace_scan(node->keys[slot], cursor, 1 + budget / BYTES_PER_KEY, visit_object,
                         &visiting);
}

/* The first half of the text, then the rest of what is there. */
static uint64_t data_piece(void *context, uint16_t slot, struct bytes key, uint64_t cursor,
                           size_t budget, copy_key_visitor *visit, void *visitor_context)
{
    (void)budget;
    struct sim_node *node = context;
    const struct object *object = keyspace_find(node->keys[slot], key, key_hash(key));
    if (object == NULL) {
        return 0;
    }
    char scratch[OBJECT_SCRATCH_SIZE];
    struct bytes text = object_string(object, scratch);
    size_t half = text.size / 2;
    struct copy_key piece = {
        .key = key,
        .expire_at_ms = keyspace_expire_at_ms(node->keys[slot], object),
        .dump = {text.data + (cursor == 0 ? 0 : half), cursor == 0 ? half : text.size - half}};
    visit(visitor_context, &piece);
    return cursor == 0 ? 1 : 0;
}

static bool effect_is_on(void *context, struct bytes effects, struct bytes key)
{
    (void)context;
    struct reader reader;
    reader_init(&reader, effects);
    uint8_t kind = read_u8(&reader);
    struct bytes first = read_bytes32(&reader, SIZE_MAX);
    if (kind == EFFECT_SET) {
        read_u64(&reader);
        read_bytes32(&reader, SIZE_MAX);
    }
    return reader_finish(&reader) == TORC_OK && bytes_equal(first, key);
}

/* A text makes no sense half old and half new. */
static enum piece_verdict piece_effect(void *context, uint16_t slot, struct bytes effects,
                                       uint64_t *cursor)
{
    (void)context;
    (void)slot;
    (void)effects;
    (void)cursor;
    return PIECE_BEGIN;
}

static bool incoming_piece(void *context, uint16_t slot, const struct copy_key *key, bool first)
{
    struct sim_node *node = context;
    struct keyspace *keys = node->incoming[slot];
    const struct object *object = keyspace_find(keys, key->key, key_hash(key->key));
    char scratch[OBJECT_SCRATCH_SIZE];
    struct buf text = {0};
    if (!first && object != NULL) {
        struct bytes before = object_string(object, scratch);
        buf_append(&text, before.data, before.size);
    }
    buf_append(&text, key->dump.data, key->dump.size);
    if (text.failed || keyspace_set_string(keys, key->key, key_hash(key->key), buf_bytes(&text),
                                           key->expire_at_ms, NULL) != TORC_OK) {
        abort();
    }
    buf_deinit(&text);
    return true;
}

static bool incoming_apply(void *context, uint16_t slot, struct bytes effects)
{
    struct sim_node *node = context;
    return apply(node->incoming[slot], effects);
}

static struct digest_place digest_place(struct op_place place)
{
    return (struct digest_place){place.key, place.part};
}

static struct op_place data_range_end(void *context, uint16_t slot, struct op_place from,
                                      size_t budget)
{
    struct sim_node *node = context;
    struct digest_place end = keyspace_digest_end(node->keys[slot], digest_place(from), budget);
    return (struct op_place){end.key, end.part};
}

static void data_digest(void *context, uint16_t slot, struct op_range *range)
{
    struct sim_node *node = context;
    struct keyspace_digest found;
    keyspace_digest_range(node->keys[slot], digest_place(range->from), digest_place(range->to),
                          &found);
    range->count = found.count;
    range->digest = found.sum;
}

static void incoming_begin(void *context, uint16_t slot)
{
    struct sim_node *node = context;
    keyspace_clear(node->incoming[slot]);
}

static bool incoming_key(void *context, uint16_t slot, const struct copy_key *key)
{
    struct sim_node *node = context;
    if (key->dump.data == NULL) {
        delete_key(node->incoming[slot], key->key);
        return true;
    }
    return keyspace_restore(node->incoming[slot], key->key, key_hash(key->key), key->dump,
                            key->expire_at_ms) == TORC_OK;
}

static void incoming_end(void *context, uint16_t slot)
{
    struct sim_node *node = context;
    struct keyspace *whole = node->incoming[slot];
    keyspace_clear(node->keys[slot]);
    node->incoming[slot] = node->keys[slot];
    node->keys[slot] = whole;
}

static void incoming_drop(void *context, uint16_t slot)
{
    incoming_begin(context, slot);
}

void sim_rim_init_data(struct copy_rim *rim)
{
    rim->data_clear = data_clear;
    rim->data_apply = data_apply;
    rim->data_key = data_key;
    rim->data_scan = data_scan;
    rim->data_piece = data_piece;
    rim->effect_is_on = effect_is_on;
    rim->piece_effect = piece_effect;
    rim->incoming_piece = incoming_piece;
    rim->incoming_apply = incoming_apply;
    rim->data_digest = data_digest;
    rim->data_range_end = data_range_end;
    rim->incoming_begin = incoming_begin;
    rim->incoming_key = incoming_key;
    rim->incoming_end = incoming_end;
    rim->incoming_drop = incoming_drop;
}

/* ---- looking at it ---- */

static int64_t value_of(const struct object *object)
{
    char scratch[OBJECT_SCRATCH_SIZE];
    char text[32] = {0};
    if (object == NULL) {
        return VALUE_ABSENT;
    }
    struct bytes value = object_string(object, scratch);
    memcpy(text, value.data, value.size < sizeof(text) - 1 ? value.size : sizeof(text) - 1);
    return strtoll(text, NULL, 10);
}

static int64_t find_value(const struct sim_node *node, unsigned key)
{
    char text[24];
    struct bytes name = cluster_key(key, text);
    return value_of(keyspace_find(node->keys[cluster_slot(key)], name, key_hash(name)));
}

int64_t sim_value(const struct sim_node *node, unsigned key)
{
    return find_value(node, key);
}

struct digesting {
    struct keyspace *keys;
    uint64_t digest;
};

static void add_digest(void *context, const struct object *object)
{
    struct digesting *digesting = context;
    struct buf dump = {0};
    struct bytes key = object_key(object);
    object_dump(object, &dump);
    uint64_t hash = XXH3_64bits(key.data, key.size);
    hash ^= keyspace_expire_at_ms(digesting->keys, object) * 0x9e3779b97f4a7c15u;
    digesting->digest += XXH3_64bits_withSeed(buf_head(&dump), buf_size(&dump), hash);
    buf_deinit(&dump);
}

uint64_t sim_digest(const struct sim_node *node, uint16_t slot)
{
    struct digesting digesting = {node->keys[slot], keyspace_count(node->keys[slot])};
    keyspace_scan(digesting.keys, 0, SIZE_MAX, add_digest, &digesting);
    return digesting.digest;
}

/* ---- replies ---- */

static void answer_now(struct sim_node *node, const struct packet *request, uint8_t status,
                       int64_t result)
{
    const struct sim_request *asked = (const void *)request->data;
    struct sim_answer answer = {.number = asked->number,
                                .attempt = asked->attempt,
                                .status = status,
                                .result = result,
                                .hint = NETWORK_NODES_MAX};
    uint16_t leader = node->copies[cluster_slot(asked->key)].leader;
    if (leader != COPY_PEER_NONE) {
        answer.hint = leader;
    }
    struct packet head = {.from = node->index, .to = (uint16_t)asked->client, .kind = PACKET_REPLY};
    if (!node->dying) {
        network_client(&node->cluster->network,
                       network_packet(&head, (struct bytes){(char *)&answer, sizeof(answer)}));
    }
}

enum reply_state { REPLY_WAITS, REPLY_LEAVES, REPLY_FAILS };

static enum reply_state reply_state(const struct sim_node *node, const struct sim_reply *reply)
{
    enum variant variant = node->cluster->variant;
    if (reply->term != node->term) {
        return REPLY_FAILS;
    }
    for (size_t i = 0; i < reply->wait_count && variant != VARIANT_REPLY_FIRST; i++) {
        const struct replica_stream *stream = reply->waits[i].stream;
        uint64_t position = reply->waits[i].position;
        if (stream_was_skipped(&stream->stream, position, position)) {
            return REPLY_FAILS;
        }
        if (!stream->ended && stream->stream.acked < position) {
            return REPLY_WAITS;
        }
    }
    return sim_has_lease(node) || variant == VARIANT_LEASE_NOT_CHECKED ? REPLY_LEAVES : REPLY_WAITS;
}

void sim_replies(struct sim_node *node)
{
    struct sim_reply **at = &node->replies;
    while (*at != NULL) {
        struct sim_reply *reply = *at;
        enum reply_state state = reply_state(node, reply);
        if (state == REPLY_WAITS) {
            at = &reply->next;
            continue;
        }
        struct packet *packet = reply->packet;
        if (state == REPLY_FAILS) {
            ((struct sim_answer *)(void *)packet->data)->status = REPLY_UNCERTAIN;
        }
        if (node->dying) {
            free(packet);
        } else {
            network_client(&node->cluster->network, packet);
        }
        *at = reply->next;
        node->reply_count--;
        free(reply);
    }
    node->replies_tail = at;
}

void sim_replies_drop(struct sim_node *node)
{
    while (node->replies != NULL) {
        struct sim_reply *reply = node->replies;
        node->replies = reply->next;
        free(reply->packet);
        free(reply);
    }
    node->replies_tail = &node->replies;
    node->reply_count = 0;
}

static void answer_later(struct sim_node *node, const struct sim_request *asked, int64_t result)
{
    const struct copy *copy = &node->copies[cluster_slot(asked->key)];
    struct sim_answer answer = {
        .number = asked->number, .attempt = asked->attempt, .status = REPLY_DONE, .result = result};
    struct packet head = {.from = node->index, .to = (uint16_t)asked->client, .kind = PACKET_REPLY};
    struct sim_reply *reply = calloc(1, sizeof(*reply));
    if (reply == NULL) {
        abort();
    }
    reply->packet = network_packet(&head, (struct bytes){(char *)&answer, sizeof(answer)});
    reply->term = node->term;
    for (size_t i = 0; i < copy->member_count; i++) {
        if (copy->members[i].stage == MEMBER_ATTACHED) {
            reply->waits[reply->wait_count].stream = copy->members[i].stream;
            reply->waits[reply->wait_count++].position = copy->members[i].position;
        }
    }
    *node->replies_tail = reply;
    node->replies_tail = &reply->next;
    node->reply_count++;
    if (node->reply_count > node->cluster->seen.replies_max) {
        node->cluster->seen.replies_max = node->reply_count;
    }
}

/* ---- executing ---- */

static uint64_t wall_ms(const struct sim_node *node)
{
    return node->cluster->network.now_us / 1000 + node->wall_offset_ms;
}

static void write_value(struct sim_node *node, struct buf *effects, unsigned key, int64_t value,
                        const struct sim_request *asked)
{
    char text[24];
    struct bytes name = cluster_key(key, text);
    if (value == VALUE_ABSENT) {
        write_u8(effects, EFFECT_DELETE);
        write_bytes32(effects, name);
        return;
    }
    struct buf padded = {0};
    buf_append_format(&padded, "%lld", (long long)value);
    for (uint32_t i = 0; i < asked->padding; i++) {
        buf_append(&padded, " ", 1);
    }
    uint64_t ttl_ms = asked->ttl_ms;
    write_u8(effects, EFFECT_SET);
    write_bytes32(effects, name);
    write_u64(effects, ttl_ms == 0 ? 0 : wall_ms(node) + ttl_ms);
    write_bytes32(effects, buf_bytes(&padded));
    buf_deinit(&padded);
}

/* Each client names all its writes itself, and asks for one at a time. */
static struct once name_of(const struct sim_request *asked)
{
    return (struct once){(asked->client + 1) | ONCE_ORIGIN_CLIENT, asked->number, asked->number};
}

static void execute(struct sim_node *node, const struct sim_request *asked)
{
    uint16_t slot = cluster_slot(asked->key);
    struct copy *copy = &node->copies[slot];
    struct operation operation = {
        .kind = asked->kind, .argument = asked->argument, .expected = asked->expected};
    int64_t before = find_value(node, asked->key);
    int64_t result;
    int64_t after = operation_apply(&operation, before, &result);
    struct buf effects = {0};
    char texts[2][24];
    struct bytes keys[2];
    if (after != before || asked->kind == OPERATION_SET) {
        for (unsigned i = 0; i < asked->key_count; i++) {
            keys[i] = cluster_key(asked->key + i, texts[i]);
            write_value(node, &effects, asked->key + i, after + (after == VALUE_ABSENT ? 0 : i),
                        asked);
        }
        if (!data_apply(node, slot, buf_bytes(&effects))) {
            abort();
        }
        bool any = network_chance(&node->cluster->network, 0.02);
        struct once once = name_of(asked);
        struct bytes reply = {(char *)&result, sizeof(result)};
        copy_publish_once(copy, &node->rim, buf_bytes(&effects), any ? NULL : keys,
                          asked->key_count, &once, reply);
    }
    buf_deinit(&effects);
    answer_later(node, asked, result);
}

/* True if an earlier attempt was executed: it is answered as that was. */
static bool was_made(struct sim_node *node, const struct sim_request *asked)
{
    struct once once = name_of(asked);
    struct bytes reply = outcomes_find(node->copies[cluster_slot(asked->key)].outcomes, &once);
    int64_t result = 0;
    if (reply.data == NULL) {
        return false;
    }
    if (reply.size == sizeof(result)) {
        memcpy(&result, reply.data, sizeof(result));
        answer_later(node, asked, result);
    }
    return true;
}

void sim_request(struct sim_node *node, const struct packet *packet)
{
    const struct sim_request *asked = (const void *)packet->data;
    const struct copy *copy = &node->copies[cluster_slot(asked->key)];
    uint64_t now_ms = node->stale_now_ms != 0 ? node->stale_now_ms : sim_now_ms(node);
    bool leased = now_ms < quorum_lease_until_ms(node->quorum);
    if (!copy_serves(copy) || !leased) {
        answer_now(node, packet, REPLY_ELSEWHERE, 0);
        node->cluster->seen.refused++;
        return;
    }
    if (node->cluster->variant == VARIANT_MADE_AGAIN || !was_made(node, asked)) {
        execute(node, asked);
    }
}

/* ---- expiry ---- */

struct expiring {
    struct sim_node *node;
    uint16_t slot;
};

static void expire(void *context, struct keyspace *keys, struct object *object)
{
    const struct expiring *expiring = context;
    struct sim_node *node = expiring->node;
    struct bytes key = object_key(object);
    struct buf effects = {0};
    char text[24];
    bool leads = node->copies[expiring->slot].role == COPY_PRIMARY;
    write_u8(&effects, EFFECT_DELETE);
    write_bytes32(&effects, key);
    for (unsigned i = 0; i < CLUSTER_KEYS; i++) {
        if (leads && bytes_equal(cluster_key(i, text), key)) {
            /* Nobody waits for it, so it may take effect, or not. */
            struct operation operation = {.kind = OPERATION_DEL,
                                          .invoked_us = node->cluster->network.now_us};
            size_t index = history_begin(node->cluster->history, i, &operation);
            history_end(node->cluster->history, i, index, OUTCOME_UNKNOWN, 0, 0);
        }
    }
    memcpy(text, key.data, key.size);
    struct bytes name = {text, key.size};
    delete_key(keys, key);
    if (leads) {
        copy_publish(&node->copies[expiring->slot], &node->rim, buf_bytes(&effects), &name, 1);
    }
    buf_deinit(&effects);
}

void sim_expire(struct sim_node *node)
{
    uint64_t now_ms = sim_now_ms(node);
    bool everywhere = node->cluster->variant == VARIANT_EXPIRY_AT_REPLICA;
    if (now_ms < node->expire_ms || !sim_has_lease(node)) {
        return;
    }
    node->expire_ms = now_ms + EXPIRE_MS;
    for (uint16_t slot = 0; slot < SLOT_COUNT; slot++) {
        const struct copy *copy = &node->copies[slot];
        struct expiring expiring = {node, slot};
        bool leads = copy_serves(copy);
        bool follows = everywhere && copy->role == COPY_FOLLOWER && copy->complete;
        if (leads || follows) {
            keyspace_expired(node->keys[slot], wall_ms(node), 8, expire, &expiring);
        }
    }
}
