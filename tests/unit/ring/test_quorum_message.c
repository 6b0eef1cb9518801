#include "base/error.h"
#include "ring/quorum_message.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

#define AT_VERSION 4
#define AT_KIND 5
#define AT_SENDER 14
#define AT_BODY 50 /* magic, version, kind, tag, sender, incarnation, epoch */

static struct node_id id_of(size_t number)
{
    return (struct node_id){{(uint8_t)number, 1}};
}

static struct view *make_view(uint64_t epoch)
{
    struct view *view = view_create();
    view->epoch = epoch;
    struct view_node node = {.id = id_of(1), .host = "host", .status = NODE_UP};
    ck_assert_int_eq(view_put_node(view, &node), 0);
    ck_assert_int_eq(view_seal(view), 0);
    return view;
}

static struct quorum_wire begin(enum quorum_kind kind)
{
    return (struct quorum_wire){.kind = (uint8_t)kind,
                                .cluster_tag = 0x0102030405060708,
                                .sender = id_of(7),
                                .incarnation = 0x1112131415161718,
                                .epoch = 20};
}

static int decode(struct bytes input, size_t size, struct quorum_wire *out)
{
    char *copy = malloc(size + 1); /* so that the sanitizer sees a read past the end */
    memcpy(copy + 1, input.data, size);
    int result = quorum_wire_decode(out, (struct bytes){copy + 1, size}, NULL);
    free(copy);
    return result;
}

static int decode_and_drop(const struct buf *buf, size_t size)
{
    struct quorum_wire wire;
    int result = decode(buf_bytes(buf), size, &wire);
    if (result == TORC_OK) {
        quorum_wire_deinit(&wire);
    }
    return result;
}

static int decode_patched(const struct quorum_wire *wire, size_t at, uint8_t value)
{
    struct buf buf = {0};
    quorum_wire_encode(wire, &buf);
    ck_assert_uint_lt(at, buf_size(&buf));
    buf_head(&buf)[at] = (char)value;
    int result = decode_and_drop(&buf, buf_size(&buf));
    buf_deinit(&buf);
    return result;
}

/* There and back; every cut and every extra byte is refused. `back` is the caller's. */
static void round_trip(const struct quorum_wire *wire, struct quorum_wire *back)
{
    struct buf first = {0};
    struct buf second = {0};
    quorum_wire_encode(wire, &first);
    ck_assert(!first.failed);
    for (size_t size = 0; size < buf_size(&first); size++) {
        ck_assert_msg(decode_and_drop(&first, size) == TORC_ECORRUPT, "cut at %zu", size);
    }
    ck_assert_int_eq(decode(buf_bytes(&first), buf_size(&first), back), TORC_OK);
    quorum_wire_encode(back, &second);
    ck_assert(bytes_equal(buf_bytes(&first), buf_bytes(&second)));
    buf_append(&first, "", 1);
    ck_assert_int_eq(decode_and_drop(&first, buf_size(&first)), TORC_ECORRUPT);
    buf_deinit(&first);
    buf_deinit(&second);
    ck_assert_uint_eq(back->kind, wire->kind);
    ck_assert_uint_eq(back->cluster_tag, wire->cluster_tag);
    ck_assert(node_id_equal(&back->sender, &wire->sender));
    ck_assert_uint_eq(back->incarnation, wire->incarnation);
    ck_assert_uint_eq(back->epoch, wire->epoch);
}

START_TEST(lease_requests_and_answers)
{
    for (unsigned flags = 0; flags < 16; flags++) {
        struct quorum_wire wire =
            begin(flags % 2 == 0 ? QUORUM_LEASE_REQUEST : QUORUM_LEASE_ANSWER);
        struct quorum_wire back;
        wire.asked_ms = 123456789;
        wire.asker = 987;
        wire.leaving = (flags & 1) != 0;
        wire.farewell = (flags & 2) != 0;
        wire.granted = (flags & 4) != 0;
        wire.answered = (flags & 8) != 0;
        wire.complete_epoch = 19;
        wire.silent_count = flags == 15 ? QUORUM_SILENT_MAX : flags;
        for (size_t i = 0; i < wire.silent_count; i++) {
            wire.silent[i] = id_of(i + 1);
        }
        round_trip(&wire, &back);
        ck_assert_uint_eq(back.asked_ms, wire.asked_ms);
        ck_assert_uint_eq(back.asker, wire.asker);
        ck_assert_int_eq(back.leaving, wire.leaving);
        ck_assert_int_eq(back.farewell, wire.farewell);
        ck_assert_int_eq(back.granted, wire.granted);
        ck_assert_int_eq(back.answered, wire.answered);
        ck_assert_uint_eq(back.complete_epoch, 19);
        ck_assert_uint_eq(back.silent_count, wire.silent_count);
        for (size_t i = 0; i < wire.silent_count; i++) {
            ck_assert(node_id_equal(&back.silent[i], &wire.silent[i]));
        }
    }
    struct quorum_wire wire = begin(QUORUM_LEASE_REQUEST);
    ck_assert_int_eq(decode_patched(&wire, AT_BODY + 16, 16), TORC_ECORRUPT); /* flags */
    ck_assert_int_eq(decode_patched(&wire, AT_BODY + 16, 0x80), TORC_ECORRUPT);
    ck_assert_int_eq(decode_patched(&wire, AT_BODY + 25, 1), TORC_ECORRUPT); /* ids */
}
END_TEST

START_TEST(a_full_lease_request_is_one_datagram)
{
    struct quorum_wire wire = begin(QUORUM_LEASE_REQUEST);
    struct buf buf = {0};
    wire.silent_count = QUORUM_SILENT_MAX;
    for (size_t i = 0; i < QUORUM_SILENT_MAX; i++) {
        wire.silent[i] = id_of(i + 1);
    }
    quorum_wire_encode(&wire, &buf);
    ck_assert_uint_le(buf_size(&buf), GOSSIP_DATAGRAM_SIZE_MAX);
    buf_head(&buf)[AT_BODY + 25] = QUORUM_SILENT_MAX + 1; /* one more, and room for it */
    buf_append(&buf, wire.silent[0].bytes, NODE_ID_SIZE);
    ck_assert_int_eq(decode_and_drop(&buf, buf_size(&buf)), TORC_ECORRUPT);
    buf_deinit(&buf);
}
END_TEST

START_TEST(agreement_of_every_kind)
{
    struct view *view = make_view(21);
    for (int kind = AGREEMENT_PREPARE; kind <= AGREEMENT_REFUSED; kind++) {
        for (int with = 0; with < 2; with++) {
            struct quorum_wire wire = begin(QUORUM_AGREEMENT);
            struct quorum_wire back;
            bool has_view = kind == AGREEMENT_ACCEPT || (kind == AGREEMENT_PROMISE && with == 1);
            wire.agreement = (struct agreement_message){
                .kind = (uint8_t)kind,
                .instance = 21,
                .ballot = {3, id_of(4)},
                .other = {kind == AGREEMENT_PROMISE ? (uint64_t)with : 2, id_of(5)},
                .view = has_view ? view : NULL};
            round_trip(&wire, &back);
            ck_assert_int_eq(back.agreement.kind, kind);
            ck_assert_uint_eq(back.agreement.instance, 21);
            ck_assert_int_eq(ballot_compare(&back.agreement.ballot, &wire.agreement.ballot), 0);
            ck_assert_uint_eq(back.agreement.other.number, wire.agreement.other.number);
            ck_assert(node_id_equal(&back.agreement.other.node, &wire.agreement.other.node));
            ck_assert_int_eq(back.agreement.view != NULL, has_view);
            quorum_wire_deinit(&back);
        }
    }
    view_release(view);
}
END_TEST

static int agreement_result(uint8_t kind, uint64_t ballot, uint64_t other, uint64_t instance,
                            const struct view *view)
{
    struct quorum_wire wire = begin(QUORUM_AGREEMENT);
    struct buf buf = {0};
    wire.agreement = (struct agreement_message){.kind = kind,
                                                .instance = instance,
                                                .ballot = {ballot, id_of(1)},
                                                .other = {other, id_of(2)},
                                                .view = view};
    quorum_wire_encode(&wire, &buf);
    int result = decode_and_drop(&buf, buf_size(&buf));
    buf_deinit(&buf);
    return result;
}

START_TEST(unlawful_agreement_is_refused)
{
    struct view *view = make_view(21);
    ck_assert_int_eq(agreement_result(AGREEMENT_ACCEPT, 1, 0, 21, view), TORC_OK);
    ck_assert_int_eq(agreement_result(AGREEMENT_ACCEPT, 1, 0, 22, view), TORC_ECORRUPT);
    ck_assert_int_eq(agreement_result(AGREEMENT_ACCEPT, 0, 0, 21, view), TORC_ECORRUPT);
    ck_assert_int_eq(agreement_result(AGREEMENT_ACCEPT, 1, 0, 21, NULL), TORC_ECORRUPT);
    ck_assert_int_eq(agreement_result(AGREEMENT_PREPARE, 1, 0, 21, view), TORC_ECORRUPT);
    ck_assert_int_eq(agreement_result(AGREEMENT_ACCEPTED, 1, 0, 21, view), TORC_ECORRUPT);
    ck_assert_int_eq(agreement_result(AGREEMENT_PROMISE, 1, 1, 21, NULL), TORC_ECORRUPT);
    ck_assert_int_eq(agreement_result(AGREEMENT_PROMISE, 1, 0, 21, view), TORC_ECORRUPT);
    ck_assert_int_eq(agreement_result(0, 1, 0, 21, NULL), TORC_ECORRUPT);
    ck_assert_int_eq(agreement_result(6, 1, 0, 21, NULL), TORC_ECORRUPT);
    view_release(view);
}
END_TEST

START_TEST(views)
{
    struct view *view = make_view(30);
    struct quorum_wire wire = begin(QUORUM_VIEW);
    struct quorum_wire back;
    wire.view = view;
    round_trip(&wire, &back);
    ck_assert_uint_eq(back.view->epoch, 30);
    ck_assert_uint_eq(back.view->node_count, 1);
    quorum_wire_deinit(&back);
    ck_assert_int_eq(decode_patched(&wire, AT_BODY + 4, 77), TORC_EVERSION); /* the view's own */
    wire.view = NULL;
    struct buf buf = {0};
    quorum_wire_encode(&wire, &buf);
    ck_assert_int_eq(decode_and_drop(&buf, buf_size(&buf)), TORC_ECORRUPT);
    buf_deinit(&buf);
    view_release(view);
}
END_TEST

START_TEST(reports)
{
    for (int ready = 0; ready < 2; ready++) {
        struct quorum_wire wire = begin(QUORUM_REPORT);
        struct quorum_wire back;
        wire.has_ready = ready == 1;
        for (size_t i = 0; i < sizeof(wire.ready) && ready == 1; i++) {
            wire.ready[i] = (uint8_t)(i * 7);
        }
        wire.slow_count = ready == 1 ? QUORUM_SLOW_MAX : 1;
        for (size_t i = 0; i < wire.slow_count; i++) {
            wire.slow[i] = id_of(i + 1);
        }
        round_trip(&wire, &back);
        ck_assert_int_eq(back.has_ready, wire.has_ready);
        ck_assert_mem_eq(back.ready, wire.ready, sizeof(wire.ready));
        ck_assert_uint_eq(back.slow_count, wire.slow_count);
        ck_assert_mem_eq(back.slow, wire.slow, sizeof(wire.slow));
        ck_assert_int_eq(decode_patched(&wire, AT_BODY, 2), TORC_ECORRUPT);
    }
    struct quorum_wire wire = begin(QUORUM_REPORT);
    ck_assert_int_eq(decode_patched(&wire, AT_BODY + 1, QUORUM_SLOW_MAX + 1), TORC_ECORRUPT);
}
END_TEST

START_TEST(wishes)
{
    struct quorum_wire wire = begin(QUORUM_WISH);
    struct quorum_wire back;
    wire.prefer = id_of(3);
    round_trip(&wire, &back);
    ck_assert(node_id_equal(&back.prefer, &wire.prefer));
    ck_assert(node_id_is_zero(&back.forget));
    wire.prefer = (struct node_id){0};
    wire.forget = id_of(4);
    round_trip(&wire, &back);
    ck_assert(node_id_is_zero(&back.prefer));
    ck_assert(node_id_equal(&back.forget, &wire.forget));
    ck_assert_uint_eq(back.ring.tag, 0);

    struct ring_wish_node nodes[] = {{id_of(1), 2000, false}, {id_of(2), 0, true}};
    wire.ring = (struct ring_wish){.tag = 77, .count = 2, .nodes = nodes};
    round_trip(&wire, &back);
    ck_assert_uint_eq(back.ring.tag, 77);
    ck_assert(!back.ring.cancel);
    ck_assert_uint_eq(back.ring.count, 2);
    ck_assert(node_id_equal(&back.ring.nodes[0].id, &nodes[0].id));
    ck_assert_uint_eq(back.ring.nodes[0].weight, 2000);
    ck_assert(!back.ring.nodes[0].remove);
    ck_assert(back.ring.nodes[1].remove);
    quorum_wire_deinit(&back);
}
END_TEST

START_TEST(strange_headers_are_refused)
{
    struct quorum_wire wire = begin(QUORUM_WISH);
    for (size_t i = 0; i < 4; i++) {
        ck_assert_int_eq(decode_patched(&wire, i, 'x'), TORC_ECORRUPT);
    }
    ck_assert_int_eq(decode_patched(&wire, AT_VERSION, 0), TORC_EVERSION);
    ck_assert_int_eq(decode_patched(&wire, AT_VERSION, 1), TORC_EVERSION);
    ck_assert_int_eq(decode_patched(&wire, AT_KIND, 0), TORC_ECORRUPT);
    ck_assert_int_eq(decode_patched(&wire, AT_KIND, 7), TORC_ECORRUPT);
    ck_assert_int_eq(decode_patched(&wire, AT_KIND, QUORUM_WISH), TORC_OK);
    wire.sender = (struct node_id){0};
    ck_assert_int_eq(decode_patched(&wire, AT_KIND, QUORUM_WISH), TORC_ECORRUPT);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("quorum_message");
    TCase *tcase = tcase_create("quorum_message");
    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, lease_requests_and_answers);
    tcase_add_test(tcase, a_full_lease_request_is_one_datagram);
    tcase_add_test(tcase, agreement_of_every_kind);
    tcase_add_test(tcase, unlawful_agreement_is_refused);
    tcase_add_test(tcase, views);
    tcase_add_test(tcase, reports);
    tcase_add_test(tcase, wishes);
    tcase_add_test(tcase, strange_headers_are_refused);
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
