/*
 * Executes commands as the dispatcher does, without a node around them: looks them up, checks the
 * arity, calls the handler, and keeps the reply and the effects as they would travel. Requests are
 * written as inline commands, with their quoting.
 */
#ifndef TORC_TESTS_UNIT_COMMANDS_HARNESS_H
#define TORC_TESTS_UNIT_COMMANDS_HARNESS_H

#include "base/prng.h"
#include "node/call.h"
#include "node/command.h"
#include "node/session.h"
#include "node/slots.h"

struct node;
struct worker;

#define HARNESS_NOW_MS UINT64_C(1700000000000)

struct harness {
    struct store *store;
    struct command_table *commands;
    struct node *node;
    struct worker *worker;
    struct slot *slots; /* all served */
    struct session *session;
    struct buf reply;
    struct buf effects;
    uint64_t now_ms;
    int protocol;
    bool by_slot; /* keys go to their slots; else all to slot 0, so that any keys go together */
    bool applying;
    struct prng prng;
    struct call call;
    struct call_wait wait;
    /* of the command before: what it waits for, having replied nothing */ /* the last one */
    struct buf text;                                                       /* of harness_effects */
};

void harness_init(struct harness *harness);
void harness_deinit(struct harness *harness);
/* The slot is served no more: led by another node, or not taken over yet. */
void harness_unserve(struct slot *slot, enum copy_role role);

/* The reply's bytes, zero-terminated; borrowed until the next run. */
const char *harness_run(struct harness *harness, const char *request);
const char *harness_run_arguments(struct harness *harness, size_t argc, const struct bytes *argv);
/* The effects of the last run as "SET a 1 | DEL b"; "" for none. */
const char *harness_effects(struct harness *harness);
/* Executes what are another harness's effects, as a replica does. */
void harness_apply(struct harness *harness, struct bytes effects);

/* Runs, and asserts the reply's bytes and the effects. */
void harness_expect(struct harness *harness, const char *file, int line, const char *request,
                    const char *reply, const char *effects);

#define EXPECT(harness, request, reply) EXPECT_EFFECT(harness, request, reply, "")
#define EXPECT_EFFECT(harness, request, reply, effects)                                            \
    harness_expect((harness), __FILE__, __LINE__, (request), (reply), (effects))

#define R_OK "+OK\r\n"
#define R_NULL "$-1\r\n"
#define R_EMPTY "*0\r\n"
#define R_EMPTY_SCAN "*2\r\n$1\r\n0\r\n*0\r\n"
#define R_WRONG "-WRONGTYPE Operation against a key holding the wrong kind of value\r\n"
#define R_SYNTAX "-ERR syntax error\r\n"
#define R_NOT_INTEGER "-ERR value is not an integer or out of range\r\n"

/* The content of slot 0 as sorted lines "key expiry dump"; the caller frees it. */
char *harness_content(struct harness *harness);

#endif
