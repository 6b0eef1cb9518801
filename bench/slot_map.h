/*
 * Which server owns which slot, as told by CLUSTER SLOTS and corrected by MOVED. Servers are known
 * by index; an index stays good for the life of the map, servers are only ever added. One owner.
 */
#ifndef TORC_BENCH_SLOT_MAP_H
#define TORC_BENCH_SLOT_MAP_H

#include "base/attributes.h"
#include "base/bytes.h"
#include "base/limits.h"
#include "bench/address.h"

#include <hiredis/hiredis.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SLOT_MAP_SERVERS_MAX 1024 /* each costs every client a connection */
#define SLOT_MAP_NONE UINT16_MAX

struct slot_map {
    uint16_t owners[SLOT_COUNT]; /* index into servers, or SLOT_MAP_NONE */
    struct address *servers;     /* owned */
    size_t server_count;
};

void slot_map_init(struct slot_map *map);
void slot_map_deinit(struct slot_map *map);

/* Index of a server, added if new. 0, TORC_ENOMEM, TORC_ETOOBIG. */
int slot_map_server(struct slot_map *map, const struct address *address,
                    uint16_t *out) TORC_MUST_USE;
/* Fills the map from an answer to CLUSTER SLOTS. Servers that give no host (an empty one, "?", or
 * nil) are on `seed_host`. Slots nobody serves become SLOT_MAP_NONE.
 * 0, TORC_EPROTOCOL (not such an answer, or no slot in it), TORC_ENOMEM, TORC_ETOOBIG. */
int slot_map_read(struct slot_map *map, const redisReply *reply,
                  const char *seed_host) TORC_MUST_USE;
/* Takes over the owners of `from`, keeping the indexes of `map`. 0, TORC_ENOMEM, TORC_ETOOBIG. */
int slot_map_adopt(struct slot_map *map, const struct slot_map *from) TORC_MUST_USE;
/* Servers that own at least one slot. */
size_t slot_map_owner_count(const struct slot_map *map);

enum redirect_kind { REDIRECT_NONE, REDIRECT_MOVED, REDIRECT_ASK };

struct redirect {
    enum redirect_kind kind;
    uint16_t slot;
    struct address address; /* host "" when the server left it out: the one that answered */
};

/* Reads "MOVED 3999 127.0.0.1:6381" or "ASK ..."; any other text is REDIRECT_NONE. */
struct redirect redirect_parse(struct bytes error_text);

#endif
