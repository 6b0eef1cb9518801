"""Hashes and sets over three nodes: any node serves them, replicas hold them, and slots take them along."""

import random

from torc_cluster import slot_of, wait_until


def made_values(rng, count):
    """name -> a dict for a hash, a set for a set: in all their forms."""
    made = {}
    for number in range(count):
        size = rng.choice([1, 5, 50, 700])
        long = 80 if rng.random() < 0.1 else 1
        fields = [b"f%0*d" % (long, number) for number in range(size)]
        made[f"hash:{number}"] = {field: rng.randbytes(rng.randint(0, 40)) for field in fields}
        made[f"set:{number}"] = set(fields) if number % 2 else {b"%d" % rng.randrange(10**6)
                                                                 for _ in range(size)}
    return made


def write_all(cluster, values):
    nodes = cluster.running()
    for position, (name, value) in enumerate(values.items()):
        client = nodes[position % len(nodes)].client()
        made = client.hset(name, mapping=value) if isinstance(value, dict) else client.sadd(name, *value)
        assert made == len(value)


def check_all(cluster, values):
    nodes = cluster.running()
    for position, (name, value) in enumerate(values.items()):
        client = nodes[(position + 1) % len(nodes)].client()
        held = client.hgetall(name) if isinstance(value, dict) else client.smembers(name)
        assert held == value, name


def change_hash(client, name, fields):
    client.hset(name, "new", "value")
    fields[b"new"] = b"value"
    assert client.hincrby(name, "count", 7) == 7
    assert client.hincrbyfloat(name, "count", 0.1) == 7.1
    fields[b"count"] = b"7.1"
    gone = next(iter(fields))
    assert client.hdel(name, gone) == 1
    del fields[gone]


def change_set(client, name, members):
    assert client.sadd(name, "new", "newer") == 2
    popped = client.spop(name, len(members) // 2)
    members |= {b"new", b"newer"}
    members -= set(popped)
    gone = next(iter(members))
    assert client.srem(name, gone, "none") == 1
    members.remove(gone)


def test_any_node_serves_them(cluster):
    values = made_values(random.Random(1), 20)
    write_all(cluster, values)
    check_all(cluster, values)
    hashes = [name.encode() for name in values if name.startswith("hash")]
    for node in cluster.nodes:
        assert sorted(node.client().scan_iter(_type="hash", count=1000)) == sorted(hashes)
        assert node.client().type("set:0") == b"set"
        assert len(set(node.client().hscan_iter("hash:1"))) == len(values["hash:1"])
        assert set(node.client().sscan_iter("set:1")) == values["set:1"]


def test_sets_of_one_slot_only(cluster):
    for node in cluster.nodes:
        node.client().delete("{a}1", "{a}2", "{a}3", "{b}1")
        assert node.client().sadd("{a}1", "x", "y") == 2
        assert node.client().sadd("{a}2", "y", "z") == 2
        for direct in (False, True):
            for words in (("SUNION", "{a}1", "{b}1"), ("SINTERSTORE", "{b}1", "{a}1", "{a}2"),
                          ("SDIFF", "{a}1", "{a}2", "{b}1"), ("SMOVE", "{a}1", "{b}1", "x"),
                          ("SINTERCARD", 2, "{a}1", "{b}1")):
                assert str(node.ask(*words, direct=direct)).startswith("CROSSSLOT")
        assert node.ask("SINTERCARD", 2, "{a}1", "{a}2") == 1
        assert node.ask("SUNIONSTORE", "{a}3", "{a}1", "{a}2") == 3
        assert node.ask("SMOVE", "{a}1", "{a}2", "x") == 1
        assert sorted(node.client().smembers("{a}2")) == [b"x", b"y", b"z"]


def test_replicas_hold_what_was_done(new_cluster):
    """Every kind of change, then a node is killed: the copies are the same."""
    cluster = new_cluster(3)
    values = made_values(random.Random(3), 40)
    write_all(cluster, values)
    cluster.wait_copied(list(values))
    client = cluster[0].client()
    for name, value in values.items():
        change_hash(client, name, value) if isinstance(value, dict) else change_set(client, name, value)
    cluster[1].kill()
    wait_until(lambda: check_all(cluster, values) is None, 30, "two nodes serve them all")


def test_a_node_that_comes_takes_them_along(new_cluster):
    cluster = new_cluster(2, room=3)
    values = made_values(random.Random(4), 40)
    write_all(cluster, values)
    cluster.add()
    cluster.wait_formed(30)
    owners = cluster.primaries()
    assert any(owners[slot_of(name)] is cluster[2] for name in values)
    check_all(cluster, values)
