/*
 * Byte codec for everything that crosses a wire or a disk: little-endian fixed integers and
 * length-prefixed bytes. The writer appends to a struct buf; the reader walks borrowed bytes and,
 * once something is missing or too long, stays failed and returns zeros: decode everything, then
 * check once with reader_finish().
 */
#ifndef TORC_BASE_CODEC_H
#define TORC_BASE_CODEC_H

#include "base/attributes.h"
#include "base/buf.h"
#include "base/bytes.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

void write_u8(struct buf *buf, uint8_t value);
void write_u16(struct buf *buf, uint16_t value);
void write_u32(struct buf *buf, uint32_t value);
void write_u64(struct buf *buf, uint64_t value);
/* u16 length, then the bytes; size <= 65535. */
void write_bytes16(struct buf *buf, struct bytes bytes);
/* u32 length, then the bytes; size <= UINT32_MAX. */
void write_bytes32(struct buf *buf, struct bytes bytes);

struct reader {
    const uint8_t *at;
    const uint8_t *end;
    bool failed; /* something did not fit; every later read returns zero */
};

void reader_init(struct reader *reader, struct bytes input);
size_t reader_left(const struct reader *reader);
uint8_t read_u8(struct reader *reader);
uint16_t read_u16(struct reader *reader);
uint32_t read_u32(struct reader *reader);
uint64_t read_u64(struct reader *reader);
/* Borrowed from the input. Fails when longer than size_max or than what is left. */
struct bytes read_bytes16(struct reader *reader, size_t size_max);
struct bytes read_bytes32(struct reader *reader, size_t size_max);
/* Exactly `size` bytes into `out`; zeros on failure. */
void read_raw(struct reader *reader, void *out, size_t size);
/* A bytes16 without zero bytes, copied and zero-terminated into out[size_max + 1]. */
void read_text16(struct reader *reader, char *out, size_t size_max);
/* TORC_OK when all was read and nothing is left over, else TORC_ECORRUPT. */
int reader_finish(const struct reader *reader) TORC_MUST_USE;

#endif
