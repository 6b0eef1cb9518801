"""Comparing copies while there are writes, by TORC.CHECK and by torc-ring check; and a replica that was
damaged."""

import json
import random
import subprocess
import threading

import pytest
import redis

from ring_tool import RING
from torc_cluster import PATIENCE, SLOT_COUNT, slot_of, wait_until


def status(node):
    flat = node.ask("TORC.CHECK", "STATUS")
    return {name.decode(): value for name, value in zip(flat[::2], flat[1::2])}


def ring_check(node, *options):
    """torc-ring check: its exit code and what it prints."""
    done = subprocess.run([RING, "-s", f"127.0.0.1:{node.port}", "check",
                           *options], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, text=True, timeout=60 * PATIENCE, check=False)
    assert done.stderr == ""
    return done.returncode, done.stdout


class Checked:
    """One run of every node, once all is compared that they sent."""

    def __init__(self, cluster):
        runs = {node: node.ask("TORC.CHECK", "START") for node in cluster.running()}
        runs = {node: run for node, run in runs.items() if "has not joined" not in str(run)}
        assert all(isinstance(run, int) for run in runs.values()), runs
        nodes = list(runs)
        wait_until(lambda: not any(status(node)["running"] for node in nodes), 20, "checks end")
        ended = {node: status(node) for node in nodes}
        assert {node: ended[node]["run"] for node in nodes} == runs
        ids = {node.ask("CLUSTER", "MYID"): node for node in nodes}
        self.slots = sum(each["slots-checked"] for each in ended.values())
        self.gone = sum(each["slots-gone"] for each in ended.values())
        assert self.slots + self.gone == sum(each["slots-to-check"] for each in ended.values())
        self.sent = sum(each["ranges-sent"] for each in ended.values())
        self.unsent = sum(each["ranges-unsent"] for each in ended.values())
        of_this_run = [counts for each in ended.values() for counts in each["received"]
                       if counts[1] == runs[ids[counts[0]]]]
        self.compared, self.passed, self.differing = (
            sum(counts[i] for counts in of_this_run) for i in (2, 3, 4))
        # (slot, the node that differs, the primary it differs from)
        self.found = [(slot, node, ids[primary]) for node in nodes
                      for slot, primary in ended[node]["differing"]]

    def clean(self):
        return (self.differing, self.found, self.passed, self.unsent, self.gone) == (0, [], 0, 0, 0)


@pytest.fixture
def copied(cluster):
    """The shared cluster, once every slot is on two nodes and nothing is being filled."""
    wait_until(lambda: Checked(cluster).unsent == 0, 20, "all copies are there")
    return cluster


def change_any(pipe, numbers):
    name = numbers.randrange(2000)
    pipe.set(f"text:{name}", numbers.random(), px=numbers.randrange(1, 300))
    pipe.incr(f"number:{name}")
    pipe.append(f"number:{name}", name % 10)
    pipe.delete(f"number:{numbers.randrange(2000)}")
    pipe.rpush(f"list:{name}", "x" * (name % 50), name)
    pipe.lpop(f"list:{numbers.randrange(2000)}")
    pipe.hset(f"hash:{name % 10}", numbers.randrange(1500), name)
    pipe.hdel(f"hash:{name % 10}", numbers.randrange(1500))


class Writer(threading.Thread):
    """Makes changes, of keys of every type, through one node, until it is told to stop."""

    def __init__(self, node, change=change_any):
        super().__init__()
        self.change = change
        self.client = node.client(single_connection_client=True)
        self.stopped = threading.Event()
        self.rounds = 0
        self.error = None

    def run(self):
        numbers = random.Random(7)
        try:
            while not self.stopped.is_set():
                pipe = self.client.pipeline(transaction=False)
                for _ in range(100):
                    self.change(pipe, numbers)
                pipe.execute(raise_on_error=False)
                self.rounds += 1
        except redis.RedisError as error:
            self.error = error

    def __enter__(self):
        self.start()
        wait_until(lambda: self.rounds > 0, what="something is written")
        return self

    def __exit__(self, *_):
        self.stopped.set()
        self.join()
        self.client.close()


def test_copies_are_equal_under_writes(copied):
    with Writer(copied[0]) as first, Writer(copied[1]) as second:
        begun = first.rounds, second.rounds
        for _ in range(3):
            checked = Checked(copied)
            assert checked.clean(), vars(checked)
            assert checked.slots == SLOT_COUNT
            assert checked.sent >= SLOT_COUNT
            assert checked.compared == checked.sent
        code, out = ring_check(copied[1])
        assert code == 0 and out.endswith("\nAll is well.\n"), out
        assert all(len(line) <= 80 for line in out.splitlines())
        assert first.rounds > begun[0] and second.rounds > begun[1], (first.error, second.error)


def test_a_slot_of_many_keys_is_compared_in_parts(copied):
    copied[0].client().mset({f"{{many}}:{i}": "x" * 100 for i in range(5000)})
    checked = Checked(copied)
    assert checked.clean()
    assert SLOT_COUNT + 10 <= checked.compared == checked.sent < SLOT_COUNT + 500


def change_big(pipe, numbers):
    """Changes what is in the big values, their ends included."""
    n = numbers.randrange(8000)
    pipe.hset("big:hash", f"field {n}", numbers.random())
    pipe.hdel("big:hash", f"field {numbers.randrange(8000)}")
    pipe.zincrby("big:zset", 1, f"member {n}")
    pipe.lpush("big:list", n)
    pipe.rpop("big:list")
    pipe.setrange("big:string", 100 * n, n)


def test_big_values_are_compared_in_parts_while_they_change(copied):
    client = copied[0].client()
    client.hset("big:hash", mapping={f"field {i}": "x" * 50 for i in range(8000)})
    client.zadd("big:zset", {f"member {i}": i for i in range(8000)})
    client.rpush("big:list", *(f"{i:050}" for i in range(8000)))
    client.set("big:string", "x" * 800_000)
    with Writer(copied[0], change_big) as writer:
        begun = writer.rounds
        for _ in range(3):
            checked = Checked(copied)
            assert checked.clean(), vars(checked)
            # Some 1.9 MB in parts of 16 KiB.
            assert SLOT_COUNT + 80 <= checked.compared == checked.sent
        assert writer.rounds > begun, writer.error
    client.delete("big:hash", "big:zset", "big:list", "big:string")


def test_a_damaged_replica_is_found(copied):
    names = [f"{{damage:{i}}}:{j}" for i in range(3) for j in range(1000)]
    client = copied[0].client()
    client.mset({name: "x" for name in names})
    damaged = names[1234]
    slot = slot_of(damaged)
    primary = copied.primary(damaged)
    refused = primary.ask("DEBUG", "DAMAGE", damaged)
    assert isinstance(refused, redis.ResponseError) and "does not hold a replica" in str(refused)
    replica = next(node for node in copied.nodes
                   if node.ask("DEBUG", "DAMAGE", damaged) == b"OK")
    again = replica.ask("DEBUG", "DAMAGE", damaged)
    assert isinstance(again, redis.ResponseError) and "no such key" in str(again)
    assert client.get(damaged) == b"x"

    checked = Checked(copied)
    assert checked.found == [(slot, replica, primary)]
    assert checked.differing == 1
    assert checked.compared == checked.sent
    line = f"slot {slot} is not what its primary {primary.ask('CLUSTER', 'MYID')[:8].decode()} has"
    assert replica.log().count(line) == 1
    ids = {node: node.ask("CLUSTER", "MYID").decode() for node in (primary, replica)}
    code, out = ring_check(copied[0])
    named = f"slot {slot}: the replica at {ids[replica][:8]} is not what {ids[primary][:8]} has"
    assert code == 1 and out.splitlines()[-1] == f"problem: {named}"
    code, out = ring_check(copied[0], "--json")
    seen = json.loads(out)
    assert code == 1 and not seen["well"] and seen["problems"] == [named]
    assert [(each["slot"], each["replica"]["id"], each["primary"]["id"])
            for each in seen["differing"]] == [(slot, ids[replica], ids[primary])]

    client.set(damaged, "y")  # now both have it
    seen = json.loads(ring_check(copied[0], "--json")[1])
    assert seen["well"] and seen["problems"] == seen["notes"] == seen["differing"] == []
    assert seen["slots_checked"] == SLOT_COUNT
    assert seen["ranges_compared"] == seen["ranges_sent"] >= SLOT_COUNT


def test_one_run_at_a_time(copied):
    with copied[0].raw() as raw:
        raw.send(b"TORC.CHECK START\r\nTORC.CHECK START\r\n")
        run = raw.reply()
        busy = raw.reply()
    assert isinstance(run, int)
    assert isinstance(busy, redis.ResponseError) and str(busy).startswith("BUSY"), busy
    assert str(run) in str(busy)
    wait_until(lambda: not status(copied[0])["running"], what="the check ends")
    assert Checked(copied).clean()


def test_a_node_that_is_not_there_is_a_problem(new_cluster):
    cluster = new_cluster(3, ["--lease-ms", 500])
    wait_until(lambda: ring_check(cluster[0])[0] == 0, 20, "all is well")
    cluster[2].kill()
    code, out = ring_check(cluster[0])
    assert code == 1
    assert f"(127.0.0.1:{cluster[2].port})" in out, out
    assert "is not what" not in out


def test_a_copy_is_compared_while_slots_move(new_cluster):
    """What is compared is equal, and in the end everything is."""
    cluster = new_cluster(2, room=3)
    cluster[0].client().mset({f"moving:{i}": "x" * 100 for i in range(5000)})
    with Writer(cluster[0]):
        cluster.add()
        while not cluster.formed():
            checked = Checked(cluster)
            assert (checked.differing, checked.found) == (0, []), vars(checked)
            code, out = ring_check(cluster[0])
            assert code == 0, out
        checked = wait_until(lambda: (lambda seen: seen.unsent == 0 and seen)(Checked(cluster)), 20,
                             "all copies are there")
        assert checked.clean() and checked.compared == checked.sent
