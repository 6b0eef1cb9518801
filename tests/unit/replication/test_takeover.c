#include "base/error.h"
#include "replication/takeover.h"
#include "tests/unit/replication/support/fake_cluster.h"

#include <check.h>
#include <string.h>

/* Three nodes and their takeovers; two copies (three in some tests). */
static struct fake_cluster cluster;
static struct takeover *takeovers[3];
static struct takeover_rim rims[3];
static struct view *view;
static uint16_t slot; /* primary 0, then 1 */
static uint64_t now_ms;

static struct copy *lock(void *context, uint16_t index)
{
    struct fake_node *node = context;
    return &node->copies[index];
}

static void unlock(void *context, uint16_t index)
{
    (void)context;
    (void)index;
}

static size_t stopped; /* slots that were served where they were, until they were asked for */

static void on_stopped(void *context, uint16_t index)
{
    const struct fake_node *node = context;
    ck_assert(!copy_serves(&node->copies[index]));
    stopped++;
}

static void begin(uint16_t node, const struct view *next, bool demoted)
{
    static const uint16_t peers[FAKE_NODES] = {0, 1, 2, 3};
    struct copy_view installed = {.view = next, .self = node, .peers = peers, .demoted = demoted};
    fake_install(&cluster, node, next, -1, demoted);
    ck_assert_int_eq(takeover_begin(takeovers[node], &installed), TORC_OK);
}

/* One node's question to another, and the answer. False: there is nothing to ask. */
static bool ask(uint16_t from, uint16_t to)
{
    struct buf request = {0};
    struct buf answer = {0};
    bool asked = takeover_request(takeovers[from], to, now_ms, &request) != TAKEOVER_NOTHING;
    if (asked) {
        ck_assert_int_eq(takeover_request(takeovers[from], to, now_ms, &request),
                         TAKEOVER_NOTHING); /* one at a time */
        int result =
            takeover_serve(&rims[to], from, cluster.nodes[to]->epoch, buf_bytes(&request), &answer);
        ck_assert(result == TORC_OK || result == TORC_ESTALE);
        takeover_answered(takeovers[from], to, takeover_epoch(takeovers[from]),
                          result == TORC_OK ? buf_bytes(&answer) : (struct bytes){NULL, 0}, now_ms);
    } else {
        ck_assert_uint_eq(buf_size(&request), 0);
    }
    buf_deinit(&request);
    buf_deinit(&answer);
    return asked;
}

static void step_all(uint16_t node)
{
    for (uint32_t i = 0; i < SLOT_COUNT; i++) {
        copy_step(&cluster.nodes[node]->copies[i], &cluster.nodes[node]->rim, 1000);
    }
}

/* A while of asking, answering, sending and joining among those nodes. */
static void run(unsigned alive)
{
    for (unsigned round = 0; round < 6; round++) {
        for (uint16_t from = 0; from < 3; from++) {
            for (uint16_t to = 0; to < 3; to++) {
                if (from != to && (alive >> from & 1) != 0 && (alive >> to & 1) != 0) {
                    ask(from, to);
                }
            }
            if ((alive >> from & 1) != 0) {
                takeover_tick(takeovers[from], now_ms);
                fake_deliver_all(&cluster);
                step_all(from);
            }
        }
        fake_deliver_all(&cluster);
        now_ms += 20;
    }
}

static size_t count_not_serving(uint16_t node)
{
    size_t count = 0;
    for (uint32_t i = 0; i < SLOT_COUNT; i++) {
        const struct copy *copy = &cluster.nodes[node]->copies[i];
        count += copy->role == COPY_PRIMARY && copy->stage != COPY_SERVING;
    }
    return count;
}

static void begin_with(uint8_t copies)
{
    fake_cluster_init(&cluster);
    now_ms = 1000;
    view = fake_view(3, copies, 5);
    fake_seal(view);
    slot = fake_slot(3, copies, 0, 1);
    for (uint16_t i = 0; i < 3; i++) {
        rims[i] = (struct takeover_rim){
            .context = cluster.nodes[i], .lock = lock, .unlock = unlock, .stopped = on_stopped};
        rims[i].copies = &cluster.nodes[i]->rim;
        takeovers[i] = takeover_create(&rims[i]);
        ck_assert_ptr_nonnull(takeovers[i]);
        ck_assert_uint_eq(takeover_epoch(takeovers[i]), 0);
        begin(i, view, false);
    }
}

static void setup(void)
{
    begin_with(2);
}

static void teardown(void)
{
    for (size_t i = 0; i < 3; i++) {
        takeover_destroy(takeovers[i]);
    }
    view_release(view);
    fake_cluster_deinit(&cluster);
}

static struct view *next_with(uint16_t node, enum node_status status)
{
    struct view *next = fake_next(view);
    next->nodes[node].status = status;
    next->nodes[node].last_up = 5;
    fake_seal(next);
    return next;
}

START_TEST(a_fresh_cluster_comes_to_serve)
{
    ck_assert_uint_gt(takeover_tick(takeovers[0], now_ms), 0); /* nobody has answered */
    run(7);
    for (uint16_t i = 0; i < 3; i++) {
        ck_assert_uint_eq(count_not_serving(i), 0);
        ck_assert_uint_eq(takeover_tick(takeovers[i], now_ms), 0);
    }
}
END_TEST

START_TEST(the_replica_takes_over_with_everything)
{
    run(7);
    fake_write(&cluster, 0, slot, 'a', '1');
    fake_deliver_all(&cluster);
    struct view *next = next_with(0, NODE_DOWN);
    begin(1, next, false);
    begin(2, next, false);
    ck_assert(!copy_serves(fake_copy(&cluster, 1, slot)));
    run(6);
    ck_assert_uint_eq(count_not_serving(1), 0);
    ck_assert_uint_eq(count_not_serving(2), 0);
    ck_assert(copy_serves(fake_copy(&cluster, 1, slot)));
    ck_assert_int_eq(cluster.nodes[1]->data[slot][0], '1');
    view_release(next);
}
END_TEST

/* Nobody is served before everybody that is up has said that it has stopped. */
START_TEST(all_that_are_up_must_have_installed_the_view)
{
    run(7);
    struct view *next = fake_next(view);
    next->nodes[1].preferred = true;
    fake_seal(next);
    begin(1, next, false);
    begin(2, next, false);
    run(6); /* node 0 is silent, and by the view it is up */
    ck_assert(!copy_serves(fake_copy(&cluster, 1, slot)));
    ck_assert(copy_serves(fake_copy(&cluster, 0, slot)));
    run(7); /* it answers, from the view before */
    ck_assert(!copy_serves(fake_copy(&cluster, 1, slot)));
    begin(0, next, false);
    now_ms += 20;
    run(7);
    ck_assert(!copy_serves(fake_copy(&cluster, 0, slot)));
    ck_assert(copy_serves(fake_copy(&cluster, 1, slot)));
    ck_assert(copy_is_ready(fake_copy(&cluster, 0, slot)));
    view_release(next);
}
END_TEST

/* What is served nowhere is so for one question and its answer. */
START_TEST(the_old_primary_serves_until_all_others_have_answered)
{
    run(7);
    struct view *next = fake_next(view);
    next->nodes[1].preferred = true;
    fake_seal(next);
    begin(0, next, false);
    begin(1, next, false);
    ck_assert(ask(1, 0));
    ck_assert(ask(1, 2)); /* answers from the view before */
    ck_assert_uint_gt(takeover_tick(takeovers[1], now_ms), 0);
    now_ms += 20;
    ck_assert(!ask(1, 0)); /* it is not told to stop */
    ck_assert(ask(1, 2));
    ck_assert(copy_serves(fake_copy(&cluster, 0, slot)));
    fake_write(&cluster, 0, slot, 'a', '1');
    fake_deliver_all(&cluster);
    ck_assert(fake_is_acked(&cluster, 0, slot));
    begin(2, next, false);
    now_ms += 20;
    ck_assert(ask(1, 2));
    ck_assert_uint_gt(takeover_tick(takeovers[1], now_ms), 0);
    ck_assert(takeover_waits_for(takeovers[1], 0));
    ck_assert(ask(1, 2)); /* it stops at once */
    ck_assert(!takeover_waits_for(takeovers[1], 2));
    ck_assert(copy_serves(fake_copy(&cluster, 0, slot)));
    struct buf request = {0};
    ck_assert_int_eq(takeover_request(takeovers[1], 0, now_ms, &request), TAKEOVER_STOP);
    stopped = 0;
    struct buf answer = {0};
    ck_assert_int_eq(takeover_serve(&rims[0], 2, 6, buf_bytes(&request), &answer), TORC_OK);
    ck_assert(copy_serves(fake_copy(&cluster, 0, slot))); /* node 2 is not to lead it */
    ck_assert_uint_eq(stopped, 0);
    buf_reset(&answer, SIZE_MAX);
    ck_assert_int_eq(takeover_serve(&rims[0], 1, 6, buf_bytes(&request), &answer), TORC_OK);
    ck_assert(!copy_serves(fake_copy(&cluster, 0, slot)));
    ck_assert_uint_gt(stopped, 1);
    takeover_answered(takeovers[1], 0, 6, buf_bytes(&answer), now_ms);
    ck_assert_uint_eq(takeover_tick(takeovers[1], now_ms), 0);
    ck_assert(!takeover_waits_for(takeovers[1], 0));
    step_all(1);
    ck_assert(copy_serves(fake_copy(&cluster, 1, slot)));
    ck_assert_int_eq(cluster.nodes[1]->data[slot][0], '1');
    buf_deinit(&request);
    buf_deinit(&answer);
    view_release(next);
}
END_TEST

START_TEST(what_another_holds_more_is_sent_for)
{
    teardown();
    begin_with(3); /* every slot on all three */
    run(7);
    fake_write(&cluster, 0, slot, 'a', '1');
    while (fake_deliver(&cluster, 0, 2)) { /* node 1, which is next, does not get it */
    }
    fake_break_stream(&cluster, 0, 1);
    struct view *next = next_with(0, NODE_DOWN);
    begin(1, next, false);
    begin(2, next, false);
    ck_assert_uint_eq(fake_copy(&cluster, 1, slot)->sequence, 0);
    run(6);
    ck_assert(copy_serves(fake_copy(&cluster, 1, slot)));
    ck_assert_int_eq(cluster.nodes[1]->data[slot][0], '1');
    fake_expect_equal(&cluster, 1, 2, slot);
    char kinds[64] = "";
    const struct replica_stream *stream = cluster.streams[1][2];
    for (size_t i = 0, at = 0; i < stream->count; i++) {
        if (stream->ops[i].op.slot == slot && stream->ops[i].op.view_epoch == 6) {
            kinds[at++] = "?EBKND"[stream->ops[i].op.kind];
        }
    }
    ck_assert_str_eq(kinds, "N"); /* who sent it holds the same */
    view_release(next);
}
END_TEST

START_TEST(what_was_promised_and_did_not_come_is_sent_for_again)
{
    teardown();
    begin_with(3);
    run(7);
    fake_write(&cluster, 0, slot, 'a', '1');
    while (fake_deliver(&cluster, 0, 2)) {
    }
    fake_break_stream(&cluster, 0, 1);
    struct view *next = next_with(0, NODE_DOWN);
    begin(1, next, false);
    begin(2, next, false);
    cluster.cut[2][1] = true; /* there is no way to send it */
    fake_break_stream(&cluster, 2, 1);
    run(6);
    ck_assert_int_eq(fake_copy(&cluster, 1, slot)->stage, COPY_FETCHING);
    cluster.cut[2][1] = false;
    now_ms += 20;
    ck_assert(ask(1, 2));              /* it said that it could not: soon again */
    fake_break_stream(&cluster, 2, 1); /* and now it is lost on the way */
    now_ms += 2000;
    ck_assert(!ask(1, 2));
    now_ms += 1000;
    ck_assert(ask(1, 2));
    run(6);
    ck_assert(copy_serves(fake_copy(&cluster, 1, slot)));
    ck_assert_int_eq(cluster.nodes[1]->data[slot][0], '1');
    view_release(next);
}
END_TEST

START_TEST(what_the_old_primary_has_under_way_is_waited_for_a_moment)
{
    run(7);
    struct view *next = fake_next(view);
    next->nodes[1].preferred = true;
    fake_seal(next);
    fake_write(&cluster, 0, slot, 'a', '1'); /* on its way */
    for (uint16_t i = 0; i < 3; i++) {
        begin(i, next, false);
    }
    ask(1, 0);
    ask(1, 2);
    ask(1, 0); /* both are told to stop */
    ask(1, 2);
    ck_assert_uint_gt(takeover_tick(takeovers[1], now_ms), 0);
    ck_assert_int_eq(fake_copy(&cluster, 1, slot)->stage, COPY_ASKING);
    ck_assert_uint_gt(takeover_tick(takeovers[1], now_ms + 299), 0);
    while (fake_deliver(&cluster, 0, 1)) {
    }
    ck_assert_int_eq(cluster.nodes[1]->data[slot][0], '1');
    ck_assert_uint_eq(takeover_tick(takeovers[1], now_ms + 299), 0);
    ck_assert_int_eq(fake_copy(&cluster, 1, slot)->stage, COPY_JOINING);
    view_release(next);
}
END_TEST

/* The last write of the old primary reaches the other replica after it was asked: it is asked
 * again, and need not be sent the whole. */
START_TEST(who_lacks_what_is_on_its_way_is_asked_again)
{
    teardown();
    begin_with(3);
    run(7);
    struct view *next = fake_next(view);
    next->nodes[1].preferred = true;
    fake_seal(next);
    fake_write(&cluster, 0, slot, 'a', '1');
    while (fake_deliver(&cluster, 0, 1)) {
    }
    for (uint16_t i = 0; i < 3; i++) {
        begin(i, next, false);
    }
    ck_assert(ask(1, 0));
    ck_assert(ask(1, 2));
    ck_assert(ask(1, 0)); /* both are told to stop */
    ck_assert(ask(1, 2));
    ck_assert_uint_gt(takeover_tick(takeovers[1], now_ms), 0);
    ck_assert_int_eq(fake_copy(&cluster, 1, slot)->stage, COPY_ASKING);
    ck_assert(!ask(1, 0)); /* it has said all */
    while (fake_deliver(&cluster, 0, 2)) {
    }
    now_ms++;
    ck_assert(ask(1, 2));
    ck_assert_uint_eq(takeover_tick(takeovers[1], now_ms), 0);
    ck_assert_int_eq(fake_copy(&cluster, 1, slot)->stage, COPY_JOINING);
    step_all(1);
    fake_deliver_all(&cluster);
    ck_assert(copy_serves(fake_copy(&cluster, 1, slot)));
    const struct replica_stream *stream = cluster.streams[1][2];
    for (size_t i = 0; i < stream->count; i++) {
        ck_assert(stream->ops[i].op.slot != slot || stream->ops[i].op.kind != OP_REFILL_BEGIN);
    }
    fake_expect_equal(&cluster, 1, 2, slot);
    view_release(next);
}
END_TEST

START_TEST(answers_that_are_late_or_wrong_are_not_taken)
{
    struct buf request = {0};
    struct buf answer = {0};
    static char zeros[17 * SLOT_COUNT];
    ck_assert_int_eq(takeover_request(takeovers[0], 1, now_ms, &request), TAKEOVER_QUESTION);
    takeover_answered(takeovers[0], 2, 5, (struct bytes){zeros, 17}, now_ms); /* was not asked */
    takeover_answered(takeovers[0], 1, 4, (struct bytes){NULL, 0}, now_ms);   /* another view's */
    ck_assert_int_eq(takeover_request(takeovers[0], 1, now_ms + 100, &request), TAKEOVER_NOTHING);
    takeover_answered(takeovers[0], 1, 5, (struct bytes){zeros, 17}, now_ms); /* too short */
    ck_assert_int_eq(takeover_request(takeovers[0], 1, now_ms + 1, &request),
                     TAKEOVER_NOTHING); /* soon, not now */
    buf_reset(&request, SIZE_MAX);
    ck_assert_int_eq(takeover_request(takeovers[0], 1, now_ms + 10, &request), TAKEOVER_QUESTION);
    ck_assert_int_eq(takeover_serve(&rims[1], 0, 6, buf_bytes(&request), &answer), TORC_ESTALE);
    ck_assert_uint_gt(takeover_tick(takeovers[0], now_ms), 0);
    /* Another view comes before the answer: it answers nothing any more. */
    struct view *next = next_with(2, NODE_DOWN);
    begin(0, next, false);
    takeover_answered(takeovers[0], 1, 5, (struct bytes){zeros, sizeof(zeros)}, now_ms);
    ck_assert_uint_gt(takeover_tick(takeovers[0], now_ms), 0);
    ck_assert_int_eq(takeover_request(takeovers[0], 2, now_ms, &request),
                     TAKEOVER_NOTHING); /* down: not asked */
    begin(1, next, false);
    run(3);
    ck_assert_uint_eq(count_not_serving(0), 0);
    view_release(next);
    buf_deinit(&request);
    buf_deinit(&answer);
}
END_TEST

START_TEST(strange_requests_are_refused)
{
    static const char unknown[9] = {4, 5};
    static const char odd[10] = {1, 5};
    static const char bad_slot[11] = {1, 5, 0, 0, 0, 0, 0, 0, 0, (char)0xff, (char)0xff};
    struct buf answer = {0};
    for (size_t size = 0; size < 9; size++) {
        ck_assert_int_eq(takeover_serve(&rims[0], 1, 5, (struct bytes){bad_slot, size}, &answer),
                         TORC_ECORRUPT);
    }
    ck_assert_int_eq(takeover_serve(&rims[0], 1, 5, (struct bytes){unknown, 9}, &answer),
                     TORC_ECORRUPT);
    ck_assert_int_eq(takeover_serve(&rims[0], 1, 5, (struct bytes){odd, 10}, &answer),
                     TORC_ECORRUPT);
    ck_assert_int_eq(takeover_serve(&rims[0], 1, 5, (struct bytes){bad_slot, 11}, &answer),
                     TORC_ECORRUPT);
    ck_assert_int_eq(takeover_serve(&rims[0], 1, 5, (struct bytes){bad_slot, 9}, &answer), TORC_OK);
    buf_deinit(&answer);
}
END_TEST

/* Both owners went down at once; one of them had more under way. The other comes back and leads. */
START_TEST(the_syncing_leader_takes_what_another_holder_has)
{
    run(7);
    fake_write(&cluster, 0, slot, 'a', '1');
    fake_deliver_all(&cluster);
    fake_write(&cluster, 0, slot, 'b', '2');
    fake_break_stream(&cluster, 0, 1);
    struct view *next = fake_next(view);
    for (size_t i = 0; i < 2; i++) {
        next->nodes[i].status = NODE_SYNCING;
        next->nodes[i].last_up = 5;
    }
    next->nodes[0].leaving = true;
    fake_seal(next);
    for (uint16_t i = 0; i < 3; i++) {
        begin(i, next, i < 2);
    }
    run(7);
    const struct copy *leader = fake_copy(&cluster, 0, slot);
    ck_assert_int_eq(leader->role, COPY_PRIMARY);
    ck_assert_int_eq(leader->stage, COPY_JOINING);
    fake_expect_equal(&cluster, 0, 1, slot);
    ck_assert_int_eq(cluster.nodes[1]->data[slot][1], '2');
    /* And the other way about: node 1 leads where it is first. */
    uint16_t other = fake_slot(3, 2, 1, 0);
    ck_assert_int_eq(fake_copy(&cluster, 1, other)->role, COPY_PRIMARY);
    ck_assert(copy_is_ready(fake_copy(&cluster, 1, other)));
    view_release(next);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("takeover");
    TCase *tcase = tcase_create("takeover");
    tcase_set_timeout(tcase, 120);
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, a_fresh_cluster_comes_to_serve);
    tcase_add_test(tcase, the_replica_takes_over_with_everything);
    tcase_add_test(tcase, all_that_are_up_must_have_installed_the_view);
    tcase_add_test(tcase, the_old_primary_serves_until_all_others_have_answered);
    tcase_add_test(tcase, what_another_holds_more_is_sent_for);
    tcase_add_test(tcase, what_was_promised_and_did_not_come_is_sent_for_again);
    tcase_add_test(tcase, what_the_old_primary_has_under_way_is_waited_for_a_moment);
    tcase_add_test(tcase, who_lacks_what_is_on_its_way_is_asked_again);
    tcase_add_test(tcase, answers_that_are_late_or_wrong_are_not_taken);
    tcase_add_test(tcase, strange_requests_are_refused);
    tcase_add_test(tcase, the_syncing_leader_takes_what_another_holder_has);
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
