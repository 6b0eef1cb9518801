"""Lists over three nodes: any node serves them, replicas hold them, and slots take them along."""

import random

from torc_cluster import encode, slot_of, wait_until


def made_lists(rng, count):
    """name -> values: short lists, long ones, and some of long values."""
    lists = {}
    for number in range(count):
        size = rng.choice([1, 3, 20, 500])
        longest = 3000 if rng.random() < 0.1 else 40
        lists[f"list:{number}"] = [rng.randbytes(rng.randint(0, longest)) for _ in range(size)]
    return lists


def push_all(cluster, lists):
    nodes = cluster.running()
    for position, (name, values) in enumerate(lists.items()):
        assert nodes[position % len(nodes)].client().rpush(name, *values) == len(values)


def check_all(cluster, lists):
    nodes = cluster.running()
    for position, (name, values) in enumerate(lists.items()):
        assert nodes[(position + 1) % len(nodes)].client().lrange(name, 0, -1) == values


def test_any_node_serves_lists(cluster):
    lists = made_lists(random.Random(1), 60)
    push_all(cluster, lists)
    check_all(cluster, lists)
    for node in cluster.nodes:
        client = node.client()
        assert client.type("list:0") == b"list"
        assert sorted(client.scan_iter(_type="list", count=1000)) == sorted(
            name.encode() for name in lists)
    for name, values in lists.items():
        popped = cluster[2].client().lpop(name, 2)
        assert popped == values[:2]


def test_lists_of_one_slot_only(cluster):
    for node in cluster.nodes:
        node.client().delete("{a}1", "{a}2", "{b}1")
        assert node.client().rpush("{a}1", "x", "y", "z") == 3
        for direct in (False, True):
            for words in (("LMOVE", "{a}1", "{b}1", "LEFT", "LEFT"), ("RPOPLPUSH", "{a}1", "{b}1"),
                          ("LMPOP", 2, "{a}1", "{b}1", "LEFT")):
                assert str(node.ask(*words, direct=direct)).startswith("CROSSSLOT")
        assert node.ask("LMOVE", "{a}1", "{a}2", "LEFT", "LEFT") == b"x"
        assert node.ask("LMPOP", 3, "{a}0", "{a}2", "{a}1", "LEFT") == [b"{a}2", [b"x"]]
        assert node.ask("LMPOP", 2, "{a}2", "{a}1", "RIGHT", "COUNT", 5) == [b"{a}1", [b"z", b"y"]]
        assert node.ask("LMPOP", 2, "{a}2", "{a}1", "LEFT") is None
        # What is wrong with a count of keys is not for the router to say.
        assert "numkeys should be" in str(node.ask("LMPOP", 0, "{a}1", "LEFT"))
        assert str(node.ask("LMPOP", 9, "{a}1", "LEFT")).endswith("syntax error")


def test_replicas_hold_what_was_done(new_cluster):
    """Every kind of change, then a node is killed: the copies are the same lists."""
    rng = random.Random(3)
    cluster = new_cluster(3)
    lists = made_lists(rng, 90)
    push_all(cluster, lists)
    cluster.wait_copied(list(lists))
    client = cluster[0].client()
    for name, values in lists.items():
        client.lpush(name, b"pushed")
        values.insert(0, b"pushed")
        client.lset(name, -1, b"set")
        values[-1] = b"set"
        client.linsert(name, "BEFORE", b"set", b"inserted")
        values.insert(values.index(b"set"), b"inserted")
        if len(values) > 10:
            client.ltrim(name, 1, -3)
            del values[0], values[-2:]
            assert client.lrem(name, 1, values[3]) == 1
            values.remove(values[3])
            assert client.lmove(name, name, "LEFT", "RIGHT") == values[0]
            values.append(values.pop(0))
            assert client.execute_command("LMPOP", 1, name, "RIGHT", "COUNT", 2)[1] == \
                values[:-3:-1]
            del values[-2:]
    cluster[1].kill()
    wait_until(lambda: check_all(cluster, lists) is None, 30, "two nodes serve every list")


def test_a_node_that_comes_takes_lists_along(new_cluster):
    cluster = new_cluster(2, room=3)
    lists = made_lists(random.Random(4), 90)
    push_all(cluster, lists)
    cluster.add()
    cluster.wait_formed(30)
    owners = cluster.primaries()
    assert any(owners[slot_of(name)] is cluster[2] for name in lists)
    check_all(cluster, lists)


def test_one_pipeline(cluster):
    """A batch whose commands make, enlarge, empty and remake the very object that was prefetched."""
    with cluster[0].raw() as raw:
        parts = []
        for _ in range(30):
            parts += [("RPUSH", "q", *["value"] * 50), ("RPUSH", "q", "x" * 9000), ("LLEN", "q"),
                      ("LTRIM", "q", 0, 0), ("LPOP", "q"), ("EXISTS", "q")]
        raw.send(b"".join(encode(*words) for words in parts))
        for _ in range(30):
            assert [raw.reply() for _ in range(6)] == [50, 51, 51, b"OK", b"value", 0]
