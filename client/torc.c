/* The public face of a handle: making and closing it, its errors, single commands. */
#include "torc/torc.h"

#include "client/clock.h"
#include "client/command_line.h"
#include "client/discover.h"
#include "client/run.h"

#include <stdarg.h>
#include <stdlib.h>

const char *torc_version(void)
{
    return TORC_VERSION;
}

const char *torc_error(const struct torc *handle)
{
    return handle == NULL ? "there is no handle" : handle->error_text;
}

int torc_error_code(const struct torc *handle)
{
    return handle == NULL ? TORC_EINVAL : handle->error;
}

/* Different in every handle, also in those made in the same instant. Only delays depend on it. */
static uint64_t seed_of(const struct torc *handle)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec + (uint64_t)(uintptr_t)handle;
}

int torc_connect(const struct torc_options *options, struct torc **out)
{
    if (out == NULL) {
        return TORC_EINVAL;
    }
    struct torc *handle = calloc(1, sizeof(*handle));
    *out = handle;
    if (handle == NULL) {
        return TORC_ENOMEM;
    }
    handle_begin(handle);
    routing_init(&handle->routing);
    prng_init(&handle->prng, seed_of(handle));
    int result = client_options_read(&handle->options, options, handle->error_text);
    if (result == TORC_ENOMEM) {
        torc_close(handle);
        *out = NULL;
        return result;
    }
    handle->error = result;
    handle->options_valid = result == TORC_OK;
    return result == TORC_OK ? discover_join(handle, clock_now_ms() + handle->options.timeout_ms)
                             : result;
}

void torc_close(struct torc *handle)
{
    if (handle == NULL) {
        return;
    }
    batch_deinit(&handle->single);
    arguments_deinit(&handle->arguments);
    pool_deinit(&handle->pool);
    command_table_deinit(&handle->commands);
    routing_deinit(&handle->routing);
    client_options_deinit(&handle->options);
    free(handle->busy);
    free(handle->polls);
    free(handle);
}

/* Runs the one command of handle->single and hands its reply out. */
static redisReply *run_single(struct torc *handle)
{
    redisReply *reply = NULL;
    if (run_batch(handle, &handle->single) == TORC_OK) {
        reply = handle->single.calls[0].reply;
        handle->single.calls[0].reply = NULL;
    }
    batch_reset(&handle->single);
    return reply;
}

redisReply *torc_command(struct torc *handle, const char *format, ...)
{
    if (handle == NULL) {
        return NULL;
    }
    handle_begin(handle);
    va_list arguments;
    va_start(arguments, format);
    int result = command_line_format(handle, &handle->single, format, arguments);
    va_end(arguments);
    return result == TORC_OK ? run_single(handle) : NULL;
}

redisReply *torc_command_argv(struct torc *handle, int argc, const char **argv, const size_t *sizes)
{
    if (handle == NULL) {
        return NULL;
    }
    handle_begin(handle);
    return command_line_array(handle, &handle->single, argc, argv, sizes) == TORC_OK
               ? run_single(handle)
               : NULL;
}
