"""Writes that a node forwards are made once, and answered, whatever becomes of the node that leads their
slot: clients of the other nodes see a pause and no error, every acknowledged INCR counts once, and every
item is in its list once and in its place."""

import collections
import itertools
import threading
import time

import pytest

from recovery import epoch, fast_arguments, lease_seconds, wait_recovered
from torc_cluster import PATIENCE, encode, key_for, parse_nodes, slot_of, wait_until

VICTIM = 2
AT = (0, 1)           # whose clients write
DEPTH = 16            # requests of each client that are not answered yet
LIMIT = 15            # seconds a client waits for a reply
ROUNDS = 3


class Writer(threading.Thread):
    """Keeps DEPTH requests under way on one connection: SET, INCR of a counter that all writers share,
    RPUSH to a list of its own and to one that all share. The first error, whatever it is, ends it."""

    def __init__(self, node, name, keys):
        super().__init__(name=name, daemon=True)
        self.raw = node.raw(limit=LIMIT)
        self.keys = keys
        self.stopping = threading.Event()
        self.error = None
        self.items = []         # acknowledged, in order
        self.counted = []       # replies to INCR
        self.lengths = collections.defaultdict(list)  # list -> replies to RPUSH
        self.last_set = None
        self.acknowledged_at = 0
        self.longest_pause = 0

    def requests(self):
        for number in itertools.count():
            item = f"{self.name}.{number}"
            yield "SET", self.keys["set"] + self.name, item
            yield "INCR", self.keys["counter"]
            yield "RPUSH", self.keys["list"] + self.name, item
            yield "RPUSH", self.keys["shared"], item

    def run(self):
        under_way = collections.deque()
        requests = self.requests()
        try:
            while under_way or not self.stopping.is_set():
                begun = []
                while len(under_way) < DEPTH and not self.stopping.is_set():
                    under_way.append(next(requests))
                    begun.append(encode(*under_way[-1]))
                self.raw.send(b"".join(begun))
                for _ in range(min(len(under_way), DEPTH // 2)):
                    self.note(under_way.popleft(), self.raw.reply())
        except Exception as error:  # an error of the connection is one as well
            self.error = self.error or error
        finally:
            self.raw.socket.close()

    def note(self, request, reply):
        if isinstance(reply, Exception):
            raise reply
        now = time.monotonic()
        if self.acknowledged_at:
            self.longest_pause = max(self.longest_pause, now - self.acknowledged_at)
        self.acknowledged_at = now
        verb, key = request[:2]
        if verb == "SET":
            assert reply == b"OK", reply
            self.last_set = request[2]
        elif verb == "INCR":
            self.counted.append(reply)
        else:
            self.lengths[key].append(reply)
            if key == self.keys["shared"]:
                self.items.append(request[2])

    def stop(self):
        self.stopping.set()
        self.join(2 * LIMIT * PATIENCE)
        assert not self.is_alive(), f"{self.name} hangs"


class Load:
    """Writers at the client ports of the nodes AT, on keys that the victim leads."""

    def __init__(self, cluster):
        self.cluster = cluster
        table = cluster.primaries()
        led = [key_for(lambda slot: table[slot] is cluster[VICTIM], f"once:{number}")
               for number in range(4)]
        # Tags keep what belongs together in one slot; what each writer has for itself is beside it.
        self.keys = {"set": "{%s}set:" % led[0], "counter": led[1], "list": "{%s}list:" % led[2],
                     "shared": led[3]}
        self.slots = {slot_of(key) for key in led}
        self.writers = [Writer(cluster[index], f"w{index}{letter}", self.keys)
                        for index in AT for letter in "ab"]
        for writer in self.writers:
            writer.start()

    def all_keys(self):
        return [self.keys["set"] + "x", self.keys["counter"], self.keys["list"] + "x",
                self.keys["shared"]]

    def wait_progress(self, count=200):
        """Until every writer has had so many more replies."""
        seen = [len(writer.items) for writer in self.writers]

        def progressed():
            self.no_errors()
            return all(len(writer.items) >= before + count // 4
                       for writer, before in zip(self.writers, seen))

        wait_until(progressed, LIMIT, "every writer gets replies")

    def no_errors(self):
        errors = [(writer.name, writer.error) for writer in self.writers if writer.error is not None]
        assert not errors, errors

    def leads(self, node):
        table = self.cluster.primaries(self.cluster[AT[0]])
        return all(table[slot] is node for slot in self.slots)

    def stop(self):
        for writer in self.writers:
            writer.stop()

    def check(self):
        """Reads everything back and compares it with what was acknowledged."""
        self.stop()
        self.no_errors()
        counted = sorted(reply for writer in self.writers for reply in writer.counted)
        assert counted == list(range(1, len(counted) + 1)), "each INCR is answered with its own number"
        for node in self.cluster.running():
            assert node.ask("GET", self.keys["counter"]) == b"%d" % len(counted)
            shared = self.items(node, self.keys["shared"])
            assert len(shared) == sum(len(writer.items) for writer in self.writers)
            lengths = [length for writer in self.writers
                       for length in writer.lengths[self.keys["shared"]]]
            assert sorted(lengths) == list(range(1, len(shared) + 1))
            for writer in self.writers:
                assert [item for item in shared if item.split(".")[0] == writer.name] == writer.items
                own = self.keys["list"] + writer.name
                assert self.items(node, own) == self.sent(writer, own)
                assert writer.lengths[own] == list(range(1, len(writer.lengths[own]) + 1))
                assert node.ask("GET", self.keys["set"] + writer.name).decode() == writer.last_set

    @staticmethod
    def sent(writer, key):
        return [f"{writer.name}.{number}" for number in range(len(writer.lengths[key]))]

    @staticmethod
    def items(node, key):
        return [item.decode() for item in node.ask("LRANGE", key, 0, -1)]


@pytest.fixture
def loaded(new_cluster):
    loads = []

    def make(arguments=()):
        cluster = new_cluster(3, [*fast_arguments(lease_ms=500), *arguments])
        loads.append(Load(cluster))
        loads[-1].wait_progress()
        wait_recovered(cluster, loads[-1].all_keys())
        return cluster, loads[-1]

    yield make
    for load in loads:
        load.stop()


def test_killed_again_and_again(loaded):
    cluster, load = loaded()
    victim = cluster[VICTIM]
    for number in range(ROUNDS):
        assert load.leads(victim)
        before = epoch(cluster, cluster[AT[0]])
        victim.kill()
        load.wait_progress()
        if number == ROUNDS - 1:
            break
        victim.start().wait_answers()
        wait_recovered(cluster, after=before)
        wait_until(lambda: load.leads(victim), 15, "it leads its slots again")
        load.wait_progress()
    load.check()
    assert any(writer.longest_pause > lease_seconds(cluster) / 4 for writer in load.writers)


def test_stopped_for_longer_than_a_lease(loaded):
    """What the node has not read yet when it is stopped it must not make when it wakes up, for others
    have made it meanwhile."""
    cluster, load = loaded()
    victim = cluster[VICTIM]
    for _ in range(ROUNDS):
        assert load.leads(victim)
        before = epoch(cluster, cluster[AT[0]])
        victim.pause()
        try:
            wait_until(lambda: epoch(cluster, cluster[AT[0]]) > before, 15, "it is taken for down")
            load.wait_progress()
        finally:
            victim.resume()
        wait_recovered(cluster, after=before)
        wait_until(lambda: load.leads(victim), 15, "it leads its slots again")
        load.wait_progress()
    load.check()


def test_stopped_for_less_than_a_lease(loaded):
    cluster, load = loaded()
    victim = cluster[VICTIM]
    before = epoch(cluster, victim)
    for number in range(10):
        victim.pause()
        try:
            moment = time.monotonic() + lease_seconds(cluster) * (0.02 + 0.01 * number)
            wait_until(lambda: time.monotonic() > moment, 5)
        finally:
            victim.resume()
        load.wait_progress(40)
    assert epoch(cluster, victim) == before, "nobody noticed"
    load.check()



def test_failover(loaded):
    """Each node in turn is made to lead what it holds a copy of."""
    cluster, load = loaded()
    for index in (0, VICTIM, 1, VICTIM):
        node = cluster[index]
        before = epoch(cluster, node)
        assert node.ask("CLUSTER", "FAILOVER") == b"OK"
        wait_until(lambda: epoch(cluster, node) > before, 15, "a view has come of it")
        wait_recovered(cluster, load.all_keys())
        load.wait_progress()
    load.check()


def test_told_to_stop(loaded):
    cluster, load = loaded()
    victim = cluster[VICTIM]
    for _ in range(2):
        assert load.leads(victim)
        before = epoch(cluster, cluster[AT[0]])
        assert victim.terminate(10) == 0
        load.wait_progress()
        victim.start().wait_answers()
        wait_recovered(cluster, after=before)
        wait_until(lambda: load.leads(victim), 15, "it leads its slots again")
        load.wait_progress()
    load.check()
