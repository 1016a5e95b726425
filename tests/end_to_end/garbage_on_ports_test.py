#!/usr/bin/env -S python3 -B
"""Garbage sent to every listening port is dropped: the cluster and the offering client go on as if nothing had been."""

import os
import random
import socket
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
# pylint: disable=wrong-import-position
from files import make_file, same_bytes
from processes import check, tell, wait_until
from swarm import Client, Cluster, wait_for_offers

GROWTH_LIMIT_KIB = 64 * 1024


def volleys():
    noise = random.Random(4)
    yield b""
    yield b"\0" * 70000
    yield noise.randbytes(100000)
    yield b"GET " + b"a" * 200000 + b" HTTP/1.1\r\n\r\n"
    yield b"GET / HTTP/1.1\r\n" + b"x: y\r\n" * 20000
    yield b"POST /torrents/x/offers HTTP/1.1\r\nContent-Length: 99999999999999\r\n\r\n{"
    yield b"PUT /torrents HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nFFFFFFFFFFFFFFFFF\r\n"
    yield b"PUT /torrents HTTP/1.1\r\nContent-Length: 9\r\n\r\nd4:infole"
    yield b"GET /announce?info_hash=%zz&port=-1&left=9e99 HTTP/1.1\r\n\r\n"
    yield b"\xff\xff\xff\xff" * 5000
    yield b"\x13BitTorrent protocol" + noise.randbytes(48) + b"\xff\xff\xff\xff" + noise.randbytes(1000)
    yield b"\x13BitTorrent protocol" + noise.randbytes(10)


def fire(port, data):
    """Sends, half-closes, reads what comes; that the other side hangs up meanwhile is its right."""
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        connection.settimeout(0.2)
        try:
            connection.sendall(data)
            connection.shutdown(socket.SHUT_WR)
            while connection.recv(65536):
                pass
        except OSError:
            pass


def story(world):
    cluster = Cluster(world).start()
    client = Client(world, cluster)
    data = make_file(world.path("data.bin"), 5_000_000)
    torrent = client.create(data, world.path("data.torrent"))
    client.register(torrent)
    offer = client.start_offer(data, torrent)
    wait_for_offers([offer])

    ports = [int(offer.address().rsplit(":", 1)[1])]
    for node in cluster.nodes:
        ports += [node.replica_port, node.client_port]
    targets = [node.process for node in cluster.nodes] + [offer.process]
    before = {target.name: target.memory_kib() for target in targets}
    for port in ports:
        for data_sent in volleys():
            fire(port, data_sent)
    # Connections that say nothing at all are kept open during the rest.
    silent = [socket.create_connection(("127.0.0.1", port), timeout=10) for port in ports for _ in range(20)]

    for target in targets:
        check(target.running(), f"{target.name} did not survive")
        grown = target.memory_kib() - before[target.name]
        check(grown < GROWTH_LIMIT_KIB, f"{target.name} grew by {grown} KiB")
    wait_until(lambda: all(node.status() and node.status()["has_quorum"] for node in cluster.nodes), 30, "a healthy cluster")
    result = world.path("result.bin")
    process = client.download(torrent, result)
    check(process.status == 0, f"the download failed: {process.err()}")
    check(same_bytes(data, result), "the download differs")
    for connection in silent:
        connection.close()


if __name__ == "__main__":
    tell(story, 300)
