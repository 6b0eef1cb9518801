#include "client/loop.h"

#include "base/error.h"
#include "client/engine.h"
#include "client/last_error.h"
#include "client/thread.h"

#include <assert.h>

static void wake_as(struct torc *handle, enum waiter_state state)
{
    struct loop *loop = &handle->loop;
    loop->idle = false;
    loop->waiter.wake_as = state;
    loop->waiter.next = handle->wakes;
    handle->wakes = &loop->waiter;
}

/* Somebody has to poll though nobody waits. */
static bool is_needed(const struct loop *loop)
{
    return loop->callbacks > 0 || loop->lasting > 0;
}

void loop_wake(struct torc *handle)
{
    if (handle->loop.external) {
        if (!handle->loop.delivering && !handle->loop.processing) {
            engine_kick(handle);
        }
    } else if (handle->loop.idle) {
        wake_as(handle, WAITER_DONE);
    }
}

void loop_offer_role(struct torc *handle)
{
    const struct loop *loop = &handle->loop;
    const bool comes_by_itself = loop->stands_by && loop->callbacks == 0;
    if (is_needed(loop) && loop->idle && !comes_by_itself && !loop->stopping) {
        handle->led = true;
        wake_as(handle, WAITER_LEADING);
    }
}

void loop_deliver(struct torc *handle, struct delivery *delivery)
{
    struct loop *loop = &handle->loop;
    delivery->next = NULL;
    if (loop->delivered_last != NULL) {
        loop->delivered_last->next = delivery;
    } else {
        loop->delivered_first = delivery;
    }
    loop->delivered_last = delivery;
    loop_wake(handle);
}

bool loop_is_calling_back(const struct torc *handle)
{
    return handle->loop.delivering && pthread_equal(handle->loop.deliverer, pthread_self());
}

void loop_call_back(struct torc *handle)
{
    struct loop *loop = &handle->loop;
    if (loop->delivered_first == NULL || loop->delivering) {
        return;
    }
    loop->delivering = true;
    loop->deliverer = pthread_self();
    while (loop->delivered_first != NULL) {
        struct delivery *delivery = loop->delivered_first;
        loop->delivered_first = NULL;
        loop->delivered_last = NULL;
        handle_unlock(handle);
        while (delivery != NULL) {
            struct delivery *next = delivery->next;
            delivery->run(handle, delivery);
            delivery = next;
        }
        handle_lock(handle);
    }
    loop->delivering = false;
    engine_flush_now(handle);
}

/* Lock held: sleeps until it is woken. True if it has the role then. */
static bool sleep_idle(struct torc *handle)
{
    struct loop *loop = &handle->loop;
    loop->idle = true;
    return waiter_doze(handle, &loop->waiter) == WAITER_LEADING;
}

/* The same, but not longer than there are others who have the role now and then. */
static bool stand_by(struct torc *handle)
{
    struct loop *loop = &handle->loop;
    enum waiter_state state;
    uint64_t leads;
    loop->stands_by = true;
    do {
        leads = handle->leads;
        loop->idle = true;
        state = waiter_nap(handle, &loop->waiter, LOOP_STAND_BY_US);
        loop->idle = false;
    } while (state == WAITER_SLEEPING && handle->leads != leads);
    loop->stands_by = false;
    return state == WAITER_LEADING;
}

/* Role held. One turn; true if it has the role then. */
static bool lead(struct torc *handle)
{
    const struct loop *loop = &handle->loop;
    const uint64_t served = handle->served;
    engine_step(handle, NULL, UINT64_MAX);
    if (handle->served == served || loop->callbacks > 0 || loop->delivered_first != NULL ||
        loop->stopping) {
        return true;
    }
    role_pass(handle);
    return stand_by(handle);
}

static void *run(void *context)
{
    struct torc *handle = context;
    struct loop *loop = &handle->loop;
    bool leading = false;
    handle_lock(handle);
    while (!loop->stopping) {
        if (loop->delivered_first != NULL) {
            if (leading) {
                role_pass(handle);
                leading = false;
            }
            loop_call_back(handle);
        } else if (is_needed(loop) && (leading || role_take(handle))) {
            leading = lead(handle);
        } else if (leading) {
            role_pass(handle);
            leading = false;
        } else {
            leading = sleep_idle(handle);
        }
    }
    if (leading) {
        role_pass(handle);
    }
    handle_unlock(handle);
    return NULL;
}

int loop_start(struct torc *handle)
{
    struct loop *loop = &handle->loop;
    if (loop->external || loop->started) {
        return TORC_OK;
    }
    int result = thread_start(&loop->thread, run, handle, false);
    loop->started = result == TORC_OK;
    return result;
}

void loop_stop(struct torc *handle)
{
    struct loop *loop = &handle->loop;
    handle_lock(handle);
    const bool started = loop->started;
    loop->stopping = true;
    loop_wake(handle);
    engine_kick(handle);
    handle_unlock(handle);
    if (started) {
        (void)pthread_join(loop->thread, NULL);
    }
}

int torc_fd(struct torc *handle)
{
    if (handle == NULL) {
        return TORC_EINVAL;
    }
    last_error_begin(handle);
    if (!handle->options_valid) {
        return last_error_of_options(handle);
    }
    handle_lock(handle);
    const bool started = handle->loop.started;
    handle->loop.external = !started;
    handle_unlock(handle);
    if (started) {
        return last_error_set(handle, TORC_EINVAL,
                              "the handle runs callbacks on a thread of its own already: call "
                              "torc_fd before the first asynchronous command");
    }
    return handle->epoll_fd;
}

int torc_process(struct torc *handle)
{
    if (handle == NULL || !handle->options_valid) {
        return TORC_EINVAL;
    }
    last_error_begin(handle);
    handle_lock(handle);
    handle->loop.processing = true;
    if (role_take(handle)) {
        engine_step(handle, NULL, 0);
        role_pass(handle);
    }
    loop_call_back(handle);
    handle->loop.processing = false;
    handle_unlock(handle);
    return TORC_OK;
}
