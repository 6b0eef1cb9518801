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

static int compare_rows(const void *a, const void *b)
{
    return strcmp(((const struct command_keys *)a)->name, ((const struct command_keys *)b)->name);
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
    if (result != TORC_OK) {
        command_table_deinit(out);
        return result;
    }
    qsort(out->rows, out->count, sizeof(*out->rows), compare_rows);
    return TORC_OK;
}

void command_table_deinit(struct command_table *table)
{
    free(table->rows);
    *table = (struct command_table){0};
}

static const struct command_keys *find(const struct command_table *table,
                                       const struct command_keys *wanted)
{
    return table->count == 0
               ? NULL
               : bsearch(wanted, table->rows, table->count, sizeof(*table->rows), compare_rows);
}

const struct command_keys *command_table_find(const struct command_table *table,
                                              const struct bytes *argv, size_t argc)
{
    struct command_keys wanted;
    if (!lower_into(wanted.name, COMMAND_NAME_SIZE_MAX, argv[0])) {
        return NULL;
    }
    const struct command_keys *found = find(table, &wanted);
    /* Only what has no keys of its own can be a container; that spares most requests a search. */
    if (found == NULL || found->first_key != 0 || argc < 2) {
        return found;
    }
    size_t size = argv[0].size;
    if (size == COMMAND_NAME_SIZE_MAX) {
        return found;
    }
    wanted.name[size] = '|';
    if (!lower_into(wanted.name + size + 1, COMMAND_NAME_SIZE_MAX - size - 1, argv[1])) {
        return found;
    }
    const struct command_keys *subcommand = find(table, &wanted);
    return subcommand == NULL ? found : subcommand;
}
