#include "ring/quorum_message.h"

#include "base/codec.h"
#include "base/error.h"
#include "ring/quorum.h"

#include <string.h>

#define QUORUM_VERSION 2
#define VIEW_BYTES_MAX (4u * 1024 * 1024)
#define FLAG_LEAVING 1
#define FLAG_FAREWELL 2
#define FLAG_GRANTED 4
#define FLAG_ANSWERED 8
#define FLAGS 15

#define MAGIC_SIZE 4

static void write_id(struct buf *out, const struct node_id *id)
{
    buf_append(out, id->bytes, NODE_ID_SIZE);
}

static void read_id(struct reader *reader, struct node_id *id)
{
    read_raw(reader, id->bytes, NODE_ID_SIZE);
}

static void write_ids(struct buf *out, const struct node_id *ids, size_t count)
{
    write_u8(out, (uint8_t)count);
    for (size_t i = 0; i < count; i++) {
        write_id(out, &ids[i]);
    }
}

static size_t read_ids(struct reader *reader, struct node_id *ids, size_t count_max)
{
    size_t count = read_u8(reader);
    if (count > count_max) {
        reader->failed = true;
        return 0;
    }
    for (size_t i = 0; i < count; i++) {
        read_id(reader, &ids[i]);
    }
    return count;
}

static void write_ballot(struct buf *out, const struct ballot *ballot)
{
    write_u64(out, ballot->number);
    write_id(out, &ballot->node);
}

static void read_ballot(struct reader *reader, struct ballot *ballot)
{
    ballot->number = read_u64(reader);
    read_id(reader, &ballot->node);
}

/* A view, or nothing. */
static void write_view(struct buf *out, const struct view *view)
{
    struct buf encoded = {0};
    if (view != NULL) {
        view_encode(view, &encoded);
    }
    out->failed = out->failed || encoded.failed;
    write_bytes32(out, buf_bytes(&encoded));
    buf_deinit(&encoded);
}

static int read_view(struct reader *reader, const struct view *known, const struct view **out)
{
    struct bytes bytes = read_bytes32(reader, VIEW_BYTES_MAX);
    struct view *view = NULL;
    int result = TORC_OK;
    if (!reader->failed && bytes.size > 0) {
        result = view_decode(&view, bytes, known);
    }
    *out = view;
    return result;
}

static void write_agreement(struct buf *out, const struct agreement_message *message)
{
    write_u8(out, message->kind);
    write_u64(out, message->instance);
    write_ballot(out, &message->ballot);
    write_ballot(out, &message->other);
    write_view(out, message->view);
}

static int read_agreement(struct reader *reader, const struct view *known,
                          struct agreement_message *message)
{
    message->kind = read_u8(reader);
    message->instance = read_u64(reader);
    read_ballot(reader, &message->ballot);
    read_ballot(reader, &message->other);
    int result = read_view(reader, known, &message->view);
    bool lawful = message->kind >= AGREEMENT_PREPARE && message->kind <= AGREEMENT_REFUSED &&
                  message->ballot.number > 0 &&
                  (message->kind == AGREEMENT_PROMISE
                       ? (message->view != NULL) == (message->other.number > 0)
                       : (message->view != NULL) == (message->kind == AGREEMENT_ACCEPT)) &&
                  (message->view == NULL || message->view->epoch == message->instance);
    return result == TORC_OK && !lawful ? TORC_ECORRUPT : result;
}

void quorum_wire_encode(const struct quorum_wire *wire, struct buf *out)
{
    buf_append(out, QUORUM_MAGIC, MAGIC_SIZE);
    write_u8(out, QUORUM_VERSION);
    write_u8(out, wire->kind);
    write_u64(out, wire->cluster_tag);
    write_id(out, &wire->sender);
    write_u64(out, wire->incarnation);
    write_u64(out, wire->epoch);
    switch ((enum quorum_kind)wire->kind) {
    case QUORUM_LEASE_REQUEST:
    case QUORUM_LEASE_ANSWER:
        write_u64(out, wire->asked_ms);
        write_u64(out, wire->asker);
        write_u8(
            out,
            (uint8_t)((wire->leaving ? FLAG_LEAVING : 0) | (wire->farewell ? FLAG_FAREWELL : 0) |
                      (wire->granted ? FLAG_GRANTED : 0) | (wire->answered ? FLAG_ANSWERED : 0)));
        write_u64(out, wire->complete_epoch);
        write_ids(out, wire->silent, wire->silent_count);
        return;
    case QUORUM_AGREEMENT: write_agreement(out, &wire->agreement); return;
    case QUORUM_VIEW: write_view(out, wire->view); return;
    case QUORUM_REPORT:
        write_u8(out, wire->has_ready);
        if (wire->has_ready) {
            buf_append(out, wire->ready, sizeof(wire->ready));
        }
        write_ids(out, wire->slow, wire->slow_count);
        return;
    case QUORUM_WISH:
        write_id(out, &wire->prefer);
        write_id(out, &wire->forget);
        ring_wish_write(&wire->ring, out);
        return;
    }
}

static int read_body(struct reader *reader, const struct view *known, struct quorum_wire *wire)
{
    uint8_t flags = 0;
    switch ((enum quorum_kind)wire->kind) {
    case QUORUM_LEASE_REQUEST:
    case QUORUM_LEASE_ANSWER:
        wire->asked_ms = read_u64(reader);
        wire->asker = read_u64(reader);
        flags = read_u8(reader);
        wire->leaving = (flags & FLAG_LEAVING) != 0;
        wire->farewell = (flags & FLAG_FAREWELL) != 0;
        wire->granted = (flags & FLAG_GRANTED) != 0;
        wire->answered = (flags & FLAG_ANSWERED) != 0;
        wire->complete_epoch = read_u64(reader);
        wire->silent_count = read_ids(reader, wire->silent, QUORUM_SILENT_MAX);
        return (flags & ~FLAGS) != 0 ? TORC_ECORRUPT : TORC_OK;
    case QUORUM_AGREEMENT: return read_agreement(reader, known, &wire->agreement);
    case QUORUM_VIEW: {
        int result = read_view(reader, known, &wire->view);
        return result == TORC_OK && wire->view == NULL ? TORC_ECORRUPT : result;
    }
    case QUORUM_REPORT: {
        uint8_t has_ready = read_u8(reader);
        wire->has_ready = has_ready == 1;
        if (wire->has_ready) {
            read_raw(reader, wire->ready, sizeof(wire->ready));
        }
        wire->slow_count = read_ids(reader, wire->slow, QUORUM_SLOW_MAX);
        return has_ready > 1 ? TORC_ECORRUPT : TORC_OK;
    }
    case QUORUM_WISH:
        read_id(reader, &wire->prefer);
        read_id(reader, &wire->forget);
        return ring_wish_read(reader, &wire->ring);
    }
    return TORC_ECORRUPT;
}

int quorum_wire_decode(struct quorum_wire *wire, struct bytes input, const struct view *known)
{
    struct reader reader;
    char seen[MAGIC_SIZE];
    *wire = (struct quorum_wire){0};
    reader_init(&reader, input);
    read_raw(&reader, seen, sizeof(seen));
    uint8_t version = read_u8(&reader);
    if (reader.failed || memcmp(seen, QUORUM_MAGIC, MAGIC_SIZE) != 0) {
        return TORC_ECORRUPT;
    }
    if (version != QUORUM_VERSION) {
        return TORC_EVERSION;
    }
    wire->kind = read_u8(&reader);
    wire->cluster_tag = read_u64(&reader);
    read_id(&reader, &wire->sender);
    wire->incarnation = read_u64(&reader);
    wire->epoch = read_u64(&reader);
    int result = read_body(&reader, known, wire);
    if (result == TORC_OK) {
        result = node_id_is_zero(&wire->sender) ? TORC_ECORRUPT : reader_finish(&reader);
    }
    if (result != TORC_OK) {
        quorum_wire_deinit(wire);
    }
    return result;
}

void quorum_wire_deinit(struct quorum_wire *wire)
{
    view_release(wire->agreement.view);
    view_release(wire->view);
    wire->agreement.view = NULL;
    wire->view = NULL;
    ring_wish_deinit(&wire->ring);
}
