/*
 * What is counted. Every worker counts into a struct stats of its own and hands it over once a
 * second; the main thread merges. No locking in here.
 */
#ifndef TORC_BENCH_STATS_H
#define TORC_BENCH_STATS_H

#include "base/histogram.h"

#include <stddef.h>
#include <stdint.h>

#define ERROR_NAME_SIZE_MAX 23 /* "CLUSTERDOWN" and the like */
#define ERROR_KINDS_MAX 16     /* told apart; the rest is one kind, "(other)" */
#define ERROR_TEXT_SIZE_MAX 127

enum operation_kind { OPERATION_GET, OPERATION_SET, OPERATION_KIND_COUNT };

struct error_count {
    char name[ERROR_NAME_SIZE_MAX + 1]; /* first word of the error, or in parentheses one of ours */
    uint64_t count;
};

struct stats {
    struct histogram latency[OPERATION_KIND_COUNT]; /* ns, of operations that succeeded */
    uint64_t hits;                                  /* GETs answered with a value */
    uint64_t misses;                                /* GETs answered with nil */
    uint64_t failed;     /* operations answered with an error, lost, or never answered */
    uint64_t loaded;     /* keys written before the run; counted nowhere else */
    uint64_t moved;      /* MOVED answers followed */
    uint64_t asked;      /* ASK answers followed */
    uint64_t reconnects; /* connections that broke in mid-run and came back */
    uint64_t behind;     /* operations of the schedule not even sent at the end (open loop) */
    uint64_t bytes_in;   /* from the servers */
    uint64_t bytes_out;  /* to the servers */
    struct error_count errors[ERROR_KINDS_MAX];
    size_t error_kind_count;
    char first_error[ERROR_TEXT_SIZE_MAX + 1]; /* "" = none */
    uint64_t first_error_ns;
};

void stats_init(struct stats *stats);
void stats_merge(struct stats *into, const struct stats *from);
/* Counts one failed operation. Its kind is the text's first word, or all of it up to ':' when it
 * starts with '('. Bytes that are not printable ASCII become '?'. */
void stats_error(struct stats *stats, const char *text, uint64_t now_ns);

/* Operations that succeeded. */
uint64_t stats_operations(const struct stats *stats);
/* Quantile over all kinds together, ns; 0 when empty. `scratch` is overwritten. */
uint64_t stats_quantile(const struct stats *stats, double quantile, struct histogram *scratch);
/* Hits over GETs answered, 0..1; 0 without any. */
double stats_hit_ratio(const struct stats *stats);

const char *operation_kind_name(enum operation_kind kind);

#endif
