#include "node/command.h"

#include "base/attributes.h"
#include "node/command_table.h"

#include <assert.h>
#include <stdlib.h>

#define INDEX_BITS 9
#define INDEX_SIZE (1u << INDEX_BITS)

struct index_entry {
    uint32_t hash;
    uint16_t name_size; /* 0 = free */
    uint16_t position;  /* in command_list */
};

struct command_table {
    size_t count;
    struct index_entry entries[INDEX_SIZE]; /* open addressing, linear probing */
};

static uint32_t load32(const char *at)
{
    uint32_t value;
    memcpy(&value, at, sizeof(value));
    return value;
}

/* The beginning and the end of a name tell the commands apart well enough. Setting bit 5 folds the
 * case of letters; that it also folds other bytes only costs a comparison. */
static uint32_t name_hash(struct bytes name)
{
    uint64_t word;
    if (name.size >= 4) {
        word = (uint64_t)load32(name.data) << 32 | load32(name.data + name.size - 4);
    } else {
        const unsigned char *at = (const unsigned char *)name.data;
        word = (uint64_t)at[0] << 16 | (uint64_t)at[name.size / 2] << 8 | at[name.size - 1];
    }
    word |= UINT64_C(0x2020202020202020);
    word = (word ^ name.size) * UINT64_C(0x9e3779b97f4a7c15); /* Fibonacci hashing */
    return (uint32_t)(word >> 32);
}

static uint32_t index_of_hash(uint32_t hash)
{
    return hash >> (32 - INDEX_BITS);
}

static void index_add(struct command_table *table, size_t position)
{
    struct bytes name = bytes_of(command_list[position].name);
    assert(name.size > 0);
    assert(command_find(table, name) == NULL);
    uint32_t hash = name_hash(name);
    uint32_t i = index_of_hash(hash);
    while (table->entries[i].name_size != 0) {
        i = (i + 1) % INDEX_SIZE;
    }
    table->entries[i] = (struct index_entry){
        .hash = hash, .name_size = (uint16_t)name.size, .position = (uint16_t)position};
}

struct command_table *command_table_create(void)
{
    struct command_table *table = calloc(1, sizeof(*table));
    if (table == NULL) {
        return NULL;
    }
    for (; command_list[table->count].name != NULL; table->count++) {
        assert(table->count < INDEX_SIZE / 2);
        index_add(table, table->count);
    }
    return table;
}

void command_table_destroy(struct command_table *table)
{
    free(table);
}

size_t command_table_count(const struct command_table *table)
{
    return table->count;
}

const struct command *command_table_at(const struct command_table *table, size_t index)
{
    assert(index < table->count);
    return &command_list[index];
}

const struct command *command_find(const struct command_table *table, struct bytes name)
{
    if (name.size == 0) {
        return NULL;
    }
    uint32_t hash = name_hash(name);
    for (uint32_t i = index_of_hash(hash);; i = (i + 1) % INDEX_SIZE) {
        const struct index_entry *entry = &table->entries[i];
        if (entry->name_size == 0) {
            return NULL;
        }
        if (entry->hash == hash && entry->name_size == name.size &&
            bytes_equal_nocase(name, command_list[entry->position].name)) {
            return &command_list[entry->position];
        }
    }
}

const struct command *command_resolve(const struct command *command, const struct bytes *argv,
                                      size_t argc)
{
    if (TORC_LIKELY(command->subcommands == NULL)) {
        return command;
    }
    if (argc < 2) {
        return command->handler != NULL ? command : NULL;
    }
    size_t prefix = strlen(command->name) + 1; /* "client|" */
    for (const struct command *sub = command->subcommands; sub->name != NULL; sub++) {
        if (bytes_equal_nocase(argv[1], sub->name + prefix)) {
            return sub;
        }
    }
    return NULL;
}

size_t command_keys_end(const struct command *command, size_t argc)
{
    if (command->first_key == 0) {
        return 0;
    }
    size_t first = (size_t)command->first_key;
    size_t back = command->last_key < 0 ? (size_t)-command->last_key : 0;
    size_t last = back != 0 ? (argc > back ? argc - back : 0) : (size_t)command->last_key;
    if (last >= argc) {
        last = argc - 1;
    }
    if (last < first) {
        return 0;
    }
    size_t step = (size_t)command->key_step;
    return first + (last - first) / step * step + 1;
}
