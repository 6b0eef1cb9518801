"""torc-ring, run against the nodes of a test."""

import subprocess

from torc_cluster import BUILD, PATIENCE

RING = BUILD / "client" / "torc-ring"
WELL, PROBLEM, USAGE, UNREACHABLE, REFUSED, UNCONFIRMED = range(6)


def begin(cluster, *arguments, **options):
    return subprocess.Popen([RING, "-s", f"127.0.0.1:{cluster[0].port}", *map(str, arguments)],
                            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                            stderr=subprocess.PIPE, text=True, **options)


def end(process):
    out, err = process.communicate(timeout=30 * PATIENCE)
    return process.returncode, out, err


def run(cluster, *arguments):
    return end(begin(cluster, *arguments))


def well(cluster, *arguments):
    code, out, err = run(cluster, *arguments)
    assert (code, err) == (WELL, ""), (code, out, err)
    return out


def address(node):
    return f"127.0.0.1:{node.port}"
