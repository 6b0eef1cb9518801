"""Hashes against redis-server: the same random commands, and every reply the same; of what is drawn at
random, that it is there."""

import pytest
from differential import (KEYS, Commands, Wire, check_restored, compare, in_any_order, is_error, seeded)

COMMANDS = 5000  # in each protocol
AMOUNTS = [b"1", b"-3", b"10", b"9223372036854775807", b"-9223372036854775807"]
ODD_AMOUNTS = [b"x", b"", b"1.5", b"+1", b" 1", b"01", b"9223372036854775808"]
FLOATS = [b"0.5", b"-1.25", b"3", b"1e2", b"5.0e3", b"0.1"]
ODD_FLOATS = [b"x", b"", b" 1", b"1 ", b"nan", b"inf", b"-inf", b"1e400", b"0x10"]


def pairs_of(reply):
    """field -> value of a HGETALL in either protocol."""
    elements = [element[1] for element in reply[1:]]
    return dict(zip(elements[::2], elements[1::2]))


def drawn(words, reply):
    """The fields of a HRANDFIELD that has a count, each in a list and perhaps with its value."""
    elements = reply[1:]
    if elements and isinstance(elements[0], list):
        elements = [text for element in elements for text in element[1:]]
    texts = [text for _, text in elements]
    size = 2 if len(words) == 4 else 1
    return [texts[i:i + size] for i in range(0, len(texts), size)]


class HashCommands(Commands):
    def __init__(self, rng):
        super().__init__(rng)
        self.pairs = {}  # of the hash that was read last

    def field(self):
        shape = self.rng.random()
        if shape < 0.7:
            return b"f%d" % self.rng.randrange(20)
        if shape < 0.98:
            return self.rng.choice([b"", b"f%d" % self.rng.randrange(1500)])
        return b"f" * self.rng.randint(60, 70)

    def value(self):
        shape = self.rng.random()
        if shape < 0.5:
            return self.rng.choice([b"1", b"", b"-5", b"12", b"3.25", b"9223372036854775800"])
        if shape < 0.97:
            return b"v%d" % self.rng.randrange(10**self.rng.randint(1, 12))
        if shape < 0.99:
            return b"x" * self.rng.choice([63, 64, 65, 66, 253, 254, 255, 256])
        return b"y" * self.rng.randint(1000, 20000)

    def several(self):
        if self.rng.random() < 0.03:
            return range(self.rng.randint(100, 700))
        return range(self.rng.choice([1, 1, 1, 2, 5]))

    def set_pairs(self, name):
        words = [name, self.key()]
        for _ in self.several():
            words += [self.field(), self.value()]
        return words

    def random_fields(self):
        return self.random_words(b"HRANDFIELD", [b"WITHVALUES", b"withvalues", b"VALUES"])

    def scan(self):
        return self.scan_words(b"HSCAN", [b"f1*", b"*", b"f?", b"none"], b"hash", b"1000")

    def compared(self, words, reply):
        name = words[0]
        if is_error(reply):
            return reply
        if name in (b"HKEYS", b"HVALS"):
            return in_any_order(reply)
        if name == b"HGETALL":
            return in_any_order(reply, 2)
        if name == b"HSCAN" and isinstance(reply, list):
            return [reply[0], reply[1], in_any_order(reply[2], 2)]
        if name == b"HRANDFIELD":
            return [reply[0], len(reply)] if isinstance(reply, list) else isinstance(reply, tuple)
        return reply

    def asked_before(self, words):
        return [b"HGETALL", words[1]] if words[0] == b"HRANDFIELD" and len(words) > 1 else None

    def checked(self, words, reply):
        if words[0] == b"HGETALL" and isinstance(reply, list):
            self.pairs = pairs_of(reply)
        elif words[0] == b"HRANDFIELD" and isinstance(reply, list):
            elements = drawn(words, reply)
            for field, *value in elements:
                assert field in self.pairs
                assert value in ([], [self.pairs[field]])
            if not words[2].startswith(b"-"):
                assert len({field for field, *_ in elements}) == len(elements)

    MAKERS = (
        (lambda s: s.set_pairs(b"HSET"), 14),
        (lambda s: s.set_pairs(b"HMSET"), 3),
        (lambda s: [b"HSETNX", s.key(), s.field(), s.value()], 4),
        (lambda s: [b"HGET", s.key(), s.field()], 6),
        (lambda s: [b"HMGET", s.key(), *[s.field() for _ in s.several()]], 3),
        (lambda s: [b"HDEL", s.key(), *[s.field() for _ in s.several()]], 8),
        (lambda s: [b"HEXISTS", s.key(), s.field()], 3),
        (lambda s: [b"HSTRLEN", s.key(), s.field()], 3),
        (lambda s: [b"HLEN", s.key()], 3),
        (lambda s: [b"HGETALL", s.key()], 2),
        (lambda s: [b"HKEYS", s.key()], 2),
        (lambda s: [b"HVALS", s.key()], 2),
        (lambda s: [b"HINCRBY", s.key(), s.field(),
                    s.rng.choice(ODD_AMOUNTS if s.rng.random() < 0.1 else AMOUNTS)], 6),
        (lambda s: [b"HINCRBYFLOAT", s.key(), s.field(),
                    s.rng.choice(ODD_FLOATS if s.rng.random() < 0.1 else FLOATS)], 5),
        (lambda s: s.random_fields(), 6),
        (lambda s: s.scan(), 4),
        # What else may happen to a hash, and a string in its place.
        (lambda s: [b"DEL", s.key()], 1),
        (lambda s: [b"TYPE", s.key()], 1),
        (lambda s: [b"EXISTS", s.key()], 1),
        (lambda s: [b"COPY", s.key(), s.key(), b"REPLACE"], 1),
        (lambda s: [b"RENAME", s.key(), s.key()], 1),
        (lambda s: [b"EXPIRE", s.key(), b"1000"], 1),
        (lambda s: [b"PERSIST", s.key()], 1),
        (lambda s: [b"SET", s.key(), s.value()], 0.5),
        (lambda s: [b"GET", s.key()], 1),
        (lambda s: [b"APPEND", s.key(), s.value()], 0.2),
        (lambda s: [b"LPUSH", s.key(), s.value()], 0.2),
    )


def contents(connection):
    return [(connection.command(b"TYPE", key), in_any_order(connection.command(b"HGETALL", key), 2))
            for key in KEYS]


@pytest.mark.parametrize("protocol", [2, 3])
def test_every_reply_is_that_of_redis(redis_server, new_cluster, protocol):
    commands, where = seeded(HashCommands)
    node = new_cluster(1)[0]
    encodings = set()
    with Wire(redis_server, 10) as redis, Wire(node.port, 10) as torc:
        for connection in (redis, torc):
            connection.command(b"HELLO", protocol)

        def check():
            assert contents(torc) == contents(redis), where
            for key in KEYS:
                check_restored(torc, key, lambda key: [b"HGETALL", key],
                               lambda reply: in_any_order(reply, 2))
                encodings.add(str(torc.command(b"OBJECT", b"ENCODING", key)))

        compare(commands, redis, torc, COMMANDS, where, check)
    assert len(commands.names) >= 24, "hardly a command that both refused each time"
    assert any("listpack" in name for name in encodings)
    assert any("hashtable" in name for name in encodings)


def memory(connection):
    return int(connection.command(b"MEMORY", b"USAGE", b"h")[1:])


def test_forms_are_those_of_redis(redis_server, new_cluster):
    node = new_cluster(1)[0]
    with Wire(redis_server, 10) as redis, Wire(node.port, 10) as torc:
        for count, field, value in ((1, 1, 1), (1, 64, 64), (1, 65, 1), (1, 1, 65), (100, 10, 10),
                                    (512, 3, 3), (513, 3, 3)):
            words = [b"HSET", b"h"]
            for number in range(count):
                words += [b"%0*d" % (field, number), b"v" * value]
            assert torc.command(*words) == redis.command(*words) == b":%d" % count
            assert torc.command(b"OBJECT", b"ENCODING", b"h") == \
                redis.command(b"OBJECT", b"ENCODING", b"h"), (count, field, value)
            if count == 100:
                assert memory(torc) <= memory(redis)
            for connection in (torc, redis):
                connection.command(b"DEL", b"h")


def test_a_large_hash_is_gone_through(new_cluster):
    """Whatever comes and goes meanwhile: what was there all the time is seen."""
    node = new_cluster(1)[0]
    client = node.client()
    stay = {b"stay:%d" % number: b"%d" % number for number in range(3000)}
    client.hset("h", mapping=stay)
    seen, cursor, turn = {}, None, 0
    while cursor != 0:
        cursor, found = client.hscan("h", cursor or 0, count=100)
        seen.update(found)
        client.hset("h", mapping={f"come:{turn}:{number}": "x" for number in range(100)})
        if turn > 0:
            client.hdel("h", *[f"come:{turn - 1}:{number}" for number in range(100)])
        turn += 1
    assert turn > 20
    assert stay.items() <= seen.items()
    cursor, found = client.hscan("h", 0, match="stay:1*", count=100000)
    assert cursor == 0
    assert found == {field: value for field, value in stay.items() if field.startswith(b"stay:1")}
