"""Options, files and start-up: what is wrong is said at once, by name, with what would be right."""

import pathlib
import re
import shutil
import signal
import socket
import subprocess
import tempfile

import pytest

from torc_cluster import (NODE, PATIENCE, Cluster, free_port_base, listening_socket, run_node,
                          wait_until)


def test_help_and_version():
    code, text = run_node("--help")
    assert code == 0
    for option in ("--config", "--port", "--direct-port", "--http-port", "--bus-port", "--bind",
                   "--announce", "--join", "--threads", "--memory", "--eviction", "--copies",
                   "--acks", "--weight", "--zone", "--cluster-name", "--state-dir", "--lease-ms",
                   "--log-level", "--help", "--version"):
        assert option in text
    assert all(len(line) <= 100 for line in text.splitlines())
    code, text = run_node("--version")
    assert code == 0
    assert re.search(r"torc-node \d+\.\d+\.\d+", text)


@pytest.mark.parametrize("arguments, said", [
    (["--no-such-option"], ["--no-such-option", "--help"]),
    (["stray"], ["stray"]),
    (["--port"], ["--port"]),
    (["--port", "70000"], ["--port", "65535"]),
    (["--port", "seven"], ["--port", "seven"]),
    (["--acks", "some"], ["--acks", "in-sync", "primary"]),
    (["--eviction", "magic"], ["--eviction", "lru"]),
    (["--memory", "much"], ["--memory", "much"]),
    (["--copies", "9"], ["--copies", "4"]),
    (["--threads", "0"], ["--threads"]),
    (["--weight", "-1"], ["--weight"]),
    (["--log-level", "loud"], ["--log-level", "debug", "info", "warning", "error"]),
    (["--lease-ms", "soon"], ["--lease-ms"]),
    (["--join", "nowhere"], ["--join", "nowhere"]),
    (["--join", "127.0.0.1:99999"], ["--join", "99999"]),
    (["--zone", "z" * 100], ["--zone", "31"]),
    (["--config", "/nonexistent/torc.conf"], ["--config", "/nonexistent/torc.conf"]),
])
def test_a_wrong_option_is_named_with_what_is_accepted(arguments, said, tmp_path):
    code, text = run_node("--state-dir", tmp_path, *arguments)
    assert code not in (0, -signal.SIGABRT, -signal.SIGSEGV)
    for words in said:
        assert words in text, text
    assert len(text.splitlines()) <= 5, "an error is a line or two, not a page"


def test_config_file_holds_the_same_options_and_the_command_line_wins(tmp_path):
    base = free_port_base(2)
    config = tmp_path / "torc.conf"
    config.write_text(f"# a comment\n\nport {base + 1}\nacks primary\nthreads 1\n")
    with Cluster(1, ["--config", config]) as cluster:  # which gives --port itself
        reply = cluster[0].ask("CONFIG", "GET", "acks")
        assert reply == [b"acks", b"primary"]
        assert cluster[0].ask("PING") == b"PONG"


@pytest.mark.parametrize("line, said", [
    ("ports 7001", ["ports"]),
    ("acks perhaps", ["acks", "in-sync"]),
    ("port", ["port"]),
])
def test_a_wrong_line_of_the_config_file_is_named(tmp_path, line, said):
    config = tmp_path / "torc.conf"
    config.write_text(f"threads 1\n{line}\n")
    code, text = run_node("--config", config, "--state-dir", tmp_path)
    assert code != 0
    assert str(config) in text and "2" in text
    for words in said:
        assert words in text


@pytest.mark.parametrize("offset, option", [
    (0, "--port"), (1000, "--direct-port"), (10000, "--bus-port")])
def test_a_port_in_use_is_named_with_its_option(tmp_path, offset, option):
    base = free_port_base(1)
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as holder:
        holder.bind(("127.0.0.1", base + offset))
        holder.listen(1)
        code, text = run_node("--port", base, "--state-dir", tmp_path)
    assert code not in (0, -signal.SIGABRT, -signal.SIGSEGV)
    assert str(base + offset) in text and option in text, text


def test_a_gossip_port_in_use_is_named(tmp_path):
    base = free_port_base(1)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as holder:
        holder.bind(("127.0.0.1", base + 10000))
        code, text = run_node("--port", base, "--state-dir", tmp_path)
    assert code not in (0, -signal.SIGABRT, -signal.SIGSEGV)
    assert str(base + 10000) in text and "--bus-port" in text, text


@pytest.mark.parametrize("place", ["/proc/torc-state", "a file"])
def test_a_state_dir_that_cannot_be_written_is_named(tmp_path, place):
    if place == "a file":
        place = tmp_path / "file"
        place.write_text("not a folder")
    code, text = run_node("--port", free_port_base(1), "--state-dir", place)
    assert code not in (0, -signal.SIGABRT, -signal.SIGSEGV)
    assert "--state-dir" in text and str(place) in text, text


def joins_in_vain(address, tmp_path):
    """Starts a node that joins `address`; returns what it said when it has named the address. It may
    end with an error or go on trying, but it must not found a cluster of its own."""
    base = free_port_base(1)
    log_path = tmp_path / "log"
    with open(log_path, "wb") as log:
        node = subprocess.Popen(
            [str(word) for word in _node_command(base, tmp_path, address)],
            stdin=subprocess.DEVNULL, stdout=log, stderr=log)
    try:
        wait_until(lambda: address in log_path.read_text(errors="replace"), 15,
                   f"the log names {address}")

        def ended_or_refuses():
            if node.poll() is not None:
                return True
            with socket.create_connection(("127.0.0.1", base), timeout=5) as peer:
                peer.sendall(b"SET not yours\r\n")
                return peer.recv(200).startswith((b"-CLUSTERDOWN", b"-LOADING", b"-TRYAGAIN"))

        wait_until(ended_or_refuses, 10)
        if node.poll() is None:
            node.terminate()
            assert node.wait(timeout=10 * PATIENCE) == 0
        else:
            assert node.returncode > 0
    finally:
        if node.poll() is None:
            node.kill()
            node.wait(timeout=10)
    return log_path.read_text(errors="replace")


def _node_command(base, tmp_path, address):
    return [NODE, "--port", base, "--state-dir", tmp_path / "state", "--join", address]


def test_joining_a_redis_server_fails_clearly_and_harms_neither(tmp_path):
    port = free_port_base(1)
    server = subprocess.Popen(
        [shutil.which("redis-server"), "--port", str(port), "--save", "", "--dir", str(tmp_path)],
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        def redis_answers():
            with socket.create_connection(("127.0.0.1", port), timeout=1) as peer:
                peer.sendall(b"PING\r\n")
                return peer.recv(16) == b"+PONG\r\n"

        wait_until(redis_answers, 10)
        joins_in_vain(f"127.0.0.1:{port}", tmp_path)
        assert redis_answers()
    finally:
        server.terminate()
        server.wait(timeout=10)


def test_joining_something_that_accepts_and_says_nothing(tmp_path):
    with listening_socket() as silent:
        joins_in_vain("127.0.0.1:%d" % silent.getsockname()[1], tmp_path)


def test_joining_where_nobody_listens(tmp_path):
    joins_in_vain(f"127.0.0.1:{free_port_base(1)}", tmp_path)


def test_default_state_dir_is_made_where_the_node_starts():
    with tempfile.TemporaryDirectory(prefix="torc-test-") as folder:
        base = free_port_base(1)
        node = subprocess.Popen([NODE, "--port", str(base)], cwd=folder, stdin=subprocess.DEVNULL,
                                stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            wait_until(lambda: socket.create_connection(("127.0.0.1", base), 1).close() is None, 10)
            state = pathlib.Path(folder, f"torc-{base}")
            wait_until(lambda: state.is_dir() and list(state.iterdir()), 10, "state in ./torc-PORT")
        finally:
            node.terminate()
            assert node.wait(timeout=10 * PATIENCE) == 0
