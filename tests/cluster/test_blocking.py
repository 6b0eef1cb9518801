"""Commands that wait, over several nodes: wherever the client is and whatever becomes of the node that leads
the slot, who waits gets a value that comes, in turn, and each value goes to one client."""

import collections
import itertools
import select
import threading
import time

import pytest

from differential import Wire
from recovery import epoch, fast_arguments, lease_seconds, wait_recovered
from torc_cluster import Cluster, encode, key_for, parse_info, slot_of, wait_until


def clients_info(node):
    return parse_info(node.ask("INFO", "clients"))


def waiting(node):
    """Commands that wait at a node, its clients' and those of other nodes'."""
    return int(clients_info(node)["commands_waiting"])


def all_waiting(cluster):
    return sum(waiting(node) for node in cluster.running())


class Waiters:
    """Connections that wait. Each begins when those before it do wait."""

    def __init__(self, cluster):
        self.cluster = cluster
        self.raws = []

    def add(self, node, *words, direct=False):
        before = all_waiting(self.cluster)
        raw = node.raw(direct=direct)
        self.raws.append(raw)
        raw.send(encode(*words))
        wait_until(lambda: all_waiting(self.cluster) == before + 1, 5, f"{words} waits")
        return raw

    def close(self):
        for raw in self.raws:
            raw.socket.close()


@pytest.fixture
def waiters():
    made = []

    def make(cluster):
        made.append(Waiters(cluster))
        return made[-1]

    yield make
    for one in made:
        one.close()


@pytest.fixture(scope="module")
def quick():
    """Three nodes that notice faults soon."""
    with Cluster(3, fast_arguments(lease_ms=400)) as cluster:
        yield cluster


def led_by(cluster, node, prefix="wait"):
    table = cluster.primaries()
    return key_for(lambda slot: table[slot] is node, prefix)


def replied(raw):
    return bool(select.select([raw.socket], [], [], 0)[0])


def test_any_node_lets_wait(cluster, waiters):
    crowd = waiters(cluster)
    for owner in cluster.nodes:
        key = led_by(cluster, owner, f"any{owner.index}")
        raws = [crowd.add(node, "BLPOP", "{%s}none" % key, key, 0) for node in cluster.nodes]
        assert waiting(owner) == len(raws)
        assert [clients_info(node)["blocked_clients"] for node in cluster.nodes] == ["1"] * len(raws)
        # In the order in which they came, wherever they came from.
        for number, raw in enumerate(raws):
            assert cluster[number].ask("RPUSH", key, f"v{number}") == 1
            assert raw.reply() == [key.encode(), b"v%d" % number]
        assert cluster[0].ask("EXISTS", key) == 0
        assert all_waiting(cluster) == 0
        for node in cluster.nodes:
            wait_until(lambda: clients_info(node)["blocked_clients"] == "0", 5)


def test_several_at_once_and_each_kind(cluster, waiters):
    crowd = waiters(cluster)
    key = led_by(cluster, cluster[2])
    a, b = "{%s}a" % key, "{%s}b" % key
    first = crowd.add(cluster[0], "BLMOVE", a, b, "LEFT", "RIGHT", 0)
    second = crowd.add(cluster[1], "BRPOP", b, 0)
    third = crowd.add(cluster[0], "BRPOPLPUSH", a, b, 0)
    fourth = crowd.add(cluster[2], "BLMPOP", 0, 2, a, b, "LEFT", "COUNT", 9)
    assert cluster[1].ask("RPUSH", a, 1, 2, 3, 4) == 4
    assert first.reply() == b"1"
    assert third.reply() == b"4"
    assert fourth.reply() == [a.encode(), [b"2", b"3"]]
    assert second.reply() == [b.encode(), b"1"]
    assert cluster[0].ask("LRANGE", b, 0, -1) == [b"4"]
    least = crowd.add(cluster[0], "BZPOPMIN", key, 0)
    most = crowd.add(cluster[1], "BZPOPMAX", key, 0)
    rest = crowd.add(cluster[2], "BZMPOP", 0, 1, key, "MIN", "COUNT", 2)
    assert cluster[1].ask("ZADD", key, 1, "x", 2, "y", 3, "z", 4, "u") == 4
    assert least.reply() == [key.encode(), b"x", b"1"]
    assert most.reply() == [key.encode(), b"u", b"4"]
    assert rest.reply() == [key.encode(), [[b"y", b"2"], [b"z", b"3"]]]


def test_time_is_over(cluster):
    for node in cluster.nodes:
        key = led_by(cluster, cluster[1], "time")
        started = time.monotonic()
        assert node.ask("BLPOP", key, "0.15") is None
        assert time.monotonic() - started >= 0.15
        with Wire(node.port) as wire:
            wire.command("HELLO", 3)
            assert wire.command("BLMOVE", key, key, "LEFT", "LEFT", "0.01") == b"_"
        assert "not a float" in str(node.ask("BLPOP", key, "x"))
        assert "negative" in str(node.ask("BLPOP", key, -1))
        assert "out of range" in str(node.ask("BLPOP", key, "1e17"))
        assert str(node.ask("BLPOP", "{a}", "{b}", 0)).startswith("CROSSSLOT")
        assert node.ask("SET", key, "string") == b"OK"
        assert str(node.ask("BLPOP", key, 0)).startswith("WRONGTYPE")
        assert node.ask("DEL", key) == 1
    assert all_waiting(cluster) == 0


def test_nothing_behind_it_is_executed(cluster):
    """Also not where the same connection asks for it in the same breath, in pieces or inline."""
    for node in cluster.nodes:
        key = led_by(cluster, cluster[0], "behind")
        with node.raw() as raw:
            raw.send(encode("BLPOP", key, 0) + encode("SET", "{%s}x" % key, "early") +
                     b'SET {%s}y "a b"\r\n' % key.encode() + encode("ECHO", "x" * 100)[:40])
            wait_until(lambda: all_waiting(cluster) == 1, 5)
            raw.send(encode("ECHO", "x" * 100)[40:] + encode("BLPOP", key, 0) + encode("PING"))
            assert node.ask("EXISTS", "{%s}x" % key, "{%s}y" % key) == 0
            assert node.ask("RPUSH", key, 1) == 1
            assert [raw.reply() for _ in range(4)] == [[key.encode(), b"1"], b"OK", b"OK", b"x" * 100]
            wait_until(lambda: all_waiting(cluster) == 1, 5)
            assert node.ask("GET", "{%s}y" % key) == b"a b"
            assert node.ask("RPUSH", key, 2) == 1
            assert [raw.reply() for _ in range(2)] == [[key.encode(), b"2"], b"PONG"]
        node.ask("DEL", "{%s}x" % key, "{%s}y" % key)


def test_who_is_gone_takes_nothing(cluster, waiters):
    key = led_by(cluster, cluster[1], "gone")
    for node in cluster.nodes:
        crowd = waiters(cluster)
        closed, killed = (crowd.add(node, "BLPOP", key, 0) for _ in range(2))
        closed.socket.close()
        wait_until(lambda: waiting(cluster[1]) == 1, 5, "the owner knows that one is gone")
        name = "%s:%d" % killed.socket.getsockname()[:2]
        assert node.ask("CLIENT", "KILL", "ADDR", name) == 1
        wait_until(lambda: waiting(cluster[1]) == 0, 5, "the owner knows that both are gone")
        assert node.ask("RPUSH", key, "kept") == 1
        assert node.ask("LPOP", key) == b"kept"


def test_client_unblock(cluster, waiters):
    key = led_by(cluster, cluster[1], "unblock")
    for node in cluster.nodes:
        crowd = waiters(cluster)
        with node.raw() as raw:
            number = raw.command("CLIENT", "ID")
            assert node.ask("CLIENT", "UNBLOCK", number) == 0
            for how, expected in ([], "None"), (["TIMEOUT"], "None"), (["ERROR"], "UNBLOCKED client"):
                raw.send(encode("BLPOP", key, 0))
                wait_until(lambda: waiting(cluster[1]) == 1, 5)
                other = crowd.add(node, "BLPOP", key, 0)
                line = next(line for line in node.ask("CLIENT", "LIST").decode().splitlines()
                            if line.startswith(f"id={number} "))
                assert " flags=b " in line
                assert node.ask("CLIENT", "UNBLOCK", number, *how) == 1
                assert str(raw.reply()).startswith(expected)
                assert node.ask("CLIENT", "UNBLOCK", number, *how) == 0
                assert node.ask("RPUSH", key, "v") == 1
                assert other.reply() == [key.encode(), b"v"]


class Consumer(threading.Thread):
    """Takes items from a list until it is told to stop; keeps what it got."""

    def __init__(self, node, key):
        super().__init__(daemon=True)
        self.raw = node.raw(limit=15)
        self.key = key
        self.items = []
        self.error = None

    def run(self):
        try:
            while True:
                reply = self.raw.command("BLPOP", self.key, 0)
                if isinstance(reply, Exception):
                    raise reply
                if reply[1] == b"stop":
                    return
                self.items.append(reply[1])
        except Exception as error:  # whatever it is, the test is to show it
            self.error = error


def test_killed_while_they_wait(quick):
    """Each item that was pushed is taken once, though the node that leads the list is killed and comes
    back, and comes to lead it again."""
    cluster = quick
    victim = cluster[2]
    key = led_by(cluster, victim)
    consumers = [Consumer(cluster[index % 2], key) for index in range(4)]
    for consumer in consumers:
        consumer.start()
    pushed = []
    numbers = itertools.count()

    def push(count):
        """One after the other, by a node that stays."""
        with cluster[0].raw(limit=15) as raw:
            for number in itertools.islice(numbers, count):
                reply = raw.command("RPUSH", key, number)
                assert isinstance(reply, int), reply
                pushed.append(b"%d" % number)

    def taken():
        errors = [consumer.error for consumer in consumers if consumer.error]
        assert not errors, errors
        return sum(len(consumer.items) for consumer in consumers)

    push(50)
    wait_recovered(cluster, [key])
    wait_until(lambda: taken() == 50, 10)
    before = epoch(cluster, cluster[0])
    pusher = threading.Thread(target=push, args=(400,), daemon=True)
    pusher.start()
    wait_until(lambda: taken() > 100, 10)
    victim.kill()
    pusher.join(30)
    assert len(pushed) == 450
    victim.start().wait_answers()
    wait_recovered(cluster, after=before)
    wait_until(lambda: cluster.primary(key) is victim and waiting(victim) == 4, 15,
               "it leads the list again, and they wait there")
    push(50)
    wait_until(lambda: taken() == 500, 10, "everything is taken")
    assert cluster[0].ask("RPUSH", key, *["stop"] * 4)
    for consumer in consumers:
        consumer.join(10)
    items = [item for consumer in consumers for item in consumer.items]
    assert collections.Counter(items) == collections.Counter(pushed)
    assert all(consumer.items for consumer in consumers)


def test_slots_move_while_they_wait(new_cluster, waiters):
    cluster = new_cluster(2, fast_arguments(), room=3)
    crowd = waiters(cluster)
    keys = [f"move:{number}" for number in range(24)]
    raws = {key: [crowd.add(cluster[number % 2], "BLPOP", key, 0), crowd.add(cluster[1], "BLPOP", key, 0)]
            for number, key in enumerate(keys)}
    before = cluster.primaries()
    direct = {key: crowd.add(before[slot_of(key)], "BLPOP", key, 0, direct=True) for key in keys}
    count = all_waiting(cluster)
    cluster.add()
    cluster.wait_formed(30)
    after = cluster.primaries()
    moved = [key for key in keys if after[slot_of(key)] is not before[slot_of(key)]]
    assert moved
    # The direct port redirects, or asks the new owner itself while that may not know yet that it is.
    wait_until(lambda: all_waiting(cluster) + sum(replied(direct[key]) for key in moved) == count, 10,
               "all that were not redirected wait at the new owners")
    for key in keys:
        owner = after[slot_of(key)]
        if key in moved and replied(direct[key]):
            assert str(direct[key].reply()) == f"MOVED {slot_of(key)} 127.0.0.1:{owner.direct_port}"
            direct[key] = crowd.add(owner, "BLPOP", key, 0, direct=True)
        assert cluster[2].ask("RPUSH", key, "a", "b", "c") == 3
        raws[key].append(direct[key])
        replies = [raw.reply() for raw in raws[key]]
        assert sorted(replies) == [[key.encode(), value] for value in (b"a", b"b", b"c")]
        if key not in moved:
            assert replies == sorted(replies), "in turn"


def test_handed_over_while_they_wait(quick, waiters):
    """Who has waited for longer stays before the others, to within what a request takes; and nobody's time
    begins anew."""
    cluster = quick
    crowd = waiters(cluster)
    key = led_by(cluster, cluster[1])
    wait_recovered(cluster)
    early = [crowd.add(node, "BLPOP", key, timeout) for node, timeout in zip(cluster.nodes, (0, 100, 0))]
    moment = time.monotonic() + lease_seconds(cluster)
    wait_until(lambda: time.monotonic() > moment, 5)
    late = [crowd.add(node, "BLPOP", key, timeout) for node, timeout in zip(cluster.nodes, (100, 0, 0))]
    short = crowd.add(cluster[0], "BLPOP", key, 1)
    before = epoch(cluster, cluster[0])
    assert cluster[2].ask("CLUSTER", "FAILOVER") == b"OK"
    wait_until(lambda: epoch(cluster, cluster[0]) > before, 15, "a view has come of it")
    if cluster.primary(key) is cluster[1]:  # the third node held no copy of it
        assert cluster[0].ask("CLUSTER", "FAILOVER") == b"OK"
    wait_until(lambda: cluster.primary(key) is not cluster[1], 15, "another node leads it")
    wait_until(lambda: waiting(cluster.primary(key)) == 7 - replied(short), 10, "they wait there")
    assert short.reply() is None
    assert cluster[0].ask("RPUSH", key, *range(6)) == 6
    got = [[int(raw.reply()[1]) for raw in raws] for raws in (early, late)]
    assert [sorted(numbers) for numbers in got] == [[0, 1, 2], [3, 4, 5]]
