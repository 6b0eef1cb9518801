/*
 * Subscriptions against a server that does what a test wants: breaks the connection, refuses, sends
 * on, says nothing or nonsense, or more than anybody takes. Run under ThreadSanitizer too.
 */
#include "base/error.h"
#include "client/limits.h"
#include "tests/unit/client/support/fake.h"
#include "torc/torc.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* What the fake says to the next SUBSCRIBE: NULL = nothing; "!" in front: it closes the connection
 * after the rest. The last one goes for all later ones. */
struct script {
    const char *says[4];
    size_t count;
    _Atomic(unsigned) asked;
    struct buf flood; /* said behind the first one */
};

static struct script script;

static bool answer(struct fake *fake, unsigned connection, const struct arguments *arguments,
                   struct buf *out)
{
    (void)fake;
    (void)connection;
    if (fake_introduce(arguments, NULL, out)) {
        return true;
    }
    if (fake_said(arguments, 0, "client")) {
        buf_append_text(out, ":77\r\n");
        return true;
    }
    if (!fake_said(arguments, 0, "subscribe") && !fake_said(arguments, 0, "ssubscribe")) {
        buf_append_text(out, "+OK\r\n");
        return true;
    }
    const unsigned asked = script.asked++;
    const char *said = script.says[asked < script.count ? asked : script.count - 1];
    const bool closes = said != NULL && said[0] == '!';
    buf_append_text(out, said == NULL ? "" : closes ? said + 1 : said);
    if (asked == 0) {
        const struct bytes flood = buf_bytes(&script.flood);
        buf_append(out, flood.data, flood.size);
    }
    return !closes;
}

#define CONFIRMED(channel) "*3\r\n$9\r\nsubscribe\r\n$1\r\n" channel "\r\n:1\r\n"
#define MESSAGE(channel, text) "*3\r\n$7\r\nmessage\r\n$1\r\n" channel "\r\n$1\r\n" text "\r\n"

/* What the callback has been told: events as "+" subscribed, "-" lost, "." ended, and the payload
 * of messages. */
struct heard {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    char log[128];
    int error;
    char text[256];
    bool blocks; /* the first message, until that is over */
    struct torc_subscription *ends;
};

static struct heard heard;

static void on_message(struct torc *torc, const struct torc_message *message, void *context)
{
    ck_assert_ptr_eq(context, &heard);
    pthread_mutex_lock(&heard.lock);
    const size_t size = strlen(heard.log);
    if (message->event != TORC_MESSAGE) {
        static const char signs[] = {'m', '+', '-', '.'};
        (void)snprintf(heard.log + size, sizeof(heard.log) - size, "%c", signs[message->event]);
    } else if (size < sizeof(heard.log) - 4) {
        (void)snprintf(heard.log + size, sizeof(heard.log) - size, "%.*s%.1s",
                       (int)message->channel.size, message->channel.data, message->payload.data);
    }
    if (message->error != 0) {
        heard.error = message->error;
        (void)snprintf(heard.text, sizeof(heard.text), "%s", torc_error(torc));
        ck_assert_int_eq(torc_error_code(torc), message->error);
    }
    pthread_cond_broadcast(&heard.changed);
    while (heard.blocks && message->event == TORC_MESSAGE) {
        pthread_cond_wait(&heard.changed, &heard.lock);
    }
    struct torc_subscription *ends = message->event == TORC_MESSAGE ? heard.ends : NULL;
    pthread_mutex_unlock(&heard.lock);
    torc_unsubscribe(ends);
}

/* Until it has heard exactly that much; what comes at once behind it counts. */
static void wait_for(const char *log)
{
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += 20;
    pthread_mutex_lock(&heard.lock);
    while (strcmp(heard.log, log) != 0) {
        if (pthread_cond_timedwait(&heard.changed, &heard.lock, &until) != 0) {
            ck_abort_msg("heard '%s' in place of '%s'; %s", heard.log, log, heard.text);
        }
    }
    pthread_mutex_unlock(&heard.lock);
}

static struct fake server;
static struct torc *torc;

static void set_up(void)
{
    memset(&script, 0, sizeof(script));
    memset(&heard, 0, sizeof(heard));
    pthread_mutex_init(&heard.lock, NULL);
    pthread_cond_init(&heard.changed, NULL);
    fake_start(&server, answer, NULL);
    const struct torc_options options = {.seeds = server.address, .timeout_ms = 1500};
    ck_assert_int_eq(torc_connect(&options, &torc), 0);
}

static void tear_down(void)
{
    torc_close(torc);
    fake_stop(&server);
    buf_deinit(&script.flood);
}

static int subscribe(enum torc_subscribe_to to, const char *first, const char *second,
                     struct torc_subscription **out)
{
    const struct torc_bytes names[] = {torc_text(first), torc_text(second == NULL ? "" : second)};
    const struct torc_subscribe_options options = {.to = to,
                                                   .names = names,
                                                   .count = second == NULL ? 1 : 2,
                                                   .on_message = on_message,
                                                   .context = &heard};
    return torc_subscribe(torc, &options, out);
}

static struct torc_subscription *subscribed(const char *first, const char *second)
{
    struct torc_subscription *subscription = NULL;
    int error = subscribe(TORC_CHANNELS, first, second, &subscription);
    ck_assert_msg(error == 0, "%s", torc_error(torc));
    return subscription;
}

START_TEST(it_goes_on_after_the_connection_broke)
{
    script.says[0] = "!" CONFIRMED("a") CONFIRMED("b") MESSAGE("a", "1") MESSAGE("b", "2");
    script.says[1] = "!";
    script.says[2] = CONFIRMED("a");
    script.says[3] = CONFIRMED("a") CONFIRMED("b") MESSAGE("b", "3");
    script.count = 4;
    struct torc_subscription *subscription = subscribed("a", "b");
    wait_for("+a1b2-");
    ck_assert_int_eq(heard.error, TORC_ECLOSED);
    /* Then it is lost while it is being made, and then it is confirmed in part only: that is given
     * up after timeout_ms. */
    wait_for("+a1b2-+b3");
    ck_assert_uint_eq(script.asked, 4);
    torc_unsubscribe(subscription);
}
END_TEST

START_TEST(commands_go_on_meanwhile)
{
    script.says[0] = CONFIRMED("a") MESSAGE("a", "1");
    script.count = 1;
    struct torc_subscription *subscription = subscribed("a", NULL);
    for (int i = 0; i < 200; i++) {
        redisReply *reply = torc_command(torc, "SET k %d", i);
        ck_assert_ptr_nonnull(reply);
        torc_reply_free(reply);
    }
    wait_for("+a1");
    torc_unsubscribe(subscription);
    redisReply *reply = torc_command(torc, "SET k v");
    ck_assert_ptr_nonnull(reply);
    torc_reply_free(reply);
}
END_TEST

START_TEST(its_callback_may_end_it)
{
    script.says[0] = CONFIRMED("a");
    script.count = 1;
    heard.ends = NULL;
    struct torc_subscription *subscription = NULL;
    pthread_mutex_lock(&heard.lock);
    script.says[0] = CONFIRMED("a") MESSAGE("a", "1") MESSAGE("a", "2");
    ck_assert_int_eq(subscribe(TORC_CHANNELS, "a", NULL, &subscription), 0);
    heard.ends = subscription;
    pthread_mutex_unlock(&heard.lock);
    wait_for("+a1");
    /* Nothing is called any more: another one is heard alone. */
    heard.ends = NULL;
    subscription = subscribed("b", NULL);
    wait_for("+a1+a1a2");
    torc_unsubscribe(subscription);
}
END_TEST

START_TEST(when_it_has_been_ended_its_callback_does_not_run)
{
    script.says[0] = CONFIRMED("a") MESSAGE("a", "1") MESSAGE("a", "2");
    script.count = 1;
    heard.blocks = true;
    struct torc_subscription *subscription = subscribed("a", NULL);
    wait_for("+a1");
    /* It is in the callback: this waits for it, which another thread lets go on. */
    pthread_mutex_lock(&heard.lock);
    heard.blocks = false;
    pthread_cond_broadcast(&heard.changed);
    pthread_mutex_unlock(&heard.lock);
    torc_unsubscribe(subscription);
    pthread_mutex_lock(&heard.lock);
    heard.log[0] = '\0';
    pthread_mutex_unlock(&heard.lock);
    redisReply *reply = torc_command(torc, "SET k v");
    torc_reply_free(reply);
    ck_assert_str_eq(heard.log, "");
}
END_TEST

START_TEST(what_is_refused_is_an_error)
{
    struct torc_subscription *subscription;
    script.says[0] = "-NOPERM no permissions\r\n";
    script.says[1] = "+what\r\n";
    script.count = 2;
    ck_assert_int_eq(subscribe(TORC_CHANNELS, "a", NULL, &subscription), TORC_EREPLY);
    ck_assert_str_eq(torc_error(torc), "NOPERM no permissions");
    ck_assert_ptr_null(subscription);
    ck_assert_int_eq(subscribe(TORC_CHANNELS, "a", NULL, &subscription), TORC_EPROTOCOL);
    ck_assert_str_eq(heard.log, "");
}
END_TEST

START_TEST(a_refusal_later_is_the_last_event)
{
    script.says[0] = "!" CONFIRMED("a");
    script.says[1] = "-NOPERM no permissions\r\n";
    script.count = 2;
    struct torc_subscription *subscription = subscribed("a", NULL);
    wait_for("+-.");
    ck_assert_int_eq(heard.error, TORC_EREPLY);
    ck_assert_str_eq(heard.text, "NOPERM no permissions");
    torc_unsubscribe(subscription);
}
END_TEST

START_TEST(a_server_that_does_not_answer_is_given_up)
{
    struct torc *impatient;
    struct torc_subscription *subscription;
    const struct torc_bytes name = torc_text("a");
    const struct torc_options options = {.seeds = server.address, .timeout_ms = 200};
    const struct torc_subscribe_options wanted = {
        .names = &name, .count = 1, .on_message = on_message, .context = &heard};
    script.says[0] = NULL;
    script.count = 1;
    ck_assert_int_eq(torc_connect(&options, &impatient), 0);
    ck_assert_int_eq(torc_subscribe(impatient, &wanted, &subscription), TORC_ETIMEOUT);
    ck_assert_ptr_null(subscription);
    torc_close(impatient);
}
END_TEST

START_TEST(nonsense_costs_the_connection)
{
    script.says[0] = CONFIRMED("a") MESSAGE("a", "1") "+what\r\n";
    script.says[1] = CONFIRMED("a") "*2\r\n$7\r\nmessage\r\n$1\r\na\r\n";
    script.says[2] = CONFIRMED("a") MESSAGE("a", "2");
    script.count = 3;
    struct torc_subscription *subscription = subscribed("a", NULL);
    wait_for("+a1-+-+a2");
    ck_assert_int_eq(heard.error, TORC_EPROTOCOL);
    torc_unsubscribe(subscription);
}
END_TEST

START_TEST(a_slot_that_has_moved_is_followed)
{
    char moved[64];
    struct torc_subscription *subscription;
    (void)snprintf(moved, sizeof(moved), "-MOVED 15495 %s\r\n", server.address);
    script.says[0] = moved;
    script.says[1] = "*3\r\n$10\r\nssubscribe\r\n$1\r\na\r\n:1\r\n"
                     "*3\r\n$8\r\nsmessage\r\n$1\r\na\r\n$1\r\n1\r\n"
                     "*3\r\n$12\r\nsunsubscribe\r\n$1\r\na\r\n:0\r\n";
    script.says[2] = "*3\r\n$10\r\nssubscribe\r\n$1\r\na\r\n:1\r\n"
                     "*3\r\n$8\r\nsmessage\r\n$1\r\na\r\n$1\r\n2\r\n";
    script.count = 3;
    ck_assert_int_eq(subscribe(TORC_SHARD_CHANNELS, "a", NULL, &subscription), 0);
    wait_for("+a1-+a2");
    torc_unsubscribe(subscription);
    ck_assert_int_eq(subscribe(TORC_SHARD_CHANNELS, "a", "b", &subscription), TORC_EINVAL);
}
END_TEST

START_TEST(messages_that_nobody_takes_are_bounded)
{
    static char payload[1 << 20];
    memset(payload, 'x', sizeof(payload));
    for (size_t i = 0; i <= SUBSCRIPTION_WAITING_MAX / sizeof(payload) + 1; i++) {
        buf_append_format(&script.flood, "*3\r\n$7\r\nmessage\r\n$1\r\na\r\n$%zu\r\n",
                          sizeof(payload));
        buf_append(&script.flood, payload, sizeof(payload));
        buf_append_text(&script.flood, "\r\n");
    }
    script.says[0] = CONFIRMED("a") MESSAGE("a", "1");
    script.says[1] = CONFIRMED("a") MESSAGE("a", "2");
    script.count = 2;
    heard.blocks = true;
    struct torc_subscription *subscription = subscribed("a", NULL);
    /* Whoever waits for something reads for all. */
    while (script.asked < 2) {
        redisReply *reply = torc_command(torc, "SET k v");
        ck_assert_ptr_nonnull(reply);
        torc_reply_free(reply);
    }
    pthread_mutex_lock(&heard.lock);
    heard.blocks = false;
    pthread_cond_broadcast(&heard.changed);
    while (strstr(heard.log, "-") == NULL) {
        pthread_cond_wait(&heard.changed, &heard.lock);
    }
    pthread_mutex_unlock(&heard.lock);
    ck_assert_int_eq(heard.error, TORC_EOVERLOAD);
    torc_unsubscribe(subscription);
}
END_TEST

START_TEST(arguments_are_checked)
{
    struct torc_subscription *subscription;
    const struct torc_bytes name = torc_text("a");
    struct torc_subscribe_options options = {.names = &name, .count = 1};
    ck_assert_int_eq(torc_subscribe(torc, &options, &subscription), TORC_EINVAL);
    options.on_message = on_message;
    options.count = 0;
    ck_assert_int_eq(torc_subscribe(torc, &options, &subscription), TORC_EINVAL);
    options.count = 1;
    options.to = (enum torc_subscribe_to)7;
    ck_assert_int_eq(torc_subscribe(torc, &options, &subscription), TORC_EINVAL);
    ck_assert_int_eq(torc_subscribe(torc, &options, NULL), TORC_EINVAL);
    ck_assert_int_eq(torc_subscribe(torc, NULL, &subscription), TORC_EINVAL);
    ck_assert_int_eq(torc_subscribe(NULL, &options, &subscription), TORC_EINVAL);
    torc_unsubscribe(NULL);
}
END_TEST

int main(void)
{
    TCase *tests = tcase_create("subscribe");
    tcase_set_timeout(tests, 60);
    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_add_test(tests, it_goes_on_after_the_connection_broke);
    tcase_add_test(tests, commands_go_on_meanwhile);
    tcase_add_test(tests, its_callback_may_end_it);
    tcase_add_test(tests, when_it_has_been_ended_its_callback_does_not_run);
    tcase_add_test(tests, what_is_refused_is_an_error);
    tcase_add_test(tests, a_refusal_later_is_the_last_event);
    tcase_add_test(tests, a_server_that_does_not_answer_is_given_up);
    tcase_add_test(tests, nonsense_costs_the_connection);
    tcase_add_test(tests, a_slot_that_has_moved_is_followed);
    tcase_add_test(tests, messages_that_nobody_takes_are_bounded);
    tcase_add_test(tests, arguments_are_checked);
    Suite *suite = suite_create("client/subscribe");
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
