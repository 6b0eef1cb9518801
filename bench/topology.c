#include "bench/topology.h"

#include "base/error.h"

#include <hiredis/hiredis.h>
#include <netdb.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/time.h>

#define ANSWER_TIMEOUT_S 3

static int open_context(const struct address *address, redisContext **out,
                        char error[TOPOLOGY_ERROR_SIZE])
{
    const struct timeval timeout = {.tv_sec = ANSWER_TIMEOUT_S};
    char text[ADDRESS_TEXT_SIZE];
    address_format(address, text);
    redisContext *context = redisConnectWithTimeout(address->host, address->port, timeout);
    if (context == NULL) {
        (void)snprintf(error, TOPOLOGY_ERROR_SIZE, "cannot connect to %s: out of memory", text);
        return TORC_ECONNECT;
    }
    if (context->err != 0) {
        (void)snprintf(error, TOPOLOGY_ERROR_SIZE, "cannot connect to %s: %s", text,
                       context->errstr);
        redisFree(context);
        return TORC_ECONNECT;
    }
    (void)redisSetTimeout(context, timeout);
    *out = context;
    return TORC_OK;
}

/* Puts the numeric form of what the context is connected to into *address; leaves it alone when
 * that cannot be had. */
static void number_of_peer(const redisContext *context, struct address *address)
{
    struct sockaddr_storage peer;
    socklen_t size = sizeof(peer);
    struct address number = {.port = address->port};
    if (getpeername(context->fd, (struct sockaddr *)&peer, &size) == 0 &&
        getnameinfo((const struct sockaddr *)&peer, size, number.host, sizeof(number.host), NULL, 0,
                    NI_NUMERICHOST) == 0) {
        *address = number;
    }
}

int topology_probe(struct address *address, char error[TOPOLOGY_ERROR_SIZE])
{
    redisContext *context = NULL;
    int result = open_context(address, &context, error);
    if (result != TORC_OK) {
        return result;
    }
    redisReply *reply = redisCommand(context, "PING");
    if (reply == NULL) {
        char text[ADDRESS_TEXT_SIZE];
        address_format(address, text);
        (void)snprintf(error, TOPOLOGY_ERROR_SIZE, "%s takes connections but does not answer: %s",
                       text, context->errstr);
        result = TORC_EPROTOCOL;
    } else {
        freeReplyObject(reply);
        number_of_peer(context, address);
    }
    redisFree(context);
    return result;
}

int topology_slots(const struct address *address, struct slot_map *map,
                   char error[TOPOLOGY_ERROR_SIZE])
{
    redisContext *context = NULL;
    int result = open_context(address, &context, error);
    if (result != TORC_OK) {
        return result;
    }
    char text[ADDRESS_TEXT_SIZE];
    address_format(address, text);
    redisReply *reply = redisCommand(context, "CLUSTER SLOTS");
    if (reply == NULL) {
        result = TORC_ECONNECT;
        (void)snprintf(error, TOPOLOGY_ERROR_SIZE, "no answer from %s to CLUSTER SLOTS: %s", text,
                       context->errstr);
    } else if (reply->type == REDIS_REPLY_ERROR) {
        result = TORC_EREPLY;
        (void)snprintf(error, TOPOLOGY_ERROR_SIZE, "%s answers CLUSTER SLOTS with: %.200s", text,
                       reply->str);
    } else {
        result = slot_map_read(map, reply, address->host);
        if (result != TORC_OK) {
            (void)snprintf(error, TOPOLOGY_ERROR_SIZE, "%s gives no usable slots: %s", text,
                           torc_strerror(result));
        }
    }
    freeReplyObject(reply);
    redisFree(context);
    return result;
}
