#include "base/error.h"
#include "bench/slot_map.h"

#include <check.h>
#include <stdlib.h>

/* A reply as hiredis gives it. */
static redisReply *parse(const char *text)
{
    void *reply = NULL;
    redisReader *reader = redisReaderCreate();
    ck_assert_ptr_nonnull(reader);
    ck_assert_int_eq(redisReaderFeed(reader, text, strlen(text)), REDIS_OK);
    ck_assert_int_eq(redisReaderGetReply(reader, &reply), REDIS_OK);
    ck_assert_ptr_nonnull(reply);
    redisReaderFree(reader);
    return reply;
}

static int read_into(struct slot_map *map, const char *text)
{
    redisReply *reply = parse(text);
    int result = slot_map_read(map, reply, "seed.host");
    freeReplyObject(reply);
    return result;
}

#define SERVER(host, port) "*3\r\n$2\r\n" host "\r\n:" port "\r\n$2\r\nid\r\n"
#define RANGE(first, last, host, port) "*3\r\n:" first "\r\n:" last "\r\n" SERVER(host, port)

static void refuse(const char *text)
{
    struct slot_map map;
    slot_map_init(&map);
    ck_assert_msg(read_into(&map, text) == TORC_EPROTOCOL, "took %s", text);
    slot_map_deinit(&map);
}

static void expect_owner(const struct slot_map *map, size_t slot, const char *host, unsigned port)
{
    uint16_t owner = map->owners[slot];
    ck_assert_uint_ne(owner, SLOT_MAP_NONE);
    ck_assert_str_eq(map->servers[owner].host, host);
    ck_assert_uint_eq(map->servers[owner].port, port);
}

START_TEST(ranges_are_filled)
{
    struct slot_map map;
    slot_map_init(&map);
    ck_assert_int_eq(read_into(&map,
                               "*3\r\n" RANGE("0", "99", "n1", "1") RANGE("100", "16382", "n2", "2")
                                   RANGE("16383", "16383", "n1", "1")),
                     TORC_OK);
    expect_owner(&map, 0, "n1", 1);
    expect_owner(&map, 99, "n1", 1);
    expect_owner(&map, 100, "n2", 2);
    expect_owner(&map, 16383, "n1", 1);
    ck_assert_uint_eq(map.server_count, 2);
    ck_assert_uint_eq(slot_map_owner_count(&map), 2);
    slot_map_deinit(&map);
}
END_TEST

START_TEST(gaps_have_no_owner)
{
    struct slot_map map;
    slot_map_init(&map);
    ck_assert_int_eq(read_into(&map, "*1\r\n" RANGE("5", "6", "n1", "1")), TORC_OK);
    ck_assert_uint_eq(map.owners[4], SLOT_MAP_NONE);
    expect_owner(&map, 5, "n1", 1);
    ck_assert_uint_eq(map.owners[7], SLOT_MAP_NONE);
    slot_map_deinit(&map);
}
END_TEST

START_TEST(replicas_are_passed_over)
{
    struct slot_map map;
    slot_map_init(&map);
    ck_assert_int_eq(
        read_into(&map, "*1\r\n*4\r\n:0\r\n:9\r\n" SERVER("n1", "1") SERVER("n2", "2")), TORC_OK);
    expect_owner(&map, 3, "n1", 1);
    ck_assert_uint_eq(map.server_count, 1);
    slot_map_deinit(&map);
}
END_TEST

START_TEST(missing_host_is_the_seed)
{
    static const char *const hosts[] = {"$0\r\n\r\n", "$1\r\n?\r\n", "$-1\r\n"};
    for (size_t i = 0; i < sizeof(hosts) / sizeof(hosts[0]); i++) {
        struct slot_map map;
        char text[200];
        (void)snprintf(text, sizeof(text), "*1\r\n*3\r\n:0\r\n:1\r\n*2\r\n%s:7\r\n", hosts[i]);
        slot_map_init(&map);
        ck_assert_int_eq(read_into(&map, text), TORC_OK);
        expect_owner(&map, 1, "seed.host", 7);
        slot_map_deinit(&map);
    }
}
END_TEST

START_TEST(other_answers_are_refused)
{
    refuse("*0\r\n");
    refuse("+OK\r\n");
    refuse("*1\r\n:1\r\n");
    refuse("*1\r\n*2\r\n:0\r\n:1\r\n");
    refuse("*1\r\n" RANGE("2", "1", "n1", "1"));
    refuse("*1\r\n" RANGE("-1", "1", "n1", "1"));
    refuse("*1\r\n" RANGE("0", "16384", "n1", "1"));
    refuse("*1\r\n" RANGE("0", "1", "n1", "0"));
    refuse("*1\r\n" RANGE("0", "1", "n1", "65536"));
    refuse("*1\r\n*3\r\n:0\r\n:1\r\n*1\r\n$1\r\nh\r\n");
    refuse("*1\r\n*3\r\n:0\r\n:1\r\n$1\r\nh\r\n");
    refuse("*1\r\n*3\r\n$1\r\n0\r\n:1\r\n" SERVER("n1", "1"));
}
END_TEST

START_TEST(adopting_keeps_indexes)
{
    struct slot_map old;
    struct slot_map fresh;
    slot_map_init(&old);
    slot_map_init(&fresh);
    ck_assert_int_eq(
        read_into(&old, "*2\r\n" RANGE("0", "1", "n1", "1") RANGE("2", "3", "n2", "2")), TORC_OK);
    uint16_t index = old.owners[2];
    ck_assert_int_eq(
        read_into(&fresh, "*2\r\n" RANGE("0", "1", "n2", "2") RANGE("3", "3", "n3", "3")), TORC_OK);
    ck_assert_int_eq(slot_map_adopt(&old, &fresh), TORC_OK);
    ck_assert_uint_eq(old.owners[0], index);
    ck_assert_uint_eq(old.owners[2], SLOT_MAP_NONE);
    expect_owner(&old, 3, "n3", 3);
    ck_assert_uint_eq(old.server_count, 3);
    ck_assert_uint_eq(slot_map_owner_count(&old), 2);
    slot_map_deinit(&old);
    slot_map_deinit(&fresh);
}
END_TEST

START_TEST(servers_have_a_limit)
{
    struct slot_map map;
    struct address address = {.host = "h"};
    uint16_t index = 0;
    slot_map_init(&map);
    for (uint16_t port = 1; port <= SLOT_MAP_SERVERS_MAX; port++) {
        address.port = port;
        ck_assert_int_eq(slot_map_server(&map, &address, &index), TORC_OK);
        ck_assert_uint_eq(index, port - 1);
    }
    ck_assert_int_eq(slot_map_server(&map, &address, &index), TORC_OK);
    address.port++;
    ck_assert_int_eq(slot_map_server(&map, &address, &index), TORC_ETOOBIG);
    slot_map_deinit(&map);
}
END_TEST

START_TEST(redirects_are_read)
{
    struct redirect redirect = redirect_parse(bytes_of("MOVED 3999 127.0.0.1:6381"));
    ck_assert_int_eq(redirect.kind, REDIRECT_MOVED);
    ck_assert_uint_eq(redirect.slot, 3999);
    ck_assert_str_eq(redirect.address.host, "127.0.0.1");
    ck_assert_uint_eq(redirect.address.port, 6381);
    redirect = redirect_parse(bytes_of("ASK 16383 [::1]:1"));
    ck_assert_int_eq(redirect.kind, REDIRECT_ASK);
    ck_assert_uint_eq(redirect.slot, 16383);
    ck_assert_str_eq(redirect.address.host, "::1");
    redirect = redirect_parse(bytes_of("MOVED 1 :6381"));
    ck_assert_int_eq(redirect.kind, REDIRECT_MOVED);
    ck_assert_str_eq(redirect.address.host, "");
    ck_assert_uint_eq(redirect.address.port, 6381);
}
END_TEST

START_TEST(other_errors_are_no_redirects)
{
    static const char *const texts[] = {"",
                                        "ERR no",
                                        "MOVED",
                                        "MOVED 1",
                                        "MOVED x h:1",
                                        "MOVED 16384 h:1",
                                        "MOVED 99999999999 h:1",
                                        "MOVED 1 h",
                                        "MOVED 1 :",
                                        "MOVED  h:1",
                                        "moved 1 h:1",
                                        "MOVEDX 1 h:1"};
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        ck_assert_msg(redirect_parse(bytes_of(texts[i])).kind == REDIRECT_NONE, "took '%s'",
                      texts[i]);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("slot_map");
    TCase *tcase = tcase_create("slot_map");
    tcase_add_test(tcase, ranges_are_filled);
    tcase_add_test(tcase, gaps_have_no_owner);
    tcase_add_test(tcase, replicas_are_passed_over);
    tcase_add_test(tcase, missing_host_is_the_seed);
    tcase_add_test(tcase, other_answers_are_refused);
    tcase_add_test(tcase, adopting_keeps_indexes);
    tcase_add_test(tcase, servers_have_a_limit);
    tcase_add_test(tcase, redirects_are_read);
    tcase_add_test(tcase, other_errors_are_no_redirects);
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
