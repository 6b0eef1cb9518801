"""./dev up and ./dev down, on ports and in a folder of the test's own."""

import os
import re
import socket
import subprocess

import pytest
import redis

from torc_cluster import PATIENCE, ROOT, free_port_base

NODES_MAX = 5


class Dev:
    def __init__(self, folder, base):
        self.folder = folder
        self.port = base  # node i listens on base + i
        self.environment = dict(os.environ, TORC_DEV_PORT=str(base), TORC_DEV_DIR=str(folder))

    def __call__(self, *arguments, limit=300):
        done = subprocess.run(
            [ROOT / "dev", *map(str, arguments)], env=self.environment, stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            timeout=limit * PATIENCE, check=False)
        return done.returncode, done.stdout

    def pids(self):
        return {path.parent.name: int(path.read_text())
                for path in sorted(self.folder.glob("node-*/pid"))}


def runs(pid):
    """False also for a process that has ended and whose parent has not asked how."""
    try:
        return bool(os.readlink(f"/proc/{pid}/exe"))
    except OSError:
        return False


@pytest.fixture
def dev(tmp_path):
    runner = Dev(tmp_path / "dev", free_port_base(NODES_MAX + 1))
    yield runner
    runner("down")


def test_up_is_idempotent_grows_and_down_leaves_nothing(dev):
    code, text = dev("up")
    assert code == 0, text
    assert all(len(line) <= 80 for line in text.splitlines()), text
    rows = re.findall(r"^\d +(\d+) +([0-9a-f]{12}) +(\d+) +(\d+)$", text, re.MULTILINE)
    assert [int(row[0]) for row in rows] == [dev.port + i for i in (1, 2, 3)]
    assert sum(int(row[3]) for row in rows) == 16384
    first = dev.pids()
    assert [int(row[2]) for row in rows] == list(first.values())
    redis.Redis(port=dev.port + 1).set("hello", "world")
    assert redis.Redis(port=dev.port + 3).get("hello") == b"world"

    code, text = dev("up")
    assert code == 0 and dev.pids() == first, text

    code, text = dev("up", "--nodes", 5)
    assert code == 0, text
    assert len(dev.pids()) == 5 and first.items() <= dev.pids().items()
    assert redis.Redis(port=dev.port + 5).get("hello") == b"world"

    code, text = dev("up", "--nodes", 2)
    assert code != 0 and "down" in text

    pids = dev.pids()
    code, text = dev("down")
    assert code == 0 and "5" in text
    assert not dev.folder.exists()
    assert not any(runs(pid) for pid in pids.values())
    assert dev("down") == (0, "nothing was running\n")


def test_the_commands_that_up_suggests_work(dev):
    code, text = dev("up")
    assert code == 0, text
    suggested = [line.strip() for line in text[text.index("Try:"):].splitlines()[1:4]]
    assert len(suggested) == 3
    for line in suggested:
        done = subprocess.run(line.split(), cwd=ROOT, stdin=subprocess.DEVNULL, text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=30,
                              check=False)
        assert done.returncode == 0, line + "\n" + done.stdout


def test_a_port_in_use_is_named(dev):
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", dev.port + 1001))
        holder.listen(1)
        code, text = dev("up")
    assert code != 0
    assert f"port {dev.port + 1001}" in text and str(os.getpid()) in text, text


def test_down_leaves_alone_what_is_not_ours(dev):
    """A pid file whose number now belongs to some other process."""
    with subprocess.Popen(["sleep", "60"]) as other:
        node = dev.folder / "node-1"
        node.mkdir(parents=True)
        (node / "pid").write_text(str(other.pid))
        code, text = dev("down")
        assert (code, text) == (0, "nothing was running\n")
        assert other.poll() is None
        other.kill()


@pytest.mark.parametrize("arguments, said", [
    (["frobnicate"], "frobnicate"),
    (["up", "--nodes", "many"], "many"),
    (["up", "--nodes"], "--nodes"),
    (["up", "--count", "3"], "--count"),
    (["sim", "--seed", "x"], "--seed"),
    (["fuzz", "--seconds", "x"], "--seconds"),
    (["bench", "everything"], "traces"),
])
def test_wrong_arguments_are_named(dev, arguments, said):
    code, text = dev(*arguments)
    assert code != 0 and said in text


def test_help_has_a_line_for_each_verb(dev):
    code, text = dev("help")
    assert code == 0
    for verb in ("up", "down", "test", "lint", "bench", "fuzz", "sim", "clean", "help"):
        assert re.search(rf"^  {verb}\b.{{20,}}$", text, re.MULTILINE)
    assert all(len(line) <= 80 for line in text.splitlines())
