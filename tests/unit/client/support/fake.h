/*
 * A server that does what a test tells it, in a thread of the test's process: it reads requests as
 * Redis does, and asks the test what to answer. Any number of connections, one thread.
 */
#ifndef TORC_TESTS_CLIENT_FAKE_H
#define TORC_TESTS_CLIENT_FAKE_H

#include "base/buf.h"
#include "client/request.h"

#include <pthread.h>
#include <stdatomic.h>

struct fake;

/* Appends the reply to one request; called by the fake's thread. `connection` tells connections
 * apart. False: the connection is closed, what was appended before is sent. */
typedef bool fake_answer(struct fake *fake, unsigned connection, const struct arguments *arguments,
                         struct buf *out);

struct fake {
    fake_answer *answer;
    void *context;
    char address[32]; /* "127.0.0.1:<port>" */
    unsigned port;
    int listener;
    int stop_fds[2];
    pthread_t thread;
    _Atomic(unsigned) connections; /* accepted so far */
};

void fake_start(struct fake *fake, fake_answer *answer, void *context);
/* Ends the thread and closes everything; the address refuses connections then. */
void fake_stop(struct fake *fake);

/* True if argument `index` is that word, in any case. */
bool fake_said(const struct arguments *arguments, size_t index, const char *lower);
/* Answers what a client asks to get to know a server: TORC.VIEW, COMMAND (get, set, append, incr),
 * and CLUSTER SLOTS: with slots 0..8191 of ports[0] and the rest of ports[1], or, if ports is NULL,
 * that there is no cluster. True if it was one of these. */
bool fake_introduce(const struct arguments *arguments, const unsigned *ports, struct buf *out);

#endif
