"""The direct port: what a cluster-aware client relies on."""

import redis

from torc_cluster import encode, key_for, slot_of


def split_moved(error):
    word, slot, address = str(error).split()
    host, port = address.rsplit(":", 1)
    return word, int(slot), host, int(port)


def test_moved_names_the_owner_and_the_owner_answers(cluster):
    table = cluster.primaries()
    for number in range(60):
        key = f"moved:{number}"
        slot = slot_of(key)
        owner = table[slot]
        assert owner.ask("SET", key, number, direct=True) == b"OK"
        for node in cluster.nodes:
            reply = node.ask("GET", key, direct=True)
            if node is owner:
                assert reply == str(number).encode()
            else:
                assert isinstance(reply, redis.ResponseError), reply
                assert split_moved(reply) == ("MOVED", slot, "127.0.0.1", owner.direct_port)


def test_keys_of_two_slots_are_refused(cluster):
    table = cluster.primaries()
    one = key_for(lambda slot: table[slot] is cluster[0], "one")
    two = key_for(lambda slot: table[slot] is cluster[0] and slot != slot_of(one), "two")
    for words in (("MGET", one, two), ("MSET", one, 1, two, 2), ("DEL", one, two)):
        reply = cluster[0].ask(*words, direct=True)
        assert isinstance(reply, redis.ResponseError) and str(reply).startswith("CROSSSLOT"), reply
    assert cluster[0].ask("MSET", "{%s}a" % one, 1, "{%s}b" % one, 2, direct=True) == b"OK"
    assert cluster[0].ask("MGET", "{%s}a" % one, "{%s}b" % one, direct=True) == [b"1", b"2"]


def test_pipeline_of_served_and_moved_keys_keeps_its_order(cluster):
    table = cluster.primaries()
    with cluster[1].raw(direct=True) as raw:
        names = [f"order:{i}" for i in range(200)]
        raw.send(b"".join(encode("SET", name, name) for name in names))
        for name in names:
            reply = raw.reply()
            if table[slot_of(name)] is cluster[1]:
                assert reply == b"OK"
            else:
                assert split_moved(reply)[1] == slot_of(name)
        assert raw.command("PING") == b"PONG"


def test_each_direct_port_counts_its_own_keys(cluster):
    cluster[0].client().mset({f"count:{i}": i for i in range(300)})
    counts = [node.ask("DBSIZE", direct=True) for node in cluster.nodes]
    assert sum(counts) == 300, "cluster-aware clients add up what the primaries say"
    assert all(count > 0 for count in counts)


def test_commands_without_keys_are_answered_anywhere(cluster):
    for node in cluster.nodes:
        assert node.ask("PING", direct=True) == b"PONG"
        assert node.ask("ECHO", "x", direct=True) == b"x"
        assert node.ask("CLUSTER", "KEYSLOT", "foo", direct=True) == 12182
