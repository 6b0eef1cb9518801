"""Lists against redis-server: the same random commands, and every reply the same."""

from differential import KEYS, Commands, Wire, check_restored, compare, first_word, seeded

COMMANDS = 9000
# For LMPOP; one that takes the word behind the keys for a key is refused earlier by a cluster.
ODD_COUNTS = [b"x", b"", b"0", b"-1", b"100", b"9223372036854775807", b"9223372036854775808"]


class ListCommands(Commands):
    def value(self):
        shape = self.rng.random()
        if shape < 0.6:
            return self.rng.choice([b"a", b"b", b"c", b"", b"12", b"-5", b"0"])
        if shape < 0.95:
            return b"%d" % self.rng.randrange(1000) * self.rng.randint(1, 20)
        if shape < 0.99:
            return self.rng.choice([b"x", b"y"]) * self.rng.randint(250, 260)
        return self.rng.choice([b"x", b"y"]) * self.rng.randint(4000, 20000)

    def values(self):
        count = 1 if self.rng.random() < 0.5 else self.rng.randint(1, 8)
        if self.rng.random() < 0.03:
            count = self.rng.randint(100, 400)
        return [self.value() for _ in range(count)]

    def end(self):
        return self.rng.choice([b"LEFT", b"right", b"Left", b"RIGHT"] * 10 + [b"UP"])

    def options(self, *names):
        words = []
        for name in names:
            if self.rng.random() < 0.3:
                words += [name, self.number()]
        if self.rng.random() < 0.03:
            words.append(self.rng.choice([b"FOO", b"COUNT", b"RANK"]))
        return words

    def pop_count(self):
        return [] if self.rng.random() < 0.6 else [self.number()]

    def lmpop(self):
        keys = [self.key() for _ in range(self.rng.randint(1, 3))]
        count = b"%d" % len(keys) if self.rng.random() < 0.95 else self.rng.choice(ODD_COUNTS)
        return [b"LMPOP", count, *keys, self.end(), *self.options(b"COUNT")]

    def compared(self, words, reply):
        return first_word(reply)

    MAKERS = (
        (lambda s: [b"LPUSH", s.key(), *s.values()], 10),
        (lambda s: [b"RPUSH", s.key(), *s.values()], 10),
        (lambda s: [b"LPUSHX", s.key(), *s.values()], 3),
        (lambda s: [b"RPUSHX", s.key(), *s.values()], 3),
        (lambda s: [b"LPOP", s.key(), *s.pop_count()], 6),
        (lambda s: [b"RPOP", s.key(), *s.pop_count()], 6),
        (lambda s: [b"LLEN", s.key()], 3),
        (lambda s: [b"LRANGE", s.key(), s.number(), s.number()], 6),
        (lambda s: [b"LINDEX", s.key(), s.number()], 6),
        (lambda s: [b"LSET", s.key(), s.number(), s.value()], 6),
        (lambda s: [b"LREM", s.key(), s.number(), s.value()], 6),
        (lambda s: [b"LTRIM", s.key(), s.rng.choice([b"0", b"1", s.number()]),
                    s.rng.choice([b"-1", b"-2", s.number()])], 2),
        (lambda s: [b"LINSERT", s.key(), s.rng.choice([b"BEFORE", b"after", b"AFTER", b"at"]),
                    s.value(), s.value()], 6),
        (lambda s: [b"LPOS", s.key(), s.value(), *s.options(b"RANK", b"COUNT", b"MAXLEN")], 8),
        (lambda s: [b"LMOVE", s.key(), s.key(), s.end(), s.end()], 6),
        (lambda s: [b"RPOPLPUSH", s.key(), s.key()], 3),
        (lambda s: s.lmpop(), 6),
        # What else may happen to a list, and a string in its place.
        (lambda s: [b"DEL", s.key()], 1),
        (lambda s: [b"TYPE", s.key()], 1),
        (lambda s: [b"EXISTS", s.key()], 1),
        (lambda s: [b"COPY", s.key(), s.key(), b"REPLACE"], 1),
        (lambda s: [b"RENAME", s.key(), s.key()], 1),
        (lambda s: [b"EXPIRE", s.key(), b"1000"], 1),
        (lambda s: [b"PERSIST", s.key()], 1),
        (lambda s: [b"SET", s.key(), s.value()], 0.5),
        (lambda s: [b"SETNX", s.key(), s.value()], 0.5),
        (lambda s: [b"GET", s.key()], 1),
        (lambda s: [b"APPEND", s.key(), s.value()], 0.2),
        (lambda s: [b"STRLEN", s.key()], 0.5),
        (lambda s: [b"INCR", s.key()], 0.2),
    )


def contents(connection):
    return [(connection.command(b"TYPE", key), first_word(connection.command(b"LRANGE", key, 0, -1)))
            for key in KEYS]


def test_every_reply_is_that_of_redis(redis_server, new_cluster):
    commands, where = seeded(ListCommands)
    node = new_cluster(1)[0]
    encodings = set()
    with Wire(redis_server, 10) as redis, Wire(node.port, 10) as torc:
        def check():
            assert contents(torc) == contents(redis), where
            for key in KEYS:
                check_restored(torc, key, lambda key: [b"LRANGE", key, 0, -1])
                encodings.add(str(torc.command(b"OBJECT", b"ENCODING", key)))

        compare(commands, redis, torc, COMMANDS, where, check)
    assert len(commands.names) >= 28, "hardly a command that both refused each time"
    assert any("listpack" in name for name in encodings)
    assert any("quicklist" in name for name in encodings)
