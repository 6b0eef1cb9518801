#!/usr/bin/python3
"""Miss ratios on traces of real caches, of torc-node and redis-server with equal memory:
./dev bench traces [TRACE.keys.xz ...].

A trace is replayed with torc-bench: GET, and SET after a miss. A size is a share of the trace's distinct
objects. What so many take in torc-node above an empty one, as measured, is what each server gets above
what it takes when empty; all objects of a trace have one size.
"""

import argparse
import json
import lzma
import pathlib
import sys
import time

import servers

ROOT = servers.ROOT
TORC_POLICIES = ("s3fifo", "lru", "lfu", "random")
REDIS_POLICIES = ("allkeys-lru", "allkeys-lfu")
LIMIT_MIN = 8 << 20     # of the smallest size: buffers and tables are to be small beside it
VALUE_MAX = 65536
FLIGHT_SHARE = 64       # of the objects that fit, at most one is in flight: order is what matters
FLIGHT_MAX = 64
SETTLE_SECONDS = 0.5    # after which a server knows what it takes when empty
NEAR = 1.03             # of the simulated figure

# Simulated S3-FIFO (small queue 10 %) by objects of equal size; shares in percent.
SIMULATED = {
    "web12": {1: .5902, 5: .3519, 10: .2775, 30: .1950},
    "scarab-recs": {1: .5725, 5: .4414, 10: .3718, 30: .2632},
    "w106": {1: .1875, 5: .1233, 10: .0783, 30: .0651},
    "orm-busy": {1: .2434, 5: .1475, 10: .1110, 30: .0518},
}


def replay(server, path, value_bytes, objects):
    flight = max(1, min(FLIGHT_MAX, objects // FLIGHT_SHARE))
    clients = min(4, flight)
    report = servers.run_bench(server, "--trace", path, "--size", value_bytes, "--clients", clients,
                               "--pipeline", flight // clients)
    return 1 - report["hit_ratio"]


def start(kind, policy):
    if kind == "torc":
        return servers.start_torc("--eviction", policy)
    return servers.start_redis("--maxmemory-policy", policy)


class Trace:
    def __init__(self, path, sizes):
        self.path = path
        self.name = path.name.split(".")[0]
        opened = lzma.open(path, "rt") if path.suffix == ".xz" else open(path)
        with opened as lines:
            keys = lines.read().split()
        self.requests = len(keys)
        self.objects = len(set(keys))
        smallest = max(1, int(self.objects * min(sizes) / 100))
        self.value_bytes = 64
        while self.value_bytes < VALUE_MAX and self.value_bytes * smallest < LIMIT_MIN:
            self.value_bytes *= 2
        # The header and the key are to end in the same class of the allocator as the value.
        self.value_bytes -= 48 if self.value_bytes > 64 else 0

    def object_bytes(self):
        """What an object takes in torc-node, with its share of the tables."""
        with servers.start_torc() as server:
            empty = server.used_bytes()
            replay(server, self.path, self.value_bytes, self.objects)
            return (server.used_bytes() - empty) / self.objects


def measure(trace, share, object_bytes, torc_policies):
    objects = int(trace.objects * share / 100)
    row = {"trace": trace.name, "share_percent": share, "objects": objects,
           "value_bytes": trace.value_bytes, "data_bytes": int(objects * object_bytes),
           "simulated_s3fifo": SIMULATED.get(trace.name, {}).get(share), "miss_ratio": {}}
    for kind, policies in (("torc", torc_policies), ("redis", REDIS_POLICIES)):
        for policy in policies:
            with start(kind, policy) as server:
                time.sleep(SETTLE_SECONDS)
                server.command("CONFIG", "SET", "maxmemory",
                               server.used_bytes() + row["data_bytes"])
                row["miss_ratio"][f"{kind} {policy}"] = replay(server, trace.path,
                                                               trace.value_bytes, objects)
    judge(row)
    return row


def judge(row):
    misses = row["miss_ratio"]
    ours = misses["torc s3fifo"]
    row["targets"] = {f"below redis {policy}": ours < misses[f"redis {policy}"]
                      for policy in REDIS_POLICIES}
    if row["simulated_s3fifo"] is not None:
        row["targets"]["within 3 % of simulated"] = ours <= NEAR * row["simulated_s3fifo"]


def print_head(torc_policies):
    columns = [f"torc {policy}" for policy in torc_policies]
    columns += [f"redis {policy}" for policy in REDIS_POLICIES]
    columns += ["simulated S3-FIFO", "below redis's", "within 3 % of simulated"]
    print("| trace, size | " + " | ".join(columns) + " |")
    print("|---" * (len(columns) + 1) + "|", flush=True)


def verdict(good):
    return "pass" if good else "falls short"


def print_row(row):
    cells = [f"{row['trace']}, {row['share_percent']:g} %"]
    cells += [f"{ratio:.4f}" for ratio in row["miss_ratio"].values()]
    simulated = row["simulated_s3fifo"]
    cells.append("–" if simulated is None else f"{simulated:.4f}")
    targets = row["targets"]
    cells.append(verdict(all(targets[f"below redis {policy}"] for policy in REDIS_POLICIES)))
    cells.append("–" if simulated is None else verdict(targets["within 3 % of simulated"]))
    print("| " + " | ".join(cells) + " |", flush=True)


def share(word):
    number = float(word)
    if not 0 < number <= 100:
        raise argparse.ArgumentTypeError(f"'{word}' is not a share from 0 to 100 %")
    return number


def main():
    parser = argparse.ArgumentParser(
        prog="traces.py", description="Compares miss ratios on traces, with equal memory.")
    parser.add_argument("traces", nargs="*", type=pathlib.Path, metavar="TRACE",
                        default=[ROOT / "bench" / "traces" / "web12.keys.xz"],
                        help="keys, one a line, plain or .xz (bench/traces/web12.keys.xz)")
    parser.add_argument("--sizes", type=share, nargs="+", default=[1, 5, 10, 30], metavar="PERCENT",
                        help="shares of the distinct objects (1 5 10 30)")
    parser.add_argument("--policies", nargs="+", choices=TORC_POLICIES, default=TORC_POLICIES,
                        help="of torc-node, beside s3fifo (all)")
    parser.add_argument("--json", metavar="FILE", help="write all figures to FILE too")
    options = parser.parse_args()
    print(f"miss ratios; {servers.machine()}\n", flush=True)
    rows = []
    policies = ["s3fifo", *(policy for policy in options.policies if policy != "s3fifo")]
    print_head(policies)
    for path in options.traces:
        trace = Trace(path.resolve(), options.sizes)
        object_bytes = trace.object_bytes()
        for size in options.sizes:
            rows.append(measure(trace, size, object_bytes, policies))
            print_row(rows[-1])
    if options.json:
        pathlib.Path(options.json).write_text(json.dumps(rows, indent=2) + "\n")
    failed = sum(not good for row in rows for good in row["targets"].values())
    print(f"\n{failed} of {sum(len(row['targets']) for row in rows)} targets are fallen short of")
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except (servers.Failed, OSError) as error:
        sys.exit(f"traces.py: {error}")
