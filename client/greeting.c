#include "client/greeting.h"

#include "base/error.h"
#include "client/request.h"

#include <assert.h>
#include <stdlib.h>

int greeting_init(struct greeting *greeting, const struct client_options *options,
                  enum node_use use)
{
    struct bytes auth[3] = {BYTES_LITERAL("AUTH")};
    const struct bytes readonly[] = {BYTES_LITERAL("READONLY")};
    const struct bytes client_id[] = {BYTES_LITERAL("CLIENT"), BYTES_LITERAL("ID")};
    const struct bytes *second = use == NODE_REPLICA ? readonly : client_id;
    const size_t second_count = use == NODE_REPLICA ? 1 : use == NODE_SUBSCRIBER ? 2 : 0;
    size_t auth_count = 1;
    *greeting = (struct greeting){0};
    if (options->password != NULL) {
        if (options->user != NULL) {
            auth[auth_count++] = bytes_of(options->user);
        }
        auth[auth_count++] = bytes_of(options->password);
        greeting->authenticates = true;
        greeting->size += request_size(auth, auth_count);
        greeting->replies_due++;
    }
    if (second_count > 0) {
        greeting->size += request_size(second, second_count);
        greeting->replies_due++;
    }
    if (greeting->size == 0) {
        return TORC_OK;
    }
    greeting->bytes = malloc(greeting->size);
    if (greeting->bytes == NULL) {
        return TORC_ENOMEM;
    }
    char *out = greeting->bytes;
    if (greeting->authenticates) {
        request_write(out, auth, auth_count);
        out += request_size(auth, auth_count);
    }
    if (second_count > 0) {
        request_write(out, second, second_count);
    }
    return TORC_OK;
}

void greeting_deinit(struct greeting *greeting)
{
    if (greeting->bytes != NULL) {
        explicit_bzero(greeting->bytes, greeting->size); /* there is a password in it */
        free(greeting->bytes);
    }
    *greeting = (struct greeting){0};
}

const char *greeting_reply(struct greeting *greeting, const redisReply *reply)
{
    assert(greeting->replies_due > 0);
    greeting->replies_due--;
    const bool of_auth = greeting->authenticates;
    greeting->authenticates = false;
    if (reply->type == REDIS_REPLY_INTEGER) {
        greeting->client_id = reply->integer;
    }
    /* What does not know READONLY has no replicas either. */
    return of_auth && reply->type == REDIS_REPLY_ERROR ? reply->str : NULL;
}
