/* Commands in their three forms: blocking, with a future, with a callback. */
#include "client/submit.h"

#include "base/error.h"
#include "client/clock.h"
#include "client/command_line.h"
#include "client/engine.h"
#include "client/last_error.h"

#include <assert.h>
#include <stdlib.h>

/* Calls that are handed over under one lock. */
#define SUBMIT_AT_ONCE 128

struct torc_future {
    struct torc *handle; /* borrowed */
    struct call *call;
    struct waiter waiter;
    bool fallen_back;
};

void submit_fall_back(struct torc *handle, struct call *call)
{
    struct arguments arguments = {0};
    const bool of_node = call->error == TORC_ECONNECT || call->error == TORC_ERESOLVE ||
                         call->error == TORC_ECLOSED || call->error == TORC_ETIMEOUT ||
                         call->error == TORC_EUNAVAILABLE || call->error == TORC_EOVERLOAD;
    if (handle->options.fallback == NULL || !of_node ||
        request_split(&arguments, (struct bytes){call->request, call->size}) != TORC_OK) {
        arguments_deinit(&arguments);
        return;
    }
    static_assert(sizeof(struct bytes) == sizeof(struct torc_bytes), "they are the same");
    redisReply *reply = handle->options.fallback(
        handle, call->error, (const struct torc_bytes *)(const void *)arguments.items,
        arguments.count, handle->options.fallback_context);
    arguments_deinit(&arguments);
    if (reply != NULL) {
        call_forget(call);
        call->reply = reply;
    }
}

int submit_and_wait(struct torc *handle, struct call *call)
{
    struct waiter waiter = {.remaining = 1, .returns = true};
    call->waiter = &waiter;
    handle_lock(handle);
    if (engine_submit(handle, call) != TORC_OK) {
        handle_unlock(handle);
    } else {
        engine_flush_together(handle);
        (void)waiter_wait(handle, &waiter, UINT64_MAX);
    }
    if (call->error != TORC_OK) {
        submit_fall_back(handle, call);
    }
    return last_error_of_call(handle, call);
}

/* Hands over as many as may be on their way at one time; returns one past the last. */
static size_t submit_some(struct torc *handle, struct call *const *calls, size_t first,
                          size_t count, struct waiter *waiter)
{
    size_t bytes = 0;
    size_t next = first;
    while (next < count && next - first < PIPELINE_WINDOW && bytes < PIPELINE_WINDOW_SIZE) {
        handle_lock(handle);
        for (size_t i = 0; i < SUBMIT_AT_ONCE && next < count && bytes < PIPELINE_WINDOW_SIZE;
             i++, next++) {
            calls[next]->waiter = waiter;
            waiter->remaining++;
            bytes += calls[next]->size;
            if (engine_submit(handle, calls[next]) != TORC_OK) {
                waiter->remaining--;
            }
        }
        engine_flush_now(handle);
        handle_unlock(handle);
    }
    return next;
}

int submit_all_and_wait(struct torc *handle, struct call *const *calls, size_t count)
{
    for (size_t first = 0, next; first < count; first = next) {
        struct waiter waiter = {.remaining = 0};
        next = submit_some(handle, calls, first, count, &waiter);
        handle_lock(handle);
        (void)waiter_wait(handle, &waiter, UINT64_MAX);
    }
    size_t failed = count;
    for (size_t i = count; i-- > 0;) {
        if (calls[i]->error != TORC_OK) {
            submit_fall_back(handle, calls[i]);
            failed = calls[i]->error != TORC_OK ? i : failed;
        }
    }
    last_error_begin(handle);
    return failed == count ? TORC_OK : last_error_of_call(handle, calls[failed]);
}

static redisReply *take_reply(struct call *call)
{
    redisReply *reply = call->reply;
    call->reply = NULL;
    return reply;
}

int submit_bytes(struct torc *handle, const struct bytes *argv, size_t argc, redisReply **reply)
{
    struct call *call;
    int result = command_line_bytes(handle, &call, argv, argc);
    if (result == TORC_OK) {
        result = submit_and_wait(handle, call);
        *reply = result == TORC_OK ? take_reply(call) : NULL;
        call_release(call);
    }
    return result;
}

/* ------------------------------------------------------------------------------------ blocking */

/* The call of a command, for a function that returns NULL when it cannot be made: last_error says
 * why. */
static struct call *call_of_format(struct torc *handle, const char *format, va_list arguments)
{
    struct call *call;
    if (handle == NULL) {
        return NULL;
    }
    last_error_begin(handle);
    return command_line_format(handle, &call, format, arguments) == TORC_OK ? call : NULL;
}

static struct call *call_of_array(struct torc *handle, const struct torc_call_options *options,
                                  int argc, const char **argv, const size_t *sizes)
{
    struct call *call;
    if (handle == NULL) {
        return NULL;
    }
    last_error_begin(handle);
    return command_line_array(handle, &call, options, argc, argv, sizes) == TORC_OK ? call : NULL;
}

/* NULL is allowed: there is no reply then. */
static redisReply *run(struct torc *handle, struct call *call)
{
    if (call == NULL) {
        return NULL;
    }
    redisReply *reply = submit_and_wait(handle, call) == TORC_OK ? take_reply(call) : NULL;
    call_release(call);
    return reply;
}

redisReply *torc_commandv(struct torc *handle, const char *format, va_list arguments)
{
    return run(handle, call_of_format(handle, format, arguments));
}

redisReply *torc_command(struct torc *handle, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    redisReply *reply = torc_commandv(handle, format, arguments);
    va_end(arguments);
    return reply;
}

redisReply *torc_command_with(struct torc *handle, const struct torc_call_options *options,
                              int argc, const char **argv, const size_t *sizes)
{
    return run(handle, call_of_array(handle, options, argc, argv, sizes));
}

redisReply *torc_command_argv(struct torc *handle, int argc, const char **argv, const size_t *sizes)
{
    return torc_command_with(handle, NULL, argc, argv, sizes);
}

/* ------------------------------------------------------------------------------------- futures */

static struct torc_future *submit_future(struct torc *handle, struct call *call)
{
    struct torc_future *future = calloc(1, sizeof(*future));
    if (future == NULL) {
        call_release(call);
        (void)last_error_plain(handle, TORC_ENOMEM);
        return NULL;
    }
    future->handle = handle;
    future->call = call;
    future->waiter.remaining = 1;
    call->waiter = &future->waiter;
    handle_lock(handle);
    const int result = engine_submit(handle, call);
    if (result == TORC_OK) {
        engine_flush_corked(handle, call);
    }
    handle_unlock(handle);
    if (result != TORC_OK) {
        (void)last_error_of_call(handle, call);
        call_release(call);
        free(future);
        return NULL;
    }
    return future;
}

struct torc_future *torc_submit(struct torc *handle, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    struct call *call = call_of_format(handle, format, arguments);
    va_end(arguments);
    return call == NULL ? NULL : submit_future(handle, call);
}

struct torc_future *torc_submit_with(struct torc *handle, const struct torc_call_options *options,
                                     int argc, const char **argv, const size_t *sizes)
{
    struct call *call = call_of_array(handle, options, argc, argv, sizes);
    return call == NULL ? NULL : submit_future(handle, call);
}

int torc_wait(struct torc_future *future, int timeout_ms, redisReply **reply)
{
    if (reply != NULL) {
        *reply = NULL;
    }
    if (future == NULL) {
        return TORC_EINVAL;
    }
    struct torc *handle = future->handle;
    const uint64_t until_ms = timeout_ms < 0 ? UINT64_MAX : clock_now_ms() + (unsigned)timeout_ms;
    last_error_begin(handle);
    handle_lock(handle);
    engine_flush_now(handle);
    if (timeout_ms == 0 && future->waiter.remaining > 0 && role_take(handle)) {
        engine_step(handle, &future->waiter, 0);
        role_pass(handle);
    }
    if (!waiter_wait(handle, &future->waiter, until_ms)) {
        return last_error_set(handle, TORC_EAGAIN, "the command is not answered yet");
    }
    struct call *call = future->call;
    if (call->error != TORC_OK && !future->fallen_back) {
        future->fallen_back = true;
        submit_fall_back(handle, call);
    }
    const int result = last_error_of_call(handle, call);
    if (result == TORC_OK && reply != NULL) {
        *reply = take_reply(call);
    }
    return result;
}

int torc_future_done(const struct torc_future *future)
{
    if (future == NULL) {
        return 0;
    }
    handle_lock(future->handle);
    const bool done = future->waiter.remaining == 0;
    handle_unlock(future->handle);
    return done;
}

void torc_future_free(struct torc_future *future)
{
    if (future == NULL) {
        return;
    }
    handle_lock(future->handle);
    future->call->waiter = NULL;
    handle_unlock(future->handle);
    call_release(future->call);
    free(future);
}

void torc_flush(struct torc *handle)
{
    if (handle != NULL && handle->options_valid) {
        last_error_begin(handle);
        handle_lock(handle);
        engine_flush_now(handle);
        handle_unlock(handle);
    }
}

/* ----------------------------------------------------------------------------------- callbacks */

static void call_back(struct torc *handle, struct delivery *delivery)
{
    struct call *call = (struct call *)(void *)((char *)delivery - offsetof(struct call, delivery));
    if (call->error != TORC_OK) {
        submit_fall_back(handle, call);
    }
    (void)last_error_of_call(handle, call);
    call->callback(handle, call->error, call->reply, call->context);
    call_release(call);
}

static int submit_async(struct torc *handle, struct call *call, torc_callback *callback,
                        void *context)
{
    call->callback = callback;
    call->context = context;
    call->delivery.run = call_back;
    handle_lock(handle);
    int result = loop_start(handle);
    if (result != TORC_OK) {
        call->error = result;
    } else {
        result = engine_submit(handle, call);
    }
    if (result == TORC_OK) {
        engine_flush_corked(handle, call);
        if (!handle->led) {
            loop_wake(handle);
        }
    }
    handle_unlock(handle);
    if (result != TORC_OK) {
        (void)last_error_of_call(handle, call);
    }
    call_release(call);
    return result;
}

static int begin_async(struct torc *handle, torc_callback *callback)
{
    if (handle == NULL) {
        return TORC_EINVAL;
    }
    last_error_begin(handle);
    return callback == NULL ? last_error_set(handle, TORC_EINVAL, "the callback is NULL") : TORC_OK;
}

int torc_async(struct torc *handle, torc_callback *callback, void *context, const char *format, ...)
{
    struct call *call;
    int result = begin_async(handle, callback);
    if (result != TORC_OK) {
        return result;
    }
    va_list arguments;
    va_start(arguments, format);
    result = command_line_format(handle, &call, format, arguments);
    va_end(arguments);
    return result == TORC_OK ? submit_async(handle, call, callback, context) : result;
}

int torc_async_with(struct torc *handle, const struct torc_call_options *options,
                    torc_callback *callback, void *context, int argc, const char **argv,
                    const size_t *sizes)
{
    struct call *call;
    int result = begin_async(handle, callback);
    if (result != TORC_OK) {
        return result;
    }
    result = command_line_array(handle, &call, options, argc, argv, sizes);
    return result == TORC_OK ? submit_async(handle, call, callback, context) : result;
}
