/*
 * The figures of a run as a table for people and as JSON for programs. Only formats.
 */
#ifndef TORC_BENCH_REPORT_H
#define TORC_BENCH_REPORT_H

#include "bench/options.h"
#include "bench/stats.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

struct report {
    const struct bench_options *options;
    const struct stats *stats;
    const char *version;  /* of torc-bench */
    uint64_t elapsed_ns;  /* of the measured part */
    uint64_t cpu_user_ns; /* of torc-bench's worker threads in that part */
    uint64_t cpu_system_ns;
    uint64_t load_ns;      /* how long the loading took; 0 = nothing loaded */
    size_t trace_requests; /* in the trace; 0 = no trace */
    size_t servers;        /* that were talked to */
    bool interrupted;      /* by a signal */
};

/* At most 80 columns. */
void report_print(const struct report *report, FILE *out);
/* The same figures; a new reference, or NULL without memory. docs/man/torc-bench.1 lists them. */
json_t *report_json(const struct report *report);
/* One progress line: `interval` is what happened in the last `interval_ns`. */
void report_progress(const struct stats *interval, uint64_t interval_ns, uint64_t elapsed_ns,
                     struct histogram *scratch, FILE *out);

#endif
