#include "base/error.h"
#include "ring/gossip_internal.h"

#include <assert.h>

/* Provisional members are hearsay from outside gossip; whoever introduced them here can introduce
 * them there. Of others the details may be missing for the moment. */
static bool is_worth_telling(const struct gossip_peer *peer)
{
    return !peer->provisional && peer->details >= 0;
}

void gossip_encode_state(struct gossip *gossip, struct buf *out)
{
    const struct gossip_members *members = &gossip->members;
    struct gossip_sender sender = gossip_self_sender(gossip);
    uint32_t count = 0;
    for (size_t i = 0; i < members->count; i++) {
        count += is_worth_telling(members->peers[i]);
    }
    gossip_state_head_encode(&sender, gossip->cluster_tag, count, out);
    for (size_t i = 0; i < members->count; i++) {
        if (is_worth_telling(members->peers[i])) {
            struct gossip_update update = gossip_update_of(members->peers[i], true);
            gossip_state_record_encode(&update, out);
        }
    }
}

static int check_records(struct reader reader, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        struct gossip_update update;
        int rc = gossip_state_record_decode(&reader, &update);
        if (rc != TORC_OK) {
            return rc;
        }
    }
    return reader_finish(&reader);
}

static void apply_record(struct gossip *gossip, struct gossip_update *update,
                         const struct gossip_sender *sender, uint64_t now_ms)
{
    if (update->status == GOSSIP_LEFT || update->status == GOSSIP_ALIVE) {
        gossip_apply(gossip, update, GOSSIP_MERGE_TRANSMITS, now_ms);
        return;
    }
    /* A death that the other side believes in may be old, or a partition's: it counts here as its
     * suspicion, which the member has the time to deny. Of a member that we do not know it is no
     * reason to make it known. */
    bool suspect = update->status == GOSSIP_SUSPECT;
    if (suspect) {
        update->status = GOSSIP_ALIVE;
        gossip_apply(gossip, update, GOSSIP_MERGE_TRANSMITS, now_ms);
    }
    update->status = GOSSIP_SUSPECT;
    update->accuser = sender->id;
    gossip_apply(gossip, update, 0, now_ms);
}

int gossip_merge_state(struct gossip *gossip, struct bytes state, uint64_t now_ms)
{
    struct reader reader;
    struct gossip_sender sender;
    uint32_t count = 0;
    reader_init(&reader, state);
    int rc = gossip_state_head_decode(&reader, gossip->cluster_tag, &sender, &count);
    if (rc == TORC_OK) {
        rc = check_records(reader, count);
    }
    if (rc != TORC_OK) {
        return rc;
    }
    if (gossip_members_find(&gossip->members, &sender.id) == NULL &&
        gossip_members_is_forgotten(&gossip->members, &sender.id, sender.incarnation)) {
        gossip->counters.refused_forgotten++;
        return TORC_ESTALE;
    }
    if (gossip->leaving || node_id_equal(&sender.id, &gossip->self->member.id)) {
        return TORC_OK;
    }
    for (uint32_t i = 0; i < count; i++) {
        struct gossip_update update;
        rc = gossip_state_record_decode(&reader, &update);
        assert(rc == TORC_OK); /* checked above */
        apply_record(gossip, &update, &sender, now_ms);
    }
    gossip_heed_sender(gossip, &sender, now_ms);
    return TORC_OK;
}
