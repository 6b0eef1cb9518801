#include "client/command_line.h"

#include "base/error.h"

#include <hiredis/hiredis.h>
#include <stdio.h>

#define NAME_SHOWN_MAX 32

static int refuse_call(struct torc *handle, int error)
{
    const struct bytes *argv = handle->arguments.items;
    char name[NAME_SHOWN_MAX + 1] = "command";
    if (handle->arguments.count > 0 && argv[0].size > 0) {
        size_t size = argv[0].size < NAME_SHOWN_MAX ? argv[0].size : NAME_SHOWN_MAX;
        memcpy(name, argv[0].data, size);
        name[size] = '\0';
    }
    switch (error) {
    case TORC_ETOOBIG:
        return handle_fail(handle, error,
                           "%s: over a limit: %u bytes an argument, %u arguments, %zu "
                           "commands and %zu bytes a pipeline",
                           name, (unsigned)REQUEST_BULK_SIZE_MAX, (unsigned)REQUEST_ARGUMENTS_MAX,
                           (size_t)PIPELINE_COMMANDS_MAX, (size_t)PIPELINE_SIZE_MAX);
    case TORC_EINVAL:
        return handle_fail(handle, error,
                           handle->arguments.count == 0 || argv[0].size == 0
                               ? "%s: there is no command name"
                               : "%s: needs a connection of its own, which a handle does not offer",
                           name);
    default: return handle_fail(handle, error, "%s: %s", name, torc_strerror(error));
    }
}

int command_line_add(struct torc *handle, struct batch *batch)
{
    if (!handle->options_valid) {
        return handle_fail(handle, TORC_EINVAL, "the handle was given options that are not valid");
    }
    int result = batch_add(batch, handle->arguments.items, handle->arguments.count);
    return result == TORC_OK ? TORC_OK : refuse_call(handle, result);
}

int command_line_format(struct torc *handle, struct batch *batch, const char *format,
                        va_list arguments)
{
    char *encoded = NULL;
    if (format == NULL) {
        return handle_fail(handle, TORC_EINVAL, "the format is NULL");
    }
    int size = redisvFormatCommand(&encoded, format, arguments);
    if (size < 0) {
        /* -1 is for want of memory, -2 for a format that hiredis does not know. */
        return size == -1 ? handle_fail(handle, TORC_ENOMEM, "%s", torc_strerror(TORC_ENOMEM))
                          : handle_fail(handle, TORC_EINVAL, "'%.100s' is no valid format", format);
    }
    int result = request_split(&handle->arguments, (struct bytes){encoded, (size_t)size});
    if (result == TORC_OK) {
        result = command_line_add(handle, batch);
    } else {
        /* An argument over the limit is as unreadable as anything else that hiredis never writes.
         */
        handle->arguments.count = 0;
        result = refuse_call(handle, result == TORC_ENOMEM ? TORC_ENOMEM : TORC_ETOOBIG);
    }
    redisFreeCommand(encoded);
    return result;
}

int command_line_array(struct torc *handle, struct batch *batch, int argc, const char **argv,
                       const size_t *sizes)
{
    if (argc < 1 || argv == NULL) {
        return handle_fail(handle, TORC_EINVAL, "there are no arguments");
    }
    /* Before any memory is asked for on the word of a number. */
    if ((size_t)argc > REQUEST_ARGUMENTS_MAX) {
        handle->arguments.count = 0;
        return refuse_call(handle, TORC_ETOOBIG);
    }
    int result = arguments_resize(&handle->arguments, (size_t)argc);
    if (result != TORC_OK) {
        handle->arguments.count = 0;
        return refuse_call(handle, result);
    }
    for (int i = 0; i < argc; i++) {
        if (argv[i] == NULL && (sizes == NULL || sizes[i] > 0)) {
            return handle_fail(handle, TORC_EINVAL, "argument %d is NULL", i);
        }
        handle->arguments.items[i] =
            (struct bytes){argv[i], sizes == NULL ? strlen(argv[i]) : sizes[i]};
    }
    return command_line_add(handle, batch);
}
