#include "client/ring/render_json.h"

#include "client/ring/render.h"
#include "ring/slot.h"

#include <string.h>

/* Appends to the array, or drops it all when something found no memory: NULL in, NULL out. */
static json_t *append(json_t *array, json_t *element)
{
    if (array == NULL || json_array_append_new(array, element) != 0) {
        if (array == NULL) {
            json_decref(element);
        }
        json_decref(array);
        return NULL;
    }
    return array;
}

/* A text that may not be UTF-8: then it is shown as torc-ring shows it to people. */
static json_t *text(const char *bytes)
{
    json_t *string = json_string(bytes);
    if (string == NULL) {
        struct buf shown = {0};
        render_key(&shown, bytes_of(bytes));
        string = shown.failed ? NULL : json_stringn(buf_head(&shown), buf_size(&shown));
        buf_deinit(&shown);
    }
    return string;
}

static json_t *identity(const struct view_node *node)
{
    char id[NODE_ID_TEXT_SIZE];
    node_id_format(&node->id, id);
    return json_pack("{s:s, s:o, s:i, s:i}", "id", id, "host", text(node->host), "port",
                     node->client_port, "direct_port", node->direct_port);
}

static json_t *node_json(const struct summary *summary, size_t index)
{
    const struct view_node *node = &summary->view->nodes[index];
    const struct node_summary *counted = &summary->nodes[index];
    json_t *out = identity(node);
    json_t *more = json_pack(
        "{s:i, s:i, s:I, s:o, s:s, s:f, s:f, s:b, s:i, s:i, s:f, s:b}", "http_port",
        node->http_port, "bus_port", node->bus_port, "incarnation", (json_int_t)node->incarnation,
        "zone", text(node->zone), "status", summary_status_name(node->status), "weight",
        (double)node->weight_current / WEIGHT_UNIT, "weight_target",
        (double)node->weight_target / WEIGHT_UNIT, "voter", view_is_voter(summary->view, &node->id),
        "primaries", (int)counted->primaries, "replicas", (int)counted->replicas, "primaries_due",
        counted->due, "answers", counted->answers);
    json_t *asked = counted->answers ? json_pack("{s:I, s:I}", "keys", (json_int_t)counted->keys,
                                                 "memory_bytes", (json_int_t)counted->memory_bytes)
                                     : json_pack("{s:n, s:n}", "keys", "memory_bytes");
    if (json_object_update(out, more) != 0 || json_object_update(out, asked) != 0) {
        json_decref(out);
        out = NULL;
    }
    json_decref(more);
    json_decref(asked);
    return out;
}

static json_t *warnings_json(const struct summary *summary)
{
    json_t *out = json_array();
    struct bytes rest = buf_bytes(&summary->warnings);
    while (rest.size > 0) {
        const char *newline = memchr(rest.data, '\n', rest.size);
        size_t size = newline == NULL ? rest.size : (size_t)(newline - rest.data);
        out = append(out, json_stringn_nocheck(rest.data, size));
        size += newline == NULL ? 0 : 1;
        rest = (struct bytes){rest.data + size, rest.size - size};
    }
    return out;
}

json_t *render_status_json(const struct summary *summary)
{
    const struct view *view = summary->view;
    char cluster_id[NODE_ID_TEXT_SIZE];
    node_id_format(&view->cluster_id, cluster_id);
    json_t *nodes = json_array();
    for (size_t i = 0; i < view->node_count; i++) {
        nodes = append(nodes, node_json(summary, i));
    }
    return json_pack("{s:o, s:s, s:I, s:i, s:b, s:i, s:i, s:i, s:o, s:o}", "cluster",
                     text(view->cluster_name), "cluster_id", cluster_id, "epoch",
                     (json_int_t)view->epoch, "copies", view->copies, "changing", view->changing,
                     "slots_to_move", (int)summary->slots_to_move, "slots_without_owner",
                     (int)summary->slots_without_owner, "slots_short", (int)summary->slots_short,
                     "nodes", nodes, "warnings", warnings_json(summary));
}

static json_t *key_json(const struct view *view, const char *key)
{
    uint16_t owners[COPIES_MAX];
    const uint16_t slot = slot_of_key(bytes_of(key));
    size_t count = view_owners(view, slot, owners);
    json_t *replicas = json_array();
    for (size_t rank = 1; rank < count; rank++) {
        replicas = append(replicas, identity(&view->nodes[owners[rank]]));
    }
    return json_pack("{s:o, s:i, s:o, s:o}", "key", text(key), "slot", slot, "primary",
                     count == 0 ? json_null() : identity(&view->nodes[owners[0]]), "replicas",
                     replicas);
}

json_t *render_slots_json(const struct view *view, char *const *keys, int count)
{
    json_t *out = json_array();
    for (int i = 0; i < count; i++) {
        out = append(out, key_json(view, keys[i]));
    }
    return out;
}
