"""Nodes that leave in an orderly way: SIGTERM and CLUSTER FAILOVER hand slots over under load, and clients
of the other nodes notice nothing."""

import time

import pytest

from history import History, endpoints
from recovery import epoch, fast_arguments, wait_recovered
from torc_cluster import parse_nodes, wait_until

EXIT_SECONDS = 8
SEED = 11


@pytest.fixture
def loaded(new_cluster):
    """Makes three nodes and a history whose clients stay at the client ports of the given nodes."""
    histories = []

    def make(at=(0, 1, 2), stay=True):
        # The default lease: who waits for a lease to run out instead of handing over is found out.
        cluster = new_cluster(3, fast_arguments(lease_ms=2000))
        nodes = [cluster[index] for index in at]
        history = History(endpoints(cluster, nodes=nodes), SEED, stay=stay)
        history.start()
        histories.append(history)
        history.wait_progress()
        wait_recovered(cluster, keys(history))
        return cluster, history

    yield make
    for history in histories:
        history.stop()


def keys(history):
    return [record.key for record in history.records]


def no_errors(history, since, without=()):
    errors = history.errors_since(since, without)
    assert not errors, f"{len(errors)} errors: {errors[:10]}\n{history.outcomes()}"


@pytest.mark.parametrize("victim", [0, 2], ids=["founder", "another"])
def test_sigterm_under_load_is_not_noticed_by_clients_of_other_nodes(loaded, victim):
    """A node told to stop hands its slots over, ends with 0 within some seconds, and no client of the
    other nodes sees an error; no acknowledged write is lost, and every key goes on taking writes."""
    others = [index for index in range(3) if index != victim]
    cluster, history = loaded(at=others)
    began = time.monotonic()
    assert cluster[victim].terminate(EXIT_SECONDS) == 0
    history.wait_progress(what="the others serve every key")
    no_errors(history, began)
    history.stop()
    history.check()


def test_a_rolling_restart_is_not_noticed(loaded):
    """Each node in turn is told to stop and started again, the next one as soon as all copies are back.
    Only clients that were connected to the node that stops lose their connection."""
    cluster, history = loaded(stay=False)
    for node in cluster.nodes:
        before = epoch(cluster, node)
        began = time.monotonic()
        assert node.terminate(EXIT_SECONDS) == 0
        history.wait_progress(what="the others serve every key")
        node.start().wait_answers()
        wait_recovered(cluster, keys(history), after=before)
        history.wait_progress()
        no_errors(history, began, without=[f"node {node.index} client"])
    history.stop()
    history.check()


def led_by(cluster, node):
    name = node.ask("CLUSTER", "MYID").decode()
    return parse_nodes(cluster[0].ask("CLUSTER", "NODES"))[name]["slots"]


def test_cluster_failover_makes_a_node_lead_what_it_copies(loaded):
    """CLUSTER FAILOVER at a node: it leads the slots it holds a copy of, beside its own, while clients of
    every node see a pause and no error, and nothing is lost."""
    cluster, history = loaded()
    node = cluster[1]
    led = led_by(cluster, node)
    copied = node.client().info("torc")["slots_replica"]
    assert copied > 0
    began = time.monotonic()
    assert node.ask("CLUSTER", "FAILOVER") == b"OK"
    wait_until(lambda: len(led_by(cluster, node)) >= len(led) + copied, 15,
               "the node leads what it held a copy of")
    assert led <= led_by(cluster, node)
    history.wait_progress()
    wait_recovered(cluster, keys(history))
    no_errors(history, began)
    history.stop()
    history.check()
