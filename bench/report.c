#include "bench/report.h"

#include <inttypes.h>
#include <string.h>

static double per_second(uint64_t count, uint64_t elapsed_ns)
{
    return elapsed_ns > 0 ? (double)count * 1e9 / (double)elapsed_ns : 0.0;
}

static double us(uint64_t ns)
{
    return (double)ns / 1e3;
}

static const char *plural(uint64_t count)
{
    return count == 1 ? "" : "s";
}

static void print_head(const struct report *report, FILE *out)
{
    const struct bench_options *options = report->options;
    char address[ADDRESS_TEXT_SIZE];
    address_format(&options->seeds.items[0], address);
    (void)fprintf(out, "server      %.50s", address);
    if (options->seeds.count > 1) {
        (void)fprintf(out, " and %zu more", options->seeds.count - 1);
    }
    if (options->mode == MODE_DIRECT) {
        (void)fprintf(out, ", direct: %zu server%s\n", report->servers, plural(report->servers));
    } else {
        (void)fprintf(out, ", any\n");
    }
    (void)fprintf(out, "clients     %u on %u thread%s, pipeline %u, ", options->clients,
                  options->threads, plural(options->threads), options->pipeline);
    if (options->rate > 0.0) {
        (void)fprintf(out, "open loop at %.0f ops/s\n", options->rate);
    } else {
        (void)fprintf(out, "closed loop\n");
    }
    if (report->trace_requests > 0) {
        (void)fprintf(out, "workload    trace of %zu requests, SET of %" PRIu64 " B on a miss\n",
                      report->trace_requests, options->size);
        return;
    }
    (void)fprintf(out, "workload    SET:GET %u:%u, %" PRIu64 " keys ", options->ratio_set,
                  options->ratio_get, options->keys);
    if (options->zipf_exponent > 0.0) {
        (void)fprintf(out, "zipf:%g", options->zipf_exponent);
    } else {
        (void)fprintf(out, "uniform");
    }
    (void)fprintf(out, ", values of %" PRIu64 " B\n", options->size);
}

static void print_errors(const struct stats *stats, FILE *out)
{
    (void)fprintf(out, "errors      %" PRIu64 "\n", stats->failed);
    for (size_t i = 0; i < stats->error_kind_count; i++) {
        (void)fprintf(out, "            %-23s %" PRIu64 "\n", stats->errors[i].name,
                      stats->errors[i].count);
    }
    if (stats->first_error[0] != '\0') {
        (void)fprintf(out, "            first: %.60s\n", stats->first_error);
    }
    if (stats->moved + stats->asked > 0) {
        (void)fprintf(out, "redirects   %" PRIu64 " MOVED, %" PRIu64 " ASK\n", stats->moved,
                      stats->asked);
    }
    if (stats->behind > 0) {
        (void)fprintf(out, "behind      %" PRIu64 " scheduled operations were never sent\n",
                      stats->behind);
    }
    if (stats->reconnects > 0) {
        (void)fprintf(out, "reconnects  %" PRIu64 "\n", stats->reconnects);
    }
}

/* A column of the table; a second and more needs no tenths. */
static void print_us(double ns, FILE *out)
{
    (void)fprintf(out, ns < 1e9 ? " %9.1f" : " %9.0f", ns / 1e3);
}

static void print_latencies(const struct stats *stats, FILE *out)
{
    (void)fprintf(out, "\nus    %12s %9s %9s %9s %9s %9s %9s\n", "ops", "mean", "p50", "p90", "p99",
                  "p99.9", "max");
    for (int kind = 0; kind < OPERATION_KIND_COUNT; kind++) {
        const struct histogram *latency = &stats->latency[kind];
        if (latency->count == 0) {
            continue;
        }
        (void)fprintf(out, "%-5s %12" PRIu64, operation_kind_name((enum operation_kind)kind),
                      latency->count);
        print_us(histogram_mean(latency), out);
        static const double quantiles[] = {0.5, 0.9, 0.99, 0.999};
        for (size_t i = 0; i < sizeof(quantiles) / sizeof(quantiles[0]); i++) {
            print_us((double)histogram_quantile(latency, quantiles[i]), out);
        }
        print_us((double)latency->max, out);
        (void)fprintf(out, "\n");
    }
}

void report_print(const struct report *report, FILE *out)
{
    const struct stats *stats = report->stats;
    uint64_t operations = stats_operations(stats);
    print_head(report, out);
    if (report->load_ns > 0) {
        (void)fprintf(out, "loaded      %" PRIu64 " keys in %.2f s\n", stats->loaded,
                      (double)report->load_ns / 1e9);
    }
    if (!report->options->only_load) {
        (void)fprintf(out, "operations  %" PRIu64 " in %.2f s%s\n", operations,
                      (double)report->elapsed_ns / 1e9,
                      report->interrupted ? " (interrupted)" : "");
        (void)fprintf(out, "ops/s       %.0f\n", per_second(operations, report->elapsed_ns));
    }
    uint64_t gets = stats->hits + stats->misses;
    if (gets > 0) {
        (void)fprintf(out, "hit ratio   %.4f (%" PRIu64 " of %" PRIu64 " GETs)\n",
                      stats_hit_ratio(stats), stats->hits, gets);
    }
    (void)fprintf(out, "bytes       %" PRIu64 " in, %" PRIu64 " out\n", stats->bytes_in,
                  stats->bytes_out);
    print_errors(stats, out);
    if (operations > 0) {
        double count = (double)operations;
        (void)fprintf(out, "own CPU     %.0f ns per operation (user %.0f, system %.0f)\n",
                      (double)(report->cpu_user_ns + report->cpu_system_ns) / count,
                      (double)report->cpu_user_ns / count, (double)report->cpu_system_ns / count);
        print_latencies(stats, out);
    }
}

void report_progress(const struct stats *interval, uint64_t interval_ns, uint64_t elapsed_ns,
                     struct histogram *scratch, FILE *out)
{
    uint64_t p50 = stats_quantile(interval, 0.5, scratch);
    uint64_t p99 = stats_quantile(interval, 0.99, scratch);
    (void)fprintf(out, "%6.0f s %10.0f ops/s  p50 %.1f us  p99 %.1f us  errors %" PRIu64,
                  (double)elapsed_ns / 1e9, per_second(stats_operations(interval), interval_ns),
                  us(p50), us(p99), interval->failed);
    if (interval->hits + interval->misses > 0) {
        (void)fprintf(out, "  hits %.1f %%", 100.0 * stats_hit_ratio(interval));
    }
    (void)fprintf(out, "\n");
}
