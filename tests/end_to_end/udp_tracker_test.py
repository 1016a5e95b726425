#!/usr/bin/env -S python3 -B
"""Trackers that are asked over UDP alone: one of others, written out by hand, with a torrent that no cluster knows; and
a cluster of ours, by IPv4 and IPv6."""

import os
import re
import socket
import struct
import sys
import threading
import urllib.request

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
# pylint: disable=wrong-import-position
from files import make_file, same_bytes
from processes import check, tell, wait_until
from swarm import Client, Cluster, has_ipv6

MAGIC, CONNECTION = 0x41727101980, 0x1122334455667788
EVENTS = {0: "none", 1: "completed", 2: "started", 3: "stopped"}


class ForeignTracker:
    """BEP 15 as others speak it: what it was told, and to everybody everybody else."""

    def __init__(self):
        self.told = []  # (info-hash, port, left, event)
        self._peers = {}
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 0))
        self.url = f"udp://127.0.0.1:{self._socket.getsockname()[1]}"
        # Its answers do not count: they come from elsewhere.
        self._liar = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self):
        while True:
            request, source = self._socket.recvfrom(2048)
            connection, action, transaction = struct.unpack_from(">QII", request)
            if action == 0 and connection == MAGIC:
                self._liar.sendto(struct.pack(">IIQ", 0, transaction, CONNECTION + 1), source)
                self._socket.sendto(struct.pack(">IIQ", 0, transaction, CONNECTION), source)
            elif action == 1 and connection == CONNECTION:
                self._socket.sendto(self._announce(request, transaction), source)
            else:
                self._socket.sendto(struct.pack(">II", 3, transaction) + b"no such connection", source)

    def _announce(self, request, transaction):
        info_hash, _, _, left, _, event = struct.unpack_from(">20s20sQQQI", request, 16)
        (port,) = struct.unpack_from(">H", request, 96)
        peers = self._peers.setdefault(info_hash, {})
        if EVENTS[event] == "stopped":
            peers.pop(port, None)
        else:
            peers[port] = left
        others = [struct.pack(">4BH", 127, 0, 0, 1, other) for other in peers if other != port]
        seeders = sum(1 for other in peers.values() if other == 0)
        self.told.append((info_hash, port, left, EVENTS[event]))
        return struct.pack(">IIIII", 1, transaction, 1800, len(peers) - seeders, seeders) + b"".join(others)

    def events(self, port):
        return [event for _, who, _, event in self.told if who == port]


def offer_and_download(client, data, torrent, result):
    offer = client.start_offer(data, torrent)
    wait_until(offer.acknowledged, 60, lambda: f"the offer: {offer.process.err()}")
    got = client.download(torrent, result, "--timeout", 30)
    check(got.status == 0, lambda: f"the download fails: {got.err()}")
    check(same_bytes(data, result), "the downloaded file differs")
    check("warning" not in got.err(), f"the download warns: {got.err()}")
    return offer


def a_tracker_of_others(world):
    tracker = ForeignTracker()
    client = Client(world, None)
    data = make_file(world.path("foreign.bin"), 3_000_000)
    for form in ("hybrid", "v1", "v2"):
        torrent = world.path(f"foreign-{form}.torrent")
        made = client.run("create", data, "--tracker", tracker.url, "--format", form, "-o", torrent)
        check(made.status == 0, f"create: {made.err()}")
        tracker.told.clear()
        offer = offer_and_download(client, data, torrent, world.path("foreign-copy-" + form))
        port = int(offer.address().split(":")[1])
        check(offer.process.stop() == 0, "the offer does not end in order")
        check(tracker.events(port)[0] == "started" and tracker.events(port)[-1] == "stopped", f"the offer told {tracker.told}")
        downloads = {who for _, who, _, _ in tracker.told} - {port}
        check(len(downloads) == 1, f"who announced: {tracker.told}")
        events = tracker.events(downloads.pop())
        check(events[0] == "started" and events[-1] == "stopped", f"the download told {events}")
    magnet = re.search(r"magnet: (\S+)", client.run("inspect", torrent).out())
    check(magnet, "inspect shows no magnet link")
    offer = client.start_offer(data, torrent)
    wait_until(offer.acknowledged, 60, "the offer")
    got = client.download(magnet.group(1), world.path("foreign-copy-magnet"), "--timeout", 30)
    check(got.status == 0 and same_bytes(data, world.path("foreign-copy-magnet")), lambda: f"by magnet link: {got.err()}")
    check(offer.process.stop() == 0, "the offer does not end in order")
    refused = client.run("register", torrent)
    check("takes announces alone" in refused.err(), f"register: {refused.err()}")


def announces(node):
    with urllib.request.urlopen(node.url + "/metrics", timeout=5) as answer:
        return int(re.search(r'udp_requests_total{action="announce"} (\d+)', answer.read().decode()).group(1))


def a_cluster_of_ours(world, host):
    cluster = Cluster(world, 1, name=f"tracker-{'six' if ':' in host else 'four'}", client_host=host).start()
    client = Client(world, cluster)
    data = make_file(world.path("ours.bin"), 1_000_000)
    client.register(client.create(data, world.path("registered.torrent")))
    torrent = world.path(f"{cluster.name}.torrent")
    flags = [flag.replace("http:", "udp:") for flag in cluster.tracker_flags()]
    made = client.run("create", data, *flags, "-o", torrent)
    check(made.status == 0, f"create: {made.err()}")
    offer = client.start("offer", data, torrent)
    offer.wait_for_line(r"^offering ", 60)
    result = world.path("copy-" + cluster.name)
    got = client.download(torrent, result, "--timeout", 30)
    check(got.status == 0 and same_bytes(data, result), lambda: f"the download over UDP at {host} fails: {got.err()}")
    check(announces(cluster.nodes[0]) >= 3, "nobody announced over UDP")
    check(offer.stop() == 0, "the offer does not end in order")
    wait_until(lambda: cluster.nodes[0].peers("ours.bin") == {}, 30, "the claims to be withdrawn")


def story(world):
    a_tracker_of_others(world)
    a_cluster_of_ours(world, "127.0.0.1")
    if has_ipv6():
        a_cluster_of_ours(world, "[::1]")


if __name__ == "__main__":
    tell(story, 200)
