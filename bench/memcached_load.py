"""Load for memcached, which torc-bench does not speak to: SET:GET 1:9 in its text protocol, from one thread.
Requests are prepared beforehand, and a reply is known by its size, so that little is left to do in
between; latencies are not taken."""

import dataclasses
import random
import select
import socket
import time

REQUESTS_PREPARED = 200_000
LIMIT_SECONDS = 10


@dataclasses.dataclass
class Done:
    operations: int
    seconds: float


def _set(number, size):
    return (b"set key:%d 0 0 %d\r\n%s\r\n" % (number, size, b"v" * size), len(b"STORED\r\n"))


def _get(number, size):
    return (b"get key:%d\r\n" % number,
            len(b"VALUE key:%d 0 %d\r\n" % (number, size)) + size + len(b"\r\nEND\r\n"))


def _receive(connection, size):
    while size > 0:
        got = len(connection.recv(min(size, 1 << 20)))
        if got == 0:
            raise OSError("memcached has closed the connection")
        size -= got


def load(server, keys, size):
    with socket.create_connection(("127.0.0.1", server.port), LIMIT_SECONDS) as connection:
        for first in range(0, keys, 1000):
            requests = [_set(number, size) for number in range(first, min(first + 1000, keys))]
            connection.sendall(b"".join(request for request, _ in requests))
            _receive(connection, sum(reply for _, reply in requests))


def _batches(pipeline, keys, size):
    """Batches of requests: (bytes to send, bytes of the replies)."""
    rng = random.Random(1)
    batches = []
    for _ in range(min(keys, REQUESTS_PREPARED) // pipeline + 1):
        requests = [(_set if rng.randrange(10) == 0 else _get)(rng.randrange(keys), size)
                    for _ in range(pipeline)]
        batches.append((b"".join(request for request, _ in requests),
                        sum(reply for _, reply in requests)))
    return batches


def run(server, clients, pipeline, keys, size, seconds):
    batches = _batches(pipeline, keys, size)
    connections = [socket.create_connection(("127.0.0.1", server.port), LIMIT_SECONDS)
                   for _ in range(clients)]
    poll = select.epoll()
    waiting = {}  # by descriptor: [connection, bytes to come]
    for connection in connections:
        poll.register(connection.fileno(), select.EPOLLIN)
        waiting[connection.fileno()] = [connection, 0]
    sent = 0

    def send(entry):
        nonlocal sent
        request, entry[1] = batches[sent % len(batches)]
        entry[0].sendall(request)
        sent += 1

    began = time.monotonic()
    try:
        for entry in waiting.values():
            send(entry)
        while time.monotonic() - began < seconds:
            ready = poll.poll(LIMIT_SECONDS)
            if not ready:
                raise OSError("memcached does not answer")
            for descriptor, _ in ready:
                entry = waiting[descriptor]
                got = len(entry[0].recv(1 << 20))
                if got == 0:
                    raise OSError("memcached has closed the connection")
                entry[1] -= got
                if entry[1] <= 0:
                    send(entry)
        for connection, left in waiting.values():
            _receive(connection, left)
        return Done(sent * pipeline, time.monotonic() - began)
    finally:
        poll.close()
        for connection in connections:
            connection.close()
