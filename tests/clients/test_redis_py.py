"""redis-py: the plain client on the client ports, RedisCluster on the direct ones."""

import pytest
import redis
from redis.cluster import ClusterNode, RedisCluster

from torc_cluster import PATIENCE, random_keys


@pytest.fixture
def plain(cluster):
    with redis.Redis("127.0.0.1", cluster[1].port, socket_timeout=10 * PATIENCE) as client:
        yield client


@pytest.fixture
def aware(cluster):
    nodes = [ClusterNode("127.0.0.1", node.direct_port) for node in cluster.nodes]
    client = RedisCluster(startup_nodes=nodes[:1], socket_timeout=10 * PATIENCE)
    yield client
    client.close()


@pytest.mark.parametrize("kind", ["plain", "aware"])
def test_set_get_and_expiry_over_random_keys(kind, request):
    client = request.getfixturevalue(kind)
    keys = random_keys(200, seed=6)
    for key in keys:
        assert client.set(key, b"v" + key)
    for key in keys:
        assert client.get(key) == b"v" + key
    for key in keys[:50]:
        assert client.expire(key, 1000)
        assert 990 < client.ttl(key) <= 1000
        assert client.persist(key)
    assert client.getset(keys[0], "new") == b"v" + keys[0]
    assert client.getdel(keys[0]) == b"new"
    assert client.set(keys[0], "x", nx=True) and not client.set(keys[0], "y", nx=True)
    assert client.append(keys[0], "yz") == 3 and client.strlen(keys[0]) == 3
    assert client.incr("redis-py:counter") == 1
    assert client.incrbyfloat("redis-py:float", 0.5) == 0.5


def test_plain_many_keys_and_pipelines(plain):
    names = [f"py:{i}" for i in range(300)]
    assert plain.mset({name: name for name in names})
    assert plain.mget(names) == [name.encode() for name in names]
    pipe = plain.pipeline(transaction=False)
    for name in names:
        pipe.append(name, "!")
        pipe.get(name)
    replies = pipe.execute()
    assert replies[1::2] == [name.encode() + b"!" for name in names]
    assert plain.delete(*names) == 300


def test_aware_many_keys_and_pipelines(aware):
    names = [f"py:{i}" for i in range(300)]
    assert aware.mset_nonatomic({name: name for name in names})
    assert aware.mget_nonatomic(names) == [name.encode() for name in names]
    pipe = aware.pipeline()
    for name in names:
        pipe.append(name, "!")
        pipe.get(name)
    assert pipe.execute()[1::2] == [name.encode() + b"!" for name in names]
    assert aware.dbsize(target_nodes="primaries") == 300
    assert set(aware.scan_iter(match="py:*")) == {name.encode() for name in names}


def test_aware_takes_every_node_for_a_primary(aware):
    """What it asks of the whole cluster it asks of the primaries; and it takes a node for a replica for
    good when it meets it as one first."""
    assert len(aware.get_primaries()) == 3


def test_aware_learns_the_cluster_from_one_node(aware, cluster):
    ports = {node.port for node in aware.get_nodes()}
    assert ports == {node.direct_port for node in cluster.nodes}


def test_plain_and_aware_see_the_same(plain, aware):
    for i in range(100):
        (plain if i % 2 else aware).set(f"both:{i}", i)
    for i in range(100):
        assert (aware if i % 2 else plain).get(f"both:{i}") == str(i).encode()


def test_replica_reads(cluster):
    node = ClusterNode("127.0.0.1", cluster[0].direct_port)
    client = RedisCluster(startup_nodes=[node], read_from_replicas=True,
                          socket_timeout=10 * PATIENCE)
    for i in range(60):
        assert client.set(f"replica:{i}", i)
        assert client.get(f"replica:{i}") == str(i).encode()
    client.close()
