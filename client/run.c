#include "client/run.h"

#include "base/error.h"
#include "client/clock.h"
#include "client/discover.h"
#include "client/exchange.h"
#include "client/retry.h"

#include <assert.h>
#include <errno.h>

void run_sleep(uint64_t delay_ms)
{
    struct timespec delay = {.tv_sec = (time_t)(delay_ms / 1000),
                             .tv_nsec = (long)(delay_ms % 1000) * 1000000};
    while (nanosleep(&delay, &delay) != 0 && errno == EINTR) {
    }
}

static int route(struct torc *handle, struct batch *batch)
{
    for (size_t i = 0; i < batch->count; i++) {
        int result = request_split(&handle->arguments, batch_request(batch, i));
        if (result != TORC_OK) {
            assert(result == TORC_ENOMEM); /* it was encoded here */
            return handle_fail(handle, result, "%s", torc_strerror(result));
        }
        batch->calls[i].route =
            request_route(&handle->commands, handle->arguments.items, handle->arguments.count);
    }
    return TORC_OK;
}

static int prepare(struct torc *handle, struct batch *batch, uint64_t deadline_ms)
{
    int result = handle->ready ? TORC_OK : discover_join(handle, deadline_ms);
    return result == TORC_OK ? route(handle, batch) : result;
}

/* No call was sent: none has a reply. */
static int fail_all(struct torc *handle, struct batch *batch)
{
    for (size_t i = 0; i < batch->count; i++) {
        batch->calls[i].state = CALL_DONE;
        batch->calls[i].error = handle->error;
    }
    return handle->error;
}

static int first_error(struct torc *handle, const struct batch *batch)
{
    size_t first = batch_first_error(batch);
    if (first == batch->count) {
        handle_begin(handle);
        return TORC_OK;
    }
    int error = batch->calls[first].error;
    if (handle->error_at != first || error == TORC_EAGAIN) {
        handle->error_at = SIZE_MAX;
        handle_note_failure(handle, batch, first, error, NULL,
                            error == TORC_EAGAIN
                                ? "not executed: a retry would have come after later commands"
                                : torc_strerror(error));
    }
    handle->error = error;
    return error;
}

int run_batch(struct torc *handle, struct batch *batch)
{
    struct retry retry = {0};
    const uint64_t deadline_ms = clock_now_ms() + handle->options.timeout_ms;
    if (batch->count == 0) {
        return TORC_OK;
    }
    if (prepare(handle, batch, deadline_ms) != TORC_OK) {
        return fail_all(handle, batch);
    }
    for (;;) {
        bool only_moved;
        uint64_t delay_ms;
        exchange_round(handle, batch, deadline_ms);
        if (batch_judge(batch, &only_moved) == 0) {
            break;
        }
        if (!retry_next(&retry, only_moved, clock_now_ms(), deadline_ms, &handle->prng,
                        &delay_ms)) {
            batch_give_up(batch);
            break;
        }
        if (delay_ms > 0) {
            run_sleep(delay_ms);
        }
        if (handle->findings.refresh) {
            (void)discover_refresh(handle, deadline_ms);
        }
        batch_renew(batch);
    }
    return first_error(handle, batch);
}
