#include "client/options.h"

#include "base/error.h"

#include <stdio.h>
#include <stdlib.h>

static int read_timeout(unsigned *out, int value, unsigned default_ms, const char *name,
                        char error[ERROR_TEXT_SIZE])
{
    if (value < 0 || value > TIMEOUT_MS_MAX) {
        (void)snprintf(error, ERROR_TEXT_SIZE, "%s: %d is not accepted; accepted: 0 to %d", name,
                       value, TIMEOUT_MS_MAX);
        return TORC_EINVAL;
    }
    *out = value == 0 ? default_ms : (unsigned)value;
    return TORC_OK;
}

int client_options_read(struct client_options *out, const struct torc_options *options,
                        char error[ERROR_TEXT_SIZE])
{
    *out = (struct client_options){0};
    if (options == NULL || options->seeds == NULL) {
        (void)snprintf(error, ERROR_TEXT_SIZE, "seeds: required; accepted: host:port,host:port");
        return TORC_EINVAL;
    }
    int result = read_timeout(&out->connect_timeout_ms, options->connect_timeout_ms,
                              CONNECT_TIMEOUT_MS_DEFAULT, "connect_timeout_ms", error);
    if (result != TORC_OK) {
        return result;
    }
    result = read_timeout(&out->timeout_ms, options->timeout_ms, TIMEOUT_MS_DEFAULT, "timeout_ms",
                          error);
    if (result != TORC_OK) {
        return result;
    }
    struct bytes wrong;
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

void client_options_deinit(struct client_options *options)
{
    free(options->seeds);
    *options = (struct client_options){0};
}
