#include "client/command_line.h"

#include "base/error.h"
#include "client/blocking.h"
#include "client/clock.h"
#include "client/last_error.h"
#include "client/reading.h"

#include <stdio.h>
#include <stdlib.h>

#define NAME_SHOWN_MAX 32
#define ARGUMENTS_ON_STACK 16

static int refuse_call(const struct torc *handle, int error, const struct bytes *argv, size_t argc)
{
    char name[NAME_SHOWN_MAX + 1] = "command";
    if (argc > 0 && argv[0].size > 0) {
        size_t size = argv[0].size < NAME_SHOWN_MAX ? argv[0].size : NAME_SHOWN_MAX;
        memcpy(name, argv[0].data, size);
        name[size] = '\0';
    }
    switch (error) {
    case TORC_ETOOBIG:
        return last_error_set(handle, error, "%s: over a limit: %u bytes an argument, %u arguments",
                              name, (unsigned)REQUEST_BULK_SIZE_MAX,
                              (unsigned)REQUEST_ARGUMENTS_MAX);
    case TORC_EINVAL:
        return last_error_set(handle, error,
                              argc == 0 || argv[0].size == 0
                                  ? "%s: there is no command name"
                                  : "%s: needs a connection of its own, which a handle does not "
                                    "offer",
                              name);
    default: return last_error_set(handle, error, "%s: %s", name, torc_strerror(error));
    }
}

void command_line_set_deadline(const struct torc *handle, struct call *call, int timeout_ms)
{
    call->deadline_ms =
        clock_now_ms() + (timeout_ms > 0 ? (unsigned)timeout_ms : handle->options.timeout_ms);
}

/* `encoded` is that of the arguments if there is one already. */
static int make(struct torc *handle, struct call **out, const struct torc_call_options *options,
                const struct bytes *argv, size_t argc, const struct bytes *encoded)
{
    if (!handle->options_valid) {
        return last_error_of_options(handle);
    }
    int result = request_check(argv, argc);
    if (result == TORC_OK && request_is_connection_bound(argv, argc)) {
        result = TORC_EINVAL;
    }
    if (result != TORC_OK) {
        return refuse_call(handle, result, argv, argc);
    }
    if (options != NULL && (options->timeout_ms < 0 || options->timeout_ms > TIMEOUT_MS_MAX)) {
        return last_error_set(handle, TORC_EINVAL,
                              "timeout_ms: %d is not accepted; accepted: 0 to %d",
                              options->timeout_ms, TIMEOUT_MS_MAX);
    }
    if (options != NULL &&
        (options->read_from < TORC_READ_DEFAULT || options->read_from > TORC_READ_ROUND_ROBIN ||
         (options->read_from == TORC_READ_NEAREST && !handle->options.has_zone))) {
        return last_error_set(handle, TORC_EINVAL, "read_from: %d is not accepted",
                              (int)options->read_from);
    }
    struct request_route route = {.slot = REQUEST_NO_SLOT};
    const struct command_table *table =
        atomic_load_explicit(&handle->commands, memory_order_acquire);
    if (table != NULL) {
        route = request_route(table, argv, argc);
    }
    const size_t room = route.readonly ? 0 : NAME_HEAD_SIZE_MAX;
    struct call *call =
        encoded == NULL ? call_create(argv, argc, room) : call_create_encoded(*encoded, room);
    if (call == NULL) {
        return refuse_call(handle, TORC_ENOMEM, argv, argc);
    }
    call->route = route;
    call->routed = table != NULL;
    call->repeatable = options != NULL && options->repeatable != 0;
    call->read_from = options == NULL ? TORC_READ_DEFAULT : options->read_from;
    call->origin = reading_from_replicas(handle, call) || call->route.blocking
                       ? NULL
                       : (const void *)(uintptr_t)pthread_self();
    command_line_set_deadline(handle, call, options == NULL ? 0 : options->timeout_ms);
    if (call->route.blocking && (options == NULL || options->timeout_ms == 0)) {
        call->deadline_ms = blocking_deadline(argv, argc, call->deadline_ms);
    }
    *out = call;
    return TORC_OK;
}

int command_line_bytes(struct torc *handle, struct call **out, const struct bytes *argv,
                       size_t argc)
{
    return make(handle, out, NULL, argv, argc, NULL);
}

int command_line_format(struct torc *handle, struct call **out, const char *format,
                        va_list arguments)
{
    char *encoded = NULL;
    struct arguments argv = {0};
    if (format == NULL) {
        return last_error_set(handle, TORC_EINVAL, "the format is NULL");
    }
    int size = redisvFormatCommand(&encoded, format, arguments);
    if (size < 0) {
        /* -1 is for want of memory, -2 for a format that hiredis does not know. */
        return size == -1
                   ? last_error_plain(handle, TORC_ENOMEM)
                   : last_error_set(handle, TORC_EINVAL, "'%.100s' is no valid format", format);
    }
    const struct bytes request = {encoded, (size_t)size};
    int result = request_split(&argv, request);
    if (result == TORC_OK) {
        result = make(handle, out, NULL, argv.items, argv.count, &request);
    } else {
        /* An argument over the limit is as unreadable as anything else that hiredis never writes.
         */
        result = refuse_call(handle, result == TORC_ENOMEM ? TORC_ENOMEM : TORC_ETOOBIG, NULL, 0);
    }
    arguments_deinit(&argv);
    redisFreeCommand(encoded);
    return result;
}

int command_line_array(struct torc *handle, struct call **out,
                       const struct torc_call_options *options, int argc, const char **argv,
                       const size_t *sizes)
{
    struct bytes few[ARGUMENTS_ON_STACK];
    struct bytes *items = few;
    if (argc < 1 || argv == NULL) {
        return last_error_set(handle, TORC_EINVAL, "there are no arguments");
    }
    /* Before any memory is asked for on the word of a number. */
    if ((size_t)argc > REQUEST_ARGUMENTS_MAX) {
        return refuse_call(handle, TORC_ETOOBIG, NULL, 0);
    }
    for (int i = 0; i < argc; i++) {
        if (argv[i] == NULL && (sizes == NULL || sizes[i] > 0)) {
            return last_error_set(handle, TORC_EINVAL, "argument %d is NULL", i);
        }
    }
    if (argc > ARGUMENTS_ON_STACK) {
        items = calloc((size_t)argc, sizeof(*items));
        if (items == NULL) {
            return last_error_plain(handle, TORC_ENOMEM);
        }
    }
    for (int i = 0; i < argc; i++) {
        items[i] = (struct bytes){argv[i], sizes == NULL ? strlen(argv[i]) : sizes[i]};
    }
    int result = make(handle, out, options, items, (size_t)argc, NULL);
    if (items != few) {
        free(items);
    }
    return result;
}
