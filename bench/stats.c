#include "bench/stats.h"

#include <string.h>

static const char other_name[] = "(other)";

void stats_init(struct stats *stats)
{
    memset(stats, 0, sizeof(*stats));
    for (size_t i = 0; i < OPERATION_KIND_COUNT; i++) {
        histogram_init(&stats->latency[i]);
    }
}

/* The entry of that name, made if new. The last entry takes whatever finds no place of its own. */
static struct error_count *error_entry(struct stats *stats, const char *name, size_t size)
{
    if (size > ERROR_NAME_SIZE_MAX) {
        size = ERROR_NAME_SIZE_MAX;
    }
    for (size_t i = 0; i < stats->error_kind_count; i++) {
        struct error_count *entry = &stats->errors[i];
        if (strlen(entry->name) == size && memcmp(entry->name, name, size) == 0) {
            return entry;
        }
    }
    if (stats->error_kind_count == ERROR_KINDS_MAX) {
        return &stats->errors[ERROR_KINDS_MAX - 1];
    }
    struct error_count *entry = &stats->errors[stats->error_kind_count++];
    if (stats->error_kind_count == ERROR_KINDS_MAX) {
        name = other_name;
        size = sizeof(other_name) - 1;
    }
    memcpy(entry->name, name, size);
    entry->name[size] = '\0';
    return entry;
}

void stats_error(struct stats *stats, const char *text, uint64_t now_ns)
{
    /* What a server puts into an error ends on a terminal and in JSON: printable ASCII only. */
    char clean[ERROR_TEXT_SIZE_MAX + 1];
    size_t length = 0;
    for (; length < ERROR_TEXT_SIZE_MAX && text[length] != '\0'; length++) {
        clean[length] = text[length] >= ' ' && text[length] <= '~' ? text[length] : '?';
    }
    clean[length] = '\0';
    size_t size = clean[0] == '(' ? strcspn(clean, ":") : strcspn(clean, " ");
    error_entry(stats, clean, size)->count++;
    stats->failed++;
    if (stats->first_error[0] == '\0') {
        memcpy(stats->first_error, clean, sizeof(clean));
        stats->first_error_ns = now_ns;
    }
}

static void merge_errors(struct stats *into, const struct stats *from)
{
    for (size_t i = 0; i < from->error_kind_count; i++) {
        const struct error_count *entry = &from->errors[i];
        error_entry(into, entry->name, strlen(entry->name))->count += entry->count;
    }
    if (from->first_error[0] != '\0' &&
        (into->first_error[0] == '\0' || from->first_error_ns < into->first_error_ns)) {
        memcpy(into->first_error, from->first_error, sizeof(into->first_error));
        into->first_error_ns = from->first_error_ns;
    }
}

void stats_merge(struct stats *into, const struct stats *from)
{
    for (size_t i = 0; i < OPERATION_KIND_COUNT; i++) {
        histogram_merge(&into->latency[i], &from->latency[i]);
    }
    into->hits += from->hits;
    into->misses += from->misses;
    into->failed += from->failed;
    into->loaded += from->loaded;
    into->moved += from->moved;
    into->asked += from->asked;
    into->reconnects += from->reconnects;
    into->behind += from->behind;
    into->bytes_in += from->bytes_in;
    into->bytes_out += from->bytes_out;
    merge_errors(into, from);
}

uint64_t stats_operations(const struct stats *stats)
{
    uint64_t count = 0;
    for (size_t i = 0; i < OPERATION_KIND_COUNT; i++) {
        count += stats->latency[i].count;
    }
    return count;
}

uint64_t stats_quantile(const struct stats *stats, double quantile, struct histogram *scratch)
{
    histogram_init(scratch);
    for (size_t i = 0; i < OPERATION_KIND_COUNT; i++) {
        histogram_merge(scratch, &stats->latency[i]);
    }
    return histogram_quantile(scratch, quantile);
}

double stats_hit_ratio(const struct stats *stats)
{
    uint64_t gets = stats->hits + stats->misses;
    return gets > 0 ? (double)stats->hits / (double)gets : 0.0;
}

const char *operation_kind_name(enum operation_kind kind)
{
    return kind == OPERATION_GET ? "GET" : "SET";
}
