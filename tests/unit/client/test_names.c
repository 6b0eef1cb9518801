/*
 * Writes that have a name are sent again when it is not known what became of them, under the same
 * name; against a server that does with them what a test wants. Pure parts of names.c besides.
 */
#include "base/error.h"
#include "client/names.h"
#include "ring/slot.h"
#include "tests/unit/client/support/fake.h"
#include "torc/torc.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SEEN_MAX 64

struct seen {
    char origin[40];
    unsigned long long id, settled, age;
    char command[16];
};

static struct {
    pthread_mutex_t lock;
    bool knows_names;
    unsigned close_after; /* so many commands from now on the connection breaks; 0 = never */
    bool executes_first;  /* ... after it was executed */
    const char *refusal;  /* the reply to the next command with a name */
    struct seen seen[SEEN_MAX];
    unsigned seen_count;
    unsigned plain; /* commands without a name */
    long long counter;
    char made[32]; /* ids that were executed, one by one */
} server;

static void begin_server(bool knows_names)
{
    memset(&server, 0, sizeof(server));
    pthread_mutex_init(&server.lock, NULL);
    server.knows_names = knows_names;
}

static unsigned long long number_at(const struct arguments *arguments, size_t index)
{
    char text[32];
    (void)snprintf(text, sizeof(text), "%.*s", (int)arguments->items[index].size,
                   arguments->items[index].data);
    return strtoull(text, NULL, 10);
}

static void note_named(const struct arguments *arguments)
{
    ck_assert_uint_lt(server.seen_count, SEEN_MAX);
    struct seen *seen = &server.seen[server.seen_count++];
    (void)snprintf(seen->origin, sizeof(seen->origin), "%.*s", (int)arguments->items[1].size,
                   arguments->items[1].data);
    seen->id = number_at(arguments, 2);
    seen->settled = number_at(arguments, 3);
    seen->age = number_at(arguments, 4);
    (void)snprintf(seen->command, sizeof(seen->command), "%.*s", (int)arguments->items[5].size,
                   arguments->items[5].data);
}

/* Executes it, once if it has a name. */
static void execute(const struct seen *seen, struct buf *out)
{
    if (seen == NULL || server.made[seen->id] == 0) {
        server.counter++;
    }
    if (seen != NULL) {
        server.made[seen->id] = 1;
    }
    buf_append_format(out, ":%lld\r\n", server.counter);
}

#define ROW(name, flag, first)                                                                     \
    "*6\r\n" name "\r\n:-2\r\n*1\r\n+" flag "\r\n:" first "\r\n:" first "\r\n:1\r\n"

static bool answer_locked(const struct arguments *arguments, struct buf *out)
{
    if (server.knows_names && fake_said(arguments, 0, "command")) {
        buf_append_text(out, "*4\r\n" ROW("$3\r\nget", "readonly", "1")
                                 ROW("$4\r\nincr", "write", "1") ROW("$5\r\nblpop", "blocking", "1")
                                     ROW("$9\r\ntorc.once", "write", "0"));
        return true;
    }
    if (fake_introduce(arguments, NULL, out)) {
        return true;
    }
    const struct seen *seen = NULL;
    if (fake_said(arguments, 0, "torc.once")) {
        note_named(arguments);
        seen = &server.seen[server.seen_count - 1];
        if (server.refusal != NULL) {
            buf_append_text(out, server.refusal);
            server.refusal = NULL;
            return true;
        }
    } else {
        server.plain++;
    }
    const bool breaks = server.close_after > 0 && --server.close_after == 0;
    if (!breaks || server.executes_first) {
        execute(seen, out);
    }
    if (breaks) {
        buf_reset(out, 0);
    }
    return !breaks;
}

static bool answer(struct fake *fake, unsigned connection, const struct arguments *arguments,
                   struct buf *out)
{
    (void)fake;
    (void)connection;
    pthread_mutex_lock(&server.lock);
    const bool open = answer_locked(arguments, out);
    pthread_mutex_unlock(&server.lock);
    return open;
}

static struct torc *connect_to(struct fake *fake, int unnamed_writes)
{
    struct torc *torc;
    fake_start(fake, answer, NULL);
    const struct torc_options options = {.seeds = fake->address, .unnamed_writes = unnamed_writes};
    ck_assert_int_eq(torc_connect(&options, &torc), 0);
    return torc;
}

static void end(struct torc *torc, struct fake *fake)
{
    torc_close(torc);
    fake_stop(fake);
}

static long long incr(struct torc *torc)
{
    redisReply *reply = torc_command(torc, "INCR k");
    ck_assert_msg(reply != NULL, "%s", torc_error(torc));
    ck_assert_int_eq(reply->type, REDIS_REPLY_INTEGER);
    const long long result = reply->integer;
    torc_reply_free(reply);
    return result;
}

START_TEST(every_write_has_a_name_of_its_own)
{
    struct fake fake;
    begin_server(true);
    struct torc *torc = connect_to(&fake, 0);
    for (long long i = 1; i <= 3; i++) {
        ck_assert_int_eq(incr(torc), i);
    }
    torc_reply_free(torc_command(torc, "GET k"));
    torc_reply_free(torc_command(torc, "BLPOP k 1"));
    ck_assert_uint_eq(server.plain, 2);
    ck_assert_uint_eq(server.seen_count, 3);
    for (unsigned i = 0; i < 3; i++) {
        const struct seen *seen = &server.seen[i];
        ck_assert_uint_eq(strlen(seen->origin), NAME_ORIGIN_SIZE);
        ck_assert_str_eq(seen->origin, server.seen[0].origin);
        ck_assert_uint_eq(seen->id, i + 1);
        ck_assert_uint_eq(seen->settled, i + 1);
        ck_assert_uint_eq(seen->age, 0);
        ck_assert_str_eq(seen->command, "INCR");
    }
    struct torc *other;
    const struct torc_options options = {.seeds = fake.address};
    ck_assert_int_eq(torc_connect(&options, &other), 0);
    (void)incr(other);
    ck_assert_str_ne(server.seen[3].origin, server.seen[0].origin);
    torc_close(other);
    end(torc, &fake);
}
END_TEST

/* _i: 0, the connection breaks before it is executed; 1, after that. */
START_TEST(a_write_without_an_answer_is_sent_again_under_its_name)
{
    struct fake fake;
    begin_server(true);
    struct torc *torc = connect_to(&fake, 0);
    ck_assert_int_eq(incr(torc), 1);
    server.close_after = 1;
    server.executes_first = _i == 1;
    ck_assert_int_eq(incr(torc), 2);
    ck_assert_int_eq(incr(torc), 3);
    ck_assert_uint_eq(server.seen_count, 4);
    ck_assert_uint_eq(server.seen[1].id, 2);
    ck_assert_uint_eq(server.seen[2].id, 2);
    ck_assert_uint_eq(server.seen[2].settled, 2);
    ck_assert_uint_eq(server.seen[3].id, 3);
    ck_assert_uint_eq(server.seen[3].settled, 3);
    end(torc, &fake);
}
END_TEST

START_TEST(a_pipeline_that_breaks_is_made_once_and_in_order)
{
    struct fake fake;
    struct torc_pipeline *pipeline;
    begin_server(true);
    struct torc *torc = connect_to(&fake, 0);
    ck_assert_int_eq(torc_pipeline_create(torc, &pipeline), 0);
    for (unsigned i = 0; i < 20; i++) {
        ck_assert_int_eq(torc_pipeline_append(pipeline, "INCR k"), 0);
    }
    server.close_after = 8;
    server.executes_first = true;
    ck_assert_int_eq(torc_pipeline_execute(pipeline), 0);
    ck_assert_int_eq(server.counter, 20);
    for (unsigned i = 8; i < 20; i++) {
        ck_assert_int_eq(torc_pipeline_reply(pipeline, i)->integer, i + 1);
    }
    torc_pipeline_destroy(pipeline);
    end(torc, &fake);
}
END_TEST

START_TEST(an_uncertain_write_is_asked_for_again_but_not_one_that_was_made)
{
    struct fake fake;
    begin_server(true);
    struct torc *torc = connect_to(&fake, 0);
    server.refusal = "-UNCERTAIN the replicas did not acknowledge in time\r\n";
    ck_assert_int_eq(incr(torc), 1);
    ck_assert_uint_eq(server.seen_count, 2);
    server.refusal = "-UNCERTAIN the write was made, and its reply was too long to keep\r\n";
    redisReply *reply = torc_command(torc, "INCR k");
    ck_assert_int_eq(reply->type, REDIS_REPLY_ERROR);
    torc_reply_free(reply);
    ck_assert_uint_eq(server.seen_count, 3);
    end(torc, &fake);
}
END_TEST

static const char *const refusals[] = {
    "-ONCEFULL slot 1 keeps the outcomes of 256 clients already\r\n",
    "-ERR unknown command 'TORC.ONCE', with args\r\n"};

START_TEST(a_name_that_is_refused_is_left_out)
{
    struct fake fake;
    begin_server(true);
    struct torc *torc = connect_to(&fake, 0);
    server.refusal = refusals[_i];
    ck_assert_int_eq(incr(torc), 1);
    ck_assert_uint_eq(server.seen_count, 1);
    ck_assert_uint_eq(server.plain, 1);
    ck_assert_int_eq(incr(torc), 2);
    ck_assert_uint_eq(server.seen[1].settled, server.seen[1].id);
    end(torc, &fake);
}
END_TEST

START_TEST(without_names_a_write_in_doubt_is_an_error)
{
    struct fake fake;
    begin_server(_i == 0);
    struct torc *torc = connect_to(&fake, _i == 0);
    ck_assert_int_eq(incr(torc), 1);
    server.close_after = 1;
    ck_assert_ptr_null(torc_command(torc, "INCR k"));
    ck_assert_int_eq(torc_error_code(torc), TORC_ECLOSED);
    ck_assert_uint_eq(server.seen_count, 0);
    end(torc, &fake);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("names");
    TCase *tests = tcase_create("all");
    tcase_add_test(tests, every_write_has_a_name_of_its_own);
    tcase_add_loop_test(tests, a_write_without_an_answer_is_sent_again_under_its_name, 0, 2);
    tcase_add_test(tests, a_pipeline_that_breaks_is_made_once_and_in_order);
    tcase_add_test(tests, an_uncertain_write_is_asked_for_again_but_not_one_that_was_made);
    tcase_add_loop_test(tests, a_name_that_is_refused_is_left_out, 0, 2);
    tcase_add_loop_test(tests, without_names_a_write_in_doubt_is_an_error, 0, 2);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
