/*
 * A handle of libtorc in a program's libev loop: callbacks of torc_async are called by that loop.
 *
 *      struct torc_libev adapter;
 *      torc_libev_start(&adapter, loop, torc);      before the first torc_async
 *      ...
 *      torc_libev_stop(&adapter);                   before torc_close
 *
 * Link libev; libtorc itself does not.
 */
#ifndef TORC_ADAPTERS_LIBEV_H
#define TORC_ADAPTERS_LIBEV_H

#include <ev.h>
#include <torc/torc.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The caller's memory, in use until torc_libev_stop. */
struct torc_libev {
    ev_io watcher;
    struct ev_loop *loop;
    struct torc *torc;
};

static inline void torc_libev_ready(struct ev_loop *loop, ev_io *watcher, int events)
{
    (void)loop;
    (void)events;
    (void)torc_process((struct torc *)watcher->data);
}

/* 0, or the error of torc_fd: asynchronous commands have been given already. */
static inline int torc_libev_start(struct torc_libev *adapter, struct ev_loop *loop,
                                   struct torc *torc)
{
    int fd = torc_fd(torc);
    if (fd < 0) {
        return fd;
    }
    adapter->loop = loop;
    adapter->torc = torc;
    ev_init(&adapter->watcher, torc_libev_ready);
    ev_io_set(&adapter->watcher, fd, EV_READ);
    adapter->watcher.data = torc;
    ev_io_start(loop, &adapter->watcher);
    return 0;
}

static inline void torc_libev_stop(struct torc_libev *adapter)
{
    ev_io_stop(adapter->loop, &adapter->watcher);
}

#ifdef __cplusplus
}
#endif

#endif
