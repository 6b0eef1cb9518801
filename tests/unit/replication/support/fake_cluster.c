#include "tests/unit/replication/support/fake_cluster.h"

#include "base/error.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

/* ---- the rim ---- */

static struct replica_stream *stream_to(void *context, uint16_t peer, uint16_t slot)
{
    struct fake_node *node = context;
    struct fake_cluster *cluster = node->cluster;
    struct replica_stream *stream = cluster->streams[node->number][peer];
    (void)slot;
    if (stream != NULL && !stream->ended) {
        return stream;
    }
    if (cluster->cut[node->number][peer]) {
        return NULL;
    }
    stream = calloc(1, sizeof(*stream));
    stream->from = node->number;
    stream->to = peer;
    stream->generation = ++cluster->generation;
    stream->made_before = cluster->made;
    cluster->made = stream;
    cluster->streams[node->number][peer] = stream;
    return stream;
}

static bool stream_ended(void *context, struct replica_stream *stream)
{
    (void)context;
    return stream->ended;
}

static bool stream_has_room(void *context, struct replica_stream *stream)
{
    (void)context;
    return !stream->full;
}

static void stream_append(void *context, struct replica_stream *stream, const struct op *op,
                          uint64_t *position)
{
    (void)context;
    if (stream->ended) {
        *position = ++stream->appended; /* nobody ever gets it */
        return;
    }
    if ((stream->count & (stream->count - 1)) == 0) { /* doubles at powers of two */
        size_t capacity = stream->count == 0 ? 1 : 2 * stream->count;
        stream->ops = realloc(stream->ops, capacity * sizeof(*stream->ops));
    }
    struct fake_op *made = &stream->ops[stream->count++];
    *made = (struct fake_op){.op = *op};
    char *payload = malloc(op->payload.size + op->more.size + 1);
    if (op->payload.size > 0) {
        memcpy(payload, op->payload.data, op->payload.size);
    }
    if (op->more.size > 0) {
        memcpy(payload + op->payload.size, op->more.data, op->more.size);
    }
    made->op.payload = (struct bytes){payload, op->payload.size + op->more.size};
    made->op.more = (struct bytes){NULL, 0};
    stream->appended += op_size(op);
    made->end = *position = stream->appended;
}

static enum member_acks stream_acks(void *context, struct replica_stream *stream, uint64_t first,
                                    uint64_t last)
{
    (void)context;
    enum member_acks acks = stream->ended ? MEMBER_ACKS_PENDING : MEMBER_ACKS_DONE;
    size_t low = 0;
    for (size_t high = stream->count; low < high;) {
        size_t middle = low + (high - low) / 2;
        if (stream->ops[middle].end < first) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    for (size_t i = low; i < stream->count && stream->ops[i].end <= last; i++) {
        if (stream->ops[i].skipped) {
            return MEMBER_ACKS_SKIPPED;
        }
        acks = stream->ops[i].answered ? acks : MEMBER_ACKS_PENDING;
    }
    return acks;
}

static void data_clear(void *context, uint16_t slot)
{
    struct fake_node *node = context;
    memset(node->data[slot], 0, FAKE_KEYS);
}

/* Effects are pairs: a key, and its value or '-'. */
static bool data_apply(void *context, uint16_t slot, struct bytes effects)
{
    struct fake_node *node = context;
    if (effects.size != 2 || effects.data[0] < 'a' || effects.data[0] >= 'a' + FAKE_KEYS) {
        return false;
    }
    node->data[slot][effects.data[0] - 'a'] = (char)(effects.data[1] == '-' ? 0 : effects.data[1]);
    return true;
}

/* A capital is so big that it is sent in two pieces, of which the first holds nothing of it. */
static bool fake_is_big(char value)
{
    return value >= 'A' && value <= 'Z';
}

static uint64_t data_piece(void *context, uint16_t slot, struct bytes key, uint64_t cursor,
                           size_t budget, copy_key_visitor *visit, void *visitor_context)
{
    (void)budget;
    struct fake_node *node = context;
    char value = node->data[slot][key.data[0] - 'a'];
    struct copy_key piece = {.key = key, .dump = {cursor == 0 ? "?" : &value, 1}};
    if (fake_is_big(value)) {
        visit(visitor_context, &piece);
    }
    return cursor == 0 && fake_is_big(value) ? 1 : 0;
}

static bool effect_is_on(void *context, struct bytes effects, struct bytes key)
{
    (void)context;
    return effects.size == 2 && key.size == 1 && effects.data[0] == key.data[0];
}

/* 'S' is put behind what was sent, another capital before it; nothing else can be told of. */
static enum piece_verdict piece_effect(void *context, uint16_t slot, struct bytes effects,
                                       uint64_t *cursor)
{
    (void)context;
    (void)slot;
    (void)cursor;
    return effects.data[1] == 'S'         ? PIECE_SKIP
           : fake_is_big(effects.data[1]) ? PIECE_TELL
                                          : PIECE_BEGIN;
}

static bool incoming_piece(void *context, uint16_t slot, const struct copy_key *key, bool first)
{
    struct fake_node *node = context;
    char *value = &node->incoming[slot][key->key.data[0] - 'a'];
    ck_assert_int_eq(first, key->dump.data[0] == '?');
    *value = key->dump.data[0];
    return true;
}

static bool incoming_apply(void *context, uint16_t slot, struct bytes effects)
{
    struct fake_node *node = context;
    node->incoming[slot][effects.data[0] - 'a'] =
        (char)(effects.data[1] == '-' ? 0 : effects.data[1]);
    return true;
}

static void visit_key(const struct fake_node *node, uint16_t slot, size_t index,
                      copy_key_visitor *visit, void *visitor_context)
{
    char name = (char)('a' + index);
    const char value = node->data[slot][index];
    struct copy_key key = {.key = {&name, 1}, .expire_at_ms = index};
    char dump[FAKE_NOT_SMALL_SIZE] = {value};
    key.big = fake_is_big(value);
    if (value != 0 && !key.big) {
        key.dump = (struct bytes){dump, value == FAKE_NOT_SMALL ? sizeof(dump) : 1};
    }
    visit(visitor_context, &key);
}

static void data_key(void *context, uint16_t slot, struct bytes key, copy_key_visitor *visit,
                     void *visitor_context)
{
    visit_key(context, slot, (size_t)(key.data[0] - 'a'), visit, visitor_context);
}

static uint64_t data_scan(void *context, uint16_t slot, uint64_t cursor, size_t budget,
                          copy_key_visitor *visit, void *visitor_context)
{
    struct fake_node *node = context;
    size_t keys = budget / FAKE_SCAN_KEY_BYTES == 0 ? 1 : budget / FAKE_SCAN_KEY_BYTES;
    for (; keys > 0 && cursor < FAKE_KEYS; keys--, cursor++) {
        if (node->data[slot][cursor] != 0) {
            visit_key(node, slot, (size_t)cursor, visit, visitor_context);
        }
    }
    return cursor == FAKE_KEYS ? 0 : cursor;
}

/* Key 'a' + n is at place n. */
static void data_digest(void *context, uint16_t slot, struct op_range *range)
{
    const struct fake_node *node = context;
    range->count = 0;
    range->digest = 0;
    for (uint64_t i = range->from.key; i < (range->to.key == 0 ? FAKE_KEYS : range->to.key); i++) {
        range->count += node->data[slot][i] != 0;
        range->digest = 31 * range->digest + (unsigned char)node->data[slot][i];
    }
}

static struct op_place data_range_end(void *context, uint16_t slot, struct op_place from,
                                      size_t budget)
{
    (void)context;
    (void)slot;
    uint64_t keys = budget / FAKE_SCAN_KEY_BYTES == 0 ? 1 : budget / FAKE_SCAN_KEY_BYTES;
    return (struct op_place){from.key + keys >= FAKE_KEYS ? 0 : from.key + keys, 0};
}

static void incoming_begin(void *context, uint16_t slot)
{
    struct fake_node *node = context;
    memset(node->incoming[slot], 0, FAKE_KEYS);
}

static bool incoming_key(void *context, uint16_t slot, const struct copy_key *key)
{
    struct fake_node *node = context;
    if (key->key.size != 1 || key->key.data[0] < 'a' || key->key.data[0] >= 'a' + FAKE_KEYS ||
        key->dump.size > FAKE_NOT_SMALL_SIZE) {
        return false;
    }
    char *value = &node->incoming[slot][key->key.data[0] - 'a'];
    *value = (char)(key->dump.data == NULL ? 0 : key->dump.data[0]);
    return true;
}

static void incoming_end(void *context, uint16_t slot)
{
    struct fake_node *node = context;
    memcpy(node->data[slot], node->incoming[slot], FAKE_KEYS);
}

static void incoming_drop(void *context, uint16_t slot)
{
    incoming_begin(context, slot);
}

/* ---- life ---- */

void fake_cluster_init(struct fake_cluster *cluster)
{
    memset(cluster, 0, sizeof(*cluster));
    for (uint16_t i = 0; i < FAKE_NODES; i++) {
        struct fake_node *node = calloc(1, sizeof(*node));
        ck_assert_ptr_nonnull(node);
        cluster->nodes[i] = node;
        node->cluster = cluster;
        node->number = i;
        node->rim = (struct copy_rim){.context = node,
                                      .stream_to = stream_to,
                                      .stream_ended = stream_ended,
                                      .stream_has_room = stream_has_room,
                                      .stream_append = stream_append,
                                      .stream_acks = stream_acks,
                                      .data_clear = data_clear,
                                      .data_apply = data_apply,
                                      .data_key = data_key,
                                      .data_scan = data_scan,
                                      .data_piece = data_piece,
                                      .effect_is_on = effect_is_on,
                                      .piece_effect = piece_effect,
                                      .incoming_piece = incoming_piece,
                                      .incoming_apply = incoming_apply,
                                      .data_digest = data_digest,
                                      .data_range_end = data_range_end,
                                      .incoming_begin = incoming_begin,
                                      .incoming_key = incoming_key,
                                      .incoming_end = incoming_end,
                                      .incoming_drop = incoming_drop};
        for (uint32_t slot = 0; slot < SLOT_COUNT; slot++) {
            copy_init(&node->copies[slot], (uint16_t)slot);
        }
    }
}

void fake_cluster_deinit(struct fake_cluster *cluster)
{
    for (uint16_t i = 0; i < FAKE_NODES; i++) {
        for (uint32_t slot = 0; slot < SLOT_COUNT; slot++) {
            copy_deinit(&cluster->nodes[i]->copies[slot]);
        }
        view_release(cluster->nodes[i]->view);
        free(cluster->nodes[i]);
    }
    while (cluster->made != NULL) {
        struct replica_stream *stream = cluster->made;
        cluster->made = stream->made_before;
        for (size_t i = 0; i < stream->count; i++) {
            free((char *)stream->ops[i].op.payload.data);
        }
        free(stream->ops);
        free(stream);
    }
}

/* ---- views ---- */

struct view *fake_view(size_t count, uint8_t copies, uint64_t epoch)
{
    struct view *view = view_create();
    view->epoch = epoch;
    view->copies = copies;
    for (size_t i = 0; i < count; i++) {
        struct view_node node = {.id = {{(uint8_t)(i + 1), 1}},
                                 .incarnation = 10,
                                 .host = "host",
                                 .status = NODE_UP,
                                 .weight_current = WEIGHT_UNIT,
                                 .weight_target = WEIGHT_UNIT};
        ck_assert_int_eq(view_put_node(view, &node), TORC_OK);
    }
    return view;
}

struct view *fake_next(const struct view *view)
{
    struct view *next = view_clone(view);
    next->epoch++;
    return next;
}

struct view *fake_change(const struct view *view)
{
    struct view *next = fake_next(view);
    next->changing = true;
    next->nodes[0].weight_target = 0;
    return next;
}

void fake_seal(struct view *view)
{
    ck_assert_int_eq(view_seal(view), TORC_OK);
}

uint16_t fake_slot(size_t count, uint8_t copies, uint16_t first, uint16_t second)
{
    struct view *view = fake_view(count, copies, 1);
    uint16_t owners[COPIES_MAX] = {0};
    uint32_t slot = 0;
    fake_seal(view);
    for (; slot < SLOT_COUNT; slot++) {
        view_owners(view, (uint16_t)slot, owners);
        if (owners[0] == first && owners[1] == second) {
            break;
        }
    }
    ck_assert_uint_lt(slot, SLOT_COUNT);
    view_release(view);
    return (uint16_t)slot;
}

void fake_install(struct fake_cluster *cluster, uint16_t node, const struct view *view, int slot,
                  bool demoted)
{
    static const uint16_t peers[FAKE_NODES] = {0, 1, 2, 3};
    struct fake_node *at = cluster->nodes[node];
    struct copy_view installed = {
        .view = view,
        .self = node < view->node_count ? node : -1,
        .peers = peers,
        .demoted = demoted,
        .like = at->view != NULL && view_is_like(at->view, view) ? at->view : NULL};
    at->epoch = view->epoch;
    for (uint32_t i = slot < 0 ? 0 : (uint32_t)slot; i < SLOT_COUNT; i++) {
        ck_assert_int_eq(copy_install(&at->copies[i], &at->rim, &installed), TORC_OK);
        if (slot >= 0) {
            break;
        }
    }
    view_release(at->view);
    at->view = view_retain(view);
}

/* ---- doing things ---- */

struct copy *fake_copy(struct fake_cluster *cluster, uint16_t node, uint16_t slot)
{
    return &cluster->nodes[node]->copies[slot];
}

void fake_write(struct fake_cluster *cluster, uint16_t node, uint16_t slot, char key, char value)
{
    struct fake_node *at = cluster->nodes[node];
    char effect[2] = {key, (char)(value == 0 ? '-' : value)};
    struct bytes name = {&key, 1};
    ck_assert(data_apply(at, slot, (struct bytes){effect, 2}));
    copy_publish(&at->copies[slot], &at->rim, (struct bytes){effect, 2}, &name, 1);
}

void fake_write_once(struct fake_cluster *cluster, uint16_t node, uint16_t slot, const char *effect,
                     const struct once *once, struct bytes reply)
{
    struct fake_node *at = cluster->nodes[node];
    struct bytes name = {effect, 1};
    ck_assert(data_apply(at, slot, bytes_of(effect)));
    copy_publish_once(&at->copies[slot], &at->rim, bytes_of(effect), &name, 1, once, reply);
}

bool fake_deliver(struct fake_cluster *cluster, uint16_t from, uint16_t to)
{
    struct replica_stream *stream = cluster->streams[from][to];
    if (stream == NULL || stream->ended || stream->delivered == stream->count) {
        return false;
    }
    struct fake_node *at = cluster->nodes[to];
    struct fake_op *op = &stream->ops[stream->delivered];
    enum copy_verdict verdict = copy_receive(&at->copies[op->op.slot], &at->rim, &op->op, from,
                                             stream->generation, at->epoch);
    if (verdict == COPY_LATER) {
        return false;
    }
    if (verdict == COPY_BROKEN) {
        stream->ended = true;
        return false;
    }
    stream->delivered++;
    op->answered = true;
    op->skipped = verdict == COPY_SKIPPED;
    cluster->compared += op->op.kind == OP_CHECK && verdict == COPY_APPLIED;
    cluster->differing += verdict == COPY_DIFFERS;
    cluster->passed += verdict == COPY_PASSED;
    return true;
}

void fake_deliver_all(struct fake_cluster *cluster)
{
    bool moved = true;
    while (moved) {
        moved = false;
        for (uint16_t from = 0; from < FAKE_NODES; from++) {
            for (uint16_t to = 0; to < FAKE_NODES; to++) {
                while (fake_deliver(cluster, from, to)) {
                    moved = true;
                }
            }
        }
    }
}

void fake_join(struct fake_cluster *cluster, uint16_t primary, uint16_t slot)
{
    struct fake_node *node = cluster->nodes[primary];
    for (unsigned i = 0; i < 40; i++) {
        copy_step(&node->copies[slot], &node->rim, 1000);
        fake_deliver_all(cluster);
    }
}

void fake_break_stream(struct fake_cluster *cluster, uint16_t from, uint16_t to)
{
    if (cluster->streams[from][to] != NULL) {
        cluster->streams[from][to]->ended = true;
    }
}

bool fake_is_acked(struct fake_cluster *cluster, uint16_t primary, uint16_t slot)
{
    const struct copy *copy = fake_copy(cluster, primary, slot);
    for (size_t i = 0; i < copy->member_count; i++) {
        const struct copy_member *member = &copy->members[i];
        if (member->stage == MEMBER_ATTACHED && stream_acks(NULL, member->stream, member->position,
                                                            member->position) != MEMBER_ACKS_DONE) {
            return false;
        }
    }
    return true;
}

void fake_expect_equal(const struct fake_cluster *cluster, uint16_t a, uint16_t b, uint16_t slot)
{
    ck_assert_mem_eq(cluster->nodes[a]->data[slot], cluster->nodes[b]->data[slot], FAKE_KEYS);
    struct standing one = copy_standing(&cluster->nodes[a]->copies[slot]);
    struct standing two = copy_standing(&cluster->nodes[b]->copies[slot]);
    ck_assert_int_eq(standing_compare(&one, &two), 0);
}

struct copy_member *fake_member(struct fake_cluster *cluster, uint16_t primary, uint16_t slot,
                                uint16_t peer)
{
    struct copy *copy = fake_copy(cluster, primary, slot);
    for (size_t i = 0; i < copy->member_count; i++) {
        if (copy->members[i].peer == peer) {
            return &copy->members[i];
        }
    }
    return NULL;
}

void fake_kinds(const struct fake_cluster *cluster, uint16_t from, uint16_t to, char out[64])
{
    const struct replica_stream *stream = cluster->streams[from][to];
    size_t count = stream == NULL ? 0 : stream->count;
    ck_assert_uint_lt(count, 64);
    for (size_t i = 0; i < count; i++) {
        out[i] = "?EBKNDCOPT="[stream->ops[i].op.kind];
    }
    out[count] = '\0';
}
