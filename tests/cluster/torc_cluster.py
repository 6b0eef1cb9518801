"""Clusters of real torc-node processes for tests.

Each cluster has its own ports and its own folder, and stops exactly what it started. Nothing sleeps for
a fixed time: `wait_until` polls a condition and has a limit. A node that ends or complains to a
sanitizer without having been told to fails the test that used it.
"""

import itertools
import os
import pathlib
import random
import re
import resource
import shutil
import signal
import socket
import subprocess
import tempfile
import time

import redis
from redis.crc import key_slot

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("TORC_BUILD", ROOT / "build"))
NODE = BUILD / "node" / "torc-node"
BENCH = BUILD / "bench" / "torc-bench"
SLOT_COUNT = 16384
# A sanitized or an overloaded build may be slow; every limit is multiplied by this.
PATIENCE = float(os.environ.get("TORC_TEST_PATIENCE", "1"))

# Client, direct, HTTP and bus port of a node, counted from its --port. All stay below the range from
# which the kernel takes ports for outgoing connections (32768 and up).
PORT_OFFSETS = (0, 1000, 2000, 10000)
PORT_FIRST, PORT_LAST = 10100, 18900
# Two runs at one time keep to every other hundred of ports each; the offsets above are multiples of 200.
PORT_HALF = os.environ.get("TORC_TEST_HALF", "")
SANITIZER_MARKS = re.compile(
    r"(AddressSanitizer|LeakSanitizer|ThreadSanitizer|runtime error:|Assertion `)"
)
_port_bases = itertools.count(random.Random(os.getpid()).randrange(PORT_FIRST, PORT_LAST))


def wait_until(condition, limit=10.0, what=None):
    """Polls until condition() is truthy and returns what it returned. A condition that raises counts
    as not yet; the last thing seen is in the failure's text."""
    limit *= PATIENCE
    deadline = time.monotonic() + limit
    pause = 0.002
    while True:
        try:
            seen = condition()
            if seen:
                return seen
        except (redis.RedisError, OSError) as error:
            seen = error
        if time.monotonic() >= deadline:
            name = what or getattr(condition, "__name__", "condition")
            raise AssertionError(f"not within {limit:g} s: {name}; last seen: {seen!r}")
        time.sleep(pause)
        pause = min(pause * 1.5, 0.05)


def _port_is_free(port):
    for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
        with socket.socket(socket.AF_INET, kind) as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                return False
    return True


def free_port_base(count):
    """A base B such that all ports of nodes B+0 .. B+count-1 are free."""
    for candidate in itertools.islice(_port_bases, 2000):
        base = PORT_FIRST + (candidate - PORT_FIRST) % (PORT_LAST - PORT_FIRST)
        halves = {str(port % 200 // 100) for port in (base, base + count - 1)}
        if PORT_HALF and halves != {PORT_HALF}:
            continue
        wanted = [base + i + offset for i in range(count) for offset in PORT_OFFSETS]
        if all(_port_is_free(port) for port in wanted):
            for _ in range(count - 1):
                next(_port_bases)
            return base
    raise RuntimeError("no free ports")


def listening_socket():
    """A listening TCP socket on a port of its own; the caller closes it."""
    server = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    server.bind(("127.0.0.1", 0))
    server.listen(16)
    return server


def raise_file_limit():
    """Raises this process's limit of open files, which nodes inherit, and returns it."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = 25000
    if os.geteuid() == 0 and hard < wanted:
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, wanted))
            return wanted
        except (ValueError, OSError):
            pass  # a container may forbid even root; the hard limit is what there is
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return hard


def run_node(*arguments, limit=10.0):
    """Runs torc-node to its end: (exit code, its output). For programs that ought to stop at once."""
    done = subprocess.run(
        [NODE, *map(str, arguments)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        timeout=limit * PATIENCE,
        check=False,
    )
    return done.returncode, done.stdout


class Raw:
    """A bare connection, for bytes that no client library would send."""

    def __init__(self, port, limit=10.0, host="127.0.0.1"):
        self.socket = socket.create_connection((host, port), timeout=limit * PATIENCE)
        self.buffer = b""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def send(self, data):
        self.socket.sendall(data)

    def command(self, *words):
        self.send(encode(*words))
        return self.reply()

    def _more(self):
        data = self.socket.recv(65536)
        if not data:
            raise EOFError(f"closed by the node; left over: {self.buffer!r}")
        self.buffer += data

    def _line(self):
        while b"\r\n" not in self.buffer:
            self._more()
        line, self.buffer = self.buffer.split(b"\r\n", 1)
        return line

    def reply(self):
        """One RESP2 reply: bytes, int, None, list, or an Exception for an error."""
        line = self._line()
        kind, rest = line[:1], line[1:]
        if kind == b"+":
            return rest
        if kind == b"-":
            return redis.ResponseError(rest.decode())
        if kind == b":":
            return int(rest)
        if kind == b"$":
            size = int(rest)
            if size < 0:
                return None
            while len(self.buffer) < size + 2:
                self._more()
            data, self.buffer = self.buffer[:size], self.buffer[size + 2 :]
            return data
        if kind == b"*":
            count = int(rest)
            return None if count < 0 else [self.reply() for _ in range(count)]
        raise AssertionError(f"not a RESP2 reply: {line!r}")

    def rest(self):
        """Everything until the node closes. A reset counts as closing."""
        try:
            while True:
                self._more()
        except (EOFError, ConnectionResetError):
            return self.buffer


def encode(*words):
    parts = [b"*%d\r\n" % len(words)]
    for word in words:
        word = word if isinstance(word, bytes) else str(word).encode()
        parts.append(b"$%d\r\n%s\r\n" % (len(word), word))
    return b"".join(parts)


class Node:
    """One torc-node process, its ports and its folder."""

    host = "127.0.0.1"
    runner = ()  # words before the program: what it is run by

    def __init__(self, cluster, index, port, arguments):
        self.cluster = cluster
        self.index = index
        self.port, self.direct_port, self.http_port, self.bus_port = (
            port + offset for offset in PORT_OFFSETS
        )
        self.state_dir = cluster.folder / f"node-{index}"
        self.log_path = cluster.folder / f"node-{index}.log"
        self.arguments = arguments
        self.process = None
        self.expected_to_end = False
        self._clients = {}
        self._raw = None

    def start(self):
        assert not self.alive()
        self.close_clients()
        self.expected_to_end = False
        self.state_dir.mkdir(exist_ok=True)
        command = [*self.runner, NODE, "--port", self.port, "--state-dir", self.state_dir,
                   *self.arguments]
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen(
                [str(word) for word in command],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self.cluster.folder,
            )
        return self

    def forget(self):
        """Removes the state of a node that has ended: the next start is that of a node nobody knows,
        which joins those that run now."""
        assert not self.alive()
        shutil.rmtree(self.state_dir)
        words = iter(self.arguments)
        kept = [word for word in words if word != "--join" or next(words) is None]
        self.arguments = [*kept, *self.cluster.join_words()]

    def wait_answers(self, limit=10.0):
        def answers():
            assert self.alive(), f"node {self.index} ended at once:\n{self.log()[-2000:]}"
            return self.ask("PING") == b"PONG"

        wait_until(answers, limit, f"node {self.index} answers PING")

    def alive(self):
        return self.process is not None and self.process.poll() is None

    def signal(self, number):
        os.kill(self.process.pid, number)

    def kill(self):
        """As a crash: nothing is said to anyone."""
        self.expected_to_end = True
        self.signal(signal.SIGKILL)
        self.process.wait(timeout=10)

    def terminate(self, limit=10.0):
        """As an operator: SIGTERM. Returns the exit code."""
        self.expected_to_end = True
        self.signal(signal.SIGTERM)
        return self.process.wait(timeout=limit * PATIENCE)

    def pause(self):
        self.signal(signal.SIGSTOP)

    def resume(self):
        self.signal(signal.SIGCONT)

    def log(self):
        try:
            return self.log_path.read_text(errors="replace")
        except OSError:
            return ""

    def client(self, direct=False, **options):
        """A plain client of the client port, or of the direct one. Kept, unless options are given."""
        port = self.direct_port if direct else self.port
        if options:
            return self._new_client(port, **options)
        if port not in self._clients:
            self._clients[port] = self._new_client(port)
        return self._clients[port]

    @staticmethod
    def _new_client(port, **options):
        options.setdefault("socket_timeout", 10 * PATIENCE)
        return redis.Redis("127.0.0.1", port, **options)

    def raw(self, direct=False, limit=10.0):
        return Raw(self.direct_port if direct else self.port, limit, self.host)

    def ask(self, *words, direct=False):
        """One command on a connection of its own, its reply as it is on the wire."""
        with self.raw(direct) as raw:
            return raw.command(*words)

    def kept_raw(self):
        """A bare connection to the direct port that stays open, for many small questions."""
        if self._raw is None:
            self._raw = self.raw(direct=True)
        return self._raw

    def resident_bytes(self):
        text = pathlib.Path(f"/proc/{self.process.pid}/status").read_text()
        return int(re.search(r"^VmRSS:\s+(\d+) kB", text, re.MULTILINE).group(1)) * 1024

    def close_clients(self):
        for client in self._clients.values():
            client.close()
        self._clients = {}
        if self._raw is not None:
            self._raw.socket.close()
            self._raw = None


class Cluster:
    """Several nodes. `with Cluster(3) as cluster:` has formed when the block begins."""

    live = []  # clusters not yet closed, for the logs of a failure
    node_class = Node

    def __init__(self, count=3, arguments=(), room=None):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="torc-test-"))
        self.arguments = [str(word) for word in arguments]
        self.nodes = []
        self.base = free_port_base(max(count, room or 0))
        self.count = count

    def __enter__(self):
        Cluster.live.append(self)
        try:
            for _ in range(self.count):
                self.add()
            self.wait_formed()
        except BaseException:
            self.close(check=False)
            raise
        return self

    def __exit__(self, kind, *_):
        self.close(check=kind is None)

    def add(self, *arguments):
        """Starts one more node, which joins those that run; the first one is the founder."""
        index = len(self.nodes)
        words = [*self.arguments, *map(str, arguments), *self.join_words()]
        node = self.node_class(self, index, self.base + index, words)
        self.nodes.append(node)
        node.start()
        node.wait_answers()
        return node

    def join_words(self):
        """The option by which a node joins those that run; nothing when none does."""
        running = ",".join(f"{node.host}:{node.port}" for node in self.running())
        return ["--join", running] if running else []

    def running(self):
        return [node for node in self.nodes if node.alive()]

    def __getitem__(self, index):
        return self.nodes[index]

    def info(self, node):
        """CLUSTER INFO as a dictionary of strings."""
        return parse_info(node.ask("CLUSTER", "INFO"))

    def formed(self, nodes=None):
        nodes = nodes or self.running()
        infos = [self.info(node) for node in nodes]
        same_epoch = len({info.get("cluster_current_epoch") for info in infos}) == 1
        return same_epoch and all(
            info["cluster_state"] == "ok"
            and int(info["cluster_slots_ok"]) == SLOT_COUNT
            and int(info["cluster_known_nodes"]) == len(nodes)
            and info["cluster_ring_changing"] == "0"
            and info["cluster_nodes_syncing"] == info["cluster_nodes_down"] == "0"
            for info in infos
        )

    def wait_formed(self, limit=20.0):
        nodes = self.running()
        wait_until(lambda: self.formed(nodes), limit, f"{len(nodes)} nodes agree on all slots")

    def primaries(self, node=None):
        """slot -> the node that leads it, from CLUSTER SLOTS."""
        by_port = {node.direct_port: node for node in self.nodes}
        table = {}
        for first, last, primary, *_ in (node or self.running()[0]).ask("CLUSTER", "SLOTS"):
            for slot in range(first, last + 1):
                assert slot not in table, f"slot {slot} is in two rows"
                table[slot] = by_port[primary[1]]
        return table

    def primary(self, key):
        return self.primaries()[slot_of(key)]

    def copies(self, slot):
        """For each running node that holds keys of the slot: how many."""
        counts = [node.kept_raw().command("CLUSTER", "COUNTKEYSINSLOT", slot)
                  for node in self.running()]
        return [count for count in counts if count > 0]

    def wait_copied(self, keys, copies=2, limit=20.0):
        """Waits until each key is on `copies` nodes: those of a cluster that has just formed, or just
        changed, may still be filling."""
        wait_until(lambda: all(len(self.copies(slot_of(key))) == copies for key in keys), limit,
                   f"every key is on {copies} nodes")

    def close(self, check=True):
        """Stops every node by its pid. With `check`, a node that had ended by itself, or that does not
        end well when told to, fails the test."""
        problems = []
        for node in self.nodes:
            node.close_clients()
            if node.process is None or node.expected_to_end:
                continue
            code = node.process.poll()
            if code is not None:
                problems.append(f"node {node.index} had ended with {code}")
                continue
            node.resume()
            node.signal(signal.SIGTERM)
        for node in self.nodes:
            if node.process is None:
                continue
            try:
                code = node.process.wait(timeout=10 * PATIENCE)
                if code != 0 and not node.expected_to_end:
                    problems.append(f"node {node.index} ended with {code} after SIGTERM")
            except subprocess.TimeoutExpired:
                problems.append(f"node {node.index} did not end within 10 s of SIGTERM")
                node.process.kill()
                node.process.wait(timeout=10)
            if SANITIZER_MARKS.search(node.log()):
                problems.append(f"node {node.index} has a sanitizer's or assertion's complaint")
        logs = self.log_tails()
        if self in Cluster.live:
            Cluster.live.remove(self)
        shutil.rmtree(self.folder, ignore_errors=True)
        assert not (check and problems), "; ".join(problems) + "\n" + logs

    def log_tails(self, size=3000):
        return "\n".join(
            f"--- node {node.index} (port {node.port})\n{node.log()[-size:]}" for node in self.nodes
        )


def pairs(flat):
    """A map as RESP2 sends it: [name, value, name, value ...]."""
    return dict(zip(flat[::2], flat[1::2]))


def slot_of(key):
    return key_slot(key if isinstance(key, bytes) else key.encode())


def parse_info(text):
    if isinstance(text, Exception):
        raise text
    return dict(line.split(":", 1) for line in text.decode().splitlines() if ":" in line)


def parse_nodes(text):
    """CLUSTER NODES as {id: {port, bus, flags, slots}}."""
    nodes = {}
    for line in text.decode().splitlines():
        words = line.split()
        address, bus = words[1].split(",")[0].split("@")
        slots = set()
        for word in words[8:]:
            if not word.startswith("["):
                first, _, last = word.partition("-")
                slots.update(range(int(first), int(last or first) + 1))
        nodes[words[0]] = {
            "port": int(address.rsplit(":", 1)[1]),
            "bus": int(bus),
            "flags": words[2].split(","),
            "slots": slots,
        }
    return nodes


def key_for(condition, prefix="key", limit=100000):
    """A key whose slot meets condition(slot)."""
    for number in range(limit):
        key = f"{prefix}:{number}"
        if condition(slot_of(key)):
            return key
    raise AssertionError("no such key")


def random_keys(count, seed, prefix="key"):
    """Keys of many shapes, all different: short, long, binary, with tags and with spaces."""
    rng = random.Random(seed)
    keys = set()
    while len(keys) < count:
        shape = rng.randrange(5)
        if shape == 0:
            tail = rng.randbytes(rng.randint(1, 40))
        elif shape == 1:
            tail = b"{tag%d}:%d" % (rng.randrange(50), rng.randrange(10**6))
        elif shape == 2:
            tail = b"x" * rng.randint(100, 2000) + b"%d" % rng.randrange(10**9)
        else:
            tail = b"%d" % rng.randrange(10**9)
        keys.add(prefix.encode() + b":" + tail)
    return sorted(keys)


