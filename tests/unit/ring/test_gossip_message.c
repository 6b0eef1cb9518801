#include "base/error.h"
#include "ring/gossip_message.h"

#include <check.h>
#include <stdlib.h>

#define TAG 0x1122334455667788u
#define TYPE_OFFSET 5
#define FLAGS_OFFSET 6
#define COUNT_OFFSET (GOSSIP_HEADER_SIZE - 1)

static struct node_id id_of(uint8_t first)
{
    struct node_id id = {{0}};
    id.bytes[0] = first;
    return id;
}

static const struct gossip_address address = {.ip = {[10] = 0xff, [11] = 0xff, [15] = 9},
                                              .port = 17001};

static struct gossip_message sample(void)
{
    struct gossip_message message = {
        .type = GOSSIP_PING,
        .flags = GOSSIP_FLAG_WANT_ALIVE,
        .sequence = 77,
        .sender =
            {.id = id_of(1), .incarnation = 5, .refutation = 6, .epoch = 7, .load = {8, 9, 10}},
        .subject = id_of(2),
        .update_count = 5,
        .updates =
            {
                {.status = GOSSIP_ALIVE,
                 .id = id_of(3),
                 .incarnation = 11,
                 .refutation = 12,
                 .details = 4,
                 .address = address,
                 .meta = BYTES_LITERAL("meta")},
                {.status = GOSSIP_SUSPECT, .id = id_of(4), .accuser = id_of(5)},
                {.status = GOSSIP_DEAD, .id = id_of(6), .incarnation = 1},
                {.status = GOSSIP_LEFT, .id = id_of(7), .refutation = 2},
                {.status = GOSSIP_ALIVE,
                 .brief = true,
                 .id = id_of(8),
                 .refutation = 3,
                 .details = 3},
            },
    };
    return message;
}

static void check_update(const struct gossip_update *a, const struct gossip_update *b)
{
    ck_assert_int_eq(a->status, b->status);
    ck_assert_int_eq(a->brief, b->brief);
    ck_assert(node_id_equal(&a->id, &b->id));
    ck_assert(node_id_equal(&a->accuser, &b->accuser));
    ck_assert_uint_eq(a->incarnation, b->incarnation);
    ck_assert_uint_eq(a->refutation, b->refutation);
    ck_assert_uint_eq(a->details, b->details);
    ck_assert_mem_eq(a->address.ip, b->address.ip, sizeof(a->address.ip));
    ck_assert_uint_eq(a->address.port, b->address.port);
    ck_assert(bytes_equal(a->meta, b->meta));
}

START_TEST(round_trip)
{
    struct gossip_message message = sample();
    struct gossip_message decoded;
    struct buf buf = {0};
    size_t size = GOSSIP_HEADER_SIZE;
    for (size_t i = 0; i < message.update_count; i++) {
        size += gossip_update_size(&message.updates[i]);
    }
    gossip_message_encode(&message, TAG, &buf);
    ck_assert_uint_eq(buf_size(&buf), size);
    ck_assert_mem_eq(buf_head(&buf), "TORG\x01\x01\x01\x88\x77", 9);
    ck_assert_int_eq(gossip_message_decode(&decoded, buf_bytes(&buf), TAG), TORC_OK);
    ck_assert_int_eq(decoded.type, GOSSIP_PING);
    ck_assert_uint_eq(decoded.flags, GOSSIP_FLAG_WANT_ALIVE);
    ck_assert_uint_eq(decoded.sequence, 77);
    ck_assert(node_id_equal(&decoded.sender.id, &message.sender.id));
    ck_assert_uint_eq(decoded.sender.incarnation, 5);
    ck_assert_uint_eq(decoded.sender.refutation, 6);
    ck_assert_uint_eq(decoded.sender.epoch, 7);
    ck_assert_uint_eq(decoded.sender.load.key_count, 8);
    ck_assert_uint_eq(decoded.sender.load.memory_bytes, 9);
    ck_assert_uint_eq(decoded.sender.load.operations_per_second, 10);
    ck_assert(node_id_equal(&decoded.subject, &message.subject));
    ck_assert_uint_eq(decoded.update_count, 5);
    for (size_t i = 0; i < 5; i++) {
        check_update(&decoded.updates[i], &message.updates[i]);
    }
    buf_deinit(&buf);
}
END_TEST

START_TEST(every_other_length_is_refused)
{
    struct gossip_message message = sample();
    struct gossip_message decoded;
    struct buf buf = {0};
    gossip_message_encode(&message, TAG, &buf);
    for (size_t size = 0; size < buf_size(&buf); size++) {
        /* In memory of that very size, so that the sanitizer sees a read past the end. */
        char *copy = malloc(size == 0 ? 1 : size);
        memcpy(copy, buf_head(&buf), size);
        ck_assert_int_ne(gossip_message_decode(&decoded, (struct bytes){copy, size}, TAG), TORC_OK);
        free(copy);
    }
    write_u8(&buf, 0);
    ck_assert_int_eq(gossip_message_decode(&decoded, buf_bytes(&buf), TAG), TORC_ECORRUPT);
    buf_deinit(&buf);
}
END_TEST

static int decode_changed(size_t offset, uint8_t value)
{
    struct gossip_message message = sample();
    struct gossip_message decoded;
    struct buf buf = {0};
    gossip_message_encode(&message, TAG, &buf);
    buf_head(&buf)[offset] = (char)value;
    int rc = gossip_message_decode(&decoded, buf_bytes(&buf), TAG);
    buf_deinit(&buf);
    return rc;
}

START_TEST(strangers_are_told_apart)
{
    ck_assert_int_eq(decode_changed(0, 't'), TORC_ECORRUPT);
    ck_assert_int_eq(decode_changed(4, GOSSIP_VERSION + 1), TORC_EVERSION);
    ck_assert_int_eq(decode_changed(7, 0), TORC_EINVAL);
    ck_assert_int_eq(decode_changed(TYPE_OFFSET, 0), TORC_ECORRUPT);
    ck_assert_int_eq(decode_changed(TYPE_OFFSET, GOSSIP_UPDATE + 1), TORC_ECORRUPT);
    ck_assert_int_eq(decode_changed(FLAGS_OFFSET, 2), TORC_ECORRUPT);
    ck_assert_int_eq(decode_changed(FLAGS_OFFSET, 0), TORC_OK);
    /* An update has no subject, everything else has one. */
    ck_assert_int_eq(decode_changed(TYPE_OFFSET, GOSSIP_UPDATE), TORC_ECORRUPT);
    ck_assert_int_eq(decode_changed(TYPE_OFFSET, GOSSIP_NACK), TORC_OK);
}
END_TEST

START_TEST(counts_statuses_and_contents_are_checked)
{
    ck_assert_int_eq(decode_changed(COUNT_OFFSET, 4), TORC_ECORRUPT);
    ck_assert_int_eq(decode_changed(COUNT_OFFSET, 6), TORC_ECORRUPT);
    ck_assert_int_eq(decode_changed(COUNT_OFFSET, 255), TORC_ECORRUPT);
    ck_assert_int_eq(decode_changed(GOSSIP_HEADER_SIZE, 0), TORC_ECORRUPT);
    ck_assert_int_eq(decode_changed(GOSSIP_HEADER_SIZE, 6), TORC_ECORRUPT);
    ck_assert_int_eq(decode_changed(GOSSIP_HEADER_SIZE + 1, 0), TORC_ECORRUPT); /* id zero */
    /* Details newer than the state that they belong to. */
    ck_assert_int_eq(decode_changed(GOSSIP_HEADER_SIZE + GOSSIP_UPDATE_SIZE_MIN, 13),
                     TORC_ECORRUPT);
    ck_assert_int_eq(decode_changed(GOSSIP_HEADER_SIZE + GOSSIP_UPDATE_SIZE_MIN, 12), TORC_OK);
    /* Meta length: more than there is. */
    ck_assert_int_eq(
        decode_changed(GOSSIP_HEADER_SIZE + GOSSIP_UPDATE_SIZE_MIN + 4 + GOSSIP_ADDRESS_SIZE + 1,
                       1),
        TORC_ECORRUPT);
}
END_TEST

START_TEST(port_zero_and_large_metas_are_refused)
{
    struct gossip_message message = sample();
    struct gossip_message decoded;
    struct buf buf = {0};
    char meta[GOSSIP_META_SIZE_MAX + 1] = {0};
    message.update_count = 1;
    message.updates[0].meta = (struct bytes){meta, GOSSIP_META_SIZE_MAX};
    gossip_message_encode(&message, TAG, &buf);
    ck_assert_int_eq(gossip_message_decode(&decoded, buf_bytes(&buf), TAG), TORC_OK);
    buf_reset(&buf, 0);
    message.updates[0].meta.size++;
    gossip_message_encode(&message, TAG, &buf);
    ck_assert_int_eq(gossip_message_decode(&decoded, buf_bytes(&buf), TAG), TORC_ECORRUPT);
    buf_reset(&buf, 0);
    message.updates[0].meta.size = 0;
    message.updates[0].address.port = 0;
    gossip_message_encode(&message, TAG, &buf);
    ck_assert_int_eq(gossip_message_decode(&decoded, buf_bytes(&buf), TAG), TORC_ECORRUPT);
    buf_deinit(&buf);
}
END_TEST

START_TEST(state_round_trip)
{
    struct gossip_message message = sample();
    struct buf buf = {0};
    struct reader reader;
    struct gossip_sender sender;
    struct gossip_update update;
    uint32_t count = 0;
    gossip_state_head_encode(&message.sender, TAG, 2, &buf);
    message.updates[1].address = address;
    message.updates[1].meta = bytes_of("m");
    gossip_state_record_encode(&message.updates[0], &buf);
    gossip_state_record_encode(&message.updates[1], &buf);
    reader_init(&reader, buf_bytes(&buf));
    ck_assert_int_eq(gossip_state_head_decode(&reader, TAG, &sender, &count), TORC_OK);
    ck_assert_uint_eq(count, 2);
    ck_assert_uint_eq(sender.epoch, 7);
    ck_assert_int_eq(gossip_state_record_decode(&reader, &update), TORC_OK);
    check_update(&update, &message.updates[0]);
    ck_assert_int_eq(gossip_state_record_decode(&reader, &update), TORC_OK);
    ck_assert_int_eq(update.status, GOSSIP_SUSPECT);
    ck_assert(bytes_equal(update.meta, bytes_of("m")));
    ck_assert_int_eq(reader_finish(&reader), TORC_OK);
    reader_init(&reader, buf_bytes(&buf));
    ck_assert_int_eq(gossip_state_head_decode(&reader, TAG + 1, &sender, &count), TORC_EINVAL);
    buf_reset(&buf, 0);
    gossip_state_head_encode(&message.sender, TAG, NODES_MAX + 1, &buf);
    reader_init(&reader, buf_bytes(&buf));
    ck_assert_int_eq(gossip_state_head_decode(&reader, TAG, &sender, &count), TORC_ECORRUPT);
    buf_deinit(&buf);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("gossip_message");
    TCase *tests = tcase_create("message");
    tcase_add_test(tests, round_trip);
    tcase_add_test(tests, every_other_length_is_refused);
    tcase_add_test(tests, strangers_are_told_apart);
    tcase_add_test(tests, counts_statuses_and_contents_are_checked);
    tcase_add_test(tests, port_zero_and_large_metas_are_refused);
    tcase_add_test(tests, state_round_trip);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
