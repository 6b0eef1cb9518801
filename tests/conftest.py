"""Fixtures for tests against real nodes: tests/cluster and tests/clients."""

import pathlib
import shutil
import socket
import subprocess
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).parent / "cluster"))

import torc_cluster  # noqa: E402 (found by the line above)


def pytest_configure(config):
    if not torc_cluster.NODE.exists():
        raise pytest.UsageError(f"{torc_cluster.NODE} is not built; ./dev test builds it")


class Shared:
    """Three nodes for every test that breaks nothing: one start for all of them. When one of them has
    broken something after all, that test fails and the next one gets new nodes."""

    def __init__(self):
        self.cluster = None

    def take(self):
        if self.cluster is None:
            self.cluster = torc_cluster.Cluster(3).__enter__()
        return self.cluster

    def give_back(self):
        if len(self.cluster.running()) < len(self.cluster.nodes):
            self.close()

    def close(self):
        cluster, self.cluster = self.cluster, None
        if cluster is not None:
            cluster.close()


@pytest.fixture(scope="session")
def shared():
    holder = Shared()
    yield holder
    holder.close()


@pytest.fixture
def cluster(shared):
    """The shared three nodes, empty."""
    cluster = shared.take()
    cluster[0].client().flushall()
    yield cluster
    shared.give_back()


@pytest.fixture
def new_cluster():
    """Makes clusters of the test's own: new_cluster(3, ["--acks", "primary"])."""
    made = []

    def make(count=3, arguments=(), room=None):
        made.append(torc_cluster.Cluster(count, arguments, room).__enter__())
        return made[-1]

    yield make
    for cluster in made:
        cluster.close()


@pytest.fixture
def redis_server(tmp_path):
    """The port of a redis-server of the test's own."""
    program = shutil.which("redis-server")
    assert program, "redis-server is not installed; ./dev test installs it"
    with torc_cluster.listening_socket() as free:
        port = free.getsockname()[1]
    process = subprocess.Popen(
        [program, "--port", str(port), "--save", "", "--dir", str(tmp_path)],
        stdout=subprocess.DEVNULL)
    try:
        torc_cluster.wait_until(
            lambda: socket.create_connection(("127.0.0.1", port)).close() is None,
            what="redis-server listens")
        yield port
    finally:
        process.terminate()
        process.wait(timeout=10)


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    outcome = yield
    report = outcome.get_result()
    if report.failed:
        for cluster in torc_cluster.Cluster.live:
            report.sections.append(("logs of the nodes", cluster.log_tails()))
