"""torc-ring changes the ring of real nodes: what it proposes, waits for, watches, refuses and survives."""

import collections
import json
import os
import pty
import subprocess

import pytest

from ring_tool import REFUSED, RING, UNCONFIRMED, USAGE, WELL, address, begin, end, run, well
from torc_cluster import Cluster, PATIENCE, slot_of, wait_until

KEYS = {f"key:{i}": f"{i:05d}" * 300 for i in range(800)}
SLOWLY, AT_ONCE = "20kb", "0"  # a change lasts for many seconds, or for a moment


@pytest.fixture(scope="module")
def cluster():
    """Three nodes that hold KEYS, and a fourth that waits for its share."""
    with Cluster(3, room=5) as made:
        made.add("--auto-rebalance", "no")
        made.wait_formed()
        pipeline = made[0].client().pipeline(transaction=False)
        pipeline.mset(KEYS)
        pipeline.execute()
        yield made


def status(cluster):
    return json.loads(run(cluster, "status", "--json")[1])


def weights(cluster):
    by_port = {node["port"]: node["weight"] for node in status(cluster)["nodes"]}
    return [by_port.get(node.port) for node in cluster.nodes]


def set_rate(cluster, rate):
    for node in cluster.running():
        node.client().config_set("migration-rate", rate)


def settle(cluster):
    set_rate(cluster, AT_ONCE)
    run(cluster, "watch")
    cluster.wait_formed()


def expect_keys(cluster):
    assert cluster[1].client().mget(KEYS) == [value.encode() for value in KEYS.values()]


def test_plan_changes_nothing(cluster):
    epoch = status(cluster)["epoch"]
    plan = json.loads(well(cluster, "plan", "add", address(cluster[3]), "--json"))
    assert plan["outcome"] == "planned" and plan["slots_unknown"] == 0
    assert sum(node["before"]["keys"] for node in plan["nodes"]) == 2 * len(KEYS)
    assert sum(node["after"]["slots"] for node in plan["nodes"]) == 16384
    joiner = next(node for node in plan["nodes"] if node["port"] == cluster[3].port)
    assert joiner["before"]["slots"] == 0 and 3500 < joiner["after"]["slots"] < 4500
    assert status(cluster)["epoch"] == epoch and weights(cluster) == [1, 1, 1, 0]


def test_nothing_is_changed_unasked(cluster):
    change = ("add", address(cluster[3]))
    code, out, err = run(cluster, *change)
    assert (code, out) == (USAGE, "") and "no terminal" in err and "--yes" in err
    code, out, err = run(cluster, *change, "--json")
    assert (code, out) == (USAGE, "") and "--json does not ask" in err

    def answer(text):
        master, slave = pty.openpty()
        os.write(master, text)
        try:
            done = subprocess.run([RING, "-s", address(cluster[0]), *change], stdin=slave,
                                  stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                                  timeout=20 * PATIENCE, check=False)
        finally:
            os.close(slave)
            os.close(master)
        assert "weight from 0 to 1" in done.stdout and "least possible" in done.stdout
        assert all(len(line) <= 80 for line in done.stdout.splitlines()), done.stdout
        return done.returncode, done.stderr
    code, err = answer(b"n\n")
    assert code == UNCONFIRMED and "[y/N]" in err and "nothing is changed" in err
    assert weights(cluster) == [1, 1, 1, 0]
    code, err = answer(b"y\n")
    assert code == WELL and "[y/N]" in err
    settle(cluster)
    assert weights(cluster) == [1, 1, 1, 1]
    expect_keys(cluster)


def test_what_is_so_already(cluster):
    assert "nothing to do" in well(cluster, "add", address(cluster[3]), "--yes")
    done = json.loads(well(cluster, "weight", address(cluster[3]), 1, "--yes", "--json"))
    assert done["nothing_to_do"] and done["outcome"] == "nothing to do"
    assert well(cluster, "watch") == "No ring change is under way.\n"
    assert json.loads(well(cluster, "watch", "--json"))["changing"] is False
    code, _, err = run(cluster, "cancel", "--yes")
    assert code == REFUSED and "no ring change is under way" in err
    code, _, err = run(cluster, "drain", "127.0.0.1:1", "--yes")
    assert code == USAGE and "no node of the ring listens at" in err


@pytest.fixture
def slow_cluster(cluster):
    """Slots move slowly in it; afterwards all that was begun is done."""
    set_rate(cluster, SLOWLY)
    yield cluster
    settle(cluster)


def test_a_change_goes_on_without_the_tool_and_is_the_only_one(slow_cluster):
    cluster = slow_cluster
    watcher = begin(cluster, "weight", address(cluster[0]), 2, "--yes", "--watch")
    for line in watcher.stdout:
        if "slots" in line and "%" in line:
            break
    watcher.kill()
    watcher.communicate(timeout=10)
    assert status(cluster)["changing"]
    for second in (("weight", address(cluster[1]), 2, "--yes"), ("plan", "drain", address(cluster[2]))):
        code, out, err = run(cluster, *second)
        assert (code, out) == (REFUSED, "") and "one at a time" in err
    settle(cluster)
    assert weights(cluster) == [2, 1, 1, 1]
    expect_keys(cluster)


def test_a_change_is_turned_back(slow_cluster):
    cluster = slow_cluster
    well(cluster, "weight", address(cluster[0]), 1, "--yes")
    follower = begin(cluster, "watch", "--json")
    assert json.loads(follower.stdout.readline())["changing"]
    turned = json.loads(well(cluster, "cancel", "--yes", "--json"))
    assert turned["outcome"] == "begun" and turned["slots_changing"] > 2000
    set_rate(cluster, AT_ONCE)
    code, out, _ = end(follower)
    last = json.loads(out.splitlines()[-1])
    assert code == REFUSED and last["turned_back"] and not last["changing"]
    settle(cluster)
    assert weights(cluster) == [2, 1, 1, 1]
    expect_keys(cluster)


def test_of_two_at_once_one_is_refused(slow_cluster):
    cluster = slow_cluster
    both = [begin(cluster, "weight", address(node), 1.5, "--yes") for node in cluster.nodes[:2]]
    codes, _, errors = zip(*map(end, both))
    assert sorted(codes) == [WELL, REFUSED], errors
    settle(cluster)
    assert weights(cluster) == ([1.5, 1, 1, 1] if codes[0] == WELL else [2, 1.5, 1, 1])
    expect_keys(cluster)
    out = well(cluster, "rebalance", "--by", "slots", "--yes", "--watch")
    assert "The change is done" in out or "The change is made" in out
    led = collections.Counter(cluster.primaries().values())
    assert all(abs(led[node] / 4096 - 1) < 0.03 for node in cluster.nodes), (led.values(), weights(cluster))


def test_bytes_are_evened_out(cluster):
    cluster.wait_formed()
    primaries = cluster.primaries()
    heavy = [key for key in KEYS if primaries[slot_of(key)] is cluster[0]]
    try:
        cluster[0].client().mset({key: "x" * 8000 for key in heavy})
        even = ("rebalance", "--by", "bytes", "--yes", "--json")
        first = json.loads(well(cluster, *even))
        assert first["imbalance_now"] > 0.2 and first["imbalance_best"] < first["imbalance_now"] / 2
        settle(cluster)
        assert weights(cluster)[0] < 1
        second = json.loads(well(cluster, *even))
        assert second["outcome"] == "nothing to do"
        assert second["imbalance_now"] == pytest.approx(first["imbalance_best"], abs=0.05)
    finally:
        cluster[0].client().mset(KEYS)


def test_drain_and_remove(cluster):
    well(cluster, "drain", address(cluster[3]), "--yes")
    settle(cluster)
    assert weights(cluster)[3] == 0
    expect_keys(cluster)
    id = cluster[2].ask("CLUSTER", "MYID").decode()
    cluster[2].expected_to_end = True
    well(cluster, "remove", id[:10], "--yes")
    wait_until(lambda: not cluster[2].alive(), 20, "the removed node stops")
    settle(cluster)
    assert weights(cluster)[2:] == [None, 0]
    assert cluster.info(cluster[0])["cluster_known_nodes"] == "3"
    expect_keys(cluster)
