#include "node/allocator.h"

#include <malloc.h>
#include <stddef.h>

extern int mallctl(const char *name, void *old, size_t *old_size, void *new, size_t new_size)
    __attribute__((weak));

static bool read_size(const char *name, uint64_t *out)
{
    size_t value = 0;
    size_t size = sizeof(value);
    bool known = mallctl(name, &value, &size, NULL, 0) == 0;
    *out = value;
    return known;
}

bool allocator_is_known(void)
{
    return mallctl != NULL;
}

bool allocator_stats(struct allocator_stats *stats)
{
    if (mallctl == NULL) {
        return false;
    }
    uint64_t epoch = 1;
    (void)mallctl("epoch", NULL, NULL, &epoch, sizeof(epoch)); /* else they are old ones */
    return read_size("stats.allocated", &stats->allocated) &&
           read_size("stats.active", &stats->active);
}

void allocator_purge(void)
{
    if (mallctl != NULL) {
        /* 4096 stands for all arenas (MALLCTL_ARENAS_ALL); there is no harm when it fails. */
        (void)mallctl("arena.4096.purge", NULL, NULL, NULL, 0);
    } else {
        malloc_trim(0);
    }
}
