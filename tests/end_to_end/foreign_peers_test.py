#!/usr/bin/env -S python3 -B
"""Peers of other programs, written out by hand: under which info-hash they are dialled, and how they are served.

Each knows the content by one torrent file alone, hangs up on every other info-hash, and announces itself once.
"""

import hashlib
import os
import socket
import struct
import sys
import threading
import urllib.parse
import urllib.request

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
# pylint: disable=wrong-import-position
from files import make_file
from processes import check, tell, wait_until
from swarm import Client, Cluster, wait_for_offers

SIZE = 300_000
PROTOCOL = b"\x13BitTorrent protocol"
V2_BIT = 0x10


class Listener:
    """Takes connections, notes each handshake and hangs up."""

    def __init__(self):
        self.dialled = []  # (info-hash, whether with the v2 bit)
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port = self._socket.getsockname()[1]
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self):
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            with connection:
                connection.settimeout(5)
                try:
                    handshake = connection.recv(68, socket.MSG_WAITALL)
                except OSError:
                    continue
                if len(handshake) == 68:
                    self.dialled.append((handshake[28:48], bool(handshake[27] & V2_BIT)))

    def close(self):
        self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()


def end_of(data, at):
    """Where the bencoded value that begins at `at` ends."""
    if data[at : at + 1] == b"i":
        return data.index(b"e", at) + 1
    if data[at : at + 1] in (b"l", b"d"):
        at += 1
        while data[at : at + 1] != b"e":
            at = end_of(data, at)
        return at + 1
    colon = data.index(b":", at)
    return colon + 1 + int(data[at:colon])


def info_of(data):
    """First and last offset of the info dictionary: the only key of that name that other keys cannot hold."""
    start = data.index(b"4:infod") + len(b"4:info")
    return start, end_of(data, start)


def info_hash(torrent, v2=False):
    with open(torrent, "rb") as file:
        data = file.read()
    start, end = info_of(data)
    return (hashlib.sha256 if v2 else hashlib.sha1)(data[start:end]).digest()[:20]


def make_private(torrent):
    """As other programs make torrents for private trackers: `private` is info's last key in the order of bencoding."""
    with open(torrent, "rb") as file:
        data = file.read()
    _, end = info_of(data)
    with open(torrent, "wb") as file:
        file.write(data[: end - 1] + b"7:privatei1e" + data[end - 1 :])


class Scene:
    """A registered torrent of one form, and the hash that a client knows who has this file."""

    def __init__(self, client, name, form, private=False):
        self.client = client
        self.name = name + ".bin"
        self.file = make_file(client.world.path(self.name), SIZE, seed=len(name))
        self.torrent = client.create(self.file, client.world.path(name + ".torrent"), "--format", form)
        if private:
            make_private(self.torrent)
        client.register(self.torrent)
        self.hash = info_hash(self.torrent, form == "v2")

    def announce(self, port, left):
        question = urllib.parse.urlencode(
            {"info_hash": self.hash, "peer_id": b"-XX0001-123456789012", "port": port, "left": left, "event": "started"}
        )
        with urllib.request.urlopen(f"{self.client.cluster.nodes[0].url}/announce?{question}", timeout=10) as answer:
            check(b"failure" not in answer.read(), "the announce is refused")


def is_dialled(listener, scene, who, v2_bit=None):
    wait_until(lambda: listener.dialled, 20, f"{who} to dial the listener")
    first, bit = listener.dialled[0]
    check(first == scene.hash, f"{who} dials first with {first.hex()}, not with the file's info-hash {scene.hash.hex()}")
    check(v2_bit is None or bit == v2_bit, f"{who} sets the v2 bit: {bit}")
    listener.close()


def a_seeder_is_dialled_with_the_hash_of_the_given_file(client):
    for form in ("v1", "v2", "hybrid"):
        scene = Scene(client, "seeded-" + form, form)
        listener = Listener()
        scene.announce(listener.port, 0)
        download = client.start("download", scene.torrent, "-o", client.world.path("from-" + form))
        is_dialled(listener, scene, f"a download of a {form} torrent", v2_bit=form == "hybrid")
        download.kill()


def a_private_torrent_is_found_by_name(client):
    scene = Scene(client, "private", "hybrid", private=True)
    listener = Listener()
    scene.announce(listener.port, 0)
    download = client.start("download", scene.name, "-o", client.world.path("by-name"), *client.cluster.tracker_flags())
    is_dialled(listener, scene, "a download by name")
    download.kill()


def who_waits_is_dialled_by_an_offer(client):
    scene = Scene(client, "waiting", "v1")
    listener = Listener()
    scene.announce(listener.port, SIZE)
    offer = client.start_offer(scene.file, scene.torrent)
    is_dialled(listener, scene, "an offer", v2_bit=False)
    wait_for_offers([offer])  # it may dial before its claim is acknowledged
    check(offer.process.stop() == 0, "the offering client must end well")


def receive(connection, size):
    """Exactly so many bytes: a socket with a time limit may give fewer at a time, whatever MSG_WAITALL says."""
    got = b""
    while len(got) < size:
        more = connection.recv(size - len(got))
        check(more, "the peer hung up in the middle of a message")
        got += more
    return got


def frames(connection):
    """The messages that follow the handshake."""
    receive(connection, 68)
    while True:
        (length,) = struct.unpack(">I", receive(connection, 4))
        yield receive(connection, length)


def the_whole_last_block_is_padded_under_the_v2_hash(client):
    scene = Scene(client, "padded", "v2")
    offer = client.start_offer(scene.file, scene.torrent)
    wait_for_offers([offer])
    host, port = offer.address().split(":")
    with socket.create_connection((host, int(port)), 10) as connection:
        connection.settimeout(10)
        reserved = bytes([0, 0, 0, 0, 0, 0, 0, 4])
        hello = PROTOCOL + reserved + scene.hash + b"-XX0001-123456789012"
        connection.sendall(hello + struct.pack(">IB", 1, 15) + struct.pack(">IB", 1, 2))
        last, block = SIZE // 16384, 16384
        for frame in frames(connection):
            if frame[:1] == b"\x01":  # unchoked
                connection.sendall(struct.pack(">IBIII", 13, 6, last, 0, block))
            if frame[:1] == b"\x07":
                with open(scene.file, "rb") as file:
                    file.seek(last * block)
                    check(frame[9:] == file.read().ljust(block, b"\0"), "the last block is not the content and zeros")
                break
    check(offer.process.stop() == 0, "the offering client must end well")


def story(world):
    client = Client(world, Cluster(world, 1).start())
    a_seeder_is_dialled_with_the_hash_of_the_given_file(client)
    a_private_torrent_is_found_by_name(client)
    who_waits_is_dialled_by_an_offer(client)
    the_whole_last_block_is_padded_under_the_v2_hash(client)


if __name__ == "__main__":
    tell(story, 200)
