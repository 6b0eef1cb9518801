"""WAIT in both modes of --acks, and READONLY on the direct port."""

import pathlib
import socket
import time

import pytest
import redis

from recovery import fast_arguments, wait_recovered
from torc_cluster import Cluster, encode, key_for, slot_of, wait_until

# Long enough that a node that is stopped for a moment is not taken for down meanwhile.
LEASE_MS = 20000
SHORT_MS = 300
LONG_MS = 15000
KEY = "wait"


def is_error(reply, begins):
    return isinstance(reply, redis.ResponseError) and str(reply).startswith(begins)


def nothing_comes(raw, seconds=0.15):
    """True if no byte comes for a while."""
    raw.socket.settimeout(seconds)
    try:
        raw.socket.recv(1, socket.MSG_PEEK)
        return False
    except TimeoutError:
        return not raw.buffer
    finally:
        raw.socket.settimeout(LONG_MS / 1000)


class Three:
    """Three nodes, and a key with its primary, its replica and the node that has no copy of it."""

    def __init__(self, cluster, key=KEY):
        self.cluster = cluster
        self.key = key
        assert cluster[0].ask("SET", key, 1) == b"OK"
        wait_recovered(cluster, [key])
        self.primary = cluster.primary(key)
        self.replica, self.other = self.split()

    def split(self):
        slot = slot_of(self.key)
        rest = [node for node in self.cluster.nodes if node is not self.primary]
        held = [node for node in rest if node.ask("CLUSTER", "COUNTKEYSINSLOT", slot, direct=True)]
        assert len(held) == 1
        return held[0], next(node for node in rest if node not in held)


class Stopped:
    """The node does nothing inside the block: a thread that runs when the signal is sent goes on for a
    moment."""

    def __init__(self, node):
        self.node = node

    def __enter__(self):
        self.node.pause()
        tasks = list(pathlib.Path(f"/proc/{self.node.process.pid}/task").iterdir())
        wait_until(lambda: all((task / "stat").read_text().rsplit(")", 1)[1].split()[0] == "T"
                               for task in tasks), 5, "every thread is stopped")

    def __exit__(self, *_):
        self.node.resume()


@pytest.fixture(scope="module")
def clusters():
    """One cluster for each mode, for all tests here: mode -> Three."""
    made = {}

    def get(acks):
        if acks not in made:
            cluster = Cluster(3, [*fast_arguments(lease_ms=LEASE_MS), "--acks", acks,
                                  "--proxy-timeout-ms", LONG_MS]).__enter__()
            made[acks] = Three(cluster)
        return made[acks]

    yield get
    for three in made.values():
        three.cluster.close()


@pytest.fixture(params=["in-sync", "primary"])
def three(clusters, request):
    return clusters(request.param)


@pytest.fixture
def lax(clusters):
    return clusters("primary")


@pytest.fixture
def strict(clusters):
    return clusters("in-sync")


# ---- WAIT ----


@pytest.mark.parametrize("direct", [False, True], ids=["client", "direct"])
def test_wait_counts_the_replicas(three, direct):
    with three.primary.raw(direct=direct) as raw:
        for wanted in (0, 1, 2, 5):
            assert raw.command("SET", three.key, wanted) == b"OK"
            began = time.monotonic()
            assert raw.command("WAIT", wanted, LONG_MS) == 1
            assert time.monotonic() - began < LONG_MS / 1000 / 2
        assert raw.command("WAIT", 1, 0) == 1


def test_wait_errors(three):
    with three.primary.raw() as raw:
        for words in (["WAIT"], ["WAIT", 1], ["WAIT", 1, 2, 3]):
            assert is_error(raw.command(*words), "ERR wrong number of arguments for 'wait'")
        for words in (["WAIT", "x", 1], ["WAIT", 1, "x"], ["WAIT", "", 1], ["WAIT", 1, "1.5"]):
            assert is_error(raw.command(*words), "ERR value is not an integer or out of range")
        assert is_error(raw.command("WAIT", -1, 1), "ERR numreplicas must not be negative")
        assert is_error(raw.command("WAIT", 1, -1), "ERR timeout is negative")
        assert raw.command("PING") == b"PONG"


def test_wait_times_out_while_the_replica_is_stopped(lax):
    with lax.primary.raw(limit=LONG_MS / 1000) as raw:
        with Stopped(lax.replica):
            assert raw.command("SET", lax.key, 2) == b"OK"
            assert raw.command("WAIT", 0, SHORT_MS) == 1, "that many are wanted already"
            began = time.monotonic()
            assert raw.command("WAIT", 1, SHORT_MS) == 0
            assert (SHORT_MS - 1) / 1000 <= time.monotonic() - began, "a node counts whole ones"
            assert raw.command("PING") == b"PONG"
        assert raw.command("WAIT", 1, LONG_MS) == 1


@pytest.mark.parametrize("timeout", [0, LONG_MS], ids=["for ever", "long"])
def test_wait_ends_when_the_replica_goes_on(lax, timeout):
    with lax.primary.raw(limit=LONG_MS / 1000) as raw:
        with Stopped(lax.replica):
            assert raw.command("SET", lax.key, 2) == b"OK"
            raw.send(encode("WAIT", 1, timeout))
            assert nothing_comes(raw)
        assert raw.reply() == 1


def test_what_is_pipelined_with_wait_keeps_its_order(lax):
    with lax.primary.raw(limit=LONG_MS / 1000) as raw:
        with Stopped(lax.replica):
            raw.send(encode("SET", lax.key, "a") + encode("GET", lax.key) + encode("WAIT", 1, SHORT_MS)
                     + encode("SET", lax.key, "b") + encode("GET", lax.key) + encode("WAIT", 1, 0)
                     + encode("GET", lax.key) + encode("PING"))
            began = time.monotonic()
            assert [raw.reply(), raw.reply()] == [b"OK", b"a"]
            assert time.monotonic() - began < SHORT_MS / 1000, "what came before does not wait with it"
            assert raw.reply() == 0
            assert [raw.reply(), raw.reply()] == [b"OK", b"b"]
            assert nothing_comes(raw)
        assert [raw.reply(), raw.reply(), raw.reply()] == [1, b"b", b"PONG"]


def test_wait_in_sync_has_nothing_to_wait_for(strict):
    with strict.primary.raw(limit=LONG_MS / 1000) as raw, strict.primary.raw() as another:
        with Stopped(strict.replica):
            raw.send(encode("SET", strict.key, "c") + encode("WAIT", 1, 1) + encode("PING"))
            assert another.command("WAIT", 1, LONG_MS) == 1
            assert nothing_comes(raw), "the write is not answered before the replica has it"
        assert [raw.reply(), raw.reply(), raw.reply()] == [b"OK", 1, b"PONG"]


# ---- READONLY ----


def is_moved(reply, three):
    return is_error(reply, f"MOVED {slot_of(three.key)} 127.0.0.1:{three.primary.direct_port}")


def write(three, value, key=None, *options):
    """Writes at the primary; when it returns the replica has it."""
    with three.primary.raw() as raw:
        assert raw.command("SET", key or three.key, value, *options) == b"OK"
        assert raw.command("WAIT", 1, LONG_MS) == 1


def test_a_replica_answers_reads_after_readonly(three):
    second = "{%s}second" % three.key
    with three.replica.raw(direct=True) as raw, three.replica.raw(direct=True) as another:
        write(three, "first")
        assert is_moved(raw.command("GET", three.key), three)
        assert raw.command("READONLY") == b"OK"
        for number in range(50):
            write(three, number)
            assert raw.command("GET", three.key) == b"%d" % number
        write(three, "x", second)
        assert raw.command("MGET", three.key, second) == [b"49", b"x"]
        assert raw.command("EXISTS", three.key, second, "{%s}none" % three.key) == 2
        assert is_moved(another.command("GET", three.key), three), "of that connection alone"


def test_a_replica_takes_no_writes(three):
    write(three, "before")
    with three.replica.raw(direct=True) as raw:
        assert raw.command("READONLY") == b"OK"
        for words in (["SET", three.key, "after"], ["DEL", three.key], ["EXPIRE", three.key, 1],
                      ["GETDEL", three.key], ["RPUSH", three.key, "x"]):
            assert is_moved(raw.command(*words), three), words
        assert raw.command("GET", three.key) == b"before"
    assert three.primary.ask("GET", three.key) == b"before"


def test_who_has_no_copy_says_moved(three):
    with three.other.raw(direct=True) as raw:
        assert raw.command("READONLY") == b"OK"
        assert is_moved(raw.command("GET", three.key), three)
    table = three.cluster.primaries()
    own = key_for(lambda slot: table[slot] is three.other, "own")
    with three.other.raw(direct=True) as raw:
        assert raw.command("READONLY") == b"OK"
        assert raw.command("SET", own, "x") == b"OK", "what it leads it serves as ever"
        assert raw.command("GET", own) == b"x"


@pytest.mark.parametrize("word, reply", [("READWRITE", b"OK"), ("RESET", b"RESET")])
def test_back_to_the_primary(three, word, reply):
    write(three, "x")
    with three.replica.raw(direct=True) as raw:
        assert raw.command("READONLY") == b"OK"
        assert raw.command("GET", three.key) == b"x"
        assert raw.command(word) == reply
        assert is_moved(raw.command("GET", three.key), three)
        assert raw.command("READONLY") == b"OK"
        assert raw.command("GET", three.key) == b"x"


def test_a_replica_does_not_show_what_has_expired(three):
    """The primary is stopped before it can delete it."""
    brief = "{%s}brief" % three.key
    slot = slot_of(three.key)
    with three.replica.raw(direct=True) as raw:
        assert raw.command("READONLY") == b"OK"
        write(three, "x", brief, "PX", 1500)
        with Stopped(three.primary):
            assert raw.command("GET", brief) == b"x"
            held = raw.command("CLUSTER", "COUNTKEYSINSLOT", slot)
            wait_until(lambda: raw.command("GET", brief) is None, 5, "it expires")
            assert raw.command("EXISTS", brief) == 0
            assert raw.command("TTL", brief) == -2
            assert raw.command("TYPE", brief) == b"none"
            assert raw.command("MGET", brief) == [None]
            assert raw.command("CLUSTER", "COUNTKEYSINSLOT", slot) == held, "it is not deleted there"
        wait_until(lambda: raw.command("CLUSTER", "COUNTKEYSINSLOT", slot) == held - 1, 10,
                   "the primary deletes it")


def test_the_client_port_asks_the_primary_all_the_same(three):
    write(three, "x")
    with three.replica.raw(limit=LONG_MS / 1000) as raw, three.replica.raw(direct=True) as direct:
        assert raw.command("READONLY") == b"OK"
        assert direct.command("READONLY") == b"OK"
        assert raw.command("GET", three.key) == b"x"
        wait_until(lambda: direct.command("GET", three.key) == b"x", 10,
                   "the replica holds the key, also if a test before cost it its place")
        with Stopped(three.primary):
            raw.send(encode("GET", three.key))
            assert direct.command("GET", three.key) == b"x"
            assert nothing_comes(raw)
        assert raw.reply() == b"x"
        assert raw.command("SET", three.key, "y") == b"OK"
        assert raw.command("GET", three.key) == b"y"
