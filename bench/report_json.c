#include "bench/report.h"

#include <jansson.h>

/* Values are moved into the object; jansson passes a NULL from a failed constructor on as an error,
 * which `failed` gathers, so that only the end has to look. */
struct writer {
    json_t *object;
    bool failed;
};

static struct writer writer_begin(void)
{
    json_t *object = json_object();
    return (struct writer){object, object == NULL};
}

static void put(struct writer *writer, const char *name, json_t *value)
{
    if (json_object_set_new(writer->object, name, value) != 0) {
        writer->failed = true;
    }
}

static void put_whole(struct writer *writer, const char *name, uint64_t value)
{
    put(writer, name, json_integer((json_int_t)value));
}

static void put_real(struct writer *writer, const char *name, double value)
{
    put(writer, name, json_real(value));
}

static json_t *writer_end(struct writer *writer)
{
    if (writer->failed) {
        json_decref(writer->object);
        return NULL;
    }
    return writer->object;
}

static json_t *options_json(const struct report *report)
{
    const struct bench_options *options = report->options;
    struct writer writer = writer_begin();
    json_t *servers = json_array();
    for (size_t i = 0; i < options->seeds.count; i++) {
        char text[ADDRESS_TEXT_SIZE];
        address_format(&options->seeds.items[i], text);
        if (json_array_append_new(servers, json_string(text)) != 0) {
            writer.failed = true;
        }
    }
    put(&writer, "servers", servers);
    put(&writer, "mode", json_string(options->mode == MODE_DIRECT ? "direct" : "any"));
    put_whole(&writer, "clients", options->clients);
    put_whole(&writer, "threads", options->threads);
    put_whole(&writer, "pipeline", options->pipeline);
    put_whole(&writer, "value_bytes", options->size);
    put_real(&writer, "rate", options->rate);
    put_whole(&writer, "seed", options->seed);
    if (options->trace_path != NULL) {
        put(&writer, "trace", json_string(options->trace_path));
        put_whole(&writer, "trace_requests", report->trace_requests);
    } else {
        put_whole(&writer, "keys", options->keys);
        put_whole(&writer, "ratio_set", options->ratio_set);
        put_whole(&writer, "ratio_get", options->ratio_get);
        put_real(&writer, "zipf_exponent", options->zipf_exponent);
    }
    return writer_end(&writer);
}

static json_t *latency_json(const struct histogram *latency)
{
    struct writer writer = writer_begin();
    put_whole(&writer, "operations", latency->count);
    put_real(&writer, "mean_us", histogram_mean(latency) / 1e3);
    put_real(&writer, "min_us", latency->count > 0 ? (double)latency->min / 1e3 : 0.0);
    put_real(&writer, "p50_us", (double)histogram_quantile(latency, 0.5) / 1e3);
    put_real(&writer, "p90_us", (double)histogram_quantile(latency, 0.9) / 1e3);
    put_real(&writer, "p99_us", (double)histogram_quantile(latency, 0.99) / 1e3);
    put_real(&writer, "p999_us", (double)histogram_quantile(latency, 0.999) / 1e3);
    put_real(&writer, "p9999_us", (double)histogram_quantile(latency, 0.9999) / 1e3);
    put_real(&writer, "max_us", (double)latency->max / 1e3);
    return writer_end(&writer);
}

static json_t *errors_json(const struct stats *stats)
{
    struct writer writer = writer_begin();
    for (size_t i = 0; i < stats->error_kind_count; i++) {
        put_whole(&writer, stats->errors[i].name, stats->errors[i].count);
    }
    return writer_end(&writer);
}

json_t *report_json(const struct report *report)
{
    const struct stats *stats = report->stats;
    uint64_t operations = stats_operations(stats);
    double seconds = (double)report->elapsed_ns / 1e9;
    double per_operation = operations > 0 ? 1.0 / (double)operations : 0.0;
    struct writer writer = writer_begin();
    put(&writer, "torc_bench", json_string(report->version));
    put(&writer, "options", options_json(report));
    put_whole(&writer, "servers_used", report->servers);
    put(&writer, "interrupted", json_boolean(report->interrupted));
    put_real(&writer, "seconds", seconds);
    put_whole(&writer, "operations", operations);
    put_real(&writer, "operations_per_second", seconds > 0.0 ? (double)operations / seconds : 0.0);
    put_whole(&writer, "loaded", stats->loaded);
    put_real(&writer, "load_seconds", (double)report->load_ns / 1e9);
    put_whole(&writer, "hits", stats->hits);
    put_whole(&writer, "misses", stats->misses);
    put_real(&writer, "hit_ratio", stats_hit_ratio(stats));
    put_whole(&writer, "bytes_in", stats->bytes_in);
    put_whole(&writer, "bytes_out", stats->bytes_out);
    put_whole(&writer, "failed", stats->failed);
    put(&writer, "errors", errors_json(stats));
    put(&writer, "first_error", json_string(stats->first_error));
    put_whole(&writer, "moved", stats->moved);
    put_whole(&writer, "asked", stats->asked);
    put_whole(&writer, "reconnects", stats->reconnects);
    put_whole(&writer, "behind", stats->behind);
    put_real(&writer, "cpu_user_ns_per_operation", (double)report->cpu_user_ns * per_operation);
    put_real(&writer, "cpu_system_ns_per_operation", (double)report->cpu_system_ns * per_operation);
    struct writer latency = writer_begin();
    for (int kind = 0; kind < OPERATION_KIND_COUNT; kind++) {
        put(&latency, operation_kind_name((enum operation_kind)kind),
            latency_json(&stats->latency[kind]));
    }
    put(&writer, "latency", writer_end(&latency));
    return writer_end(&writer);
}
