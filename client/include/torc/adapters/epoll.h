/*
 * A handle of libtorc in a program's own epoll loop: callbacks of torc_async are called by it.
 *
 *      torc_epoll_add(epoll_fd, torc);              before the first torc_async
 *      ...
 *      n = epoll_wait(epoll_fd, events, ...);
 *      if (events[i].data.ptr == torc) torc_process(torc);
 *      ...
 *      torc_epoll_remove(epoll_fd, torc);           before torc_close
 */
#ifndef TORC_ADAPTERS_EPOLL_H
#define TORC_ADAPTERS_EPOLL_H

#include <errno.h>
#include <stddef.h>
#include <sys/epoll.h>
#include <torc/torc.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The event's data.ptr is the handle. 0; the error of torc_fd; or -errno of epoll_ctl. */
static inline int torc_epoll_add(int epoll_fd, struct torc *torc)
{
    struct epoll_event event;
    int fd = torc_fd(torc);
    if (fd < 0) {
        return fd;
    }
    event.events = EPOLLIN;
    event.data.ptr = torc;
    return epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &event) == 0 ? 0 : -errno;
}

static inline void torc_epoll_remove(int epoll_fd, struct torc *torc)
{
    (void)epoll_ctl(epoll_fd, EPOLL_CTL_DEL, torc_fd(torc), NULL);
}

#ifdef __cplusplus
}
#endif

#endif
