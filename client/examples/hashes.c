/*
 * Counters and hashes with typed helpers: no formats, no replies to take apart.
 *
 *      hashes [SEEDS]
 */
#include <inttypes.h>
#include <stdio.h>
#include <torc/torc.h>

static int fail(struct torc *torc)
{
    fprintf(stderr, "hashes: %s\n", torc_error(torc));
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

    const struct torc_bytes user = torc_text("hash:user:1");
    const struct torc_pair fields[] = {{torc_text("name"), torc_text("Ada")},
                                       {torc_text("city"), torc_text("London")},
                                       {torc_text("logins"), torc_text("41")}};
    const struct torc_bytes wanted[] = {torc_text("city"), torc_text("phone"), torc_text("name")};
    struct torc_value values[3];
    struct torc_value name;
    struct torc_fields all;
    size_t added;
    size_t deleted;
    int64_t logins;
    int64_t visits;
    if (torc_del(torc, &user, 1, NULL) != 0 || torc_hmset(torc, user, fields, 3, &added) != 0 ||
        torc_hadd(torc, user, torc_text("logins"), 1, &logins) != 0 ||
        torc_hget(torc, user, torc_text("name"), &name) != 0 ||
        torc_hmget(torc, user, wanted, 3, values) != 0) {
        return fail(torc);
    }
    printf("%zu fields, %s has %" PRId64 " logins\n", added, name.data, logins);
    printf("%s, %s, %s\n", values[0].data, values[1].data == NULL ? "no phone" : values[1].data,
           values[2].data);
    torc_value_free(&name);
    for (int i = 0; i < 3; i++) {
        torc_value_free(&values[i]);
    }

    if (torc_hset(torc, user, torc_text("phone"), torc_text("123")) != 0 ||
        torc_hdel(torc, user, wanted, 3, &deleted) != 0 || torc_hgetall(torc, user, &all) != 0) {
        return fail(torc);
    }
    printf("%zu deleted, %zu left: %s=%s\n", deleted, all.count, all.items[0].name.data,
           all.items[0].value.data);
    torc_fields_free(&all);

    const struct torc_bytes counter = torc_text("hash:visits");
    if (torc_del(torc, &counter, 1, NULL) != 0 || torc_incr(torc, counter, NULL) != 0 ||
        torc_add(torc, counter, 10, NULL) != 0 || torc_decr(torc, counter, &visits) != 0) {
        return fail(torc);
    }
    printf("%" PRId64 " visits\n", visits);
    torc_close(torc);
    return 0;
}
