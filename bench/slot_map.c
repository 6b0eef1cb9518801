#include "bench/slot_map.h"

#include "base/error.h"

#include <stdlib.h>
#include <string.h>

void slot_map_init(struct slot_map *map)
{
    memset(map, 0, sizeof(*map));
    for (size_t slot = 0; slot < SLOT_COUNT; slot++) {
        map->owners[slot] = SLOT_MAP_NONE;
    }
}

void slot_map_deinit(struct slot_map *map)
{
    free(map->servers);
    map->servers = NULL;
    map->server_count = 0;
}

int slot_map_server(struct slot_map *map, const struct address *address, uint16_t *out)
{
    for (size_t i = 0; i < map->server_count; i++) {
        if (address_equal(&map->servers[i], address)) {
            *out = (uint16_t)i;
            return TORC_OK;
        }
    }
    if (map->server_count == SLOT_MAP_SERVERS_MAX) {
        return TORC_ETOOBIG;
    }
    struct address *servers =
        realloc(map->servers, (map->server_count + 1) * sizeof(map->servers[0]));
    if (servers == NULL) {
        return TORC_ENOMEM;
    }
    servers[map->server_count] = *address;
    map->servers = servers;
    *out = (uint16_t)map->server_count++;
    return TORC_OK;
}

/* [host, port, id, ...] of one server. */
static int read_server(struct address *out, const redisReply *server, const char *seed_host)
{
    if (server->type != REDIS_REPLY_ARRAY || server->elements < 2) {
        return TORC_EPROTOCOL;
    }
    const redisReply *host = server->element[0];
    const redisReply *port = server->element[1];
    if (port->type != REDIS_REPLY_INTEGER || port->integer < 1 || port->integer > UINT16_MAX) {
        return TORC_EPROTOCOL;
    }
    const char *text = seed_host;
    if (host->type == REDIS_REPLY_STRING && host->str[0] != '\0' && strcmp(host->str, "?") != 0) {
        text = host->str;
    }
    if (strlen(text) > HOST_SIZE_MAX) {
        return TORC_EPROTOCOL;
    }
    memset(out, 0, sizeof(*out));
    memcpy(out->host, text, strlen(text));
    out->port = (uint16_t)port->integer;
    return TORC_OK;
}

/* [first slot, last slot, primary, replica, ...] */
static int read_range(struct slot_map *map, const redisReply *range, const char *seed_host)
{
    if (range->type != REDIS_REPLY_ARRAY || range->elements < 3 ||
        range->element[0]->type != REDIS_REPLY_INTEGER ||
        range->element[1]->type != REDIS_REPLY_INTEGER) {
        return TORC_EPROTOCOL;
    }
    long long first = range->element[0]->integer;
    long long last = range->element[1]->integer;
    if (first < 0 || last < first || last >= SLOT_COUNT) {
        return TORC_EPROTOCOL;
    }
    struct address address;
    uint16_t server;
    int error = read_server(&address, range->element[2], seed_host);
    if (error == TORC_OK) {
        error = slot_map_server(map, &address, &server);
    }
    if (error != TORC_OK) {
        return error;
    }
    for (long long slot = first; slot <= last; slot++) {
        map->owners[slot] = server;
    }
    return TORC_OK;
}

int slot_map_read(struct slot_map *map, const redisReply *reply, const char *seed_host)
{
    if (reply->type != REDIS_REPLY_ARRAY || reply->elements == 0) {
        return TORC_EPROTOCOL;
    }
    for (size_t slot = 0; slot < SLOT_COUNT; slot++) {
        map->owners[slot] = SLOT_MAP_NONE;
    }
    for (size_t i = 0; i < reply->elements; i++) {
        int error = read_range(map, reply->element[i], seed_host);
        if (error != TORC_OK) {
            return error;
        }
    }
    return TORC_OK;
}

int slot_map_adopt(struct slot_map *map, const struct slot_map *from)
{
    uint16_t indexes[SLOT_MAP_SERVERS_MAX] = {0};
    for (size_t i = 0; i < from->server_count; i++) {
        int error = slot_map_server(map, &from->servers[i], &indexes[i]);
        if (error != TORC_OK) {
            return error;
        }
    }
    for (size_t slot = 0; slot < SLOT_COUNT; slot++) {
        uint16_t owner = from->owners[slot];
        map->owners[slot] = owner == SLOT_MAP_NONE ? SLOT_MAP_NONE : indexes[owner];
    }
    return TORC_OK;
}

size_t slot_map_owner_count(const struct slot_map *map)
{
    bool owns[SLOT_MAP_SERVERS_MAX] = {false};
    size_t count = 0;
    for (size_t slot = 0; slot < SLOT_COUNT; slot++) {
        uint16_t owner = map->owners[slot];
        if (owner != SLOT_MAP_NONE && !owns[owner]) {
            owns[owner] = true;
            count++;
        }
    }
    return count;
}

/* Cuts the text at its first space: returns what is before it, leaves in *rest what is after. */
static struct bytes take_word(struct bytes *rest)
{
    const char *space = rest->size > 0 ? memchr(rest->data, ' ', rest->size) : NULL;
    struct bytes word = *rest;
    if (space == NULL) {
        *rest = (struct bytes){NULL, 0};
        return word;
    }
    word.size = (size_t)(space - rest->data);
    *rest = (struct bytes){space + 1, rest->size - word.size - 1};
    return word;
}

struct redirect redirect_parse(struct bytes error_text)
{
    struct redirect redirect = {.kind = REDIRECT_NONE};
    struct bytes rest = error_text;
    struct bytes word = take_word(&rest);
    enum redirect_kind kind = REDIRECT_NONE;
    if (bytes_equal(word, BYTES_LITERAL("MOVED"))) {
        kind = REDIRECT_MOVED;
    } else if (bytes_equal(word, BYTES_LITERAL("ASK"))) {
        kind = REDIRECT_ASK;
    } else {
        return redirect;
    }
    struct bytes slot_text = take_word(&rest);
    unsigned slot = 0;
    for (size_t i = 0; i < slot_text.size; i++) {
        char c = slot_text.data[i];
        if (c < '0' || c > '9' || slot >= SLOT_COUNT) {
            return redirect;
        }
        slot = slot * 10 + (unsigned)(c - '0');
    }
    if (slot_text.size == 0 || slot >= SLOT_COUNT) {
        return redirect;
    }
    struct bytes address_text = take_word(&rest);
    char with_host[ADDRESS_TEXT_SIZE];
    bool hostless = address_text.size > 0 && address_text.data[0] == ':';
    if (hostless && address_text.size < sizeof(with_host) - 1) {
        with_host[0] = '?';
        memcpy(with_host + 1, address_text.data, address_text.size);
        address_text = (struct bytes){with_host, address_text.size + 1};
    }
    if (address_parse(&redirect.address, address_text) != TORC_OK) {
        return redirect;
    }
    if (hostless) {
        redirect.address.host[0] = '\0';
    }
    redirect.kind = kind;
    redirect.slot = (uint16_t)slot;
    return redirect;
}
