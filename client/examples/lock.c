/*
 * A lock with a fencing token: several threads add to a file that only one may write at a time, and
 * the file refuses whoever comes with an old token, though that one thinks that it has the lock.
 *
 *      lock [SEEDS]
 */
#include <pthread.h>
#include <stdio.h>
#include <torc/torc.h>

#define THREADS 4
#define TURNS 5

/* Stands for what the lock protects: a file, a database, a device. */
static struct {
    pthread_mutex_t atomic; /* it does one thing at a time, as a database does */
    int64_t token;          /* the highest that it has seen */
    int value;
} protected = {.atomic = PTHREAD_MUTEX_INITIALIZER};

static int write_value(int64_t token, int value)
{
    int accepted = 0;
    pthread_mutex_lock(&protected.atomic);
    if (token >= protected.token) {
        protected.token = token;
        protected.value = value;
        accepted = 1;
    }
    pthread_mutex_unlock(&protected.atomic);
    return accepted;
}

static void *work(void *context)
{
    struct torc *torc = context;
    const struct torc_lock_options options = {.ttl_ms = 2000, .wait_ms = 10000};
    const struct torc_bytes key = torc_text("lock:example");
    struct torc_held_lock lock;
    for (int i = 0; i < TURNS; i++) {
        if (torc_lock(torc, key, &options, &lock) != 0) {
            fprintf(stderr, "lock: %s\n", torc_error(torc));
            return NULL;
        }
        /* Long work asks for more time now and then, and stops when it is too late for that. */
        if (torc_lock_extend(torc, key, options.ttl_ms, &lock) != 0 ||
            !write_value(lock.token, protected.value + 1) || torc_unlock(torc, key, &lock) != 0) {
            fprintf(stderr, "the lock was lost: %s\n", torc_error(torc));
            return NULL;
        }
    }
    return NULL;
}

int main(int argc, char **argv)
{
    struct torc_options options = {.seeds = argc > 1 ? argv[1] : "127.0.0.1:7001"};
    struct torc *torc;
    pthread_t threads[THREADS];
    if (torc_connect(&options, &torc) != 0) {
        fprintf(stderr, "lock: %s\n", torc_error(torc));
        torc_close(torc);
        return 1;
    }
    for (int i = 0; i < THREADS; i++) {
        pthread_create(&threads[i], NULL, work, torc);
    }
    for (int i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
    }
    printf("%d of %d additions\n", protected.value, THREADS * TURNS);
    printf("an old token is %s\n", write_value(protected.token - 1, 0) ? "accepted" : "refused");
    torc_close(torc);
    return 0;
}
