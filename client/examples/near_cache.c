/*
 * A near cache: what has been read once is served from this process, until somebody changes it.
 *
 *      near_cache [SEEDS]
 */
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <torc/torc.h>

#define READS 100000

static int fail(const struct torc *torc)
{
    fprintf(stderr, "near_cache: %s\n", torc_error(torc));
    return 1;
}

/* True if the key has that value. */
static int has(struct torc *torc, struct torc_bytes key, const char *expected)
{
    struct torc_value value;
    const int found = torc_get(torc, key, &value) == 0 && strcmp(value.data, expected) == 0;
    torc_value_free(&value);
    return found;
}

int main(int argc, char **argv)
{
    const char *seeds = argc > 1 ? argv[1] : "127.0.0.1:7001";
    const struct torc_options options = {.seeds = seeds, .near_bytes = 1 << 20};
    const struct torc_options plain = {.seeds = seeds};
    const struct torc_bytes key = torc_text("near:greeting");
    const struct timespec moment = {.tv_nsec = 1000000};
    struct torc_near_stats stats = {0};
    struct torc *torc;
    struct torc *other;
    if (torc_connect(&options, &torc) != 0 || torc_set(torc, key, torc_text("hello"), NULL) != 0) {
        return fail(torc);
    }
    /* The first reading asks the node to tell of changes; as soon as it does values are kept. */
    for (int i = 0; i < 5000 && stats.hits == 0; i++) {
        if (!has(torc, key, "hello")) {
            return fail(torc);
        }
        nanosleep(&moment, NULL);
        torc_near_stats(torc, &stats);
    }
    const unsigned long long before = stats.misses;
    for (int i = 0; i < READS; i++) {
        if (!has(torc, key, "hello")) {
            return fail(torc);
        }
    }
    torc_near_stats(torc, &stats);
    printf("%d reads, most of them near: %s\n", READS,
           stats.nodes > 0 && stats.misses - before < READS / 100 ? "yes" : "no");

    /* Another process changes it; here it is another handle. */
    if (torc_connect(&plain, &other) != 0 ||
        torc_set(other, key, torc_text("goodbye"), NULL) != 0) {
        return fail(other);
    }
    int moments = 0;
    while (!has(torc, key, "goodbye") && moments < 5000) {
        nanosleep(&moment, NULL);
        moments++;
    }
    printf("the change has come: %s\n", moments < 5000 ? "yes" : "no");
    torc_close(other);
    torc_close(torc);
    return 0;
}
