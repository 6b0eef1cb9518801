"""The near cache of libtorc: what it serves is what the servers have, or was a moment ago, whatever happens to
its connections."""

import random
import signal
import subprocess
import threading
import time

import pytest
import redis

from test_client import ENOTFOUND, ETIMEOUT, EXAMPLES, Shell, error_code
from test_client_shared import redis_cluster, redis_servers
from torc_cluster import PATIENCE, key_for, wait_until

NEAR = (1_000_000, 2000)
HIREDIS_HAS_RESP3 = not subprocess.run(["pkg-config", "--modversion", "hiredis"], stdout=subprocess.PIPE, text=True,
                                       check=True).stdout.startswith("0.")


class Near(Shell):
    """A shell with a near cache."""

    def __init__(self, seed, near=NEAR, **options):
        super().__init__(seed, near=near, **options)

    def stats(self):
        return dict(zip(("hits", "misses", "invalidations", "nodes"), map(int, self.ask(".near").split())))

    def get(self, key):
        return self.ask(f".get {key}")

    def is_hit(self, key):
        before = self.stats()["hits"]
        self.get(key)
        return self.stats()["hits"] == before + 1

    def wait_for_hits(self, *keys):
        """Until each of them is served from near. The first reading of all makes a node track."""
        for key in keys:
            wait_until(lambda key=key: self.is_hit(key), 10, f"{key} is kept")


def missing(reply):
    return error_code(reply) == ENOTFOUND


def test_what_is_read_is_kept_until_it_changes(tmp_path):
    with redis_servers(1, tmp_path) as (ports, _):
        keep_until_it_changes(ports[0])


def test_what_is_read_from_torc_is_kept_until_it_changes(new_cluster):
    cluster = new_cluster(1, ["--threads", "2"])
    cluster.wait_formed()
    keep_until_it_changes(cluster[0].port)


def keep_until_it_changes(port):
    with Near(f"127.0.0.1:{port}") as near:
        other = redis.Redis(port=port, decode_responses=True)
        other.mset({"k": "1", "untouched": "u", "gone": "g", "brief": "b"})
        near.wait_for_hits("k", "untouched", "gone", "brief", "absent")
        assert near.get("k") == "1" and missing(near.get("absent"))
        assert near.stats()["nodes"] == 1

        other.set("k", "2")
        other.set("absent", "here")
        other.delete("gone")
        other.pexpire("brief", 1)
        wait_until(lambda: near.get("k") == "2", what="a change arrives")
        wait_until(lambda: near.get("absent") == "here", what="a new key does")
        wait_until(lambda: missing(near.get("gone")), what="a deletion does")
        wait_until(lambda: missing(near.get("brief")), what="an expiry does")
        assert near.is_hit("untouched")

        near.wait_for_hits("k")
        other.flushall()
        wait_until(lambda: missing(near.get("k")), what="so does FLUSHALL")

        # An error is no value.
        other.rpush("list", "x")
        assert error_code(near.get("list")) == error_code(near.get("list")) == -16
        assert not near.is_hit("list")


def test_what_is_written_with_the_handle_is_read_at_once(tmp_path):
    with redis_servers(1, tmp_path) as (ports, _), Near(f"127.0.0.1:{ports[0]}") as near:
        near.wait_for_hits("k", "l")
        for i in range(100):
            near.ask(f".set k {i}")
            assert near.get("k") == str(i)
            assert near.ask(f"APPEND k x{i}") == f"({len(str(i)) * 2 + 1})"
            assert near.get("k") == f"{i}x{i}"
            assert near.pipeline(f"MSET k {i} l {i}")[2] == ["OK"]
            assert [near.get("k"), near.get("l")] == [str(i)] * 2
            near.ask("EVAL return(redis.call('del',KEYS[1])) 1 k")
            assert missing(near.get("k"))
        near.ask(".set k v")
        near.wait_for_hits("k")
        near.ask("FLUSHDB")
        assert missing(near.get("k"))


def test_the_example(tmp_path):
    with redis_servers(1, tmp_path) as (ports, _):
        done = subprocess.run([EXAMPLES / "near_cache", f"127.0.0.1:{ports[0]}"], stdout=subprocess.PIPE,
                              text=True, timeout=30 * PATIENCE, check=False)
        assert (done.returncode, done.stdout) == (
            0, "100000 reads, most of them near: yes\nthe change has come: yes\n")


def test_get_or_load_is_kept_too(tmp_path):
    with redis_servers(1, tmp_path) as (ports, _), Near(f"127.0.0.1:{ports[0]}") as near:
        other = redis.Redis(port=ports[0])
        near.wait_for_hits("warm")
        assert near.ask(".load k loaded") == "loaded"
        assert near.ask(".load k other") == "loaded"

        def five_hits():
            before = near.stats()["hits"]
            assert [near.ask(".load k other") for _ in range(5)] == ["loaded"] * 5
            return near.stats()["hits"] == before + 5

        # What the server says of the handle's own writing may come after the first reading.
        wait_until(five_hits, what="it is kept")
        other.delete("k")
        wait_until(lambda: near.ask(".load k again") == "again", what="the loader is asked again")


def test_a_lost_connection_voids_what_was_read(tmp_path):
    with redis_servers(1, tmp_path) as (ports, _), \
            Near(f"127.0.0.1:{ports[0]}", near=(1_000_000, 3_600_000)) as near:
        other = redis.Redis(port=ports[0], decode_responses=True)
        for number, kind in enumerate(("pubsub", "normal")):
            other.set("k", number)
            wait_until(lambda number=number: near.get("k") == str(number), what="the value before arrives")
            near.wait_for_hits("k")
            # The change comes after the connection that would tell of it, or was to be told of, is gone.
            other.client_kill_filter(_type=kind, skipme=True)
            other.set("k", f"changed {number}")
            wait_until(lambda number=number: near.get("k") == f"changed {number}", 5,
                       f"the change arrives without the {kind} connection")


def test_a_silent_server_is_believed_for_a_while_only(tmp_path):
    stale = 0.3
    with redis_servers(1, tmp_path) as (ports, processes), \
            Near(f"127.0.0.1:{ports[0]}", near=(1_000_000, int(stale * 1000)), timeout_ms=500) as near:
        redis.Redis(port=ports[0]).set("k", "v")
        near.wait_for_hits("k")
        # It goes on being good for as long as the server is heard, without being read again.
        misses = near.stats()["misses"]
        until = time.monotonic() + 2 * stale
        while time.monotonic() < until:
            near.get("k")
            time.sleep(0.02)
        assert near.stats()["misses"] <= misses + (1 if PATIENCE == 1 else 10)
        processes[0].send_signal(signal.SIGSTOP)
        stopped = time.monotonic()
        while time.monotonic() < stopped + stale:
            time.sleep(0.05)
        assert error_code(near.get("k")) == ETIMEOUT
        processes[0].send_signal(signal.SIGCONT)
        near.wait_for_hits("k")


@pytest.mark.parametrize("speaks_resp3", (True, False))
def test_changes_have_a_connection_of_their_own_only_without_resp3(tmp_path, speaks_resp3):
    """The example notices a change, and a value that comes back is what it was, in either form."""
    arguments = () if speaks_resp3 else ("--rename-command", "HELLO", "")
    in_band = HIREDIS_HAS_RESP3 and speaks_resp3
    with redis_servers(1, tmp_path, *arguments) as (ports, _), Near(f"127.0.0.1:{ports[0]}") as near:
        other = redis.Redis(port=ports[0], decode_responses=True)
        other.set("k", "1")
        near.wait_for_hits("k", "absent")
        clients = other.client_list()
        assert sum("t" in client["flags"] for client in clients) == 1  # tracks
        assert sum(client["sub"] != "0" for client in clients) == (0 if in_band else 1)
        assert [client["resp"] for client in clients if "t" in client["flags"]] == ["3" if in_band else "2"]
        assert near.ask("HSET h f 1") == "(1)" and near.ask("HGETALL h") == "[f 1]"
        other.set("k", "2")
        wait_until(lambda: near.get("k") == "2", what="a change arrives")
        assert missing(near.get("absent"))


def test_a_server_that_does_not_track_is_read_as_ever(tmp_path):
    with redis_servers(1, tmp_path, "--rename-command", "CLIENT", "") as (ports, _), \
            Near(f"127.0.0.1:{ports[0]}") as near:
        near.ask(".set k v")
        assert [near.get("k") for _ in range(20)] == ["v"] * 20
        assert near.stats() == {"hits": 0, "misses": 20, "invalidations": 0, "nodes": 0}


def test_values_never_go_back(tmp_path):
    """Counters go up while they are read from near, and while connections are lost."""
    with redis_cluster(tmp_path) as (ports, admins), Near(f"127.0.0.1:{ports[0]}") as near:
        keys = [key_for(lambda slot, part=part: slot // 4096 == part) for part in range(4)]
        seen = dict.fromkeys(keys, 0)
        stop = threading.Event()
        written = dict.fromkeys(keys, 0)

        def write():
            cluster = redis.RedisCluster(host="127.0.0.1", port=ports[0])
            draw = random.Random(7)
            while not stop.wait(0.002):
                key = draw.choice(keys)
                written[key] = cluster.incr(key)
            cluster.close()

        writer = threading.Thread(target=write)
        writer.start()
        wait_until(lambda: [near.get(key) for key in keys] and near.stats()["nodes"] == 3, 10, "all track")
        for turn in range(300):
            for key in keys:
                value = near.get(key)
                value = 0 if missing(value) else int(value)
                assert value >= seen[key], f"{key} went back from {seen[key]} to {value}"
                seen[key] = value
            if turn % 75 == 37:
                admins[turn % 3].client_kill_filter(_type=("pubsub", "normal")[turn // 75 % 2], skipme=True)
        stop.set()
        writer.join()
        wait_until(lambda: [near.get(key) for key in keys] == [str(written[key]) for key in keys], 2 * PATIENCE,
                   "all changes have arrived")
        assert near.stats()["hits"] > 100


def test_nothing_stale_is_served_through_failover_and_moves(new_cluster):
    """Counters of a cluster go up while nodes hand over, die and join; nothing that is read goes back, and what
    was written last is read in the end."""
    cluster = new_cluster(3, ["--threads", "2"], room=4)
    cluster.wait_formed()
    table = cluster.primaries()
    keys = [key_for(lambda slot, node=node: table[slot] is node, prefix)
            for node in cluster.nodes for prefix in ("a", "b", "c")]
    seen = dict.fromkeys(keys, 0)
    written = dict.fromkeys(keys, 0)
    stop = threading.Event()
    alive = [0, 1]  # the client ports that stay

    def write():
        clients = [cluster[i].client() for i in alive]
        draw = random.Random(11)
        while not stop.wait(0.001):
            key = draw.choice(keys)
            try:
                written[key] = clients[draw.randrange(2)].incr(key)
            except redis.RedisError:
                written[key] = None  # it may have been made

    def read(near):
        for key in keys:
            value = near.get(key)
            if not missing(value):
                assert int(value) >= seen[key], f"{key} went back from {seen[key]} to {value}"
                seen[key] = int(value)

    seeds = ",".join(f"127.0.0.1:{cluster[i].port}" for i in alive)
    with Near(seeds) as near:
        writer = threading.Thread(target=write)
        writer.start()
        try:
            wait_until(lambda: read(near) or near.stats()["nodes"] == 3, 10, "all track")
            for change in (lambda: cluster.add(), lambda: cluster[2].kill(),
                           lambda: cluster[0].client().execute_command("CLUSTER", "FAILOVER")):
                change()
                until = time.monotonic() + 1
                while time.monotonic() < until:
                    read(near)
        finally:
            stop.set()
            writer.join()
        truth = redis.Redis(port=cluster[0].port, decode_responses=True)
        expected = [truth.get(key) for key in keys]
        wait_until(lambda: [near.get(key) for key in keys] == expected, 2 * PATIENCE, "all changes have arrived")
        wait_until(lambda: all(near.is_hit(key) for key in keys), 10, "all is kept again")
        stats = near.stats()
        assert stats["hits"] > 100 and stats["invalidations"] > 20, stats
