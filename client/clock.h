/* The clock of deadlines: milliseconds that never go back. Coarse, some milliseconds behind the
 * exact one, which costs several times as much and is asked for with every command. Any thread. */
#ifndef TORC_CLIENT_CLOCK_H
#define TORC_CLIENT_CLOCK_H

#include <stdint.h>
#include <time.h>

static inline uint64_t clock_now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

#endif
