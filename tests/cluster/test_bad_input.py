"""Hostile and broken peers on every port: they get an error or nothing, the node goes on."""

import random
import socket
import struct

import pytest
import redis

from torc_cluster import Raw, encode, wait_until

MALFORMED = {
    "a word where a bulk belongs": b"*1\r\n+PING\r\n",
    "not a number of arguments": b"*abc\r\n",
    "too many arguments": b"*1048577\r\n",
    "an absurd number of arguments": b"*99999999999999999999\r\n",
    "a negative bulk": b"*1\r\n$-5\r\n",
    "not a bulk length": b"*1\r\n$12x\r\nPING\r\n",
    "a bulk past the limit": b"*2\r\n$3\r\nGET\r\n$536870913\r\n",
    "an inline request without end": b"x" * 70000,
    "unbalanced quotes": b'SET key "never closed\r\n',
    "an array header without end": b"*" + b"1" * 70000,
}


@pytest.mark.parametrize("name", MALFORMED)
@pytest.mark.parametrize("direct", [False, True], ids=["any", "direct"])
def test_malformed_requests_get_an_error_and_the_connection_closes(cluster, name, direct):
    with cluster[0].raw(direct) as raw:
        raw.send(encode("SET", "{t}before", "x") if not direct else encode("PING"))
        raw.reply()
        try:
            raw.send(MALFORMED[name])
        except (BrokenPipeError, ConnectionResetError):
            pass  # it had closed before the end, which is its right
        answer = raw.rest()
    assert answer.startswith(b"-ERR Protocol error"), answer[:100]
    assert answer.count(b"\r\n") == 1
    assert cluster[0].client().ping()


def test_requests_before_the_malformed_one_are_answered(cluster):
    with cluster[1].raw() as raw:
        raw.send(encode("SET", "before:1", "a") + encode("GET", "before:1") + b"*1\r\n!bad\r\n")
        assert raw.reply() == b"OK"
        assert raw.reply() == b"a"
        assert raw.rest().startswith(b"-ERR Protocol error")


def test_a_request_in_single_bytes(cluster):
    with cluster[0].raw() as raw:
        raw.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for byte in encode("SET", "slowly", "typed") + b"get slowly\r\n":
            raw.send(bytes([byte]))
        assert raw.reply() == b"OK"
        assert raw.reply() == b"typed"


def test_requests_of_another_protocol(cluster):
    for hello in (b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n", b"\x16\x03\x01\x02\x00\x01\x00\x01"):
        with cluster[0].raw() as raw:
            raw.send(hello)
            raw.socket.shutdown(socket.SHUT_WR)
            raw.rest()
    assert cluster[0].client().ping()


def stream_hello(sender, incarnation, shard, generation):
    """What a node says first on a connection for a replication stream."""
    cluster_id = sender.ask("TORC.VIEW")[10:30]
    payload = struct.pack("<4sHBHQ20s20sQ", b"TORC", 2, 2, shard, generation, cluster_id,
                          bytes.fromhex(sender.ask("CLUSTER", "MYID").decode()), incarnation)
    return struct.pack("<IBBHQ", len(payload), 1, 0, 65535, 0) + payload


def test_a_late_greeting_leaves_a_stream_alone(cluster):
    """As one that was for another node, which was at this address before: by it a replica would begin
    anew where the stream under way cannot."""
    keys = [f"late:{i}" for i in range(300)]
    client = cluster[0].client()
    client.mset(dict.fromkeys(keys, "before"))
    cluster.wait_copied(keys)
    epoch = cluster[0].ask("TORC.VIEW")[2:10]
    for sender in cluster.nodes:
        incarnation = sender.ask("TORC.CHECK", "START") >> 24
        hellos = [stream_hello(sender, incarnation, shard, 0) for shard in range(2)]
        for replica in cluster.nodes:
            for hello in hellos if replica is not sender else []:
                with Raw(replica.bus_port) as raw:
                    raw.send(hello)
                    assert b"a stream older than one that has begun" in raw.rest()
    for value in ("after", "and again"):
        for key in keys:
            assert client.set(key, value)
    assert cluster[0].ask("TORC.VIEW")[2:10] == epoch


@pytest.mark.parametrize("seed", range(3))
def test_random_bytes_on_client_ports(cluster, seed):
    rng = random.Random(seed)
    alphabet = b"*$-+:0123456789\r\n\r\n \"'GETSxyz\x00\xff"
    for _ in range(100):
        node = rng.choice(cluster.nodes)
        with node.raw(direct=rng.random() < 0.5) as raw:
            size = rng.randint(1, 3000)
            noise = rng.randbytes(size) if rng.random() < 0.5 else bytes(
                rng.choice(alphabet) for _ in range(size))
            try:
                raw.send(noise)
                raw.socket.shutdown(socket.SHUT_WR)
                raw.rest()
            except OSError:
                pass
    still_well(cluster)


def still_well(cluster):
    assert len(cluster.running()) == 3
    cluster.wait_formed()
    for node in cluster.nodes:
        assert node.client().set("well", node.index)
        assert node.client().get("well") == str(node.index).encode()


def test_random_bytes_on_the_bus(cluster):
    rng = random.Random(7)
    for round_number in range(60):
        node = cluster[round_number % 3]
        with socket.create_connection(("127.0.0.1", node.bus_port), timeout=5) as peer:
            try:
                if round_number % 3 == 0:  # a length that promises four gigabytes, then little
                    peer.sendall(b"\xff\xff\xff\xff" + rng.randbytes(100))
                else:
                    peer.sendall(rng.randbytes(rng.randint(1, 5000)))
            except OSError:
                pass
    still_well(cluster)


def test_silent_connections_to_the_bus_do_not_disturb(cluster):
    peers = [socket.create_connection(("127.0.0.1", cluster[0].bus_port), timeout=5)
             for _ in range(100)]
    still_well(cluster)
    for peer in peers:
        peer.close()


def test_random_datagrams_on_gossip(cluster):
    rng = random.Random(8)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        for _ in range(3000):
            node = rng.choice(cluster.nodes)
            data = rng.randbytes(rng.choice((0, 1, 7, 32, 200, 1400, 9000)))
            sender.sendto(data, ("127.0.0.1", node.bus_port))
    still_well(cluster)


def test_wrong_type_is_told_from_wrong_value(cluster):
    client = cluster[0].client()
    client.set("word", "abc")
    with pytest.raises(redis.ResponseError, match="not an integer"):
        client.incr("word")
    with pytest.raises(redis.ResponseError, match="not a valid float"):
        client.incrbyfloat("word", 1.5)
    assert client.get("word") == b"abc"


def test_a_half_closed_client_gets_its_replies(cluster):
    names = [f"half:{i}" for i in range(300)]
    cluster[0].client().mset({name: name * 20 for name in names})
    with cluster[1].raw() as raw:
        raw.send(b"".join(encode("GET", name) for name in names))
        raw.socket.shutdown(socket.SHUT_WR)
        for name in names:
            assert raw.reply() == (name * 20).encode()
        assert raw.rest() == b""


def test_clients_that_vanish_in_the_middle(cluster):
    for number in range(200):
        raw = cluster[number % 3].raw()
        raw.send(encode("SET", f"vanish:{number}", "x" * 1000)[: 20 + number])
        if number % 2:
            raw.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        raw.socket.close()
    still_well(cluster)

    def few_clients():
        rows = cluster[0].client().execute_command("CLIENT LIST")
        return len(rows if isinstance(rows, list) else rows.splitlines()) < 50

    wait_until(few_clients, 10, "connections of vanished clients are gone")
