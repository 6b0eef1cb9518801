#include "tests/sim/check_history.h"

#include <stdlib.h>
#include <string.h>

#define OPERATIONS_MAX 512 /* of one key that are looked at together */
#define WORDS (OPERATIONS_MAX / 64)
#define STATES_MAX 400000 /* looked at before the search gives up */

struct history *history_create(void)
{
    struct history *history = calloc(1, sizeof(*history));
    if (history == NULL) {
        abort();
    }
    return history;
}

void history_destroy(struct history *history)
{
    for (size_t i = 0; i < CLUSTER_KEYS; i++) {
        free(history->operations[i]);
    }
    free(history);
}

size_t history_begin(struct history *history, unsigned key, const struct operation *operation)
{
    size_t index = history->counts[key];
    if (index == history->capacities[key]) {
        history->capacities[key] = index == 0 ? 32 : 2 * index;
        history->operations[key] =
            realloc(history->operations[key], history->capacities[key] * sizeof(*operation));
        if (history->operations[key] == NULL) {
            abort();
        }
    }
    history->operations[key][index] = *operation;
    history->operations[key][index].outcome = OUTCOME_OPEN;
    history->operations[key][index].returned_us = UINT64_MAX;
    history->counts[key]++;
    return index;
}

void history_end(struct history *history, unsigned key, size_t index,
                 enum operation_outcome outcome, int64_t result, uint64_t now_us)
{
    struct operation *operation = &history->operations[key][index];
    operation->outcome = (uint8_t)outcome;
    operation->result = result;
    operation->returned_us = outcome == OUTCOME_DONE ? now_us : UINT64_MAX;
}

int64_t operation_apply(const struct operation *operation, int64_t value, int64_t *result)
{
    *result = value;
    switch ((enum operation_kind)operation->kind) {
    case OPERATION_GET: return value;
    case OPERATION_SET: *result = 0; return operation->argument;
    case OPERATION_DEL: return VALUE_ABSENT;
    case OPERATION_INCR: return *result = value == VALUE_ABSENT ? 1 : value + 1;
    case OPERATION_CAS: return value == operation->expected ? operation->argument : value;
    }
    abort();
}

/* ---- the search ---- */

struct set {
    uint64_t words[WORDS];
};

struct search {
    const struct operation **operations; /* by invocation */
    size_t count;
    size_t words;
    size_t to_do; /* completed ones without a place */
    struct set done;
    /* what was seen to lead nowhere: open addressing */
    uint64_t *seen;
    size_t seen_count, seen_capacity;
    size_t first; /* everything before is done */
};

static uint64_t mix(uint64_t hash, uint64_t value)
{
    hash = (hash ^ value) * 0x9e3779b97f4a7c15u;
    return hash ^ (hash >> 32);
}

/* Twice 64 bits would never collide; once hardly ever does, and then a search ends too early. */
static uint64_t state_hash(const struct search *search, int64_t value)
{
    uint64_t hash = mix(0x746f7263u, (uint64_t)value);
    for (size_t i = 0; i < search->words; i++) {
        hash = mix(hash, search->done.words[i]);
        hash = mix(hash, i);
    }
    return hash == 0 ? 1 : hash;
}

/* False: it is there already. */
static bool remember(struct search *search, uint64_t hash)
{
    if (2 * search->seen_count >= search->seen_capacity) {
        size_t capacity = search->seen_capacity == 0 ? 1024 : 2 * search->seen_capacity;
        uint64_t *seen = calloc(capacity, sizeof(*seen));
        if (seen == NULL) {
            abort();
        }
        for (size_t i = 0; i < search->seen_capacity; i++) {
            size_t at = search->seen[i] & (capacity - 1);
            while (search->seen[i] != 0 && seen[at] != 0) {
                at = (at + 1) & (capacity - 1);
            }
            if (search->seen[i] != 0) {
                seen[at] = search->seen[i];
            }
        }
        free(search->seen);
        search->seen = seen;
        search->seen_capacity = capacity;
    }
    size_t at = hash & (search->seen_capacity - 1);
    while (search->seen[at] != 0) {
        if (search->seen[at] == hash) {
            return false;
        }
        at = (at + 1) & (search->seen_capacity - 1);
    }
    search->seen[at] = hash;
    search->seen_count++;
    return true;
}

static bool is_done(const struct search *search, size_t index)
{
    return (search->done.words[index / 64] >> (index % 64) & 1) != 0;
}

static void flip(struct search *search, size_t index)
{
    search->done.words[index / 64] ^= UINT64_C(1) << (index % 64);
}

static bool fits(const struct operation *operation, int64_t result)
{
    /* Whether a DEL found something would tell of SETs that nobody saw, and these are left out. */
    bool blind = operation->kind == OPERATION_SET || operation->kind == OPERATION_DEL;
    return operation->outcome != OUTCOME_DONE || blind || operation->result == result;
}

/* 1: there is an order; 0: there is none from here; -1: given up. */
static int place(struct search *search, int64_t value)
{
    if (search->to_do == 0) {
        return 1;
    }
    if (!remember(search, state_hash(search, value))) {
        return 0;
    }
    if (search->seen_count > STATES_MAX) {
        return -1;
    }
    size_t first_before = search->first;
    while (search->first < search->count && is_done(search, search->first)) {
        search->first++;
    }
    /* What began after the first end of those without a place cannot come next. */
    uint64_t first_end = UINT64_MAX;
    int result = 0;
    for (size_t i = search->first; i < search->count && result == 0; i++) {
        const struct operation *operation = search->operations[i];
        if (operation->invoked_us > first_end) {
            break;
        }
        if (is_done(search, i)) {
            continue;
        }
        if (operation->returned_us < first_end) {
            first_end = operation->returned_us;
        }
        int64_t found;
        int64_t next = operation_apply(operation, value, &found);
        bool idle = operation->outcome != OUTCOME_DONE && next == value;
        if (!fits(operation, found) || idle) {
            continue;
        }
        flip(search, i);
        search->to_do -= operation->outcome == OUTCOME_DONE;
        result = place(search, next);
        search->to_do += operation->outcome == OUTCOME_DONE;
        flip(search, i);
    }
    search->first = first_before;
    return result;
}

static int by_invocation(const void *a, const void *b)
{
    const struct operation *x = *(const struct operation *const *)a;
    const struct operation *y = *(const struct operation *const *)b;
    if (x->invoked_us != y->invoked_us) {
        return x->invoked_us < y->invoked_us ? -1 : 1;
    }
    return (x > y) - (x < y);
}

/* An unknown SET whose value nobody ever saw may as well not have been. */
static bool was_seen(const struct history *history, unsigned key, int64_t value)
{
    for (size_t i = 0; i < history->counts[key]; i++) {
        const struct operation *other = &history->operations[key][i];
        bool tells = other->outcome == OUTCOME_DONE &&
                     (other->kind == OPERATION_GET || other->kind == OPERATION_CAS ||
                      other->kind == OPERATION_INCR);
        if (tells && other->result >= value && other->result < value + 1000) {
            return true;
        }
    }
    return false;
}

static bool matters(const struct history *history, unsigned key, const struct operation *operation)
{
    if (operation->outcome == OUTCOME_FAILED) {
        return false;
    }
    if (operation->outcome == OUTCOME_DONE) {
        return true;
    }
    if (operation->kind == OPERATION_SET || operation->kind == OPERATION_CAS) {
        return was_seen(history, key, operation->argument);
    }
    return operation->kind != OPERATION_GET;
}

static const char *kind_name(uint8_t kind)
{
    static const char *const names[] = {"?", "GET", "SET", "DEL", "INCR", "CAS"};
    return names[kind];
}

static void print_history(struct cluster *cluster, unsigned key)
{
    for (size_t i = 0; i < cluster->history->counts[key]; i++) {
        const struct operation *op = &cluster->history->operations[key][i];
        static const char *const outcomes[] = {"open", "done", "unknown", "failed"};
        if (op->outcome != OUTCOME_FAILED) {
            cluster_note(cluster, "  key %u: %.3f..%.3f ms %s %lld (expected %lld) -> %s %lld", key,
                         (double)op->invoked_us / 1000.0,
                         op->returned_us == UINT64_MAX ? -1.0 : (double)op->returned_us / 1000.0,
                         kind_name(op->kind), (long long)op->argument, (long long)op->expected,
                         outcomes[op->outcome], (long long)op->result);
        }
    }
}

static int search_key(struct history *history, unsigned key)
{
    struct search search = {.count = 0};
    search.operations = calloc(history->counts[key] + 1, sizeof(*search.operations));
    if (search.operations == NULL) {
        abort();
    }
    for (size_t i = 0; i < history->counts[key]; i++) {
        const struct operation *operation = &history->operations[key][i];
        if (matters(history, key, operation)) {
            search.operations[search.count++] = operation;
            search.to_do += operation->outcome == OUTCOME_DONE;
        }
    }
    qsort(search.operations, search.count, sizeof(*search.operations), by_invocation);
    search.words = (search.count + 63) / 64;
    int result = search.count > OPERATIONS_MAX ? -1 : place(&search, VALUE_ABSENT);
    free(search.operations);
    free(search.seen);
    return result;
}

void check_history(struct cluster *cluster)
{
    for (unsigned key = 0; key < CLUSTER_KEYS && cluster->failure == NULL; key++) {
        int result = search_key(cluster->history, key);
        cluster->history->inconclusive += result < 0;
        if (result == 0) {
            print_history(cluster, key);
            cluster_fail(cluster, "history: no order explains what clients saw of key %u (slot %u)",
                         key, cluster_slot(key));
        }
    }
}

/* ---- what must still be there ---- */

static bool writes(const struct operation *operation)
{
    return operation->kind != OPERATION_GET && operation->outcome != OUTCOME_FAILED;
}

void check_durable(struct cluster *cluster)
{
    const struct history *history = cluster->history;
    for (unsigned key = 0; key < CLUSTER_KEYS; key++) {
        const struct operation *operations = history->operations[key];
        size_t count = history->counts[key];
        for (size_t i = 0; i < count; i++) {
            const struct operation *last = &operations[i];
            bool alone = last->kind == OPERATION_SET && last->outcome == OUTCOME_DONE;
            for (size_t j = 0; j < count && alone; j++) {
                const struct operation *other = &operations[j];
                alone = j == i || !writes(other) || other->returned_us < last->invoked_us;
            }
            const struct operation *read = &operations[count - 1];
            if (alone && read->kind == OPERATION_GET && read->result != last->argument) {
                cluster_fail(cluster,
                             "durability: key %u (slot %u) was set to %lld, acknowledged at %.3f "
                             "ms, and is %lld",
                             key, cluster_slot(key), (long long)last->argument,
                             (double)last->returned_us / 1000.0, (long long)read->result);
            }
        }
    }
}
