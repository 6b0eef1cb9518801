/*
 * What a reply asks its receiver to do: be handed out, or be tried again here or elsewhere. Pure.
 */
#ifndef TORC_CLIENT_ANSWER_H
#define TORC_CLIENT_ANSWER_H

#include "client/endpoint.h"

#include <hiredis/hiredis.h>
#include <stdbool.h>

enum answer_kind {
    ANSWER_FINAL,    /* for the caller, errors included */
    ANSWER_MOVED,    /* another node owns the slot; nothing was executed */
    ANSWER_ASK,      /* another node has it, this once; nothing was executed */
    ANSWER_LATER,    /* try again in a moment; nothing was executed */
    ANSWER_UNKNOWN,  /* the same, but a write may have been executed */
    ANSWER_NO_NAMES, /* the node takes no name for a write; nothing was executed */
};

struct answer {
    enum answer_kind kind;
    uint16_t slot;         /* of ANSWER_MOVED and ANSWER_ASK */
    struct endpoint owner; /* of ANSWER_MOVED and ANSWER_ASK */
};

/* `host` is the sender's: MOVED without a host means the same one. A malformed MOVED is final. Only
 * the fields of its kind are set in *out. */
void answer_read(struct answer *out, const redisReply *reply, const char *host);

#endif
