/* The public face of a handle: making and closing it. */
#include "torc/torc.h"

#include "base/error.h"
#include "client/clock.h"
#include "client/command_line.h"
#include "client/engine.h"
#include "client/last_error.h"
#include "client/submit.h"

#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/timerfd.h>
#include <unistd.h>

const char *torc_version(void)
{
    return TORC_VERSION;
}

/* Different in every handle, also in those made in the same instant. */
static uint64_t birth_of(const struct torc *handle)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return ((uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec +
            (uint64_t)(uintptr_t)handle) |
           1;
}

static bool watch(const struct torc *handle, int fd, void *tag)
{
    struct epoll_event event = {.events = EPOLLIN, .data = {.ptr = tag}};
    return fd >= 0 && epoll_ctl(handle->epoll_fd, EPOLL_CTL_ADD, fd, &event) == 0;
}

static int open_descriptors(struct torc *handle)
{
    handle->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    handle->event_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    handle->timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    if (handle->epoll_fd < 0 || !watch(handle, handle->event_fd, &handle->event_fd) ||
        !watch(handle, handle->timer_fd, &handle->timer_fd)) {
        return last_error_set(handle, TORC_EIO, "there is no descriptor for the handle: %m");
    }
    return TORC_OK;
}

/* Waits until the cluster is known, or no seed knows it. */
static int join(struct torc *handle)
{
    struct call *call = call_create_encoded((struct bytes){NULL, 0}, 0);
    if (call == NULL) {
        return last_error_plain(handle, TORC_ENOMEM);
    }
    call->joins = true;
    command_line_set_deadline(handle, call, 0);
    const int result = submit_and_wait(handle, call);
    call_release(call);
    return result;
}

int torc_connect(const struct torc_options *options, struct torc **out)
{
    char text[ERROR_TEXT_SIZE];
    if (out == NULL) {
        return TORC_EINVAL;
    }
    struct torc *handle = calloc(1, sizeof(*handle));
    *out = handle;
    if (handle == NULL) {
        return TORC_ENOMEM;
    }
    handle->birth = birth_of(handle);
    handle->epoll_fd = handle->event_fd = handle->timer_fd = -1;
    handle->due_ms = handle->armed_ms = UINT64_MAX;
    (void)pthread_mutex_init(&handle->lock, NULL);
    loads_init(&handle->loads);
    prng_init(&handle->prng, handle->birth);
    retry_budget_init(&handle->budget, clock_now_ms());
    last_error_begin(handle);
    int result = client_options_read(&handle->options, options, text);
    if (result == TORC_OK && handle->options.near_bytes > 0) {
        handle->near = near_create(&handle->options);
        result = handle->near == NULL ? TORC_ENOMEM : TORC_OK;
    }
    if (result == TORC_ENOMEM) {
        torc_close(handle);
        *out = NULL;
        return result;
    }
    if (result != TORC_OK) {
        return last_error_set(handle, result, "%s", text);
    }
    result = open_descriptors(handle);
    if (result != TORC_OK) {
        return result;
    }
    if (names_init(&handle->names) != TORC_OK) {
        return last_error_set(handle, TORC_EIO, "there are no random bytes for the handle: %m");
    }
    handle->options_valid = true;
    return join(handle);
}

void torc_close(struct torc *handle)
{
    if (handle == NULL) {
        return;
    }
    loop_stop(handle);
    handle_lock(handle);
    engine_shut(handle);
    loop_call_back(handle);
    handle_unlock(handle);
    order_deinit(&handle->order);
    discover_deinit(&handle->discover);
    nodes_deinit(&handle->nodes);
    near_destroy(handle->near);
    routing_deinit(&handle->routing);
    free(handle->direct);
    free(handle->any);
    free(handle->replicas);
    command_table_deinit(&handle->table);
    arguments_deinit(&handle->scratch);
    client_options_deinit(&handle->options);
    const int descriptors[] = {handle->timer_fd, handle->event_fd, handle->epoll_fd};
    for (size_t i = 0; i < sizeof(descriptors) / sizeof(descriptors[0]); i++) {
        if (descriptors[i] >= 0) {
            close(descriptors[i]);
        }
    }
    loads_deinit(&handle->loads);
    (void)pthread_mutex_destroy(&handle->lock);
    free(handle);
}
