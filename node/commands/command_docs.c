#include "node/commands/command_docs.h"
#include "node/call.h"

#include "node/command.h"
#include "node/commands/handlers.h"
#include "node/node.h"
#include "node/resp/glob.h"

#include <assert.h>
#include <string.h>

#define NAME_SIZE_MAX 128 /* of a command or category, as it is shown in an error or compared */
#define CATEGORIES_MAX 8

static const struct {
    unsigned flag;
    const char *name;
} flag_names[] = {
    {COMMAND_WRITE, "write"},           {COMMAND_READONLY, "readonly"},
    {COMMAND_DENYOOM, "denyoom"},       {COMMAND_ADMIN, "admin"},
    {COMMAND_LOADING, "loading"},       {COMMAND_FAST, "fast"},
    {COMMAND_NO_AUTH, "no_auth"},       {COMMAND_BLOCKING, "blocking"},
    {COMMAND_KEY_COUNT, "movablekeys"},
};

#define FLAG_COUNT (sizeof(flag_names) / sizeof(flag_names[0]))

static const struct command_table *table_of(const struct call *call)
{
    return worker_node(call->worker)->commands;
}

/* Commands between nodes are nobody else's business. */
static bool is_hidden(const struct command *command)
{
    return (command->flags & COMMAND_INTERNAL) != 0;
}

static size_t count_shown(const struct command_table *table)
{
    size_t count = 0;
    for (size_t i = 0; i < command_table_count(table); i++) {
        count += is_hidden(command_table_at(table, i)) ? 0 : 1;
    }
    return count;
}

/* By name, a subcommand as "client|list". NULL if there is none or it is hidden. */
static const struct command *find_shown(const struct command_table *table, struct bytes name)
{
    const char *bar = name.size == 0 ? NULL : memchr(name.data, '|', name.size);
    struct bytes first = name;
    if (bar != NULL) {
        first.size = (size_t)(bar - name.data);
    }
    const struct command *command = command_find(table, first);
    if (command != NULL && bar != NULL) {
        const struct bytes argv[2] = {first, {bar + 1, name.size - first.size - 1}};
        command = command->subcommands == NULL ? NULL : command_resolve(command, argv, 2);
    }
    return command == NULL || is_hidden(command) ? NULL : command;
}

static const char *group_name(enum command_group group)
{
    switch (group) {
    case GROUP_STRING: return "string";
    case GROUP_LIST: return "list";
    case GROUP_HASH: return "hash";
    case GROUP_SET: return "set";
    case GROUP_SORTED_SET: return "sorted-set";
    case GROUP_GENERIC: return "generic";
    case GROUP_CONNECTION: return "connection";
    case GROUP_PUBSUB: return "pubsub";
    case GROUP_SERVER: return "server";
    case GROUP_CLUSTER: return "cluster";
    }
    return "generic";
}

static size_t subcommand_count(const struct command *command)
{
    size_t count = 0;
    if (command->subcommands != NULL) {
        while (command->subcommands[count].name != NULL) {
            count++;
        }
    }
    return count;
}

/* Redis's ACL categories, as far as flags and group tell them. */
static size_t categories_of(const struct command *command, const char *out[CATEGORIES_MAX])
{
    size_t count = 0;
    if ((command->flags & COMMAND_WRITE) != 0) {
        out[count++] = "@write";
    }
    if ((command->flags & COMMAND_READONLY) != 0) {
        out[count++] = "@read";
    }
    if (command->group == GROUP_STRING) {
        out[count++] = "@string";
    } else if (command->group == GROUP_LIST) {
        out[count++] = "@list";
    } else if (command->group == GROUP_HASH) {
        out[count++] = "@hash";
    } else if (command->group == GROUP_SET) {
        out[count++] = "@set";
    } else if (command->group == GROUP_SORTED_SET) {
        out[count++] = "@sortedset";
    } else if (command->group == GROUP_GENERIC) {
        out[count++] = "@keyspace";
    } else if (command->group == GROUP_CONNECTION) {
        out[count++] = "@connection";
    } else if (command->group == GROUP_PUBSUB) {
        out[count++] = "@pubsub";
    }
    if ((command->flags & COMMAND_ADMIN) != 0) {
        out[count++] = "@admin";
        out[count++] = "@dangerous";
    }
    if ((command->flags & COMMAND_BLOCKING) != 0) {
        out[count++] = "@blocking";
    }
    out[count++] = (command->flags & COMMAND_FAST) != 0 ? "@fast" : "@slow";
    assert(count <= CATEGORIES_MAX);
    return count;
}

static void reply_flags(struct reply_writer *reply, unsigned flags)
{
    size_t count = 0;
    for (size_t i = 0; i < FLAG_COUNT; i++) {
        count += (flags & flag_names[i].flag) != 0 ? 1 : 0;
    }
    reply_set(reply, count);
    for (size_t i = 0; i < FLAG_COUNT; i++) {
        if ((flags & flag_names[i].flag) != 0) {
            reply_simple(reply, flag_names[i].name);
        }
    }
}

/* How keys are used: the table knows reading from writing and no more, so a writing command is said
 * to do both. */
static void reply_key_flags(struct reply_writer *reply, const struct command *command)
{
    if ((command->flags & COMMAND_WRITE) != 0) {
        reply_set(reply, 3);
        reply_simple(reply, "RW");
        reply_simple(reply, "access");
        reply_simple(reply, "update");
    } else {
        reply_set(reply, 2);
        reply_simple(reply, "RO");
        reply_simple(reply, "access");
    }
}

/* A word of a key specification and what it says: numbers under names. */
static void reply_search(struct reply_writer *reply, const char *what, const char *type,
                         size_t count)
{
    reply_bulk_text(reply, what);
    reply_map(reply, 2);
    reply_bulk_text(reply, "type");
    reply_bulk_text(reply, type);
    reply_bulk_text(reply, "spec");
    reply_map(reply, count);
}

static void reply_named_integer(struct reply_writer *reply, const char *name, int64_t value)
{
    reply_bulk_text(reply, name);
    reply_integer(reply, value);
}

/* The flags of keys, and the argument that they are looked for from. */
static void reply_key_search(struct reply_writer *reply, const struct command *command, int index)
{
    reply_map(reply, 3);
    reply_bulk_text(reply, "flags");
    reply_key_flags(reply, command);
    reply_search(reply, "begin_search", "index", 1);
    reply_named_integer(reply, "index", index);
}

static void reply_key_range(struct reply_writer *reply, const struct command *command, int last)
{
    reply_key_search(reply, command, command->first_key);
    reply_search(reply, "find_keys", "range", 3);
    reply_named_integer(reply, "lastkey", last);
    reply_named_integer(reply, "keystep", command->key_step);
    reply_named_integer(reply, "limit", 0);
}

static void reply_counted_keys(struct reply_writer *reply, const struct command *command, int index)
{
    reply_key_search(reply, command, index);
    reply_search(reply, "find_keys", "keynum", 3);
    reply_named_integer(reply, "keynumidx", 0);
    reply_named_integer(reply, "firstkey", 1);
    reply_named_integer(reply, "keystep", command->key_step);
}

static void reply_key_specifications(struct reply_writer *reply, const struct command *command)
{
    if (command->first_key == 0) {
        reply_set(reply, 0);
        return;
    }
    int last = command->last_key >= 0 ? command->last_key - command->first_key : command->last_key;
    if ((command->flags & COMMAND_KEY_TARGET) != 0) {
        reply_set(reply, 2);
        reply_key_range(reply, command, 0);
        reply_counted_keys(reply, command, command->first_key + 1);
    } else if ((command->flags & COMMAND_KEY_COUNT) != 0) {
        reply_set(reply, 1);
        reply_counted_keys(reply, command, command->first_key - 1);
    } else {
        reply_set(reply, 1);
        reply_key_range(reply, command, last);
    }
}

/* How a client that routes by itself, over the direct ports, spreads the command and joins the
 * answers; over the client port every node does that for it. */
static void reply_tips(struct reply_writer *reply, enum command_route route)
{
    static const char *const tips[][2] = {
        [ROUTE_SPLIT_ARRAY] = {"request_policy:multi_shard", NULL},
        [ROUTE_SPLIT_SUM] = {"request_policy:multi_shard", "response_policy:agg_sum"},
        [ROUTE_SPLIT_OK] = {"request_policy:multi_shard", "response_policy:all_succeeded"},
        [ROUTE_ALL_SUM] = {"request_policy:all_shards", "response_policy:agg_sum"},
        [ROUTE_ALL_CONCAT] = {"request_policy:all_shards", "nondeterministic_output_order"},
        [ROUTE_ALL_OK] = {"request_policy:all_shards", "response_policy:all_succeeded"},
        [ROUTE_ALL_PICK] = {"request_policy:all_shards", "response_policy:special"},
        [ROUTE_ALL_SCAN] = {"request_policy:special", "response_policy:special"},
    };
    size_t known = sizeof(tips) / sizeof(tips[0]);
    const char *const *of_route = (size_t)route < known ? tips[route] : tips[ROUTE_LOCAL];
    size_t count = of_route[0] == NULL ? 0 : of_route[1] == NULL ? 1 : 2;
    reply_set(reply, count);
    for (size_t i = 0; i < count; i++) {
        reply_bulk_text(reply, of_route[i]);
    }
}

/* One element of COMMAND's reply. */
static void reply_command(struct reply_writer *reply, const struct command *command)
{
    const char *categories[CATEGORIES_MAX];
    size_t category_count = categories_of(command, categories);
    size_t subcommands = subcommand_count(command);
    /* As in Redis three numbers do not tell keys that are counted by an argument. */
    bool target = (command->flags & COMMAND_KEY_TARGET) != 0;
    bool told = (command->flags & COMMAND_KEY_COUNT) == 0 || target;
    reply_array(reply, 10);
    reply_bulk_text(reply, command->name);
    reply_integer(reply, command->arity);
    reply_flags(reply, command->flags);
    reply_integer(reply, told ? command->first_key : 0);
    reply_integer(reply, target ? command->first_key : told ? command->last_key : 0);
    reply_integer(reply, told ? command->key_step : 0);
    reply_set(reply, category_count);
    for (size_t i = 0; i < category_count; i++) {
        reply_simple(reply, categories[i]);
    }
    reply_tips(reply, command->route);
    reply_key_specifications(reply, command);
    reply_array(reply, subcommands);
    for (size_t i = 0; i < subcommands; i++) {
        reply_command(reply, &command->subcommands[i]);
    }
}

void command_command(struct call *call)
{
    const struct command_table *table = table_of(call);
    reply_array(call->reply, count_shown(table));
    for (size_t i = 0; i < command_table_count(table); i++) {
        if (!is_hidden(command_table_at(table, i))) {
            reply_command(call->reply, command_table_at(table, i));
        }
    }
}

void command_count_command(struct call *call)
{
    reply_integer(call->reply, (int64_t)count_shown(table_of(call)));
}

void command_info_command(struct call *call)
{
    if (call->argc == 2) {
        command_command(call);
        return;
    }
    reply_array(call->reply, call->argc - 2);
    for (size_t i = 2; i < call->argc; i++) {
        const struct command *command = find_shown(table_of(call), call->argv[i]);
        if (command == NULL) {
            reply_null_array(call->reply);
        } else {
            reply_command(call->reply, command);
        }
    }
}

/* A name and its documentation: two elements of a map. */
static void reply_docs(struct reply_writer *reply, const struct command *command)
{
    size_t subcommands = subcommand_count(command);
    reply_bulk_text(reply, command->name);
    reply_map(reply, subcommands > 0 ? 5 : 4);
    reply_bulk_text(reply, "summary");
    reply_bulk_text(reply, command->summary);
    reply_bulk_text(reply, "since");
    reply_bulk_text(reply, command->since);
    reply_bulk_text(reply, "group");
    reply_bulk_text(reply, group_name(command->group));
    reply_bulk_text(reply, "complexity");
    reply_bulk_text(reply, command->complexity);
    if (subcommands > 0) {
        reply_bulk_text(reply, "subcommands");
        reply_map(reply, subcommands);
        for (size_t i = 0; i < subcommands; i++) {
            reply_docs(reply, &command->subcommands[i]);
        }
    }
}

void command_docs_command(struct call *call)
{
    const struct command_table *table = table_of(call);
    if (call->argc == 2) {
        reply_map(call->reply, count_shown(table));
        for (size_t i = 0; i < command_table_count(table); i++) {
            if (!is_hidden(command_table_at(table, i))) {
                reply_docs(call->reply, command_table_at(table, i));
            }
        }
        return;
    }
    size_t known = 0;
    for (size_t i = 2; i < call->argc; i++) {
        known += find_shown(table, call->argv[i]) != NULL ? 1 : 0;
    }
    reply_map(call->reply, known);
    for (size_t i = 2; i < call->argc; i++) {
        const struct command *command = find_shown(table, call->argv[i]);
        if (command != NULL) {
            reply_docs(call->reply, command);
        }
    }
}

enum list_filter { FILTER_NONE, FILTER_MODULE, FILTER_CATEGORY, FILTER_PATTERN };

static bool passes(const struct command *command, enum list_filter filter, struct bytes value)
{
    const char *categories[CATEGORIES_MAX];
    switch (filter) {
    case FILTER_NONE: return true;
    case FILTER_MODULE: return false; /* there are none */
    case FILTER_PATTERN: return glob_match(value, bytes_of(command->name), true);
    case FILTER_CATEGORY:
        for (size_t i = categories_of(command, categories); i > 0; i--) {
            if (bytes_equal_nocase(value, categories[i - 1] + 1)) {
                return true;
            }
        }
        return false;
    }
    return false;
}

/* Counts the names that pass, or with `reply` writes them. Subcommands only when there is something
 * to select them by. */
static size_t list_names(const struct command_table *table, enum list_filter filter,
                         struct bytes value, struct reply_writer *reply)
{
    size_t count = 0;
    for (size_t i = 0; i < command_table_count(table); i++) {
        const struct command *command = command_table_at(table, i);
        if (is_hidden(command)) {
            continue;
        }
        size_t subcommands = filter == FILTER_NONE ? 0 : subcommand_count(command);
        for (size_t j = 0; j <= subcommands; j++) {
            const struct command *one = j == 0 ? command : &command->subcommands[j - 1];
            if (passes(one, filter, value)) {
                count++;
                if (reply != NULL) {
                    reply_bulk_text(reply, one->name);
                }
            }
        }
    }
    return count;
}

void command_list_command(struct call *call)
{
    enum list_filter filter = FILTER_NONE;
    struct bytes value = {0};
    if (call->argc == 5 && call_argument_is(call, 2, "filterby")) {
        value = call->argv[4];
        filter = call_argument_is(call, 3, "module")    ? FILTER_MODULE
                 : call_argument_is(call, 3, "aclcat")  ? FILTER_CATEGORY
                 : call_argument_is(call, 3, "pattern") ? FILTER_PATTERN
                                                        : FILTER_NONE;
    }
    if (filter == FILTER_NONE && call->argc != 2) {
        call_reply_syntax_error(call);
        return;
    }
    reply_array(call->reply, list_names(table_of(call), filter, value, NULL));
    list_names(table_of(call), filter, value, call->reply);
}

/* The command at argument 2 with its arguments, and where its keys end; replies the error itself.
 */
static const struct command *read_keyed(struct call *call, size_t *keys_end)
{
    const struct bytes *argv = call->argv + 2;
    size_t argc = call->argc - 2;
    const struct command *command = command_find(table_of(call), argv[0]);
    if (command != NULL) {
        command = command_resolve(command, argv, argc);
    }
    if (command == NULL || is_hidden(command)) {
        reply_error(call->reply, "ERR Invalid command specified");
    } else if (command->first_key == 0) {
        reply_error(call->reply, "ERR The command has no key arguments");
    } else if (!command_arity_ok(command, argc)) {
        reply_error(call->reply, "ERR Invalid number of arguments specified for command");
    } else {
        *keys_end = command_keys_end(command, argv, argc);
        return command;
    }
    return NULL;
}

static void reply_keys(struct call *call, bool with_flags)
{
    size_t end = 0;
    const struct command *command = read_keyed(call, &end);
    if (command == NULL) {
        return;
    }
    size_t first = (size_t)command->first_key;
    size_t count = 0;
    for (size_t i = first; i < end; i = command_key_next(command, i)) {
        count++;
    }
    reply_array(call->reply, count);
    for (size_t i = first; i < end; i = command_key_next(command, i)) {
        if (with_flags) {
            reply_array(call->reply, 2);
        }
        reply_bulk(call->reply, call->argv[2 + i]);
        if (with_flags) {
            reply_key_flags(call->reply, command);
        }
    }
}

void command_getkeys_command(struct call *call)
{
    reply_keys(call, false);
}

void command_getkeysandflags_command(struct call *call)
{
    reply_keys(call, true);
}

static void reply_upper(struct reply_writer *reply, const char *text, const char *rest)
{
    char line[NAME_SIZE_MAX];
    size_t size = 0;
    for (; text[size] != '\0' && text[size] != '|' && size < sizeof(line) - 1; size++) {
        bool lower = text[size] >= 'a' && text[size] <= 'z';
        line[size] = lower ? (char)(text[size] - 'a' + 'A') : text[size];
    }
    for (; *rest != '\0' && size < sizeof(line) - 1; rest++) {
        line[size++] = *rest;
    }
    line[size] = '\0';
    reply_simple(reply, line);
}

static void reply_indented(struct reply_writer *reply, const char *text)
{
    char line[NAME_SIZE_MAX + 4] = "    ";
    strncat(line, text, sizeof(line) - strlen(line) - 1);
    reply_simple(reply, line);
}

void command_reply_help(struct call *call)
{
    const char *name = call->command->name;
    struct bytes container_name = {name, strcspn(name, "|")};
    const struct command *container = command_find(table_of(call), container_name);
    assert(container != NULL && container->subcommands != NULL);
    reply_array(call->reply, 1 + 2 * subcommand_count(container));
    reply_upper(call->reply, name, " <subcommand> [<argument> ...]. Subcommands are:");
    for (size_t i = 0; container->subcommands[i].name != NULL; i++) {
        const struct command *one = &container->subcommands[i];
        reply_upper(call->reply, one->name + container_name.size + 1, "");
        reply_indented(call->reply, one->summary);
    }
}

void command_help_command(struct call *call)
{
    command_reply_help(call);
}
