/* Threads of the library's own. They take no signals: those are the program's. */
#ifndef TORC_CLIENT_THREAD_H
#define TORC_CLIENT_THREAD_H

#include "base/attributes.h"

#include <pthread.h>
#include <stdbool.h>

/* 0 or TORC_ENOMEM. A detached one is not to be joined. */
int thread_start(pthread_t *out, void *(*run)(void *), void *context, bool detached) TORC_MUST_USE;

#endif
