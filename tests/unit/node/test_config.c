#include "base/error.h"
#include "base/log.h"
#include "node/config.h"
#include "node/config_options.h"
#include "node/store/store.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define ARGUMENTS_MAX 16

/* A parse of "torc-node <words>", split at spaces. */
struct parse {
    struct config config;
    enum config_outcome outcome;
    char text[16384];
};

static void parse_words(struct parse *parse, int argc, char **argv)
{
    struct buf out = {0};
    parse->outcome = config_parse_text(&parse->config, argc, argv, &out);
    ck_assert(!out.failed);
    ck_assert_uint_lt(buf_size(&out), sizeof(parse->text));
    memcpy(parse->text, buf_size(&out) == 0 ? "" : buf_head(&out), buf_size(&out));
    parse->text[buf_size(&out)] = '\0';
    buf_deinit(&out);
}

static void parse_line(struct parse *parse, const char *line)
{
    char copy[8192];
    char *argv[ARGUMENTS_MAX] = {"torc-node"};
    int argc = 1;
    ck_assert_uint_lt(strlen(line), sizeof(copy));
    snprintf(copy, sizeof(copy), "%s", line);
    char *save = NULL;
    for (char *word = strtok_r(copy, " ", &save); word != NULL; word = strtok_r(NULL, " ", &save)) {
        ck_assert_int_lt(argc, ARGUMENTS_MAX);
        argv[argc++] = word;
    }
    parse_words(parse, argc, argv);
}

static void expect_refused(const char *line, const char *text)
{
    struct parse parse;
    parse_line(&parse, line);
    ck_assert_int_eq(parse.outcome, CONFIG_EXIT_USAGE);
    ck_assert_msg(strcmp(parse.text, text) == 0, "%s:\ngot  %swant %s", line, parse.text, text);
}

START_TEST(test_defaults)
{
    struct parse parse;
    parse_line(&parse, "");
    const struct config *config = &parse.config;
    ck_assert_int_eq(parse.outcome, CONFIG_RUN);
    ck_assert_str_eq(parse.text, "");
    ck_assert_uint_eq(config->port, 7001);
    ck_assert_uint_eq(config->direct_port, 8001);
    ck_assert_uint_eq(config->http_port, 9001);
    ck_assert_uint_eq(config->bus_port, 17001);
    ck_assert_str_eq(config->bind, "127.0.0.1");
    ck_assert_str_eq(config->announce, "");
    ck_assert_str_eq(config->join, "");
    ck_assert_str_eq(config->cluster_name, "torc");
    ck_assert_str_eq(config->state_dir, "./torc-7001");
    ck_assert_uint_ge(config->threads, 1);
    ck_assert_uint_le(config->threads, 16);
    ck_assert_uint_eq(config->copies, 2);
    ck_assert_uint_eq(config->weight, WEIGHT_UNIT);
    ck_assert_uint_eq(config->lease_ms, 2000);
    ck_assert_int_eq(config->acks, ACKS_IN_SYNC);
    ck_assert_uint_eq(config->memory_bytes_max, 0);
    ck_assert_int_eq(config->eviction, EVICTION_S3FIFO);
    ck_assert_int_eq(config->log_level, LOG_INFO);
    ck_assert_uint_eq(config->proxy_timeout_ms, 5000);
    ck_assert_uint_eq(config->clients_max, 10000);
    ck_assert_uint_eq(config->idle_timeout_s, 0);

    struct config plain;
    config_defaults(&plain);
    ck_assert_uint_eq(plain.bus_port, 17001);
    ck_assert_str_eq(plain.state_dir, "./torc-7001");
}
END_TEST

START_TEST(test_every_option)
{
    struct parse parse;
    parse_line(&parse, "--port 7100 --direct-port=7101 --http-port 7102 --bus-port=7103 "
                       "--bind=::1 --announce=cache-1.example.org");
    ck_assert_int_eq(parse.outcome, CONFIG_RUN);
    ck_assert_uint_eq(parse.config.port, 7100);
    ck_assert_uint_eq(parse.config.direct_port, 7101);
    ck_assert_uint_eq(parse.config.http_port, 7102);
    ck_assert_uint_eq(parse.config.bus_port, 7103);
    ck_assert_str_eq(parse.config.bind, "::1");
    ck_assert_str_eq(parse.config.announce, "cache-1.example.org");
    ck_assert_str_eq(parse.config.state_dir, "./torc-7100");

    parse_line(&parse, "--join a:1,[::1]:2,10.0.0.1:65535 --cluster-name c --copies 4 "
                       "--acks primary --weight 0.25 --zone=z1 --lease-ms 500");
    ck_assert_int_eq(parse.outcome, CONFIG_RUN);
    ck_assert_str_eq(parse.config.join, "a:1,[::1]:2,10.0.0.1:65535");
    ck_assert_str_eq(parse.config.cluster_name, "c");
    ck_assert_uint_eq(parse.config.copies, 4);
    ck_assert_int_eq(parse.config.acks, ACKS_PRIMARY);
    ck_assert_uint_eq(parse.config.weight, 250);
    ck_assert_str_eq(parse.config.zone, "z1");
    ck_assert_uint_eq(parse.config.lease_ms, 500);

    parse_line(&parse, "--threads 3 --memory 1gb --eviction volatile-ttl --clients-max 7 "
                       "--idle-timeout=9 --proxy-timeout-ms 11");
    ck_assert_int_eq(parse.outcome, CONFIG_RUN);
    ck_assert_uint_eq(parse.config.threads, 3);
    ck_assert_uint_eq(parse.config.memory_bytes_max, 1u << 30);
    ck_assert_int_eq(parse.config.eviction, EVICTION_TTL);
    ck_assert_uint_eq(parse.config.clients_max, 7);
    ck_assert_uint_eq(parse.config.idle_timeout_s, 9);
    ck_assert_uint_eq(parse.config.proxy_timeout_ms, 11);

    parse_line(&parse, "--state-dir /tmp/x --log-level debug");
    ck_assert_int_eq(parse.outcome, CONFIG_RUN);
    ck_assert_str_eq(parse.config.state_dir, "/tmp/x");
    ck_assert_int_eq(parse.config.log_level, LOG_DEBUG);
}
END_TEST

START_TEST(test_refusals)
{
    expect_refused("--acks foo", "torc-node: --acks: 'foo' is not one of in-sync, primary\n");
    expect_refused("--acks=", "torc-node: --acks: '' is not one of in-sync, primary\n");
    expect_refused("--port 0", "torc-node: --port: '0' is not a whole number from 1 to 65535\n");
    expect_refused("--port 65536",
                   "torc-node: --port: '65536' is not a whole number from 1 to 65535\n");
    expect_refused("--port 07001",
                   "torc-node: --port: '07001' is not a whole number from 1 to 65535\n");
    expect_refused("--port", "torc-node: --port needs a value\n");
    expect_refused("--config", "torc-node: --config needs a value\n");
    expect_refused("--copies 5", "torc-node: --copies: '5' is not a whole number from 1 to 4\n");
    expect_refused("--bogus 5", "torc-node: there is no option --bogus; see torc-node --help\n");
    expect_refused("--bogus", "torc-node: there is no option --bogus; see torc-node --help\n");
    expect_refused("7001", "torc-node: unexpected argument '7001'; see torc-node --help\n");
    expect_refused("--port 1 -x", "torc-node: unexpected argument '-x'; see torc-node --help\n");
    expect_refused("--bind localhost",
                   "torc-node: --bind: 'localhost' is not an IPv4 or IPv6 address\n");
    expect_refused("--state-dir=", "torc-node: --state-dir: '' is not a text of 1 to 1023 bytes\n");
    expect_refused("--zone=12345678901234567890123456789012",
                   "torc-node: --zone: '12345678901234567890123456789012' is not a text of 0 to 31 "
                   "bytes\n");
    expect_refused("--weight 100.001",
                   "torc-node: --weight: '100.001' is not a number from 0 to 100 with at most 3 "
                   "digits behind the point\n");
    expect_refused("--memory 1tb", "torc-node: --memory: '1tb' is not a size in bytes such as "
                                   "1048576, 100k, 512mb or 4gb\n");
    expect_refused("--log-level loud",
                   "torc-node: --log-level: 'loud' is not one of debug, info, warning, error\n");
    expect_refused("--config /nonexistent/torc.conf",
                   "torc-node: --config: cannot read /nonexistent/torc.conf: No such file or "
                   "directory\n");
}
END_TEST

START_TEST(test_ports)
{
    struct parse parse;
    parse_line(&parse, "--port 55535");
    ck_assert_int_eq(parse.outcome, CONFIG_RUN);
    ck_assert_uint_eq(parse.config.bus_port, 65535);
    expect_refused("--port 55536", "torc-node: --bus-port: port 55536 + 10000 is past 65535; give "
                                   "--bus-port, or a --port up to 55535\n");
    expect_refused("--port 65000 --bus-port 1",
                   "torc-node: --direct-port: port 65000 + 1000 is past 65535; give --direct-port, "
                   "or a --port up to 64535\n");
    parse_line(&parse, "--port 55536 --bus-port 7000");
    ck_assert_int_eq(parse.outcome, CONFIG_RUN);
    expect_refused("--port 7001 --http-port 7001",
                   "torc-node: --http-port: 7001 is taken by --port already\n");
    expect_refused("--port 7001 --bus-port 8001",
                   "torc-node: --bus-port: 8001 is taken by --direct-port already\n");
}
END_TEST

static bool accepts(const char *option, const char *text, struct config_value *value)
{
    struct buf error = {0};
    const struct config_option *row = config_option_find(bytes_of(option));
    ck_assert_ptr_nonnull(row);
    int status = config_option_parse(row, NULL, bytes_of(text), value, &error);
    ck_assert(status == TORC_OK || status == TORC_EINVAL);
    ck_assert_int_eq(buf_size(&error) == 0, status == TORC_OK);
    buf_deinit(&error);
    return status == TORC_OK;
}

START_TEST(test_sizes)
{
    static const struct {
        const char *text;
        uint64_t bytes;
    } good[] = {
        {"0", 0},
        {"1", 1},
        {"12b", 12},
        {"100k", 100000},
        {"100kb", 102400},
        {"1m", 1000000},
        {"1MB", 1048576},
        {"2g", 2000000000},
        {"2Gb", 1ull << 31},
        {"9223372036854775807", INT64_MAX},
    };
    static const char *const bad[] = {"",
                                      "mb",
                                      "-1",
                                      "1.5gb",
                                      "1 gb",
                                      "1kbb",
                                      "0x10",
                                      "01",
                                      "9223372036854775808",
                                      "18446744073709551615gb",
                                      "17179869185gb"};
    struct config_value value;
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        ck_assert_msg(accepts("memory", good[i].text, &value), "%s", good[i].text);
        ck_assert_uint_eq(value.number, good[i].bytes);
    }
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        ck_assert_msg(!accepts("memory", bad[i], &value), "%s", bad[i]);
    }
}
END_TEST

START_TEST(test_weights)
{
    static const struct {
        const char *text;
        uint64_t thousandths;
        const char *shown;
    } good[] = {
        {"0", 0, "0"},         {"1", 1000, "1"},          {"1.0", 1000, "1"},
        {"0.5", 500, "0.5"},   {"2.125", 2125, "2.125"},  {"100", 100000, "100"},
        {"0.001", 1, "0.001"}, {"99.99", 99990, "99.99"}, {"100.000", 100000, "100"},
    };
    static const char *const bad[] = {"",
                                      ".",
                                      "1.",
                                      ".5",
                                      "-1",
                                      "1e1",
                                      "1.0001",
                                      "101",
                                      "1,5",
                                      "100.001",
                                      "18446744073709551615"};
    const struct config_option *row = config_option_find(BYTES_LITERAL("weight"));
    struct config_value value;
    struct config config;
    config_defaults(&config);
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        struct buf shown = {0};
        ck_assert_msg(accepts("weight", good[i].text, &value), "%s", good[i].text);
        ck_assert_uint_eq(value.number, good[i].thousandths);
        config_option_store(row, &config, &value);
        config_option_format(row, NULL, &config, &shown);
        ck_assert(bytes_equal(buf_bytes(&shown), bytes_of(good[i].shown)));
        buf_deinit(&shown);
    }
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        ck_assert_msg(!accepts("weight", bad[i], &value), "%s", bad[i]);
    }
}
END_TEST

START_TEST(test_texts)
{
    static const char *const good[][2] = {
        {"bind", "0.0.0.0"},
        {"bind", "::"},
        {"announce", "10.1.2.3"},
        {"announce", "fe80::1"},
        {"announce", "host_1"},
        {"announce", ""},
        {"join", ""},
        {"join", "a:1"},
        {"join", "[::1]:7001"},
        {"zone", ""},
        {"zone", "eu-west/1a"},
    };
    static const char *const bad[][2] = {
        {"bind", ""},          {"bind", "1.2.3"},
        {"bind", "1.2.3.4.5"}, {"announce", "a b"},
        {"announce", "a/b"},   {"announce", "x:1"},
        {"join", "a"},         {"join", "a:0"},
        {"join", "a:65536"},   {"join", "a:1,"},
        {"join", ",a:1"},      {"join", "a:1,,b:1"},
        {"join", "::1:7001"},  {"join", "[a]:1"},
        {"join", ":1"},        {"zone", "a b"},
        {"zone", "\x7f"},      {"cluster-name", ""},
        {"state-dir", ""},     {"zone", "12345678901234567890123456789012"},
    };
    struct config_value value;
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        ck_assert_msg(accepts(good[i][0], good[i][1], &value), "%s %s", good[i][0], good[i][1]);
    }
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        ck_assert_msg(!accepts(bad[i][0], bad[i][1], &value), "%s %s", bad[i][0], bad[i][1]);
    }
    char host[HOST_SIZE_MAX + 2];
    memset(host, 'a', sizeof(host));
    host[HOST_SIZE_MAX + 1] = '\0';
    ck_assert(!accepts("announce", host, &value));
    host[HOST_SIZE_MAX] = '\0';
    ck_assert(accepts("announce", host, &value));
}
END_TEST

/* Writes `content` to a temporary file, parses "--config FILE <rest>". */
static void parse_file(struct parse *parse, const char *content, const char *rest, char path[32])
{
    snprintf(path, 32, "/tmp/torc-config-XXXXXX");
    int fd = mkstemp(path);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(write(fd, content, strlen(content)), (ssize_t)strlen(content));
    close(fd);
    char line[256];
    snprintf(line, sizeof(line), "%s --config %s", rest, path);
    parse_line(parse, line);
    unlink(path);
}

START_TEST(test_file)
{
    struct parse parse;
    char path[32];
    parse_file(&parse,
               "# a comment\n"
               "\n"
               "port 7100\r\n"
               "  zone\t z1  # where it stands\n"
               "announce\n"
               "memory 1kb\n"
               "weight 2",
               "--memory 5", path);
    ck_assert_msg(parse.outcome == CONFIG_RUN, "%s", parse.text);
    ck_assert_uint_eq(parse.config.port, 7100);
    ck_assert_str_eq(parse.config.zone, "z1");
    ck_assert_uint_eq(parse.config.weight, 2000);
    ck_assert_uint_eq(parse.config.memory_bytes_max, 5); /* options stand over the file */
    ck_assert_str_eq(parse.config.state_dir, "./torc-7100");
    ck_assert_str_eq(parse.config.config_file, path);
}
END_TEST

static void expect_file_refused(const char *content, const char *reason)
{
    struct parse parse;
    char path[32];
    char text[256];
    parse_file(&parse, content, "", path);
    ck_assert_int_eq(parse.outcome, CONFIG_EXIT_USAGE);
    snprintf(text, sizeof(text), "torc-node: %s:%s\n", path, reason);
    ck_assert_str_eq(parse.text, text);
}

START_TEST(test_file_refusals)
{
    expect_file_refused("port 7001\n\nacks foo\n", "3: acks: 'foo' is not one of in-sync, primary");
    expect_file_refused("port\n", "1: port needs a value");
    expect_file_refused("#\nbogus 1\n", "2: there is no option 'bogus'; see torc-node --help");
    expect_file_refused("config x\n", "1: there is no option 'config'; see torc-node --help");
    expect_file_refused("--port 1\n", "1: there is no option '--port'; see torc-node --help");

    struct parse parse;
    parse_line(&parse, "--config /tmp"); /* a directory */
    ck_assert_int_eq(parse.outcome, CONFIG_EXIT_USAGE);
    ck_assert_str_eq(parse.text, "torc-node: --config: cannot read /tmp: Is a directory\n");
}
END_TEST

START_TEST(test_help_and_version)
{
    struct parse parse;
    parse_line(&parse, "--port 1 --help");
    ck_assert_int_eq(parse.outcome, CONFIG_EXIT_OK);
    const struct config_option *option = NULL;
    for (size_t i = 0; (option = config_option_at(i)) != NULL; i++) {
        char shown[64];
        snprintf(shown, sizeof(shown), "  --%s %s", option->name, option->argument);
        ck_assert_msg(strstr(parse.text, shown) != NULL, "--help lacks %s", shown);
        if (option->initial != NULL && option->initial[0] != '\0') {
            snprintf(shown, sizeof(shown), "(default %s", option->initial);
            ck_assert_msg(strstr(option->help, shown) != NULL, "%s lacks %s", option->name, shown);
        }
    }
    char *save = NULL;
    for (char *line = strtok_r(parse.text, "\n", &save); line != NULL;
         line = strtok_r(NULL, "\n", &save)) {
        ck_assert_msg(strlen(line) <= 80, "too wide: %s", line);
        ck_assert_msg(line[strlen(line) - 1] != ' ', "ends in a space: %s", line);
    }
    parse_line(&parse, "--version");
    ck_assert_int_eq(parse.outcome, CONFIG_EXIT_OK);
    ck_assert_int_eq(strncmp(parse.text, "torc-node ", 10), 0);
}
END_TEST

struct found {
    unsigned count;
    char value[4200];
};

static void note(void *context, const char *name, const char *value)
{
    struct found *found = context;
    ck_assert_uint_gt(strlen(name), 0);
    found->count++;
    snprintf(found->value, sizeof(found->value), "%s", value);
}

static void expect_get(const struct config *config, const char *name, const char *value)
{
    struct found found = {0};
    config_get(config, bytes_of(name), note, &found);
    ck_assert_msg(found.count == 1, "%s: found %u times", name, found.count);
    ck_assert_str_eq(found.value, value);
}

START_TEST(test_get)
{
    struct parse parse;
    struct found found = {0};
    parse_line(&parse, "--port 7100 --memory 512mb --eviction random --weight 0.5 --join a:1,b:2");
    const struct config *config = &parse.config;
    expect_get(config, "port", "7100");
    expect_get(config, "MEMORY", "536870912");
    expect_get(config, "maxmemory", "536870912");
    expect_get(config, "eviction", "random");
    expect_get(config, "maxmemory-policy", "allkeys-random");
    expect_get(config, "log-level", "info");
    expect_get(config, "loglevel", "notice");
    expect_get(config, "timeout", "0");
    expect_get(config, "weight", "0.5");
    expect_get(config, "join", "a:1,b:2");
    expect_get(config, "cluster-enabled", "yes");
    expect_get(config, "save", "");
    expect_get(config, "appendonly", "no");
    expect_get(config, "databases", "1");
    config_get(config, BYTES_LITERAL("maxmemory*"), note, &found);
    ck_assert_uint_eq(found.count, 2);
    found.count = 0;
    config_get(config, BYTES_LITERAL("nothing"), note, &found);
    ck_assert_uint_eq(found.count, 0);
}
END_TEST

static int set(struct config *config, const char *name, const char *value)
{
    struct buf error = {0};
    int checked = config_check(bytes_of(name), bytes_of(value), &error);
    int status = config_set(config, bytes_of(name), bytes_of(value), &error);
    ck_assert_int_eq(checked, status);
    ck_assert_int_eq(buf_size(&error) > 0, status == TORC_EINVAL);
    buf_deinit(&error);
    return status;
}

START_TEST(test_set)
{
    struct config config;
    config_defaults(&config);
    ck_assert_int_eq(set(&config, "maxmemory", "100MB"), TORC_OK);
    ck_assert_uint_eq(config.memory_bytes_max, 100 * 1048576);
    ck_assert_int_eq(set(&config, "maxmemory-policy", "volatile-ttl"), TORC_OK);
    ck_assert_int_eq(config.eviction, EVICTION_TTL);
    ck_assert_int_eq(set(&config, "Eviction", "none"), TORC_OK);
    ck_assert_int_eq(config.eviction, EVICTION_NONE);
    ck_assert_int_eq(set(&config, "eviction", "s3fifo"), TORC_OK);
    expect_get(&config, "maxmemory-policy", "allkeys-s3fifo");
    ck_assert_int_eq(set(&config, "maxmemory-policy", "volatile-lfu"), TORC_OK);
    ck_assert_int_eq(config.eviction, EVICTION_VOLATILE_LFU);
    expect_get(&config, "eviction", "volatile-lfu");
    ck_assert_int_eq(set(&config, "loglevel", "verbose"), TORC_OK);
    ck_assert_int_eq(config.log_level, LOG_INFO);
    ck_assert_int_eq(set(&config, "log-level", "error"), TORC_OK);
    ck_assert_int_eq(config.log_level, LOG_ERROR);
    ck_assert_int_eq(set(&config, "timeout", "5"), TORC_OK);
    ck_assert_uint_eq(config.idle_timeout_s, 5);
    ck_assert_int_eq(set(&config, "maxclients", "77"), TORC_OK);
    ck_assert_uint_eq(config.clients_max, 77);
    ck_assert_int_eq(set(&config, "proxy-timeout-ms", "123"), TORC_OK);
    ck_assert_uint_eq(config.proxy_timeout_ms, 123);

    ck_assert_int_eq(set(&config, "maxmemory", "lots"), TORC_EINVAL);
    ck_assert_int_eq(set(&config, "maxmemory-policy", "lru"), TORC_EINVAL); /* not a Redis name */
    ck_assert_int_eq(set(&config, "maxclients", "0"), TORC_EINVAL);
    ck_assert_int_eq(set(&config, "port", "7001"), TORC_EEXIST);
    ck_assert_int_eq(set(&config, "cluster-node-timeout", "1000"), TORC_EEXIST);
    ck_assert_int_eq(set(&config, "appendonly", "yes"), TORC_EEXIST);
    ck_assert_int_eq(set(&config, "appendonly", "no"), TORC_OK); /* what it is */
    ck_assert_int_eq(set(&config, "save", ""), TORC_OK);
    ck_assert_int_eq(set(&config, "foo", "1"), TORC_ENOTFOUND);
    ck_assert_int_eq(set(&config, "", "1"), TORC_ENOTFOUND);
    ck_assert_uint_eq(config.memory_bytes_max, 100 * 1048576);
}
END_TEST

/* config_check must not write: every lawful change is seen only after config_set. */
START_TEST(test_check_changes_nothing)
{
    struct config config;
    struct buf error = {0};
    config_defaults(&config);
    ck_assert_int_eq(config_check(BYTES_LITERAL("maxclients"), BYTES_LITERAL("5"), &error),
                     TORC_OK);
    ck_assert_uint_eq(config.clients_max, 10000);
    buf_deinit(&error);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("config");
    TCase *tests = tcase_create("all");
    tcase_add_test(tests, test_defaults);
    tcase_add_test(tests, test_every_option);
    tcase_add_test(tests, test_refusals);
    tcase_add_test(tests, test_ports);
    tcase_add_test(tests, test_sizes);
    tcase_add_test(tests, test_weights);
    tcase_add_test(tests, test_texts);
    tcase_add_test(tests, test_file);
    tcase_add_test(tests, test_file_refusals);
    tcase_add_test(tests, test_help_and_version);
    tcase_add_test(tests, test_get);
    tcase_add_test(tests, test_set);
    tcase_add_test(tests, test_check_changes_nothing);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
