"""Sets against redis-server: the same random commands, and every reply the same; of what is drawn at random,
that it is there."""

import pytest
from differential import (KEYS, Commands, Wire, check_restored, compare, in_any_order, is_error, seeded)

COMMANDS = 5000  # in each protocol
UNORDERED = {b"SMEMBERS", b"SUNION", b"SINTER", b"SDIFF"}
COMBINED = (b"UNION", b"INTER", b"DIFF")
# For SINTERCARD; one that takes the word behind the keys for a key is refused earlier by a cluster.
ODD_COUNTS = [b"x", b"", b"0", b"-1", b"100", b"9223372036854775807", b"9223372036854775808"]


def texts(reply):
    return [text for _, text in reply[1:]]


class SetCommands(Commands):
    SINGLE = frozenset([b"SPOP"])

    def __init__(self, rng):
        super().__init__(rng)
        self.members = set()  # of the set that was read last

    def member(self):
        shape = self.rng.random()
        if shape < 0.5:
            return b"%d" % self.rng.randrange(-15, 15)
        if shape < 0.7:
            return b"%d" % self.rng.choice([2**15, -2**15 - 1, 2**31, -2**31 - 1, 2**63 - 1, -2**63, 2**63])
        if shape < 0.75:
            return b"%d" % self.rng.randrange(1000)
        if shape < 0.97:
            return self.rng.choice([b"", b"a", b"b", b"c", b"01", b"-0", b"+1", b"1.0"])
        return b"m" * self.rng.randint(60, 70)

    def some_members(self):
        if self.rng.random() < 0.03:
            first = self.rng.randrange(1000)
            return [b"%d" % number for number in range(first, first + self.rng.randint(100, 700))]
        integers = self.rng.random() < 0.5
        members = [self.member() for _ in range(self.rng.choice([1, 1, 1, 2, 5]))]
        return [b"%d" % len(member) for member in members] if integers else members

    def keys(self, least=1):
        return [self.key() for _ in range(self.rng.choice([least, 1, 2, 2, 3]))]

    def count(self):
        if self.rng.random() < 0.3:
            return []
        count = self.number()
        return [b"-4" if count.startswith(b"-92") else count]  # what Redis would write without end

    def sintercard(self):
        keys = self.keys()
        count = b"%d" % len(keys) if self.rng.random() < 0.95 else self.rng.choice(ODD_COUNTS)
        words = [b"SINTERCARD", count, *keys]
        if self.rng.random() < 0.4:
            words += [b"LIMIT", self.number()]
        return words

    def scan(self):
        return self.scan_words(b"SSCAN", [b"1*", b"*", b"?", b"none"], b"set", b"3000")

    def compared(self, words, reply):
        name = words[0]
        if is_error(reply):
            return reply
        if name in UNORDERED:
            return in_any_order(reply)
        if name == b"SSCAN" and isinstance(reply, list):
            return [reply[0], reply[1], in_any_order(reply[2])]
        if name in (b"SRANDMEMBER", b"SPOP"):
            return [reply[0], len(reply)] if isinstance(reply, list) else isinstance(reply, tuple)
        return reply

    def asked_before(self, words):
        return [b"SMEMBERS", words[1]] if words[0] == b"SRANDMEMBER" and len(words) > 1 else None

    def checked(self, words, reply):
        if words[0] == b"SMEMBERS" and isinstance(reply, list):
            self.members = set(texts(reply))
        elif words[0] in (b"SRANDMEMBER", b"SPOP") and isinstance(reply, tuple):
            assert reply[1] in self.members
        elif words[0] in (b"SRANDMEMBER", b"SPOP") and isinstance(reply, list):
            drawn = texts(reply)
            assert self.members.issuperset(drawn)
            assert words[2].startswith(b"-") or len(set(drawn)) == len(drawn)

    def single(self, words, redis, torc):
        """SPOP. Redis pops from a copy, to show the form of its reply, and is told to remove the same."""
        if len(words) > 1:
            self.checked([b"SMEMBERS"], torc.command(b"SMEMBERS", words[1]))
        got = torc.command(*words)
        if is_error(got) or len(words) < 2:
            assert got == redis.command(*words), words
            return
        copy = words[1] + b"copy"
        redis.command(b"COPY", words[1], copy, b"REPLACE")
        expected = redis.command(words[0], copy, *words[2:])
        redis.command(b"DEL", copy)
        assert self.compared(words, got) == self.compared(words, expected), words
        self.checked(words, got)
        popped = [got[1]] if isinstance(got, tuple) else texts(got) if isinstance(got, list) else []
        for member in popped:
            assert redis.command(b"SREM", words[1], member[:-2]) == b":1"
        self.names.add(b"SPOP")

    MAKERS = (
        (lambda s: [b"SADD", s.key(), *s.some_members()], 16),
        (lambda s: [b"SREM", s.key(), *s.some_members()], 8),
        (lambda s: [b"SCARD", s.key()], 3),
        (lambda s: [b"SISMEMBER", s.key(), s.member()], 5),
        (lambda s: [b"SMISMEMBER", s.key(), *s.some_members()], 3),
        (lambda s: [b"SMEMBERS", s.key()], 2),
        (lambda s: [b"SMOVE", s.key(), s.key(), s.member()], 8),
        (lambda s: [b"SPOP", s.key(), *s.count()], 4),
        (lambda s: [b"SRANDMEMBER", s.key(), *s.count()], 6),
        (lambda s: s.scan(), 4),
        (lambda s: [b"S" + s.rng.choice(COMBINED), *s.keys()], 8),
        (lambda s: [b"S" + s.rng.choice(COMBINED) + b"STORE", s.key(), *s.keys()], 6),
        (lambda s: s.sintercard(), 5),
        # What else may happen to a set, and a string in its place.
        (lambda s: [b"DEL", s.key()], 2),
        (lambda s: [b"TYPE", s.key()], 1),
        (lambda s: [b"EXISTS", s.key()], 1),
        (lambda s: [b"COPY", s.key(), s.key(), b"REPLACE"], 1),
        (lambda s: [b"RENAME", s.key(), s.key()], 1),
        (lambda s: [b"EXPIRE", s.key(), b"1000"], 1),
        (lambda s: [b"PTTL", s.key()], 0),
        (lambda s: [b"TTL", s.key()], 1),
        (lambda s: [b"PERSIST", s.key()], 1),
        (lambda s: [b"SET", s.key(), s.member()], 0.5),
        (lambda s: [b"GET", s.key()], 1),
        (lambda s: [b"LPUSH", s.key(), s.member()], 0.2),
    )


def contents(connection):
    return [(connection.command(b"TYPE", key), in_any_order(connection.command(b"SMEMBERS", key)))
            for key in KEYS]


@pytest.mark.parametrize("protocol", [2, 3])
def test_every_reply_is_that_of_redis(redis_server, new_cluster, protocol):
    commands, where = seeded(SetCommands)
    node = new_cluster(1)[0]
    encodings = set()
    with Wire(redis_server, 10) as redis, Wire(node.port, 10) as torc:
        for connection in (redis, torc):
            connection.command(b"HELLO", protocol)

        def check():
            assert contents(torc) == contents(redis), where
            for key in KEYS:
                check_restored(torc, key, lambda key: [b"SMEMBERS", key], in_any_order)
                encodings.add(str(torc.command(b"OBJECT", b"ENCODING", key)))

        compare(commands, redis, torc, COMMANDS, where, check)
    assert len(commands.names) >= 26, "hardly a command that both refused each time"
    for form in ("intset", "listpack", "hashtable"):
        assert any(form in name for name in encodings)


def test_forms_and_memory(redis_server, new_cluster):
    """The forms are those of Redis, but for the small sets of texts, which Redis 7.0 has not."""
    node = new_cluster(1)[0]
    with Wire(redis_server, 10) as redis, Wire(node.port, 10) as torc:
        for count, shape in ((1, b"%d"), (512, b"%d"), (513, b"%d"), (1000, b"%d"), (10, b"m%d"),
                             (129, b"m%d"), (1000, b"m%d"), (2, b"m%064d")):
            for connection in (redis, torc):
                connection.command(b"DEL", b"s")
                words = [shape % number for number in range(count)]
                assert connection.command(b"SADD", b"s", *words) == b":%d" % count
            _, form = torc.command(b"OBJECT", b"ENCODING", b"s")
            if form != b"listpack\r\n":
                assert redis.command(b"OBJECT", b"ENCODING", b"s")[1] == form, (count, shape)
            used = [int(connection.command(b"MEMORY", b"USAGE", b"s", b"SAMPLES", b"0")[1:])
                    for connection in (torc, redis)]
            assert used[0] <= used[1], (count, shape)


def test_a_large_set_is_gone_through(new_cluster):
    """Whatever comes and goes meanwhile: what was there all the time is seen."""
    client = new_cluster(1)[0].client()
    stay = {b"stay:%d" % number for number in range(3000)}
    client.sadd("s", *stay)
    seen, cursor, turn = set(), None, 0
    while cursor != 0:
        cursor, found = client.sscan("s", cursor or 0, count=100)
        seen.update(found)
        client.sadd("s", *[f"come:{turn}:{number}" for number in range(100)])
        if turn > 0:
            client.srem("s", *[f"come:{turn - 1}:{number}" for number in range(100)])
        turn += 1
    assert turn > 20
    assert stay <= seen
    drawn = set()
    while drawn < stay:  # SPOP in parts, with effects in several pieces
        popped = client.spop("s", 700)
        assert len(popped) == len(set(popped)) and not drawn & set(popped)
        drawn |= set(popped)
    assert client.scard("s") == 3100 - len(drawn) if len(drawn) < 3100 else not client.exists("s")
