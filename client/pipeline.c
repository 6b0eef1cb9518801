/* Pipelines: a batch that its user fills. */
#include "torc/torc.h"

#include "client/command_line.h"
#include "client/run.h"

#include <stdarg.h>
#include <stdlib.h>

struct torc_pipeline {
    struct torc *handle; /* borrowed */
    struct batch batch;
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
    struct torc_pipeline *pipeline = calloc(1, sizeof(*pipeline));
    if (pipeline == NULL) {
        return handle_fail(handle, TORC_ENOMEM, "%s", torc_strerror(TORC_ENOMEM));
    }
    pipeline->handle = handle;
    *out = pipeline;
    return TORC_OK;
}

void torc_pipeline_destroy(struct torc_pipeline *pipeline)
{
    if (pipeline != NULL) {
        batch_deinit(&pipeline->batch);
        free(pipeline);
    }
}

/* Begins a call on it that is allowed only until it is executed. */
static int begin(struct torc_pipeline *pipeline)
{
    if (pipeline == NULL) {
        return TORC_EINVAL;
    }
    handle_begin(pipeline->handle);
    if (pipeline->executed) {
        return handle_fail(pipeline->handle, TORC_EINVAL,
                           "the pipeline has been executed; reset it first");
    }
    return TORC_OK;
}

int torc_pipeline_append(struct torc_pipeline *pipeline, const char *format, ...)
{
    int result = begin(pipeline);
    if (result == TORC_OK) {
        va_list arguments;
        va_start(arguments, format);
        result = command_line_format(pipeline->handle, &pipeline->batch, format, arguments);
        va_end(arguments);
    }
    return result;
}

int torc_pipeline_append_argv(struct torc_pipeline *pipeline, int argc, const char **argv,
                              const size_t *sizes)
{
    int result = begin(pipeline);
    return result == TORC_OK
               ? command_line_array(pipeline->handle, &pipeline->batch, argc, argv, sizes)
               : result;
}

int torc_pipeline_execute(struct torc_pipeline *pipeline)
{
    int result = begin(pipeline);
    if (result == TORC_OK) {
        pipeline->executed = true;
        result = run_batch(pipeline->handle, &pipeline->batch);
    }
    return result;
}

size_t torc_pipeline_count(const struct torc_pipeline *pipeline)
{
    return pipeline == NULL ? 0 : pipeline->batch.count;
}

static const struct call *executed_call(const struct torc_pipeline *pipeline, size_t index)
{
    return pipeline == NULL || !pipeline->executed || index >= pipeline->batch.count
               ? NULL
               : &pipeline->batch.calls[index];
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
        batch_reset(&pipeline->batch);
        pipeline->executed = false;
    }
}
