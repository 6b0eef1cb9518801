"""Faults that once cost acknowledged writes, or replies their count."""

import shutil

from torc_cluster import encode, slot_of, wait_until


def epoch(cluster, node):
    return int(cluster.info(node)["cluster_current_epoch"])


def lacking(cluster, keys, value):
    """Keys that do not read as `value` at node 0; those that cannot be read yet count as lacking."""
    return [key for key in keys if cluster[0].client().get(key) != value]


def test_a_replica_that_was_paused_holds_what_was_written_meanwhile(new_cluster):
    cluster = new_cluster(3)
    keys = [f"key:{number}" for number in range(300)]
    client = cluster[0].client()
    for key in keys:
        client.set(key, "before")
    cluster.wait_copied(keys[:20])
    before = epoch(cluster, cluster[0])
    cluster[2].pause()
    wait_until(lambda: epoch(cluster, cluster[0]) > before, 20, "the paused node is down")
    for key in keys:
        assert client.set(key, "meanwhile")
    cluster[2].resume()
    wait_until(cluster.formed, 30, "the resumed node is back")
    led = [key for key in keys if cluster.primary(key).index == 1]
    cluster.wait_copied(led)
    cluster[1].kill()
    wait_until(lambda: not lacking(cluster, led, b"meanwhile"), 20,
               "the resumed node has every write that was made without it")


def test_replies_that_cannot_be_vouched_for_are_as_many_as_were_due(new_cluster):
    cluster = new_cluster(2, ["--proxy-timeout-ms", "150"])
    primaries = cluster.primaries()
    key = next(f"key:{n}" for n in range(1000) if primaries[slot_of(f"key:{n}")].index == 0)
    cluster[0].client().set(key, "1")
    cluster.wait_copied([key])
    requests = {
        encode("CLIENT", "REPLY", "SKIP") + encode("SET", key, "2") + encode("PING"): 1,
        encode("CLIENT", "REPLY", "OFF") + encode("SET", key, "2")
        + encode("CLIENT", "REPLY", "ON"): 1,
        encode("SET", key, "2") + encode("SCAN", "bad"): 2,
    }
    for data, due in requests.items():
        cluster[1].pause()
        try:
            with cluster[0].raw() as raw:
                raw.send(data + encode("QUIT"))
                replies = raw.rest().count(b"\r\n")
        finally:
            cluster[1].resume()
        assert replies == due + 1, (data, raw.buffer)
        wait_until(lambda: cluster[0].client().set(key, "3"), 10, "the replica acknowledges again")


def test_a_node_that_cannot_write_its_state_does_not_keep_others_from_failing_over(new_cluster):
    # Five voters: one cannot vote, one is dead, three decide. When all are told to stop, the first to go
    # leaves no majority behind, and the others wait for as long as they may.
    cluster = new_cluster(5, ["--leave-timeout", 5])
    keys = [f"key:{number}" for number in range(100)]
    for key in keys:
        cluster[0].client().set(key, "value")
    cluster.wait_copied(keys)
    led = [key for key in keys if cluster.primary(key).index == 1]
    shutil.rmtree(cluster[2].state_dir)
    cluster[1].kill()
    wait_until(lambda: not lacking(cluster, led, b"value"), 20, "the killed node's slots are served")
