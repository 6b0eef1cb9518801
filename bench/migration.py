#!/usr/bin/python3
"""What it costs to move slots: ./dev bench migration [--runs N] [--json FILE].

Two questions, in each run one after the other. How fast: a node without load is filled, a second one joins;
megabytes that came to a node which did not hold them, over the time from the view that begins the change to
the view that ends it, and the processor time of both nodes. How quiet: a fourth node joins three that are
under load at a fixed rate; the load's latency before and during the change, and after it, when four nodes
share the machine; its errors, how much was moved against the least possible, and the longest time that a slot
took no writes.
"""

import argparse
import datetime
import json
import pathlib
import re
import signal
import statistics
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests" / "cluster"))

import recovery  # noqa: E402 (found by the line above)
import servers  # noqa: E402
import torc_cluster  # noqa: E402

LIMIT_SECONDS = 60.0  # for a change to end
POLL_SECONDS = 0.005
VIEW = re.compile(r"^(\S+)Z info .*: view (\d+): \d+ nodes(, slots are moving)?$", re.MULTILINE)
QUANTILES = ("p50_us", "p99_us", "p999_us", "max_us")


# ---------------------------------------------------------------------------------- one change

class Change:
    """A change of the ring, from the log of a node that was there before it: seconds since the epoch."""

    def __init__(self, node):
        self.node = node
        self.seen = len(node.log())
        self.began = self.ended = None

    def look(self):
        for stamp, _, moving in VIEW.findall(self.node.log()[self.seen:]):
            moment = datetime.datetime.fromisoformat(stamp + "+00:00").timestamp()
            if moving and self.began is None:
                self.began = moment
            if not moving and self.began is not None and self.ended is None:
                self.ended = moment
        return self

    def wait(self, field):
        deadline = time.monotonic() + LIMIT_SECONDS
        while getattr(self.look(), field) is None:
            assert time.monotonic() < deadline, f"the change has not {field} within {LIMIT_SECONDS:g} s"
            time.sleep(POLL_SECONDS)

    def seconds(self):
        return self.ended - self.began


def cpu_seconds(node):
    return servers.cpu_ns(node.process) / 1e9


def holdings(node):
    """How many keys of each slot a node holds, led or copied."""
    raw = node.kept_raw()
    raw.send(b"".join(torc_cluster.encode("CLUSTER", "COUNTKEYSINSLOT", slot)
                      for slot in range(torc_cluster.SLOT_COUNT)))
    return [raw.reply() for _ in range(torc_cluster.SLOT_COUNT)]


def keys_gained(before, after):
    """Keys that are on a node which had none of their slot; `before` and `after`: {node: holdings}."""
    gained = 0
    for node, counts in after.items():
        had = before.get(node)
        gained += sum(count for slot, count in enumerate(counts) if had is None or had[slot] == 0)
    return gained


# ---------------------------------------------------------------------------------- load

def bench_words(nodes, options, *words):
    servers = ",".join(f"{node.host}:{node.port}" for node in nodes)
    return [str(word) for word in (torc_cluster.BENCH, "-q", "-s", servers, "--size", options.size,
                                   "--json", "-", *words)]


def bench_result(output):
    figures = json.loads(output)
    latency = {name: max(kind[name] for kind in figures["latency"].values()) for name in QUANTILES}
    return {"rate": figures["operations_per_second"], "operations": figures["operations"],
            "seconds": figures["seconds"], "errors": figures["failed"], "behind": figures["behind"],
            "first_error": figures["first_error"], **latency}


def bench(nodes, options, *words):
    """A run of torc-bench to its end. JSON comes last, after the table."""
    done = subprocess.run(bench_words(nodes, options, *words), stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
                          check=False)
    assert done.returncode in (0, 1), f"torc-bench ended with {done.returncode}"
    return bench_result(done.stdout)


def fill(nodes, keys, options):
    bench(nodes, options, "--keys", keys, "--load", "--seconds", 0, "--pipeline", 32, "--clients", 8)
    held = nodes[0].ask("DBSIZE")
    assert held == keys, f"{held} keys of {keys} are there"


def key_bytes(node, options):
    """Key and value of one, as torc-bench makes them."""
    return len(node.ask("RANDOMKEY")) + options.size


# ---------------------------------------------------------------------------------- how fast

def throughput(copies, options):
    """A second node joins one that is full."""
    words = ["--threads", options.threads, "--copies", copies, *options.node]
    with torc_cluster.Cluster(1, words, room=2) as cluster:
        first = cluster[0]
        fill([first], options.keys, options)
        before = {first: holdings(first)}
        change = Change(first)
        second = cluster.add()
        change.wait("began")
        cpu = [cpu_seconds(first), cpu_seconds(second)]
        change.wait("ended")
        cpu = [cpu_seconds(node) - was for node, was in zip((first, second), cpu)]
        moved = keys_gained(before, {node: holdings(node) for node in cluster.nodes})
        bytes_moved = moved * key_bytes(first, options)
    gigabytes = bytes_moved / 1e9
    return {"keys_moved": moved, "bytes_moved": bytes_moved, "seconds": change.seconds(),
            "megabytes_per_second": bytes_moved / 1e6 / change.seconds(),
            "source_cpu_seconds_per_gigabyte": cpu[0] / gigabytes,
            "target_cpu_seconds_per_gigabyte": cpu[1] / gigabytes}


def throughput_line(copies, result):
    return (f"1 -> 2, copies {copies}   {result['bytes_moved'] / 1e6:6.0f} MB in {result['seconds']:6.3f} s  "
            f"{result['megabytes_per_second']:6.1f} MB/s   CPU s/GB: source "
            f"{result['source_cpu_seconds_per_gigabyte']:5.2f}, target "
            f"{result['target_cpu_seconds_per_gigabyte']:5.2f}")


# ---------------------------------------------------------------------------------- how quiet

def load_words(mode, rate, options):
    words = ["--mode", mode, "--keys", options.load_keys, "--no-load", "--clients", options.clients]
    return words + (["--rate", rate] if rate else [])


def server_pauses(cluster):
    """The largest of what the nodes themselves say of their slots' pauses; None where they do not."""
    pauses = {}
    for name in ("migration_pause_us_p99", "migration_pause_us_max"):
        fields = [torc_cluster.parse_info(node.ask("INFO", "everything")).get(name)
                  for node in cluster.running()]
        pauses[name] = max((int(field) for field in fields if field is not None), default=None)
    return pauses


def growth(mode, rate, options):
    """A fourth node joins three under load."""
    words = ["--threads", options.threads, "--copies", 2, *options.node]
    with torc_cluster.Cluster(3, words, room=4) as cluster:
        three = list(cluster.nodes)
        fill(three, options.load_keys, options)
        recovery.wait_recovered(cluster, limit=60)
        held = {node: holdings(node) for node in three}
        assert sum(map(sum, held.values())) == 2 * options.load_keys
        quiet = bench(three, options, *load_words(mode, rate, options), "--seconds", options.seconds)
        change = Change(three[0])
        cluster.add()
        change.wait("began")
        with subprocess.Popen(
                bench_words(three, options, *load_words(mode, rate, options), "--seconds",
                            int(LIMIT_SECONDS)),
                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                text=True) as load:
            try:
                change.wait("ended")
            finally:
                load.send_signal(signal.SIGINT)  # it ends with its report
            moving = bench_result(load.communicate()[0])
        after = bench(three, options, *load_words(mode, rate, options), "--seconds", options.seconds)
        moved = keys_gained(held, {node: holdings(node) for node in cluster.nodes})
        pauses = server_pauses(cluster)
        size = key_bytes(three[0], options)
    least = 2 * options.load_keys / 4
    return {"mode": mode, "offered_rate": rate, "before": quiet, "during": moving, "after": after,
            "errors": quiet["errors"] + moving["errors"] + after["errors"],
            "first_error": quiet["first_error"] or moving["first_error"] or after["first_error"],
            "p99_ratio": moving["p99_us"] / quiet["p99_us"], "seconds": change.seconds(),
            "bytes_moved": moved * size, "bytes_least": least * size, "moved_ratio": moved / least,
            **pauses}


def latency_text(figures):
    return " ".join(f"{figures[name] / 1000:8.2f}" for name in QUANTILES)


def growth_lines(result):
    pause = [("-" if result[name] is None else f"{result[name] / 1000:.2f}")
             for name in ("migration_pause_us_p99", "migration_pause_us_max")]
    error = f" ({result['first_error']})" if result["errors"] else ""
    return (f"3 -> 4, {result['mode']:<6}   {result['offered_rate']:.0f}/s offered   p50, p99, p99.9, max ms: "
            f"before {latency_text(result['before'])}   during {latency_text(result['during'])}   "
            f"after {latency_text(result['after'])}\n"
            f"                 p99 ratio {result['p99_ratio']:.2f}   errors {result['errors']}{error}   change "
            f"{result['seconds']:.3f} s   moved {result['bytes_moved'] / 1e6:.0f} MB, "
            f"{result['moved_ratio']:.3f} of the least   pause of a slot, nodes' p99, max: "
            f"{', '.join(pause)} ms")


def sustained_rates(options):
    """Operations a second offered in each mode: a part of what three nodes do in a closed loop."""
    if options.rate:
        return {mode: options.rate for mode in options.modes}
    rates = {}
    words = ["--threads", options.threads, "--copies", 2, *options.node]
    with torc_cluster.Cluster(3, words) as cluster:
        fill(cluster.nodes, options.load_keys, options)
        recovery.wait_recovered(cluster, limit=60)
        for mode in options.modes:
            full = bench(cluster.nodes, options, *load_words(mode, None, options), "--seconds", 3)
            rates[mode] = round(full["rate"] * options.part, -2)
            print(f"saturated, {mode}: {full['rate']:.0f}/s, of which {rates[mode]:.0f}/s are offered",
                  flush=True)
    return rates


# ---------------------------------------------------------------------------------- all

def median_of(results):
    """Medians of every number in a list of equal dictionaries."""
    out = {}
    for name, value in results[0].items():
        values = [each[name] for each in results]
        if isinstance(value, dict):
            out[name] = median_of(values)
        elif isinstance(value, (int, float)) and None not in values:
            out[name] = max(values) if name == "errors" else statistics.median(values)
        else:
            out[name] = value
    return out


def positive(word):
    number = int(word)
    if number < 1:
        raise argparse.ArgumentTypeError(f"'{word}' is not a whole number from 1")
    return number


def arguments():
    parser = argparse.ArgumentParser(
        prog="migration.py", description="Measures how fast and how quietly slots move.")
    parser.add_argument("--runs", type=positive, default=3, help="of each measurement; medians (3)")
    parser.add_argument("--keys", type=positive, default=300000, help="keys to move without load (300000)")
    parser.add_argument("--load-keys", type=positive, default=400000, help="keys under load (400000)")
    parser.add_argument("--size", type=positive, default=1024, help="bytes of a value (1024)")
    parser.add_argument("--rate", type=positive, help="operations a second offered (a part of the most)")
    parser.add_argument("--part", type=float, default=0.2, help="that part (0.2)")
    parser.add_argument("--seconds", type=positive, default=10, help="of load before the change (10)")
    parser.add_argument("--clients", type=positive, default=200, help="connections of the load (200)")
    parser.add_argument("--threads", type=positive, default=1, help="worker threads of a node (1)")
    parser.add_argument("--only", choices=("throughput", "load"), help="one of the two questions")
    parser.add_argument("--modes", default="any,direct", help="of the load (any,direct)")
    parser.add_argument("--node", default="", help="further options of the nodes, in one word")
    parser.add_argument("--json", metavar="FILE", help="write all figures to FILE too")
    options = parser.parse_args()
    options.node = options.node.split()
    options.modes = options.modes.split(",")
    if not set(options.modes) <= {"any", "direct"}:
        parser.error("--modes: any, direct or both, split by a comma")
    return options


def main():
    options = arguments()
    fast = options.only in (None, "throughput")
    quiet = options.only in (None, "load")
    rates = sustained_rates(options) if quiet else {}
    results = {}
    for number in range(options.runs):
        print(f"run {number + 1}", flush=True)
        for copies in (1, 2) if fast else ():
            result = throughput(copies, options)
            results.setdefault(f"copies {copies}", []).append(result)
            print(throughput_line(copies, result), flush=True)
        for mode in options.modes if quiet else ():
            result = growth(mode, rates[mode], options)
            results.setdefault(mode, []).append(result)
            print(growth_lines(result), flush=True)
    medians = {name: median_of(each) for name, each in results.items()}
    print(f"medians of {options.runs}")
    for name, each in medians.items():
        print(growth_lines(each) if "mode" in each else throughput_line(int(name[-1]), each))
    if options.json:
        pathlib.Path(options.json).write_text(json.dumps(
            {"options": vars(options), "medians": medians, "runs": results}, indent=1) + "\n")
    return 1 if any(each.get("errors") for each in medians.values()) else 0


if __name__ == "__main__":
    sys.exit(main())
