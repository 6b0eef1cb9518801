#!/usr/bin/python3
"""How long a killed node's keys take no writes: ./dev bench failover [--runs N] [--lease-ms MS].

Three nodes. In each run one, chosen at random, is killed with kill -9 while clients write keys that it
leads, one connection for each key, through the client ports of the other two. A key's time counts from
the kill to the first acknowledged write that was sent after it. Then the node is started again, and the
next run begins when every slot has its copies back.
"""

import argparse
import collections
import json
import pathlib
import random
import selectors
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests" / "cluster"))

import recovery  # noqa: E402 (found by the line above)
import torc_cluster  # noqa: E402

NODES = 3
BEFORE_SECONDS = 0.3   # of writing before the kill
PAUSE_SECONDS = 0.005  # between two writes of a key
LIMIT_SECONDS = 20.0   # then a key counts as not served


class Probe:
    """One key, one connection, one write at a time."""

    def __init__(self, key, node):
        self.key = key
        self.raw = node.raw(limit=LIMIT_SECONDS)
        self.request = torc_cluster.encode("SET", key, "x")
        self.due = 0.0
        self.sent = None      # when the write under way was sent
        self.served = None    # when the first write after the kill was acknowledged
        self.errors = collections.Counter()

    def send(self, now):
        self.sent = now
        self.raw.send(self.request)

    def receive(self, now, killed):
        reply = self.raw.reply()
        if isinstance(reply, Exception):
            self.errors[str(reply).split()[0]] += 1
        elif killed is not None and self.sent >= killed and self.served is None:
            self.served = now
        self.sent = None
        self.due = now + PAUSE_SECONDS


def probe(probes, victim):
    """Writes all keys, kills the victim meanwhile; returns the moment of the kill."""
    killed = None
    selector = selectors.DefaultSelector()
    for each in probes:
        selector.register(each.raw.socket, selectors.EVENT_READ, each)
    began = time.monotonic()
    while True:
        now = time.monotonic()
        if killed is None and now - began >= BEFORE_SECONDS:
            victim.kill()
            killed = time.monotonic()
        if killed is not None and (now - killed > LIMIT_SECONDS
                                   or all(each.served for each in probes)):
            return killed
        for each in probes:
            if each.sent is None and each.due <= now and each.served is None:
                each.send(time.monotonic())
        for key, _ in selector.select(PAUSE_SECONDS):
            key.data.receive(time.monotonic(), killed)


def spread_keys(cluster, victim, count):
    """`count` keys spread evenly over the slots that the victim leads."""
    primaries = cluster.primaries()
    slots = sorted(slot for slot, node in primaries.items() if node is victim)
    wanted = {slots[number * len(slots) // count] for number in range(count)}
    keys = {}
    number = 0
    while len(keys) < len(wanted):
        key = f"failover:{number}"
        slot = torc_cluster.slot_of(key)
        if slot in wanted:
            keys.setdefault(slot, key)
        number += 1
    return list(keys.values())


def run(cluster, rng, key_count):
    """One failover. Returns what is known of it."""
    victim = rng.choice(cluster.nodes)
    survivors = [node for node in cluster.nodes if node is not victim]
    keys = spread_keys(cluster, victim, key_count)
    survivors[0].client().mset(dict.fromkeys(keys, "x"))
    recovery.wait_recovered(cluster, keys)
    before = max(recovery.epoch(cluster, node) for node in cluster.nodes)
    probes = [Probe(key, survivors[place % len(survivors)]) for place, key in enumerate(keys)]
    try:
        killed = probe(probes, victim)
    finally:
        for each in probes:
            each.raw.socket.close()
    victim.start().wait_answers()
    recovery.wait_recovered(cluster, keys, limit=60, after=before)
    return {
        "victim": victim.index,
        "milliseconds": sorted(round((each.served - killed) * 1000, 1)
                               for each in probes if each.served),
        "not_served": sum(each.served is None for each in probes),
        "errors": dict(sum((each.errors for each in probes), collections.Counter())),
    }


def quantile(values, part):
    return values[min(len(values) - 1, int(part * len(values)))] if values else float("nan")


def summary(milliseconds):
    return {"p50": quantile(milliseconds, 0.5), "p99": quantile(milliseconds, 0.99),
            "max": quantile(milliseconds, 1)}


def line(name, result):
    figures = summary(result["milliseconds"])
    errors = " ".join(f"{word}:{count}" for word, count in sorted(result["errors"].items()))
    lost = f"  {result['not_served']} keys not served" if result["not_served"] else ""
    return (f"{name:<14} p50 {figures['p50']:7.1f}  p99 {figures['p99']:7.1f}  "
            f"max {figures['max']:7.1f} ms  errors {errors or 'none'}{lost}")


def positive(word):
    number = int(word)
    if number < 1:
        raise argparse.ArgumentTypeError(f"'{word}' is not a whole number from 1")
    return number


def main():
    parser = argparse.ArgumentParser(
        prog="failover.py", description="Measures how long the keys of a killed node take no writes.")
    parser.add_argument("--runs", type=positive, default=20, help="failovers (20)")
    parser.add_argument("--lease-ms", type=positive, default=2000, help="lease of the nodes (2000)")
    parser.add_argument("--keys", type=positive, default=60, help="keys of each run (60)")
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10**6),
                        help="of the choice of nodes (random, printed)")
    parser.add_argument("--json", metavar="FILE", help="write all figures to FILE too")
    options = parser.parse_args()

    print(f"{NODES} nodes, lease {options.lease_ms} ms, {options.keys} keys, seed {options.seed}; "
          "from the kill to the first write", flush=True)
    rng = random.Random(options.seed)
    results = []
    with torc_cluster.Cluster(
            NODES, ["--lease-ms", options.lease_ms, "--copies", 2]) as cluster:
        recovery.wait_recovered(cluster)
        for number in range(options.runs):
            results.append(run(cluster, rng, options.keys))
            role = "founder" if results[-1]["victim"] == 0 else f"node {results[-1]['victim']}"
            print(line(f"run {number + 1} {role}", results[-1]), flush=True)
    total = {
        "milliseconds": sorted(sum((each["milliseconds"] for each in results), [])),
        "not_served": sum(each["not_served"] for each in results),
        "errors": dict(sum((collections.Counter(each["errors"]) for each in results),
                           collections.Counter())),
    }
    print(line("all", total))
    if options.json:
        pathlib.Path(options.json).write_text(json.dumps({
            "nodes": NODES, "lease_ms": options.lease_ms, "keys": options.keys, "seed": options.seed,
            "milliseconds": summary(total["milliseconds"]), "not_served": total["not_served"],
            "errors": total["errors"], "runs": results}, indent=1) + "\n")
    return 1 if total["not_served"] else 0


if __name__ == "__main__":
    sys.exit(main())
