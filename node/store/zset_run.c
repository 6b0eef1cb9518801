#include "node/store/zset_run.h"

#include "node/store/object.h"

#include <math.h>

#define INTEGER_MAX 140737488355328.0 /* 2^47: up to there six bytes are enough */
#define SCALE_COUNT 4
#define MARK_SIZE_BITS 4

static const double scales[SCALE_COUNT] = {1, 10, 100, 1000};

/* As it stands in the run, its mark included; returns how many bytes. */
static size_t score_pack(double score, char out[1 + sizeof(double)])
{
    for (unsigned scale = 0; scale < SCALE_COUNT; scale++) {
        double scaled = score * scales[scale];
        if (!(fabs(scaled) < INTEGER_MAX)) {
            break;
        }
        /* Divided it has to be the very same number. Integer and scale are exact, so that the
         * quotient is rounded once, and everywhere alike. */
        int64_t integer = llrint(scaled);
        if ((double)integer / scales[scale] == score) {
            size_t size = object_pack_integer(integer, out + 1);
            out[0] = (char)(scale << MARK_SIZE_BITS | size);
            return 1 + size;
        }
    }
    out[0] = (char)sizeof(score);
    memcpy(out + 1, &score, sizeof(score));
    return 1 + sizeof(score);
}

double zset_score_unpack(struct bytes held)
{
    double score;
    if (held.size >= sizeof(score)) {
        /* At the end of what is held, behind a mark or not. */
        memcpy(&score, held.data + held.size - sizeof(score), sizeof(score));
        return score;
    }
    struct bytes integer = {held.data + 1, held.size - 1};
    return (double)object_unpack_integer(integer) / scales[(uint8_t)held.data[0] >> MARK_SIZE_BITS];
}

char *zset_pair_write(char *at, struct zset_entry entry)
{
    char value[ZSET_VALUE_SIZE_MAX];
    size_t size = score_pack(entry.score, value);
    if (entry.member.size > 0) {
        memcpy(value + size, entry.member.data, entry.member.size);
    }
    return packed_write(at, (struct bytes){value, size + entry.member.size});
}

static struct zset_pair pair_of(struct bytes value)
{
    size_t size = 1 + ((size_t)(uint8_t)value.data[0] & ((1u << MARK_SIZE_BITS) - 1));
    return (struct zset_pair){{value.data, size}, {value.data + size, value.size - size}};
}

const char *zset_pair_read(const char *at, struct zset_pair *pair)
{
    struct bytes value;
    at = packed_read(at, &value);
    *pair = pair_of(value);
    return at;
}

const char *zset_pair_read_back(const char *end, struct zset_pair *pair)
{
    struct bytes value;
    end = packed_read_back(end, &value);
    *pair = pair_of(value);
    return end;
}

bool zset_run_find(const struct packed *run, struct bytes member, struct zset_spot *spot)
{
    const char *at = run->data + run->start;
    const char *end = run->data + run->end;
    for (size_t rank = 0; at < end; rank++) {
        struct zset_pair pair;
        const char *next = zset_pair_read(at, &pair);
        if (bytes_equal(pair.member, member)) {
            *spot =
                (struct zset_spot){(uint32_t)(at - run->data), rank, zset_score_unpack(pair.score)};
            return true;
        }
        at = next;
    }
    return false;
}

struct zset_spot zset_run_seek(const struct packed *run, const struct zset_bound *bound)
{
    const char *at = run->data + run->start;
    const char *end = run->data + run->end;
    struct zset_entry entry = {.score = 0};
    size_t rank = 0;
    while (at < end) {
        struct zset_pair pair;
        const char *next = zset_pair_read(at, &pair);
        entry = zset_pair_entry(&pair);
        if (!zset_lies_before(entry, bound)) {
            break;
        }
        at = next;
        rank++;
    }
    return (struct zset_spot){(uint32_t)(at - run->data), rank, entry.score};
}

void zset_run_insert(struct packed *run, struct zset_entry entry)
{
    char written[ZSET_PAIR_SIZE_MAX];
    uint32_t size = (uint32_t)(zset_pair_write(written, entry) - written);
    struct zset_bound bound = {.kind = ZSET_BOUND_ENTRY, .entry = entry};
    uint32_t offset = zset_run_seek(run, &bound).offset;
    memcpy(packed_open(run, offset, size), written, size);
    run->count++;
}

void zset_run_remove(struct packed *run, uint32_t offset)
{
    struct zset_pair pair;
    const char *next = zset_pair_read(run->data + offset, &pair);
    packed_remove(run, offset, (uint32_t)(next - run->data), 1);
}
