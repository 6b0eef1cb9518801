/* Locks: TORC.LOCK and TORC.UNLOCK. Who waits asks again and again, at moments that are chance. */
#include "torc/torc.h"

#include "base/error.h"
#include "base/prng.h"
#include "client/clock.h"
#include "client/handle.h"
#include "client/helper.h"
#include "client/last_error.h"

#include <inttypes.h>
#include <stdio.h>

#define WAIT_MS_MIN 4
#define WAIT_MS_MAX 128 /* doubles from the one to the other, half to all of it by chance */

static_assert(sizeof(((struct torc_held_lock *)NULL)->owner) == NAME_ORIGIN_SIZE + 1,
              "it has room for what is drawn");

static int check_supported(struct torc *handle)
{
    const struct command_table *table =
        atomic_load_explicit(&handle->commands, memory_order_acquire);
    /* Before anything is known of the cluster the server itself says what it does not know. */
    return table == NULL || table->locks ? TORC_OK
                                         : helper_error(handle, TORC_EUNSUPPORTED, "TORC.LOCK");
}

static int ask_for_lock(struct torc *handle, struct torc_bytes key, uint64_t ttl_ms, bool extend,
                        struct torc_held_lock *lock)
{
    char ttl[24];
    (void)snprintf(ttl, sizeof(ttl), "%" PRIu64, ttl_ms);
    const struct bytes argv[] = {BYTES_LITERAL("TORC.LOCK"), helper_bytes(key),
                                 bytes_of(lock->owner), bytes_of(ttl), BYTES_LITERAL("XX")};
    int result = helper_integer(handle, argv, extend ? 5 : 4, &lock->token);
    const int supported = result == TORC_EREPLY ? check_supported(handle) : TORC_OK;
    return supported != TORC_OK ? supported : result;
}

/* False: there is no time left. */
static bool pause_a_while(unsigned *most_ms, struct prng *prng, uint64_t until_ms)
{
    const uint64_t pause_ms = *most_ms / 2 + prng_below(prng, *most_ms / 2 + 1);
    if (clock_now_ms() + pause_ms >= until_ms) {
        return false;
    }
    const struct timespec pause = {.tv_nsec = (long)pause_ms * 1000000};
    (void)nanosleep(&pause, NULL);
    *most_ms = *most_ms < WAIT_MS_MAX ? 2 * *most_ms : WAIT_MS_MAX;
    return true;
}

int torc_lock(struct torc *handle, struct torc_bytes key, const struct torc_lock_options *options,
              struct torc_held_lock *lock)
{
    struct prng prng;
    unsigned most_ms = WAIT_MS_MIN;
    int result = helper_begin(handle, helper_is_valid(key) && options != NULL && lock != NULL);
    if (result != TORC_OK) {
        return result;
    }
    if (options->ttl_ms == 0 || options->wait_ms < 0) {
        return last_error_set(handle, TORC_EINVAL, "ttl_ms: 0 is not accepted, nor is wait_ms < 0");
    }
    *lock = (struct torc_held_lock){0};
    result = check_supported(handle);
    if (result == TORC_OK && name_draw(lock->owner) != TORC_OK) {
        result = helper_error(handle, TORC_EIO, "TORC.LOCK");
    }
    if (result != TORC_OK) {
        return result;
    }
    prng_init(&prng, (uint64_t)(unsigned char)lock->owner[0] << 8 | (unsigned char)lock->owner[1]);
    const uint64_t until_ms = clock_now_ms() + (unsigned)options->wait_ms;
    do {
        result = ask_for_lock(handle, key, options->ttl_ms, false, lock);
    } while (result == TORC_ENOTFOUND && pause_a_while(&most_ms, &prng, until_ms));
    return result == TORC_ENOTFOUND
               ? last_error_set(handle, TORC_EEXIST, "TORC.LOCK: another one holds the lock")
               : result;
}

int torc_lock_extend(struct torc *handle, struct torc_bytes key, uint64_t ttl_ms,
                     const struct torc_held_lock *lock)
{
    int result = helper_begin(handle, helper_is_valid(key) && lock != NULL && ttl_ms > 0);
    if (result != TORC_OK) {
        return result;
    }
    struct torc_held_lock asked = *lock;
    return ask_for_lock(handle, key, ttl_ms, true, &asked);
}

int torc_unlock(struct torc *handle, struct torc_bytes key, const struct torc_held_lock *lock)
{
    int64_t held = 0;
    int result = helper_begin(handle, helper_is_valid(key) && lock != NULL);
    if (result != TORC_OK) {
        return result;
    }
    const struct bytes argv[] = {BYTES_LITERAL("TORC.UNLOCK"), helper_bytes(key),
                                 bytes_of(lock->owner)};
    result = helper_integer(handle, argv, 3, &held);
    return result == TORC_OK && held == 0 ? helper_error(handle, TORC_ENOTFOUND, "TORC.UNLOCK")
                                          : result;
}
