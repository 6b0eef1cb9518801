"""A change of the ring goes on whoever is killed in it: the node that a slot leaves, the one that it goes to,
a voter, the tool that asked for it; and nothing that was acknowledged is lost.

Each round begins a change under load, kills one of these at a random moment of it, starts it again soon or
late, and waits for the change to end by itself. TORC_TEST_SEED repeats the choices, not their timing.
"""

import os
import random
import threading
import time

import pytest

from history import History, endpoints
from recovery import epoch, fast_arguments, lease_seconds, wait_recovered
from ring_tool import WELL, address, begin, end, run
from torc_cluster import wait_until

SEED = int(os.environ.get("TORC_TEST_SEED", random.SystemRandom().randrange(10**6)))
SERVED_SECONDS = 15
CHANGE_SECONDS = 2.0  # for which a change goes on, about
FILLER = {f"filler:{number}": "x" * 1000 for number in range(4000)}
WEIGHTS = (0.5, 1, 1.5, 2)


class Changes:
    """Changes of the weight of one node after the other, and who dies in them."""

    def __init__(self, cluster, history, copies, seed):
        self.cluster = cluster
        self.history = history
        self.rng = random.Random(seed)
        self.weights = [1.0] * len(cluster.nodes)
        self.copies = copies
        self.struck = 0  # rounds in which the change was under way until somebody was killed
        self.lease = lease_seconds(cluster)

    def set_rate(self, seconds):
        """So that a change goes on for about so long, however fast the machine is."""
        node_bytes = sum(map(len, FILLER.values())) * self.copies / len(self.cluster.nodes)
        rate = node_bytes / len(self.cluster.nodes) / seconds if seconds else 0
        for node in self.cluster.running():
            node.client().config_set("migration-rate", int(rate))

    def begin(self):
        """Another weight for some node; returns the tool, which watches, and the node."""
        node = self.rng.choice(self.cluster.nodes)
        weight = self.rng.choice([weight for weight in WEIGHTS if weight != self.weights[node.index]])
        grows = weight > self.weights[node.index]
        self.weights[node.index] = weight
        tool = begin(self.cluster, "weight", address(node), weight, "--yes", "--watch")
        wait_until(lambda: tool.poll() is not None or self.is_changing(), 10, "the change has begun")
        return tool, node, grows

    def is_changing(self):
        return any(self.cluster.info(node)["cluster_ring_changing"] == "1"
                   for node in self.cluster.running())

    def victim(self, kind, node, grows):
        others = [other for other in self.cluster.nodes if other is not node]
        if kind == "voter":
            return self.rng.choice(self.cluster.nodes)  # each of few nodes is one
        return node if (kind == "target") == grows else self.rng.choice(others)

    def strike(self, kind, tool, node, grows):
        threading.Event().wait(0.7 * CHANGE_SECONDS * self.rng.random())
        self.struck += self.is_changing()
        if kind == "tool":
            tool.kill()
            return
        victim = self.victim(kind, node, grows)
        victim.kill()
        threading.Event().wait(self.lease * self.rng.uniform(0, 3))
        victim.start().wait_answers()

    def round(self, kind):
        before = max(epoch(self.cluster, node) for node in self.cluster.nodes)
        self.set_rate(CHANGE_SECONDS)
        tool, node, grows = self.begin()
        try:
            self.strike(kind, tool, node, grows)
            self.set_rate(None)  # what is left to do at full speed
            keys = [record.key for record in self.history.records]
            wait_recovered(self.cluster, keys + list(FILLER)[::40], after=before, limit=60)
            self.history.wait_progress(SERVED_SECONDS)
        finally:
            tool.kill()
            end(tool)

    def run(self, rounds):
        for number in range(rounds):
            kind = ("source", "target", "voter", "tool")[number % 4]
            started = time.monotonic()
            try:
                self.round(kind)
            except AssertionError as error:
                raise AssertionError(f"round {number + 1}, the {kind} was killed, "
                                     f"TORC_TEST_SEED={SEED}: {error}") from error
            print(f"round {number + 1}: {kind}, {time.monotonic() - started:.1f} s, seed {SEED}")


@pytest.mark.parametrize("nodes, copies, rounds", [(3, 2, 12), (4, 3, 8)])
def test_whoever_is_killed_the_change_goes_on(new_cluster, nodes, copies, rounds):
    cluster = new_cluster(nodes, fast_arguments(copies=copies))
    cluster[0].client().mset(FILLER)
    history = History(endpoints(cluster), SEED)
    with history:
        history.wait_progress()
        wait_recovered(cluster, [record.key for record in history.records])
        changes = Changes(cluster, history, copies, f"{SEED}/{nodes}/{copies}")
        changes.run(rounds)
        assert changes.struck >= rounds / 3, f"{changes.struck} of {rounds} changes were still under way"
        code, out, err = run(cluster, "check")
        assert code == WELL, (out, err)
    wait_recovered(cluster)
    history.check()
    assert cluster[0].client().mget(FILLER) == [value.encode() for value in FILLER.values()]
    print(f"{changes.struck} of {rounds} changes hit, {history.outcomes()}")
