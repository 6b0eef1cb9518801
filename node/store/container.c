#include "node/store/container.h"

#include "node/store/chunks.h"
#include "node/store/members.h"
#include "node/store/zset_large.h"

void container_destroy(enum object_type type, void *outside)
{
    struct freeing all = FREEING_ALL;
    (void)container_free_some(type, outside, &all);
}

bool container_free_some(enum object_type type, void *outside, struct freeing *freeing)
{
    switch (type) {
    case OBJECT_STRING: break; /* lies in its object, always */
    case OBJECT_LIST: return chunks_free_some(outside, freeing);
    case OBJECT_HASH:
    case OBJECT_SET: return members_free_some(outside, freeing);
    case OBJECT_ZSET: return zset_large_free_some(outside, freeing);
    }
    return false;
}

void *container_clone(enum object_type type, const void *outside)
{
    switch (type) {
    case OBJECT_STRING: break;
    case OBJECT_LIST: return chunks_clone(outside);
    case OBJECT_HASH:
    case OBJECT_SET: return members_clone(outside);
    case OBJECT_ZSET: return zset_large_clone(outside);
    }
    return NULL;
}

size_t container_memory(enum object_type type, const void *outside)
{
    switch (type) {
    case OBJECT_STRING: break;
    case OBJECT_LIST: return ((const struct chunks *)outside)->memory;
    case OBJECT_HASH:
    case OBJECT_SET: return members_memory(outside);
    case OBJECT_ZSET: return zset_large_memory(outside);
    }
    return 0;
}
