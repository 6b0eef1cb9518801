#include "node/store/dump_value.h"

/* Numbers of the format: they are not bound to those of a packed run. */
#define DUMP_SHORT_MAX 253u
#define DUMP_LONG 254u

void dump_write_value(struct buf *out, struct bytes value)
{
    if (value.size <= DUMP_SHORT_MAX) {
        write_u8(out, (uint8_t)value.size);
        buf_append(out, value.data, value.size);
    } else {
        write_u8(out, DUMP_LONG);
        write_bytes32(out, value);
    }
}

struct bytes dump_read_value(struct reader *payload)
{
    uint8_t size = read_u8(payload);
    if (size == DUMP_LONG) {
        struct bytes value = read_bytes32(payload, UINT32_MAX);
        if (value.size <= DUMP_SHORT_MAX) {
            payload->failed = true; /* one value has one form */
        }
        return value;
    }
    if (size > DUMP_LONG || size > reader_left(payload)) {
        payload->failed = true;
        return (struct bytes){NULL, 0};
    }
    struct bytes value = {(const char *)payload->at, size};
    payload->at += size;
    return value;
}
