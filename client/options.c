#include "client/options.h"

#include "base/error.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A number of the options: 0 = default. */
struct number {
    const char *name;
    int value;
    int max;
    unsigned default_value;
    unsigned *out;
};

static int read_numbers(struct client_options *out, const struct torc_options *options,
                        char error[ERROR_TEXT_SIZE])
{
    unsigned outstanding_max = 0;
    const struct number numbers[] = {
        {"connect_timeout_ms", options->connect_timeout_ms, TIMEOUT_MS_MAX,
         CONNECT_TIMEOUT_MS_DEFAULT, &out->connect_timeout_ms},
        {"timeout_ms", options->timeout_ms, TIMEOUT_MS_MAX, TIMEOUT_MS_DEFAULT, &out->timeout_ms},
        {"attempt_timeout_ms", options->attempt_timeout_ms, TIMEOUT_MS_MAX, 0,
         &out->attempt_timeout_ms},
        {"connections_per_node", options->connections_per_node, CONNECTIONS_PER_NODE_MAX, 1,
         &out->connections_per_node},
        {"outstanding_max", options->outstanding_max, OUTSTANDING_MAX, OUTSTANDING_MAX_DEFAULT,
         &outstanding_max},
        {"breaker_failures", options->breaker_failures, BREAKER_FAILURES_MAX,
         BREAKER_FAILURES_DEFAULT, &out->breaker_failures},
        {"breaker_open_ms", options->breaker_open_ms, TIMEOUT_MS_MAX, BREAKER_OPEN_MS_DEFAULT,
         &out->breaker_open_ms},
        {"near_stale_ms", options->near_stale_ms, TIMEOUT_MS_MAX, NEAR_STALE_MS_DEFAULT,
         &out->near_stale_ms},
    };
    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
        const struct number *number = &numbers[i];
        if (number->value < 0 || number->value > number->max) {
            (void)snprintf(error, ERROR_TEXT_SIZE, "%s: %d is not accepted; accepted: 0 to %d",
                           number->name, number->value, number->max);
            return TORC_EINVAL;
        }
        *number->out = number->value == 0 ? number->default_value : (unsigned)number->value;
    }
    if (out->near_stale_ms < NEAR_STALE_MS_MIN) {
        (void)snprintf(error, ERROR_TEXT_SIZE,
                       "near_stale_ms: %u is not accepted; accepted: 0, or %d"
                       " to %d",
                       out->near_stale_ms, NEAR_STALE_MS_MIN, TIMEOUT_MS_MAX);
        return TORC_EINVAL;
    }
    if (options->near_bytes > 0 && options->near_bytes < NEAR_BYTES_MIN) {
        (void)snprintf(error, ERROR_TEXT_SIZE,
                       "near_bytes: %zu is not accepted; accepted: 0, or %u"
                       " at least",
                       options->near_bytes, NEAR_BYTES_MIN);
        return TORC_EINVAL;
    }
    out->near_bytes = options->near_bytes;
    out->outstanding_max = outstanding_max;
    out->fail_fast = options->fail_fast != 0;
    out->unnamed_writes = options->unnamed_writes != 0;
    out->fallback = options->fallback;
    out->fallback_context = options->fallback_context;
    return TORC_OK;
}

/* Texts, and what goes with them. */
static int read_texts(struct client_options *out, const struct torc_options *options,
                      char error[ERROR_TEXT_SIZE])
{
    if (options->read_from < TORC_READ_DEFAULT || options->read_from > TORC_READ_ROUND_ROBIN) {
        (void)snprintf(error, ERROR_TEXT_SIZE, "read_from: %d is no enum torc_read_from",
                       (int)options->read_from);
        return TORC_EINVAL;
    }
    if (options->read_from == TORC_READ_NEAREST && options->zone == NULL) {
        (void)snprintf(error, ERROR_TEXT_SIZE, "zone: required with TORC_READ_NEAREST");
        return TORC_EINVAL;
    }
    if (options->zone != NULL && strlen(options->zone) > ZONE_SIZE_MAX) {
        (void)snprintf(error, ERROR_TEXT_SIZE, "zone: longer than %d bytes", ZONE_SIZE_MAX);
        return TORC_EINVAL;
    }
    if (options->user != NULL && options->password == NULL) {
        (void)snprintf(error, ERROR_TEXT_SIZE, "password: required with user");
        return TORC_EINVAL;
    }
    out->read_from = options->read_from;
    out->has_zone = options->zone != NULL;
    (void)snprintf(out->zone, sizeof(out->zone), "%s", options->zone == NULL ? "" : options->zone);
    out->user = options->user == NULL ? NULL : strdup(options->user);
    out->password = options->password == NULL ? NULL : strdup(options->password);
    if ((options->user != NULL && out->user == NULL) ||
        (options->password != NULL && out->password == NULL)) {
        (void)snprintf(error, ERROR_TEXT_SIZE, "%s", torc_strerror(TORC_ENOMEM));
        return TORC_ENOMEM;
    }
    return TORC_OK;
}

static int read_all(struct client_options *out, const struct torc_options *options,
                    char error[ERROR_TEXT_SIZE])
{
    struct bytes wrong;
    int result = read_numbers(out, options, error);
    if (result == TORC_OK) {
        result = read_texts(out, options, error);
    }
    if (result != TORC_OK) {
        return result;
    }
    result = endpoint_list_parse(&out->seeds, &out->seed_count, bytes_of(options->seeds), &wrong);
    if (result == TORC_EINVAL) {
        (void)snprintf(
            error, ERROR_TEXT_SIZE, "seeds: '%.*s' is not accepted; accepted: host:port,host:port",
            wrong.size > 256 ? 256 : (int)wrong.size, wrong.data == NULL ? "" : wrong.data);
    } else if (result == TORC_ETOOBIG) {
        (void)snprintf(error, ERROR_TEXT_SIZE, "seeds: more than %d", SEEDS_MAX);
    } else if (result != TORC_OK) {
        (void)snprintf(error, ERROR_TEXT_SIZE, "%s", torc_strerror(result));
    }
    return result;
}

int client_options_read(struct client_options *out, const struct torc_options *options,
                        char error[ERROR_TEXT_SIZE])
{
    *out = (struct client_options){0};
    if (options == NULL || options->seeds == NULL) {
        (void)snprintf(error, ERROR_TEXT_SIZE, "seeds: required; accepted: host:port,host:port");
        return TORC_EINVAL;
    }
    int result = read_all(out, options, error);
    if (result != TORC_OK) {
        client_options_deinit(out);
    }
    return result;
}

void client_options_deinit(struct client_options *options)
{
    free(options->seeds);
    free(options->user);
    if (options->password != NULL) {
        explicit_bzero(options->password, strlen(options->password));
    }
    free(options->password);
    *options = (struct client_options){0};
}
