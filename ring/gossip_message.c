#include "ring/gossip_message.h"

#include "base/error.h"

/* "TORG" and "TORS" on the wire. */
#define DATAGRAM_MAGIC 0x47524f54u
#define STATE_MAGIC 0x53524f54u
/* On the wire the statuses of gossip.h, and one more. */
#define STATUS_ALIVE_BRIEF 5

static void encode_address(const struct gossip_address *address, struct buf *out)
{
    buf_append(out, address->ip, sizeof(address->ip));
    write_u16(out, address->port);
}

static void decode_address(struct reader *reader, struct gossip_address *out)
{
    read_raw(reader, out->ip, sizeof(out->ip));
    out->port = read_u16(reader);
    if (out->port == 0) {
        reader->failed = true;
    }
}

static void encode_sender(const struct gossip_sender *sender, struct buf *out)
{
    buf_append(out, sender->id.bytes, NODE_ID_SIZE);
    write_u64(out, sender->incarnation);
    write_u32(out, sender->refutation);
    write_u64(out, sender->epoch);
    write_u64(out, sender->load.key_count);
    write_u64(out, sender->load.memory_bytes);
    write_u32(out, sender->load.operations_per_second);
}

static void decode_sender(struct reader *reader, struct gossip_sender *out)
{
    read_raw(reader, out->id.bytes, NODE_ID_SIZE);
    out->incarnation = read_u64(reader);
    out->refutation = read_u32(reader);
    out->epoch = read_u64(reader);
    out->load.key_count = read_u64(reader);
    out->load.memory_bytes = read_u64(reader);
    out->load.operations_per_second = read_u32(reader);
    if (node_id_is_zero(&out->id)) {
        reader->failed = true;
    }
}

size_t gossip_update_size(const struct gossip_update *update)
{
    switch (update->status) {
    case GOSSIP_ALIVE:
        return GOSSIP_UPDATE_SIZE_MIN + 4 +
               (update->brief ? 0 : GOSSIP_ADDRESS_SIZE + 2 + update->meta.size);
    case GOSSIP_SUSPECT: return GOSSIP_UPDATE_SIZE_MIN + NODE_ID_SIZE;
    case GOSSIP_DEAD:
    case GOSSIP_LEFT: break;
    }
    return GOSSIP_UPDATE_SIZE_MIN;
}

static void encode_identity(const struct gossip_update *update, struct buf *out)
{
    bool brief = update->status == GOSSIP_ALIVE && update->brief;
    write_u8(out, brief ? STATUS_ALIVE_BRIEF : (uint8_t)update->status);
    buf_append(out, update->id.bytes, NODE_ID_SIZE);
    write_u64(out, update->incarnation);
    write_u32(out, update->refutation);
}

static void decode_identity(struct reader *reader, struct gossip_update *out)
{
    uint8_t status = read_u8(reader);
    if (status < GOSSIP_ALIVE || status > STATUS_ALIVE_BRIEF) {
        reader->failed = true;
        status = GOSSIP_DEAD;
    }
    bool brief = status == STATUS_ALIVE_BRIEF;
    *out = (struct gossip_update){
        .status = brief ? GOSSIP_ALIVE : (enum gossip_status)status,
        .brief = brief,
    };
    read_raw(reader, out->id.bytes, NODE_ID_SIZE);
    out->incarnation = read_u64(reader);
    out->refutation = read_u32(reader);
    if (node_id_is_zero(&out->id)) {
        reader->failed = true;
    }
}

static void encode_details(const struct gossip_update *update, struct buf *out)
{
    write_u32(out, update->details);
    if (!update->brief) {
        encode_address(&update->address, out);
        write_bytes16(out, update->meta);
    }
}

static void decode_details(struct reader *reader, struct gossip_update *out)
{
    out->details = read_u32(reader);
    if (out->details > out->refutation) {
        reader->failed = true;
    }
    if (!out->brief) {
        decode_address(reader, &out->address);
        out->meta = read_bytes16(reader, GOSSIP_META_SIZE_MAX);
    }
}

static void encode_update(const struct gossip_update *update, struct buf *out)
{
    encode_identity(update, out);
    if (update->status == GOSSIP_ALIVE) {
        encode_details(update, out);
    } else if (update->status == GOSSIP_SUSPECT) {
        buf_append(out, update->accuser.bytes, NODE_ID_SIZE);
    }
}

static void decode_update(struct reader *reader, struct gossip_update *out)
{
    decode_identity(reader, out);
    if (out->status == GOSSIP_ALIVE) {
        decode_details(reader, out);
    } else if (out->status == GOSSIP_SUSPECT) {
        read_raw(reader, out->accuser.bytes, NODE_ID_SIZE);
        if (node_id_is_zero(&out->accuser)) {
            reader->failed = true;
        }
    }
}

/* Magic, version and tag come first in both encodings, so that a stranger is told apart from a
 * damaged friend. The datagram's type and flags lie between version and tag. */
static int check_stranger(const struct reader *reader, uint8_t version, uint64_t tag,
                          uint64_t expected_tag)
{
    if (reader->failed) {
        return TORC_ECORRUPT;
    }
    if (version != GOSSIP_VERSION) {
        return TORC_EVERSION;
    }
    return tag == expected_tag ? TORC_OK : TORC_EINVAL;
}

void gossip_message_encode(const struct gossip_message *message, uint64_t cluster_tag,
                           struct buf *out)
{
    assert(message->update_count <= GOSSIP_UPDATES_MAX);
    write_u32(out, DATAGRAM_MAGIC);
    write_u8(out, GOSSIP_VERSION);
    write_u8(out, (uint8_t)message->type);
    write_u8(out, message->flags);
    write_u64(out, cluster_tag);
    write_u32(out, message->sequence);
    encode_sender(&message->sender, out);
    buf_append(out, message->subject.bytes, NODE_ID_SIZE);
    write_u8(out, (uint8_t)message->update_count);
    for (size_t i = 0; i < message->update_count; i++) {
        encode_update(&message->updates[i], out);
    }
}

int gossip_message_decode(struct gossip_message *out, struct bytes data, uint64_t cluster_tag)
{
    struct reader reader;
    reader_init(&reader, data);
    if (data.size > GOSSIP_PLAIN_SIZE_MAX || read_u32(&reader) != DATAGRAM_MAGIC) {
        return TORC_ECORRUPT;
    }
    uint8_t version = read_u8(&reader);
    uint8_t type = read_u8(&reader);
    out->flags = read_u8(&reader);
    int rc = check_stranger(&reader, version, read_u64(&reader), cluster_tag);
    if (rc != TORC_OK) {
        return rc;
    }
    if (type < GOSSIP_PING || type > GOSSIP_UPDATE || (out->flags & ~GOSSIP_FLAG_WANT_ALIVE) != 0) {
        return TORC_ECORRUPT;
    }
    out->type = (enum gossip_type)type;
    out->sequence = read_u32(&reader);
    decode_sender(&reader, &out->sender);
    read_raw(&reader, out->subject.bytes, NODE_ID_SIZE);
    out->update_count = read_u8(&reader);
    if (out->update_count > GOSSIP_UPDATES_MAX ||
        node_id_is_zero(&out->subject) != (type == GOSSIP_UPDATE)) {
        return TORC_ECORRUPT;
    }
    for (size_t i = 0; i < out->update_count && !reader.failed; i++) {
        decode_update(&reader, &out->updates[i]);
    }
    return reader_finish(&reader);
}

void gossip_state_head_encode(const struct gossip_sender *sender, uint64_t cluster_tag,
                              uint32_t count, struct buf *out)
{
    write_u32(out, STATE_MAGIC);
    write_u8(out, GOSSIP_VERSION);
    write_u64(out, cluster_tag);
    encode_sender(sender, out);
    write_u32(out, count);
}

int gossip_state_head_decode(struct reader *reader, uint64_t cluster_tag,
                             struct gossip_sender *sender, uint32_t *count)
{
    if (read_u32(reader) != STATE_MAGIC) {
        return TORC_ECORRUPT;
    }
    uint8_t version = read_u8(reader);
    int rc = check_stranger(reader, version, read_u64(reader), cluster_tag);
    if (rc != TORC_OK) {
        return rc;
    }
    decode_sender(reader, sender);
    *count = read_u32(reader);
    return reader->failed || *count > NODES_MAX ? TORC_ECORRUPT : TORC_OK;
}

void gossip_state_record_encode(const struct gossip_update *update, struct buf *out)
{
    assert(!update->brief);
    encode_identity(update, out);
    encode_details(update, out);
}

int gossip_state_record_decode(struct reader *reader, struct gossip_update *out)
{
    decode_identity(reader, out);
    if (out->brief) {
        return TORC_ECORRUPT;
    }
    decode_details(reader, out);
    return reader->failed ? TORC_ECORRUPT : TORC_OK;
}
