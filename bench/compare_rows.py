"""What ./dev bench compare measures: a function for each group of rows, in GROUPS at the end. Each takes the
Ground, which has the options and the servers that several groups share, and returns its rows."""

import dataclasses
import shutil
import statistics
import threading
import time

import memcached_load
import servers

SETTLE_SECONDS = 1.0     # after which a server knows what it takes when empty
SETTLE_QUICK_SECONDS = 0.05
LOAD_BATCH = 1000        # commands in one write of the loader
EXPIRE_LEAD_SECONDS = 0.5  # to spare, between the loading and the instant
MEMORY_BACK = 0.1        # of what the keys took; less than that is back
LATENCIES = {"p50_us": "p50 us", "p99_us": "p99 us", "p999_us": "p99.9 us"}
NEVER_SECONDS = 60.0     # is shown for memory that was not back while it was watched
CPU_TARGETS = {64: 0.55, 16: 0.60, 1: 0.93}


@dataclasses.dataclass
class Row:
    """One figure with its target, where it has one; at most, unless at_least is given."""
    name: str
    what: str
    value: float
    unit: str = ""
    form: str = ".2f"
    target: float = None
    at_least: float = None
    table: list = None      # shown above it: rows of texts, the first of them heads
    figures: dict = dataclasses.field(default_factory=dict)

    def verdict(self):
        if self.target is None and self.at_least is None:
            return "reported"
        good = self.value <= self.target if self.at_least is None else self.value >= self.at_least
        return "pass" if good else "falls short"

    def as_json(self):
        return {"row": self.name, "what": self.what, "value": self.value, "unit": self.unit.strip(),
                "target_at_most": self.target, "target_at_least": self.at_least,
                "verdict": self.verdict(), "figures": self.figures}


# ---------------------------------------------------------------------------------- servers

def kinds():
    """The servers that are compared, memcached where it is installed: {name: function that starts one}."""
    found = {"redis": servers.start_redis, "torc": servers.start_torc}
    if shutil.which("memcached"):
        found["memcached"] = lambda: servers.start_memcached("-m", 4096)
    return found


class Ground:
    """The options, and servers that are started and filled when a group first asks for them."""

    def __init__(self, options, stack):
        self.options = options
        self._stack = stack
        self._filled = None

    def filled(self):
        """The servers that are compared, with all keys."""
        if self._filled is None:
            self._filled = {kind: self._stack.enter_context(start()) for kind, start in kinds().items()}
            for server in self._filled.values():
                self.load(server, self.options.size)
        return self._filled

    def load(self, server, size, keys=None):
        keys = keys or self.options.keys
        if server.speaks_resp:
            servers.run_bench(server, "--keys", keys, "--size", size, "--load", "--seconds", 0,
                              "--clients", 4, "--pipeline", 64)
        else:
            memcached_load.load(server, keys, size)

    def settle(self):
        time.sleep(SETTLE_QUICK_SECONDS if self.options.quick else SETTLE_SECONDS)

    def run(self, server, pipeline, *, keys=None, size=None, more=(), beside=()):
        """One measurement: per operation the servers' CPU in ns, and what the load saw."""
        options = self.options
        keys, size = keys or options.keys, size or options.size
        before = sum(each.cpu_ns() for each in (server, *beside))
        if server.speaks_resp:
            report = servers.run_bench(
                server, "--keys", keys, "--size", size, "--ratio", "1:9", "--clients",
                options.clients, "--pipeline", pipeline, "--no-load", "--seconds", options.seconds,
                *more, beside=beside)
            operations, latency = report["operations"], report["latency"]["GET"]
            seen = {"ops": report["operations_per_second"],
                    **{head: latency[head] for head in LATENCIES}}
        else:
            done = memcached_load.run(server, options.clients, pipeline, keys, size, options.seconds)
            operations, seen = done.operations, {"ops": done.operations / done.seconds}
        used = sum(each.cpu_ns() for each in (server, *beside)) - before
        return {"cpu_ns": used / operations, **seen}

    def rounds(self, runs):
        """Takes turns between runs {name: function}; the medians of each figure of each."""
        seen = {name: [] for name in runs}
        for _ in range(self.options.rounds):
            for name, run in runs.items():
                seen[name].append(run())
        return {name: {figure: statistics.median(each[figure] for each in results)
                       for figure in results[0]} for name, results in seen.items()}


def table_of(medians, base):
    table = [["", "CPU ns/op", "ratio", "op/s", *LATENCIES.values()]]
    for name, figures in medians.items():
        table.append([name, f"{figures['cpu_ns']:.0f}",
                      f"{figures['cpu_ns'] / medians[base]['cpu_ns']:.2f}", f"{figures['ops']:.0f}",
                      *(f"{figures[head]:.0f}" if head in figures else "-" for head in LATENCIES)])
    return table


def cpu_row(name, what, medians, *, of="torc", base="redis", target=None):
    return Row(name, what, medians[of]["cpu_ns"] / medians[base]["cpu_ns"], target=target,
               table=table_of(medians, base), figures=medians)


# ---------------------------------------------------------------------------------- CPU

def cpu(ground):
    rows = []
    for pipeline, target in CPU_TARGETS.items():
        medians = ground.rounds({kind: lambda server=server: ground.run(server, pipeline)
                                 for kind, server in ground.filled().items()})
        rows.append(cpu_row(f"cpu-{pipeline}", f"CPU/op of redis's, pipeline {pipeline}", medians,
                            target=target))
    return rows


def zipf(ground):
    pair = {kind: ground.filled()[kind] for kind in ("redis", "torc")}
    medians = ground.rounds({
        kind: lambda server=server: ground.run(server, 16, more=("--dist", "zipf:0.99"))
        for kind, server in pair.items()})
    return [cpu_row("zipf", "CPU/op of redis's, Zipf 0.99, pipeline 16", medians)]


def values(ground):
    rows = []
    for name, size, pipeline, share in (("1k", 1024, 16, 10), ("100k", 102400, 1, 500)):
        keys = max(10, ground.options.keys // share)
        with servers.start_redis() as redis, servers.start_torc() as torc:
            pair = {"redis": redis, "torc": torc}
            for server in pair.values():
                ground.load(server, size, keys)
            medians = ground.rounds({
                kind: lambda server=server: ground.run(server, pipeline, keys=keys, size=size)
                for kind, server in pair.items()})
        rows.append(cpu_row(f"values-{name}", f"CPU/op of redis's, {name.upper()}B values, "
                            f"pipeline {pipeline}", medians))
    return rows


def workers(ground):
    """Of two workers one has core 0 and one shares core 1 with the load, so that they do meet. The control
    has the same cores and shares nothing: two nodes of one worker each."""
    with servers.start_torc(threads=2, cores=servers.ALL_CORES) as both, \
            servers.start_torc() as one, servers.start_torc(cores=servers.LOAD_CORE) as other:
        for server in (both, one, other):
            ground.load(server, ground.options.size)
        medians = ground.rounds({
            "2 nodes of 1 worker": lambda: ground.run(one, 16, beside=(other,)),
            "1 node of 2 workers": lambda: ground.run(both, 16),
            "2 nodes, hot key": lambda: ground.run(one, 16, keys=1, beside=(other,)),
            "2 workers, hot key": lambda: ground.run(both, 16, keys=1)})
    uniform, hot = medians["1 node of 2 workers"], medians["2 workers, hot key"]
    return [cpu_row("workers", "CPU/op, 2 workers of 1 worker's", medians, of="1 node of 2 workers",
                    base="2 nodes of 1 worker", target=1.10),
            Row("hot-cpu", "CPU/op, one hot key of uniform keys'", hot["cpu_ns"] / uniform["cpu_ns"]),
            Row("hot-ops", "op/s, one hot key of uniform keys'", hot["ops"] / uniform["ops"],
                at_least=0.50)]


# ---------------------------------------------------------------------------------- memory

def send_all(server, commands):
    """Sends every command, many at a time, and reads as many replies."""
    with servers.torc_cluster.Raw(server.port, 60) as raw:
        waiting = []

        def flush():
            raw.send(b"".join(waiting))
            for _ in waiting:
                reply = raw.reply()
                if isinstance(reply, Exception):
                    raise servers.Failed(f"the loader was told: {reply}")
            waiting.clear()

        for command in commands:
            waiting.append(command)
            if len(waiting) == LOAD_BATCH:
                flush()
        flush()


def sets_until(keys, size, word, when):
    tail = b"$%d\r\n%s\r\n$%d\r\n%s\r\n$%d\r\n%d\r\n" % (
        size, b"v" * size, len(word), word, len(str(when)), when)
    for number in range(keys):
        key = b"key:%d" % number
        yield b"*5\r\n$3\r\nSET\r\n$%d\r\n%s\r\n%s" % (len(key), key, tail)


def resident_per_key(ground, start, size, expiring=False):
    keys = ground.options.keys
    with start() as server:
        ground.settle()
        empty = server.resident_bytes()
        if expiring:
            send_all(server, sets_until(keys, size, b"EX", 100_000))
        else:
            ground.load(server, size)
        ground.settle()
        return (server.resident_bytes() - empty) / keys


def memory(ground):
    keys, size = ground.options.keys, ground.options.size
    key_bytes = sum(len(f"key:{number}") for number in range(keys)) / keys
    plain = {kind: resident_per_key(ground, start, size) for kind, start in kinds().items()}
    small = {kind: resident_per_key(ground, start, 16) - key_bytes - 16
             for kind, start in kinds().items()}
    expiring = {kind: resident_per_key(ground, start, size, True)
                for kind, start in kinds().items() if kind != "memcached"}

    def table(figures):
        return [["", "bytes/key"], *([kind, f"{figure:.1f}"] for kind, figure in figures.items())]

    return [Row("memory", "resident bytes per key", plain["torc"], form=".1f", target=100,
                table=table(plain), figures=plain),
            Row("memory-ttl", "resident bytes per key, each with a TTL", expiring["torc"], form=".1f",
                target=106, table=table(expiring), figures=expiring),
            Row("memory-16", "beside key and value, values of 16 bytes", small["torc"], form=".1f",
                target=26, table=table(small), figures=small)]


# ---------------------------------------------------------------------------------- delays
#
# Whatever else the machine does adds to a delay and never takes from it: of the rounds the least is shown, of
# the measurement and of a control beside it. What counts is what the one has above the other.

def least(rounds):
    return {figure: min(seen[figure] for seen in rounds) for figure in rounds[0]}


def delay_table(heads, figures):
    return [["ms", *heads], *([name, *(f"{ms:.2f}" for ms in seen.values())]
                              for name, seen in figures.items())]


def growth(ground):
    """One connection with 16 commands on their way; the delay of each counts from its being sent, so it
    has those before it. The control writes as much to a few keys that are there."""
    def sets(server, keys):
        report = servers.run_bench(
            server, "--clients", 1, "--pipeline", 16, "--ratio", "1:0", "--keys", keys, "--no-load",
            "--size", 16, "--requests", ground.options.grow_keys, "--seconds", 3600)
        return {head: report["latency"]["SET"][head] / 1e3 for head in ("p999_us", "p9999_us", "max_us")}

    growing, still = [], []
    for _ in range(ground.options.rounds):
        with servers.start_torc() as server:
            still.append(sets(server, 1000))
            growing.append(sets(server, 1 << 40))
    figures = {"growing": least(growing), "control": least(still)}
    return [Row("growth", f"0 -> {ground.options.grow_keys} keys: p99.99 above control",
                max(0, figures["growing"]["p9999_us"] - figures["control"]["p9999_us"]), unit=" ms",
                target=2, table=delay_table(("p99.9", "p99.99", "max"), figures), figures=figures)]


class Watch(threading.Thread):
    """Looks at a server's resident size while something else goes on: [(time, bytes)]."""

    def __init__(self, server):
        super().__init__(daemon=True)
        self.server = server
        self.seen = []
        self.ended = threading.Event()

    def run(self):
        while not self.ended.wait(0.05):
            self.seen.append((time.time(), self.server.resident_bytes()))

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.ended.set()
        self.join()


def probe(server, seconds):
    """Delays of one connection that asks for one key on a schedule, in ms; resident sizes meanwhile."""
    with Watch(server) as watch:
        report = servers.run_bench(
            server, "--clients", 1, "--rate", 2000, "--ratio", "0:1", "--keys", 1, "--key-prefix",
            "probe:", "--no-load", "--seconds", seconds)
    latency = report["latency"]["GET"]
    return {head: latency[head] / 1e3 for head in ("p50_us", "p999_us", "max_us")}, watch.seen


def expire_all(ground):
    """One round: delays while all expire, delays before that, seconds until their memory is back."""
    keys = ground.options.keys
    seconds = 0.5 if ground.options.quick else 4
    with servers.start_torc() as server:
        ground.settle()
        empty = server.resident_bytes()
        instant = time.time() + 2 * EXPIRE_LEAD_SECONDS + seconds + keys / 80_000
        send_all(server, sets_until(keys, ground.options.size, b"PXAT", int(instant * 1000)))
        server.command("SET", "probe:0", "x")
        full = server.resident_bytes()
        control, _ = probe(server, seconds)
        wait = instant - EXPIRE_LEAD_SECONDS / 10 - time.time()
        if wait < 0:
            raise servers.Failed("loading took so long that the keys expire already: give fewer --keys")
        time.sleep(wait)
        expiring, seen = probe(server, seconds)
        left = server.command("DBSIZE")
    if left != 1:
        raise servers.Failed(f"{left - 1} keys are left {seconds} s after their expiry")
    back = [when - instant for when, size in seen
            if when > instant and size - empty < MEMORY_BACK * (full - empty)]
    return expiring, control, min(back, default=NEVER_SECONDS)


def expiry(ground):
    keys = ground.options.keys
    expiring, control, back = zip(*(expire_all(ground) for _ in range(ground.options.rounds)))
    figures = {"expiring": least(expiring), "control": least(control)}
    return [Row("expiry-delay", f"{keys} keys expire: max delay above control",
                max(0, figures["expiring"]["max_us"] - figures["control"]["max_us"]), unit=" ms",
                target=1, table=delay_table(("p50", "p99.9", "max"), figures), figures=figures),
            Row("expiry-memory", f"{keys} keys expire: 90 % of it is back", statistics.median(back),
                unit=" s", target=2, figures={"seconds": list(back)})]


GROUPS = {
    "cpu": (cpu, "server CPU per operation, pipelines of 64, 16 and 1"),
    "workers": (workers, "2 workers beside 1, and one hot key; pipeline 16, all cores"),
    "memory": (memory, "resident bytes per key above an empty server"),
    "growth": (growth, "delays while the keys grow to ten times --keys"),
    "expiry": (expiry, "all keys expire at one instant"),
    "values": (values, "values of 1 KB and 100 KB"),
    "zipf": (zipf, "keys by Zipf's law"),
}
