#include "node/store/evictor.h"

#include "node/store/eviction.h"
#include "node/store/keyspace.h"

/* Of S3-FIFO: how many keys of the queue that gives way are compared at least, and how many are
 * looked at most to find them. More of either changes no miss ratio of our traces by 1 %. */
#define SEEN_MIN 2u
#define LOOKED_MAX 32u
#define PASSED_MAX                                                                                 \
    256u /* slots with keys; where few of them may go, what was found is good enough */
#define SMALL_WINDOW_MAX 1024 /* keys over which the small queue's share is counted */
#define SHARE_ONE ((int64_t)1 << 32)

void evictor_init(struct evictor *evictor, uint64_t seed)
{
    *evictor = (struct evictor){.policy = EVICTION_NONE, .small_seen = SHARE_ONE};
    prng_init(&evictor->prng, seed);
    evictor->slot = (unsigned)prng_below(&evictor->prng, SLOT_COUNT);
}

static bool is_random(enum eviction_policy policy)
{
    return policy == EVICTION_RANDOM || policy == EVICTION_VOLATILE_RANDOM;
}

void evictor_begin(struct evictor *evictor, enum eviction_policy policy)
{
    if (policy != evictor->policy) {
        evictor->policy = policy;
        evictor->best_count[0] = 0;
        evictor->best_count[1] = 0;
        evictor->fruitless = 0;
    }
    if (is_random(policy)) {
        evictor->best_count[0] = 0;
        evictor->slot = (unsigned)prng_below(&evictor->prng, SLOT_COUNT);
        evictor->cursor = table_cursor(prng_next(&evictor->prng));
    }
}

/* Which queue has to give way: 0 the small one, 1 the main one. */
static unsigned wanted_queue(const struct evictor *evictor, const struct eviction *eviction)
{
    return evictor->policy == EVICTION_S3FIFO &&
           evictor->small_seen <=
               (int64_t)atomic_load_explicit(&eviction->small_share, memory_order_relaxed);
}

bool evictor_must_look(const struct evictor *evictor)
{
    if (evictor->best_count[0] + evictor->best_count[1] == 0) {
        return true;
    }
    if (evictor->passed >= PASSED_MAX || is_random(evictor->policy)) {
        return false;
    }
    return evictor->looked < EVICTOR_LOOK ||
           (evictor->policy == EVICTION_S3FIFO && evictor->seen < SEEN_MIN &&
            evictor->looked < LOOKED_MAX);
}

void evictor_jump(struct evictor *evictor, unsigned slot)
{
    assert(slot < SLOT_COUNT);
    if (slot != evictor->slot) {
        evictor->fruitless += (slot - evictor->slot) % SLOT_COUNT;
        evictor->slot = slot;
        evictor->cursor = 0;
    }
}

void evictor_skip(struct evictor *evictor)
{
    evictor->slot = (evictor->slot + 1) % SLOT_COUNT;
    evictor->cursor = 0;
    evictor->fruitless++;
    evictor->passed++;
}

/* Larger is to be evicted sooner. An object that was never accessed (it came with a refill) is
 * looked at closer first. */
static uint64_t urgency(enum eviction_policy policy, const struct evictor_candidate *candidate,
                        const struct eviction *eviction, uint64_t now_ms)
{
    if (policy == EVICTION_TTL) {
        return UINT64_MAX - candidate->expire_at_ms;
    }
    if (is_random(policy)) {
        return 0;
    }
    if (candidate->mark == 0) {
        return UINT64_MAX;
    }
    switch (eviction_kind(eviction)) {
    case MARK_SECONDS:
    case MARK_FINE: return mark_age_ms(eviction, candidate->mark, now_ms);
    case MARK_QUEUES: return (eviction_clock(eviction) - candidate->mark) & MARK_TIME;
    case MARK_FREQUENCY: return UINT8_MAX - mark_frequency(candidate->mark, now_ms);
    }
    return 0;
}

struct look {
    struct evictor *evictor;
    struct keyspace *keys;
    const struct eviction *eviction;
    uint64_t now_ms;
    int64_t window;
    unsigned wanted;
};

static void keep_if_better(const struct look *look, unsigned queue,
                           const struct evictor_candidate *candidate)
{
    struct evictor *evictor = look->evictor;
    struct evictor_candidate *best = evictor->best[queue];
    unsigned count = evictor->best_count[queue];
    unsigned least = 0;
    uint64_t least_urgency = UINT64_MAX;
    for (unsigned i = 0; i < count; i++) {
        if (best[i].hash == candidate->hash) {
            best[i] = *candidate; /* it is the same key, seen a round ago */
            return;
        }
        uint64_t its = urgency(evictor->policy, &best[i], look->eviction, look->now_ms);
        if (its < least_urgency) {
            least = i;
            least_urgency = its;
        }
    }
    if (count < EVICTOR_BEST) {
        best[evictor->best_count[queue]++] = *candidate;
    } else if (urgency(evictor->policy, candidate, look->eviction, look->now_ms) > least_urgency) {
        best[least] = *candidate;
    }
}

static void pull_object(void *context, const struct object *object)
{
    (void)context;
    __builtin_prefetch(object);
}

static void look_at_object(void *context, const struct object *object)
{
    struct look *look = context;
    struct evictor *evictor = look->evictor;
    evictor->looked++;
    if (eviction_only_volatile(evictor->policy) && !object_expires(object)) {
        return;
    }
    evictor->fruitless = 0;
    struct evictor_candidate candidate = {
        .hash = key_hash(object_key(object)),
        .expire_at_ms = keyspace_expire_at_ms(look->keys, object),
        .mark = object_mark(object),
        .slot = look->keys->slot,
    };
    unsigned queue = 0;
    if (evictor->policy == EVICTION_S3FIFO) {
        queue = (candidate.mark & MARK_MAIN) != 0;
        int64_t share = queue == 0 ? SHARE_ONE : 0;
        evictor->small_seen += (share - evictor->small_seen) / look->window;
    }
    evictor->seen += queue == look->wanted;
    keep_if_better(look, queue, &candidate);
}

void evictor_look(struct evictor *evictor, struct keyspace *keys, uint64_t now_ms)
{
    const struct eviction *eviction = keyspace_store(keys)->eviction;
    uint32_t key_count = atomic_load_explicit(&eviction->key_count, memory_order_relaxed);
    struct look look = {
        .evictor = evictor,
        .keys = keys,
        .eviction = eviction,
        .now_ms = now_ms,
        .window = key_count == 0                 ? 1
                  : key_count < SMALL_WINDOW_MAX ? (int64_t)key_count
                                                 : SMALL_WINDOW_MAX,
        .wanted = wanted_queue(evictor, eviction),
    };
    uint64_t next = 0;
    if (!eviction_only_volatile(evictor->policy) || keyspace_expiry_count(keys) > 0) {
        (void)keyspace_scan(keys, evictor->cursor, EVICTOR_LOOK, pull_object, NULL);
        next = keyspace_scan(keys, evictor->cursor, EVICTOR_LOOK, look_at_object, &look);
    }
    evictor->cursor = next;
    if (next == 0) {
        evictor_skip(evictor);
    }
}

unsigned evictor_choose(struct evictor *evictor, const struct store *store, uint64_t now_ms)
{
    unsigned queue = wanted_queue(evictor, store->eviction);
    queue = evictor->best_count[queue] == 0 ? 1 - queue : queue;
    struct evictor_candidate *best = evictor->best[queue];
    assert(evictor->best_count[queue] > 0);
    unsigned most = 0;
    for (unsigned i = 1; i < evictor->best_count[queue]; i++) {
        if (urgency(evictor->policy, &best[i], store->eviction, now_ms) >
            urgency(evictor->policy, &best[most], store->eviction, now_ms)) {
            most = i;
        }
    }
    evictor->chosen = best[most];
    best[most] = best[--evictor->best_count[queue]];
    evictor->passed = 0;
    evictor->looked = 0;
    evictor->seen = 0;
    return evictor->chosen.slot;
}

/* The object of that hash and mark; NULL if there is none any more. */
static struct object *find_candidate(struct keyspace *keys,
                                     const struct evictor_candidate *candidate)
{
    const struct segment *segment = table_segment(&keys->table, candidate->hash);
    uint64_t tag = segment_tag(segment, candidate->hash);
    size_t at = segment_home(segment, tag);
    size_t from;
    unsigned match;
    while (segment_next_group(segment, tag, &at, &from, &match)) {
        for (; match != 0; match &= match - 1) {
            size_t found = from + (size_t)__builtin_ctz(match);
            struct object *object = segment_object(segment, found);
            if (object != NULL && object_mark(object) == candidate->mark &&
                segment_expire_at_ms(segment, found) == candidate->expire_at_ms &&
                key_hash(object_key(object)) == candidate->hash) {
                return object;
            }
        }
    }
    return NULL;
}

/* True if the object has another chance: it goes to the main queue, or once more through it. */
static bool spare(struct eviction *eviction, struct object *object)
{
    uint32_t mark = object_mark(object);
    uint32_t hits = mark_hits(mark);
    if ((mark & MARK_MAIN) == 0 ? hits < HITS_PROMOTING : hits == 0) {
        return false;
    }
    hits = (mark & MARK_MAIN) == 0 ? 0 : hits - 1;
    object_set_mark(object, mark_of(MARK_MAIN, hits, eviction_clock(eviction)));
    return true;
}

struct object *evictor_claim(struct evictor *evictor, struct keyspace *keys, uint64_t now_ms)
{
    const struct evictor_candidate *chosen = &evictor->chosen;
    struct eviction *eviction = keyspace_store(keys)->eviction;
    struct object *object = find_candidate(keys, chosen);
    if (object == NULL) {
        return NULL;
    }
    if (chosen->mark == 0) {
        object_set_mark(object, eviction_touch(eviction, 0, object, now_ms));
    }
    if (evictor->policy == EVICTION_S3FIFO) {
        if (chosen->mark == 0 || spare(eviction, object)) {
            return NULL;
        }
        eviction_remember(eviction, chosen->mark, chosen->hash);
    } else if (chosen->mark == 0 && evictor->policy != EVICTION_TTL &&
               !is_random(evictor->policy)) {
        return NULL;
    }
    evictor->evicted++;
    return object;
}

bool evictor_due(struct evictor *evictor, const struct store *store)
{
    uint32_t keys = atomic_load_explicit(&store->eviction->key_count, memory_order_relaxed);
    if (keys != 0 && evictor->evicted < 32 + keys / 8) {
        return false;
    }
    evictor->evicted = 0;
    return true;
}
