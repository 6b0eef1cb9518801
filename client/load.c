#include "client/load.h"

#include "base/error.h"
#include "client/command_line.h"
#include "client/helper.h"
#include "client/last_error.h"
#include "client/near.h"
#include "client/submit.h"

#include <assert.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <xxhash.h>

/* What stands in the cache for "there is none". */
static const char absent_marker[] = "\0torc.absent";
#define ABSENT_SIZE (sizeof(absent_marker) - 1)

/* What the cache, which may be near, says of a key. */
struct answer {
    int result; /* 0 with `value`; TORC_ENOTFOUND: remembered that there is none; TORC_EAGAIN:
                   nothing is known; TORC_EINVAL, TORC_ETOOBIG: of the key */
    bool early; /* there is an answer, and it should be loaded anew all the same */
    struct torc_value value; /* owned */
};

/* One key that is being loaded. */
struct load {
    struct load *next;
    struct torc_bytes key; /* of the thread that loads; good until the load has ended */
    unsigned users;        /* the thread that loads, and those that wait for it */
    bool ended;
    int result;
    struct torc_value value; /* owned */
};

void loads_init(struct loads *loads)
{
    (void)pthread_mutex_init(&loads->lock, NULL);
    (void)pthread_cond_init(&loads->ended, NULL);
    loads->first = NULL;
    memset(loads->stamps, 0, sizeof(loads->stamps));
}

void loads_deinit(struct loads *loads)
{
    assert(loads->first == NULL);
    (void)pthread_cond_destroy(&loads->ended);
    (void)pthread_mutex_destroy(&loads->lock);
}

int torc_value_set(struct torc_value *value, struct torc_bytes bytes)
{
    if (value == NULL || (bytes.data == NULL && bytes.size > 0)) {
        return TORC_EINVAL;
    }
    char *data = malloc(bytes.size + 1);
    if (data == NULL) {
        return TORC_ENOMEM;
    }
    if (bytes.size > 0) {
        memcpy(data, bytes.data, bytes.size);
    }
    data[bytes.size] = '\0';
    value->data = data;
    value->size = bytes.size;
    return TORC_OK;
}

static struct load *find(const struct loads *loads, struct torc_bytes key)
{
    struct load *load = loads->first;
    while (load != NULL &&
           (load->key.size != key.size || memcmp(load->key.data, key.data, key.size) != 0)) {
        load = load->next;
    }
    return load;
}

/* Lock held. */
static void let_go(struct load *load)
{
    load->users--;
    if (load->users == 0) {
        torc_value_free(&load->value);
        free(load);
    }
}

/* Lock held. Waits for another thread's load, and takes a copy of what it has found. */
static int await(struct loads *loads, struct load *load, struct torc_value *value)
{
    load->users++;
    while (!load->ended) {
        (void)pthread_cond_wait(&loads->ended, &loads->lock);
    }
    int result = load->result;
    if (result == TORC_OK) {
        result = torc_value_set(value, (struct torc_bytes){load->value.data, load->value.size});
    }
    let_go(load);
    return result;
}

/* A tenth less at most, by chance: what was loaded together shall not expire together. */
static uint64_t with_jitter(struct torc *handle, uint64_t ttl_ms)
{
    handle_lock(handle);
    const uint64_t less_ms = prng_below(&handle->prng, ttl_ms / 10 + 1);
    handle_unlock(handle);
    return ttl_ms - less_ms;
}

/* Puts it into the cache, if that is possible. What was loaded is good in any case. */
static void store(struct torc *handle, struct torc_bytes key, struct bytes value, uint64_t ttl_ms)
{
    char ttl[24];
    redisReply *reply = NULL;
    struct bytes argv[5] = {BYTES_LITERAL("SET"), {key.data, key.size}, value};
    size_t argc = 3;
    if (ttl_ms > 0) {
        (void)snprintf(ttl, sizeof(ttl), "%" PRIu64, with_jitter(handle, ttl_ms));
        argv[argc++] = BYTES_LITERAL("PX");
        argv[argc++] = bytes_of(ttl);
    }
    (void)submit_bytes(handle, argv, argc, &reply);
    torc_reply_free(reply);
}

static int run_loader(struct torc *handle, struct torc_bytes key,
                      const struct torc_load_options *options, struct torc_value *value)
{
    int result = options->load(handle, key, value, options->context);
    if (result == TORC_OK && value->data != NULL) {
        store(handle, key, (struct bytes){value->data, value->size}, options->ttl_ms);
    } else {
        torc_value_free(value);
        result = result == TORC_OK ? TORC_ENOTFOUND : result;
        if (result == TORC_ENOTFOUND && options->absent_ttl_ms > 0) {
            store(handle, key, (struct bytes){absent_marker, ABSENT_SIZE}, options->absent_ttl_ms);
        }
    }
    return result;
}

/* What the cache, which may be near, says: its error; 0 with *reply, and with *left_ms, which is
 * negative when the key has no end or that was not asked for; or with *value and no reply. */
static int look_up(struct torc *handle, struct torc_bytes key, bool with_ttl, redisReply **reply,
                   struct torc_value *value, long long *left_ms)
{
    *left_ms = -1;
    if (!with_ttl) {
        const int result = near_get(handle, (struct bytes){key.data, key.size}, value, reply);
        return result == TORC_ENOTFOUND ? TORC_OK : result;
    }
    const struct bytes get[] = {BYTES_LITERAL("GET"), {key.data, key.size}};
    const struct bytes ttl[] = {BYTES_LITERAL("PTTL"), {key.data, key.size}};
    struct call *calls[2] = {NULL, NULL};
    int result = command_line_bytes(handle, &calls[0], get, 2);
    if (result == TORC_OK) {
        result = command_line_bytes(handle, &calls[1], ttl, 2);
    }
    if (result == TORC_OK) {
        result = submit_all_and_wait(handle, calls, 2);
    }
    if (result == TORC_OK) {
        *reply = calls[0]->reply;
        calls[0]->reply = NULL;
        if (calls[1]->reply->type == REDIS_REPLY_INTEGER) {
            *left_ms = calls[1]->reply->integer;
        }
    }
    for (size_t i = 0; i < 2; i++) {
        if (calls[i] != NULL) {
            call_release(calls[i]);
        }
    }
    return result;
}

/* True for one of many, and the sooner the nearer the end is, so that one of them loads anew before
 * all miss. (Vattani, Chierichetti, Lowenstein: Optimal Probabilistic Cache Stampede Prevention,
 * 2015, with beta 1.) */
static bool is_early(struct torc *handle, uint64_t early_ms, long long left_ms)
{
    if (early_ms == 0 || left_ms < 0) {
        return false;
    }
    handle_lock(handle);
    const double draw = 1 - prng_unit(&handle->prng);
    handle_unlock(handle);
    return -log(draw) * (double)early_ms >= (double)left_ms;
}

/* What the value, or that of a reply to GET, which is moved out of it, says. */
static int read_cached(redisReply *reply, struct torc_value *value)
{
    if (reply != NULL && reply->type == REDIS_REPLY_STRING) {
        helper_take(value, reply);
    }
    if (value->data == NULL) {
        return TORC_EAGAIN;
    }
    if (value->size == ABSENT_SIZE && memcmp(value->data, absent_marker, ABSENT_SIZE) == 0) {
        torc_value_free(value);
        return TORC_ENOTFOUND;
    }
    return TORC_OK;
}

static struct answer ask(struct torc *handle, struct torc_bytes key, uint64_t early_ms)
{
    struct answer answer = {.result = TORC_EAGAIN};
    redisReply *reply = NULL;
    long long left_ms;
    const int result = look_up(handle, key, early_ms > 0, &reply, &answer.value, &left_ms);
    if (result == TORC_OK) {
        answer.result = read_cached(reply, &answer.value);
        answer.early = answer.result != TORC_EAGAIN && is_early(handle, early_ms, left_ms);
    } else if (result == TORC_EINVAL || result == TORC_ETOOBIG) {
        answer.result = result;
    } /* else: a cache that cannot be asked is no reason not to load */
    torc_reply_free(reply);
    return answer;
}

/* Lock held. Nobody else loads the key until end_load. NULL: no memory. */
static struct load *begin_load(struct loads *loads, struct torc_bytes key)
{
    struct load *load = calloc(1, sizeof(*load));
    if (load != NULL) {
        load->key = key;
        load->users = 1;
        load->next = loads->first;
        loads->first = load;
    }
    return load;
}

static void end_load(struct loads *loads, struct load *load, _Atomic uint64_t *stamp)
{
    (void)pthread_mutex_lock(&loads->lock);
    struct load **link = &loads->first;
    while (*link != load) {
        link = &(*link)->next;
    }
    *link = load->next;
    load->ended = true;
    atomic_fetch_add_explicit(stamp, 1, memory_order_release);
    (void)pthread_cond_broadcast(&loads->ended);
    let_go(load);
    (void)pthread_mutex_unlock(&loads->lock);
}

/* Replaces the answer by what the loader says, or by what another thread is loading; not when there
 * is an answer and another thread is at it already. `seen`: the stamp before the answer was asked
 * for. */
static void load_once(struct torc *handle, struct torc_bytes key,
                      const struct torc_load_options *options, _Atomic uint64_t *stamp,
                      uint64_t seen, struct answer *answer)
{
    struct loads *loads = &handle->loads;
    const bool wanted = answer->result == TORC_EAGAIN;
    (void)pthread_mutex_lock(&loads->lock);
    struct load *load = find(loads, key);
    if (load != NULL) {
        if (wanted) {
            answer->result = await(loads, load, &answer->value);
        }
        (void)pthread_mutex_unlock(&loads->lock);
        return;
    }
    load = begin_load(loads, key);
    const bool changed = atomic_load_explicit(stamp, memory_order_relaxed) != seen;
    (void)pthread_mutex_unlock(&loads->lock);
    if (load == NULL) {
        answer->result = wanted ? TORC_ENOMEM : answer->result;
        return;
    }
    /* The answer may be from before a load that has ended since. */
    if (changed) {
        torc_value_free(&answer->value);
        *answer = ask(handle, key, options->early_ms);
    }
    if (answer->result == TORC_EAGAIN || answer->early) {
        struct torc_value value = {NULL, 0};
        const int result = run_loader(handle, key, options, &value);
        if (result == TORC_OK || answer->result == TORC_EAGAIN) {
            torc_value_free(&answer->value);
            answer->value = value;
            answer->result = result;
        }
    }
    load->result = answer->result;
    if (load->result == TORC_OK) {
        load->result = torc_value_set(&load->value,
                                      (struct torc_bytes){answer->value.data, answer->value.size});
    }
    end_load(loads, load, stamp);
}

int torc_get_or_load(struct torc *handle, struct torc_bytes key,
                     const struct torc_load_options *options, struct torc_value *value)
{
    if (value != NULL) {
        *value = (struct torc_value){NULL, 0};
    }
    if (handle == NULL) {
        return TORC_EINVAL;
    }
    last_error_begin(handle);
    if (value == NULL || key.data == NULL || options == NULL || options->load == NULL) {
        return last_error_set(handle, TORC_EINVAL, "an argument is NULL");
    }
    _Atomic uint64_t *stamp =
        &handle->loads.stamps[XXH3_64bits(key.data, key.size) % LOAD_STAMP_COUNT];
    const uint64_t seen = atomic_load_explicit(stamp, memory_order_acquire);
    struct answer answer = ask(handle, key, options->early_ms);
    if (answer.result == TORC_EINVAL || answer.result == TORC_ETOOBIG) {
        return answer.result;
    }
    if (answer.result == TORC_EAGAIN || answer.early) {
        load_once(handle, key, options, stamp, seen, &answer);
    }
    *value = answer.value;
    last_error_begin(handle);
    return answer.result == TORC_OK
               ? TORC_OK
               : last_error_set(handle, answer.result, "loading: %s", torc_strerror(answer.result));
}
