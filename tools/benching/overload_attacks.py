"""What a stranger may do to a cluster, for as long as the process lives: one attack of those below, by its name. A process of its own at
the lowest priority, as a stranger has another machine: what is measured beside it is what the attack costs the nodes."""

import argparse
import json
import os
import random
import select
import socket
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "tests", "end_to_end", "lib"))
# pylint: disable=wrong-import-position
from raw import small_torrent
from replica_words import frame, hello, number

_GREEDY = "127.0.0.66"
_LIST = b"GET /torrents?limit=1000 HTTP/1.1\r\nHost: bench\r\n\r\n"
_BODY_BYTES = 8 << 20
_ROUND_MAX = (1 << 64) - 1


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("attack", choices=sorted(_ATTACKS))
    parser.add_argument("--client", action="append", type=_address, required=True, help="HOST:PORT of each node, the leader's first")
    parser.add_argument("--replica", action="append", type=_address, default=[], help="HOST:PORT of each replica port")
    parser.add_argument("--content", default="")
    parser.add_argument("--info-hash", default="")
    options = parser.parse_args()
    os.nice(19)
    _ATTACKS[options.attack](options)


def _address(text):
    host, port = text.rsplit(":", 1)
    return host, int(port)


def _begun():
    print("begun", flush=True)


def _open(target, source=_GREEDY):
    """A connection, or None: the node has refused it, or its backlog is full."""
    connection = socket.socket()
    connection.settimeout(2)
    try:
        connection.setsockopt(socket.IPPROTO_IP, 24, 1)  # IP_BIND_ADDRESS_NO_PORT: more of them than ports
        connection.bind((source, 0))
        connection.connect(target)
    except OSError:
        connection.close()
        return None
    return connection


def _hold(targets, count, first_words, source_of=lambda number: _GREEDY):
    """`count` connections that have said `first_words` and read nothing; whoever is closed comes again."""
    poll = select.epoll()
    held = {}

    def add(place):
        connection = _open(targets[place % len(targets)], source_of(place))
        if connection is None:
            return
        connection.setblocking(False)
        try:
            connection.send(first_words)
        except OSError:
            connection.close()
            return
        held[connection.fileno()] = (connection, place)
        poll.register(connection, select.EPOLLRDHUP)

    for place in range(count):
        add(place)
    _begun()
    while True:
        for descriptor, _ in poll.poll(1.0, 64):
            connection, place = held.pop(descriptor)
            poll.unregister(descriptor)
            connection.close()
            add(place)


def _lists_unread(options):
    """1,000 connections ask for 64 lists each and read nothing."""
    _hold(options.client[:1], 1000, _LIST * 64)


def _reads_at_once(options):
    """400 connections ask for 64 lists each that reflect all that was acknowledged, and read nothing: they become answerable together."""
    _hold(options.client[:1], 400, _LIST.replace(b"?", b"?linearizable=1&") * 64)


def _puts_unread(options):
    """The same of etcd's HTTP gateway: all keys, again and again."""
    body = json.dumps({"key": "AA==", "range_end": "AA==", "limit": 1000}).encode()
    request = b"POST /v3/kv/range HTTP/1.1\r\nHost: bench\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body)
    _hold(options.client[:1], 1000, request * 64)


def _idle(options):
    """18,000 connections that say nothing, from five addresses."""
    _hold(options.client[:1], 18_000, b"", lambda place: f"127.0.1.{place % 5 + 1}")


def _idle_few(options):
    """300 connections at each node that say nothing."""
    _hold(options.client, 300 * len(options.client), b"")


def _bodies(options):
    """48 bodies of 8 MiB are sent but for the last byte, again whenever they are dropped."""
    head = b"PUT /torrents HTTP/1.1\r\nHost: bench\r\nContent-Length: %d\r\n\r\n" % _BODY_BYTES
    most = bytes(_BODY_BYTES - 1)

    def send():
        while True:
            connection = _open(options.client[0])
            if connection is None:
                time.sleep(0.1)
                continue
            with connection:
                connection.settimeout(60)
                try:
                    connection.sendall(head)
                    connection.sendall(most)
                    while connection.recv(4096):
                        pass
                except OSError:
                    pass

    _in_threads(48, send)


def _in_threads(count, act):
    for _ in range(count):
        threading.Thread(target=act, daemon=True).start()
    _begun()
    while True:
        time.sleep(60)


def _converse(target, blocks):
    """Sends each block of pipelined requests when the one before is answered; comes again when it is hung up on."""
    while True:
        connection = _open(target)
        if connection is None:
            time.sleep(0.1)
            continue
        with connection:
            try:
                for block in blocks:
                    connection.sendall(b"".join(block))
                    _read_answers(connection, len(block))
            except OSError:
                pass


def _read_answers(connection, count):
    seen, tail = 0, b""
    while seen < count:
        part = connection.recv(1 << 18)
        if not part:
            raise ConnectionResetError
        part = tail + part
        seen += part.count(b"HTTP/1.1 ")
        tail = b"" if part.endswith(b"HTTP/1.1 ") else part[-8:]


def _lookups(options):
    """Eight connections look up 200 peers, each of whom has every other piece, as fast as they are answered."""
    request = f"GET /torrents/{options.content}/peers?limit=200 HTTP/1.1\r\nHost: bench\r\n\r\n".encode()

    def blocks():
        while True:
            yield [request]

    _in_threads(8, lambda: _converse(options.client[0], blocks()))


def _claims(options):
    """One address announces itself under ever other ports, 64 at once on each of eight connections."""
    escaped = "".join(f"%{options.info_hash[at : at + 2]}" for at in range(0, len(options.info_hash), 2))

    def blocks():
        draw = random.Random()
        while True:
            yield [
                f"GET /announce?info_hash={escaped}&port={draw.randint(1, 65535)}&left=0&numwant=0 HTTP/1.1\r\nHost: bench\r\n\r\n".encode()
                for _ in range(64)
            ]

    _in_threads(8, lambda: _converse(options.client[0], blocks()))


def _registrations(options):
    """One address registers a torrent after the other, 64 at once on each of eight connections."""

    def blocks():
        while True:
            yield [_registration(random.getrandbits(60)) for _ in range(64)]

    _in_threads(8, lambda: _converse(options.client[0], blocks()))


def _registration(value):
    torrent = small_torrent(b"flood-%016x" % value, value)
    return b"PUT /torrents HTTP/1.1\r\nHost: bench\r\nContent-Length: %d\r\n\r\n%s" % (len(torrent), torrent)


def _puts(options):
    """The same of etcd: ever other keys, as its gateway answers one after the other."""

    def blocks():
        while True:
            body = b'{"key": "%s", "value": "%s"}' % (b"%016x" % random.getrandbits(60), b"A" * 400)
            yield [b"POST /v3/kv/put HTTP/1.1\r\nHost: bench\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body)] * 64

    _in_threads(8, lambda: _converse(options.client[0], blocks()))


def _strangers(options):
    """Dials the replica ports again and again under the nodes' own ids, and says what no node can mean."""

    def dial(target):
        draw = random.Random()
        while True:
            connection = _open(target, "127.0.0.1")
            if connection is None:
                time.sleep(0.01)
                continue
            with connection:
                try:
                    connection.sendall(hello(1, draw.getrandbits(60), draw.randint(1, 3), draw.randint(1, 3), draw.getrandbits(60)))
                    connection.sendall(frame(number(0) + number(2) + number(_ROUND_MAX) + number(1) + number(1)))
                    connection.recv(4096)
                except OSError:
                    pass

    for target in options.replica[1:]:
        for _ in range(2):
            threading.Thread(target=dial, args=(target,), daemon=True).start()
    _in_threads(2, lambda: dial(options.replica[0]))


_ATTACKS = {
    "bodies": _bodies,
    "claims": _claims,
    "idle": _idle,
    "idle_few": _idle_few,
    "lists_unread": _lists_unread,
    "lookups": _lookups,
    "puts": _puts,
    "puts_unread": _puts_unread,
    "reads_at_once": _reads_at_once,
    "registrations": _registrations,
    "strangers": _strangers,
}

if __name__ == "__main__":
    sys.exit(main())
