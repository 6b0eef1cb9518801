#include "node/command.h"

#include "base/attributes.h"
#include "node/command_table.h"
#include "node/resp/number.h"

#include <assert.h>
#include <stdlib.h>

#define INDEX_BITS 9
#define INDEX_SIZE (1u << INDEX_BITS)
#define NAME_SIZE_MAX 16 /* of commands; what is longer is none */

/*
 * A name in lower case as two words, its beginning and its end, which overlap unless it has all 16
 * bytes. With the size that is the whole name, so equal words are equal names.
 */
struct folded_name {
    uint64_t head;
    uint64_t tail;
    size_t size; /* 0 = none */
};

struct index_entry {
    struct folded_name name;
    size_t position; /* in command_list */
};

struct command_table {
    size_t count;
    struct index_entry entries[INDEX_SIZE]; /* open addressing, linear probing */
};

static uint64_t load64(const char *at)
{
    uint64_t value;
    memcpy(&value, at, sizeof(value));
    return value;
}

static uint32_t load32(const char *at)
{
    uint32_t value;
    memcpy(&value, at, sizeof(value));
    return value;
}

/* Eight bytes to lower case at once: adding to the low seven bits of each carries into the eighth
 * where it is 'A' or more, and where it is more than 'Z'. */
static uint64_t lower_word(uint64_t word)
{
    const uint64_t each = UINT64_C(0x0101010101010101);
    uint64_t low = word & (each * 0x7f);
    uint64_t from_a = low + each * (0x80 - 'A');
    uint64_t after_z = low + each * (0x7f - 'Z');
    uint64_t upper = (from_a ^ after_z) & ~word & (each * 0x80);
    return word | upper >> 2;
}

/* Size 0 when it is too long to be a command, or empty. */
static struct folded_name fold_name(struct bytes name)
{
    struct folded_name folded = {.size = name.size};
    if (TORC_UNLIKELY(name.size == 0 || name.size > NAME_SIZE_MAX)) {
        return (struct folded_name){0};
    }
    if (name.size >= 8) {
        folded.head = load64(name.data);
        folded.tail = load64(name.data + name.size - 8);
    } else if (name.size >= 4) {
        folded.head = load32(name.data);
        folded.tail = load32(name.data + name.size - 4);
    } else {
        const unsigned char *at = (const unsigned char *)name.data;
        folded.head = (uint64_t)at[0] << 8 | at[name.size / 2];
        folded.tail = at[name.size - 1];
    }
    folded.head = lower_word(folded.head);
    folded.tail = lower_word(folded.tail);
    return folded;
}

static size_t index_start(const struct folded_name *name)
{
    uint64_t word = name->head ^ (name->tail << 29 | name->tail >> 35) ^ name->size;
    return (size_t)(word * UINT64_C(0x9e3779b97f4a7c15) >> (64 - INDEX_BITS)); /* Fibonacci */
}

static void index_add(struct command_table *table, size_t position)
{
    struct bytes text = bytes_of(command_list[position].name);
    assert(text.size > 0);
    assert(text.size <= NAME_SIZE_MAX);
    assert(command_find(table, text) == NULL);
    struct folded_name name = fold_name(text);
    size_t i = index_start(&name);
    while (table->entries[i].name.size != 0) {
        i = (i + 1) % INDEX_SIZE;
    }
    table->entries[i] = (struct index_entry){.name = name, .position = position};
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
    struct folded_name folded = fold_name(name);
    if (TORC_UNLIKELY(folded.size == 0)) {
        return NULL;
    }
    for (size_t i = index_start(&folded);; i = (i + 1) % INDEX_SIZE) {
        const struct index_entry *entry = &table->entries[i];
        if (entry->name.size == folded.size && entry->name.head == folded.head &&
            entry->name.tail == folded.tail) {
            return &command_list[entry->position];
        }
        if (entry->name.size == 0) {
            return NULL;
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

/* Of a command that says itself how many keys it has: `first` is the first that is counted. */
static size_t counted_keys_end(size_t first, const struct bytes *argv, size_t argc)
{
    int64_t count;
    if (first >= argc) {
        return 0;
    }
    bool possible =
        parse_int64(argv[first - 1], &count) && count > 0 && (uint64_t)count <= argc - first;
    return first + (possible ? (size_t)count : 1);
}

size_t command_keys_end(const struct command *command, const struct bytes *argv, size_t argc)
{
    if (command->first_key == 0) {
        return 0;
    }
    size_t first = (size_t)command->first_key;
    if ((command->flags & COMMAND_KEY_COUNT) != 0) {
        bool target = (command->flags & COMMAND_KEY_TARGET) != 0;
        return counted_keys_end(target ? first + 2 : first, argv, argc);
    }
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
