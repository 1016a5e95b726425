#!/usr/bin/env -S python3 -B
"""Three nodes on links of 10 Mbit/s. A registration of 4 MiB takes seconds to cross them: it succeeds, nobody but the
first leader leads meanwhile, and small registrations pass it. Each node has a network namespace of its own, which ends with the processes in it."""

import hashlib
import http.client
import os
import re
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
# pylint: disable=wrong-import-position
from far_hosts import FarHosts, enter_own_network
from processes import check, tell, wait_until
from swarm import Cluster, TrackerNode, get_json

RATE = "10mbit"
PIECES = 1 << 17  # of 32 bytes each in a registration
# To another node, if one is asked that does not lead, and from the leader to both others, over one link.
CROSSINGS_SECONDS = 3 * PIECES * 32 * 8 / 10e6
SPARE_SECONDS = 30
SETTLE_SECONDS = 20
# Behind the large one a small one would wait for about as long as that takes.
SMALL_SHARE = 1 / 5


class FarNode(TrackerNode):
    """Node N is 10.9.0.N, at the other end of a slow link."""

    @property
    def host(self):
        return FarHosts.address(self.id)

    @property
    def url(self):
        return f"http://{self.host}:{self.client_port}"

    @property
    def node_flag(self):
        return f"{self.id}={self.host}:{self.replica_port}/{self.host}:{self.client_port}"

    def start(self):
        self.cluster.prefix = self.cluster.hosts.at(self.id)
        super().start()


class FarCluster(Cluster):
    def __init__(self, world):
        super().__init__(world)
        self.hosts = FarHosts(world)
        for number in range(1, self.size + 1):
            self.hosts.add(number, RATE)

    def choose_nodes(self):
        ports = self.world.free_port
        self.nodes = [FarNode(self, number, ports(), ports()) for number in range(1, self.size + 1)]

    def leaderships(self):
        return sum(len(re.findall("leads, ballot", node.process.out() + node.process.err())) for node in self.nodes)


def bencode(value):
    if isinstance(value, int):
        return b"i%de" % value
    if isinstance(value, bytes):
        return b"%d:%s" % (len(value), value)
    return b"d" + b"".join(bencode(key) + bencode(value[key]) for key in sorted(value)) + b"e"


def torrent(name, pieces):
    """Of one-block pieces that nobody has, a power of two of them."""
    layer = [hashlib.sha256(b"%s %d" % (name, i)).digest() for i in range(pieces)]
    level = layer
    while len(level) > 1:
        level = [hashlib.sha256(a + b).digest() for a, b in zip(level[::2], level[1::2])]
    file = {b"length": 16384 * pieces, b"pieces root": level[0]}
    info = {b"file tree": {name: {b"": file}}, b"meta version": 2, b"name": name, b"piece length": 16384}
    return bencode({b"info": info, b"piece layers": {level[0]: b"".join(layer)}})


def register(node, name, pieces, seconds):
    connection = http.client.HTTPConnection(node.host, node.client_port, timeout=seconds)
    connection.request("PUT", "/torrents", torrent(name.encode(), pieces))
    answer = connection.getresponse()
    said = answer.read()
    check(answer.status in (200, 201), lambda: f"registering {name} at node {node.id}: {answer.status} {said[:200]}")
    connection.close()


def register_beside(node, name, small):
    """The large registration's time, and those of the small ones beside it, whose names it adds to `small`."""
    large = threading.Thread(target=register, args=(node, name, PIECES, CROSSINGS_SECONDS + SPARE_SECONDS), daemon=True)
    began = time.monotonic()
    large.start()
    times = []
    while large.is_alive():
        asked = time.monotonic()
        small.append(f"{name} {len(small)}")
        register(node, small[-1], 2, SPARE_SECONDS)
        times.append(time.monotonic() - asked)
        large.join(0.02)
    return time.monotonic() - began, sorted(times)


def story(world):
    if not enter_own_network():
        print("SKIPPED: this user may not make network namespaces with shaped links (root may, with ip and tc)", file=sys.stderr)
        return
    cluster = FarCluster(world).start()
    leader = cluster.wait_for_leader()
    small = ["small"]
    register(leader, small[0], 2, SPARE_SECONDS)
    before = cluster.leaderships()
    follower = next(node for node in cluster.nodes if node is not leader)
    for name, node in (("large", leader), ("larger", follower)):
        took, times = register_beside(node, name, small)
        p99 = times[(len(times) * 99 + 99) // 100 - 1]
        print(f"{name}: {took:.2f} s; {len(times)} small ones beside it, median {times[len(times) // 2] * 1e3:.0f} ms, p99 {p99 * 1e3:.0f} ms")
        check(p99 < took * SMALL_SHARE, lambda p99=p99, took=took: f"small registrations took {p99:.2f} s beside one of {took:.2f} s")
    register(follower, "afterwards", 2, SPARE_SECONDS)
    after = cluster.leaderships()
    check(after == before, f"load alone has made {after - before} new leaders")
    applied = [lambda node=node: (get_json(node.url + "/status") or {}).get("torrents") == len(small) + 3 for node in cluster.nodes]
    wait_until(lambda: all(done() for done in applied), SETTLE_SECONDS, "all nodes to have what was registered")


if __name__ == "__main__":
    tell(story, 180)
