#include "ring/node_id.h"

#include "base/error.h"

#include <string.h>

static_assert(NODE_ID_SIZE % 4 == 0, "an id is filled from whole 32-bit halves of the generator");

int node_id_compare(const struct node_id *a, const struct node_id *b)
{
    return memcmp(a->bytes, b->bytes, NODE_ID_SIZE);
}

bool node_id_equal(const struct node_id *a, const struct node_id *b)
{
    return node_id_compare(a, b) == 0;
}

bool node_id_is_zero(const struct node_id *id)
{
    static const struct node_id zero;
    return node_id_equal(id, &zero);
}

void node_id_generate(struct node_id *out, struct prng *prng)
{
    /* Byte by byte, so that a seed gives the same id whatever the byte order of the machine. The
     * zero id means "none" elsewhere and is never handed out. */
    do {
        for (size_t i = 0; i < NODE_ID_SIZE; i += 4) {
            uint64_t random = prng_next(prng);
            for (size_t j = 0; j < 4; j++) {
                out->bytes[i + j] = (uint8_t)(random >> (32 + 8 * j));
            }
        }
    } while (node_id_is_zero(out));
}

void node_id_format(const struct node_id *id, char out[NODE_ID_TEXT_SIZE])
{
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < NODE_ID_SIZE; i++) {
        out[2 * i] = digits[id->bytes[i] >> 4];
        out[2 * i + 1] = digits[id->bytes[i] & 15];
    }
    out[NODE_ID_TEXT_SIZE - 1] = '\0';
}

static int hex_value(char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    if (c >= 'a' && c <= 'f') {
        return c - 'a' + 10;
    }
    if (c >= 'A' && c <= 'F') {
        return c - 'A' + 10;
    }
    return -1;
}

int node_id_parse(struct node_id *out, struct bytes text)
{
    struct node_id id;
    if (text.size != NODE_ID_TEXT_SIZE - 1) {
        return TORC_EINVAL;
    }
    for (size_t i = 0; i < NODE_ID_SIZE; i++) {
        int high = hex_value(text.data[2 * i]);
        int low = hex_value(text.data[2 * i + 1]);
        if (high < 0 || low < 0) {
            return TORC_EINVAL;
        }
        id.bytes[i] = (uint8_t)(high << 4 | low);
    }
    *out = id;
    return 0;
}
