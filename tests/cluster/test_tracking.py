"""CLIENT TRACKING: whoever keeps what it has read is told when that changes, by whatever and wherever."""

import os
import random
import re
import socket
import threading

import pytest

from recovery import epoch, fast_arguments, wait_recovered
from test_client import pause
from test_client_near import Near
from torc_cluster import PATIENCE, Cluster, Raw, encode, key_for, parse_info, slot_of, wait_until
from tracking_client import ALL, CHANNEL, Client, NearCache, redirected, resp3, subscriber


@pytest.fixture(scope="module")
def alone_cluster():
    with Cluster(1, ["--threads", 3]) as cluster:
        yield cluster


@pytest.fixture
def alone(alone_cluster):
    """One node, empty, with nobody who tracks."""
    node = alone_cluster[0]
    node.client().flushall()
    yield node
    for client in Client.opened:
        client.socket.close()
    Client.opened.clear()
    wait_until(lambda: tracking_info(node)["tracking_clients"] == 0)


@pytest.fixture(scope="module")
def quick():
    """Three nodes that notice faults soon."""
    with Cluster(3, fast_arguments(lease_ms=400)) as cluster:
        yield cluster


# Redis's errors and replies, on connections by name; a $ before a name is that connection's id.
SCRIPT = """
    a SUBSCRIBE __redis__:invalidate
    a PING
    a PING x
    a GET x
    a get
    a CLIENT ID
    a HELLO 3
    a UNSUBSCRIBE foo
    a SUBSCRIBE __redis__:invalidate __redis__:invalidate
    b CLIENT TRACKING ON REDIRECT $a
    b CLIENT TRACKINGINFO
    b CLIENT GETREDIR
    b CLIENT INFO
    a! CLIENT INFO
    b GET k
    w SET k v
    b GET k
    w DEL k
    w SET k again
    b MGET k{k} {k}2
    w FLUSHALL
    b GET k
    w SET k v
    a UNSUBSCRIBE
    a UNSUBSCRIBE
    b GET k
    w SET k v
    a HELLO 3
    a SUBSCRIBE __redis__:invalidate
    a PING
    a GET x
    a UNSUBSCRIBE
    b GET k
    w SET k v
    b HELLO 3
    b GET k
    w APPEND k v
    b CLIENT TRACKING OFF
    b CLIENT TRACKING OFF
    b CLIENT TRACKINGINFO
    b CLIENT GETREDIR
    b CLIENT TRACKING
    b CLIENT TRACKING FOO
    b CLIENT TRACKING FOO BAR
    b CLIENT TRACKING ON FOO
    b CLIENT TRACKING OFF FOO
    b CLIENT TRACKING OFF OPTIN
    b CLIENT TRACKING ON REDIRECT
    b CLIENT TRACKING ON REDIRECT x
    b CLIENT TRACKING ON REDIRECT 0
    b CLIENT TRACKING ON REDIRECT -1
    b CLIENT TRACKING ON REDIRECT 999999
    b CLIENT TRACKING ON REDIRECT $a REDIRECT $w
    b CLIENT TRACKING ON PREFIX a
    b CLIENT TRACKING ON PREFIX
    b CLIENT TRACKING ON BCAST OPTIN
    b CLIENT TRACKING ON OPTIN OPTOUT
    b CLIENT TRACKING ON BCAST PREFIX a PREFIX ab
    b CLIENT CACHING YES
    b CLIENT CACHING FOO
    b CLIENT CACHING
    b CLIENT TRACKING ON OPTIN
    b CLIENT TRACKINGINFO
    b CLIENT CACHING NO
    b CLIENT CACHING FOO
    b GET o1
    w SET o1 v
    b CLIENT CACHING YES
    b CLIENT TRACKINGINFO
    b CLIENT ID
    b GET o1
    b GET o2
    w SET o1 v
    w SET o2 v
    b CLIENT CACHING YES
    b PING
    b GET o1
    w SET o1 v
    b CLIENT CACHING YES
    b NOSUCHCOMMAND
    b GET o1
    w SET o1 v
    b CLIENT TRACKING ON OPTOUT
    b CLIENT TRACKING ON BCAST
    b CLIENT TRACKING ON
    b CLIENT TRACKING OFF
    b CLIENT TRACKING ON OPTOUT NOLOOP
    b CLIENT CACHING YES
    b GET o1
    w SET o1 v
    b CLIENT CACHING NO
    b CLIENT TRACKINGINFO
    b GET o1
    w SET o1 v
    b GET o1
    b SET o1 mine
    w SET o1 v
    b CLIENT INFO
    b CLIENT TRACKING OFF
    b CLIENT TRACKING ON
    w FLUSHALL
    b GET o1
    b SET o1 mine
    b GET o1
    b FLUSHALL
    b CLIENT TRACKING OFF
    b CLIENT TRACKING ON BCAST PREFIX b PREFIX a
    b CLIENT TRACKING ON BCAST PREFIX c
    b CLIENT TRACKING ON BCAST PREFIX ab
    b CLIENT TRACKING ON
    b CLIENT TRACKINGINFO
    b CLIENT INFO
    w SET a1 x
    w SET zz x
    w DEL c1
    b SET b1 x
    w MSET {a}1 1 {a}2 2
    w FLUSHALL
    b CLIENT TRACKING ON BCAST
    b CLIENT TRACKING ON BCAST
    b CLIENT TRACKING ON BCAST PREFIX d
    b CLIENT TRACKINGINFO
    w SET zz y
    b RESET
    b CLIENT INFO
    b CLIENT TRACKINGINFO
    b CLIENT TRACKING ON
    b SUBSCRIBE __redis__:invalidate
    b GET k
    b RESET
    b GET k
    b CLIENT TRACKINGINFO
    c CLIENT TRACKING ON REDIRECT $a
    c GET gone
    a QUIT
    w SET gone x
    c CLIENT TRACKINGINFO
    c HELLO 3
    c GET gone
    w SET gone y
    c CLIENT INFO
    c CLIENT TRACKING ON
    c CLIENT TRACKINGINFO
    c LPUSH list v
    c LRANGE list 0 -1
    w BLPOP list 1
    c HGETALL hash
    w HSET hash f v
    c SMEMBERS set
    w SUNIONSTORE set {set}other
    w SADD set m
    c EXISTS e
    w SETEX e 100 v
    c TTL e
    w PERSIST e
    c TYPE e
    w RENAME e {e}2
    c GET {e}2
    w GETDEL {e}2
    b QUIT
"""


class Scripted:
    """Runs SCRIPT and gives back what came of each line."""

    def __init__(self, port):
        self.port = port
        self.clients = {name: Client(port) for name in "abcw"}
        self.ids = {name: client.number("CLIENT", "ID") for name, client in self.clients.items()}

    def _plain(self, got):
        """Without what differs between servers."""
        text = repr(got)
        if "laddr" in text:
            fields = dict(re.findall(r" (flags|redir|sub|resp)=(-?\w+)", text))
            number = int(fields.pop("redir"))
            names = [name for name, known in self.ids.items() if known == number]
            return fields, names or number
        for name, number in self.ids.items():
            text = text.replace(f"b':{number}'", f"${name}")
        return "HELLO" if "proto" in text else text

    def run(self, line):
        name, *words = line.split()
        words = [str(self.ids[word[1:]]) if word[:1] == "$" else word for word in words]
        if name.endswith("!"):  # what others see of it
            return self._plain([row for row in repr(self.clients["w"].ask("CLIENT", "LIST")).split("\\n")
                                if f"id={self.ids[name[:-1]]} " in row])
        client = self.clients[name]
        got = self._plain(client.ask(*words))
        if len(words) == 3 and words[0] == "SUBSCRIBE":
            got += self._plain(client.reply())
        if words[0] == "QUIT":
            with pytest.raises((EOFError, ConnectionError)):
                client.ask("PING")
            del self.clients[name]
        told = {name: sorted(set(other.changes())) for name, other in self.clients.items()}
        return got, told


def test_replies_are_those_of_redis(alone, redis_server):
    ours, redis = Scripted(alone.direct_port), Scripted(redis_server)
    for line in SCRIPT.strip().splitlines():
        assert ours.run(line) == redis.run(line), line.strip()


def test_one_channel_and_one_port(alone):
    client = Client(alone.direct_port)
    assert b"Torc has no channels but __redis__:invalidate" in client.ask("SUBSCRIBE", CHANNEL, "news")
    assert client.ask("GET", "k") == b"$-1", "it is not subscribed to either"
    assert b"works on the direct port" in Client(alone.port).ask("CLIENT", "TRACKING", "ON", "BCAST")
    listed = [client.ask("CLIENT", "LIST", "TYPE", kind)[1] for kind in ("pubsub", "normal")]
    mark = b"id=%d " % client.number("CLIENT", "ID")
    assert [mark in text for text in listed] == [False, True]
    client.ask("SUBSCRIBE", CHANNEL)
    listed = [alone.ask("CLIENT", "LIST", "TYPE", kind) for kind in ("pubsub", "normal")]
    assert [mark in text for text in listed] == [True, False]


def tracking_info(node):
    return {name: int(value) for section in ("clients", "stats")
            for name, value in parse_info(node.ask("INFO", section)).items() if "tracking" in name}


def test_figures(alone):
    assert set(tracking_info(alone).values()) == {0}
    to = subscriber(alone.direct_port)
    clients = [redirected(alone.direct_port, to) for _ in range(3)]
    broad = resp3(alone.direct_port, "ON", "BCAST", "PREFIX", "x", "PREFIX", "y")
    for key in "pqrs":
        for client in clients:
            client.value(key)
            client.value(key)
    assert tracking_info(alone) == {"tracking_clients": 4, "tracking_total_keys": 4,
                                    "tracking_total_items": 12, "tracking_total_prefixes": 2}
    clients[0].ask("SET", "p", 1)
    assert to.changes() == ["p"] * 3
    clients[1].socket.close()
    wait_until(lambda: tracking_info(alone)["tracking_clients"] == 3)
    broad.ask("CLIENT", "TRACKING", "OFF")
    clients[0].ask("SET", "q", 1)
    assert to.changes() == ["q"] * 2, "of who is gone nobody is told"
    alone.ask("FLUSHALL")
    assert tracking_info(alone)["tracking_total_keys"] == 0
    assert ALL in to.changes()


def test_a_ping_comes_behind_what_was_changed_before(alone):
    """Whichever of the workers has the connection that is told, that which reads and that which writes."""
    listeners = [subscriber(alone.direct_port) for _ in range(5)]
    readers = [redirected(alone.direct_port, to) for to in listeners]
    writers = [Client(alone.direct_port) for _ in range(4)]
    for number in range(400):
        key = f"key:{number % 7}"
        values = {reader.value(key) for reader in readers}
        assert len(values) == 1
        assert writers[number % 4].ask("SET", key, number) == b"+OK"
        assert [to.changes() for to in listeners] == [[key]] * 5


def test_expiry_and_eviction(alone):
    client = resp3(alone.direct_port, "ON")
    client.ask("SET", "soon", "v", "PX", 30)
    assert client.changes() == []
    client.value("soon")
    wait_until(lambda: "soon" in client.changes(), 5, "the sweep deletes it, and that is told")
    kept = {f"kept:{number}": None for number in range(500)}
    client.ask("MSET", "{a}", "b" * 1000)
    for key in kept:
        client.ask("SET", key, "x" * 1000)
        client.value(key)
    client.changes()
    before = alone.client().info("memory")["used_memory"]
    try:
        assert alone.ask("CONFIG", "SET", "maxmemory", 24 << 20) == b"OK"
        filler = alone.client(direct=True)
        told = set()
        for number in range(200):
            with filler.pipeline(transaction=False) as pipe:
                for index in range(100):
                    pipe.set(f"fill:{number}:{index}", "y" * 2000)
                pipe.execute()
            told.update(client.changes())
            if len(told & set(kept)) > 100:
                break
        missing = {key for key in kept if not alone.client(direct=True).exists(key)}
        told.update(client.changes())
        assert len(missing) > 100, f"used before: {before}"
        assert missing <= told
    finally:
        alone.ask("CONFIG", "SET", "maxmemory", 0)


def test_no_more_keys_than_there_may_be(alone):
    to = subscriber(alone.direct_port)
    client = redirected(alone.direct_port, to)
    try:
        assert alone.ask("CONFIG", "SET", "tracking-table-max-keys", 10) == b"OK"
        told = set()
        for number in range(60):
            client.value(f"many:{number}")
            told.update(to.changes())
        wait_until(lambda: tracking_info(alone)["tracking_total_keys"] <= 10)
        told.update(to.changes())
        assert 50 <= len(told) < 60
        for number in range(60):
            client.ask("SET", f"many:{number}", 1)
        told.update(to.changes())
        assert told == {f"many:{number}" for number in range(60)}
    finally:
        alone.ask("CONFIG", "SET", "tracking-table-max-keys", 1000000)


def test_told_while_it_waits(alone):
    """A command that waits for values does not keep what is to be told; what was read before it comes first."""
    client = resp3(alone.direct_port, "ON")
    client.send(encode("GET", "k") + encode("BLPOP", "none", 0))
    assert client.next()[0] == b"_"
    alone.ask("SET", "k", 1)
    assert client.next()[1] == ["k"]
    alone.ask("RPUSH", "none", "v")
    assert client.next()[0][0] == b"*2"


def test_a_read_that_was_held_is_noted(alone):
    client = resp3(alone.direct_port, "ON")
    assert alone.ask("CLIENT", "PAUSE", 10000, "WRITE") == b"OK"
    client.send(encode("SET", "k", 1) + encode("GET", "k"))
    assert alone.ask("CLIENT", "UNPAUSE") == b"OK"
    assert client.next()[0] == b"+OK"
    assert client.next()[0] == (b"$1", b"1\r\n")
    assert alone.ask("SET", "k", 2) == b"OK"
    assert client.next()[1] == ["k"]


def test_who_does_not_read_is_closed(alone):
    to = subscriber(alone.direct_port)
    to.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    broad = [Client(alone.direct_port) for _ in range(32)]
    for client in broad:
        assert client.ask("CLIENT", "TRACKING", "ON", "BCAST", "REDIRECT", to.id) == b"+OK"
    key = "k" * 12000
    writer = Client(alone.direct_port)
    mark = b"id=%d " % to.id
    for _ in range(300):
        writer.ask("SET", key, 1)
        if mark not in alone.ask("CLIENT", "LIST"):
            break
    wait_until(lambda: mark not in alone.ask("CLIENT", "LIST"))
    writer.ask("SET", key, 1)
    wait_until(lambda: b"broken_redirect" in repr(broad[0].ask("CLIENT", "TRACKINGINFO")).encode())


class Writers:
    """Threads that write to keys until told to stop, at any node."""

    def __init__(self, cluster, keys, seed):
        self.cluster = cluster
        self.keys = keys
        self.ends = threading.Event()
        self.threads = [threading.Thread(target=self.run, args=(seed + i,)) for i in range(2)]
        self.writes = 0

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.ends.set()
        for thread in self.threads:
            thread.join()

    def run(self, seed):
        rng = random.Random(seed)
        raw = None
        while not self.ends.is_set():
            try:
                if raw is None:
                    raw = Raw(rng.choice(self.cluster.running()).port)
                key = rng.choice(self.keys)
                words = rng.choice([("SET", key, rng.random()), ("DEL", key), ("APPEND", key, "x"),
                                    ("SET", key, rng.random(), "PX", rng.randrange(1, 100))])
                raw.command(*words)
                self.writes += 1
            except (OSError, EOFError):
                raw = None


def find_stale(cluster, caches, keys):
    with cluster.running()[0].raw() as raw:
        for key in keys:
            now = raw.command("GET", key)
            for cache in caches:
                kept = cache.kept.get(key, (None, now))[1]
                kept = kept[1][:-2] if isinstance(kept, tuple) else None if kept in (b"_", b"$-1") else kept
                if kept != now:
                    return f"{key} at RESP{cache.protocol}, direct {cache.direct}: {kept}, not {now}"
    return ""


def check_nothing_stale(cluster, caches, keys):
    """What was read at its owner is never stale once everybody has been asked; what was read through another
    node not for long."""
    for cache in caches:
        cache.settle()
    assert not find_stale(cluster, [cache for cache in caches if cache.direct], keys)

    def fresh():
        for cache in caches:
            cache.settle()
        stale = find_stale(cluster, caches, keys)
        if stale:
            raise OSError(stale)  # so that wait_until shows the last one
        return True

    wait_until(fresh, 5)
    return sum(len(cache.kept) for cache in caches)


def seeded():
    seed = int(os.environ.get("TORC_SEED", random.randrange(2**32)))
    print(f"seed {seed}")
    return seed


def read_for(rng, caches, table, keys, count):
    for _ in range(count):
        key = rng.choice(keys)
        for cache in caches:
            cache.get(key, table[slot_of(key)])
        for cache in caches:
            if cache.links and rng.random() < 0.2:
                cache.listen(rng.choice(list(cache.links)))


def test_what_is_kept_is_never_stale(quick):
    """Through writes, expiry, and a hand-over of all slots of a node in the middle."""
    seed = seeded()
    rng = random.Random(seed)
    keys = [f"near:{number}" for number in range(40)]
    caches = [NearCache(quick, protocol, direct) for protocol in (2, 3) for direct in (True, False)]
    kept = 0
    for turn in range(2):
        table = quick.primaries()
        with Writers(quick, keys, seed + turn):
            read_for(rng, caches, table, keys, 150)
            if turn == 1:
                assert quick[1].ask("CLUSTER", "FAILOVER") == b"OK"
            read_for(rng, caches, table, keys, 150)
        wait_recovered(quick)
        # Whatever expires has expired.
        wait_until(lambda: all(quick[0].ask("PTTL", key) < 0 for key in keys))
        kept += check_nothing_stale(quick, caches, keys)
    assert kept > 0 and all(cache.hits > 0 for cache in caches)
    for cache in caches:
        cache.close()


def change_before_the_reply(client, writer, key, noted_at, stopped):
    """Has the client write and read a key, and the writer change it once the read is noted, while these nodes
    stand still, for which the reply waits. The client is told of the change behind what it has read."""
    before = tracking_info(noted_at)["tracking_total_keys"]
    for node in stopped:
        pause(node)
    try:
        client.send(encode("SET", key, "first") + encode("GET", key))
        wait_until(lambda: tracking_info(noted_at)["tracking_total_keys"] > before)
        writer.send(encode("SET", key, "second"))
        wait_until(lambda: tracking_info(noted_at)["tracking_total_keys"] == before)
    finally:
        for node in stopped:
            node.resume()
    assert client.next()[0] == b"+OK"
    assert client.next()[0] == (b"$5", b"first\r\n")
    assert client.next()[1] == [key]


def test_a_reply_comes_before_what_it_says_has_changed(quick):
    """On one connection; also when the reply has to wait for the replicas."""
    wait_recovered(quick)
    node = quick[0]
    key = led_by(quick, node, "order")[0]
    client, writer = resp3(node.direct_port, "ON"), node.raw(direct=True)
    change_before_the_reply(client, writer, key, node, [quick[1], quick[2]])
    writer.socket.close()


def test_what_was_read_at_another_node(quick):
    """At the client port of a node that leads none of the keys, or some."""
    wait_recovered(quick)
    asked, owner = quick[0], quick[1]
    owner.ask("FLUSHALL")
    keys = led_by(quick, owner, "far")[:20] + led_by(quick, asked, "near")[:20]
    to, client = subscriber(asked.port), resp3(asked.port, "ON", "OPTOUT")
    other = redirected(asked.port, to)
    owner.ask("SET", keys[0], "v", "PX", int(100 * PATIENCE))
    for key in keys[:10]:
        client.value(key)
    for _ in range(2):  # what is asked for again is noted once
        client.ask("MGET", *keys[10:])
        other.ask("MGET", *keys)

    def told(who, *wanted):
        seen = []

        def is_told():
            seen.extend(who.changes())
            return set(wanted) <= set(seen)

        wait_until(is_told, 5, f"told of {wanted}")
        assert ALL in wanted or set(seen) == set(wanted), seen

    told(client, keys[0])  # it has expired
    told(to, keys[0])
    for number, key in enumerate(keys[1:], 1):
        quick[number % 3].ask(*[("SET", key, "w"), ("RPUSH", key, "w"), ("HSET", key, "f", "w")][number % 3])
    told(client, *keys[1:])
    told(to, *keys[1:])
    quick[2].ask("SET", keys[1], "again")
    assert client.ask("CLIENT", "CACHING", "NO") == b"+OK"
    client.value(keys[1])
    client.value(keys[2])
    other.value(keys[3])
    quick[2].ask("DEL", keys[1])
    quick[2].ask("DEL", keys[2])
    told(client, keys[2])
    quick[2].ask("FLUSHALL")
    told(client, ALL)
    told(to, ALL)


def test_a_change_that_overtakes_the_reply(quick):
    """The owner has noted the read and answers when the replica has what was read; by then it has told of a
    change already. Whoever asked is told behind the reply."""
    wait_recovered(quick)
    asked, owner, replica = quick.nodes

    def is_copied(key):
        return [node.kept_raw().command("CLUSTER", "COUNTKEYSINSLOT", slot_of(key)) for node in quick.nodes]

    for key in led_by(quick, owner, "overtaken"):
        assert owner.ask("SET", key, "zeroth") == b"OK"
        if is_copied(key) == [0, 1, 1]:
            break
    client, writer = resp3(asked.port, "ON"), owner.raw(direct=True)
    change_before_the_reply(client, writer, key, owner, [replica])
    writer.socket.close()


def test_the_other_node_is_gone(quick):
    """What was read there may change unheard: it is told to have changed."""
    wait_recovered(quick)
    owner = quick[1]
    keys = led_by(quick, owner, "gone")[:10]
    clients = [resp3(node.port, "ON") for node in (quick[0], quick[2])]
    for client in clients:
        client.ask("MGET", *keys)
    owner.pause()
    try:
        told = [set(), set()]
        for client, seen in zip(clients, told):
            while not set(keys) <= seen:
                seen.update(client.next()[1])
    finally:
        owner.resume()
    wait_recovered(quick)


def led_by(cluster, node, prefix):
    """A hundred keys."""
    table = cluster.primaries()
    return [key_for(lambda slot: table[slot] is node, f"{prefix}:{number}") for number in range(100)]


def test_a_slot_that_goes_takes_what_was_kept_with_it(quick):
    """CLUSTER FAILOVER: whoever keeps keys is told of each when the new owner may change it."""
    wait_recovered(quick)
    node = quick[2]
    node.ask("FLUSHALL")
    keys = led_by(quick, node, "moved")
    to, broad = subscriber(node.direct_port), resp3(node.direct_port, "ON", "BCAST")
    client = redirected(node.direct_port, to)
    assert client.ask("READONLY") == b"+OK"
    for key in keys:
        client.value(key)
    assert tracking_info(node)["tracking_total_keys"] == len(keys)
    before = epoch(quick, node)
    assert quick[0].ask("CLUSTER", "FAILOVER") == b"OK"
    wait_until(lambda: epoch(quick, node) > before, 10)
    wait_recovered(quick)
    table = quick.primaries()
    moved = {key for key in keys if table[slot_of(key)] is not node}
    assert moved
    # A replica may be the last to know: it answers no reads that are kept.
    assert client.ask("GET", min(moved)).startswith(b"-MOVED")
    assert set(to.changes()) == moved
    assert ALL in broad.changes()
    assert tracking_info(node)["tracking_total_keys"] == len(keys) - len(moved)


def test_without_a_lease_nothing_may_be_kept(quick):
    """A node that reaches no majority tells everybody, once, and before it answers a PING."""
    wait_recovered(quick)
    node = quick[0]
    keys = led_by(quick, node, "lease")
    to, broad = subscriber(node.direct_port), resp3(node.direct_port, "ON", "BCAST")
    client, idle = redirected(node.direct_port, to), resp3(node.direct_port, "ON")
    for key in keys:
        client.value(key)
    quick[1].pause()
    quick[2].pause()
    try:
        assert idle.next()[1] == [ALL], "without being asked"
        assert ALL in to.changes() and ALL in broad.changes()
        assert tracking_info(node)["tracking_total_keys"] == 0
    finally:
        quick[1].resume()
        quick[2].resume()
    wait_recovered(quick)
    to.changes()
    key = led_by(quick, node, "again")[0]
    client.value(key)
    quick[1].ask("SET", key, "v")
    assert key in to.changes()


def test_the_near_cache_of_libtorc(quick):
    """It keeps what it reads from Torc's nodes, and hears of changes made through any of them."""
    wait_recovered(quick)
    keys = [led_by(quick, node, f"libtorc{node.index}")[0] for node in quick.nodes]
    with Near(f"127.0.0.1:{quick[0].port}") as near:
        for number in range(3):
            for key, node in zip(keys, quick.nodes):
                assert node.ask("SET", key, number) == b"OK"
            for key in keys:
                wait_until(lambda key=key, number=number: near.get(key) == str(number))
            near.wait_for_hits(*keys)
        assert near.stats()["nodes"] == 3
