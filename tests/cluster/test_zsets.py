"""Sorted sets over three nodes: any node serves them, and replicas hold them."""

import random

from torc_cluster import wait_until


def made_sets(rng, count):
    """name -> member -> score: small ones, large ones, and some of long members."""
    sets = {}
    for number in range(count):
        size = rng.choice([1, 3, 20, 500])
        longest = 300 if rng.random() < 0.1 else 20
        sets[f"zset:{number}"] = {rng.randbytes(rng.randint(1, longest)): rng.randint(-99, 99) / 4
                                  for _ in range(size)}
    return sets


def ordered(scores):
    return sorted(scores.items(), key=lambda item: (item[1], item[0]))


def add_all(cluster, sets):
    nodes = cluster.running()
    for position, (name, scores) in enumerate(sets.items()):
        assert nodes[position % len(nodes)].client().zadd(name, scores) == len(scores)


def check_all(cluster, sets):
    nodes = cluster.running()
    for position, (name, scores) in enumerate(sets.items()):
        client = nodes[(position + 1) % len(nodes)].client()
        assert client.zrange(name, 0, -1, withscores=True) == ordered(scores)


def test_sorted_sets_of_one_slot_only(cluster):
    sets = made_sets(random.Random(1), 40)
    add_all(cluster, sets)
    check_all(cluster, sets)
    for node in cluster.nodes:
        client = node.client()
        assert client.type("zset:0") == b"zset"
        assert sorted(client.scan_iter("zset:*", _type="zset", count=1000)) == sorted(
            name.encode() for name in sets)
        client.zadd("{a}1", {"x": 1, "y": 2})
        client.zadd("{a}2", {"y": 3})
        for direct in (False, True):
            for words in (("ZUNION", 2, "{a}1", "{b}1"), ("ZINTERSTORE", "{b}1", 1, "{a}1"),
                          ("ZUNIONSTORE", "{a}3", 2, "{a}1", "{b}1"), ("ZMPOP", 2, "{a}1", "{b}1", "MIN"),
                          ("ZRANGESTORE", "{a}1", "{b}1", 0, 1)):
                assert str(node.ask(*words, direct=direct)).startswith("CROSSSLOT")
        assert node.ask("ZUNIONSTORE", "{a}3", 2, "{a}1", "{a}2", "WEIGHTS", 1, 2) == 2
        assert client.zrange("{a}3", 0, -1, withscores=True) == [(b"x", 1), (b"y", 8)]
        assert node.ask("ZMPOP", 2, "{a}0", "{a}3", "MAX") == [b"{a}3", [[b"y", b"8"]]]
        # What is wrong with a count of keys is not for the router to say.
        assert "at least 1 input key" in str(node.ask("ZUNIONSTORE", "{a}3", 0, "{a}1"))
        assert str(node.ask("ZUNIONSTORE", "{a}3", 9, "{a}1")).endswith("syntax error")


def change(client, name, scores):
    """Every kind of change, and the same in `scores`."""
    client.zadd(name, {b"added": 1.5, b"popped": -1000})
    scores[b"added"] = 1.5
    scores[b"stays"] = client.zincrby(name, 0.1, b"stays")
    scores[b"stays"] = client.zincrby(name, 0.2, b"stays")
    assert client.zpopmin(name) == [(b"popped", -1000)]
    client.zadd(name, {b"added": 9}, gt=True)
    client.zadd(name, {b"added": 7}, nx=True)
    scores[b"added"] = 9
    if len(scores) > 10:
        for member, _ in ordered(scores)[2:4]:
            del scores[member]
        assert client.zremrangebyrank(name, 2, 3) == 2
        for member in [member for member, score in scores.items() if 3 <= score < 4]:
            del scores[member]
        client.zremrangebyscore(name, 3, "(4")


def test_replicas_hold_what_was_done(new_cluster):
    """Every kind of change, then a node is killed: the copies are the same sorted sets."""
    cluster = new_cluster(3)
    sets = made_sets(random.Random(3), 60)
    add_all(cluster, sets)
    cluster.wait_copied(list(sets))
    client = cluster[0].client()
    for name, scores in sets.items():
        change(client, name, scores)
    for name in list(sets)[:20]:
        target = f"{{{name}}}:stored"
        count = client.zunionstore(target, {name: 2})
        sets[target] = {member: 2 * score for member, score in sets[name].items()}
        assert count == len(sets[target])
    cluster[1].kill()
    wait_until(lambda: check_all(cluster, sets) is None, 30, "two nodes serve every sorted set")
