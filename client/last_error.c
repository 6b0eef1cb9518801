#include "client/last_error.h"

#include "base/error.h"
#include "client/call.h"
#include "client/handle.h"

#include <stdarg.h>
#include <stdio.h>

struct last_error {
    uint64_t birth; /* of the handle; 0 = none */
    int error;
    char text[ERROR_TEXT_SIZE];
};

static _Thread_local struct last_error last;

void last_error_begin(const struct torc *handle)
{
    last.birth = handle->birth;
    last.error = TORC_OK;
    last.text[0] = '\0';
}

int last_error_set(const struct torc *handle, int error, const char *format, ...)
{
    va_list arguments;
    last.birth = handle->birth;
    last.error = error;
    va_start(arguments, format);
    (void)vsnprintf(last.text, sizeof(last.text), format, arguments);
    va_end(arguments);
    return error;
}

int last_error_plain(const struct torc *handle, int error)
{
    return last_error_set(handle, error, "%s", torc_strerror(error));
}

int last_error_of_call(const struct torc *handle, const struct call *call)
{
    if (call->error == TORC_OK) {
        last_error_begin(handle);
        return TORC_OK;
    }
    return last_error_set(handle, call->error, "%s",
                          call->text != NULL ? call->text : torc_strerror(call->error));
}

int last_error_of_options(const struct torc *handle)
{
    return last_error_set(handle, TORC_EINVAL, "the handle was given options that are not valid");
}

const char *torc_error(const struct torc *handle)
{
    if (handle == NULL) {
        return "there is no handle";
    }
    return last.birth == handle->birth ? last.text : "";
}

int torc_error_code(const struct torc *handle)
{
    if (handle == NULL) {
        return TORC_EINVAL;
    }
    return last.birth == handle->birth ? last.error : TORC_OK;
}
