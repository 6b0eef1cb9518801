/*
 * The library in one page: connect, set, get, a command, a pipeline.
 *
 *     cc quickstart.c $(pkg-config --cflags --libs torc) -o quickstart
 *     ./quickstart 127.0.0.1:7001,127.0.0.1:7002
 */
#include <stdio.h>
#include <torc/torc.h>

static int fail(struct torc *torc)
{
    fprintf(stderr, "quickstart: %s\n", torc_error(torc));
    torc_close(torc);
    return 1;
}

int main(int argc, char **argv)
{
    struct torc_options options = {.seeds = argc > 1 ? argv[1] : "127.0.0.1:7001"};
    struct torc *torc;
    if (torc_connect(&options, &torc) != 0) {
        return fail(torc);
    }

    /* Helpers take and give bytes; torc_text makes them of a text. */
    struct torc_set_options one_minute = {.ttl_ms = 60000};
    struct torc_value value;
    if (torc_set(torc, torc_text("greeting"), torc_text("hello"), &one_minute) != 0 ||
        torc_get(torc, torc_text("greeting"), &value) != 0) {
        return fail(torc);
    }
    printf("greeting is %s\n", value.data);
    torc_value_free(&value);

    /* Any command, in the format of hiredis. */
    redisReply *reply = torc_command(torc, "INCRBY %s %d", "visits", 1);
    if (reply == NULL) {
        return fail(torc);
    }
    if (reply->type == REDIS_REPLY_INTEGER) {
        printf("visits is %lld\n", reply->integer);
    }
    torc_reply_free(reply);

    /* Many commands at once: each goes to the node that owns its key. */
    struct torc_pipeline *pipeline;
    if (torc_pipeline_create(torc, &pipeline) != 0) {
        return fail(torc);
    }
    int failed = 0;
    for (int i = 0; i < 100 && failed == 0; i++) {
        failed = torc_pipeline_append(pipeline, "SET user:%d %d", i, i * i);
    }
    failed = failed != 0 ? failed : torc_pipeline_append(pipeline, "GET user:%d", 9);
    failed = failed != 0 ? failed : torc_pipeline_execute(pipeline);
    if (failed == 0) {
        printf("user:9 is %s\n", torc_pipeline_reply(pipeline, 100)->str);
    }
    torc_pipeline_destroy(pipeline);
    if (failed != 0) {
        return fail(torc);
    }
    torc_close(torc);
    return 0;
}
