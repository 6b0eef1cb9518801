/*
 * Replies of hiredis's reader as its own redisReply, built here so that a reply for which there is
 * no memory is an error (hiredis 0.14 aborts in places), and so that an array costs memory as its
 * members arrive, not as many as a broken peer announces. No state; any thread.
 */
#ifndef TORC_CLIENT_REPLY_H
#define TORC_CLIENT_REPLY_H

#include "base/bytes.h"

#include <hiredis/hiredis.h>

/* A reader whose replies are redisReply, to be freed by torc_reply_free. NULL without memory. Free
 * it with redisReaderFree. */
redisReader *reply_reader_create(void);

/* Strings, status and errors; empty for the other types. Borrowed from the reply. */
struct bytes reply_bytes(const redisReply *reply);

#endif
