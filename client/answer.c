#include "client/answer.h"

#include "base/error.h"
#include "client/reply.h"

static bool begins(struct bytes text, struct bytes word)
{
    return text.size >= word.size && memcmp(text.data, word.data, word.size) == 0;
}

/* "<slot> <host>:<port>" */
static bool read_moved(struct answer *out, struct bytes text, const char *host)
{
    const char *blank = text.size == 0 ? NULL : memchr(text.data, ' ', text.size);
    if (blank == NULL || blank == text.data) {
        return false;
    }
    unsigned slot = 0;
    for (const char *c = text.data; c < blank; c++) {
        if (*c < '0' || *c > '9' || slot >= SLOT_COUNT) {
            return false;
        }
        slot = slot * 10 + (unsigned)(*c - '0');
    }
    struct bytes address = {blank + 1, text.size - (size_t)(blank - text.data) - 1};
    out->slot = (uint16_t)slot;
    return slot < SLOT_COUNT && endpoint_parse(&out->owner, address, host) == TORC_OK;
}

void answer_read(struct answer *out, const redisReply *reply, const char *host)
{
    static const struct bytes moved = BYTES_LITERAL("MOVED ");
    static const struct bytes ask = BYTES_LITERAL("ASK ");
    out->kind = ANSWER_FINAL;
    if (reply->type != REDIS_REPLY_ERROR) {
        return;
    }
    struct bytes text = reply_bytes(reply);
    if (begins(text, moved)) {
        struct bytes rest = {text.data + moved.size, text.size - moved.size};
        if (read_moved(out, rest, host)) {
            out->kind = ANSWER_MOVED;
        }
    } else if (begins(text, ask)) {
        struct bytes rest = {text.data + ask.size, text.size - ask.size};
        if (read_moved(out, rest, host)) {
            out->kind = ANSWER_ASK;
        }
    } else if (begins(text, BYTES_LITERAL("TRYAGAIN")) ||
               begins(text, BYTES_LITERAL("CLUSTERDOWN")) ||
               begins(text, BYTES_LITERAL("LOADING "))) {
        out->kind = ANSWER_LATER;
    } else if (begins(text, BYTES_LITERAL("UNCERTAIN the write "))) {
        /* It has a name, and the node has looked for it: to ask again is of no use. */
    } else if (begins(text, BYTES_LITERAL("UNCERTAIN"))) {
        out->kind = ANSWER_UNKNOWN;
    } else if (begins(text, BYTES_LITERAL("ONCEFULL ")) ||
               begins(text, BYTES_LITERAL("ERR unknown command 'TORC.ONCE'"))) {
        out->kind = ANSWER_NO_NAMES;
    }
}
