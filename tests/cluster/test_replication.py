"""Copies: what is acknowledged is on the replica too."""

import time

import pytest

from torc_cluster import PATIENCE, random_keys, slot_of, wait_until


@pytest.fixture
def copied(cluster):
    """The shared cluster once its copies are complete: from then on every write has both."""
    names = [f"settle:{i}" for i in range(500)]
    cluster[0].client().mset({name: "x" for name in names})
    cluster.wait_copied(names)
    cluster[0].client().flushall()
    return cluster


def test_an_acknowledged_write_is_on_two_nodes_at_once(copied):
    held = {}
    for position, key in enumerate(random_keys(200, seed=4)):
        copied[position % 3].client().set(key, "x")
        slot = slot_of(key)
        held[slot] = held.get(slot, 0) + 1
        assert copied.copies(slot) == [held[slot]] * 2, f"after {key!r} in slot {slot}"


def test_deletes_and_flushes_reach_the_replica(copied):
    client = copied[0].client()
    for key in ("gone:1", "gone:2", "gone:3"):
        client.set(key, "x")
        assert copied.copies(slot_of(key)) == [1, 1]
        client.delete(key)
        assert copied.copies(slot_of(key)) == []
    client.mset({f"flush:{i}": i for i in range(200)})
    client.flushall()
    assert all(copied.copies(slot_of(f"flush:{i}")) == [] for i in range(200))


def test_expired_keys_leave_the_replica_too(copied):
    copied[0].client().set("expiring", "x", px=300)
    assert copied.copies(slot_of("expiring")) == [1, 1]
    wait_until(lambda: copied.copies(slot_of("expiring")) == [], 10)


def test_acks_primary_answers_and_the_replica_follows(new_cluster):
    cluster = new_cluster(3, ["--acks", "primary"])
    names = [f"later:{i}" for i in range(200)]
    client = cluster[0].client()
    for name in names:
        assert client.set(name, "x")
    cluster.wait_copied(names)


@pytest.mark.parametrize("copies", [1, 3])
def test_other_numbers_of_copies(new_cluster, copies):
    cluster = new_cluster(3, ["--copies", copies])
    names = [f"number:{i}" for i in range(100)]
    cluster[0].client().mset({name: "x" for name in names})
    cluster.wait_copied(names, copies)


def test_what_is_done_regularly_is_done_beside_replicated_writes(new_cluster):
    """Such as to let go of idle clients. Each write waits for a moment, which makes a worker's tick
    shorter, and then it may be longer again."""
    cluster = new_cluster(2, ["--threads", "1"])
    cluster[0].client().set("busy", "x")
    cluster.wait_copied(["busy"])
    node = cluster.primary("busy")
    with node.raw() as idle, node.raw(direct=True) as writer:
        assert idle.command("CONFIG", "SET", "timeout", 1) == b"OK"
        idle.socket.setblocking(False)

        def let_go():
            assert writer.command("SET", "busy", "x") == b"OK"
            try:
                return idle.socket.recv(1) == b""
            except BlockingIOError:
                return False

        deadline = time.monotonic() + 10 * PATIENCE
        while not let_go():
            assert time.monotonic() < deadline, "an idle client is still there"
