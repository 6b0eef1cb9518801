#include "base/codec.h"

#include "base/error.h"

#include <assert.h>
#include <endian.h>
#include <string.h>

void write_u8(struct buf *buf, uint8_t value)
{
    buf_append(buf, &value, sizeof(value));
}

void write_u16(struct buf *buf, uint16_t value)
{
    uint16_t wire = htole16(value);
    buf_append(buf, &wire, sizeof(wire));
}

void write_u32(struct buf *buf, uint32_t value)
{
    uint32_t wire = htole32(value);
    buf_append(buf, &wire, sizeof(wire));
}

void write_u64(struct buf *buf, uint64_t value)
{
    uint64_t wire = htole64(value);
    buf_append(buf, &wire, sizeof(wire));
}

void write_bytes16(struct buf *buf, struct bytes bytes)
{
    assert(bytes.size <= UINT16_MAX);
    write_u16(buf, (uint16_t)bytes.size);
    buf_append(buf, bytes.data, bytes.size);
}

void write_bytes32(struct buf *buf, struct bytes bytes)
{
    assert(bytes.size <= UINT32_MAX);
    write_u32(buf, (uint32_t)bytes.size);
    buf_append(buf, bytes.data, bytes.size);
}

void reader_init(struct reader *reader, struct bytes input)
{
    reader->at = (const uint8_t *)input.data;
    reader->end = input.size == 0 ? reader->at : reader->at + input.size;
    reader->failed = false;
}

size_t reader_left(const struct reader *reader)
{
    return reader->failed || reader->at == NULL ? 0 : (size_t)(reader->end - reader->at);
}

static const uint8_t *reader_take(struct reader *reader, size_t size)
{
    if (reader->failed || reader_left(reader) < size) {
        reader->failed = true;
        return NULL;
    }
    const uint8_t *taken = reader->at;
    reader->at = size == 0 ? reader->at : reader->at + size;
    return taken;
}

void read_raw(struct reader *reader, void *out, size_t size)
{
    const uint8_t *data = reader_take(reader, size);
    if (data == NULL) {
        memset(out, 0, size);
        return;
    }
    memcpy(out, data, size);
}

uint8_t read_u8(struct reader *reader)
{
    uint8_t value;
    read_raw(reader, &value, sizeof(value));
    return value;
}

uint16_t read_u16(struct reader *reader)
{
    uint16_t wire;
    read_raw(reader, &wire, sizeof(wire));
    return le16toh(wire);
}

uint32_t read_u32(struct reader *reader)
{
    uint32_t wire;
    read_raw(reader, &wire, sizeof(wire));
    return le32toh(wire);
}

uint64_t read_u64(struct reader *reader)
{
    uint64_t wire;
    read_raw(reader, &wire, sizeof(wire));
    return le64toh(wire);
}

static struct bytes read_sized(struct reader *reader, size_t size, size_t size_max)
{
    if (size > size_max) {
        reader->failed = true;
    }
    const uint8_t *data = reader_take(reader, size);
    if (data == NULL) {
        return (struct bytes){NULL, 0};
    }
    return (struct bytes){(const char *)data, size};
}

struct bytes read_bytes16(struct reader *reader, size_t size_max)
{
    return read_sized(reader, read_u16(reader), size_max);
}

struct bytes read_bytes32(struct reader *reader, size_t size_max)
{
    return read_sized(reader, read_u32(reader), size_max);
}

void read_text16(struct reader *reader, char *out, size_t size_max)
{
    struct bytes text = read_bytes16(reader, size_max);
    if (text.size > 0 && memchr(text.data, '\0', text.size) != NULL) {
        reader->failed = true;
    }
    if (reader->failed) {
        text.size = 0;
    }
    if (text.size > 0) {
        memcpy(out, text.data, text.size);
    }
    out[text.size] = '\0';
}

int reader_finish(const struct reader *reader)
{
    return reader->failed || reader->at != reader->end ? TORC_ECORRUPT : TORC_OK;
}
