#include "node/allocator.h"

#include <malloc.h>
#include <stddef.h>
#include <stdio.h>

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

/* Each large block has a page more than it needs, which node/store/allocate.c sees to that it is
 * never touched: it is active by count alone. */
static uint64_t untouched_bytes(void)
{
    unsigned classes = 0;
    size_t size = sizeof(classes);
    bool padded = false;
    size_t padded_size = sizeof(padded);
    uint64_t blocks = 0;
    uint64_t page = 0;
    if (mallctl("config.cache_oblivious", &padded, &padded_size, NULL, 0) != 0 || !padded ||
        mallctl("arenas.nlextents", &classes, &size, NULL, 0) != 0 ||
        !read_size("arenas.page", &page)) {
        return 0;
    }
    for (unsigned i = 0; i < classes; i++) {
        char name[64];
        uint64_t count = 0;
        (void)snprintf(name, sizeof(name), "stats.arenas.4096.lextents.%u.curlextents", i);
        (void)read_size(name, &count);
        blocks += count;
    }
    return blocks * page;
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
    const bool known = read_size("stats.allocated", &stats->allocated) &&
                       read_size("stats.active", &stats->active);
    const uint64_t untouched = known ? untouched_bytes() : 0;
    stats->active -= untouched < stats->active ? untouched : 0;
    return known;
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
