"""The client port: every node answers for every key, whoever owns it."""

import random
import socket

import pytest
import redis

from torc_cluster import encode, key_for, random_keys, slot_of, wait_until

ROUNDS = 12  # of what a slow reader asks for: more than the kernel's buffers take


def test_set_on_one_node_get_on_every_other(cluster):
    keys = random_keys(300, seed=1)
    for position, key in enumerate(keys):
        assert cluster[position % 3].client().set(key, b"v" + key)
    for position, key in enumerate(keys):
        assert cluster[(position + 1) % 3].client().get(key) == b"v" + key
        assert cluster[(position + 2) % 3].client().get(key) == b"v" + key


def test_values_of_many_sizes_and_every_byte(cluster):
    rng = random.Random(2)
    for size in (0, 1, 15, 16, 17, 255, 4096, 16383, 16384, 65536, 1 << 20, 5_000_000):
        value = rng.randbytes(size)
        key = f"size:{size}"
        assert cluster[size % 3].client().set(key, value)
        for node in cluster.nodes:
            assert node.client().get(key) == value


def test_commands_over_many_slots(cluster):
    names = [f"multi:{i}" for i in range(60)]
    assert len({slot_of(name) for name in names}) > 50
    writer, reader = cluster[0].client(), cluster[1].client()
    assert writer.mset({name: f"v{i}" for i, name in enumerate(names)})
    expected = [f"v{i}".encode() for i in range(60)]
    assert reader.mget(names) == expected
    mixed = ["absent:1", names[7], "absent:2", names[3], names[7]]
    assert reader.mget(mixed) == [None, b"v7", None, b"v3", b"v7"]
    assert reader.exists(*names, "absent", names[0]) == 61
    assert reader.touch(*names[:10], "absent") == 10
    assert reader.delete(*names[:20], "absent", names[0]) == 20
    assert writer.unlink(*names[20:30]) == 10
    assert writer.exists(*names) == 30
    assert reader.mget(names[:30]) == [None] * 30


def test_cluster_wide_views_of_the_keyspace(cluster):
    names = {f"wide:{i}".encode() for i in range(400)}
    cluster[0].client().mset({name: b"x" for name in names})
    for node in cluster.nodes:
        client = node.client()
        assert client.dbsize() == 400
        assert set(client.keys("*")) == names
        assert set(client.keys("wide:1?")) == {f"wide:{i}".encode() for i in range(10, 20)}
        found = list(client.scan_iter(count=17))
        assert set(found) == names
        assert set(client.scan_iter(match="wide:*7", count=50)) == {
            name for name in names if name.endswith(b"7")
        }
        drawn = {client.randomkey() for _ in range(60)}
        assert drawn <= names
        assert len({slot_of(name) for name in drawn}) > 10
    assert cluster[2].client().flushall()
    for node in cluster.nodes:
        assert node.client().dbsize() == 0
        assert node.client().randomkey() is None
        assert node.client().scan(0) == (0, [])


def test_scan_misses_no_key_that_stays_while_others_change(cluster):
    stay = {f"stay:{i}".encode() for i in range(500)}
    client, other = cluster[0].client(), cluster[1].client()
    client.mset({name: b"x" for name in stay})
    found, cursor, rounds = set(), 0, 0
    while True:
        cursor, batch = client.scan(cursor, count=20)
        found.update(batch)
        other.set(f"come:{rounds}", "x")
        other.delete(f"come:{rounds - 5}")
        rounds += 1
        if cursor == 0:
            break
        assert rounds < 10000
    assert stay <= found


def test_pipelines_keep_their_order(cluster):
    rng = random.Random(3)
    for node in cluster.nodes:
        model, expected = {}, []
        pipe = node.client().pipeline(transaction=False)
        for step in range(2000):
            key = f"order:{rng.randrange(100)}"
            if rng.random() < 0.5:
                pipe.set(key, step)
                model[key] = str(step).encode()
                expected.append(True)
            else:
                pipe.get(key)
                expected.append(model.get(key))
        assert pipe.execute() == expected
        node.client().delete(*model)


@pytest.mark.parametrize("direct", [False, True], ids=["any", "direct"])
def test_large_replies_to_a_client_that_is_slow_to_read(cluster, direct):
    """Some are sent at once, some wait for the client or for another node, and small ones are between."""
    primaries = cluster.primaries()
    keys = [key_for(lambda slot: not direct or primaries[slot] is cluster[0], f"large:{i}")
            for i in range(12)]
    sizes = [20_000 + 9_000 * i for i in range(len(keys))]
    client = cluster[0].client()
    for i, key in enumerate(keys):
        client.set(key, bytes([97 + i]) * sizes[i])
    with cluster[0].raw(direct) as raw:
        raw.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 16)
        asked = b"".join(encode("GET", key) + encode("STRLEN", key) + encode("PING") for key in keys)
        raw.send(ROUNDS * asked)
        wait_until(lambda: any(int(each["omem"]) > 0 for each in client.client_list()),
                   what="replies wait to be read")
        for _ in range(ROUNDS):
            for i, size in enumerate(sizes):
                assert raw.reply() == bytes([97 + i]) * size
                assert raw.reply() == size
                assert raw.reply() == b"PONG"


def test_pipeline_mixes_local_remote_errors_and_many_keys(cluster):
    names = [f"mix:{i}" for i in range(12)]
    pipe = cluster[1].client().pipeline(transaction=False)
    pipe.mset({name: name for name in names})
    pipe.incr(names[0])
    pipe.ping()
    pipe.mget(names)
    pipe.execute_command("NOSUCHCOMMAND")
    pipe.dbsize()
    pipe.delete(*names)
    pipe.echo("end")
    replies = pipe.execute(raise_on_error=False)
    assert replies[0] is True
    assert isinstance(replies[1], redis.ResponseError)
    assert replies[2] is True
    assert replies[3] == [name.encode() for name in names]
    assert isinstance(replies[4], redis.ResponseError) and "unknown command" in str(replies[4])
    assert replies[5:] == [12, 12, b"end"]


def test_counting_through_every_node_loses_nothing(cluster):
    clients = [node.client() for node in cluster.nodes]
    for i in range(300):
        clients[i % 3].incr("counter")
    pipes = [client.pipeline(transaction=False) for client in clients]
    for pipe in pipes:
        for _ in range(200):
            pipe.incrby("counter", 2)
        pipe.execute()
    assert [client.get("counter") for client in clients] == [b"1500"] * 3


def test_expiry_is_seen_the_same_everywhere(cluster):
    clients = [node.client() for node in cluster.nodes]
    clients[0].set("short", "x", px=300)
    clients[0].set("long", "x", ex=1000)
    for client in clients:
        assert 990 < client.ttl("long") <= 1000
        assert client.pttl("short") <= 300
    wait_until(lambda: all(client.get("short") is None for client in clients), 5)
    assert [client.exists("short", "long") for client in clients] == [1, 1, 1]
    assert clients[1].persist("long") and clients[2].ttl("long") == -1
    assert clients[0].ttl("short") == -2


@pytest.mark.parametrize("words, code", [
    (("NOSUCHCOMMAND", "a"), "ERR unknown command"),
    (("GET",), "ERR wrong number of arguments for 'get' command"),
    (("SET", "only-key"), "ERR wrong number of arguments for 'set' command"),
    (("SET", "k", "v", "BADOPTION"), "ERR syntax error"),
    (("INCR", "text"), "ERR value is not an integer or out of range"),
    (("EXPIRE", "text", "soon"), "ERR value is not an integer or out of range"),
    (("CLUSTER", "NOSUCHTHING"), "ERR unknown subcommand"),
    (("MSET", "a", "1", "b"), "ERR wrong number of arguments for 'mset' command"),
])
def test_wrong_commands_get_the_errors_of_redis_on_every_node(cluster, words, code):
    cluster[0].client().set("text", "not a number")
    for node in cluster.nodes:
        with node.raw() as raw:
            reply = raw.command(*words)
            assert isinstance(reply, redis.ResponseError), reply
            assert str(reply).lower().startswith(code.lower()), reply
            assert raw.command("PING") == b"PONG", "the connection goes on"
