#include "node/session.h"

#include <assert.h>

/* A list whose first element's `previous` is the last element, so that appending needs no walk and
 * CLIENT LIST shows the oldest client first. */

void session_registry_init(struct session_registry *registry)
{
    int failed = pthread_mutex_init(&registry->lock, NULL);
    assert(failed == 0);
    registry->first = NULL;
    registry->count = 0;
    atomic_init(&registry->last_id, 0);
}

void session_registry_deinit(struct session_registry *registry)
{
    assert(registry->first == NULL);
    pthread_mutex_destroy(&registry->lock);
}

void session_register(struct session_registry *registry, struct session *session)
{
    pthread_mutex_lock(&registry->lock);
    session->id = atomic_fetch_add_explicit(&registry->last_id, 1, memory_order_relaxed) + 1;
    session->next = NULL;
    if (registry->first == NULL) {
        session->previous = session;
        registry->first = session;
    } else {
        session->previous = registry->first->previous;
        session->previous->next = session;
        registry->first->previous = session;
    }
    registry->count++;
    pthread_mutex_unlock(&registry->lock);
}

void session_unregister(struct session_registry *registry, struct session *session)
{
    pthread_mutex_lock(&registry->lock);
    assert(registry->count > 0);
    if (session == registry->first) {
        registry->first = session->next;
    } else {
        session->previous->next = session->next;
    }
    if (session->next != NULL) {
        session->next->previous = session->previous;
    } else if (registry->first != NULL) {
        registry->first->previous = session->previous;
    }
    session->next = NULL;
    session->previous = NULL;
    registry->count--;
    pthread_mutex_unlock(&registry->lock);
}

size_t session_count(struct session_registry *registry)
{
    pthread_mutex_lock(&registry->lock);
    size_t count = registry->count;
    pthread_mutex_unlock(&registry->lock);
    return count;
}
