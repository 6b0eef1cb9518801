"""Copies: what is acknowledged is on the replica too."""

from torc_cluster import random_keys, slot_of, wait_until


def copies_of(cluster, key):
    """How many keys of the key's slot each owner holds, the primary first."""
    return [node.ask("CLUSTER", "COUNTKEYSINSLOT", slot_of(key), direct=True)
            for node in cluster.owner_nodes(key)]


def test_an_acknowledged_write_is_on_the_replica_at_once(cluster):
    table = cluster.owners()
    by_port = {node.direct_port: node for node in cluster.nodes}
    counters = {port: node.raw(direct=True) for port, node in by_port.items()}
    held = {}
    for position, key in enumerate(random_keys(200, seed=4)):
        cluster[position % 3].client().set(key, "x")
        slot = slot_of(key)
        held[slot] = held.get(slot, 0) + 1
        counts = [counters[port].command("CLUSTER", "COUNTKEYSINSLOT", slot) for port in table[slot]]
        assert counts == [held[slot]] * 2, f"after {key!r} in slot {slot}"
    for raw in counters.values():
        raw.socket.close()


def test_deletes_and_flushes_reach_the_replica(cluster):
    client = cluster[0].client()
    for key in ("gone:1", "gone:2", "gone:3"):
        client.set(key, "x")
        assert copies_of(cluster, key) == [1, 1]
        client.delete(key)
        assert copies_of(cluster, key) == [0, 0]
    client.mset({f"flush:{i}": i for i in range(200)})
    client.flushall()
    for node in cluster.nodes:
        for i in range(0, 200, 10):
            slot = slot_of(f"flush:{i}")
            assert node.ask("CLUSTER", "COUNTKEYSINSLOT", slot, direct=True) == 0


def test_expired_keys_leave_the_replica_too(cluster):
    cluster[0].client().set("expiring", "x", px=100)
    wait_until(lambda: copies_of(cluster, "expiring") == [0, 0], 10)


def test_acks_primary_answers_and_the_replica_follows(new_cluster):
    cluster = new_cluster(3, ["--acks", "primary"])
    names = [f"later:{i}" for i in range(200)]
    client = cluster[0].client()
    for name in names:
        assert client.set(name, "x")
    wait_until(lambda: all(min(copies_of(cluster, name)) >= 1 for name in names[::20]), 10)


def test_three_copies(new_cluster):
    cluster = new_cluster(3, ["--copies", "3"])
    cluster[0].client().set("thrice", "x")
    assert copies_of(cluster, "thrice") == [1, 1, 1]
