#include "harness.h"

#include "node/command_errors.h"
#include "node/commands/handlers.h"
#include "node/node.h"
#include "node/resp/request.h"
#include "node/slots_replicate.h"
#include "ring/slot.h"

#include <check.h>
#include <inttypes.h>
#include <stdlib.h>

struct worker {
    struct node *node;
    struct harness *harness;
};

struct node *worker_node(struct worker *worker)
{
    return worker->node;
}

void slot_replicate(struct call *call, struct slot *slot, size_t argc, const struct bytes *argv)
{
    ck_assert_uint_eq(atomic_load(&slot->lock.held), 1);
    struct call telling = {.effects = &call->worker->harness->effects};
    call_effect(&telling, argc, argv);
}

/* There are no clients that could be told. */
void tracking_slot_flushed(struct node *node, struct slot *slot, const struct worker *self)
{
    (void)node;
    (void)self;
    ck_assert_uint_eq(atomic_load(&slot->lock.held), 1);
}

void tracking_tell_all(struct node *node, const struct worker *self)
{
    (void)node;
    (void)self;
}

/* Handlers that need a whole node; the commands tested here never come to them. */
#define HANDLER_ABSENT(handler)                                                                    \
    void handler##_command(struct call *call)                                                      \
    {                                                                                              \
        ck_abort_msg("%.*s needs a node", (int)call->argv[0].size, call->argv[0].data);            \
    }
COMMAND_HANDLERS_OF_NODE(HANDLER_ABSENT)

void harness_init(struct harness *harness)
{
    *harness = (struct harness){.now_ms = HARNESS_NOW_MS, .protocol = 2};
    prng_init(&harness->prng, 1);
    harness->store = store_create();
    harness->commands = command_table_create();
    harness->node = calloc(1, sizeof(*harness->node));
    harness->worker = calloc(1, sizeof(*harness->worker));
    harness->slots = calloc(SLOT_COUNT, sizeof(*harness->slots));
    harness->session = calloc(1, sizeof(*harness->session));
    ck_assert(harness->store != NULL && harness->commands != NULL && harness->node != NULL &&
              harness->worker != NULL && harness->slots != NULL && harness->session != NULL);
    for (size_t i = 0; i < SLOT_COUNT; i++) {
        copy_init(&harness->slots[i].copy, (uint16_t)i);
        harness->slots[i].copy.role = COPY_PRIMARY;
        harness->slots[i].copy.stage = COPY_SERVING;
        harness->slots[i].copy.complete = true;
        atomic_store(&harness->slots[i].keys, store_keyspace(harness->store, (uint16_t)i));
    }
    harness->node->slots = harness->slots;
    harness->worker->node = harness->node;
    harness->worker->harness = harness;
}

void harness_unserve(struct slot *slot, enum copy_role role)
{
    slot->copy.role = (uint8_t)role;
    slot->copy.stage = role == COPY_PRIMARY ? COPY_JOINING : COPY_IDLE;
}

void harness_deinit(struct harness *harness)
{
    store_destroy(harness->store);
    command_table_destroy(harness->commands);
    free(harness->node);
    free(harness->worker);
    free(harness->slots);
    free(harness->session);
    buf_deinit(&harness->reply);
    buf_deinit(&harness->effects);
    buf_deinit(&harness->text);
}

static void run_handler(struct harness *harness, const struct command *command)
{
    struct call *call = &harness->call;
    call->command = command;
    if (command->first_key == 0) {
        if (command->route == ROUTE_LOCAL && harness->applying) {
            call->keys = slot_keys(&harness->slots[0]);
        }
        command->handler(call);
        return;
    }
    struct bytes key = call->argv[command->first_key];
    call->keys = slot_keys(&harness->slots[harness->by_slot ? slot_of_key(key) : 0]);
    call->hash = key_hash(key);
    command->handler(call);
}

const char *harness_run_arguments(struct harness *harness, size_t argc, const struct bytes *argv)
{
    buf_reset(&harness->reply, SIZE_MAX);
    buf_reset(&harness->effects, SIZE_MAX);
    struct reply_writer writer = {.out = &harness->reply, .protocol = harness->protocol};
    harness->call = (struct call){.argv = argv,
                                  .argc = argc,
                                  .now_ms = harness->now_ms,
                                  .reply = &writer,
                                  .session = harness->applying ? NULL : harness->session,
                                  .worker = harness->worker,
                                  .prng = harness->applying ? NULL : &harness->prng,
                                  .effects = harness->applying ? NULL : &harness->effects,
                                  .applying = harness->applying,
                                  .wait = &harness->wait};
    harness->wait = (struct call_wait){0};
    const struct command *container = command_find(harness->commands, argv[0]);
    const struct command *command = NULL;
    if (container == NULL) {
        reply_unknown_command(&writer, argv, argc);
    } else if (!command_arity_ok(container, argc)) {
        reply_wrong_arity(&writer, container);
    } else if ((command = command_resolve(container, argv, argc)) == NULL) {
        reply_unknown_subcommand(&writer, container, argv, argc);
    } else if (!command_arity_ok(command, argc)) {
        reply_wrong_arity(&writer, command);
    } else {
        run_handler(harness, command);
    }
    harness->call.reply = NULL;
    buf_append(&harness->reply, "", 1);
    ck_assert(!harness->reply.failed && !harness->effects.failed);
    return buf_head(&harness->reply);
}

const char *harness_run(struct harness *harness, const char *request)
{
    struct buf input = {0};
    buf_append_text(&input, request);
    buf_append_text(&input, "\r\n");
    struct request_parser parser;
    request_parser_init(&parser);
    struct argument_list list;
    argument_list_init(&list);
    struct request parsed;
    ck_assert_int_eq(request_parse(&parser, buf_head(&input), buf_size(&input), &list, &parsed),
                     REQUEST_COMPLETE);
    const char *reply = harness_run_arguments(harness, parsed.count, list.items + parsed.first);
    argument_list_deinit(&list);
    request_parser_deinit(&parser);
    buf_deinit(&input);
    return reply;
}

/* Parses concatenated RESP commands; calls `each` with every one of them. */
static void each_command(struct bytes effects,
                         void (*each)(struct harness *, size_t, const struct bytes *),
                         struct harness *harness)
{
    char *input = malloc(effects.size + 1);
    ck_assert_ptr_nonnull(input);
    memcpy(input, effects.size == 0 ? "" : effects.data, effects.size);
    struct request_parser parser;
    request_parser_init(&parser);
    for (size_t at = 0; at < effects.size;) {
        struct argument_list list;
        argument_list_init(&list);
        struct request parsed;
        ck_assert_int_eq(request_parse(&parser, input + at, effects.size - at, &list, &parsed),
                         REQUEST_COMPLETE);
        each(harness, parsed.count, list.items + parsed.first);
        at += parsed.consumed;
        argument_list_deinit(&list);
    }
    request_parser_deinit(&parser);
    free(input);
}

static void effect_to_text(struct harness *harness, size_t argc, const struct bytes *argv)
{
    buf_append_text(&harness->text, buf_size(&harness->text) == 0 ? "" : " | ");
    for (size_t i = 0; i < argc; i++) {
        buf_append_text(&harness->text, i == 0 ? "" : " ");
        buf_append(&harness->text, argv[i].data, argv[i].size);
    }
}

const char *harness_effects(struct harness *harness)
{
    buf_reset(&harness->text, SIZE_MAX);
    if (buf_size(&harness->effects) > 0) {
        each_command(buf_bytes(&harness->effects), effect_to_text, harness);
    }
    buf_append(&harness->text, "", 1);
    return buf_head(&harness->text);
}

static void apply_one(struct harness *harness, size_t argc, const struct bytes *argv)
{
    const char *reply = harness_run_arguments(harness, argc, argv);
    ck_assert_msg(reply[0] != '-', "%.*s was refused by the replica: %s", (int)argv[0].size,
                  argv[0].data, reply);
}

void harness_apply(struct harness *harness, struct bytes effects)
{
    harness->applying = true;
    if (effects.size > 0) {
        each_command(effects, apply_one, harness);
    }
    harness->applying = false;
}

void harness_expect(struct harness *harness, const char *file, int line, const char *request,
                    const char *reply, const char *effects)
{
    const char *got = harness_run(harness, request);
    ck_assert_msg(strcmp(got, reply) == 0, "%s:%d: %s\n  replied  %s  expected %s", file, line,
                  request, got, reply);
    const char *told = harness_effects(harness);
    ck_assert_msg(strcmp(told, effects) == 0, "%s:%d: %s\n  told     %s\n  expected %s", file, line,
                  request, told, effects);
    ck_assert_msg((harness->call.changes > 0) == (effects[0] != '\0') || harness->call.keys == NULL,
                  "%s:%d: %s counts %" PRIu64 " changes", file, line, request,
                  harness->call.changes);
}

struct content {
    struct keyspace *keys;
    char **lines;
    size_t count;
};

static void content_visit(void *context, const struct object *object)
{
    struct content *content = context;
    struct buf line = {0};
    struct bytes key = object_key(object);
    buf_append(&line, key.data, key.size);
    buf_append_format(&line, " %" PRIu64 " ", keyspace_expire_at_ms(content->keys, object));
    struct buf dump = {0};
    object_dump(object, &dump);
    for (size_t i = 0; i < buf_size(&dump); i++) {
        buf_append_format(&line, "%02x", (unsigned char)buf_head(&dump)[i]);
    }
    buf_append(&line, "", 1);
    buf_deinit(&dump);
    content->lines = realloc(content->lines, (content->count + 1) * sizeof(char *));
    ck_assert_ptr_nonnull(content->lines);
    content->lines[content->count++] = line.data;
}

static int line_compare(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

char *harness_content(struct harness *harness)
{
    struct content content = {.keys = slot_keys(&harness->slots[0])};
    keyspace_scan(content.keys, 0, SIZE_MAX, content_visit, &content);
    if (content.count > 0) {
        qsort(content.lines, content.count, sizeof(char *), line_compare);
    }
    struct buf text = {0};
    for (size_t i = 0; i < content.count; i++) {
        buf_append_format(&text, "%s\n", content.lines[i]);
        free(content.lines[i]);
    }
    free(content.lines);
    buf_append(&text, "", 1);
    return text.data;
}
