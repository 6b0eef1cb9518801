#include "client/handle.h"

#include "base/error.h"

#include <stdarg.h>
#include <stdio.h>

#define NAME_SHOWN_MAX 32

void handle_begin(struct torc *handle)
{
    handle->error = TORC_OK;
    handle->error_at = SIZE_MAX;
    handle->error_text[0] = '\0';
}

int handle_fail(struct torc *handle, int error, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(handle->error_text, sizeof(handle->error_text), format, arguments);
    va_end(arguments);
    handle->error = error;
    return error;
}

void handle_note_failure(struct torc *handle, const struct batch *batch, size_t call, int error,
                         const struct endpoint *endpoint, const char *text)
{
    size_t at = handle->error_at;
    if (at < call && at < batch->count && batch->calls[at].error != TORC_OK) {
        return;
    }
    char where[ENDPOINT_TEXT_SIZE] = "no node";
    if (endpoint != NULL) {
        endpoint_format(endpoint, where);
    }
    struct bytes name = batch_name(batch, call);
    handle->error_at = call;
    (void)handle_fail(handle, error, "%s: %.*s: %s", where,
                      name.size < NAME_SHOWN_MAX ? (int)name.size : NAME_SHOWN_MAX, name.data,
                      text);
}
