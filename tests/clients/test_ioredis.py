"""ioredis, whose script is ioredis.js: the plain client and the cluster-aware one."""

import pathlib
import subprocess

import pytest

from torc_cluster import PATIENCE

FOLDER = pathlib.Path(__file__).parent


@pytest.mark.parametrize("kind", ["plain", "cluster"])
def test_ioredis(cluster, kind):
    assert (FOLDER / "node_modules").is_dir(), "npm ci in tests/clients; ./dev test does it"
    ports = [node.port if kind == "plain" else node.direct_port for node in cluster.nodes]
    done = subprocess.run(["node", FOLDER / "ioredis.js", kind, *map(str, ports)],
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, timeout=60 * PATIENCE, check=False)
    assert done.returncode == 0 and done.stdout == "ok\n", done.stdout
