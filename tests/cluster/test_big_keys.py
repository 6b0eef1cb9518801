"""Values of megabytes, and a slot of many keys, move to another node while they are changed."""

import random
import threading

from recovery import fast_arguments
from torc_cluster import PATIENCE, Cluster, wait_until

SEED = 5
FIELDS = 20_000
TAGGED = 20_000  # keys of one slot


class Change(threading.Thread):
    """Changes each value in each way that a refill tells of, and remembers what they have to be."""

    def __init__(self, node):
        super().__init__(daemon=True)
        self.client = node.client(decode_responses=True)
        self.rng = random.Random(SEED)
        self.stopping = threading.Event()
        self.rounds = 0
        self.error = None
        self.hash = {f"field:{i}": f"value {i} " + "x" * 30 for i in range(FIELDS)}
        self.set = {f"member:{i}:" + "y" * 20 for i in range(FIELDS)}
        self.list = [f"{i} " + "z" * (i % 60) for i in range(FIELDS)]
        self.text = "t" * 2_000_000
        self.tagged = {f"{{tag}}{i}": str(i) for i in range(TAGGED)}

    def fill(self):
        self.client.hset("hash", mapping=self.hash)
        self.client.sadd("set", *self.set)
        self.client.rpush("list", *self.list)
        self.client.set("text", self.text, px=3_600_000)
        self.client.mset(self.tagged)

    def run(self):
        try:
            while not self.stopping.is_set():
                self.round(self.rounds)
                self.rounds += 1
        except Exception as error:  # also that is what the test is about
            self.error = error

    def round(self, number):
        field = f"field:{self.rng.randrange(FIELDS)}"
        self.client.hset("hash", field, number)
        self.hash[field] = str(number)
        self.client.hincrby("hash", "counter", 3)
        self.hash["counter"] = str(int(self.hash.get("counter", 0)) + 3)
        self.client.sadd("set", f"new:{number}")
        self.set.add(f"new:{number}")
        member = f"member:{self.rng.randrange(FIELDS)}:" + "y" * 20
        self.client.srem("set", member)
        self.set.discard(member)
        self.client.lpush("list", f"left {number}")
        self.list.insert(0, f"left {number}")
        self.client.rpush("list", f"right {number}")
        self.list.append(f"right {number}")
        assert self.client.lpop("list") == self.list.pop(0)
        place = self.rng.randrange(len(self.list))
        self.client.lset("list", place, f"set {number}")
        self.list[place] = f"set {number}"
        self.client.append("text", f"+{number}")
        self.text += f"+{number}"
        key = f"{{tag}}{self.rng.randrange(TAGGED)}"
        self.client.set(key, f"changed {number}")
        self.tagged[key] = f"changed {number}"

    def stop(self):
        self.stopping.set()
        self.join(60 * PATIENCE)
        assert not self.is_alive() and self.error is None, self.error

    def check(self, node):
        client = node.client(decode_responses=True)
        assert client.hgetall("hash") == self.hash
        assert client.smembers("set") == self.set
        assert client.lrange("list", 0, -1) == self.list
        assert client.get("text") == self.text
        assert 3_000_000 < client.pttl("text") <= 3_600_000
        names = sorted(self.tagged)
        assert client.mget(names) == [self.tagged[name] for name in names]


def has_moved(cluster):
    info = cluster.info(cluster[0])
    return (info["cluster_ring_changing"] == "0" and
            info["cluster_known_nodes"] == str(len(cluster.running())))


def test_big_values_move_while_they_are_changed():
    with Cluster(1, fast_arguments(copies=1), room=3) as cluster:
        change = Change(cluster[0])
        change.fill()
        change.start()
        wait_until(lambda: change.rounds > 20, what="values are changed")
        for _ in range(2):
            cluster.add()
            wait_until(lambda: has_moved(cluster), limit=40, what="the slots have moved")
            before = change.rounds
            wait_until(lambda: change.rounds > before + 20, what="values are changed")
        change.stop()
        for node in cluster.running():
            change.check(node)
        sent = sum(int(node.client().info("migration")["migration_bytes_sent"])
                   for node in cluster.running())
        assert sent > 1_000_000
