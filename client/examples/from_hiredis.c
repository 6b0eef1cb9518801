/*
 * A program of hiredis, moved over. What is left of the old one stands in the comments: a handle
 * takes the place of a context, and may be shared by threads; replies are the same.
 *
 *     cc from_hiredis.c $(pkg-config --cflags --libs torc) -o from_hiredis
 *     ./from_hiredis 127.0.0.1:6379                     a redis-server, as before
 *     ./from_hiredis 127.0.0.1:7001,127.0.0.1:7002      or a cluster
 */
#include <stdio.h>
#include <torc/torc.h>

int main(int argc, char **argv)
{
    /* redisContext *context = redisConnect("127.0.0.1", 6379); */
    struct torc_options options = {.seeds = argc > 1 ? argv[1] : "127.0.0.1:6379"};
    struct torc *torc;
    if (torc_connect(&options, &torc) != 0) {
        fprintf(stderr, "from_hiredis: %s\n", torc_error(torc)); /* context->errstr */
        torc_close(torc);
        return 1;
    }

    /* redisReply *reply = redisCommand(context, "HSET %s name %s", "user:1", "Ada"); */
    redisReply *reply = torc_command(torc, "HSET %s name %s", "user:1", "Ada");
    torc_reply_free(reply); /* freeReplyObject(reply); */

    reply = torc_command(torc, "HGET %s name", "user:1");
    if (reply != NULL && reply->type == REDIS_REPLY_STRING) {
        printf("user:1 is %s\n", reply->str);
    }
    torc_reply_free(reply);

    /* redisAppendCommand(context, ...) ... redisGetReply(context, &reply) */
    struct torc_pipeline *pipeline;
    if (torc_pipeline_create(torc, &pipeline) == 0) {
        for (int i = 0; i < 10; i++) {
            (void)torc_pipeline_append(pipeline, "RPUSH numbers %d", i);
        }
        if (torc_pipeline_execute(pipeline) == 0) {
            printf("%lld numbers\n", torc_pipeline_reply(pipeline, 9)->integer);
        }
        torc_pipeline_destroy(pipeline);
    }

    torc_close(torc); /* redisFree(context); */
    return 0;
}
