/*
 * What a cache is for: take it from there, or from where it really is, and put it there. Of all
 * threads that miss a key at one time one loads it.
 *
 *     cc get_or_load.c $(pkg-config --cflags --libs torc) -o get_or_load
 */
#include <stdio.h>
#include <torc/torc.h>

/* The database. It knows no "user:7". */
static int load_user(struct torc *torc, struct torc_bytes key, struct torc_value *value,
                     void *context)
{
    int *loads = context;
    char text[64];
    (void)torc;
    (*loads)++;
    if (key.size == 6 && memcmp(key.data, "user:7", 6) == 0) {
        return TORC_ENOTFOUND;
    }
    snprintf(text, sizeof(text), "all about %.*s", (int)key.size, key.data);
    return torc_value_set(value, torc_text(text));
}

int main(int argc, char **argv)
{
    struct torc_options options = {.seeds = argc > 1 ? argv[1] : "127.0.0.1:7001"};
    struct torc *torc;
    int loads = 0;
    /* A minute in the cache, five seconds for what is not there; loading takes about 50 ms. */
    struct torc_load_options from_database = {.load = load_user,
                                              .context = &loads,
                                              .ttl_ms = 60000,
                                              .absent_ttl_ms = 5000,
                                              .early_ms = 50};
    const char *users[] = {"user:1", "user:7", "user:1", "user:7", "user:1"};
    if (torc_connect(&options, &torc) != 0) {
        fprintf(stderr, "get_or_load: %s\n", torc_error(torc));
        torc_close(torc);
        return 1;
    }
    for (size_t i = 0; i < sizeof(users) / sizeof(users[0]); i++) {
        struct torc_value value;
        int error = torc_get_or_load(torc, torc_text(users[i]), &from_database, &value);
        if (error == 0) {
            printf("%s: %s\n", users[i], value.data);
        } else if (error == TORC_ENOTFOUND) {
            printf("%s: nobody\n", users[i]);
        } else {
            fprintf(stderr, "get_or_load: %s\n", torc_error(torc));
        }
        torc_value_free(&value);
    }
    printf("loaded %d times\n", loads);
    torc_close(torc);
    return 0;
}
