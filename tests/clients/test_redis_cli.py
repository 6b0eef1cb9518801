"""redis-cli: plain, following redirections, and its own check of a cluster."""

import random
import subprocess

from torc_cluster import PATIENCE

LIMIT = 30 * PATIENCE


def redis_cli(port, *words, input_text=None):
    done = subprocess.run(["redis-cli", "-p", str(port), *map(str, words)], text=True,
                          input=input_text if input_text is not None else "",
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=LIMIT,
                          check=False)
    assert done.returncode == 0, done.stdout
    return done.stdout.rstrip("\n")


def test_plain(cluster):
    ports = [node.port for node in cluster.nodes]
    assert redis_cli(ports[0], "set", "hello", "world") == "OK"
    assert redis_cli(ports[1], "get", "hello") == "world"
    assert redis_cli(ports[2], "mset", "a", 1, "b", 2, "c", 3) == "OK"
    assert redis_cli(ports[0], "mget", "a", "b", "c").splitlines() == ["1", "2", "3"]
    assert redis_cli(ports[1], "incrby", "a", 41) == "42"
    assert redis_cli(ports[2], "expire", "a", 100) == "1"
    assert 90 < int(redis_cli(ports[0], "ttl", "a")) <= 100
    assert redis_cli(ports[1], "dbsize") == "4"
    assert redis_cli(ports[2], "get", "absent") == ""


def test_resp3(cluster):
    assert redis_cli(cluster[0].port, "-3", "set", "three", "3") == "OK"
    assert redis_cli(cluster[1].port, "-3", "get", "three") == "3"


def test_commands_from_standard_input(cluster):
    names = [f"stdin:{i}" for i in range(200)]
    text = "".join(f"set {name} {i}\n" for i, name in enumerate(names))
    assert redis_cli(cluster[0].port, input_text=text).splitlines() == ["OK"] * 200
    text = "".join(f"get {name}\n" for name in names)
    assert redis_cli(cluster[1].port, input_text=text).splitlines() == [str(i) for i in range(200)]


def test_mass_insertion(cluster):
    text = "".join(f"SET pipe:{i} {i}\r\n" for i in range(5000))
    assert "errors: 0, replies: 5000" in redis_cli(cluster[2].port, "--pipe", input_text=text)
    assert redis_cli(cluster[0].port, "dbsize") == "5000"


def test_scan_option(cluster):
    cluster[0].client().mset({f"scan:{i}": i for i in range(300)})
    found = redis_cli(cluster[1].port, "--scan", "--pattern", "scan:*").splitlines()
    assert set(found) == {f"scan:{i}" for i in range(300)}


def test_following_redirections(cluster):
    rng = random.Random(5)
    for _ in range(20):
        name = f"redirect:{rng.randrange(10**6)}"
        port = rng.choice(cluster.nodes).direct_port
        assert redis_cli(port, "-c", "set", name, name).splitlines()[-1] == "OK"
        port = rng.choice(cluster.nodes).direct_port
        assert redis_cli(port, "-c", "get", name).splitlines()[-1] == name


def test_cluster_check(cluster):
    text = redis_cli(cluster[0].port, "--cluster", "check", f"127.0.0.1:{cluster[1].direct_port}")
    assert "[OK] All nodes agree about slots configuration." in text
    assert "[OK] All 16384 slots covered." in text
    assert "[ERR]" not in text and "[WARNING]" not in text


def test_info_sections(cluster):
    text = redis_cli(cluster[0].port, "info")
    for section in ("# Server", "# Clients", "# Memory", "# Stats", "# Cluster", "# Keyspace"):
        assert section in text
