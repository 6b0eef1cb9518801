"""Clients that keep what they read and are told of changes (CLIENT TRACKING), for tests."""

from differential import Wire
from torc_cluster import encode

CHANNEL = b"__redis__:invalidate"
ALL = "everything"


class Client(Wire):
    """A bare connection that tells replies from what it is told of changes."""

    opened = []  # to be closed at the end of a test

    def __init__(self, port):
        super().__init__(port)
        self.told = []  # keys, or ALL, since the last look
        Client.opened.append(self)

    def next(self):
        """One reply, or what was told."""
        got = super().reply()
        return got, self._changes(got)

    @staticmethod
    def _changes(got):
        if not isinstance(got, list):
            return None
        if got[0] == b">2" and got[1][1].startswith(b"tracking-redir-broken"):
            return ["broken"]
        message = got[0] in (b"*3", b">3") and got[1][1].startswith(b"message")
        if not message and not (got[0] == b">2" and got[1][1].startswith(b"invalidate")):
            return None
        keys = got[-1]
        if keys in (b"_", b"$-1"):
            return [ALL]
        return [key[1][:-2].decode() for key in keys[1:]]

    def reply(self):
        while True:
            got, changes = self.next()
            if changes is None:
                return got
            self.told += changes

    def ask(self, *words):
        self.send(encode(*words))
        return self.reply()

    def number(self, *words):
        return int(self.ask(*words)[1:])

    def value(self, key):
        got = self.ask("GET", key)
        return got[1][:-2].decode() if isinstance(got, tuple) else None

    def changes(self):
        """What it has been told since the last time, up to now: a PING's reply comes behind all of it."""
        assert b"PONG" in repr(self.ask("PING")).upper().encode()
        told, self.told = self.told, []
        return told


def resp3(port, *options):
    client = Client(port)
    client.ask("HELLO", 3)
    if options:
        assert client.ask("CLIENT", "TRACKING", "ON", *options[1:]) == b"+OK"
    return client


def subscriber(port):
    client = Client(port)
    client.id = client.number("CLIENT", "ID")
    assert client.ask("SUBSCRIBE", CHANNEL)[0] == b"*3"
    return client


def redirected(port, to, *options):
    client = Client(port)
    assert client.ask("CLIENT", "TRACKING", "ON", "REDIRECT", to.id, *options) == b"+OK"
    return client


class NearCache:
    """A client that keeps what it reads: at the direct port of each key's owner, or at any node; by the rules
    of whoever does."""

    def __init__(self, cluster, protocol, direct):
        self.cluster = cluster
        self.protocol = protocol
        self.direct = direct
        self.links = {}  # node -> (who is told, who reads)
        self.kept = {}   # key -> (node, value)
        self.hits = 0

    def close(self):
        for node in list(self.links):
            self.drop(node)

    def drop(self, node):
        """It is told nothing any more by that node."""
        for client in self.links.pop(node, ()):
            client.socket.close()
        self.kept = {key: kept for key, kept in self.kept.items() if kept[0] is not node}

    def link(self, node):
        if node not in self.links:
            port = node.direct_port if self.direct else node.port
            if self.protocol == 3:
                both = resp3(port, "ON")
                self.links[node] = (both, both)
            else:
                to = subscriber(port)
                self.links[node] = (to, redirected(port, to))
        return self.links[node]

    def listen(self, node):
        try:
            changes = self.links[node][0].changes()
        except (OSError, EOFError):
            self.drop(node)
            return
        for key in changes:
            if key == ALL:
                self.kept = {key: kept for key, kept in self.kept.items() if kept[0] is not node}
            elif key in self.kept and self.kept[key][0] is node:
                del self.kept[key]

    def get(self, key, owner):
        """From what it keeps, or asks a node; None if that has no answer."""
        node = owner if self.direct else self.cluster.nodes[len(self.kept) % len(self.cluster.nodes)]
        if key in self.kept:
            self.hits += 1
            return self.kept[key][1]
        try:
            got = self.link(node)[1].ask("GET", key)
        except (OSError, EOFError):
            self.drop(node)
            return None
        if isinstance(got, bytes) and got.startswith(b"-"):
            return None
        self.kept[key] = (node, got)
        return got

    def settle(self):
        for node in list(self.links):
            self.listen(node)
