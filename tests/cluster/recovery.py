"""When a cluster has got over a fault, and what a restart of a node without its memory needs."""

import functools
import json
import math
import subprocess

from ring_tool import RING
from torc_cluster import PATIENCE, SLOT_COUNT, run_node, slot_of, wait_until

ASK_SECONDS = 3.0


@functools.cache
def known_option(option):
    return option in run_node("--help")[1]


def fast_arguments(lease_ms=500, copies=2):
    """Options of a cluster that notices faults soon. A slower build gets more time for all of it: a node
    that stands still for longer than --replace-after is given up, and what only it has is lost."""
    words = ["--lease-ms", int(lease_ms * PATIENCE), "--copies", copies, "--threads", 2]
    if known_option("--replace-after"):
        words += ["--replace-after", math.ceil(PATIENCE)]
    return words


def lease_seconds(cluster):
    return int(cluster.arguments[cluster.arguments.index("--lease-ms") + 1]) / 1000


def epoch(cluster, node):
    return int(cluster.info(node)["cluster_current_epoch"])


def status(node):
    """What `torc-ring status --json` says at a node; {} while it cannot say."""
    done = subprocess.run(
        [*map(str, node.runner), RING, "-s", f"{node.host}:{node.port}", "status", "--json"],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
        timeout=20 * PATIENCE, check=False)
    return json.loads(done.stdout) if done.stdout else {}


def missing(cluster, keys=(), after=0):
    """What still lacks until the cluster could bear another fault; "" when nothing does."""
    nodes = cluster.running()
    epochs = {}
    ids = {}
    for node in nodes:
        with node.raw(limit=ASK_SECONDS) as raw:
            info = raw.command("CLUSTER", "INFO")
            if isinstance(info, Exception):
                return f"node {node.index}: {info}"
            info = dict(line.split(":", 1) for line in info.decode().splitlines() if ":" in line)
            ids[node.port] = raw.command("CLUSTER", "MYID").decode()
        epochs[node.index] = info["cluster_current_epoch"]
        if info["cluster_state"] != "ok" or int(info["cluster_slots_ok"]) != SLOT_COUNT:
            return f"node {node.index}: {info['cluster_state']}, {info['cluster_slots_ok']} slots ok"
    if len(set(epochs.values())) != 1:
        return f"epochs {epochs}"
    if int(info["cluster_current_epoch"]) <= after:
        return f"still epoch {after}"
    return _missing_in_view(status(nodes[0]), ids) or _missing_copies(cluster, nodes, keys)


def _missing_in_view(view, ids):
    if not view:
        return "torc-ring shows nothing"
    up = {row["port"]: row["id"] for row in view["nodes"] if row["status"] == "up"}
    if up != ids:
        return f"up are {up}, running are {ids}"
    if view["changing"] or view["slots_without_owner"] or view["slots_short"]:
        return (f"slots to move {view['slots_to_move']}, without owner "
                f"{view['slots_without_owner']}, short of copies {view['slots_short']}")
    dead = [row["id"][:8] for row in view["nodes"] if row["voter"] and row["status"] == "down"]
    return f"voters are down: {dead}" if dead else ""


def _missing_copies(cluster, nodes, keys):
    """The view may promise copies that are still being filled: the keys themselves are counted."""
    copies = int(cluster.arguments[cluster.arguments.index("--copies") + 1])
    for slot in {slot_of(key) for key in keys}:
        counts = [node.kept_raw().command("CLUSTER", "COUNTKEYSINSLOT", slot) for node in nodes]
        held = [count for count in counts if count]
        if held and (len(held) < min(copies, len(nodes)) or len(set(held)) > 1):
            return f"slot {slot} has keys {counts}"
    return ""


def wait_recovered(cluster, keys=(), limit=30.0, after=0):
    """Waits until all running nodes agree on one view in which each of them is up, every slot is served
    and has all its copies, and no voter is dead. `after`: an epoch that this view must be beyond, since
    a node that has just been restarted looks well in the view from before."""
    def recovered():
        lacking = missing(cluster, keys, after)
        if lacking:
            raise OSError(lacking)  # so that wait_until shows the last one
        return True

    try:
        wait_until(recovered, limit, "the cluster has recovered")
    finally:
        for node in cluster.nodes:
            node.close_clients()  # kept connections to nodes that have been killed since
