"""Sorted sets against redis-server: the same random commands, and every reply the same; of what is drawn
at random, that it is there."""

import random

import pytest
from differential import (KEYS, Commands, Wire, check_restored, compare, first_word, in_any_order,
                          is_error, seeded)

COMMANDS = 5000  # in each protocol
# All members of these have the score 0: of others Redis leaves open what a range of members is.
FLAT_KEYS = [b"{t}x", b"{t}y"]
SET_KEY = b"{t}s"  # holds a plain set, which is combined with the others
SCORES = [b"0.1", b"0", b"1", b"2", b"3", b"-1", b"-2", b"0.5", b"-1.25", b"100", b"1e3", b"-0", b"4096.0625"]
FAR_SCORES = [b"inf", b"-inf", b"1e17", b"-1e300", b"9007199254740992", b"0x10"]
ODD_SCORES = [b"x", b"", b"nan", b" 1", b"1 ", b"1e400"]
ODD_COUNTS = [b"x", b"", b"0", b"-1", b"100", b"9223372036854775807", b"9223372036854775808"]


def drawn(words, reply):
    """The members of a ZRANDMEMBER that has a count, each in a list and perhaps with its score."""
    elements = reply[1:]
    if elements and isinstance(elements[0], list):
        return [[element[1][1], element[2]] for element in elements]
    size = 2 if len(words) == 4 else 1
    return [[text for _, text in elements[i:i + size]] for i in range(0, len(elements), size)]


def scores_of(reply):
    """member -> score of a ZRANGE WITHSCORES in either protocol."""
    if reply[1:] and isinstance(reply[1], list):
        return {element[1][1]: element[2] for element in reply[1:]}
    elements = [text for _, text in reply[1:]]
    return dict(zip(elements[::2], elements[1::2]))


def comparable(reply):
    """Redis 7.0 writes 17 digits where 7.2 writes no more than are needed, integers in a small sorted set in
    all their digits, and of a zero the sign in a large one: of such scores the number is compared."""
    if isinstance(reply, list):
        return [comparable(element) for element in reply]
    text = reply[1][:-2] if isinstance(reply, tuple) else reply[1:] if reply.startswith(b",") else b""
    try:
        score = float(text)
    except ValueError:
        return reply  # a member, or no text at all
    plain = 0 < abs(score) < 1e9 and (score * 16).is_integer()
    return reply if plain else score


class SortedSetCommands(Commands):
    def __init__(self, rng):
        super().__init__(rng)
        self.scores = {}  # of the sorted set that was read last
        self.encodings = set()

    def flat_key(self):
        return self.rng.choice(FLAT_KEYS)

    def score(self):
        shape = self.rng.random()
        if shape < 0.85:
            return self.rng.choice(SCORES)
        if shape < 0.93:
            return b"%d" % self.rng.randrange(-1000, 1000)
        return self.rng.choice(FAR_SCORES if shape < 0.99 else ODD_SCORES)

    def member(self):
        shape = self.rng.random()
        if shape < 0.7:
            return b"m%d" % self.rng.randrange(20)
        if shape < 0.98:
            return self.rng.choice([b"", b"m%d" % self.rng.randrange(600)])
        return b"m" * self.rng.randint(60, 70)

    def several(self):
        if self.rng.random() < 0.08:
            return range(self.rng.randint(100, 300))
        return range(self.rng.choice([1, 1, 1, 2, 5]))

    def some(self, *words, chance=0.3):
        return [word for word in words if self.rng.random() < chance]

    def add(self):
        options = self.some(b"NX", b"XX", b"GT", b"lt", chance=0.1) + self.some(b"CH", chance=0.3)
        words = [b"ZADD", self.key(), *options]
        if self.rng.random() < 0.1:
            return [*words, b"INCR", self.score(), self.member()]
        for _ in self.several():
            words += [self.score(), self.member()]
        return words

    def add_flat(self):
        words = [b"ZADD", self.flat_key()]
        for _ in self.several():
            words += [b"0", self.member()]
        return words

    def score_end(self):
        if self.rng.random() < 0.02:
            return self.rng.choice([b"x", b"(x", b"nan", b"((1", b"[1"])
        return self.rng.choice([b"", b"", b"("]) + self.rng.choice(SCORES + [b"-inf", b"+inf", b"inf"])

    def member_end(self):
        if self.rng.random() < 0.02:
            return self.rng.choice([b"x", b"", b"-x", b"++", b"1"])
        return self.rng.choice([b"-", b"+", b"[" + self.member(), b"(" + self.member(), b"[m1", b"(m5"])

    def limit(self):
        if self.rng.random() < 0.7:
            return []
        return [b"LIMIT", self.rng.choice([b"0", b"1", b"3", self.number()]),
                self.rng.choice([b"-1", b"0", b"5", self.number()])]

    def scored(self):
        return self.some(self.rng.choice([b"WITHSCORES", b"withscores"]))

    def ends(self, kind):
        end = {b"BYSCORE": self.score_end, b"BYLEX": self.member_end, b"": self.number}[kind]
        return [end(), end()]

    def range(self, *head, key=None, kinds=(b"", b"BYSCORE")):
        kind = self.rng.choice(kinds)
        words = [*head, key or self.key(), *self.ends(kind)]
        words += [kind] if kind else []
        words += self.limit() if kind or self.rng.random() < 0.05 else []
        return words + self.some(b"REV") + (self.scored() if len(head) == 1 else [])

    def combined(self, name, target=False, weighs=True, scores=True):
        keys = [self.rng.choice([*KEYS, SET_KEY]) for _ in range(self.rng.randint(1, 3))]
        count = b"%d" % len(keys) if self.rng.random() < 0.97 else self.rng.choice(ODD_COUNTS)
        words = [name] + ([self.key()] if target else []) + [count, *keys]
        if weighs and self.rng.random() < 0.3:
            words += [b"WEIGHTS", *[self.score() for _ in keys]]
        if weighs and self.rng.random() < 0.4:
            words += [b"AGGREGATE", self.rng.choice([b"SUM", b"min", b"MAX", b"MAX", b"AVG"])]
        return words + (self.scored() if scores else [])

    def pop_several(self):
        keys = [self.key() for _ in range(self.rng.randint(1, 3))]
        count = b"%d" % len(keys) if self.rng.random() < 0.95 else self.rng.choice(ODD_COUNTS)
        limit = [b"COUNT", self.number()] if self.rng.random() < 0.4 else []
        return [b"ZMPOP", count, *keys, self.rng.choice([b"MIN", b"max", b"MAX", b"MID"]), *limit]

    def random_members(self):
        return self.random_words(b"ZRANDMEMBER", [b"WITHSCORES", b"withscores", b"SCORES"])

    def scan(self):
        return self.scan_words(b"ZSCAN", [b"m1*", b"*", b"m?", b"none"], b"zset", b"1000")

    def compared(self, words, reply):
        if is_error(reply):
            return first_word(reply) if words[0] in (b"ZRANK", b"ZREVRANK") else reply
        reply = comparable(reply)
        if words[0] == b"ZSCAN" and isinstance(reply, list):
            return [reply[0], reply[1], in_any_order(reply[2], 2)]
        if words[0] == b"ZRANDMEMBER":
            return [reply[0], len(reply)] if isinstance(reply, list) else isinstance(reply, tuple)
        if words[0] == b"OBJECT":
            return None  # Redis never makes a large one small
        return reply

    def asked_before(self, words):
        if words[0] == b"ZRANDMEMBER" and len(words) > 1:
            return [b"ZRANGE", words[1], b"0", b"-1", b"WITHSCORES"]
        return None

    def checked(self, words, reply):
        if words[0] == b"OBJECT":
            self.encodings.add(str(reply))
        elif words[0] == b"ZRANGE" and words[2:] == [b"0", b"-1", b"WITHSCORES"] and \
                isinstance(reply, list):
            self.scores = scores_of(reply)
        elif words[0] == b"ZRANDMEMBER" and isinstance(reply, list):
            elements = drawn(words, reply)
            for member, *score in elements:
                assert member in self.scores
                assert score in ([], [self.scores[member]])
            if not words[2].startswith(b"-"):
                assert len({member for member, *_ in elements}) == len(elements)

    MAKERS = (
        (lambda s: s.add(), 24),
        (lambda s: s.add_flat(), 8),
        (lambda s: [b"ZINCRBY", s.key(), s.score(), s.member()], 6),
        (lambda s: [b"ZSCORE", s.key(), s.member()], 3),
        (lambda s: [b"ZMSCORE", s.key(), *[s.member() for _ in s.several()]], 2),
        (lambda s: [b"ZRANK", s.key(), s.member()], 4),
        (lambda s: [b"ZREVRANK", s.key(), s.member()], 3),
        (lambda s: [b"ZCARD", s.key()], 3),
        (lambda s: [b"ZREM", s.key(), *[s.member() for _ in s.several()]], 5),
        (lambda s: [b"ZCOUNT", s.key(), *s.ends(b"BYSCORE")], 4),
        (lambda s: [b"ZLEXCOUNT", s.flat_key(), *s.ends(b"BYLEX")], 4),
        (lambda s: s.range(b"ZRANGE"), 6),
        (lambda s: s.range(b"ZRANGE", key=s.flat_key(), kinds=[b"BYLEX"]), 4),
        (lambda s: s.range(b"ZRANGESTORE", s.key()), 4),
        (lambda s: s.range(b"ZRANGESTORE", s.flat_key(), key=s.flat_key(), kinds=[b"BYLEX"]), 2),
        (lambda s: [b"ZREVRANGE", s.key(), *s.ends(b""), *s.scored()], 3),
        (lambda s: [b"ZRANGEBYSCORE", s.key(), *s.ends(b"BYSCORE"), *s.scored(), *s.limit()], 4),
        (lambda s: [b"ZREVRANGEBYSCORE", s.key(), *s.ends(b"BYSCORE"), *s.limit(), *s.scored()], 4),
        (lambda s: [b"ZRANGEBYLEX", s.flat_key(), *s.ends(b"BYLEX"), *s.limit()], 3),
        (lambda s: [b"ZREVRANGEBYLEX", s.flat_key(), *s.ends(b"BYLEX"), *s.limit()], 3),
        (lambda s: [b"ZREMRANGEBYRANK", s.key(), s.number(), s.rng.choice([b"1", s.number()])], 2),
        (lambda s: [b"ZREMRANGEBYSCORE", s.key(), s.score_end(), s.score_end()], 2),
        (lambda s: [b"ZREMRANGEBYLEX", s.flat_key(), *s.ends(b"BYLEX")], 2),
        (lambda s: [b"ZPOPMIN", s.key(), *s.some(s.number())], 3),
        (lambda s: [b"ZPOPMAX", s.key(), *s.some(s.number())], 3),
        (lambda s: s.pop_several(), 4),
        (lambda s: s.random_members(), 6),
        (lambda s: s.scan(), 4),
        (lambda s: [b"SADD", SET_KEY, *[s.member() for _ in s.several()]], 3),
        (lambda s: [b"SREM", SET_KEY, *[s.member() for _ in s.several()]], 3),
        (lambda s: s.combined(b"ZUNION"), 4),
        (lambda s: s.combined(b"ZINTER"), 4),
        (lambda s: s.combined(b"ZDIFF", weighs=False), 3),
        (lambda s: s.combined(b"ZUNIONSTORE", target=True, scores=False), 3),
        (lambda s: s.combined(b"ZINTERSTORE", target=True, scores=False), 3),
        (lambda s: s.combined(b"ZDIFFSTORE", target=True, weighs=False, scores=False), 2),
        (lambda s: s.combined(b"ZINTERCARD", weighs=False, scores=False) +
         s.some(b"LIMIT", chance=0.3) + s.some(s.number()), 4),
        # What else may happen to a sorted set, and another value in its place.
        (lambda s: [b"DEL", s.key()], 1),
        (lambda s: [b"TYPE", s.key()], 1),
        (lambda s: [b"OBJECT", b"ENCODING", s.key()], 2),
        (lambda s: [b"EXISTS", s.key()], 1),
        (lambda s: [b"COPY", s.key(), s.key(), b"REPLACE"], 1),
        (lambda s: [b"RENAME", s.key(), s.key()], 1),
        (lambda s: [b"EXPIRE", s.key(), b"1000"], 1),
        (lambda s: [b"PERSIST", s.key()], 1),
        (lambda s: [b"SET", s.key(), s.member()], 0.5),
        (lambda s: [b"GET", s.key()], 1),
        (lambda s: [b"LPUSH", s.key(), s.member()], 0.2),
    )


def contents(connection):
    return [(connection.command(b"TYPE", key),
             comparable(connection.command(b"ZRANGE", key, 0, -1, b"WITHSCORES")))
            for key in KEYS + FLAT_KEYS]


@pytest.mark.parametrize("protocol", [2, 3])
def test_every_reply_is_that_of_redis(redis_server, new_cluster, protocol):
    commands, where = seeded(SortedSetCommands)
    node = new_cluster(1)[0]
    with Wire(redis_server, 10) as redis, Wire(node.port, 10) as torc:
        for connection in (redis, torc):
            connection.command(b"HELLO", protocol)

        def check():
            assert contents(torc) == contents(redis), where
            for key in KEYS:
                check_restored(torc, key, lambda key: [b"ZRANGE", key, 0, -1, b"WITHSCORES"])

        compare(commands, redis, torc, COMMANDS, where, check)
    assert len(commands.names) >= 40, "hardly a command that both refused each time"
    assert any("listpack" in name for name in commands.encodings)
    assert any("skiplist" in name for name in commands.encodings)


def test_forms_are_those_of_redis(redis_server, new_cluster):
    node = new_cluster(1)[0]
    with Wire(redis_server, 10) as redis, Wire(node.port, 10) as torc:
        for count, member, score in ((1, 1, 1), (1, 64, 0.5), (1, 65, 1), (100, 10, 10), (128, 3, 1),
                                     (129, 3, 1), (1000, 20, 0.25), (1000, 10, 3)):
            words = [b"ZADD", b"z"]
            for number in range(count):
                words += [score * number, b"%0*d" % (member, number)]
            assert torc.command(*words) == redis.command(*words) == b":%d" % count
            assert torc.command(b"OBJECT", b"ENCODING", b"z") == \
                redis.command(b"OBJECT", b"ENCODING", b"z"), (count, member)
            ours, theirs = (int(connection.command(b"MEMORY", b"USAGE", b"z")[1:])
                            for connection in (torc, redis))
            # A small one is a single allocation, whose size classes are an eighth apart.
            assert ours <= (theirs if count > 128 else theirs * 9 // 8), (count, member, ours, theirs)
            for connection in (torc, redis):
                connection.command(b"DEL", b"z")


def test_clients_are_told_where_keys_are(redis_server, new_cluster):
    """Also behind a target and a count; arity, flags and the rest as Redis has them."""
    node = new_cluster(1)[0]
    with Wire(redis_server, 10) as redis, Wire(node.port, 10) as torc:
        for words in ((b"ZUNIONSTORE", b"d", 2, b"a", b"b", b"WEIGHTS", 1, 2), (b"ZADD", b"a", 1, b"m"),
                      (b"ZINTER", 2, b"a", b"b"), (b"ZRANGESTORE", b"a", b"b", 0, 1)):
            assert torc.command(b"COMMAND", b"GETKEYS", *words) == \
                redis.command(b"COMMAND", b"GETKEYS", *words)
        # ZRANK and ZREVRANK take one argument more from 7.2 on.
        for name in sorted({maker(SortedSetCommands(random.Random(1)))[0]
                            for maker, _ in SortedSetCommands.MAKERS} - {b"ZRANK", b"ZREVRANK"}):
            ours, theirs = (connection.command(b"COMMAND", b"INFO", name)[1] for connection in (torc, redis))
            if name.startswith(b"Z"):
                assert ours[1:3] == theirs[1:3], name
                assert sorted(ours[3][1:]) == sorted(theirs[3][1:]), name
                assert ours[4:7] == theirs[4:7], name


def test_a_large_sorted_set_is_gone_through(new_cluster):
    """Whatever comes and goes meanwhile: what was there all the time is seen."""
    node = new_cluster(1)[0]
    client = node.client()
    stay = {b"stay:%d" % number: number / 4 for number in range(3000)}
    client.zadd("z", stay)
    seen, cursor, turn = {}, None, 0
    while cursor != 0:
        cursor, found = client.zscan("z", cursor or 0, count=100)
        seen.update(found)
        client.zadd("z", {f"come:{turn}:{number}": turn for number in range(100)})
        if turn > 0:
            client.zrem("z", *[f"come:{turn - 1}:{number}" for number in range(100)])
        turn += 1
    assert turn > 20
    assert stay.items() <= seen.items()
