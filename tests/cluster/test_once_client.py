"""TORC.ONCE: a write that its client names is carried out once however often it is sent: at the owner, at
any other node, after the owner was killed, and after its slot has moved."""

import secrets

import pytest
import redis

from recovery import epoch, fast_arguments, wait_recovered
from torc_cluster import key_for, slot_of, wait_until

CLIENTS_MAX = 256  # of which a slot remembers what became of their writes
AGE_MAX_MS = 60000


class Writer:
    """One origin. Each write is sent as often as a test wants."""

    def __init__(self):
        self.origin = secrets.token_hex(16)
        self.id = 0

    def name(self, *command, settled=None, age=0, new=True):
        self.id += new
        settled = self.id if settled is None else settled
        return ("TORC.ONCE", self.origin, self.id, settled, age, *command)


@pytest.fixture
def writer():
    return Writer()


def text(reply):
    assert isinstance(reply, redis.ResponseError), reply
    return str(reply)


def test_a_name_counts_once_at_any_node_and_port(cluster, writer):
    key = key_for(lambda slot: True, "once")
    first = writer.name("INCR", key)
    owner = cluster.primary(key)
    others = [node for node in cluster.nodes if node is not owner]
    assert owner.ask(*first, direct=True) == 1
    for node in cluster.nodes:
        assert node.ask(*first) == 1
    assert text(others[0].ask(*first, direct=True)).startswith("MOVED ")
    # Named at another node, which forwards it; asked for again at the owner.
    second = writer.name("INCRBY", key, 10, settled=1)
    assert others[0].ask(*second) == others[1].ask(*second) == owner.ask(*second, direct=True) == 11
    assert owner.ask(*first) == 1, "it is not settled"
    # The same id of another origin is another write; keys of one slot may be several.
    assert owner.ask(*Writer().name("INCR", key)) == 12
    assert owner.ask(*writer.name("DEL", "{%s}a" % key, key, "{%s}b" % key)) == 1
    assert "has been answered before" in text(owner.ask("TORC.ONCE", writer.origin,
                                                       1, 1, 0, "INCR", key))


def test_what_is_no_lawful_name_is_refused(cluster, writer):
    node = cluster[0]
    origin = writer.origin
    for words in (("x" * 32, 1, 1, 0), (origin[:31], 1, 1, 0), (origin, 0, 0, 0), (origin, 1, 2, 0),
                  (origin, 1, 1, -1), (origin, "a", 1, 0)):
        assert text(node.ask("TORC.ONCE", *words, "INCR", "k")).startswith("ERR TORC.ONCE: a name")
    assert "wrong number of arguments" in text(node.ask("TORC.ONCE", origin, 1, 1, 0))
    assert "wrong number of arguments" in text(node.ask(*writer.name("INCR")))
    assert text(node.ask(*writer.name("NOSUCH", "k"))).startswith("ERR unknown command 'NOSUCH'")
    for command in (("GET", "k"), ("FLUSHALL",), ("PING",), ("TORC.ONCE", "k"), ("torc.flushslot", "1")):
        assert "is no write with keys" in text(node.ask(*writer.name(*command)))
    assert text(node.ask(*writer.name("MSET", "a", 1, "b", 2))).startswith("CROSSSLOT")
    late = text(node.ask(*writer.name("INCR", "late", age=AGE_MAX_MS + 1)))
    assert late.startswith("UNCERTAIN the write was first sent more than 60 s ago")
    assert node.ask(*writer.name("INCR", "late", age=AGE_MAX_MS)) == 1
    # What changed nothing is asked for anew, which is as good.
    assert node.ask("SET", "text", "x") == b"OK"
    failed = writer.name("INCR", "text")
    assert "not an integer" in text(node.ask(*failed))
    assert node.ask("SET", "text", "4") == b"OK"
    assert node.ask(*failed) == 5


def test_a_slot_remembers_so_many_clients_and_refuses_more(cluster):
    key = key_for(lambda slot: True, "full")
    owner = cluster.primary(key)
    with owner.raw(direct=True) as raw:
        # Other tests' clients may have written to this slot of the shared cluster.
        writers = []
        more = Writer()
        while len(writers) <= CLIENTS_MAX:
            reply = raw.command(*more.name("INCR", key))
            if isinstance(reply, redis.ResponseError):
                break
            writers.append(more)
            assert reply == len(writers)
            more = Writer()
        assert CLIENTS_MAX - 20 < len(writers) <= CLIENTS_MAX
        assert text(reply).startswith("ONCEFULL ")
        other = [node for node in cluster.nodes if node is not owner][0]
        assert text(other.ask(*more.name("INCR", key))).startswith("ONCEFULL ")
        for number, one in enumerate(writers):
            assert raw.command(*one.name("INCR", key, new=False)) == number + 1
        assert raw.command(*writers[0].name("INCR", key)) == len(writers) + 1
        assert raw.command("INCR", key) == len(writers) + 2, "without a name it is as ever"


def test_it_holds_when_the_owner_is_killed_and_when_the_slot_moves(new_cluster, writer):
    cluster = new_cluster(3, fast_arguments(lease_ms=400))
    table = cluster.primaries()
    key = key_for(lambda slot: table[slot] is cluster[2], "kept")
    made = [writer.name("RPUSH", key, number, settled=1) for number in range(20)]
    for number, name in enumerate(made):
        assert cluster[number % 3].ask(*name) == number + 1
    before = epoch(cluster, cluster[0])
    cluster[2].kill()
    wait_until(lambda: cluster[0].ask("LLEN", key) == 20, 10, "another node leads the slot")
    for number, name in enumerate(made):
        assert cluster[number % 2].ask(*name) == number + 1

    # It comes back, is refilled, and leads again: what it did not see itself it has been told.
    cluster[2].start().wait_answers()
    wait_recovered(cluster, [key], after=before)
    wait_until(lambda: cluster.primaries()[slot_of(key)] is cluster[2], 15, "it leads the slot again")
    for name, number in zip(made, range(1, 21)):
        assert cluster[2].ask(*name, direct=True) == number
    assert cluster[0].ask("LLEN", key) == 20
