#include "node/commands/cluster_text.h"

#include "base/error.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NODES 3

/* A sealed view of nodes whose ids are 01.., 02.., 03..; the second has a DNS name. */
static struct view *make_view(uint64_t epoch, size_t node_count, unsigned copies, size_t down)
{
    struct view *view = view_create();
    ck_assert_ptr_nonnull(view);
    view->epoch = epoch;
    memset(view->cluster_id.bytes, 0xcc, NODE_ID_SIZE);
    snprintf(view->cluster_name, sizeof(view->cluster_name), "torc");
    view->copies = (uint8_t)copies;
    for (size_t i = 0; i < node_count; i++) {
        struct view_node node = {.incarnation = 1,
                                 .client_port = (uint16_t)(7001 + i),
                                 .direct_port = (uint16_t)(8001 + i),
                                 .http_port = (uint16_t)(9001 + i),
                                 .bus_port = (uint16_t)(17001 + i),
                                 .status = i == down ? NODE_DOWN : NODE_UP,
                                 .weight_current = WEIGHT_UNIT,
                                 .weight_target = WEIGHT_UNIT};
        memset(node.id.bytes, (int)i + 1, NODE_ID_SIZE);
        snprintf(node.host, sizeof(node.host), "%s", i == 1 ? "two.example" : "127.0.0.1");
        ck_assert_int_eq(view_put_node(view, &node), TORC_OK);
    }
    view->voters[0] = view->nodes[0].id;
    view->voter_count = 1;
    ck_assert_int_eq(view_seal(view), TORC_OK);
    return view;
}

#define NOBODY SIZE_MAX

/* Walks RESP2: what the tests need of it. */
struct cursor {
    const char *at;
    const char *end;
};

static long take_number(struct cursor *cursor, char kind)
{
    char *after = NULL;
    ck_assert(cursor->at < cursor->end);
    ck_assert_int_eq(*cursor->at, kind);
    long number = strtol(cursor->at + 1, &after, 10);
    ck_assert_mem_eq(after, "\r\n", 2);
    cursor->at = after + 2;
    return number;
}

static void take_text(struct cursor *cursor, const char *expected)
{
    long size = take_number(cursor, '$');
    ck_assert_int_eq(size, (long)strlen(expected));
    ck_assert_mem_eq(cursor->at, expected, (size_t)size);
    cursor->at += size + 2;
}

static void expect_owner(struct cursor *cursor, const struct view_node *node)
{
    char id[NODE_ID_TEXT_SIZE];
    node_id_format(&node->id, id);
    ck_assert_int_eq(take_number(cursor, '*'), 4);
    take_text(cursor, node->host);
    ck_assert_int_eq(take_number(cursor, ':'), node->direct_port);
    take_text(cursor, id);
    ck_assert_int_eq(take_number(cursor, '*'), 0);
}

/* Every slot is told once, with the primary that the view has, in as few ranges as possible. */
static void expect_slots(const struct view *view, struct bytes reply)
{
    struct cursor cursor = {reply.data, reply.data + reply.size};
    long entries = take_number(&cursor, '*');
    unsigned slot = 0;
    uint16_t before = UINT16_MAX;
    for (long i = 0; i < entries; i++) {
        ck_assert_int_eq(take_number(&cursor, '*'), 3);
        long start = take_number(&cursor, ':');
        long end = take_number(&cursor, ':');
        ck_assert_int_eq(start, slot);
        uint16_t owners[COPIES_MAX];
        ck_assert_uint_ge(view_owners(view, (uint16_t)start, owners), 1);
        uint16_t primary = owners[0];
        ck_assert_uint_ne(primary, before);
        for (; slot <= (unsigned)end; slot++) {
            ck_assert_uint_ge(view_owners(view, (uint16_t)slot, owners), 1);
            ck_assert_uint_eq(owners[0], primary);
        }
        expect_owner(&cursor, &view->nodes[primary]);
        before = primary;
    }
    ck_assert_uint_eq(slot, SLOT_COUNT);
    ck_assert_ptr_eq(cursor.at, cursor.end);
}

START_TEST(test_slots)
{
    struct cluster_text *text = cluster_text_create();
    struct view *views[3] = {make_view(1, 1, 2, NOBODY), make_view(2, NODES, 2, NOBODY),
                             make_view(3, NODES, 2, 1)};
    /* Backwards and twice: what is kept must follow the view that is asked for. */
    for (size_t i = 6; i > 0; i--) {
        struct buf out = {0};
        struct reply_writer reply = {.out = &out, .protocol = 2};
        struct view *view = views[(i - 1) / 2];
        ck_assert_int_eq(cluster_text_slots(text, view, &reply), TORC_OK);
        expect_slots(view, buf_bytes(&out));
        buf_deinit(&out);
    }
    for (size_t i = 0; i < 3; i++) {
        view_release(views[i]);
    }
    cluster_text_destroy(text);
}
END_TEST

START_TEST(test_slots_of_one_node)
{
    struct cluster_text *text = cluster_text_create();
    struct view *view = make_view(1, 1, 2, NOBODY);
    struct buf out = {0};
    struct reply_writer reply = {.out = &out, .protocol = 3};
    buf_append_text(&out, "before");
    ck_assert_int_eq(cluster_text_slots(text, view, &reply), TORC_OK);
    buf_append(&out, "", 1);
    ck_assert_str_eq(buf_head(&out), "before*1\r\n*3\r\n:0\r\n:16383\r\n*4\r\n$9\r\n127.0.0.1\r\n"
                                     ":8001\r\n$40\r\n0101010101010101010101010101010101010101\r\n"
                                     "%0\r\n");
    buf_deinit(&out);
    view_release(view);
    cluster_text_destroy(text);
}
END_TEST

/* Both versions of the protocol are kept, each for itself. */
START_TEST(test_slots_of_both_protocols)
{
    struct cluster_text *text = cluster_text_create();
    struct view *view = make_view(1, 1, 2, NOBODY);
    for (int i = 0; i < 4; i++) {
        struct buf out = {0};
        struct reply_writer reply = {.out = &out, .protocol = 2 + i % 2};
        ck_assert_int_eq(cluster_text_slots(text, view, &reply), TORC_OK);
        const char *end = i % 2 == 0 ? "*0\r\n" : "%0\r\n";
        ck_assert_mem_eq(buf_tail(&out) - 4, end, 4);
        buf_deinit(&out);
    }
    view_release(view);
    cluster_text_destroy(text);
}
END_TEST

/* Two clusters may be at the same epoch. */
START_TEST(test_another_cluster)
{
    struct cluster_text *text = cluster_text_create();
    struct view *one = make_view(7, 1, 2, NOBODY);
    struct view *three = make_view(7, NODES, 2, NOBODY);
    memset(three->cluster_id.bytes, 0xdd, NODE_ID_SIZE);
    struct view *views[2] = {one, three};
    for (size_t i = 0; i < 4; i++) {
        struct buf out = {0};
        struct reply_writer reply = {.out = &out, .protocol = 2};
        ck_assert_int_eq(cluster_text_slots(text, views[i % 2], &reply), TORC_OK);
        expect_slots(views[i % 2], buf_bytes(&out));
        buf_deinit(&out);
    }
    view_release(one);
    view_release(three);
    cluster_text_destroy(text);
}
END_TEST

/* Reads " a b-c d" and checks that it is exactly what node `index` leads. */
static void expect_led(const struct view *view, size_t index, const char *list)
{
    static bool led[SLOT_COUNT];
    memset(led, 0, sizeof(led));
    long last_end = -2;
    while (*list == ' ') {
        char *after = NULL;
        long start = strtol(list + 1, &after, 10);
        long end = *after == '-' ? strtol(after + 1, &after, 10) : start;
        ck_assert_int_gt(start, last_end + 1); /* neighbours are joined */
        ck_assert_int_ge(end, start);
        ck_assert_int_lt(end, SLOT_COUNT);
        for (long slot = start; slot <= end; slot++) {
            led[slot] = true;
        }
        last_end = end;
        list = after;
    }
    ck_assert_int_eq(*list, '\0');
    for (unsigned slot = 0; slot < SLOT_COUNT; slot++) {
        uint16_t owners[COPIES_MAX];
        bool leads = view_owners(view, (uint16_t)slot, owners) > 0 && owners[0] == index;
        ck_assert_int_eq(led[slot], leads);
    }
}

/* Checks that line `index` starts with `prefix` and goes on with the slots that the node leads. */
static void expect_line(const struct view *view, size_t index, struct buf *out, const char *prefix)
{
    char *line = buf_head(out);
    char *end = memchr(line, '\n', buf_size(out));
    ck_assert_ptr_nonnull(end);
    *end = '\0';
    ck_assert_msg(strncmp(line, prefix, strlen(prefix)) == 0, "got %.200s, want %s", line, prefix);
    expect_led(view, index, line + strlen(prefix));
    buf_consume(out, (size_t)(end + 1 - line));
}

START_TEST(test_nodes)
{
    struct cluster_text *text = cluster_text_create();
    struct view *view = make_view(9, NODES, 2, NOBODY);
    struct cluster_member members[NODES] = {
        {CLUSTER_ALIVE, 0}, {CLUSTER_SUSPECT, 123456}, {CLUSTER_DEAD, 99}};
    struct buf out = {0};
    ck_assert_int_eq(cluster_text_nodes(text, view, members, &view->nodes[0].id, &out), TORC_OK);
    expect_line(view, 0, &out,
                "0101010101010101010101010101010101010101 127.0.0.1:8001@17001 myself,master - 0 0 "
                "9 connected");
    expect_line(view, 1, &out,
                "0202020202020202020202020202020202020202 two.example:8002@17002,two.example "
                "master,fail? - 0 123456 9 connected");
    expect_line(view, 2, &out,
                "0303030303030303030303030303030303030303 127.0.0.1:8003@17003 master,fail? - 0 99 "
                "9 disconnected");
    ck_assert_uint_eq(buf_size(&out), 0);
    buf_deinit(&out);
    view_release(view);

    view = make_view(10, NODES, 2, 2);
    ck_assert_int_eq(cluster_text_nodes(text, view, NULL, &view->nodes[1].id, &out), TORC_OK);
    expect_line(view, 0, &out,
                "0101010101010101010101010101010101010101 127.0.0.1:8001@17001 master - 0 0 10 "
                "connected");
    expect_line(view, 1, &out,
                "0202020202020202020202020202020202020202 two.example:8002@17002,two.example "
                "myself,master - 0 0 10 connected");
    expect_line(view, 2, &out,
                "0303030303030303030303030303030303030303 127.0.0.1:8003@17003 master,fail - 0 0 "
                "10 disconnected");
    buf_deinit(&out);
    view_release(view);
    cluster_text_destroy(text);
}
END_TEST

/* The node of a shard, which is node `index` of the view. */
static void expect_shard_node(struct cursor *cursor, const struct view *view, size_t index)
{
    const struct view_node *node = &view->nodes[index];
    char id[NODE_ID_TEXT_SIZE];
    node_id_format(&node->id, id);
    take_text(cursor, "nodes");
    ck_assert_int_eq(take_number(cursor, '*'), 1);
    ck_assert_int_eq(take_number(cursor, '*'), index == 1 ? 16 : 14);
    take_text(cursor, "id");
    take_text(cursor, id);
    take_text(cursor, "port");
    ck_assert_int_eq(take_number(cursor, ':'), node->direct_port);
    take_text(cursor, "ip");
    take_text(cursor, node->host);
    take_text(cursor, "endpoint");
    take_text(cursor, node->host);
    if (index == 1) {
        take_text(cursor, "hostname");
        take_text(cursor, node->host);
    }
    take_text(cursor, "role");
    take_text(cursor, "master");
    take_text(cursor, "replication-offset");
    ck_assert_int_eq(take_number(cursor, ':'), 0);
    take_text(cursor, "health");
    take_text(cursor, node->status == NODE_DOWN ? "fail" : "online");
}

/* One shard for each node, with the slots it leads; every slot in one of them. */
static void expect_shards(const struct view *view, struct bytes reply)
{
    struct cursor cursor = {reply.data, reply.data + reply.size};
    unsigned slots = 0;
    ck_assert_int_eq(take_number(&cursor, '*'), (long)view->node_count);
    for (size_t i = 0; i < view->node_count; i++) {
        ck_assert_int_eq(take_number(&cursor, '*'), 4);
        take_text(&cursor, "slots");
        long numbers = take_number(&cursor, '*');
        for (long j = 0; j < numbers; j += 2) {
            long start = take_number(&cursor, ':');
            long end = take_number(&cursor, ':');
            for (long slot = start; slot <= end; slot++, slots++) {
                uint16_t owners[COPIES_MAX];
                ck_assert_uint_ge(view_owners(view, (uint16_t)slot, owners), 1);
                ck_assert_uint_eq(owners[0], i);
            }
        }
        expect_shard_node(&cursor, view, i);
    }
    ck_assert_uint_eq(slots, SLOT_COUNT);
    ck_assert_ptr_eq(cursor.at, cursor.end);
}

START_TEST(test_shards)
{
    struct cluster_text *text = cluster_text_create();
    struct view *views[3] = {make_view(1, 1, 2, NOBODY), make_view(2, NODES, 2, NOBODY),
                             make_view(3, NODES, 3, 1)};
    for (size_t i = 0; i < 3; i++) {
        struct buf out = {0};
        struct reply_writer reply = {.out = &out, .protocol = 2};
        ck_assert_int_eq(cluster_text_shards(text, views[i], NULL, &reply), TORC_OK);
        expect_shards(views[i], buf_bytes(&out));
        buf_deinit(&out);
        view_release(views[i]);
    }
    cluster_text_destroy(text);
}
END_TEST

START_TEST(test_summary)
{
    struct cluster_text *text = cluster_text_create();
    struct cluster_summary summary;
    struct view *view = make_view(4, NODES, 2, NOBODY);
    unsigned led[NODES] = {0};
    unsigned replicated[NODES] = {0};
    for (unsigned slot = 0; slot < SLOT_COUNT; slot++) {
        uint16_t owners[COPIES_MAX];
        ck_assert_uint_eq(view_owners(view, (uint16_t)slot, owners), 2);
        led[owners[0]]++;
        replicated[owners[1]]++;
    }
    struct cluster_member members[NODES] = {
        {CLUSTER_ALIVE, 0}, {CLUSTER_SUSPECT, 0}, {CLUSTER_DEAD, 0}};
    ck_assert_int_eq(cluster_text_summary(text, view, members, &view->nodes[1].id, &summary),
                     TORC_OK);
    ck_assert_uint_eq(summary.slots_assigned, SLOT_COUNT);
    ck_assert_uint_eq(summary.slots_suspect, led[1]);
    ck_assert_uint_eq(summary.slots_dead, led[2]);
    ck_assert_uint_eq(summary.primary_count, 3);
    ck_assert_uint_eq(summary.slots_primary, led[1]);
    ck_assert_uint_eq(summary.slots_replica, replicated[1]);
    view_release(view);

    view = make_view(5, 1, 1, 0); /* the only node is down */
    ck_assert_int_eq(cluster_text_summary(text, view, NULL, &view->nodes[0].id, &summary), TORC_OK);
    ck_assert_uint_eq(summary.slots_assigned, 0);
    ck_assert_uint_eq(summary.primary_count, 0);
    ck_assert_uint_eq(summary.slots_primary, 0);
    view_release(view);
    cluster_text_destroy(text);
}
END_TEST

/* With one copy and a node down, slots without an owner lie between those that have the same. */
START_TEST(test_gaps)
{
    struct cluster_text *text = cluster_text_create();
    struct view *view = make_view(6, NODES, 1, 1);
    struct cluster_summary summary;
    struct buf out = {0};
    unsigned assigned = 0;
    for (unsigned slot = 0; slot < SLOT_COUNT; slot++) {
        uint16_t owners[COPIES_MAX];
        assigned += view_owners(view, (uint16_t)slot, owners) > 0 ? 1 : 0;
    }
    ck_assert_uint_lt(assigned, SLOT_COUNT);
    ck_assert_int_eq(cluster_text_summary(text, view, NULL, &view->nodes[0].id, &summary), TORC_OK);
    ck_assert_uint_eq(summary.slots_assigned, assigned);
    ck_assert_int_eq(cluster_text_nodes(text, view, NULL, &view->nodes[0].id, &out), TORC_OK);
    expect_line(view, 0, &out,
                "0101010101010101010101010101010101010101 127.0.0.1:8001@17001 myself,master - 0 0 "
                "6 connected");
    buf_deinit(&out);
    view_release(view);
    cluster_text_destroy(text);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("cluster_text");
    TCase *tests = tcase_create("all");
    tcase_add_test(tests, test_slots);
    tcase_add_test(tests, test_slots_of_one_node);
    tcase_add_test(tests, test_slots_of_both_protocols);
    tcase_add_test(tests, test_another_cluster);
    tcase_add_test(tests, test_nodes);
    tcase_add_test(tests, test_shards);
    tcase_add_test(tests, test_summary);
    tcase_add_test(tests, test_gaps);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
