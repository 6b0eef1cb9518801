/*
 * What clients did, key by key, and whether one copy that does one thing at a time could have
 * answered so (linearizability: Herlihy and Wing 1990; the search is Wing and Gong's with the
 * memory of Lowe 2017). An operation of unknown outcome may take effect at any time after it began,
 * or never.
 */
#ifndef TORC_TESTS_SIM_CHECK_HISTORY_H
#define TORC_TESTS_SIM_CHECK_HISTORY_H

#include "tests/sim/cluster.h"

enum operation_kind {
    OPERATION_GET = 1,
    OPERATION_SET,
    OPERATION_DEL,
    OPERATION_INCR,
    OPERATION_CAS, /* sets `argument` if the value is `expected`; answers what it found */
};

#define VALUE_ABSENT INT64_MIN

enum operation_outcome { OUTCOME_OPEN, OUTCOME_DONE, OUTCOME_UNKNOWN, OUTCOME_FAILED };

struct operation {
    uint8_t kind;
    uint8_t outcome;
    int64_t argument;
    int64_t expected; /* VALUE_ABSENT: it must not exist */
    int64_t result;   /* get, cas: what was found; incr: the new value; del: VALUE_ABSENT or not */
    uint64_t invoked_us;
    uint64_t returned_us;
};

struct history {
    struct operation *operations[CLUSTER_KEYS];
    size_t counts[CLUSTER_KEYS];
    size_t capacities[CLUSTER_KEYS];
    uint64_t inconclusive;
};

struct history *history_create(void);
void history_destroy(struct history *history);
size_t history_begin(struct history *history, unsigned key, const struct operation *operation);
void history_end(struct history *history, unsigned key, size_t index,
                 enum operation_outcome outcome, int64_t result, uint64_t now_us);

/* What an operation does to a value; *result: what it answers. */
int64_t operation_apply(const struct operation *operation, int64_t value, int64_t *result);
/* Every key. Fails the cluster with the key that has no order. */
void check_history(struct cluster *cluster);

#endif
