#include "client/resolver.h"

#include "base/error.h"
#include "client/thread.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

struct resolution {
    pthread_mutex_t lock;
    struct endpoint endpoint; /* read only */
    int event_fd;
    bool abandoned;
    bool done;
    int failed;
    struct addrinfo *addresses;
};

static int resolve(const struct endpoint *endpoint, int flags, struct addrinfo **out)
{
    const struct addrinfo hints = {
        .ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM, .ai_flags = flags};
    char port[8];
    *out = NULL;
    (void)snprintf(port, sizeof(port), "%u", endpoint->port);
    return getaddrinfo(endpoint->host, port, &hints, out);
}

int resolver_numeric(const struct endpoint *endpoint, struct addrinfo **out)
{
    return resolve(endpoint, AI_NUMERICHOST | AI_NUMERICSERV, out);
}

static void destroy(struct resolution *resolution)
{
    if (resolution->addresses != NULL) {
        freeaddrinfo(resolution->addresses);
    }
    (void)pthread_mutex_destroy(&resolution->lock);
    free(resolution);
}

static void *run(void *context)
{
    struct resolution *resolution = context;
    struct addrinfo *addresses;
    int failed = resolve(&resolution->endpoint, 0, &addresses);
    (void)pthread_mutex_lock(&resolution->lock);
    resolution->addresses = failed == 0 ? addresses : NULL;
    resolution->failed = failed;
    resolution->done = true;
    const bool abandoned = resolution->abandoned;
    if (!abandoned) {
        const uint64_t one = 1;
        (void)!write(resolution->event_fd, &one, sizeof(one));
    }
    (void)pthread_mutex_unlock(&resolution->lock);
    if (abandoned) {
        destroy(resolution);
    }
    return NULL;
}

struct resolution *resolver_start(const struct endpoint *endpoint, int event_fd)
{
    pthread_t thread;
    struct resolution *resolution = calloc(1, sizeof(*resolution));
    if (resolution == NULL) {
        return NULL;
    }
    resolution->endpoint = *endpoint;
    resolution->event_fd = event_fd;
    (void)pthread_mutex_init(&resolution->lock, NULL);
    if (thread_start(&thread, run, resolution, true) != TORC_OK) {
        destroy(resolution);
        return NULL;
    }
    return resolution;
}

bool resolver_take(struct resolution *resolution, int *failed, struct addrinfo **out)
{
    (void)pthread_mutex_lock(&resolution->lock);
    const bool done = resolution->done;
    (void)pthread_mutex_unlock(&resolution->lock);
    if (done) {
        *failed = resolution->failed;
        *out = resolution->addresses;
        resolution->addresses = NULL;
        destroy(resolution);
    }
    return done;
}

void resolver_abandon(struct resolution *resolution)
{
    (void)pthread_mutex_lock(&resolution->lock);
    const bool done = resolution->done;
    resolution->abandoned = true;
    (void)pthread_mutex_unlock(&resolution->lock);
    if (done) {
        destroy(resolution);
    }
}
