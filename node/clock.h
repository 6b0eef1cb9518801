/* The clocks: deadlines use the monotonic one, expiry the wall clock, and leases the one that goes
 * on while the machine sleeps. */
#ifndef TORC_NODE_CLOCK_H
#define TORC_NODE_CLOCK_H

#include <stdint.h>
#include <time.h>

static inline uint64_t clock_ms(clockid_t id)
{
    struct timespec now;
    clock_gettime(id, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static inline uint64_t clock_monotonic_us(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

static inline uint64_t clock_monotonic_ms(void)
{
    return clock_ms(CLOCK_MONOTONIC);
}

static inline uint64_t clock_wall_ms(void)
{
    return clock_ms(CLOCK_REALTIME);
}

static inline uint64_t clock_lease_ms(void)
{
    return clock_ms(CLOCK_BOOTTIME);
}

#endif
