"""Nodes in network namespaces of their own, and the faults of the network between them.

    with Network(3) as network, NetCluster(network, ["--lease-ms", 500]) as cluster:
        network.isolate(0)
        network.heal()

Each node has a namespace with a TUN device, 10.77.0.(index+1); switch.py carries the packets between them.
Namespaces are named by this process's id and removed with the network. Clients of a node connect from
within its namespace: faults are between nodes, and a node that is cut off still has clients on its side.
"""

import ctypes
import fcntl
import json
import os
import pathlib
import random
import socket
import struct
import subprocess
import sys

from torc_cluster import PATIENCE, Cluster, Node

SWITCH = pathlib.Path(__file__).parent / "switch.py"
NAMESPACES = "/run/netns"
CLONE_NEWNET = 0x40000000
TUNSETIFF = 0x400454CA
IFF_TUN, IFF_NO_PI = 0x0001, 0x1000
_libc = ctypes.CDLL(None, use_errno=True)


class CannotMakeNetwork(Exception):
    """Namespaces or devices cannot be made here. Tests fail by it and are not left out: partitions are a
    promise, and a run that does not try them says nothing about it."""


def ip(*words):
    done = subprocess.run(["ip", *map(str, words)], stdin=subprocess.DEVNULL, text=True, check=False,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    if done.returncode != 0:
        raise CannotMakeNetwork(
            f"'ip {' '.join(map(str, words))}' failed: {done.stdout.strip()}. These tests need root, "
            "the package iproute2 and a kernel with network namespaces and /dev/net/tun")


class Namespace:
    """A network namespace. As a context: sockets that this thread makes are in it."""

    def __init__(self, name):
        self._home()  # while this thread is there
        self.name = name
        ip("netns", "add", name)
        self.fd = os.open(f"{NAMESPACES}/{name}", os.O_RDONLY | os.O_CLOEXEC)
        ip("-n", name, "link", "set", "lo", "up")

    def __enter__(self):
        return self.run_in(self.fd)

    def __exit__(self, *_):
        self.run_in(self._home())

    @staticmethod
    def run_in(fd):
        if _libc.setns(fd, CLONE_NEWNET) != 0:
            raise CannotMakeNetwork(f"setns: {os.strerror(ctypes.get_errno())}; it needs root")

    _home_fd = None

    @classmethod
    def _home(cls):
        if cls._home_fd is None:
            cls._home_fd = os.open(f"/proc/{os.getpid()}/ns/net", os.O_RDONLY | os.O_CLOEXEC)
        return cls._home_fd

    def add_tun(self, address):
        """Makes the device tun0; returns what its packets are read from and written to."""
        try:
            device = os.open("/dev/net/tun", os.O_RDWR | os.O_CLOEXEC)
        except OSError as error:
            raise CannotMakeNetwork(f"/dev/net/tun: {error}; these tests need TUN devices") from error
        os.close(device)
        with self:  # a TUN device is made in the namespace in which its file was opened
            device = os.open("/dev/net/tun", os.O_RDWR | os.O_CLOEXEC)
            fcntl.ioctl(device, TUNSETIFF, struct.pack("16sH22x", b"tun0", IFF_TUN | IFF_NO_PI))
        ip("-n", self.name, "address", "add", f"{address}/24", "dev", "tun0")
        ip("-n", self.name, "link", "set", "tun0", "up", "txqueuelen", 1000)
        return device

    def close(self):
        os.close(self.fd)
        ip("netns", "delete", self.name)


def remove_leftovers():
    """Namespaces of test runs that were killed: their process is gone, and they would stay for ever."""
    for name in os.listdir(NAMESPACES) if os.path.isdir(NAMESPACES) else ():
        words = name.split("-")
        if name.startswith("torc-test-") and not os.path.exists(f"/proc/{words[2]}"):
            ip("netns", "delete", name)


class Network:
    """Namespaces for `count` nodes and the switch between them, without faults at first."""

    def __init__(self, count, seed=0):
        self.count = count
        self.seed = seed
        self.rng = random.Random(f"network {seed}")
        self.namespaces = []
        self.process = None
        self.control = None
        self.rules = {}

    def __enter__(self):
        if os.geteuid() != 0:
            raise CannotMakeNetwork("network namespaces are made by root only; run these tests as root")
        remove_leftovers()
        devices = []
        try:
            for place in range(self.count):
                self.namespaces.append(Namespace(f"torc-test-{os.getpid()}-{place}"))
                devices.append(self.namespaces[-1].add_tun(self.address(place)))
            self.control, theirs = socket.socketpair()
            self.control.settimeout(10 * PATIENCE)
            self.process = subprocess.Popen(
                [sys.executable, str(SWITCH), str(self.seed), str(theirs.fileno()),
                 ",".join(map(str, devices))],
                stdin=subprocess.DEVNULL, pass_fds=[theirs.fileno(), *devices])
            theirs.close()
            self.heal()
        except BaseException:
            self.close()
            raise
        finally:
            for device in devices:
                os.close(device)
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        if self.control is not None:
            self.control.close()
        if self.process is not None:
            try:
                self.process.wait(timeout=10)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait(timeout=10)
        while self.namespaces:
            self.namespaces.pop().close()

    @staticmethod
    def address(place):
        return f"10.77.0.{place + 1}"

    def _apply(self):
        """Returns when the rules hold: no packet passes by the old ones any more."""
        rules = [[source, target, rule] for (source, target), rule in self.rules.items()]
        self.control.sendall(json.dumps({"rules": rules}).encode() + b"\n")
        assert self.control.recv(1) == b"\n", "the switch has ended"

    def heal(self):
        self.rules = {}
        self._apply()

    def cut(self, sources, targets, both=True):
        """Nothing passes from `sources` to `targets`; with `both`, nor back."""
        for source in sources:
            for target in targets:
                self.rules[source, target] = {"cut": True}
                if both:
                    self.rules[target, source] = {"cut": True}
        self._apply()

    def isolate(self, place, both=True):
        """Cuts one node off from all others; without `both`, only what it sends is lost."""
        self.cut([place], self.others(place), both)

    def deafen(self, place):
        """One node receives nothing, while all hear it."""
        self.cut(self.others(place), [place], both=False)

    def others(self, place):
        return [each for each in range(self.count) if each != place]

    def everywhere(self, **rule):
        """One rule for every pair: loss=0.2, delay_ms=..., see switch.py."""
        self.rules = {(source, target): rule
                      for source in range(self.count) for target in self.others(source)}
        self._apply()


class NetNode(Node):
    """A node in the namespace of its index."""

    def __init__(self, cluster, index, port, arguments):
        self.namespace = cluster.network.namespaces[index]
        self.host = cluster.network.address(index)
        self.runner = ("ip", "netns", "exec", self.namespace.name)
        super().__init__(cluster, index, port,
                         ["--bind", self.host, "--announce", self.host, *arguments])

    def raw(self, direct=False, limit=10.0):
        """From within its namespace."""
        with self.namespace:
            return super().raw(direct, limit)

    def client(self, direct=False, **options):
        raise NotImplementedError("redis-py opens connections when it likes; use raw() or ask()")


class NetCluster(Cluster):
    node_class = NetNode

    def __init__(self, network, arguments=()):
        self.network = network
        super().__init__(network.count, arguments)
