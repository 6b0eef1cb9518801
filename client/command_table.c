#include "client/command_table.h"

#include "base/error.h"
#include "client/reply.h"

#include <ctype.h>
#include <stdlib.h>

/* Members of one command in the reply to COMMAND (Redis 7, "COMMAND"). */
enum command_field {
    FIELD_NAME = 0,
    FIELD_FLAGS = 2,
    FIELD_FIRST_KEY = 3,
    FIELD_LAST_KEY = 4,
    FIELD_KEY_STEP = 5,
    FIELD_COUNT = 6, /* without those of later versions */
    FIELD_SUBCOMMANDS = 9,
};

/* False if it does not fit. */
static bool lower_into(char *out, size_t size_max, struct bytes text)
{
    if (text.size > size_max) {
        return false;
    }
    for (size_t i = 0; i < text.size; i++) {
        out[i] = (char)tolower((unsigned char)text.data[i]);
    }
    out[text.size] = '\0';
    return true;
}

static bool has_flag(const redisReply *flags, const char *name)
{
    for (size_t i = 0; i < flags->elements; i++) {
        if (bytes_equal_nocase(reply_bytes(flags->element[i]), name)) {
            return true;
        }
    }
    return false;
}

static bool read_number(int32_t *out, const redisReply *reply)
{
    if (reply->type != REDIS_REPLY_INTEGER || reply->integer < INT32_MIN ||
        reply->integer > INT32_MAX) {
        return false;
    }
    *out = (int32_t)reply->integer;
    return true;
}

static bool read_row(struct command_keys *row, const redisReply *reply)
{
    if (reply->type != REDIS_REPLY_ARRAY || reply->elements < FIELD_COUNT) {
        return false;
    }
    redisReply *const *field = reply->element;
    struct bytes name = reply_bytes(field[FIELD_NAME]);
    if (name.size == 0 || !lower_into(row->name, COMMAND_NAME_SIZE_MAX, name) ||
        !read_number(&row->first_key, field[FIELD_FIRST_KEY]) ||
        !read_number(&row->last_key, field[FIELD_LAST_KEY]) ||
        !read_number(&row->key_step, field[FIELD_KEY_STEP])) {
        return false;
    }
    row->readonly = has_flag(field[FIELD_FLAGS], "readonly");
    row->movable = has_flag(field[FIELD_FLAGS], "movablekeys");
    row->blocking = has_flag(field[FIELD_FLAGS], "blocking");
    return row->first_key >= 0 && (row->first_key == 0 || row->key_step > 0);
}

static const redisReply *subcommands_of(const redisReply *command)
{
    if (command->type != REDIS_REPLY_ARRAY || command->elements <= FIELD_SUBCOMMANDS ||
        command->element[FIELD_SUBCOMMANDS]->type != REDIS_REPLY_ARRAY) {
        return NULL;
    }
    return command->element[FIELD_SUBCOMMANDS];
}

/* Appends one row for each command of the array. */
static int read_rows(struct command_table *table, size_t capacity, const redisReply *commands)
{
    for (size_t i = 0; i < commands->elements; i++) {
        if (table->count == capacity ||
            !read_row(&table->rows[table->count], commands->element[i])) {
            return TORC_EPROTOCOL;
        }
        table->count++;
    }
    return TORC_OK;
}

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

/* FNV-1a of the text in lower case, going on from `hash`. */
static uint32_t hash_on(uint32_t hash, struct bytes text)
{
    for (size_t i = 0; i < text.size; i++) {
        hash = (hash ^ (uint8_t)lower(text.data[i])) * 16777619u;
    }
    return hash;
}

static const struct bytes bar = BYTES_LITERAL("|");
#define HASH_START 2166136261u

/* Of two rows of one name the first counts. */
static int build_index(struct command_table *table)
{
    table->bucket_count = 16;
    while (table->bucket_count < 2 * table->count) {
        table->bucket_count *= 2;
    }
    table->buckets = calloc(table->bucket_count, sizeof(*table->buckets));
    if (table->buckets == NULL) {
        return TORC_ENOMEM;
    }
    for (size_t i = 0; i < table->count; i++) {
        size_t at = hash_on(HASH_START, bytes_of(table->rows[i].name));
        while (table->buckets[at & (table->bucket_count - 1)] != 0) {
            at++;
        }
        table->buckets[at & (table->bucket_count - 1)] = (uint16_t)(i + 1);
    }
    return TORC_OK;
}

/* `lowered` is zero-terminated and in lower case. True if it begins with the text. */
static bool starts_with(const char *lowered, struct bytes text)
{
    for (size_t i = 0; i < text.size; i++) {
        /* The zero at its end equals no byte of a longer text, but one that is zero itself. */
        if (lowered[i] == '\0' || lowered[i] != lower(text.data[i])) {
            return false;
        }
    }
    return true;
}

static bool is_named(const struct command_keys *row, struct bytes name, struct bytes subcommand)
{
    if (!starts_with(row->name, name)) {
        return false;
    }
    const char *rest = row->name + name.size;
    if (subcommand.size > 0) {
        if (*rest != '|' || !starts_with(rest + 1, subcommand)) {
            return false;
        }
        rest += 1 + subcommand.size;
    }
    return *rest == '\0';
}

static const struct command_keys *find(const struct command_table *table, struct bytes name,
                                       struct bytes subcommand)
{
    if (table->count == 0 || name.size > COMMAND_NAME_SIZE_MAX ||
        subcommand.size > COMMAND_NAME_SIZE_MAX) {
        return NULL;
    }
    uint32_t hash = hash_on(HASH_START, name);
    if (subcommand.size > 0) {
        hash = hash_on(hash_on(hash, bar), subcommand);
    }
    for (size_t at = hash;; at++) {
        const uint16_t bucket = table->buckets[at & (table->bucket_count - 1)];
        if (bucket == 0) {
            return NULL;
        }
        if (is_named(&table->rows[bucket - 1], name, subcommand)) {
            return &table->rows[bucket - 1];
        }
    }
}

int command_table_read(struct command_table *out, const redisReply *reply)
{
    *out = (struct command_table){0};
    if (reply->type != REDIS_REPLY_ARRAY || reply->elements == 0) {
        return TORC_EPROTOCOL;
    }
    size_t capacity = reply->elements;
    for (size_t i = 0; i < reply->elements; i++) {
        const redisReply *subcommands = subcommands_of(reply->element[i]);
        capacity += subcommands == NULL ? 0 : subcommands->elements;
    }
    if (capacity > COMMANDS_MAX) {
        return TORC_ETOOBIG;
    }
    out->rows = calloc(capacity, sizeof(*out->rows));
    if (out->rows == NULL) {
        return TORC_ENOMEM;
    }
    int result = read_rows(out, capacity, reply);
    for (size_t i = 0; i < reply->elements && result == TORC_OK; i++) {
        const redisReply *subcommands = subcommands_of(reply->element[i]);
        result = subcommands == NULL ? TORC_OK : read_rows(out, capacity, subcommands);
    }
    if (result == TORC_OK) {
        result = build_index(out);
    }
    if (result != TORC_OK) {
        command_table_deinit(out);
        return result;
    }
    const struct bytes none = {NULL, 0};
    out->once = find(out, BYTES_LITERAL("torc.once"), none) != NULL;
    out->locks = find(out, BYTES_LITERAL("torc.lock"), none) != NULL;
    return TORC_OK;
}

void command_table_deinit(struct command_table *table)
{
    free(table->rows);
    free(table->buckets);
    *table = (struct command_table){0};
}

const struct command_keys *command_table_find(const struct command_table *table,
                                              const struct bytes *argv, size_t argc)
{
    const struct bytes none = {NULL, 0};
    const struct command_keys *found = find(table, argv[0], none);
    /* Only what has no keys of its own can be a container; that spares most requests a search. */
    if (found == NULL || found->first_key != 0 || argc < 2) {
        return found;
    }
    const struct command_keys *subcommand = find(table, argv[0], argv[1]);
    return subcommand == NULL ? found : subcommand;
}
