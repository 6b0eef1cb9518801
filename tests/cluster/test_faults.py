"""A node dies, stalls or returns: nobody hangs, the others go on, and errors say what is wrong."""

import time

import pytest
import redis

from torc_cluster import PATIENCE, encode, slot_of, wait_until

ANSWER_SECONDS = 12  # every command has an answer by then, whatever has happened
CLEAR_ERRORS = ("CLUSTERDOWN", "TRYAGAIN", "UNCERTAIN", "LOADING", "MASTERDOWN", "NOREPLICAS")


def ask_clearly(node, *words):
    """The reply, or the clear error as text; anything else, and a hang, fail the test."""
    started = time.monotonic()
    with node.raw(limit=ANSWER_SECONDS) as raw:
        try:
            reply = raw.command(*words)
        except TimeoutError:
            pytest.fail(f"{words} got no answer within {ANSWER_SECONDS} s")
    assert time.monotonic() - started < ANSWER_SECONDS * PATIENCE
    if isinstance(reply, redis.ResponseError):
        assert str(reply).startswith(CLEAR_ERRORS), f"{words}: {reply}"
    return reply


def fill(cluster, count=200):
    names = [f"fault:{i}" for i in range(count)]
    cluster[0].client().mset({name: name for name in names})
    cluster.wait_copied(names)
    return names


def led_by(cluster, node, names):
    table = cluster.primaries()
    return [name for name in names if table[slot_of(name)] is node]


def test_a_killed_node_hangs_nobody_and_others_serve_their_slots(new_cluster):
    cluster = new_cluster(3)
    names = fill(cluster)
    lost = led_by(cluster, cluster[2], names)
    kept = [name for name in names if name not in lost]
    assert lost and kept
    cluster[2].kill()
    for node in cluster.nodes[:2]:
        for name in kept[::10]:
            assert ask_clearly(node, "GET", name) == name.encode()
        for name in lost[::20]:
            reply = ask_clearly(node, "GET", name)
            assert isinstance(reply, redis.ResponseError) or reply == name.encode()
        assert ask_clearly(node, "PING") == b"PONG"
        ask_clearly(node, "SET", "{%s}new" % lost[0], "x")
        ask_clearly(node, "SET", "{%s}new" % kept[0], "x")
        ask_clearly(node, "MGET", *names)
        ask_clearly(node, "DBSIZE")


def test_a_command_in_flight_to_a_node_that_dies_is_answered(new_cluster):
    cluster = new_cluster(3)
    names = fill(cluster)
    lost = led_by(cluster, cluster[1], names)
    cluster[1].pause()
    with cluster[0].raw(limit=ANSWER_SECONDS) as raw:
        raw.send(b"".join(encode("GET", name) for name in lost[:20]))
        raw.send(encode("PING"))
        cluster[1].kill()
        for name in lost[:20]:
            reply = raw.reply()
            assert reply == name.encode() or str(reply).startswith(CLEAR_ERRORS), reply
        assert raw.reply() == b"PONG"


def test_a_paused_node_hangs_nobody_and_goes_on_when_resumed(new_cluster):
    cluster = new_cluster(3)
    names = fill(cluster)
    lost = led_by(cluster, cluster[0], names)
    kept = [name for name in names if name not in lost]
    cluster[0].pause()
    for node in cluster.nodes[1:]:
        assert ask_clearly(node, "PING") == b"PONG"
        ask_clearly(node, "GET", lost[0])
        assert ask_clearly(node, "GET", kept[0]) == kept[0].encode()
    cluster[0].resume()
    cluster.wait_formed(30)
    for node in cluster.nodes:
        wait_until(lambda node=node: node.client().mget(names) == [n.encode() for n in names], 20,
                   "every key is back on every node")


def test_a_restarted_node_comes_back_and_serves(new_cluster):
    cluster = new_cluster(3)
    names = fill(cluster)
    cluster[1].kill()
    cluster[1].start()
    cluster[1].wait_answers()
    cluster.wait_formed(30)
    for name in names:
        reply = ask_clearly(cluster[1], "SET", name, "again")
        assert reply == b"OK", f"{name}: {reply}"
    for node in cluster.nodes:
        assert node.client().mget(names) == [b"again"] * len(names)


def test_slots_of_a_killed_node_are_served_by_its_replicas(new_cluster):
    cluster = new_cluster(3)
    names = fill(cluster)
    cluster[2].kill()
    for node in cluster.nodes[:2]:
        wait_until(lambda node=node: node.client().mget(names) == [n.encode() for n in names], 20,
                   "no acknowledged write is lost")
    assert cluster[0].client().mset({name: "after" for name in names})
    assert cluster[1].client().mget(names) == [b"after"] * len(names)
