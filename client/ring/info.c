#include "client/ring/info.h"

#include "base/error.h"

#include <string.h>

/* Takes the first line off, without its end. */
static bool next_line(struct bytes *text, struct bytes *line)
{
    if (text->size == 0) {
        return false;
    }
    const char *newline = memchr(text->data, '\n', text->size);
    const size_t size = newline == NULL ? text->size : (size_t)(newline - text->data);
    const size_t taken = newline == NULL ? size : size + 1;
    *line = (struct bytes){text->data, size};
    if (size > 0 && line->data[size - 1] == '\r') {
        line->size--;
    }
    *text = (struct bytes){text->data + taken, text->size - taken};
    return true;
}

static bool take_prefix(struct bytes *text, const char *prefix)
{
    const size_t size = strlen(prefix);
    if (text->size < size || memcmp(text->data, prefix, size) != 0) {
        return false;
    }
    *text = (struct bytes){text->data + size, text->size - size};
    return true;
}

/* The digits that `text` begins with, as far as 64 bits go; INFO_UNKNOWN if there are none. */
static uint64_t number_of(struct bytes text)
{
    uint64_t number = 0;
    size_t i = 0;
    for (; i < text.size && text.data[i] >= '0' && text.data[i] <= '9'; i++) {
        if (__builtin_mul_overflow(number, 10, &number) ||
            __builtin_add_overflow(number, (uint64_t)(text.data[i] - '0'), &number)) {
            return INFO_UNKNOWN;
        }
    }
    return i == 0 ? INFO_UNKNOWN : number;
}

static void read_version(struct node_info *out, struct bytes value)
{
    const size_t size = value.size < INFO_VERSION_SIZE ? value.size : INFO_VERSION_SIZE - 1;
    for (size_t i = 0; i < size; i++) {
        /* It is printed. */
        const char c = value.data[i];
        out->version[i] = c > ' ' && c < 0x7f ? c : '?';
    }
    out->version[size] = '\0';
}

void info_read(struct node_info *out, struct bytes text)
{
    *out = (struct node_info){.keys = INFO_UNKNOWN, .memory_bytes = INFO_UNKNOWN};
    const struct {
        const char *prefix;
        uint64_t *number;
    } fields[] = {
        {"epoch:", &out->epoch},
        {"lease_ms_left:", &out->lease_ms_left},
        {"server_time_usec:", &out->clock_us},
        {"db0:keys=", &out->keys},
        {"used_memory:", &out->memory_bytes},
        {"instantaneous_ops_per_sec:", &out->ops_per_second},
        {"migration_bytes_sent:", &out->sent_bytes},
        {"migration_keys_sent:", &out->sent_keys},
        {"migration_slots_waiting:", &out->slots_waiting},
        {"migration_pause_us_p99:", &out->pause_us_p99},
        {"migration_pause_us_max:", &out->pause_us_max},
        {"migration_rate_limit:", &out->rate_limit},
    };
    const size_t field_count = sizeof(fields) / sizeof(fields[0]);
    for (size_t i = 0; i < field_count; i++) {
        *fields[i].number = INFO_UNKNOWN;
    }
    for (struct bytes line; next_line(&text, &line);) {
        for (size_t i = 0; i < field_count; i++) {
            struct bytes value = line;
            if (take_prefix(&value, fields[i].prefix)) {
                *fields[i].number = number_of(value);
            }
        }
        if (take_prefix(&line, "torc_version:")) {
            read_version(out, line);
        }
    }
    out->answers = out->memory_bytes != INFO_UNKNOWN;
    /* A node without keys has no line about them. */
    out->keys = out->answers && out->keys == INFO_UNKNOWN ? 0 : out->keys;
}

bool info_next_replica(struct bytes *text, struct replica_lag *out)
{
    for (struct bytes line; next_line(text, &line);) {
        if (!take_prefix(&line, "replica")) {
            continue;
        }
        while (line.size > 0 && line.data[0] >= '0' && line.data[0] <= '9') {
            line = (struct bytes){line.data + 1, line.size - 1};
        }
        const size_t id_size = NODE_ID_TEXT_SIZE - 1;
        if (!take_prefix(&line, ":id=") || line.size < id_size ||
            node_id_parse(&out->id, (struct bytes){line.data, id_size}) != TORC_OK) {
            continue;
        }
        line = (struct bytes){line.data + id_size, line.size - id_size};
        if (take_prefix(&line, ",lag_bytes=")) {
            out->bytes = number_of(line);
            if (out->bytes != INFO_UNKNOWN) {
                return true;
            }
        }
    }
    return false;
}
