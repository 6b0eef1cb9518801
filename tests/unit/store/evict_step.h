/* What a node does to evict, for a store that one thread has to itself. */
#ifndef TORC_TESTS_UNIT_STORE_EVICT_STEP_H
#define TORC_TESTS_UNIT_STORE_EVICT_STEP_H

#include "base/limits.h"
#include "node/store/evictor.h"
#include "node/store/store.h"

/* One step: looks at some keys, or claims one. The object to delete, in *keys; NULL if there is
 * none yet. The store must have keys. */
static inline const struct object *evict_step(struct evictor *evictor, struct store *store,
                                              uint64_t now_ms, struct keyspace **keys)
{
    if (evictor_must_look(evictor)) {
        unsigned slot = store_next_filled(store, evictor_slot(evictor));
        slot = slot == SLOT_COUNT ? store_next_filled(store, 0) : slot;
        evictor_jump(evictor, slot);
        evictor_look(evictor, store_keyspace(store, (uint16_t)slot), now_ms);
        return NULL;
    }
    *keys = store_keyspace(store, (uint16_t)evictor_choose(evictor, store, now_ms));
    const struct object *victim = evictor_claim(evictor, *keys, now_ms);
    if (evictor_due(evictor, store)) {
        store_fit_eviction(store, store_key_count(store));
    }
    return victim;
}

#endif
