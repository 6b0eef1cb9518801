/*
 * A handle of libtorc in a program's libuv loop: callbacks of torc_async are called by that loop.
 *
 *      struct torc_libuv adapter;
 *      torc_libuv_start(&adapter, loop, torc);      before the first torc_async
 *      ...
 *      torc_libuv_stop(&adapter, stopped);          before torc_close; may be NULL
 *
 * Link libuv; libtorc itself does not.
 */
#ifndef TORC_ADAPTERS_LIBUV_H
#define TORC_ADAPTERS_LIBUV_H

#include <torc/torc.h>
#include <uv.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The caller's memory, in use until `stopped` has been called. */
struct torc_libuv {
    uv_poll_t watcher;
    struct torc *torc;
};

static inline void torc_libuv_ready(uv_poll_t *watcher, int status, int events)
{
    (void)status;
    (void)events;
    (void)torc_process((struct torc *)watcher->data);
}

/* 0; the error of torc_fd: asynchronous commands have been given already; or libuv's. */
static inline int torc_libuv_start(struct torc_libuv *adapter, uv_loop_t *loop, struct torc *torc)
{
    int fd = torc_fd(torc);
    if (fd < 0) {
        return fd;
    }
    adapter->torc = torc;
    adapter->watcher.data = torc;
    int result = uv_poll_init(loop, &adapter->watcher, fd);
    return result != 0 ? result : uv_poll_start(&adapter->watcher, UV_READABLE, torc_libuv_ready);
}

/* `stopped` is called by the loop when the memory is free again; it may be NULL. */
static inline void torc_libuv_stop(struct torc_libuv *adapter, uv_close_cb stopped)
{
    (void)uv_poll_stop(&adapter->watcher);
    uv_close((uv_handle_t *)&adapter->watcher, stopped);
}

#ifdef __cplusplus
}
#endif

#endif
