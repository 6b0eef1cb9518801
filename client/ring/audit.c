/* What the nodes say; audit_judge.c makes sentences of it. */
#include "client/ring/audit.h"

#include "base/error.h"
#include "client/reply.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int audit_init(struct audit *out, const struct view *view)
{
    *out = (struct audit){.view = view_retain(view)};
    out->nodes = calloc(view->node_count + 1, sizeof(*out->nodes));
    view_encode(view, &out->view_bytes);
    if (out->nodes == NULL || out->view_bytes.failed) {
        audit_deinit(out);
        return TORC_ENOMEM;
    }
    return TORC_OK;
}

void audit_deinit(struct audit *audit)
{
    view_release(audit->view);
    buf_deinit(&audit->view_bytes);
    buf_deinit(&audit->problems);
    buf_deinit(&audit->notes);
    free(audit->nodes);
    free(audit->differing);
    *audit = (struct audit){.view = NULL};
}

/* ---- one look ---- */

void audit_read_view(struct audit *audit, size_t index, const redisReply *reply)
{
    struct audit_node *node = &audit->nodes[index];
    struct view *view = NULL;
    *node = (struct audit_node){.answers = reply != NULL};
    if (reply == NULL || reply->type != REDIS_REPLY_STRING) {
        return;
    }
    const struct bytes bytes = reply_bytes(reply);
    node->same_view = bytes_equal(bytes, buf_bytes(&audit->view_bytes));
    if (node->same_view) {
        node->epoch = audit->view->epoch;
    } else if (view_decode(&view, bytes, NULL) == TORC_OK) {
        node->epoch = view->epoch;
        view_release(view);
    }
}

void audit_read_slots(struct audit *audit, size_t index, const redisReply *reply)
{
    for (size_t i = 0; reply != NULL && reply->type == REDIS_REPLY_ARRAY && i < reply->elements;
         i++) {
        const redisReply *row = reply->element[i];
        if (row->type != REDIS_REPLY_ARRAY || row->elements == 0 ||
            row->element[0]->type != REDIS_REPLY_INTEGER || row->element[0]->integer < 0 ||
            row->element[0]->integer >= SLOT_COUNT) {
            continue;
        }
        const long long slot = row->element[0]->integer;
        audit->leader[slot] = (uint16_t)index;
        if (audit->leader_count[slot] < UINT8_MAX) {
            audit->leader_count[slot]++;
        }
    }
}

bool audit_agrees(const struct audit *audit)
{
    for (size_t i = 0; i < audit->view->node_count; i++) {
        if (audit->nodes[i].answers && !audit->nodes[i].same_view) {
            return false;
        }
    }
    return true;
}

/* ---- runs ---- */

void audit_give_up(struct audit *audit, size_t index, const char *trouble)
{
    struct audit_node *node = &audit->nodes[index];
    node->running = false;
    (void)snprintf(node->trouble, sizeof(node->trouble), "%s", trouble);
}

bool audit_read_start(struct audit *audit, size_t index, const redisReply *reply)
{
    struct audit_node *node = &audit->nodes[index];
    if (reply == NULL) {
        return false;
    }
    if (reply->type == REDIS_REPLY_INTEGER && reply->integer > 0) {
        node->run = (uint64_t)reply->integer;
        node->running = true;
        return true;
    }
    const struct bytes text = reply_bytes(reply);
    if (reply->type == REDIS_REPLY_ERROR && text.size >= 4 && memcmp(text.data, "BUSY", 4) == 0) {
        return false;
    }
    char trouble[AUDIT_TROUBLE_SIZE];
    (void)snprintf(trouble, sizeof(trouble), "cannot compare: %.*s",
                   (int)(text.size < 17 ? text.size : 17), text.size == 0 ? "" : text.data);
    audit_give_up(audit, index, trouble);
    return true;
}

/* The value of a field of a map, which is an array of names and values in RESP2. NULL: none. */
static const redisReply *find_field(const redisReply *map, const char *name)
{
    for (size_t i = 0; i + 1 < map->elements; i += 2) {
        if (bytes_equal(reply_bytes(map->element[i]), bytes_of(name))) {
            return map->element[i + 1];
        }
    }
    return NULL;
}

static uint64_t number_of(const redisReply *value)
{
    return value != NULL && value->type == REDIS_REPLY_INTEGER && value->integer > 0
               ? (uint64_t)value->integer
               : 0;
}

static uint64_t field_number(const redisReply *map, const char *name)
{
    return number_of(find_field(map, name));
}

static bool is_map(const redisReply *reply)
{
    return reply != NULL && reply->type == REDIS_REPLY_ARRAY && find_field(reply, "run") != NULL;
}

bool audit_read_status(struct audit *audit, size_t index, const redisReply *reply)
{
    struct audit_node *node = &audit->nodes[index];
    if (!is_map(reply)) {
        return false;
    }
    if (field_number(reply, "run") != node->run) {
        audit_give_up(audit, index, "began anew, or another check");
        return true;
    }
    node->running = field_number(reply, "running") != 0;
    node->slots_to_check = field_number(reply, "slots-to-check");
    node->slots_checked = field_number(reply, "slots-checked");
    node->slots_gone = field_number(reply, "slots-gone");
    node->ranges_sent = field_number(reply, "ranges-sent");
    node->ranges_unsent = field_number(reply, "ranges-unsent");
    return true;
}

bool audit_is_running(const struct audit *audit)
{
    bool running = false;
    for (size_t i = 0; i < audit->view->node_count; i++) {
        running = running || audit->nodes[i].running;
    }
    return running;
}

uint64_t audit_slots_done(const struct audit *audit, uint64_t *total)
{
    uint64_t done = 0;
    *total = 0;
    for (size_t i = 0; i < audit->view->node_count; i++) {
        done += audit->nodes[i].slots_checked + audit->nodes[i].slots_gone;
        *total += audit->nodes[i].slots_to_check;
    }
    return done;
}

/* ---- what was found ---- */

/* The node of that id whose run that is; false if it is another's, or an older one. */
static bool find_primary(const struct audit *audit, const redisReply *id, size_t *index)
{
    struct node_id wanted;
    if (node_id_parse(&wanted, reply_bytes(id)) != TORC_OK) {
        return false;
    }
    const int found = view_find(audit->view, &wanted);
    *index = (size_t)found;
    return found >= 0 && audit->nodes[found].run != 0;
}

/* [id, run, compared, passed over, differing] */
static void read_counts(struct audit *audit, const redisReply *row, bool *counts)
{
    size_t primary;
    if (row->type != REDIS_REPLY_ARRAY || row->elements < 5 ||
        !find_primary(audit, row->element[0], &primary)) {
        return;
    }
    struct audit_node *node = &audit->nodes[primary];
    if (number_of(row->element[1]) == node->run) {
        counts[primary] = true;
        node->ranges_compared += number_of(row->element[2]);
        node->ranges_passed += number_of(row->element[3]);
        node->ranges_differing += number_of(row->element[4]);
    }
}

static int add_difference(struct audit *audit, const struct audit_difference *difference)
{
    if (audit->differing_count == audit->differing_capacity) {
        const size_t capacity = audit->differing_capacity * 2 + 16;
        struct audit_difference *grown =
            realloc(audit->differing, capacity * sizeof(audit->differing[0]));
        if (grown == NULL) {
            return TORC_ENOMEM;
        }
        audit->differing = grown;
        audit->differing_capacity = capacity;
    }
    audit->differing[audit->differing_count++] = *difference;
    return TORC_OK;
}

/* [slot, id]; only of the runs that count. */
static int read_difference(struct audit *audit, size_t replica, const redisReply *row,
                           const bool *counts)
{
    size_t primary;
    if (row->type != REDIS_REPLY_ARRAY || row->elements < 2 ||
        row->element[0]->type != REDIS_REPLY_INTEGER || row->element[0]->integer < 0 ||
        row->element[0]->integer >= SLOT_COUNT || !find_primary(audit, row->element[1], &primary) ||
        !counts[primary]) {
        return TORC_OK;
    }
    const struct audit_difference difference = {.slot = (uint16_t)row->element[0]->integer,
                                                .primary = (uint16_t)primary,
                                                .replica = (uint16_t)replica};
    return add_difference(audit, &difference);
}

int audit_read_received(struct audit *audit, size_t index, const redisReply *reply)
{
    if (!is_map(reply)) {
        if (audit->nodes[index].trouble[0] == '\0') {
            audit_give_up(audit, index, "does not say what it found");
        }
        return TORC_OK;
    }
    const redisReply *received = find_field(reply, "received");
    const redisReply *differing = find_field(reply, "differing");
    bool *counts = calloc(audit->view->node_count + 1, sizeof(*counts));
    int result = counts == NULL ? TORC_ENOMEM : TORC_OK;
    for (size_t i = 0; result == TORC_OK && received != NULL &&
                       received->type == REDIS_REPLY_ARRAY && i < received->elements;
         i++) {
        read_counts(audit, received->element[i], counts);
    }
    for (size_t i = 0; result == TORC_OK && differing != NULL &&
                       differing->type == REDIS_REPLY_ARRAY && i < differing->elements;
         i++) {
        result = read_difference(audit, index, differing->element[i], counts);
    }
    free(counts);
    return result;
}

struct audit_totals audit_totals(const struct audit *audit)
{
    struct audit_totals totals = {0};
    for (size_t i = 0; i < audit->view->node_count; i++) {
        const struct audit_node *node = &audit->nodes[i];
        totals.slots_checked += node->slots_checked;
        totals.slots_gone += node->slots_gone;
        totals.ranges_sent += node->ranges_sent;
        totals.ranges_unsent += node->ranges_unsent;
        totals.ranges_compared += node->ranges_compared;
        totals.ranges_passed += node->ranges_passed;
        totals.ranges_differing += node->ranges_differing;
    }
    return totals;
}
