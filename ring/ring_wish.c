#include "ring/ring_wish.h"

#include "base/error.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define FLAG_CANCEL 1
#define NODE_FLAG_REMOVE 1

void ring_wish_deinit(struct ring_wish *wish)
{
    free(wish->nodes);
    *wish = (struct ring_wish){0};
}

int ring_wish_copy(struct ring_wish *out, const struct ring_wish *wish)
{
    *out = (struct ring_wish){.tag = wish->tag, .cancel = wish->cancel, .count = wish->count};
    if (wish->count > 0) {
        out->nodes = malloc(wish->count * sizeof(*out->nodes));
        if (out->nodes == NULL) {
            *out = (struct ring_wish){0};
            return TORC_ENOMEM;
        }
        memcpy(out->nodes, wish->nodes, wish->count * sizeof(*out->nodes));
    }
    return TORC_OK;
}

int ring_wish_add(struct ring_wish *wish, const struct ring_wish_node *node)
{
    for (size_t i = 0; i < wish->count; i++) {
        assert(wish->nodes != NULL);
        if (node_id_equal(&wish->nodes[i].id, &node->id)) {
            wish->nodes[i] = *node;
            return TORC_OK;
        }
    }
    if (wish->count == NODES_MAX) {
        return TORC_ETOOBIG;
    }
    struct ring_wish_node *nodes = realloc(wish->nodes, (wish->count + 1) * sizeof(*nodes));
    if (nodes == NULL) {
        return TORC_ENOMEM;
    }
    wish->nodes = nodes;
    wish->nodes[wish->count++] = *node;
    return TORC_OK;
}

static const struct ring_wish_node *wished_of(const struct ring_wish *wish,
                                              const struct node_id *id)
{
    for (size_t i = 0; i < wish->count; i++) {
        if (node_id_equal(&wish->nodes[i].id, id)) {
            return &wish->nodes[i];
        }
    }
    return NULL;
}

/* Somebody who is there keeps a weight, or gets one. */
static bool anybody_left(const struct ring_wish *wish, const struct view *view)
{
    for (size_t i = 0; i < view->node_count; i++) {
        const struct view_node *node = &view->nodes[i];
        const struct ring_wish_node *wished = wished_of(wish, &node->id);
        uint32_t weight = wished != NULL ? wished->weight : node->weight_current;
        if (weight > 0 && node->status != NODE_DOWN && !node->removing) {
            return true;
        }
    }
    return false;
}

int ring_wish_check(const struct ring_wish *wish, const struct view *view)
{
    if (wish->cancel && !view->changing) {
        return TORC_ENOTFOUND;
    }
    if (wish->cancel && view->turned_back) {
        return TORC_EEXIST;
    }
    if (!wish->cancel && view->changing) {
        return TORC_EAGAIN;
    }
    if (wish->tag != view_ring_tag(view)) {
        return TORC_ESTALE;
    }
    for (size_t i = 0; i < wish->count; i++) {
        if (view_find(view, &wish->nodes[i].id) < 0) {
            return TORC_ENOTFOUND;
        }
        if (wish->nodes[i].weight > WEIGHT_MAX) {
            return TORC_EINVAL;
        }
    }
    return wish->cancel || anybody_left(wish, view) ? TORC_OK : TORC_EINVAL;
}

void ring_wish_apply(const struct ring_wish *wish, struct view *next)
{
    for (size_t i = 0; i < wish->count; i++) {
        int index = view_find(next, &wish->nodes[i].id);
        if (index < 0) {
            continue;
        }
        struct view_node *node = &next->nodes[index];
        node->weight_target = wish->nodes[i].weight;
        node->removing = node->removing || wish->nodes[i].remove;
        /* Nobody waits for what a node holds that is down and shall not come back. */
        node->lost = node->lost || (node->removing && node->status == NODE_DOWN);
    }
    for (size_t i = 0; wish->cancel && i < next->node_count; i++) {
        struct view_node *node = &next->nodes[i];
        node->removing = view_node_is_given_up(node); /* that stays so */
    }
}

void ring_wish_write(const struct ring_wish *wish, struct buf *out)
{
    write_u64(out, wish->tag);
    write_u8(out, wish->cancel ? FLAG_CANCEL : 0);
    write_u16(out, (uint16_t)wish->count);
    for (size_t i = 0; i < wish->count; i++) {
        buf_append(out, wish->nodes[i].id.bytes, NODE_ID_SIZE);
        write_u32(out, wish->nodes[i].weight);
        write_u8(out, wish->nodes[i].remove ? NODE_FLAG_REMOVE : 0);
    }
}

int ring_wish_read(struct reader *reader, struct ring_wish *out)
{
    *out = (struct ring_wish){.tag = read_u64(reader)};
    uint8_t flags = read_u8(reader);
    size_t count = read_u16(reader);
    out->cancel = flags == FLAG_CANCEL;
    reader->failed = reader->failed || (flags & ~FLAG_CANCEL) != 0 || count > NODES_MAX;
    for (size_t i = 0; i < count && !reader->failed; i++) {
        struct ring_wish_node node = {0};
        read_raw(reader, node.id.bytes, NODE_ID_SIZE);
        node.weight = read_u32(reader);
        uint8_t node_flags = read_u8(reader);
        node.remove = node_flags == NODE_FLAG_REMOVE;
        reader->failed = reader->failed || (node_flags & ~NODE_FLAG_REMOVE) != 0 ||
                         node.weight > WEIGHT_MAX || (node.remove && node.weight > 0) ||
                         out->cancel || wished_of(out, &node.id) != NULL;
        int result = reader->failed ? TORC_OK : ring_wish_add(out, &node);
        if (result != TORC_OK) {
            return result;
        }
    }
    return TORC_OK;
}
