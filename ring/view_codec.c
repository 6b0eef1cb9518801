#include "ring/view.h"

#include "base/codec.h"
#include "base/error.h"

#include <assert.h>
#include <string.h>

#define VIEW_ENCODING_VERSION 3
#define VIEW_FLAG_CHANGING 1
#define VIEW_FLAG_TURNED_BACK 2
#define VIEW_FLAGS 3
#define NODE_FLAG_LEAVING 1
#define NODE_FLAG_PREFERRED 2
#define NODE_FLAG_REMOVING 4
#define NODE_FLAG_LOST 8
#define NODE_FLAGS 15

void view_encode(const struct view *view, struct buf *out)
{
    assert(view->owners != NULL); /* sealed, so that every field was checked */
    write_u16(out, VIEW_ENCODING_VERSION);
    write_u64(out, view->epoch);
    buf_append(out, view->cluster_id.bytes, NODE_ID_SIZE);
    write_bytes16(out, bytes_of(view->cluster_name));
    write_u8(out, view->copies);
    write_u32(out, view->lease_ms);
    write_u64(out, view->settled_epoch);
    write_u8(out, (uint8_t)((view->changing ? VIEW_FLAG_CHANGING : 0) |
                            (view->turned_back ? VIEW_FLAG_TURNED_BACK : 0)));
    write_u16(out, (uint16_t)view->node_count);
    for (size_t i = 0; i < view->node_count; i++) {
        const struct view_node *node = &view->nodes[i];
        buf_append(out, node->id.bytes, NODE_ID_SIZE);
        write_u64(out, node->incarnation);
        write_bytes16(out, bytes_of(node->host));
        write_u16(out, node->client_port);
        write_u16(out, node->direct_port);
        write_u16(out, node->http_port);
        write_u16(out, node->bus_port);
        write_bytes16(out, bytes_of(node->zone));
        write_u8(out, (uint8_t)node->status);
        write_u8(out, (uint8_t)((node->leaving ? NODE_FLAG_LEAVING : 0) |
                                (node->preferred ? NODE_FLAG_PREFERRED : 0) |
                                (node->removing ? NODE_FLAG_REMOVING : 0) |
                                (node->lost ? NODE_FLAG_LOST : 0)));
        write_u64(out, node->last_up);
        write_u32(out, node->weight_asked);
        write_u32(out, node->weight_current);
        if (view->changing) {
            write_u32(out, node->weight_target);
        }
    }
    if (view->changing) {
        buf_append(out, view->moved, sizeof(view->moved));
    }
    write_u8(out, (uint8_t)view->voter_count);
    for (size_t i = 0; i < view->voter_count; i++) {
        buf_append(out, view->voters[i].bytes, NODE_ID_SIZE);
    }
    write_u16(out, (uint16_t)view->removed_count);
    for (size_t i = 0; i < view->removed_count; i++) {
        buf_append(out, view->removed[i].bytes, NODE_ID_SIZE);
    }
}

static void read_node(struct reader *reader, bool changing, struct view_node *node)
{
    memset(node, 0, sizeof(*node));
    read_raw(reader, node->id.bytes, NODE_ID_SIZE);
    node->incarnation = read_u64(reader);
    read_text16(reader, node->host, HOST_SIZE_MAX);
    node->client_port = read_u16(reader);
    node->direct_port = read_u16(reader);
    node->http_port = read_u16(reader);
    node->bus_port = read_u16(reader);
    read_text16(reader, node->zone, ZONE_SIZE_MAX);
    node->status = (enum node_status)read_u8(reader);
    uint8_t flags = read_u8(reader);
    node->leaving = (flags & NODE_FLAG_LEAVING) != 0;
    node->preferred = (flags & NODE_FLAG_PREFERRED) != 0;
    node->removing = (flags & NODE_FLAG_REMOVING) != 0;
    node->lost = (flags & NODE_FLAG_LOST) != 0;
    reader->failed = reader->failed || (flags & ~NODE_FLAGS) != 0;
    node->last_up = read_u64(reader);
    node->weight_asked = read_u32(reader);
    node->weight_current = read_u32(reader);
    node->weight_target = changing ? read_u32(reader) : node->weight_current;
}

static int read_nodes(struct reader *reader, struct view *view)
{
    size_t count = read_u16(reader);
    if (count > NODES_MAX) {
        return TORC_ECORRUPT;
    }
    for (size_t i = 0; i < count; i++) {
        struct view_node node;
        read_node(reader, view->changing, &node);
        if (reader->failed) {
            return TORC_ECORRUPT;
        }
        /* view_put_node would sort them and drop duplicates, and so accept many encodings of one
         * view. */
        if (i > 0 && node_id_compare(&view->nodes[i - 1].id, &node.id) >= 0) {
            return TORC_ECORRUPT;
        }
        int error = view_put_node(view, &node);
        if (error != 0) {
            return error;
        }
    }
    return 0;
}

static int read_view(struct reader *reader, struct view *view)
{
    uint16_t version = read_u16(reader);
    if (!reader->failed && version != VIEW_ENCODING_VERSION) {
        return TORC_EVERSION;
    }
    view->epoch = read_u64(reader);
    read_raw(reader, view->cluster_id.bytes, NODE_ID_SIZE);
    read_text16(reader, view->cluster_name, CLUSTER_NAME_SIZE_MAX);
    view->copies = read_u8(reader);
    view->lease_ms = read_u32(reader);
    view->settled_epoch = read_u64(reader);
    uint8_t flags = read_u8(reader);
    if ((flags & ~VIEW_FLAGS) != 0) {
        return TORC_ECORRUPT;
    }
    view->changing = (flags & VIEW_FLAG_CHANGING) != 0;
    view->turned_back = (flags & VIEW_FLAG_TURNED_BACK) != 0;
    int error = read_nodes(reader, view);
    if (error != 0) {
        return error;
    }
    if (view->changing) {
        read_raw(reader, view->moved, sizeof(view->moved));
    }
    view->voter_count = read_u8(reader);
    if (view->voter_count > VOTERS_MAX) {
        return TORC_ECORRUPT;
    }
    for (size_t i = 0; i < view->voter_count; i++) {
        read_raw(reader, view->voters[i].bytes, NODE_ID_SIZE);
    }
    size_t removed_count = read_u16(reader);
    if (removed_count > REMOVED_MAX) {
        return TORC_ECORRUPT;
    }
    for (size_t i = 0; i < removed_count; i++) {
        struct node_id id;
        read_raw(reader, id.bytes, NODE_ID_SIZE);
        if (reader->failed || view_was_removed(view, &id)) {
            return TORC_ECORRUPT;
        }
        int error_noting = view_note_removed(view, &id);
        if (error_noting != 0) {
            return error_noting;
        }
    }
    return reader_finish(reader);
}

int view_decode(struct view **out, struct bytes input, const struct view *known)
{
    struct view *view = view_create();
    if (view == NULL) {
        return TORC_ENOMEM;
    }
    if (known != NULL) {
        view_expect_like(view, known);
    }
    struct reader reader;
    reader_init(&reader, input);
    int error = read_view(&reader, view);
    if (error == 0) {
        error = view_seal(view);
        error = error == TORC_EINVAL ? TORC_ECORRUPT : error;
    }
    if (error != 0) {
        view_release(view);
        return error;
    }
    *out = view;
    return 0;
}
