#include "node/member_meta.h"

#include "base/codec.h"
#include "base/error.h"
#include "ring/gossip.h"

#include <assert.h>
#include <string.h>

#define FLAG_WAITS 1

static_assert(1 + 4 * 2 + 4 + 1 + 3 * 2 + HOST_SIZE_MAX + ZONE_SIZE_MAX +
                      MEMBER_SOFTWARE_SIZE_MAX <=
                  GOSSIP_META_SIZE_MAX,
              "the longest meta fits gossip's datagrams");

static bool is_lawful(const struct member_meta *meta)
{
    return meta->host[0] != '\0' && meta->client_port != 0 && meta->direct_port != 0 &&
           meta->http_port != 0 && meta->bus_port != 0 && meta->weight <= WEIGHT_MAX;
}

static bool has_end(const char *text, size_t array_size)
{
    return memchr(text, '\0', array_size) != NULL;
}

int member_meta_encode(const struct member_meta *meta, struct buf *out)
{
    if (!has_end(meta->host, sizeof(meta->host)) || !has_end(meta->zone, sizeof(meta->zone)) ||
        !has_end(meta->software, sizeof(meta->software))) {
        return TORC_ETOOBIG;
    }
    if (!is_lawful(meta)) {
        return TORC_EINVAL;
    }
    write_u8(out, MEMBER_META_VERSION);
    write_bytes16(out, bytes_of(meta->host));
    write_u16(out, meta->client_port);
    write_u16(out, meta->direct_port);
    write_u16(out, meta->http_port);
    write_u16(out, meta->bus_port);
    write_bytes16(out, bytes_of(meta->zone));
    write_u32(out, meta->weight);
    write_u8(out, meta->waits ? FLAG_WAITS : 0);
    write_bytes16(out, bytes_of(meta->software));
    return out->failed ? TORC_ENOMEM : TORC_OK;
}

int member_meta_decode(struct member_meta *out, struct bytes input)
{
    struct reader reader;
    reader_init(&reader, input);
    uint8_t version = read_u8(&reader);
    if (!reader.failed && version != MEMBER_META_VERSION) {
        return TORC_EVERSION;
    }
    *out = (struct member_meta){0};
    read_text16(&reader, out->host, HOST_SIZE_MAX);
    out->client_port = read_u16(&reader);
    out->direct_port = read_u16(&reader);
    out->http_port = read_u16(&reader);
    out->bus_port = read_u16(&reader);
    read_text16(&reader, out->zone, ZONE_SIZE_MAX);
    out->weight = read_u32(&reader);
    uint8_t flags = read_u8(&reader);
    out->waits = flags == FLAG_WAITS;
    reader.failed = reader.failed || (flags & ~FLAG_WAITS) != 0;
    read_text16(&reader, out->software, MEMBER_SOFTWARE_SIZE_MAX);
    int status = reader_finish(&reader);
    if (status == TORC_OK && !is_lawful(out)) {
        status = TORC_ECORRUPT;
    }
    return status;
}
