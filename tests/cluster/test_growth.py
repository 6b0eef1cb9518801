"""A cluster grows from one node to five and shrinks to two, under load: no client sees an error, nothing
that was written is lost or doubled, and what expires does so when it was told to."""

import random
import threading
import time

from redis.cluster import ClusterNode, RedisCluster

from history import History, endpoints
from recovery import fast_arguments, wait_recovered
from ring_tool import address, well
from torc_cluster import PATIENCE, Cluster, wait_until

SEED = 20
STILL = {f"still:{number}": b"%d:" % number + b"x" * (number * 7 % 900) for number in range(3000)}
AWARE_KEYS = 200
FAR_MS = 3_600_000  # when every third key of STILL expires, from the start, and later


class AwareClient(threading.Thread):
    """A cluster-aware client that reads what it has written. It has to follow the slots by itself."""

    def __init__(self, node):
        super().__init__(name="aware client", daemon=True)
        self.client = RedisCluster(startup_nodes=[ClusterNode("127.0.0.1", node.direct_port)],
                                   socket_timeout=10 * PATIENCE)
        self.rng = random.Random(SEED)
        self.stopping = threading.Event()
        self.kept = {}
        self.failure = None
        self.turns = 0

    def run(self):
        try:
            while not self.stopping.is_set():
                for number in self.rng.sample(range(AWARE_KEYS), AWARE_KEYS):
                    self.step(f"aware:{number}")
                    self.stopping.wait(0.001)
                self.turns += 1
        except Exception as error:
            self.failure = repr(error)
            raise

    def step(self, key):
        number = self.kept.get(key, 0)
        seen = int(self.client.get(key) or 0)
        assert seen == number, f"{key} is {seen}, not {number}"
        self.kept[key] = self.client.incr(key)
        assert self.kept[key] == number + 1, f"{key} became {self.kept[key]} from {number}"

    def expect_turn(self):
        """Waits until it has used each of its keys, and so knows where the slots are now."""
        before = self.turns
        wait_until(lambda: self.failure or self.turns > before + 1, 30, "the aware client goes on")
        assert self.failure is None, self.failure

    def stop(self):
        self.stopping.set()
        self.join(60 * PATIENCE)
        assert not self.is_alive() and self.failure is None, self.failure


def expiry_of(started_ms, number):
    return started_ms + FAR_MS + number if number % 3 == 0 else None


def fill(node, started_ms):
    pipeline = node.client().pipeline(transaction=False)
    for number, (key, value) in enumerate(STILL.items()):
        pipeline.set(key, value, pxat=expiry_of(started_ms, number))
    pipeline.execute()


def expect_still(node, started_ms):
    pipeline = node.client().pipeline(transaction=False)
    pipeline.mget(STILL)
    for key in STILL:
        pipeline.execute_command("PEXPIRETIME", key)
    values, *expiries = pipeline.execute()
    assert values == list(STILL.values())
    wanted = [expiry_of(started_ms, number) or -1 for number in range(len(STILL))]
    assert expiries == wanted


def all_keys(history, aware):
    """Everything that was written and has not been retired; writes of unknown outcome there are none."""
    return [record.key for record in history.records if record.floor > 0] + [*aware.kept, *STILL]


def test_one_three_five_two(new_cluster):
    cluster = new_cluster(1, fast_arguments(), room=5)
    started_ms = int(time.time() * 1000)
    fill(cluster[0], started_ms)
    history = History(endpoints(cluster), SEED, stay=True, writers=3)
    aware = AwareClient(cluster[0])
    aware.start()
    with history:
        history.wait_progress()
        for size in (3, 5):
            while len(cluster.nodes) < size:
                cluster.add()
            wait_recovered(cluster, list(STILL)[:100])
            assert len({node.index for node in cluster.primaries().values()}) == size
            history.wait_progress()
            aware.expect_turn()
        for node in cluster.nodes[4:1:-1]:
            well(cluster, "drain", address(node), "--yes", "--watch")
            history.wait_progress()
            aware.expect_turn()  # before it stops: redis-py 4.3 does not get over a node that is gone
            node.expected_to_end = True
            well(cluster, "remove", address(node), "--yes", "--watch")
            wait_until(lambda node=node: not node.alive(), 20, "a removed node stops")
        wait_recovered(cluster, list(STILL))
    aware.stop()
    history.check()
    assert history.errors == []
    keys = all_keys(history, aware)
    for node in cluster.running():
        expect_still(node, started_ms)
        assert node.client().dbsize() == len(keys)
        assert sorted(key.decode() for key in node.client().scan_iter(count=1000)) == sorted(keys)
    wait_recovered(cluster, keys)
