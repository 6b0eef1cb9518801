#include "node/store/eviction.h"

#define CLOCK_TICKS 4096u /* while as many keys come as there are: fine enough for any order */
/* The small queue's share of the keys; where it starts is S3-FIFO's own. */
#define SHARE_START ((uint32_t)(0.10 * UINT32_MAX))
#define SHARE_MIN ((uint32_t)(0.05 * UINT32_MAX))
#define SHARE_MAX ((uint32_t)(0.50 * UINT32_MAX))
/* Ghosts, in percent of the keys: the main queue's length of each queue's, as in S3-FIFO, took the
 * share to its limits; see docs/architecture.md. */
#define GHOSTS_SMALL 90u
#define GHOSTS_MAIN 25u
#define FINE_SHIFT 6u /* 64 ms */
#define MINUTE_MS 60000u
/* Redis's lfu-log-factor and its count of a new key. */
#define FREQUENCY_FACTOR 10u
#define FREQUENCY_NEW 5u
#define FREQUENCY_MAX 255u

static uint32_t seconds_mark(uint64_t now_ms)
{
    return (uint32_t)(now_ms / 1000) & 0xffffff;
}

void eviction_init(struct eviction *eviction)
{
    atomic_init(&eviction->kind, MARK_SECONDS);
    atomic_init(&eviction->clock, 1);
    atomic_init(&eviction->clock_mask, 0);
    atomic_init(&eviction->share_step, 0);
    atomic_init(&eviction->small_share, SHARE_START);
    atomic_init(&eviction->key_count, 0);
    atomic_init(&eviction->noise, 1);
    ghosts_init(&eviction->small);
    ghosts_init(&eviction->main);
}

void eviction_deinit(struct eviction *eviction)
{
    ghosts_deinit(&eviction->small);
    ghosts_deinit(&eviction->main);
}

void eviction_set_kind(struct eviction *eviction, enum mark_kind kind)
{
    if (kind != eviction_kind(eviction)) {
        atomic_store_explicit(&eviction->kind, (int)kind, memory_order_relaxed);
    }
}

void eviction_resize(struct eviction *eviction, size_t key_count)
{
    size_t keys = key_count == 0 ? 1 : key_count;
    uint32_t mask = 0;
    while ((size_t)mask + 1 < keys / CLOCK_TICKS) {
        mask = mask * 2 + 1;
    }
    atomic_store_explicit(&eviction->clock_mask, mask, memory_order_relaxed);
    atomic_store_explicit(&eviction->share_step, (uint32_t)(UINT32_MAX / keys),
                          memory_order_relaxed);
    atomic_store_explicit(&eviction->key_count, (uint32_t)keys, memory_order_relaxed);
    if (eviction_kind(eviction) != MARK_QUEUES) {
        return;
    }
    ghosts_resize(&eviction->small, keys * GHOSTS_SMALL / 100);
    ghosts_resize(&eviction->main, keys * GHOSTS_MAIN / 100);
}

static void change_share(struct eviction *eviction, int64_t delta)
{
    int64_t share = atomic_load_explicit(&eviction->small_share, memory_order_relaxed);
    share += delta;
    share = share < SHARE_MIN ? SHARE_MIN : share > SHARE_MAX ? SHARE_MAX : share;
    atomic_store_explicit(&eviction->small_share, (uint32_t)share, memory_order_relaxed);
}

/* The mark of a key that is new. One that was here of late was evicted too soon: it goes to the
 * main queue, and the queue that it fell out of gets more room. A key falls out of the smaller
 * ghosts sooner, so that one found there counts for more. */
static uint32_t admit(struct eviction *eviction, uint64_t hash)
{
    uint32_t clock = eviction_clock(eviction);
    if ((hash & atomic_load_explicit(&eviction->clock_mask, memory_order_relaxed)) == 0) {
        clock = clock == MARK_TIME ? 1 : clock + 1;
        atomic_store_explicit(&eviction->clock, clock, memory_order_relaxed);
    }
    int64_t step = atomic_load_explicit(&eviction->share_step, memory_order_relaxed);
    if (ghosts_take(&eviction->small, hash)) {
        change_share(eviction, step);
        return mark_of(MARK_MAIN, 0, clock);
    }
    if (ghosts_take(&eviction->main, hash)) {
        change_share(eviction, -step * GHOSTS_SMALL / GHOSTS_MAIN);
        return mark_of(MARK_MAIN, 0, clock);
    }
    return mark_of(0, 0, clock);
}

static uint32_t touch_queues(struct eviction *eviction, uint32_t mark, const struct object *object)
{
    if (TORC_UNLIKELY(mark == 0)) {
        return admit(eviction, key_hash(object_key(object)));
    }
    uint32_t hits = mark_hits(mark);
    hits = hits == MARK_HITS_MAX ? hits : hits + 1;
    /* In the small queue it starts anew, in the main one it keeps its place. */
    uint32_t time = (mark & MARK_MAIN) != 0 ? mark & MARK_TIME : eviction_clock(eviction);
    return mark_of(mark & MARK_MAIN, hits, time);
}

/* Uniform below the bound; threads that draw at once may draw the same. */
static uint32_t draw_noise(struct eviction *eviction, uint32_t bound)
{
    uint64_t noise = atomic_load_explicit(&eviction->noise, memory_order_relaxed);
    noise = noise * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    atomic_store_explicit(&eviction->noise, noise, memory_order_relaxed);
    return (uint32_t)(((noise >> 32) * bound) >> 32);
}

unsigned mark_frequency(uint32_t mark, uint64_t now_ms)
{
    uint32_t minutes = (uint32_t)(now_ms / MINUTE_MS - (mark >> 8)) & 0xffff;
    unsigned frequency = mark & FREQUENCY_MAX;
    return minutes >= frequency ? 0 : frequency - minutes;
}

uint32_t mark_of_frequency(unsigned frequency, uint64_t now_ms)
{
    return (uint32_t)(now_ms / MINUTE_MS & 0xffff) << 8 | frequency;
}

static uint32_t touch_frequency(struct eviction *eviction, uint32_t mark, uint64_t now_ms)
{
    unsigned frequency = mark == 0 ? FREQUENCY_NEW : mark_frequency(mark, now_ms);
    unsigned above = frequency > FREQUENCY_NEW ? frequency - FREQUENCY_NEW : 0;
    if (mark != 0 && frequency < FREQUENCY_MAX &&
        draw_noise(eviction, above * FREQUENCY_FACTOR + 1) == 0) {
        frequency++;
    }
    return mark_of_frequency(frequency, now_ms);
}

uint32_t eviction_touch(struct eviction *eviction, uint32_t mark, const struct object *object,
                        uint64_t now_ms)
{
    switch (eviction_kind(eviction)) {
    case MARK_SECONDS:
    case MARK_FINE: break;
    case MARK_QUEUES: return touch_queues(eviction, mark, object);
    case MARK_FREQUENCY: return touch_frequency(eviction, mark, now_ms);
    }
    return mark_of_time(eviction, now_ms);
}

uint32_t mark_of_time(const struct eviction *eviction, uint64_t then_ms)
{
    return eviction_kind(eviction) == MARK_FINE ? (uint32_t)(then_ms >> FINE_SHIFT) & 0xffffff
                                                : seconds_mark(then_ms);
}

uint64_t mark_age_ms(const struct eviction *eviction, uint32_t mark, uint64_t now_ms)
{
    uint32_t age = (mark_of_time(eviction, now_ms) - mark) & 0xffffff;
    /* A clock that was set back makes the last access lie ahead: that is not 194 days of idling. */
    if (age > 0xff0000) {
        return 0;
    }
    return eviction_kind(eviction) == MARK_FINE ? (uint64_t)age << FINE_SHIFT
                                                : (uint64_t)age * 1000;
}

void eviction_remember(struct eviction *eviction, uint32_t mark, uint64_t hash)
{
    ghosts_add((mark & MARK_MAIN) != 0 ? &eviction->main : &eviction->small, hash);
}
