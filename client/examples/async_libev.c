/*
 * Commands with callbacks in the program's own loop, here libev's: a hundred are on their way at
 * the same time, and each answer counts. Other loops: torc/adapters/libuv.h and epoll.h.
 *
 *     cc async_libev.c $(pkg-config --cflags --libs torc) -lev -o async_libev
 */
#include <stdio.h>
#include <torc/adapters/libev.h>
#include <torc/torc.h>

struct progress {
    struct ev_loop *loop;
    int asked;
    int answered;
    int failed;
};

static void on_reply(struct torc *torc, int error, redisReply *reply, void *context)
{
    struct progress *progress = context;
    if (error != 0) {
        fprintf(stderr, "async_libev: %s\n", torc_error(torc));
        progress->failed++;
    } else if (reply->type == REDIS_REPLY_ERROR) {
        fprintf(stderr, "async_libev: %s\n", reply->str);
        progress->failed++;
    }
    progress->answered++;
    if (progress->answered == progress->asked) {
        ev_break(progress->loop, EVBREAK_ALL);
    }
}

int main(int argc, char **argv)
{
    struct torc_options options = {.seeds = argc > 1 ? argv[1] : "127.0.0.1:7001"};
    struct progress progress = {.loop = ev_default_loop(EVFLAG_AUTO)};
    struct torc_libev adapter;
    struct torc *torc;
    if (torc_connect(&options, &torc) != 0 ||
        torc_libev_start(&adapter, progress.loop, torc) != 0) {
        fprintf(stderr, "async_libev: %s\n", torc_error(torc));
        torc_close(torc);
        return 1;
    }
    for (int i = 0; i < 100; i++) {
        if (torc_async(torc, on_reply, &progress, "SET async:%d %d", i, i * i) != 0) {
            fprintf(stderr, "async_libev: %s\n", torc_error(torc));
            break;
        }
        progress.asked++;
    }
    if (progress.asked > 0) {
        ev_run(progress.loop, 0);
    }
    printf("%d answered, %d failed\n", progress.answered, progress.failed);
    torc_libev_stop(&adapter);
    torc_close(torc);
    return progress.answered == 100 && progress.failed == 0 ? 0 : 1;
}
