"""libtorc and commands that may wait at the server: they hold nobody up, and nothing is lost by them."""

import contextlib
import subprocess
import time

import pytest
import redis

from test_client import EXAMPLES, Shell, error_code
from test_client_shared import redis_servers
from torc_cluster import PATIENCE, wait_until


@contextlib.contextmanager
def servers(kind, tmp_path, new_cluster):
    """Client ports of one redis-server, or of a cluster of three nodes."""
    if kind == "torc":
        cluster = new_cluster(3)
        cluster.wait_formed()
        yield [node.port for node in cluster.nodes]
    else:
        with redis_servers(1, tmp_path) as (ports, _):
            yield ports


@pytest.mark.parametrize("kind", ["redis", "torc"])
def test_what_waits_at_the_server_holds_nobody_up(kind, tmp_path, new_cluster):
    with servers(kind, tmp_path, new_cluster) as ports:
        seed = ",".join(f"127.0.0.1:{port}" for port in ports)
        admins = [redis.Redis(port=port, decode_responses=True) for port in ports]
        admin = admins[0]
        done = subprocess.run([EXAMPLES / "blocking", seed], stdout=subprocess.PIPE, text=True,
                              timeout=20 * PATIENCE, check=False)
        assert (done.returncode, done.stdout) == (
            0, "task 1\ntask 2\ntask 3\n1000 answered meanwhile\n")

        # It may wait for longer than a call may take otherwise.
        with Shell(seed, timeout_ms=300) as shell:
            begun = time.monotonic()
            assert shell.ask("BLPOP nothing 0.8") == "(nil)"
            assert time.monotonic() - begun >= 0.8

            # A pipeline of one that waits and others: these do not wait for it.
            admin.delete("q")
            shell.say(".begin")
            for line in ("BLPOP q 5", "PING", "RPUSH q 7"):
                shell.say(line)
            begun = time.monotonic()
            shell.say(".execute")
            assert [shell.read() for _ in range(4)] == ["0 ", "[q 7]", "PONG", "(1)"]
            assert time.monotonic() - begun < 4 * PATIENCE

            # Who has given up takes nothing out of the queue afterwards.
            shell.ask(".timeout 200")
            assert error_code(shell.ask("BRPOP gone 0")) == -9
            wait_until(lambda: blocked(admins) == 0, 5, "the server has been told")
            assert admin.rpush("gone", "kept") == 1


def blocked(admins):
    return sum(admin.info("clients")["blocked_clients"] for admin in admins)
