"""Values of many members are lost in every way, at a primary and its replica: their memory comes back by itself."""

import pytest

from torc_cluster import Cluster, wait_until

MEMBERS = 20_000
KEYS = ("{t}list", "{t}set", "{t}hash", "{t}zset")


@pytest.fixture(scope="module")
def cluster():
    with Cluster(2, ["--copies", "2", "--threads", "2"]) as cluster:
        yield cluster


def fill(client):
    names = [b"member:%d" % number for number in range(MEMBERS)]
    client.rpush("{t}list", *names)
    client.sadd("{t}set", *names)
    client.hset("{t}hash", mapping={name: name for name in names})
    client.zadd("{t}zset", {name: number for number, name in enumerate(names)})


def memory(node):
    info = node.client().info("memory")
    return info["used_memory"], info["lazyfree_pending_bytes"]


WAYS = {
    "DEL": lambda client: client.delete(*KEYS),
    "SET": lambda client: [client.set(key, "x") for key in KEYS],
    "RENAME": lambda client: [client.set("{t}x", "x") and client.rename("{t}x", key) for key in KEYS],
    "SUNIONSTORE": lambda client: [client.sunionstore(key, "{t}none") for key in KEYS],
    "expiry": lambda client: [client.pexpire(key, 20) for key in KEYS],
    "emptying": lambda client: [client.ltrim("{t}list", 1, 0), client.spop("{t}set", MEMBERS),
                                client.hdel("{t}hash", *client.hkeys("{t}hash")),
                                client.zremrangebyrank("{t}zset", 0, -1)],
    "FLUSHALL": lambda client: client.flushall(),
}


@pytest.mark.parametrize("way", WAYS)
def test_all_that_is_lost_is_freed(cluster, way):
    client = cluster[0].client()
    client.flushall()
    wait_until(lambda: all(memory(node) == (0, 0) for node in cluster.nodes), 20, "all is empty and free")
    fill(client)
    sizes = [memory(node)[0] for node in cluster.nodes]
    assert min(sizes) > 4 * MEMBERS * 16, sizes
    WAYS[way](client)
    # Nothing is asked of the nodes but this.
    wait_until(lambda: all(used < 4096 and waiting == 0 for used, waiting in map(memory, cluster.nodes)), 20,
               "all that was lost is free")
