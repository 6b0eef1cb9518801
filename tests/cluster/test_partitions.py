"""The network fails between nodes that live: cut, one-way, lossy, slow, flapping.

Each node is in a network namespace of its own (netns.py; needs root) and has clients on its side of every
cut. A history (history.py) runs through each scenario: no acknowledged write is lost, and no client on
either side reads anything older than what was acknowledged anywhere before it asked.
"""

import random
import socket
import threading
import time

import pytest

from history import History, endpoints
from netns import NetCluster, Network
from recovery import epoch, fast_arguments, lease_seconds, wait_recovered
from torc_cluster import PATIENCE, encode, parse_nodes, slot_of, wait_until

SEED = 7
CLIENT_SECONDS = 0.7     # patience of a client: a node that is cut off may let it wait
SERVED_SECONDS = 15
FAILOVER_SECONDS = 8     # some clients come by the node that is cut off, and wait CLIENT_SECONDS there
SCHEDULING_SECONDS = 0.3  # between the moment a reply leaves and a busy test sees it


class Scene:
    """A cluster in a network, with clients on all its nodes."""

    def __init__(self, network, cluster, history):
        self.network = network
        self.cluster = cluster
        self.history = history
        self.lease = lease_seconds(cluster)

    def keys(self):
        return [record.key for record in self.history.records]

    def epochs(self):
        return [epoch(self.cluster, node) for node in self.cluster.nodes]

    def during(self, seconds, check=lambda: None):
        """Lets time go by, with a look every now and then."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            check()
            self.history.check_running()
            threading.Event().wait(0.1)

    def heal(self, after=0):
        """The network is well again: one view, every copy, every key takes writes."""
        self.network.heal()
        wait_recovered(self.cluster, self.keys(), after=after)
        self.history.wait_progress(SERVED_SECONDS)

    def check(self):
        self.history.stop()
        wait_recovered(self.cluster, self.keys())
        self.history.check()


@pytest.fixture
def scene():
    """Makes a scene: scene(lease_ms). Cannot make namespaces: the test fails, by an error that says so."""
    stack = []

    def make(lease_ms=500, client_seconds=CLIENT_SECONDS):
        network = Network(3, SEED)
        stack.append(network)
        network.__enter__()
        cluster = NetCluster(network, fast_arguments(lease_ms))
        cluster.__enter__()
        stack.append(cluster)
        history = History(endpoints(cluster, limit=client_seconds), SEED, readers_each=2)
        history.start()
        stack.append(history)
        history.wait_progress(SERVED_SECONDS)
        made = Scene(network, cluster, history)
        wait_recovered(cluster, made.keys())
        return made

    yield make
    while stack:
        stack.pop().__exit__(None, None, None)


def test_the_network_does_what_it_is_told():
    """What the scenarios below rely on: a cut, in one direction too, lets nothing pass; loss, doubling and
    overtaking are what was asked for."""
    with Network(2, SEED) as network:
        with network.namespaces[0]:
            sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        with network.namespaces[1]:
            receiver = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        with sender, receiver:
            receiver.bind((network.address(1), 7))
            sender.bind((network.address(0), 7))
            receiver.settimeout(5 * PATIENCE)

            def arrived(count=100):
                """The numbers that arrive of `count` that are sent one after the other. What is sent
                after them, without faults, comes last."""
                for number in range(count):
                    sender.sendto(b"%d" % number, (network.address(1), 7))
                threading.Event().wait(0.1)  # the slowest packet below takes 40 ms
                network.heal()
                sender.sendto(b"last", (network.address(1), 7))
                return [int(data) for data in iter(lambda: receiver.recv(100), b"last")]

            assert arrived() == list(range(100))
            network.everywhere(loss=0.5)
            assert 25 < len(arrived()) < 75
            network.cut([0], [1], both=False)
            assert arrived() == []
            network.cut([1], [0], both=False)
            assert arrived() == list(range(100))
            network.everywhere(double=0.5, delay_ms=20, jitter_ms=20)
            numbers = arrived()
            assert len(numbers) > 120 and set(numbers) == set(range(100))
            assert numbers != sorted(numbers)


def isolated(scene, victim, cut):
    """Cuts a node off by cut() and waits until the others serve everything; then heals and checks."""
    name = scene.history.where[victim].name
    before = max(scene.epochs())
    cut()
    began = time.monotonic()
    ended = began + scene.lease + SCHEDULING_SECONDS * PATIENCE
    stalled = None
    try:
        scene.history.wait_progress(FAILOVER_SECONDS, "the majority serves every key")
    except AssertionError as error:
        stalled = error
    scene.during(began + 4 * scene.lease - time.monotonic())
    last = scene.history.answered[name]
    asked = [error for error in scene.history.errors_since(ended) if error[1] == name]
    scene.heal(after=0 if stalled else before)
    scene.check()
    assert last <= ended, f"answered {last - began:.2f} s after the cut, the lease is {scene.lease} s"
    assert asked, "nobody has asked the node that was cut off after its lease"
    if stalled is not None:
        raise stalled


@pytest.mark.parametrize("victim", [0, 2], ids=["founder", "another"])
def test_a_primary_cut_off_from_the_majority_stops_within_its_lease(scene, victim):
    """A node alone answers no read and no write once its lease is over, so that its clients see no
    past; the majority serves its slots; healed, it is back in one view and nothing is lost."""
    made = scene()
    isolated(made, victim, lambda: made.network.isolate(victim))


@pytest.mark.parametrize("direction, victim", [("mute", 1), ("deaf", 0)])
def test_a_node_that_only_sends_or_only_receives_is_replaced(scene, direction, victim):
    """A node that nobody hears, or that hears nobody, can hold no lease: the same holds as for one that is
    cut off in both directions."""
    made = scene()
    if direction == "mute":
        isolated(made, victim, lambda: made.network.isolate(victim, both=False))
    else:
        isolated(made, victim, lambda: made.network.deafen(victim))


def test_a_node_cut_off_and_then_killed_has_acknowledged_nothing_alone(scene):
    """What a primary acknowledged is elsewhere already when the reply leaves: cut off, it acknowledges no
    more, so that nothing is lost when it dies before anybody hears from it again. On one machine kill -9
    alone would not tell: the kernel still delivers what a dead process has sent."""
    made = scene()
    cluster, victim = made.cluster, made.cluster[1]
    primaries = cluster.primaries()
    led = [key for key in map("alone:{}".format, range(150)) if primaries[slot_of(key)] is victim]
    for key in led:
        assert cluster[0].ask("SET", key, "before") == b"OK"
    wait_recovered(cluster, [*made.keys(), *led])
    before = max(made.epochs())
    connections = [victim.raw(limit=5) for _ in led]
    made.network.isolate(1)
    for key, connection in zip(led, connections):
        connection.send(encode("SET", key, "alone"))
    made.during(0.7 * made.lease)
    victim.kill()
    acknowledged = [connection.rest() == b"+OK\r\n" for connection in connections]
    for connection in connections:
        connection.socket.close()
    made.during(0.5 * made.lease)
    made.network.heal()
    victim.start().wait_answers()
    made.heal(after=before)
    made.check()
    for key, known in zip(led, acknowledged):
        value = cluster[0].ask("GET", key)
        assert value == b"alone" or (value == b"before" and not known), f"{key}: {value}, {known}"


@pytest.mark.parametrize("pair", [(1, 2), (0, 1)], ids=["others", "founder"])
def test_two_nodes_cut_from_each_other_while_both_reach_the_third(scene, pair):
    """They cannot copy to each other. Nothing is lost and nobody reads the past; and since the third sees
    both, the view gets to say which of them goes on, so that every key takes writes again meanwhile, from
    whoever asks a node that can reach its primary: the third."""
    made = scene()
    made.network.cut([pair[0]], [pair[1]])
    third = made.cluster[({0, 1, 2} - set(pair)).pop()]
    stalled = {f"probe:{number}" for number in range(60)}

    def all_written():
        for key in sorted(stalled):
            third.ask("SET", key, "x")
            stalled.discard(key)
        return not stalled

    stuck = None
    try:
        wait_until(all_written, SERVED_SECONDS, "every key takes writes during the cut")
    except AssertionError as error:
        stuck = error
    made.heal()
    made.check()
    if stuck is not None:
        raise stuck


def no_node_is_removed(scene, seconds):
    """The view stays as it is for so long, under load that gets through."""
    before = scene.epochs()

    def as_before():
        with scene.cluster[0].raw() as raw:
            rows = parse_nodes(raw.command("CLUSTER", "NODES"))
            assert not any("fail" in row["flags"] for row in rows.values()), rows

    began = time.monotonic()
    scene.history.wait_progress(2 * seconds)
    scene.during(began + seconds - time.monotonic(), as_before)
    assert scene.epochs() == before, "the view has changed"
    scene.heal()
    assert scene.epochs() == before, "the view has changed"
    scene.check()


def test_random_loss_removes_no_healthy_node(scene):
    """A fifth of all packets vanish for 20 s: slow, and no node is declared down for it."""
    made = scene(lease_ms=2000, client_seconds=10)
    made.network.everywhere(loss=0.2)
    no_node_is_removed(made, 20)


def test_slow_and_disordered_packets_remove_no_healthy_node(scene):
    """Packets take 10 to 40 ms, overtake each other, arrive twice (5 %) or not at all (5 %)."""
    made = scene(lease_ms=2000, client_seconds=10)
    made.network.everywhere(loss=0.05, double=0.05, delay_ms=10, jitter_ms=30)
    no_node_is_removed(made, 6)


def test_a_flapping_link(scene):
    """A node comes and goes, for less and for more than a lease, at any moment of its own return. When it
    stays, all agree and nothing is lost."""
    made = scene()
    rng = random.Random(SEED)
    end = time.monotonic() + 6
    while time.monotonic() < end:
        made.network.isolate(2)
        made.during(made.lease * rng.uniform(0.2, 2.5))
        made.network.heal()
        made.during(made.lease * rng.uniform(0.1, 1))
    made.heal()
    made.check()


def test_a_cluster_in_pieces_comes_back(scene):
    """Every node alone: no majority, nobody serves once the leases are over. Healed, everything is served
    again without anybody's help."""
    made = scene()
    for place in range(3):
        made.network.isolate(place)
    began = time.monotonic()
    made.during(3 * made.lease)
    last = max(made.history.answered.values())
    made.heal()
    made.check()
    assert last <= began + made.lease + SCHEDULING_SECONDS * PATIENCE
