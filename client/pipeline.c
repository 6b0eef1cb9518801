/* Pipelines: calls that their user collects. */
#include "base/error.h"
#include "client/command_line.h"
#include "client/last_error.h"
#include "client/submit.h"

#include <stdlib.h>

#define CALLS_CAPACITY_MIN 16

struct torc_pipeline {
    struct torc *handle; /* borrowed */
    struct call **calls;
    size_t count;
    size_t capacity;
    size_t bytes; /* of all requests */
    bool executed;
};

int torc_pipeline_create(struct torc *handle, struct torc_pipeline **out)
{
    if (out == NULL) {
        return TORC_EINVAL;
    }
    *out = NULL;
    if (handle == NULL) {
        return TORC_EINVAL;
    }
    last_error_begin(handle);
    struct torc_pipeline *pipeline = calloc(1, sizeof(*pipeline));
    if (pipeline == NULL) {
        return last_error_plain(handle, TORC_ENOMEM);
    }
    pipeline->handle = handle;
    *out = pipeline;
    return TORC_OK;
}

void torc_pipeline_destroy(struct torc_pipeline *pipeline)
{
    if (pipeline != NULL) {
        torc_pipeline_reset(pipeline);
        free(pipeline->calls);
        free(pipeline);
    }
}

/* Begins a call on it that is allowed only until it is executed. */
static int begin(struct torc_pipeline *pipeline)
{
    if (pipeline == NULL) {
        return TORC_EINVAL;
    }
    last_error_begin(pipeline->handle);
    if (pipeline->executed) {
        return last_error_set(pipeline->handle, TORC_EINVAL,
                              "the pipeline has been executed; reset it first");
    }
    return TORC_OK;
}

/* Takes the call over. */
static int append(struct torc_pipeline *pipeline, struct call *call)
{
    if (pipeline->count == pipeline->capacity) {
        size_t capacity = pipeline->capacity == 0 ? CALLS_CAPACITY_MIN : 2 * pipeline->capacity;
        struct call **calls = realloc(pipeline->calls, capacity * sizeof(struct call *));
        if (calls == NULL) {
            call_release(call);
            return last_error_plain(pipeline->handle, TORC_ENOMEM);
        }
        pipeline->calls = calls;
        pipeline->capacity = capacity;
    }
    /* A single command may be larger than that: its own limits were looked at. */
    if (pipeline->count == PIPELINE_COMMANDS_MAX ||
        (pipeline->count > 0 && pipeline->bytes + call->size > PIPELINE_SIZE_MAX)) {
        call_release(call);
        return last_error_set(pipeline->handle, TORC_ETOOBIG,
                              "over a limit: %zu commands and %zu bytes a pipeline",
                              (size_t)PIPELINE_COMMANDS_MAX, (size_t)PIPELINE_SIZE_MAX);
    }
    pipeline->bytes += call->size;
    pipeline->calls[pipeline->count++] = call;
    return TORC_OK;
}

int torc_pipeline_append(struct torc_pipeline *pipeline, const char *format, ...)
{
    struct call *call;
    int result = begin(pipeline);
    if (result == TORC_OK) {
        va_list arguments;
        va_start(arguments, format);
        result = command_line_format(pipeline->handle, &call, format, arguments);
        va_end(arguments);
    }
    return result == TORC_OK ? append(pipeline, call) : result;
}

int torc_pipeline_append_argv(struct torc_pipeline *pipeline, int argc, const char **argv,
                              const size_t *sizes)
{
    struct call *call;
    int result = begin(pipeline);
    if (result == TORC_OK) {
        result = command_line_array(pipeline->handle, &call, NULL, argc, argv, sizes);
    }
    return result == TORC_OK ? append(pipeline, call) : result;
}

int torc_pipeline_execute(struct torc_pipeline *pipeline)
{
    int result = begin(pipeline);
    if (result != TORC_OK) {
        return result;
    }
    pipeline->executed = true;
    for (size_t i = 0; i < pipeline->count; i++) {
        struct call *call = pipeline->calls[i];
        if (i == 0) {
            command_line_set_deadline(pipeline->handle, call, 0);
        }
        call->deadline_ms = pipeline->calls[0]->deadline_ms;
        call->origin = (const void *)(uintptr_t)pthread_self();
    }
    return submit_all_and_wait(pipeline->handle, pipeline->calls, pipeline->count);
}

size_t torc_pipeline_count(const struct torc_pipeline *pipeline)
{
    return pipeline == NULL ? 0 : pipeline->count;
}

static const struct call *executed_call(const struct torc_pipeline *pipeline, size_t index)
{
    return pipeline == NULL || !pipeline->executed || index >= pipeline->count
               ? NULL
               : pipeline->calls[index];
}

const redisReply *torc_pipeline_reply(const struct torc_pipeline *pipeline, size_t index)
{
    const struct call *call = executed_call(pipeline, index);
    return call == NULL ? NULL : call->reply;
}

int torc_pipeline_error(const struct torc_pipeline *pipeline, size_t index)
{
    const struct call *call = executed_call(pipeline, index);
    return call == NULL ? TORC_EINVAL : call->error;
}

void torc_pipeline_reset(struct torc_pipeline *pipeline)
{
    if (pipeline != NULL) {
        for (size_t i = 0; i < pipeline->count; i++) {
            call_release(pipeline->calls[i]);
        }
        pipeline->count = 0;
        pipeline->bytes = 0;
        pipeline->executed = false;
        if (pipeline->capacity > ARGUMENTS_KEPT) {
            free(pipeline->calls);
            pipeline->calls = NULL;
            pipeline->capacity = 0;
        }
    }
}
