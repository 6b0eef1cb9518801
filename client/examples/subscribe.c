/*
 * Prints what is published on some channels, until somebody publishes "stop". A connection that
 * breaks is made again by the library; what was published meanwhile is missed, and said to be.
 *
 *      subscribe SEEDS [CHANNEL...]      with a * in its name it is a pattern
 */
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <torc/torc.h>

#define CHANNELS_MAX 16

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static int stopped;

static void stop(void)
{
    pthread_mutex_lock(&lock);
    stopped = 1;
    pthread_cond_signal(&changed);
    pthread_mutex_unlock(&lock);
}

/* On the library's own thread. */
static void on_message(struct torc *torc, const struct torc_message *message, void *context)
{
    (void)context;
    switch (message->event) {
    case TORC_SUBSCRIBED: printf("subscribed\n"); break;
    case TORC_LOST: printf("lost: %s\n", torc_error(torc)); break;
    case TORC_ENDED:
        printf("ended: %s\n", torc_error(torc));
        stop();
        break;
    case TORC_MESSAGE:
        printf("%.*s: %.*s\n", (int)message->channel.size, message->channel.data,
               (int)message->payload.size, message->payload.data);
        if (message->payload.size == 4 && memcmp(message->payload.data, "stop", 4) == 0) {
            stop();
        }
        break;
    }
    fflush(stdout);
}

int main(int argc, char **argv)
{
    struct torc_options options = {.seeds = argc > 1 ? argv[1] : "127.0.0.1:7001"};
    struct torc_bytes names[CHANNELS_MAX] = {torc_text("news")};
    struct torc_subscribe_options wanted = {.names = names, .count = 1, .on_message = on_message};
    struct torc_subscription *subscription = NULL;
    struct torc *torc;
    for (int i = 2; i < argc && i - 2 < CHANNELS_MAX; i++) {
        names[i - 2] = torc_text(argv[i]);
        wanted.count = (size_t)i - 1;
        wanted.to = strchr(argv[i], '*') != NULL ? TORC_PATTERNS : wanted.to;
    }
    int error = torc_connect(&options, &torc);
    if (error == 0) {
        error = torc_subscribe(torc, &wanted, &subscription);
    }
    if (error != 0) {
        fprintf(stderr, "subscribe: %s\n", torc_error(torc));
    } else {
        pthread_mutex_lock(&lock);
        while (!stopped) {
            pthread_cond_wait(&changed, &lock);
        }
        pthread_mutex_unlock(&lock);
    }
    torc_unsubscribe(subscription);
    torc_close(torc);
    return error != 0;
}
