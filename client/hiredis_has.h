/*
 * What the hiredis that libtorc is compiled with has. From 1.0 on its reader understands RESP3;
 * older ones (Debian 12) refuse its types as errors of protocol. The rest of the library asks here,
 * so that all of it is compiled with either.
 */
#ifndef TORC_CLIENT_HIREDIS_HAS_H
#define TORC_CLIENT_HIREDIS_HAS_H

#include <hiredis/hiredis.h>
#include <stddef.h>

#if HIREDIS_MAJOR >= 1
#define HIREDIS_HAS_RESP3 1
typedef size_t hiredis_count; /* of what an array holds, as createArray is told */
#else
#define HIREDIS_HAS_RESP3 0
typedef int hiredis_count;
/* Types that no reply has. */
#define REDIS_REPLY_MAP 9
#define REDIS_REPLY_PUSH 12
#endif

#endif
