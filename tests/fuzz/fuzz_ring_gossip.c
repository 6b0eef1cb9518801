/*
 * The first byte says where the rest goes: even, as a datagram; odd, as a full state. The instance
 * knows a few members. Whatever arrives, it goes on working and its table stays bounded.
 */
#include "base/error.h"
#include "ring/gossip_message.h"

#include <assert.h>

#define TAG 1u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct node_id id_of(uint8_t first)
{
    struct node_id id = {{0}};
    id.bytes[0] = first;
    return id;
}

/* Drains the two queues; every datagram must be one that we would accept ourselves. */
static void drain(struct gossip *gossip)
{
    struct gossip_datagram datagram;
    struct gossip_event event;
    while (gossip_take_datagram(gossip, &datagram)) {
        struct gossip_message message;
        struct bytes bytes = {(const char *)datagram.data, datagram.size};
        int rc = gossip_message_decode(&message, bytes, TAG);
        assert(rc == TORC_OK);
    }
    while (gossip_take_event(gossip, &event)) {
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0) {
        return 0;
    }
    struct gossip_options options = {
        .self = id_of(1),
        .incarnation = 5,
        .address = {.port = 1},
        .cluster_tag = TAG,
        .meta = BYTES_LITERAL("meta"),
        .seed = 7,
    };
    struct gossip *gossip = gossip_create(&options, 1);
    if (gossip == NULL) {
        return 0;
    }
    struct gossip_address from = {.port = 2};
    for (uint8_t i = 2; i < 6; i++) {
        struct node_id id = id_of(i);
        int rc = gossip_introduce(gossip, &id, 1, &from, bytes_of("m"), 1);
        assert(rc == TORC_OK);
    }
    size_t before = gossip_member_count(gossip);
    struct bytes input = {(const char *)data + 1, size - 1};
    size_t added_max = GOSSIP_UPDATES_MAX;
    if (data[0] % 2 == 0) {
        gossip_receive(gossip, &from, input, 2);
    } else {
        int rc = gossip_merge_state(gossip, input, 2);
        added_max = rc == TORC_OK ? input.size / GOSSIP_UPDATE_SIZE_MIN : 0;
    }
    assert(gossip_member_count(gossip) <= before + added_max);
    assert(gossip_member_count(gossip) <= NODES_MAX);
    drain(gossip);
    for (uint64_t now_ms = 100; now_ms < 20000; now_ms += 100) {
        gossip_tick(gossip, now_ms);
        drain(gossip);
    }
    struct buf state = {0};
    gossip_encode_state(gossip, &state);
    int rc = gossip_merge_state(gossip, buf_bytes(&state), 20000);
    assert(rc == TORC_OK);
    buf_deinit(&state);
    gossip_destroy(gossip);
    return 0;
}
