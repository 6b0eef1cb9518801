"""Commands that wait, against redis-server: some clients wait for what another one does, and each gets the
same reply at the same step, or goes on waiting.

Of several keys of which one holds a value of another type when a value comes to another one Redis 7.0 takes
what has come; from 7.2 on it executes the command again and refuses it, and so does Torc. So who waits for
several keys waits for keys that hold nothing else."""

import select

from differential import KEYS, Commands, Wire, seeded, shown
from torc_cluster import encode, wait_until

LISTS = [b"{t}l1", b"{t}l2", b"{t}l3"]
ZSETS = [b"{t}z1", b"{t}z2", b"{t}z3"]
STEPS = 600
WAITERS = 6
ODD_TIMEOUTS = [b"x", b"", b"-1", b"-0.001", b"nan", b"inf", b"-inf", b"1e400", b"1e16", b"9223372036854775807",
                b" 1", b"1 ", b"0x1p-10", b"1e-320"]
TOO_LONG = b"-ERR timeout is out of range"  # from 7.2 on; 7.0 lets it overflow


class Waits(Commands):
    """What clients that are free ask for."""

    def next(self):
        return self.rng.choices([maker for maker, _ in self.MAKERS],
                                [weight for _, weight in self.MAKERS])[0](self)

    def keys(self, several):
        if self.rng.random() < 0.4:
            return [self.key()]
        return [self.rng.choice(several) for _ in range(self.rng.randint(1, 3))]

    def timeout(self):
        if self.rng.random() < 0.06:
            return self.rng.choice(ODD_TIMEOUTS)
        return self.rng.choice([b"0", b"0", b"0", b"1000", b"99.5", b"0.001", b"0.01"])

    def end(self):
        return self.rng.choice([b"LEFT", b"RIGHT"] * 10 + [b"UP"])

    def many(self, name, several, ends):
        keys = self.keys(several)
        # One that takes the word behind the keys for a key is refused earlier by a cluster.
        count = b"%d" % len(keys) if self.rng.random() < 0.95 else self.rng.choice([b"x", b"0", b"-1", b"100"])
        options = self.rng.choice([[], [], [b"COUNT", self.number()]])
        return [name, self.timeout(), count, *keys, self.rng.choice(ends), *options]

    MAKERS = (
        (lambda s: [b"BLPOP", *s.keys(LISTS), s.timeout()], 4),
        (lambda s: [b"BRPOP", *s.keys(LISTS), s.timeout()], 4),
        (lambda s: [b"BLMOVE", s.key(), s.key(), s.end(), s.end(), s.timeout()], 4),
        (lambda s: [b"BRPOPLPUSH", s.key(), s.key(), s.timeout()], 2),
        (lambda s: s.many(b"BLMPOP", LISTS, [b"LEFT", b"RIGHT", b"right"]), 4),
        (lambda s: [b"BZPOPMIN", *s.keys(ZSETS), s.timeout()], 3),
        (lambda s: [b"BZPOPMAX", *s.keys(ZSETS), s.timeout()], 3),
        (lambda s: s.many(b"BZMPOP", ZSETS, [b"MIN", b"MAX", b"max"]), 3),
    )


class Changes(Commands):
    """What somebody does meanwhile."""

    def values(self):
        return [self.rng.choice([b"a", b"b", b"c", b"12", b"x" * 300]) for _ in range(self.rng.randint(1, 4))]

    def scored(self):
        words = []
        for member in self.rng.sample([b"a", b"b", b"c", b"d"], self.rng.randint(1, 3)):
            words += [self.rng.choice([b"1", b"2.5", b"-3", b"inf"]), member]
        return words

    def pair(self):
        return self.rng.sample(KEYS, 2)

    def list(self):
        return self.rng.choice(LISTS)

    def zset(self):
        return self.rng.choice(ZSETS)

    MAKERS = (
        (lambda s: [b"RPUSH", s.list(), *s.values()], 8),
        (lambda s: [b"LMOVE", s.list(), s.list(), b"LEFT", b"RIGHT"], 2),
        (lambda s: [b"LPUSH", s.list(), *s.values()], 4),
        (lambda s: [b"ZADD", s.zset(), *s.scored()], 8),
        (lambda s: [b"ZRANGESTORE", s.zset(), s.zset(), b"0", b"-1"], 1),
        (lambda s: [b"DEL", *LISTS, *ZSETS], 2),
        (lambda s: [b"RPUSH", s.key(), *s.values()], 8),
        (lambda s: [b"LPUSH", s.key(), *s.values()], 8),
        (lambda s: [b"RPUSHX", s.key(), *s.values()], 1),
        (lambda s: [b"LMOVE", *s.pair(), b"LEFT", b"RIGHT"], 2),
        (lambda s: [b"LPOP", s.key()], 2),
        (lambda s: [b"ZADD", s.key(), *s.scored()], 8),
        (lambda s: [b"ZINCRBY", s.key(), b"2", b"m"], 2),
        (lambda s: [b"ZUNIONSTORE", s.key(), b"2", s.key(), s.key()], 1),
        (lambda s: [b"ZRANGESTORE", *s.pair(), b"0", b"-1"], 1),
        (lambda s: [b"SADD", s.key(), b"m"], 0.5),
        (lambda s: [b"SET", s.key(), b"string"], 1),
        (lambda s: [b"RENAME", *s.pair()], 2),
        (lambda s: [b"COPY", *s.pair(), b"REPLACE"], 2),
        (lambda s: [b"PEXPIRE", s.key(), b"0"], 1),
        (lambda s: [b"DEL", s.key()], 6),
        (lambda s: [b"UNLINK", *KEYS], 3),
    )


class Side:
    """One server: a connection that changes things, and some that wait."""

    def __init__(self, port, protocols):
        self.driver = Wire(port, 10)
        self.waiters = [Wire(port, 10) for _ in protocols]
        for waiter, protocol in zip(self.waiters, protocols):
            waiter.command(b"HELLO", protocol)
        self.ids = [waiter.command(b"CLIENT", b"ID")[1:] for waiter in self.waiters]

    def close(self):
        for wire in (self.driver, *self.waiters):
            wire.socket.close()

    def types(self):
        keys = [*KEYS, *LISTS, *ZSETS]
        self.driver.send(b"".join(encode(b"TYPE", key) for key in keys))
        return [self.driver.reply() for _ in keys]

    def blocked(self):
        info = self.driver.command(b"INFO", b"clients")[1]
        return int(info.split(b"blocked_clients:")[1].split()[0])

    def answered(self, blocked, count):
        """Of those that were blocked, those that have a reply, when `count` still are."""
        def readable():
            found = select.select([self.waiters[i].socket for i in blocked], [], [], 0)[0]
            return len(found) == len(blocked) - count and [
                i for i in blocked if self.waiters[i].socket in found] or len(found) == 0 == len(blocked) - count
        found = wait_until(readable, 5, f"{len(blocked) - count} of {blocked} are answered")
        return [] if found is True else found


def settled(side, before, index, words):
    """How many wait after a client that was free has asked for something."""
    def known():
        replied = select.select([side.waiters[index].socket], [], [], 0)[0]
        return bool(replied) or side.blocked() == before + 1
    wait_until(known, 5, f"the client waits or has a reply to {shown(words)}; {before} wait")
    return side.blocked()


def test_every_reply_is_that_of_redis(redis_server, new_cluster):
    # One seed, until it is known why with some (321304702, 1043886430) redis-server answers a client that the
    # steps so far leave waiting; TORC_SEED has it run with another.
    waits, where = seeded(Waits, default=2986267447)
    rng = waits.rng
    changes = Changes(rng)
    protocols = [rng.choice([2, 3]) for _ in range(WAITERS)]
    redis = Side(redis_server, protocols)
    torc = Side(new_cluster(1)[0].port, protocols)
    blocked = []  # in order
    chained = 0

    def compare_answers(what):
        """The same clients are answered on both sides, with the same words."""
        nonlocal chained
        left = redis.blocked()
        done = redis.answered(blocked, left)
        for index in done:
            replies = [side.waiters[index].reply() for side in (redis, torc)]
            assert replies[0] == replies[1] or replies[1] == TOO_LONG, f"{where}: {what}: {replies}"
            blocked.remove(index)
        assert torc.blocked() == left, f"{where}: {what}"
        chained = max(chained, len(done))

    try:
        for _ in range(STEPS):
            free = [index for index in range(WAITERS) if index not in blocked]
            if free and rng.random() < 0.5:
                index = rng.choice(free)
                words = waits.next()
                what = shown(words)
                for side in (redis, torc):
                    side.waiters[index].send(encode(*words))
                timeout = words[1] if words[0] in (b"BLMPOP", b"BZMPOP") else words[-1]
                if timeout in (b"0.001", b"0.01", b"0x1p-10", b"1e-320"):
                    answers = [side.waiters[index].reply() for side in (redis, torc)]
                    assert answers[0] == answers[1], f"{where}: {what}"
                    continue
                states = [settled(side, len(blocked), index, words) for side in (redis, torc)]
                assert states[0] == states[1], f"{where}: {what}"
                blocked.append(index)
                waits.names.add(words[0])
                compare_answers(what)
            elif blocked and rng.random() < 0.05:
                index = rng.choice(blocked)
                how = rng.choice([[], [b"TIMEOUT"], [b"error"]])
                replies = [side.driver.command(b"CLIENT", b"UNBLOCK", side.ids[index], *how)
                           for side in (redis, torc)]
                assert replies == [b":1", b":1"], where
                compare_answers("CLIENT UNBLOCK")
            else:
                words = changes.next()
                replies = [side.driver.command(*words) for side in (redis, torc)]
                assert replies[0] == replies[1] or replies[0][:1] == replies[1][:1] == b"-", \
                    f"{where}: {shown(words)}"
                compare_answers(shown(words))
                types = [side.types() for side in (redis, torc)]
                assert types[0] == types[1], f"{where}: {shown(words)}"
        assert waits.names == {maker(waits)[0] for maker, _ in waits.MAKERS}
        assert chained >= 2, "one change never served several"
    finally:
        for side in (redis, torc):
            side.close()
