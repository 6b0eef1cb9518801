/* What became of writes with a name is kept with every copy, however the copy came to be. */
#include "base/codec.h"
#include "base/error.h"
#include "tests/unit/replication/support/fake_cluster.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

#define ORIGIN 77

static struct fake_cluster cluster;
static struct view *view; /* nodes 0, 1, 2 up, two copies, epoch 5 */
static uint16_t slot;     /* primary 0, replica 1 */

static struct copy *copy_at(uint16_t node)
{
    return fake_copy(&cluster, node, slot);
}

static const struct copy_rim *rim_at(uint16_t node)
{
    return &cluster.nodes[node]->rim;
}

/* Node 0 is about to attach node 1. */
static void setup(void)
{
    const struct copy_answers nothing = {.best_peer = COPY_PEER_NONE};
    fake_cluster_init(&cluster);
    view = fake_view(3, 2, 5);
    fake_seal(view);
    slot = fake_slot(3, 2, 0, 1);
    for (uint16_t i = 0; i < 3; i++) {
        fake_install(&cluster, i, view, slot, false);
    }
    ck_assert(copy_resolve(copy_at(0), rim_at(0), &nothing));
}

static void teardown(void)
{
    view_release(view);
    fake_cluster_deinit(&cluster);
}

static void begin_serving(void)
{
    fake_join(&cluster, 0, slot);
    ck_assert(copy_serves(copy_at(0)));
}

static void write_once(uint64_t id, const char *effect, const char *reply)
{
    struct once once = {.origin = ORIGIN, .id = id, .settled = 1};
    fake_write_once(&cluster, 0, slot, effect, &once, bytes_of(reply));
}

static struct bytes find(uint16_t node, uint64_t id)
{
    struct once once = {.origin = ORIGIN, .id = id};
    return outcomes_find(copy_at(node)->outcomes, &once);
}

static void expect(uint16_t node, uint64_t id, const char *reply)
{
    ck_assert_ptr_nonnull(find(node, id).data);
    ck_assert(bytes_equal(find(node, id), bytes_of(reply)));
}

static void expect_none(uint16_t node, uint64_t id)
{
    ck_assert_ptr_null(find(node, id).data);
}

static const struct op *last_op(uint16_t to)
{
    const struct replica_stream *stream = cluster.streams[0][to];
    return &stream->ops[stream->count - 1].op;
}

START_TEST(an_effect_with_a_name_is_kept_and_told)
{
    begin_serving();
    write_once(1, "a1", ":1\r\n");
    ck_assert_uint_eq(last_op(1)->kind, OP_EFFECT);
    ck_assert_uint_eq(last_op(1)->flags, OP_FLAG_ONCE);
    expect(0, 1, ":1\r\n");
    expect_none(1, 1);
    fake_deliver_all(&cluster);
    expect(1, 1, ":1\r\n");
    fake_expect_equal(&cluster, 0, 1, slot);
    fake_write(&cluster, 0, slot, 'a', '2'); /* one without a name */
    ck_assert_uint_eq(last_op(1)->flags, 0);
    fake_deliver_all(&cluster);
    ck_assert_uint_eq(outcomes_count(copy_at(0)->outcomes), 1);
    ck_assert_uint_eq(outcomes_count(copy_at(1)->outcomes), 1);
    fake_expect_equal(&cluster, 0, 1, slot);
}
END_TEST

START_TEST(what_is_settled_is_forgotten_by_both)
{
    begin_serving();
    for (uint64_t id = 1; id <= 5; id++) {
        write_once(id, "a1", ":1\r\n");
    }
    struct once once = {.origin = ORIGIN, .id = 6, .settled = 5};
    fake_write_once(&cluster, 0, slot, "a2", &once, BYTES_LITERAL(":6\r\n"));
    fake_deliver_all(&cluster);
    for (uint16_t node = 0; node < 2; node++) {
        ck_assert_uint_eq(outcomes_count(copy_at(node)->outcomes), 2);
        expect(node, 5, ":1\r\n");
        expect(node, 6, ":6\r\n");
    }
}
END_TEST

START_TEST(a_long_reply_is_told_as_none)
{
    begin_serving();
    char *reply = malloc(OUTCOME_REPLY_SIZE_MAX + 1);
    memset(reply, 'x', OUTCOME_REPLY_SIZE_MAX + 1);
    for (uint64_t id = 1; id <= 2; id++) {
        struct once once = {.origin = ORIGIN, .id = id};
        fake_write_once(&cluster, 0, slot, "a1", &once,
                        (struct bytes){reply, OUTCOME_REPLY_SIZE_MAX - 1 + id});
    }
    fake_deliver_all(&cluster);
    for (uint16_t node = 0; node < 2; node++) {
        ck_assert_uint_eq(find(node, 1).size, OUTCOME_REPLY_SIZE_MAX);
        ck_assert_ptr_nonnull(find(node, 2).data);
        ck_assert_uint_eq(find(node, 2).size, 0);
    }
    free(reply);
}
END_TEST

START_TEST(who_leads_alone_keeps_them_too)
{
    struct view *alone = fake_next(view);
    alone->nodes[1].status = NODE_DOWN;
    alone->nodes[1].last_up = 5;
    fake_seal(alone);
    begin_serving();
    fake_install(&cluster, 0, alone, slot, false);
    write_once(1, "a1", ":1\r\n");
    expect(0, 1, ":1\r\n");
    view_release(alone);
}
END_TEST

/* Node 2 is to have the slot. It has been sent all, and has not acknowledged it. */
START_TEST(one_that_follows_is_told)
{
    begin_serving();
    write_once(1, "a1", ":1\r\n");
    struct view *change = fake_change(view);
    fake_seal(change);
    for (uint16_t i = 0; i < 3; i++) {
        fake_install(&cluster, i, change, slot, false);
    }
    copy_step(copy_at(0), rim_at(0), 1000);
    ck_assert_int_eq(fake_member(&cluster, 0, slot, 2)->stage, MEMBER_FOLLOWING);
    write_once(2, "b2", ":2\r\n");
    ck_assert_uint_eq(last_op(2)->flags, OP_FLAG_ONCE);
    fake_deliver_all(&cluster);
    expect(2, 1, ":1\r\n");
    expect(2, 2, ":2\r\n");
    fake_expect_equal(&cluster, 0, 2, slot);
    view_release(change);
}
END_TEST

START_TEST(a_refill_brings_them)
{
    char kinds[64];
    write_once(1, "a1", ":1\r\n");
    write_once(2, "b2", ":2\r\n");
    fake_join(&cluster, 0, slot);
    fake_kinds(&cluster, 0, 1, kinds);
    ck_assert_str_eq(kinds, "BKKOON");
    expect(1, 1, ":1\r\n");
    expect(1, 2, ":2\r\n");
    ck_assert_uint_eq(outcomes_count(copy_at(1)->outcomes), 2);
}
END_TEST

/* It is in the refill, wherever that stands when it is made. */
START_TEST(one_made_during_a_refill_is_in_it)
{
    for (int key = 0; key < FAKE_KEYS; key++) {
        fake_write(&cluster, 0, slot, (char)('a' + key), '1');
    }
    for (uint64_t id = 1; id <= 10; id++) {
        copy_step(copy_at(0), rim_at(0), FAKE_SCAN_KEY_BYTES);
        fake_deliver_all(&cluster);
        ck_assert_int_eq(fake_member(&cluster, 0, slot, 1)->stage, MEMBER_REFILLING);
        write_once(id, id % 2 == 0 ? "a2" : "p2", "+OK\r\n");
    }
    expect_none(1, 1); /* nothing counts before the end */
    fake_join(&cluster, 0, slot);
    for (uint64_t id = 1; id <= 10; id++) {
        expect(1, id, "+OK\r\n");
    }
    fake_expect_equal(&cluster, 0, 1, slot);
}
END_TEST

START_TEST(a_refill_replaces_what_was_there)
{
    begin_serving();
    write_once(1, "a1", ":1\r\n");
    fake_deliver_all(&cluster);
    struct once stray = {.origin = ORIGIN, .id = 9};
    ck_assert_int_eq(outcomes_note(copy_at(1)->outcomes, &stray, BYTES_LITERAL("x")), TORC_OK);
    fake_break_stream(&cluster, 0, 1);
    write_once(2, "b2", ":2\r\n");
    fake_join(&cluster, 0, slot);
    expect(1, 1, ":1\r\n");
    expect(1, 2, ":2\r\n");
    expect_none(1, 9); /* its effect is gone as well */
}
END_TEST

START_TEST(half_a_refill_changes_nothing)
{
    begin_serving();
    write_once(1, "a1", ":1\r\n");
    fake_deliver_all(&cluster);
    fake_break_stream(&cluster, 0, 1);
    write_once(2, "b2", ":2\r\n");
    copy_step(copy_at(0), rim_at(0), 1000);
    const struct replica_stream *stream = cluster.streams[0][1];
    ck_assert_int_eq(last_op(1)->kind, OP_REFILL_END);
    while (stream->delivered < stream->count - 1) {
        ck_assert(fake_deliver(&cluster, 0, 1));
    }
    ck_assert_uint_eq(outcomes_count(copy_at(1)->incoming), 2);
    expect(1, 1, ":1\r\n");
    expect_none(1, 2);
    fake_break_stream(&cluster, 0, 1); /* the next begin drops what has come */
    fake_join(&cluster, 0, slot);
    expect(1, 2, ":2\r\n");
    ck_assert_ptr_null(copy_at(1)->incoming);
    ck_assert_uint_eq(outcomes_count(copy_at(1)->outcomes), 2);
}
END_TEST

START_TEST(a_keep_keeps_them)
{
    begin_serving();
    write_once(1, "a1", ":1\r\n");
    fake_deliver_all(&cluster);
    fake_break_stream(&cluster, 0, 1);
    struct copy_member *member = fake_member(&cluster, 0, slot, 1);
    member->stage = MEMBER_WANTED;
    member->stream = NULL;
    copy_note_equal(copy_at(0), 1);
    fake_join(&cluster, 0, slot);
    char kinds[64];
    fake_kinds(&cluster, 0, 1, kinds);
    ck_assert_str_eq(kinds, "N");
    expect(0, 1, ":1\r\n");
    expect(1, 1, ":1\r\n");
}
END_TEST

START_TEST(a_new_primary_has_what_the_old_one_made)
{
    begin_serving();
    write_once(1, "a1", ":1\r\n");
    fake_deliver_all(&cluster);
    struct view *next = fake_next(view);
    next->nodes[0].status = NODE_DOWN;
    next->nodes[0].last_up = 5;
    fake_seal(next);
    const struct copy_answers nothing = {.best_peer = COPY_PEER_NONE};
    fake_install(&cluster, 1, next, slot, false);
    ck_assert(copy_resolve(copy_at(1), rim_at(1), &nothing));
    expect(1, 1, ":1\r\n");
    view_release(next);
}
END_TEST

/* Node 1 leads and holds nothing: node 0, which follows, sends it all. */
START_TEST(the_whole_includes_them)
{
    begin_serving();
    write_once(1, "a1", ":1\r\n");
    fake_break_stream(&cluster, 0, 1);
    struct view *next = fake_next(view);
    next->nodes[1].preferred = true;
    fake_seal(next);
    fake_install(&cluster, 0, next, slot, false);
    fake_install(&cluster, 1, next, slot, false);
    struct standing theirs = copy_standing(copy_at(0));
    const struct copy_answers answers = {.best = theirs, .best_peer = 0, .least = theirs};
    ck_assert(copy_resolve(copy_at(1), rim_at(1), &answers));
    ck_assert(copy_send_whole(copy_at(0), rim_at(0), 1));
    fake_deliver_all(&cluster);
    ck_assert_int_eq(copy_at(1)->stage, COPY_JOINING);
    expect(1, 1, ":1\r\n");
    view_release(next);
}
END_TEST

START_TEST(they_go_with_the_data)
{
    begin_serving();
    write_once(1, "a1", ":1\r\n");
    struct view *moved = fake_change(view);
    view_set_slot_moved(moved, slot);
    fake_seal(moved);
    fake_install(&cluster, 0, moved, slot, false);
    expect(0, 1, ":1\r\n");
    struct view *settled = fake_next(moved);
    settled->settled_epoch = 6;
    fake_seal(settled);
    fake_install(&cluster, 0, settled, slot, false);
    ck_assert(!copy_at(0)->complete);
    expect_none(0, 1);
    view_release(moved);
    view_release(settled);
}
END_TEST

START_TEST(each_copy_ages_by_itself)
{
    copy_age(copy_at(0)); /* nothing noted */
    begin_serving();
    write_once(1, "a1", ":1\r\n");
    fake_deliver_all(&cluster);
    copy_age(copy_at(1));
    copy_age(copy_at(1));
    expect(0, 1, ":1\r\n");
    expect_none(1, 1);
}
END_TEST

/* ---- junk ---- */

static enum copy_verdict receive(struct op op)
{
    op.slot = slot;
    op.view_epoch = 5;
    return copy_receive(copy_at(1), rim_at(1), &op, 0, cluster.streams[0][1]->generation,
                        cluster.nodes[1]->epoch);
}

/* Name, size of the reply as it is said to be, and `size` bytes of it with what follows. */
static void make_payload(struct buf *out, uint64_t id, uint32_t said, const char *rest, size_t size)
{
    struct once once = {.origin = ORIGIN, .id = id};
    buf_reset(out, SIZE_MAX);
    once_encode(out, &once);
    write_u32(out, said);
    buf_append(out, rest, size);
}

static enum copy_verdict receive_effect(const struct buf *payload, size_t size)
{
    uint64_t sequence = copy_at(1)->sequence + 1;
    return receive((struct op){.kind = OP_EFFECT,
                               .flags = OP_FLAG_ONCE,
                               .epoch = 5,
                               .sequence = sequence,
                               .payload = {buf_head(payload), size}});
}

static enum copy_verdict receive_outcome(const struct buf *payload, size_t size)
{
    return receive((struct op){.kind = OP_REFILL_OUTCOME, .payload = {buf_head(payload), size}});
}

START_TEST(junk_in_an_effect_breaks_the_stream)
{
    struct buf out = {0};
    char *reply = calloc(1, OUTCOME_REPLY_SIZE_MAX + 3);
    begin_serving();
    make_payload(&out, 1, 4, ":1\r\na1", 6);
    ck_assert_int_eq(receive_effect(&out, buf_size(&out)), COPY_APPLIED);
    ck_assert_int_eq(cluster.nodes[1]->data[slot][0], '1');
    expect(1, 1, ":1\r\n");
    for (size_t size = 0; size < buf_size(&out); size++) {
        ck_assert_int_eq(receive_effect(&out, size), COPY_BROKEN); /* cut short */
    }
    make_payload(&out, 0, 4, ":1\r\na2", 6);
    ck_assert_int_eq(receive_effect(&out, buf_size(&out)), COPY_BROKEN);
    make_payload(&out, 2, 7, ":1\r\na2", 6);
    ck_assert_int_eq(receive_effect(&out, buf_size(&out)), COPY_BROKEN);
    make_payload(&out, 2, UINT32_MAX, ":1\r\na2", 6);
    ck_assert_int_eq(receive_effect(&out, buf_size(&out)), COPY_BROKEN);
    memcpy(reply + OUTCOME_REPLY_SIZE_MAX + 1, "a2", 2);
    make_payload(&out, 2, OUTCOME_REPLY_SIZE_MAX + 1, reply, OUTCOME_REPLY_SIZE_MAX + 3);
    ck_assert_int_eq(receive_effect(&out, buf_size(&out)), COPY_BROKEN);
    expect_none(1, 2);
    ck_assert_int_eq(cluster.nodes[1]->data[slot][0], '1');
    ck_assert_uint_eq(copy_at(1)->sequence, 1);
    make_payload(&out, 2, OUTCOME_REPLY_SIZE_MAX, reply + 1, OUTCOME_REPLY_SIZE_MAX + 2);
    ck_assert_int_eq(receive_effect(&out, buf_size(&out)), COPY_APPLIED);
    ck_assert_uint_eq(find(1, 2).size, OUTCOME_REPLY_SIZE_MAX);
    ck_assert_int_eq(cluster.nodes[1]->data[slot][0], '2');
    buf_deinit(&out);
    free(reply);
}
END_TEST

START_TEST(junk_in_a_refill_breaks_the_stream)
{
    struct buf out = {0};
    begin_serving();
    make_payload(&out, 1, 4, ":1\r\n", 4);
    ck_assert_int_eq(receive_outcome(&out, buf_size(&out)), COPY_SKIPPED); /* without a begin */
    expect_none(1, 1);
    ck_assert_int_eq(receive((struct op){.kind = OP_REFILL_BEGIN}), COPY_APPLIED);
    for (size_t size = 0; size < buf_size(&out); size++) {
        ck_assert_int_eq(receive_outcome(&out, size), COPY_BROKEN);
    }
    make_payload(&out, 0, 4, ":1\r\n", 4);
    ck_assert_int_eq(receive_outcome(&out, buf_size(&out)), COPY_BROKEN);
    make_payload(&out, 1, OUTCOME_REPLY_SIZE_MAX + 1, ":1\r\n", 4);
    ck_assert_int_eq(receive_outcome(&out, buf_size(&out)), COPY_BROKEN);
    ck_assert_uint_eq(outcomes_count(copy_at(1)->incoming), 0);
    make_payload(&out, 1, 4, ":1\r\n+", 5);
    ck_assert_int_eq(receive_outcome(&out, buf_size(&out)), COPY_BROKEN); /* more behind it */
    make_payload(&out, 1, 4, ":1\r\n", 4);
    ck_assert_int_eq(receive_outcome(&out, buf_size(&out)), COPY_APPLIED);
    ck_assert_int_eq(receive((struct op){.kind = OP_REFILL_END, .epoch = 5, .sequence = 1}),
                     COPY_APPLIED);
    expect(1, 1, ":1\r\n");
    buf_deinit(&out);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("copy_outcomes");
    TCase *tcase = tcase_create("copy_outcomes");
    tcase_set_timeout(tcase, 60);
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, an_effect_with_a_name_is_kept_and_told);
    tcase_add_test(tcase, what_is_settled_is_forgotten_by_both);
    tcase_add_test(tcase, a_long_reply_is_told_as_none);
    tcase_add_test(tcase, who_leads_alone_keeps_them_too);
    tcase_add_test(tcase, one_that_follows_is_told);
    tcase_add_test(tcase, a_refill_brings_them);
    tcase_add_test(tcase, one_made_during_a_refill_is_in_it);
    tcase_add_test(tcase, a_refill_replaces_what_was_there);
    tcase_add_test(tcase, half_a_refill_changes_nothing);
    tcase_add_test(tcase, a_keep_keeps_them);
    tcase_add_test(tcase, a_new_primary_has_what_the_old_one_made);
    tcase_add_test(tcase, the_whole_includes_them);
    tcase_add_test(tcase, they_go_with_the_data);
    tcase_add_test(tcase, each_copy_ages_by_itself);
    tcase_add_test(tcase, junk_in_an_effect_breaks_the_stream);
    tcase_add_test(tcase, junk_in_a_refill_breaks_the_stream);
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
