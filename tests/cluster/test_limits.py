"""Many clients, slow clients, big values: the node's memory stays bounded and others are served."""

import os
import selectors
import socket
import subprocess
import time

import pytest
import redis

from torc_cluster import BENCH, PATIENCE, encode, key_for, raise_file_limit, wait_until

MEGABYTE = 1 << 20


@pytest.mark.parametrize("local", [True, False], ids=["own key", "key of another node"])
def test_a_client_that_never_reads_costs_little(new_cluster, local):
    cluster = new_cluster(3)
    table = cluster.primaries()
    node = cluster[0]
    key = key_for(lambda slot: (table[slot] is node) == local)
    node.client().set(key, os.urandom(MEGABYTE))
    before = {other.index: other.resident_bytes() for other in cluster.nodes}
    with node.raw() as raw:
        # 3 000 answers of a megabyte each, none of which is read.
        raw.socket.settimeout(2)
        try:
            raw.send(encode("GET", key) * 3000)
        except TimeoutError:
            pass  # the node has stopped reading, which is one way to stay bounded
        deadline = time.monotonic() + 2
        while time.monotonic() < deadline:
            for other in cluster.nodes:
                assert other.client().set("others", "served")
                grown = other.resident_bytes() - before[other.index]
                assert grown < 200 * MEGABYTE, f"node {other.index} grew by {grown >> 20} MiB"
    wait_until(lambda: node.resident_bytes() - before[0] < 100 * MEGABYTE, 10,
               "memory of the closed connection is given back")


def test_a_client_that_reads_late_gets_everything_in_order(cluster):
    node = cluster[0]
    values = {f"late:{i}": bytes([65 + i]) * 200_000 for i in range(20)}
    node.client().mset(values)
    with node.raw(limit=30) as raw:
        raw.send(b"".join(encode("GET", name) for name in values) * 20)
        for _ in range(20):
            for value in values.values():
                assert raw.reply() == value


def test_a_big_value_does_not_hold_up_others(cluster):
    client = cluster[0].client(socket_timeout=60)
    value = os.urandom(64 * MEGABYTE)
    assert client.set("big", value)
    for node in cluster.nodes:
        assert node.client(socket_timeout=60).get("big") == value
    assert client.delete("big") == 1


def test_ten_thousand_connections(new_cluster):
    available = raise_file_limit()
    if available < 11_000:
        pytest.skip(f"only {available} files may be open here; 11 000 are needed")
    cluster = new_cluster(3)
    node = cluster[0]
    node.client().execute_command("CONFIG SET", "maxclients", 12_000)
    sockets = []
    try:
        for number in range(10_000):
            port = node.port if number % 2 else node.direct_port
            sockets.append(socket.create_connection(("127.0.0.1", port), timeout=10 * PATIENCE))
        for peer in sockets:
            peer.sendall(b"PING\r\n")
        for peer in sockets:
            assert peer.recv(16) == b"+PONG\r\n"
        for other in cluster.nodes:
            assert other.client().set("crowded", "still served")
    finally:
        for peer in sockets:
            peer.close()
    wait_until(lambda: int(node.client().info("clients")["connected_clients"]) < 100, 20,
               "all have left")


def test_clients_past_the_limit_are_told_so(new_cluster):
    cluster = new_cluster(1)
    node = cluster[0]
    node.client().execute_command("CONFIG SET", "maxclients", 50)
    accepted, refused = [], []
    try:
        for _ in range(120):
            raw = node.raw()
            try:
                (accepted if raw.command("PING") == b"PONG" else refused).append(raw)
            except (EOFError, OSError):
                refused.append(raw)
        assert 30 <= len(accepted) <= 50
        assert len(refused) == 120 - len(accepted)
    finally:
        for raw in accepted + refused:
            raw.socket.close()

    def accepts_again():
        with node.raw() as raw:
            return raw.command("PING") == b"PONG"

    wait_until(accepts_again, 10)


def test_memory_limit_evicts_and_stays_bounded(new_cluster):
    cluster = new_cluster(3, ["--memory", "32mb", "--eviction", "lru"])
    client = cluster[0].client()
    value = b"x" * 10_000
    for start in range(0, 20_000, 500):
        pipe = client.pipeline(transaction=False)
        for number in range(start, start + 500):
            pipe.set(f"fill:{number}", value)
        pipe.execute()
    assert 500 < client.dbsize() < 12_000
    assert client.get("fill:19999") == value
    for node in cluster.nodes:
        assert node.resident_bytes() < 150 * MEGABYTE


def test_memory_limit_without_eviction_refuses_writes_and_serves_reads(new_cluster):
    cluster = new_cluster(1, ["--memory", "16mb", "--eviction", "none"])
    client = cluster[0].client()
    with pytest.raises(redis.ResponseError, match="OOM"):
        for number in range(10_000):
            client.set(f"full:{number}", b"x" * 10_000)
    assert client.get("full:0") == b"x" * 10_000
    client.flushall()
    assert client.set("room", "again")


@pytest.mark.parametrize("phases", [[(200, 700_000), (1000, 150_000)], [(16_300, 12_000)]])
def test_memory_is_a_limit_of_what_is_resident(new_cluster, phases):
    """Values of one size, and then of another: what is freed of the first is of use for the second; and
    values of a size for which the allocator takes more pages than they need."""
    cluster = new_cluster(1, ["--memory", "128mb", "--threads", "1"])
    node = cluster[0]
    idle = [node.raw() for _ in range(300)]
    for size, writes in phases:
        done = subprocess.run(
            [BENCH, "-s", f"127.0.0.1:{node.port}", "--quiet", "--clients", "100", "--pipeline", "16",
             "--keys", "3000000", "--size", str(size), "--ratio", "1:0", "--seconds", "100",
             "--requests", str(writes)],
            capture_output=True, text=True, timeout=120, check=False)
        assert done.returncode == 0, done.stdout
        data = int(node.client().info("memory")["used_memory"])
        assert 75 * MEGABYTE < data < 128 * MEGABYTE, data
        if int(node.client().info("memory")["used_memory_overhead"]) > 0:
            wait_until(lambda: node.resident_bytes() < 1.05 * 128 * MEGABYTE, 10)
    for raw in idle:
        raw.socket.close()


def test_volatile_eviction_spares_keys_without_expiry(new_cluster):
    cluster = new_cluster(1, ["--memory", "32mb", "--eviction", "volatile-lru"])
    client = cluster[0].client()
    for number in range(500):
        client.set(f"kept:{number}", b"x" * 10_000)
    for number in range(4_000):
        client.set(f"passing:{number}", b"x" * 10_000, ex=1000)
    assert all(client.exists(f"kept:{number}") for number in range(500))
    assert 500 < client.dbsize() < 3_500
    with pytest.raises(redis.ResponseError, match="OOM"):
        for number in range(4_000):
            client.set(f"kept too:{number}", b"x" * 10_000)
    assert client.info("memory")["maxmemory_policy"] == "volatile-lru"


def test_many_clients_at_once_each_see_their_own_replies(cluster):
    """200 connections, each with its own pipeline in flight at the same time as all others."""
    selector = selectors.DefaultSelector()
    expected = {}
    for number in range(200):
        raw = cluster[number % 3].raw()
        names = [f"own:{number}:{i}" for i in range(50)]
        raw.send(b"".join(encode("SET", name, name) + encode("GET", name) for name in names))
        expected[raw] = b"".join(
            b"+OK\r\n$%d\r\n%s\r\n" % (len(name), name.encode()) for name in names)
        raw.socket.setblocking(False)
        selector.register(raw.socket, selectors.EVENT_READ, raw)
    pending = set(expected)
    deadline = time.monotonic() + 20 * PATIENCE
    while pending:
        assert time.monotonic() < deadline, f"{len(pending)} connections wait for replies"
        for event, _ in selector.select(timeout=1):
            raw = event.data
            data = raw.socket.recv(65536)
            assert data, "closed before all replies"
            raw.buffer += data
            assert expected[raw].startswith(raw.buffer)
            if raw.buffer == expected[raw]:
                pending.discard(raw)
                selector.unregister(raw.socket)
                raw.socket.close()
