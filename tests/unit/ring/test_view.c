#include "base/codec.h"
#include "base/error.h"
#include "ring/view.h"

#include <check.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

/* Where the fields of encode_small() lie; see docs/protocol.md. */
#define AT_EPOCH 2
#define AT_CLUSTER_NAME 30
#define AT_COPIES 36 /* the name is "torc" */
#define AT_LEASE 37
#define AT_SETTLED 41
#define AT_FLAGS 49
#define AT_NODE_COUNT 50
#define AT_NODE 52
#define NODE_SIZE 66 /* host "host", zone "zone", one ring */
#define AT_HOST (AT_NODE + 28)
#define AT_ZONE (AT_HOST + 6 + 8)
#define AT_STATUS (AT_ZONE + 6)
#define AT_NODE_FLAGS (AT_STATUS + 1)
#define AT_LAST_UP (AT_NODE_FLAGS + 1)
#define AT_WEIGHT_ASKED (AT_LAST_UP + 8)
#define AT_WEIGHT (AT_WEIGHT_ASKED + 4)

static struct node_id id_of(uint8_t number)
{
    struct node_id id = {{number, 1, 2, 3}};
    return id;
}

static struct view_node node_of(uint8_t number)
{
    struct view_node node = {
        .id = id_of(number),
        .incarnation = 100 + number,
        .host = "host",
        .client_port = 7000,
        .direct_port = 8000,
        .http_port = 9000,
        .bus_port = 17000,
        .zone = "zone",
        .status = NODE_UP,
        .weight_current = WEIGHT_UNIT,
        .weight_target = WEIGHT_UNIT,
    };
    return node;
}

/* Unsealed, nodes 1 .. count without zones, all up. */
static struct view *make_view(uint8_t count, uint8_t copies)
{
    struct view *view = view_create();
    ck_assert_ptr_nonnull(view);
    view->epoch = 5;
    view->copies = copies;
    view->cluster_id = id_of(200);
    strcpy(view->cluster_name, "torc");
    for (uint8_t i = count; i > 0; i--) {
        struct view_node node = node_of(i);
        node.zone[0] = '\0';
        ck_assert_int_eq(view_put_node(view, &node), 0);
    }
    for (uint8_t i = 0; i < 3 && i < count; i++) {
        view->voters[view->voter_count++] = id_of((uint8_t)(i + 1));
    }
    return view;
}

static void seal(struct view *view)
{
    ck_assert_int_eq(view_seal(view), 0);
}

/* In the middle of a change: node 4 joins, node 1 leaves, every third slot has moved. */
static struct view *make_changing(void)
{
    struct view *view = make_view(4, 2);
    view->changing = true;
    view->nodes[0].weight_target = 0;
    view->nodes[3].weight_current = 0;
    view->nodes[3].status = NODE_UP;
    view->nodes[2].status = NODE_SYNCING;
    for (uint16_t slot = 0; slot < SLOT_COUNT; slot = (uint16_t)(slot + 3)) {
        view_set_slot_moved(view, slot);
    }
    seal(view);
    return view;
}

static struct buf encode(const struct view *view)
{
    struct buf buf;
    buf_init(&buf);
    view_encode(view, &buf);
    ck_assert(!buf.failed);
    return buf;
}

static int decode(const void *data, size_t size)
{
    /* A copy of the exact size, so that the sanitizer sees a read past the end. */
    char *copy = malloc(size == 0 ? 1 : size);
    memcpy(copy, data, size);
    struct view *view = NULL;
    int error = view_decode(&view, (struct bytes){copy, size}, NULL);
    view_release(view);
    free(copy);
    return error;
}

START_TEST(nodes_stay_sorted_whatever_the_order_they_come_in)
{
    struct view *view = view_create();
    static const uint8_t order[] = {9, 3, 200, 1, 77, 4, 250, 2};
    for (size_t i = 0; i < sizeof(order); i++) {
        struct view_node node = node_of(order[i]);
        ck_assert_int_eq(view_put_node(view, &node), 0);
    }
    ck_assert_uint_eq(view->node_count, sizeof(order));
    for (size_t i = 1; i < view->node_count; i++) {
        ck_assert_int_lt(node_id_compare(&view->nodes[i - 1].id, &view->nodes[i].id), 0);
    }
    for (size_t i = 0; i < sizeof(order); i++) {
        int at = view_find(view, &(struct node_id){{order[i], 1, 2, 3}});
        ck_assert_int_ge(at, 0);
        ck_assert_uint_eq(view->nodes[at].incarnation, 100u + order[i]);
    }
    struct view_node again = node_of(77);
    again.incarnation = 1;
    ck_assert_int_eq(view_put_node(view, &again), 0);
    ck_assert_uint_eq(view->node_count, sizeof(order));
    ck_assert_uint_eq(view->nodes[view_find(view, &again.id)].incarnation, 1);

    ck_assert(view_remove_node(view, &again.id));
    ck_assert(!view_remove_node(view, &again.id));
    ck_assert_int_eq(view_find(view, &again.id), -1);
    ck_assert_uint_eq(view->node_count, sizeof(order) - 1);
    view_release(view);
}
END_TEST

START_TEST(nodes_are_limited)
{
    struct view *view = view_create();
    struct view_node node = node_of(1);
    for (unsigned i = 0; i < NODES_MAX; i++) {
        node.id.bytes[1] = (uint8_t)(i >> 8);
        node.id.bytes[2] = (uint8_t)i;
        if (view_put_node(view, &node) != 0) {
            ck_abort_msg("node %u", i);
        }
    }
    ck_assert_int_eq(view_put_node(view, &node), 0);
    node.id.bytes[0] = 2;
    ck_assert_int_eq(view_put_node(view, &node), TORC_ETOOBIG);
    view_release(view);
}
END_TEST

START_TEST(voters_are_told_from_others)
{
    struct view *view = make_view(5, 2);
    ck_assert(view_is_voter(view, &(struct node_id){{1, 1, 2, 3}}));
    ck_assert(view_is_voter(view, &(struct node_id){{3, 1, 2, 3}}));
    ck_assert(!view_is_voter(view, &(struct node_id){{4, 1, 2, 3}}));
    view_release(view);
}
END_TEST

START_TEST(seal_refuses_what_makes_no_view)
{
    struct view *view = make_view(3, 2);
    struct view_node good = view->nodes[1];
#define REFUSED_WITH(change, undo)                                                                 \
    do {                                                                                           \
        change;                                                                                    \
        ck_assert_int_eq(view_seal(view), TORC_EINVAL);                                            \
        undo;                                                                                      \
    } while (0)
    REFUSED_WITH(view->epoch = 0, view->epoch = 5);
    REFUSED_WITH(view->copies = 0, view->copies = 2);
    REFUSED_WITH(view->copies = COPIES_MAX + 1, view->copies = 2);
    REFUSED_WITH(view->voters[1] = id_of(99), view->voters[1] = id_of(2));
    REFUSED_WITH(view->voters[1] = id_of(1), view->voters[1] = id_of(2));
    REFUSED_WITH(view->voter_count = VOTERS_MAX + 1, view->voter_count = 3);
    REFUSED_WITH(view_set_slot_moved(view, 9), memset(view->moved, 0, sizeof(view->moved)));
    REFUSED_WITH(view->nodes[1].weight_target = 1, view->nodes[1] = good);
    REFUSED_WITH(view->nodes[1].weight_current = WEIGHT_MAX + 1, view->nodes[1] = good);
    REFUSED_WITH(view->nodes[1].status = 0, view->nodes[1] = good);
    REFUSED_WITH(view->nodes[1].status = 4, view->nodes[1] = good);
    REFUSED_WITH(view->nodes[1].host[0] = '\0', view->nodes[1] = good);
    REFUSED_WITH(view->nodes[1].host[2] = '\n', view->nodes[1] = good);
    REFUSED_WITH(view->nodes[1].host[2] = ' ', view->nodes[1] = good);
    REFUSED_WITH(view->nodes[1].zone[0] = 0x7f, view->nodes[1] = good);
    REFUSED_WITH(memset(view->nodes[1].zone, 'z', ZONE_SIZE_MAX + 1), view->nodes[1] = good);
    REFUSED_WITH(view->nodes[1].id = id_of(1), view->nodes[1] = good);
    REFUSED_WITH(view->nodes[1].id = id_of(3), view->nodes[1] = good);
    REFUSED_WITH(view->cluster_name[0] = '\t', view->cluster_name[0] = 't');
    REFUSED_WITH(view->lease_ms = LEASE_MS_MIN - 1, view->lease_ms = LEASE_MS_MIN);
    REFUSED_WITH(view->lease_ms = LEASE_MS_MAX + 1, view->lease_ms = LEASE_MS_MAX);
    REFUSED_WITH(view->settled_epoch = 5, view->settled_epoch = 4);
    REFUSED_WITH(view->nodes[1].last_up = 1, view->nodes[1] = good);
    REFUSED_WITH(view->nodes[1].lost = true, view->nodes[1] = good);
    REFUSED_WITH((view->nodes[1].status = NODE_DOWN, view->nodes[1].last_up = 5),
                 view->nodes[1] = good);
    REFUSED_WITH(view->nodes[0].preferred = view->nodes[1].preferred = true,
                 view->nodes[0].preferred = view->nodes[1].preferred = false);
    REFUSED_WITH(ck_assert_int_eq(view_note_removed(view, &good.id), 0), view->removed_count = 0);
#undef REFUSED_WITH
    seal(view);
    view_release(view);
}
END_TEST

START_TEST(owners_are_the_placed_ones_that_are_up)
{
    struct view *view = make_view(6, 3);
    seal(view);
    struct view *next = view_clone(view);
    next->epoch++;
    next->nodes[2].status = NODE_DOWN;
    next->nodes[4].status = NODE_SYNCING;
    seal(next);
    size_t promoted = 0;
    size_t wrong = 0;
    for (uint16_t slot = 0; slot < SLOT_COUNT; slot++) {
        uint16_t all[COPIES_MAX];
        uint16_t left[COPIES_MAX];
        uint16_t placed[COPIES_MAX];
        size_t all_count = view_owners(view, slot, all);
        size_t left_count = view_owners(next, slot, left);
        wrong += all_count == 3 ? 0 : 1;
        /* Those that are up move forward in place; nobody else comes in. */
        size_t expected = 0;
        for (size_t i = 0; i < all_count; i++) {
            if (all[i] != 2 && all[i] != 4) {
                wrong += expected < left_count && left[expected] == all[i] ? 0 : 1;
                expected++;
            }
        }
        wrong += left_count == expected ? 0 : 1;
        promoted += (all[0] == 2 || all[0] == 4) && left_count > 0 ? 1 : 0;
        /* The placement itself does not change with the status. */
        wrong += view_owners_placed(next, slot, placed) == 3 ? 0 : 1;
        wrong += memcmp(placed, all, 3 * sizeof(*all)) == 0 ? 0 : 1;
    }
    ck_assert_uint_eq(wrong, 0);
    ck_assert_uint_gt(promoted, SLOT_COUNT / 6);
    view_release(view);
    view_release(next);
}
END_TEST

START_TEST(moved_slots_have_the_owners_of_the_target)
{
    struct view *view = make_changing();
    struct placement *placements[2] = {view->current, view->target};
    size_t wrong = 0;
    size_t differ = 0;
    for (uint16_t slot = 0; slot < SLOT_COUNT; slot++) {
        uint16_t owners[COPIES_MAX];
        bool moved = slot % 3 == 0;
        wrong += view_slot_moved(view, slot) == moved ? 0 : 1;
        wrong += view_owners_placed(view, slot, owners) == 2 ? 0 : 1;
        for (size_t rank = 0; rank < 2; rank++) {
            wrong += owners[rank] == placements[moved ? 1 : 0]->owners[rank][slot] ? 0 : 1;
        }
        wrong += moved ? owners[0] == 0 : owners[0] == 3;
        differ += view->current->owners[0][slot] != view->target->owners[0][slot] ? 1 : 0;
        /* The one that is syncing is nobody's owner. */
        size_t count = view_owners(view, slot, owners);
        for (size_t i = 0; i < count; i++) {
            wrong += owners[i] == 2 ? 1 : 0;
        }
    }
    ck_assert_uint_eq(wrong, 0);
    ck_assert_uint_gt(differ, 0);
    view_release(view);
}
END_TEST

/* Nothing is moved by it that is to go elsewhere, and nobody owns another slot for it. */
START_TEST(a_proposal_has_moved_what_both_rings_place_alike)
{
    struct view *plain = make_changing();
    struct view *proposal = view_clone(plain);
    ck_assert_int_eq(view_seal_proposal(proposal), 0);
    size_t wrong = 0;
    size_t alike = 0;
    for (uint16_t slot = 0; slot < SLOT_COUNT; slot++) {
        uint16_t a[COPIES_MAX];
        uint16_t b[COPIES_MAX];
        size_t count = view_owners_placed(plain, slot, a);
        bool same = view_owners_other(plain, slot, b) == count && memcmp(a, b, 2 * count) == 0;
        alike += same && !view_slot_moved(plain, slot);
        wrong += view_slot_moved(proposal, slot) != (same || view_slot_moved(plain, slot));
        count = view_owners(plain, slot, a);
        wrong += view_owners(proposal, slot, b) != count || memcmp(a, b, 2 * count) != 0;
    }
    ck_assert_uint_eq(wrong, 0);
    ck_assert_uint_gt(alike, 100);
    view_release(proposal);
    struct view *still = view_clone(plain);
    still->changing = false;
    memset(still->moved, 0, sizeof(still->moved));
    for (size_t i = 0; i < still->node_count; i++) {
        still->nodes[i].weight_target = still->nodes[i].weight_current;
    }
    ck_assert_int_eq(view_seal_proposal(still), 0);
    ck_assert(!view_slot_moved(still, 0));
    view_release(still);
    view_release(plain);
}
END_TEST

START_TEST(a_view_without_nodes_has_no_owners)
{
    struct view *view = view_create();
    seal(view);
    uint16_t owners[COPIES_MAX];
    ck_assert_uint_eq(view_owners(view, 0, owners), 0);
    ck_assert_uint_eq(view_owners_placed(view, SLOT_COUNT - 1, owners), 0);
    ck_assert_int_eq(view_find(view, &(struct node_id){{1}}), -1);
    view_release(view);
    view_release(NULL);
}
END_TEST

static void expect_same(const struct view *a, const struct view *b)
{
    ck_assert_uint_eq(a->epoch, b->epoch);
    ck_assert(node_id_equal(&a->cluster_id, &b->cluster_id));
    ck_assert_str_eq(a->cluster_name, b->cluster_name);
    ck_assert_uint_eq(a->copies, b->copies);
    ck_assert_uint_eq(a->lease_ms, b->lease_ms);
    ck_assert_uint_eq(a->settled_epoch, b->settled_epoch);
    ck_assert_int_eq(a->changing, b->changing);
    ck_assert_uint_eq(a->node_count, b->node_count);
    for (size_t i = 0; i < a->node_count; i++) {
        const struct view_node *x = &a->nodes[i];
        const struct view_node *y = &b->nodes[i];
        ck_assert(node_id_equal(&x->id, &y->id));
        ck_assert_uint_eq(x->incarnation, y->incarnation);
        ck_assert_str_eq(x->host, y->host);
        ck_assert_uint_eq(x->client_port, y->client_port);
        ck_assert_uint_eq(x->direct_port, y->direct_port);
        ck_assert_uint_eq(x->http_port, y->http_port);
        ck_assert_uint_eq(x->bus_port, y->bus_port);
        ck_assert_str_eq(x->zone, y->zone);
        ck_assert_int_eq((int)x->status, (int)y->status);
        ck_assert_int_eq(x->leaving, y->leaving);
        ck_assert_int_eq(x->preferred, y->preferred);
        ck_assert_int_eq(x->removing, y->removing);
        ck_assert_int_eq(x->lost, y->lost);
        ck_assert_uint_eq(x->last_up, y->last_up);
        ck_assert_uint_eq(x->weight_current, y->weight_current);
        ck_assert_uint_eq(x->weight_target, y->weight_target);
    }
    ck_assert_mem_eq(a->moved, b->moved, sizeof(a->moved));
    ck_assert_uint_eq(a->voter_count, b->voter_count);
    for (size_t i = 0; i < a->voter_count; i++) {
        ck_assert(node_id_equal(&a->voters[i], &b->voters[i]));
    }
    ck_assert_uint_eq(a->removed_count, b->removed_count);
    for (size_t i = 0; i < a->removed_count; i++) {
        ck_assert(node_id_equal(&a->removed[i], &b->removed[i]));
    }
}

/* `known`: as in view_decode; an encoding means the same whatever is known. */
static void expect_round_trip_beside(const struct view *view, const struct view *known)
{
    struct buf first = encode(view);
    struct view *back;
    ck_assert_int_eq(view_decode(&back, buf_bytes(&first), known), 0);
    if (known == view) {
        ck_assert_ptr_eq(back->current, view->current);
        ck_assert_ptr_eq(back->target, view->target);
    }
    expect_same(view, back);
    size_t wrong = 0;
    for (uint16_t slot = 0; slot < SLOT_COUNT; slot++) {
        uint16_t a[COPIES_MAX];
        uint16_t b[COPIES_MAX];
        size_t count = view_owners(view, slot, a);
        wrong +=
            view_owners(back, slot, b) == count && memcmp(a, b, count * sizeof(*a)) == 0 ? 0 : 1;
    }
    ck_assert_uint_eq(wrong, 0);
    struct buf second = encode(back);
    ck_assert(bytes_equal(buf_bytes(&first), buf_bytes(&second)));
    buf_deinit(&first);
    buf_deinit(&second);
    view_release(back);
}

static void expect_round_trip(const struct view *view)
{
    struct view *other = view_clone(view);
    other->copies = view->copies == 1 ? 2 : 1;
    ck_assert_int_eq(view_seal(other), 0);
    expect_round_trip_beside(view, NULL);
    expect_round_trip_beside(view, view);
    expect_round_trip_beside(view, other);
    view_release(other);
    other = view_clone(view);
    for (size_t i = 0; i < sizeof(other->moved) && view->changing; i += 3) {
        other->moved[i] ^= (uint8_t)(1u << i % 8);
    }
    ck_assert_int_eq(view_seal(other), 0);
    expect_round_trip_beside(other, NULL);
    expect_round_trip_beside(view, other);
    view_release(other);
    for (size_t i = 0; i < view->node_count; i++) {
        other = view_clone(view);
        struct view_node *node = &other->nodes[i];
        node->status = node->status == NODE_UP ? NODE_DOWN : NODE_UP;
        node->last_up = 0;
        node->lost = false;
        ck_assert_int_eq(view_seal(other), 0);
        expect_round_trip_beside(other, NULL);
        expect_round_trip_beside(view, other);
        view_release(other);
    }
}

START_TEST(encoding_round_trips)
{
    struct view *empty = view_create();
    seal(empty);
    expect_round_trip(empty);
    view_release(empty);

    struct view *changing = make_changing();
    expect_round_trip(changing);
    view_release(changing);

    struct view *full = make_view(40, 4);
    memset(full->nodes[7].host, 'h', HOST_SIZE_MAX);
    memset(full->nodes[7].zone, 'z', ZONE_SIZE_MAX);
    memset(full->cluster_name, 'c', CLUSTER_NAME_SIZE_MAX);
    full->nodes[8].weight_current = full->nodes[8].weight_target = WEIGHT_MAX;
    full->nodes[9].status = NODE_DOWN;
    full->nodes[9].lost = true;
    full->nodes[9].removing = true;
    full->nodes[9].last_up = UINT64_MAX - 1;
    full->nodes[10].incarnation = UINT64_MAX;
    full->nodes[12].leaving = true;
    full->nodes[13].preferred = true;
    full->lease_ms = LEASE_MS_MAX;
    full->settled_epoch = UINT64_MAX - 1;
    full->nodes[11].bus_port = UINT16_MAX;
    full->epoch = UINT64_MAX;
    full->voters[3] = id_of(30);
    full->voters[4] = id_of(10);
    full->voter_count = VOTERS_MAX;
    for (unsigned i = 0; i < REMOVED_MAX; i++) {
        struct node_id gone = {{255, 9, (uint8_t)(i >> 8), (uint8_t)i}};
        ck_assert_int_eq(view_note_removed(full, &gone), 0);
    }
    seal(full);
    expect_round_trip(full);
    view_release(full);
}
END_TEST

START_TEST(every_truncation_and_every_extra_byte_is_refused)
{
    struct view *view = make_changing();
    struct buf buf = encode(view);
    for (size_t size = 0; size < buf_size(&buf); size++) {
        if (decode(buf_head(&buf), size) != TORC_ECORRUPT) {
            ck_abort_msg("cut at %zu", size);
        }
    }
    ck_assert_int_eq(decode(buf_head(&buf), buf_size(&buf)), 0);
    write_u8(&buf, 0);
    ck_assert_int_eq(decode(buf_head(&buf), buf_size(&buf)), TORC_ECORRUPT);
    buf_deinit(&buf);
    view_release(view);
}
END_TEST

/* Two nodes, one voter, one removed node, nothing changing. */
static struct buf encode_small(void)
{
    struct view *view = make_view(0, 2);
    for (uint8_t i = 1; i <= 2; i++) {
        struct view_node node = node_of(i);
        ck_assert_int_eq(view_put_node(view, &node), 0);
    }
    view->voters[view->voter_count++] = id_of(2);
    ck_assert_int_eq(view_note_removed(view, &(struct node_id){{77, 1, 2, 3}}), 0);
    seal(view);
    struct buf buf = encode(view);
    view_release(view);
    ck_assert_uint_eq(buf_size(&buf),
                      AT_NODE + 2 * NODE_SIZE + 1 + NODE_ID_SIZE + 2 + NODE_ID_SIZE);
    return buf;
}

static void expect_patch(size_t at, uint8_t value, int expected)
{
    struct buf buf = encode_small();
    ck_assert_uint_ne((uint8_t)buf_head(&buf)[at], value);
    buf_head(&buf)[at] = (char)value;
    int error = decode(buf_head(&buf), buf_size(&buf));
    ck_assert_msg(error == expected, "byte %zu = %u: %d", at, value, error);
    buf_deinit(&buf);
}

START_TEST(every_bad_field_is_refused)
{
    size_t second = AT_NODE + NODE_SIZE;
    size_t voters = AT_NODE + 2 * NODE_SIZE;
    size_t removed = voters + 1 + NODE_ID_SIZE;
    expect_patch(0, 2, TORC_EVERSION);
    expect_patch(0, 4, TORC_EVERSION);
    expect_patch(1, 1, TORC_EVERSION);
    expect_patch(AT_EPOCH, 0, TORC_ECORRUPT);
    expect_patch(AT_CLUSTER_NAME, 255, TORC_ECORRUPT);
    expect_patch(AT_CLUSTER_NAME + 2, 0, TORC_ECORRUPT);
    expect_patch(AT_CLUSTER_NAME + 2, '\r', TORC_ECORRUPT);
    expect_patch(AT_COPIES, 0, TORC_ECORRUPT);
    expect_patch(AT_COPIES, COPIES_MAX + 1, TORC_ECORRUPT);
    expect_patch(AT_FLAGS, 2, TORC_ECORRUPT); /* turned back, and not changing */
    expect_patch(AT_FLAGS, 4, TORC_ECORRUPT);
    expect_patch(AT_FLAGS, 1, TORC_ECORRUPT);
    expect_patch(AT_NODE_COUNT, 1, TORC_ECORRUPT);
    expect_patch(AT_NODE_COUNT, 3, TORC_ECORRUPT);
    expect_patch(AT_NODE_COUNT + 1, 0xff, TORC_ECORRUPT);
    expect_patch(AT_NODE, 2, TORC_ECORRUPT); /* a duplicate */
    expect_patch(second, 0, TORC_ECORRUPT);  /* unsorted */
    expect_patch(AT_HOST, 0, TORC_ECORRUPT);
    expect_patch(AT_HOST + 1, 1, TORC_ECORRUPT);
    expect_patch(AT_HOST + 2, 0, TORC_ECORRUPT);
    expect_patch(AT_HOST + 3, ' ', TORC_ECORRUPT);
    expect_patch(AT_ZONE, ZONE_SIZE_MAX + 1, TORC_ECORRUPT);
    expect_patch(AT_ZONE + 2, 0x7f, TORC_ECORRUPT);
    expect_patch(AT_STATUS, 0, TORC_ECORRUPT);
    expect_patch(AT_STATUS, 4, TORC_ECORRUPT);
    expect_patch(AT_WEIGHT + 2, 2, TORC_ECORRUPT);
    expect_patch(AT_WEIGHT_ASKED + 2, 2, TORC_ECORRUPT);
    expect_patch(AT_LEASE + 3, 1, TORC_ECORRUPT); /* hours */
    expect_patch(AT_SETTLED, 5, TORC_ECORRUPT);   /* the epoch itself */
    expect_patch(AT_SETTLED + 7, 1, TORC_ECORRUPT);
    for (unsigned bit = 4; bit < 8; bit++) {
        expect_patch(AT_NODE_FLAGS, (uint8_t)(1u << bit), TORC_ECORRUPT);
    }
    expect_patch(AT_NODE_FLAGS, 8, TORC_ECORRUPT); /* up and lost */
    expect_patch(AT_LAST_UP, 1, TORC_ECORRUPT);    /* up and last up before */
    expect_patch(voters, 0, TORC_ECORRUPT);
    expect_patch(voters, VOTERS_MAX + 1, TORC_ECORRUPT);
    expect_patch(voters + 1, 9, TORC_ECORRUPT); /* not a node */
    expect_patch(removed, 0, TORC_ECORRUPT);
    expect_patch(removed, 2, TORC_ECORRUPT);
    expect_patch(removed + 1, 0xff, TORC_ECORRUPT);
    expect_patch(removed + 2, 2, TORC_ECORRUPT); /* a node of the view */
    /* And a good one, to show that the patches are what is refused. */
    expect_patch(AT_EPOCH, 6, 0);
    expect_patch(AT_STATUS, NODE_DOWN, 0);
    expect_patch(voters + 1, 1, 0);
    expect_patch(AT_SETTLED, 4, 0);
    expect_patch(AT_NODE_FLAGS, 1, 0);
    expect_patch(AT_NODE_FLAGS, 2, 0);
    expect_patch(AT_NODE_FLAGS, 4, 0);
    expect_patch(removed + 2, 78, 0);
}
END_TEST

START_TEST(an_empty_host_and_too_many_nodes_are_refused_by_themselves)
{
    /* Whole encodings, so that nothing else is wrong with them. */
    struct buf buf = encode_small();
    memmove(&buf_head(&buf)[AT_HOST + 2], &buf_head(&buf)[AT_HOST + 6],
            buf_size(&buf) - AT_HOST - 6);
    buf_head(&buf)[AT_HOST] = 0;
    ck_assert_int_eq(decode(buf_head(&buf), buf_size(&buf) - 4), TORC_ECORRUPT);
    buf_deinit(&buf);

    buf = encode_small();
    struct buf many;
    buf_init(&many);
    buf_append(&many, buf_head(&buf), AT_NODE_COUNT);
    write_u16(&many, NODES_MAX + 1);
    for (unsigned i = 0; i <= NODES_MAX; i++) {
        size_t at = buf_size(&many);
        buf_append(&many, buf_head(&buf) + AT_NODE, NODE_SIZE);
        buf_head(&many)[at] = (char)(i >> 8);
        buf_head(&many)[at + 1] = (char)i;
    }
    write_u8(&many, 0);
    write_u16(&many, 0);
    ck_assert_int_eq(decode(buf_head(&many), buf_size(&many)), TORC_ECORRUPT);
    buf_deinit(&many);
    buf_deinit(&buf);
}
END_TEST

START_TEST(a_clone_is_unsealed_equal_and_apart)
{
    struct view *view = make_changing();
    struct view *clone = view_clone(view);
    ck_assert_ptr_null(clone->current);
    ck_assert_ptr_null(clone->target);
    ck_assert_uint_eq(clone->references, 1);
    expect_same(view, clone);
    clone->epoch++;
    clone->nodes[0].status = NODE_DOWN;
    struct view_node node = node_of(50);
    ck_assert_int_eq(view_put_node(clone, &node), 0);
    view_set_slot_moved(clone, 1);
    ck_assert_int_eq((int)view->nodes[0].status, NODE_UP);
    ck_assert_uint_eq(view->node_count, 4);
    ck_assert(!view_slot_moved(view, 1));
    view_release(view);
    seal(clone);
    ck_assert_uint_eq(clone->epoch, 6);
    view_release(clone);
}
END_TEST

/* What tells two views apart for the slots that have moved in both or in neither. */
START_TEST(views_are_alike_but_for_what_has_moved)
{
    struct view *view = make_changing();
    for (int what = 0; what < 15; what++) {
        struct view *next = view_clone(view);
        struct view_node *node = &next->nodes[1];
        next->epoch++;
        switch (what) {
        case 0: break;
        case 1: next->settled_epoch = 1; break;
        case 2: view_set_slot_moved(next, 7); break;
        case 3: node->client_port++; break;
        case 4: node->id.bytes[0]++; break;
        case 5: node->incarnation++; break;
        case 6: node->status = NODE_SYNCING; break;
        case 7: node->last_up = 3; break;
        case 8: node->lost = true; break;
        case 9: node->leaving = true; break;
        case 10: node->preferred = true; break;
        case 11: node->removing = true; break;
        case 12: node->weight_target++; break;
        case 13: next->copies++; break;
        case 14: next->changing = false; break;
        }
        ck_assert_msg(view_is_like(view, next) == (what < 4), "%d", what);
        ck_assert_msg(view_is_like(next, view) == (what < 4), "%d", what);
        view_release(next);
    }
    struct view *fewer = view_clone(view);
    view_remove_node(fewer, &view->nodes[2].id);
    ck_assert(!view_is_like(view, fewer));
    view_release(fewer);
    view_release(view);
}
END_TEST

START_TEST(references_are_counted)
{
    struct view *view = make_view(3, 2);
    seal(view);
    ck_assert_ptr_eq(view_retain(view), view);
    ck_assert_uint_eq(view->references, 2);
    view_release(view);
    ck_assert_uint_eq(view->references, 1);
    uint16_t owners[COPIES_MAX];
    ck_assert_uint_eq(view_owners(view, 0, owners), 2);
    view_release(view);
}
END_TEST

static void *share(void *argument)
{
    struct view *view = argument;
    uintptr_t sum = 0;
    for (uint16_t slot = 0; slot < SLOT_COUNT; slot++) {
        uint16_t owners[COPIES_MAX];
        struct view *mine = view_retain(view);
        view_owners(mine, slot, owners);
        sum = sum * 31 + owners[0];
        view_release(mine);
    }
    view_release(view);
    return (void *)sum;
}

START_TEST(threads_share_a_view)
{
    struct view *view = make_view(5, 2);
    seal(view);
    pthread_t threads[4];
    for (size_t i = 0; i < 4; i++) {
        ck_assert_int_eq(pthread_create(&threads[i], NULL, share, view_retain(view)), 0);
    }
    uintptr_t expected = (uintptr_t)share(view); /* our reference goes too; theirs keep it */
    for (size_t i = 0; i < 4; i++) {
        void *sum;
        ck_assert_int_eq(pthread_join(threads[i], &sum), 0);
        ck_assert_uint_eq((uintptr_t)sum, expected);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("view");
    TCase *tcase = tcase_create("view");
    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, nodes_stay_sorted_whatever_the_order_they_come_in);
    tcase_add_test(tcase, nodes_are_limited);
    tcase_add_test(tcase, voters_are_told_from_others);
    tcase_add_test(tcase, seal_refuses_what_makes_no_view);
    tcase_add_test(tcase, owners_are_the_placed_ones_that_are_up);
    tcase_add_test(tcase, moved_slots_have_the_owners_of_the_target);
    tcase_add_test(tcase, a_proposal_has_moved_what_both_rings_place_alike);
    tcase_add_test(tcase, a_view_without_nodes_has_no_owners);
    tcase_add_test(tcase, encoding_round_trips);
    tcase_add_test(tcase, every_truncation_and_every_extra_byte_is_refused);
    tcase_add_test(tcase, every_bad_field_is_refused);
    tcase_add_test(tcase, an_empty_host_and_too_many_nodes_are_refused_by_themselves);
    tcase_add_test(tcase, a_clone_is_unsealed_equal_and_apart);
    tcase_add_test(tcase, views_are_alike_but_for_what_has_moved);
    tcase_add_test(tcase, references_are_counted);
    tcase_add_test(tcase, threads_share_a_view);
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
