/*
 * A small interactive client: one command a line, its words parted by blanks.
 *
 *     GET key               any command
 *     .get K                the helpers: .get K, .set K V, .del K..., .mget K..., .mset K V...
 *     .load K V             get or load, where V is what is loaded
 *     .lock K MS            and .extend K MS, .unlock K: one lock; prints its token
 *     .begin  .execute      what is between them is one pipeline
 *     .read P               who answers single commands that read, by the number in torc_read_from
 *     .timeout MS           for single commands
 *     .near                 what the near cache has done: hits, misses, invalidations, nodes
 *
 *     shell [SEEDS [TIMEOUT_MS [PASSWORD [ZONE [NEAR_BYTES [NEAR_STALE_MS]]]]]]   no password: -
 *
 * Each answer is one line; errors of the library begin with "!" and their code.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <torc/torc.h>

#define WORDS_MAX 4096

static void print_reply(const redisReply *reply)
{
    switch (reply->type) {
    case REDIS_REPLY_INTEGER: printf("(%lld)", reply->integer); break;
    case REDIS_REPLY_NIL: printf("(nil)"); break;
    case REDIS_REPLY_ERROR: printf("-%s", reply->str); break;
    case REDIS_REPLY_ARRAY:
        printf("[");
        for (size_t i = 0; i < reply->elements; i++) {
            printf("%s", i == 0 ? "" : " ");
            print_reply(reply->element[i]);
        }
        printf("]");
        break;
    default: printf("%s", reply->str); break;
    }
}

static void print_error(const struct torc *torc)
{
    printf("!%d %s\n", torc_error_code(torc), torc_error(torc));
}

static struct torc_call_options call_options;

static void run_command(struct torc *torc, int count, const char **words)
{
    redisReply *reply = torc_command_with(torc, &call_options, count, words, NULL);
    if (reply == NULL) {
        print_error(torc);
        return;
    }
    print_reply(reply);
    printf("\n");
    torc_reply_free(reply);
}

static int run_mget(struct torc *torc, const struct torc_bytes *keys, size_t count)
{
    struct torc_value values[WORDS_MAX];
    int error = torc_mget(torc, keys, count, values);
    for (size_t i = 0; i < count && error == 0; i++) {
        printf("%s%s", i == 0 ? "" : " ", values[i].data == NULL ? "(nil)" : values[i].data);
        torc_value_free(&values[i]);
    }
    return error;
}

static int load(struct torc *torc, struct torc_bytes key, struct torc_value *value, void *context)
{
    (void)torc;
    (void)key;
    return torc_value_set(value, *(struct torc_bytes *)context);
}

static int get_or_load(struct torc *torc, struct torc_bytes key, struct torc_bytes loaded)
{
    const struct torc_load_options options = {.load = load, .context = &loaded};
    struct torc_value value;
    int error = torc_get_or_load(torc, key, &options, &value);
    printf("%s", error == 0 ? value.data : "");
    torc_value_free(&value);
    return error;
}

static int run_lock(struct torc *torc, const char *what, struct torc_bytes key, const char *time_ms)
{
    static struct torc_held_lock lock;
    const struct torc_lock_options options = {.ttl_ms = strtoul(time_ms, NULL, 10)};
    if (strcmp(what, ".unlock") == 0) {
        return torc_unlock(torc, key, &lock);
    }
    if (strcmp(what, ".extend") == 0) {
        return torc_lock_extend(torc, key, options.ttl_ms, &lock);
    }
    int error = torc_lock(torc, key, &options, &lock);
    if (error == 0) {
        printf("%lld", (long long)lock.token);
    }
    return error;
}

static void run_helper(struct torc *torc, int count, const char **words)
{
    struct torc_bytes bytes[WORDS_MAX];
    struct torc_pair pairs[WORDS_MAX / 2];
    size_t given = (size_t)count - 1;
    for (size_t i = 0; i < given; i++) {
        bytes[i] = torc_text(words[i + 1]);
        if (i % 2 == 1) {
            pairs[i / 2] = (struct torc_pair){bytes[i - 1], bytes[i]};
        }
    }
    struct torc_near_stats near;
    int error = TORC_EINVAL;
    if (strcmp(words[0], ".near") == 0) {
        error = torc_near_stats(torc, &near);
        printf("%llu %llu %llu %u", (unsigned long long)near.hits, (unsigned long long)near.misses,
               (unsigned long long)near.invalidations, near.nodes);
    } else if (strcmp(words[0], ".get") == 0 && given == 1) {
        struct torc_value value;
        error = torc_get(torc, bytes[0], &value);
        printf("%s", error == 0 ? value.data : "");
        torc_value_free(&value);
    } else if (strcmp(words[0], ".load") == 0 && given == 2) {
        error = get_or_load(torc, bytes[0], bytes[1]);
    } else if (strstr(words[0], "lock") != NULL || strcmp(words[0], ".extend") == 0) {
        error = run_lock(torc, words[0], bytes[0], given > 1 ? words[2] : "0");
    } else if (strcmp(words[0], ".set") == 0 && given == 2) {
        error = torc_set(torc, bytes[0], bytes[1], NULL);
    } else if (strcmp(words[0], ".mset") == 0 && given % 2 == 0) {
        error = torc_mset(torc, pairs, given / 2);
    } else if (strcmp(words[0], ".mget") == 0) {
        error = run_mget(torc, bytes, given);
    } else if (strcmp(words[0], ".del") == 0) {
        size_t deleted;
        error = torc_del(torc, bytes, given, &deleted);
        printf("%s(%zu)", error == 0 ? "" : "? ", deleted);
    }
    if (error != 0) {
        print_error(torc);
    } else {
        printf("\n");
    }
}

static void run_pipeline(struct torc *torc, struct torc_pipeline *pipeline)
{
    int error = torc_pipeline_execute(pipeline);
    printf("%d %s\n", error, torc_error(torc));
    for (size_t i = 0; i < torc_pipeline_count(pipeline); i++) {
        const redisReply *reply = torc_pipeline_reply(pipeline, i);
        if (reply == NULL) {
            printf("!%d", torc_pipeline_error(pipeline, i));
        } else {
            print_reply(reply);
        }
        printf("\n");
    }
    torc_pipeline_reset(pipeline);
}

static void run_line(struct torc *torc, struct torc_pipeline *pipeline, int *collecting, char *line)
{
    const char *words[WORDS_MAX];
    int count = 0;
    char *rest = NULL;
    for (char *word = strtok_r(line, " \n", &rest); word != NULL && count < WORDS_MAX;
         word = strtok_r(NULL, " \n", &rest)) {
        words[count++] = word;
    }
    if (count == 0) {
        return;
    }
    if (strcmp(words[0], ".begin") == 0) {
        *collecting = 1;
    } else if (strcmp(words[0], ".execute") == 0) {
        *collecting = 0;
        run_pipeline(torc, pipeline);
    } else if (*collecting) {
        if (torc_pipeline_append_argv(pipeline, count, words, NULL) != 0) {
            print_error(torc);
        }
    } else if (strcmp(words[0], ".read") == 0 && count == 2) {
        call_options.read_from = (enum torc_read_from)atoi(words[1]);
        printf("\n");
    } else if (strcmp(words[0], ".timeout") == 0 && count == 2) {
        call_options.timeout_ms = atoi(words[1]);
        printf("\n");
    } else if (words[0][0] == '.') {
        run_helper(torc, count, words);
    } else {
        run_command(torc, count, words);
    }
}

int main(int argc, char **argv)
{
    struct torc_options options = {.seeds = argc > 1 ? argv[1] : "127.0.0.1:7001",
                                   .timeout_ms = argc > 2 ? atoi(argv[2]) : 0,
                                   .zone = argc > 4 ? argv[4] : NULL,
                                   .near_bytes = argc > 5 ? strtoul(argv[5], NULL, 10) : 0,
                                   .near_stale_ms = argc > 6 ? atoi(argv[6]) : 0};
    struct torc *torc;
    struct torc_pipeline *pipeline = NULL;
    char *line = NULL;
    size_t size = 0;
    int collecting = 0;
    if (argc > 3 && strcmp(argv[3], "-") != 0) {
        options.password = argv[3];
    }
    /* A handle that could not connect is usable: its commands try again. */
    if (torc_connect(&options, &torc) != 0) {
        print_error(torc);
        fflush(stdout);
    }
    if (torc_pipeline_create(torc, &pipeline) == 0) {
        while (getline(&line, &size, stdin) > 0) {
            run_line(torc, pipeline, &collecting, line);
            fflush(stdout);
        }
    }
    free(line);
    torc_pipeline_destroy(pipeline);
    torc_close(torc);
    return 0;
}
