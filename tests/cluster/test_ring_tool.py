"""torc-ring against real nodes: what it shows, its exit codes, its errors."""

import json
import os
import pty
import subprocess

import pytest

from ring_tool import PROBLEM, RING, UNREACHABLE, USAGE, WELL
from torc_cluster import PATIENCE, ROOT, listening_socket, slot_of, wait_until


def run(*arguments, **options):
    done = subprocess.run([RING, *map(str, arguments)], stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                          timeout=20 * PATIENCE, check=False, **options)
    return done.returncode, done.stdout, done.stderr


def at(node, *arguments):
    return run("-s", f"127.0.0.1:{node.port}", *arguments)


def holders(cluster, key):
    """Direct ports of the nodes that hold the key's slot, by asking each for its keys: the primary first."""
    holding = [node for node in cluster.nodes
               if node.ask("CLUSTER", "COUNTKEYSINSLOT", slot_of(key)) > 0]
    primary = cluster.primary(key)
    return [node.direct_port for node in sorted(holding, key=lambda node: node is not primary)]


def node_at(cluster, direct_port):
    return next(node for node in cluster.nodes if node.direct_port == direct_port)


def healthy(cluster, *arguments):
    """What `arguments` show once copies are up everywhere."""
    def shown():
        code, out, err = at(cluster[0], *arguments)
        return out if (code, err) == (WELL, "") else None
    return wait_until(shown, 20, "torc-ring finds nothing wrong")


def test_status_of_a_healthy_cluster(cluster):
    cluster[0].client().set("a", "x")
    out = healthy(cluster, "status")
    assert all(len(line) <= 80 for line in out.splitlines()), out
    lines = out.splitlines()
    assert lines[0].startswith("cluster ") and "copies 2, nodes 3 (3 up)" in lines[1]
    rows = [line.split() for line in lines[4:]]
    rows, totals = rows[:3], rows[3:]
    assert [row[1] for row in rows] == sorted(f"127.0.0.1:{n.port}" for n in cluster.nodes)
    assert all(row[2] == "up" and row[3] == "1" for row in rows)
    assert sum(int(row[4]) for row in rows) == 16384
    assert totals[0][:3] == ["all", "16384", "2"]
    assert totals[1][:4] == ["most", "over", "its", "due"]
    assert "\033" not in out


def test_status_as_json_agrees_with_the_nodes(cluster):
    cluster[0].client().mset({f"k{i}": "x" for i in range(100)})
    cluster.wait_copied([f"k{i}" for i in range(100)])
    status = json.loads(healthy(cluster, "status", "--json"))
    assert status["copies"] == 2 and status["warnings"] == []
    assert status["slots_without_owner"] == status["slots_short"] == 0
    assert sum(node["keys"] for node in status["nodes"]) == 200
    leaders = [node.direct_port for node in cluster.primaries().values()]
    for node in status["nodes"]:
        led = leaders.count(node["direct_port"])
        assert node["primaries"] == led
        assert node["weight"] == node["weight_asked"] == 1
        assert node["version"] and node["lease_ms_left"] > 0 and node["lag_bytes"] is not None
        assert node["id"] == node_at(cluster, node["direct_port"]).ask("CLUSTER", "MYID").decode()


def test_slots_of_keys(cluster):
    keys = ["foo", "{user1}:a", "{user1}:b", "with blank", "--odd"]
    cluster[0].client().mset(dict.fromkeys(keys, "x"))
    cluster.wait_copied(keys)
    code, out, _ = at(cluster[1], "slots", "--json", "--", *keys)
    assert code == WELL
    shown = json.loads(out)
    assert [entry["key"] for entry in shown] == keys
    for entry in shown:
        assert entry["slot"] == slot_of(entry["key"])
        ports = [entry["primary"]["direct_port"], *(r["direct_port"] for r in entry["replicas"])]
        assert ports == holders(cluster, entry["key"])
    code, out, _ = at(cluster[1], "slots", "foo")
    primary, replica = (node_at(cluster, port).port for port in holders(cluster, "foo"))
    assert code == WELL
    assert out.splitlines()[1].split() == [
        "foo", "12182", f"127.0.0.1:{primary}", f"127.0.0.1:{replica}"]


def test_a_node_that_is_down_is_a_problem(new_cluster):
    cluster = new_cluster(3)
    healthy(cluster, "status")
    cluster[2].kill()
    address = f"127.0.0.1:{cluster[2].port}"

    def problem():
        code, out, _ = at(cluster[0], "status")
        return code == PROBLEM and out
    out = wait_until(problem, 20, "the node is missed")
    assert f"({address}) does not answer" in out or f"({address}) is down" in out
    out = wait_until(lambda: "is down" in (shown := at(cluster[1], "status")[1]) and shown, 20,
                     "the view says down")
    assert "slots have fewer than 2 copies" in out
    row = next(line for line in out.splitlines() if f" {address} " in line)
    assert " down " in row and row.split()[-4:-1] == ["?", "?", "?"]
    assert all(len(line) <= 80 for line in out.splitlines()), out


def test_a_node_that_hangs_does_not_make_people_wait(new_cluster):
    cluster = new_cluster(3)
    healthy(cluster, "status")
    cluster[1].pause()
    try:
        code, out, _ = at(cluster[0], "status")
    finally:
        cluster[1].resume()
    assert code == PROBLEM
    assert f"(127.0.0.1:{cluster[1].port}) " in out


@pytest.mark.parametrize("arguments, named", [
    ([], "accepted: status, slots"),
    (["-s", "127.0.0.1:1"], "accepted: status, slots"),
    (["-s", "127.0.0.1:1", "move"], "unknown verb 'move'; accepted: status, slots"),
    (["-s", "127.0.0.1:1", "weight", "beef", "x"], "'x' is no weight; accepted: 0 to 100"),
    (["status"], "-s is missing"),
    (["-s", "127.0.0.1", "status"], "-s: seeds: '127.0.0.1' is not accepted; accepted: host:port"),
    (["-s", "127.0.0.1:1", "slots"], "slots: a key is missing"),
    (["-s", "127.0.0.1:1", "--yes", "status"], "--yes: only with add, drain"),
])
def test_wrong_usage(arguments, named):
    code, out, err = run(*arguments)
    assert (code, out) == (USAGE, "")
    assert err.startswith("torc-ring: ") and named in err


def test_help_and_version():
    code, out, err = run("--help")
    assert (code, err) == (WELL, "") and "status" in out and "Exit codes" in out
    code, out, err = run("--version")
    assert (code, err) == (WELL, "") and out.startswith("torc-ring 0.")


def test_nobody_there():
    with listening_socket() as closed:
        address = f"127.0.0.1:{closed.getsockname()[1]}"
    code, out, err = run("-s", address, "status")
    assert (code, out) == (UNREACHABLE, "")
    assert f"cannot read the ring from {address}" in err and "refused" in err


def test_colour_only_on_a_terminal_that_wants_it(cluster):
    def shown_on_a_terminal(environment):
        master, slave = pty.openpty()
        try:
            subprocess.run([RING, "-s", f"127.0.0.1:{cluster[0].port}", "status"], stdout=slave,
                           timeout=20 * PATIENCE, check=False, env=environment)
            os.close(slave)
            slave = -1
            return os.read(master, 65536)
        finally:
            os.close(master)
            if slave >= 0:
                os.close(slave)
    plain = {name: value for name, value in os.environ.items() if name != "NO_COLOR"}
    assert b"\033[32mup" in shown_on_a_terminal(plain)
    assert b"\033" not in shown_on_a_terminal({**plain, "NO_COLOR": "1"})


def test_output_that_cannot_be_written_is_an_error(cluster):
    with open("/dev/full", "w") as full:
        done = subprocess.run([RING, "-s", f"127.0.0.1:{cluster[0].port}", "status"], stdout=full,
                              stderr=subprocess.PIPE, text=True, timeout=20 * PATIENCE, check=False)
    assert done.returncode == PROBLEM and "cannot write" in done.stderr


def complete(line, breaks=" :"):
    """What bash offers for the last word of the line."""
    script = ('source "$1"; COMP_WORDBREAKS=$3; COMP_LINE=$2; COMP_POINT=${#COMP_LINE}; '
              'COMP_WORDS=("$4"); _torc_ring; printf "%s\\n" "${COMPREPLY[@]}"')
    done = subprocess.run(["bash", "-c", script, "bash", ROOT / "client/ring/torc-ring.bash", line, breaks,
                           RING], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                          timeout=10 * PATIENCE, check=True)
    assert done.stderr == ""
    return done.stdout.split()


@pytest.mark.parametrize("line, offered", [
    ("torc-ring ", "status slots plan add drain weight remove rebalance cancel watch check"),
    ("torc-ring -s 127.0.0.1:1 st", "status"),
    ("torc-ring --server 127.0.0.1:1 plan re", "remove rebalance"),
    ("torc-ring -s 127.0.0.1:1 rebalance ", "--by"),
    ("torc-ring -s 127.0.0.1:1 plan rebalance --by ", "bytes ops slots"),
    ("torc-ring status --", "--server --json --help --version"),
    ("torc-ring drain x --", "--server --json --help --version --yes --watch"),
    ("torc-ring plan rebalance --", "--server --json --help --version --by"),
    ("torc-ring drain ", ""),
    ("torc-ring -s ", ""),
])
def test_completion_of_words(line, offered):
    assert complete(line) == offered.split()


def test_completion_of_nodes(cluster):
    nodes = sorted(f"127.0.0.1:{node.port}" for node in cluster.nodes)
    line = f"torc-ring -s {nodes[0]} drain 127"
    assert sorted(complete(line)) == nodes
    # Of a word with a colon bash replaces only what is behind it.
    assert complete(f"torc-ring -s {nodes[0]} plan weight {nodes[1][:-2]}") != []
    assert complete(f"torc-ring -s {nodes[0]} drain {nodes[1]}") == [nodes[1].split(":")[1]]
    assert complete(f"torc-ring -s {nodes[0]} drain {nodes[1]}", " ") == [nodes[1]]
    assert complete(f"torc-ring -s {nodes[0]} weight {nodes[1]} ") == []
