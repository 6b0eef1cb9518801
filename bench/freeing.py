#!/usr/bin/python3
"""How long others wait when a value of many members goes: ./dev bench freeing [--members N] [--runs N].

For each type and each way of losing a value, one client asks for another key of the same slot without a rest:
GET at a node alone, SET at the primary of two nodes, which answers when the replica has applied it. The longest
delay from the command that takes the value out until its memory is free again, less the longest of as much time
before that, which is the control. Of --runs the least is shown: whatever else the machine does adds to a delay.
"""

import argparse
import json
import pathlib
import sys
import threading
import time

ROOT = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests" / "cluster"))

import torc_cluster  # noqa: E402 (found by the line above)

MEMBERS_PER_COMMAND = 1000
WINDOW_SECONDS = 0.3  # at least

ADD = {
    "list": lambda i: (b"RPUSH", [b"value:%d" % i]),
    "set": lambda i: (b"SADD", [b"member:%d" % i]),
    "hash": lambda i: (b"HSET", [b"field:%d" % i, b"v%d" % i]),
    "zset": lambda i: (b"ZADD", [b"%d" % (i * 7919 % 1000003), b"member:%d" % i]),
}
EMPTYING = {  # a hash has none but HDEL, whose work is the fields that it names
    "list": ("LTRIM", "{t}big", 1, 0),
    "set": ("SINTERSTORE", "{t}big", "{t}none"),
    "zset": ("ZREMRANGEBYRANK", "{t}big", 0, -1),
}


def ways(kind):
    """Name, what is done before, and what takes the value out."""
    small = ("SADD", "{t}small", "a")
    store = "ZUNIONSTORE" if kind == "zset" else "SUNIONSTORE"
    source = (store, "{t}big", 1, "{t}small") if kind == "zset" else (store, "{t}big", "{t}small")
    dump = lambda raw: ("RESTORE", "{t}big", 0, raw.command("DUMP", "{t}small"), "REPLACE")
    return [
        ("DEL", [], ("DEL", "{t}big")),
        ("UNLINK", [], ("UNLINK", "{t}big")),
        ("SET", [], ("SET", "{t}big", "x")),
        ("RENAME", [small], ("RENAME", "{t}small", "{t}big")),
        ("COPY", [small], ("COPY", "{t}small", "{t}big", "REPLACE")),
        ("RESTORE", [small], dump),
        (store, [small], source),
        *([("emptied", [], EMPTYING[kind])] if kind in EMPTYING else []),
        ("expired", [], ("PEXPIRE", "{t}big", 50)),
        ("FLUSHALL", [], ("FLUSHALL",)),
    ]


class Prober(threading.Thread):
    """Asks without a rest: (when, delay) in seconds."""

    def __init__(self, node, words):
        super().__init__(daemon=True)
        self.raw = node.raw()
        self.words = words
        self.seen = []
        self.ended = threading.Event()

    def run(self):
        while not self.ended.is_set():
            before = time.monotonic()
            self.raw.command(*self.words)
            after = time.monotonic()
            self.seen.append((after, after - before))

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.ended.set()
        self.join()

    def longest(self, begin, end):
        """In ms, of those that were answered in that time."""
        return 1e3 * max((delay for when, delay in self.seen if begin < when <= end), default=0.0)


def fill(raw, kind, members):
    """A value of that type under {t}template."""
    for first in range(0, members, MEMBERS_PER_COMMAND):
        parts = [ADD[kind](i) for i in range(first, min(first + MEMBERS_PER_COMMAND, members))]
        words = [parts[0][0], b"{t}template"] + [word for _, more in parts for word in more]
        reply = raw.command(*words)
        assert isinstance(reply, int), reply


def all_free(raws):
    for raw in raws:
        info = torc_cluster.parse_info(raw.command("INFO", "memory"))
        if int(info.get("lazyfree_pending_bytes", 0)) > 0:
            return False
    return True


def one_way(node, raws, before, taking, words):
    """Longest delay in ms, the longest of the control."""
    raw = raws[0]
    for command in before:
        raw.command(*command)
    raw.command("DEL", "{t}big")
    reply = raw.command("COPY", "{t}template", "{t}big")
    assert reply == 1, reply
    torc_cluster.wait_until(lambda: all_free(raws), 30, "nothing waits to be freed")
    command = taking(raw) if callable(taking) else taking
    with Prober(node, words) as prober:
        begin = time.monotonic()
        time.sleep(WINDOW_SECONDS)
        middle = time.monotonic()
        reply = raw.command(*command)
        assert not isinstance(reply, Exception), reply
        time.sleep(WINDOW_SECONDS)
        torc_cluster.wait_until(lambda: all_free(raws), 30, "all is freed")
        end = time.monotonic()
    return prober.longest(middle, end), prober.longest(begin, middle)


def measure(options, nodes, words):
    figures = {}
    for kind in ADD:
        arguments = ["--threads", "1"] if nodes == 1 else ["--threads", "1", "--copies", "2"]
        with torc_cluster.Cluster(nodes, arguments) as cluster:
            node = cluster.primary("{t}big")
            raws = [node.raw()] + [other.raw() for other in cluster.running() if other is not node]
            fill(raws[0], kind, options.members)
            for name, before, taking in ways(kind):
                rounds = []
                for _ in range(options.runs):
                    if name == "FLUSHALL" and not raws[0].command("EXISTS", "{t}template"):
                        fill(raws[0], kind, options.members)
                    rounds.append(one_way(node, raws, before, taking, words))
                figures.setdefault(name, {})[kind] = [min(column) for column in zip(*rounds)]
    return figures


def table(title, figures):
    print(f"\n{title}: longest delay (control), ms\n")
    kinds = list(ADD)
    print(f"| | {' | '.join(kinds)} |\n|---|{'---|' * len(kinds)}")
    for name, row in figures.items():
        cells = [f"{row[kind][0]:.1f} ({row[kind][1]:.1f})" if kind in row else "" for kind in kinds]
        print(f"| {name} | {' | '.join(cells)} |")


def main():
    parser = argparse.ArgumentParser(prog="./dev bench freeing", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--members", type=int, default=1_000_000, help="of each value (default 1000000)")
    parser.add_argument("--runs", type=int, default=3, help="of each way (default 3)")
    parser.add_argument("--nodes", type=int, choices=(1, 2), help="measure only one of the two cases")
    parser.add_argument("--json", metavar="FILE", help="write the figures there too")
    options = parser.parse_args()
    figures = {}
    if options.nodes != 2:
        figures["alone"] = measure(options, 1, ("GET", "{t}probe"))
        table("a node alone, GET", figures["alone"])
    if options.nodes != 1:
        figures["replicated"] = measure(options, 2, ("SET", "{t}probe", "x"))
        table("primary and replica, SET", figures["replicated"])
    if options.json:
        pathlib.Path(options.json).write_text(json.dumps(figures, indent=1))


if __name__ == "__main__":
    main()
