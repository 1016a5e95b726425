#!/usr/bin/env -S python3 -B
"""Nodes that know each other by host names: a name that is gone hurts nobody but its node, and a node that moves is found
again without a restart of the others. Each node sees an /etc/hosts of the test's own, which takes a mount namespace."""

import os
import subprocess
import sys
import urllib.request

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
# pylint: disable=wrong-import-position
from files import make_file
from processes import check, tell, wait_until
from swarm import START_SECONDS, Client, Cluster, TrackerNode, get_json, wait_for_agreement

IN_NAMESPACE = ["unshare", "--mount", "--propagation", "private", "sh", "-c"]
MOUNTED = 'mount --bind "$0" /etc/hosts && exec "$@"'


def may_mount():
    try:
        return subprocess.run([*IN_NAMESPACE, "true"], capture_output=True, check=False).returncode == 0
    except FileNotFoundError:
        return False


class NamedNode(TrackerNode):
    """Node N is the host nodeN; where that is, the cluster's hosts file says."""

    @property
    def host(self):
        return self.cluster.places[self.id]

    @property
    def url(self):
        return f"http://{self.host}:{self.client_port}"

    @property
    def node_flag(self):
        return f"{self.id}=node{self.id}:{self.replica_port}/node{self.id}:{self.client_port}"


class NamedCluster(Cluster):
    def __init__(self, world):
        self.hosts = world.path("hosts")
        super().__init__(world, prefix=[*IN_NAMESPACE, MOUNTED, self.hosts])
        self.places = {}

    def choose_nodes(self):
        ports = self.world.free_port
        self.nodes = [NamedNode(self, number, ports(), ports()) for number in range(1, self.size + 1)]
        self.place({number: f"127.0.1.{number}" for number in range(1, self.size + 1)})

    def place(self, places):
        """Written in place: the file is mounted where the nodes see it."""
        self.places.update(places)
        lines = ["127.0.0.1 localhost", *(f"{address} node{number}" for number, address in places.items())]
        with open(self.hosts, "w", encoding="ascii") as file:
            file.write("\n".join(lines) + "\n")


def has_quorum(node):
    status = get_json(node.url + "/status")
    return status is not None and status["has_quorum"]


def a_name_is_gone(cluster):
    """The host of node 3 is no longer known; node 1 is restarted and serves with node 2."""
    one, two, three = cluster.nodes
    three.kill()
    cluster.place({1: "127.0.1.1", 2: "127.0.1.2"})
    one.kill()
    one.start()
    wait_until(lambda: has_quorum(one) and has_quorum(two), START_SECONDS, "nodes 1 and 2 to go on without a name for 3")
    one.process.wait_for_line("does not find node 3 at node3", START_SECONDS)


def a_node_moves(cluster):
    """Node 3 comes back at another address, and nobody else is restarted; then 1 and 3 are a majority by themselves."""
    one, two, three = cluster.nodes
    cluster.place({1: "127.0.1.1", 2: "127.0.1.2", 3: "127.0.1.9"})
    three.start()
    wait_until(lambda: has_quorum(three), START_SECONDS, "node 3 to be found at its new address")
    wait_for_agreement(cluster.nodes)
    two.kill()
    wait_until(lambda: cluster.leader() in (one, three), START_SECONDS, "nodes 1 and 3 to elect one of them")
    wait_until(lambda: has_quorum(one) and has_quorum(three), START_SECONDS, "nodes 1 and 3 to have a quorum")


def names_are_handed_out(world, cluster):
    """What is served later names hosts, not the addresses that they had."""
    client = Client(world, cluster)
    torrent = client.create(make_file(world.path("some.bin"), 50_000), world.path("some.torrent"))
    client.register(torrent)
    with urllib.request.urlopen(cluster.nodes[0].url + "/torrents/some.bin", timeout=10) as answer:
        served = answer.read()
    for node in cluster.nodes:
        announce = f"http://node{node.id}:{node.client_port}/announce"
        check(announce.encode() in served, f"a served torrent does not name {announce}")


def story(world):
    if not may_mount():
        print("SKIPPED: this user may not make a mount namespace, and so no /etc/hosts of the test's own", file=sys.stderr)
        return
    cluster = NamedCluster(world).start()
    names_are_handed_out(world, cluster)
    a_name_is_gone(cluster)
    a_node_moves(cluster)


if __name__ == "__main__":
    tell(story, 180)
