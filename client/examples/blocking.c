/*
 * A queue: one thread waits for work with BLPOP, another uses the same handle meanwhile. Commands
 * that may wait at the server have connections of their own, so they hold nobody up.
 *
 *      blocking [SEEDS]
 */
#include <pthread.h>
#include <stdio.h>
#include <torc/torc.h>

#define TASKS 3

static void *work(void *context)
{
    struct torc *torc = context;
    for (;;) {
        /* For two seconds at most; the deadline of the call is as much later. */
        redisReply *reply = torc_command(torc, "BLPOP %s 2", "blocking:queue");
        if (reply == NULL || reply->type != REDIS_REPLY_ARRAY) {
            fprintf(stderr, "blocking: %s\n", reply == NULL ? torc_error(torc) : "nothing came");
            torc_reply_free(reply);
            return NULL;
        }
        const char task = reply->element[1]->str[0];
        printf("task %c\n", task);
        torc_reply_free(reply);
        if (task == '0' + TASKS) {
            return NULL;
        }
    }
}

int main(int argc, char **argv)
{
    struct torc_options options = {.seeds = argc > 1 ? argv[1] : "127.0.0.1:7001"};
    struct torc *torc;
    pthread_t worker;
    int answered = 0;
    if (torc_connect(&options, &torc) != 0 || pthread_create(&worker, NULL, work, torc) != 0) {
        fprintf(stderr, "blocking: %s\n", torc_error(torc));
        torc_close(torc);
        return 1;
    }
    for (int i = 0; i < 1000; i++) {
        redisReply *reply = torc_command(torc, "SET blocking:key %d", i);
        answered += reply != NULL && reply->type == REDIS_REPLY_STATUS;
        torc_reply_free(reply);
    }
    for (int i = 1; i <= TASKS; i++) {
        torc_reply_free(torc_command(torc, "RPUSH blocking:queue %d", i));
    }
    pthread_join(worker, NULL);
    printf("%d answered meanwhile\n", answered);
    torc_close(torc);
    return 0;
}
