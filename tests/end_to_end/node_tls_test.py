#!/usr/bin/env -S python3 -B
"""A cluster whose nodes spoke in clear is brought to TLS one node at a time, and serves all the while. From then on who listens on the way learns
no name; who knows nothing, shows another authority's certificate or another node's, or speaks in clear, is refused aloud and changes nothing; a
certificate is renewed while the nodes run, and the cluster outlives its leader."""

import os
import re
import socket
import ssl
import sys
import threading
import time
import urllib.request

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
# pylint: disable=wrong-import-position
from authority import Authority
from files import make_file
from node_certificates import ClusterAuthority, showing
from processes import check, tell, wait_until
from replica_words import hello, receive_frame
from swarm import START_SECONDS, Client, Cluster, TrackerNode, wait_for_agreement

HANDSHAKE_VERSION = 7
GUEST = 0


class Relay:
    """Lies on the way to a port, and keeps what goes there."""

    def __init__(self, port):
        self.port = port
        self.heard = bytearray()
        self.server = socket.create_server(("127.0.0.1", 0))
        self.own_port = self.server.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            here, _ = self.server.accept()
            try:
                there = socket.create_connection(("127.0.0.1", self.port))
            except OSError:
                here.close()
                continue
            for pair in ((here, there), (there, here)):
                threading.Thread(target=self._carry, args=pair, daemon=True).start()

    def _carry(self, source, target):
        try:
            while part := source.recv(65536):
                self.heard += part
                target.sendall(part)
        except OSError:
            pass
        for each in (source, target):
            try:
                each.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass


class OverheardNode(TrackerNode):
    """The others reach it through a relay."""

    def __init__(self, *arguments):
        super().__init__(*arguments)
        self.relay = Relay(self.replica_port)
        self.mode = "off"

    @property
    def flags(self):
        members = [
            part for node in self.cluster.nodes
            for part in ("--node", node.node_flag if node is self else node.node_flag.replace(f":{node.replica_port}/", f":{node.relay.own_port}/"))
        ]  # fmt: skip
        return ["--id", self.id, "--data-dir", self.data, *members]

    def start(self):
        self.cluster.serving_flags = ["--replica-tls", self.mode]
        super().start()


class OverheardCluster(Cluster):
    def choose_nodes(self):
        ports = self.world.free_port
        self.nodes = [OverheardNode(self, number, ports(), ports()) for number in range(1, self.size + 1)]

    def heard(self, name):
        return any(name.encode() in bytes(node.relay.heard) for node in self.nodes)


def metric(node, name):
    with urllib.request.urlopen(node.url + "/metrics", timeout=5) as answer:
        text = answer.read().decode()
    found = re.search(r"^bytetorrent_" + re.escape(name) + r" (\S+)$", text, re.MULTILINE)
    return float(found.group(1)) if found else None


def encrypted(cluster, wanted):
    links = [(node, peer) for node in cluster.nodes for peer in cluster.nodes if peer is not node]
    wait_until(
        lambda: all(metric(node, f'replica_link_encrypted{{peer="{peer.id}"}}') == wanted for node, peer in links),
        START_SECONDS, f"every link to have encrypted = {wanted}",
    )  # fmt: skip


def register(world, client, name):
    torrent = client.create(make_file(world.path(name), 100_000), world.path(name + ".torrent"))
    client.register(torrent)
    wait_for_agreement(client.cluster.alive())


def upgrade(cluster, mode):
    for node in cluster.nodes:
        node.kill()
        node.mode = mode
        node.start()
        wait_for_agreement(cluster.nodes)
        check(cluster.wait_for_leader() is not None, "the cluster does not serve")


def answer_to(port, word, context):
    """What a node says to this word, or None; `context` None: in clear."""
    try:
        with socket.create_connection(("127.0.0.1", port), START_SECONDS) as connection:
            if context is not None:
                connection = context.wrap_socket(connection)
            with connection:
                connection.sendall(word)
                return receive_frame(connection)
    except (OSError, ssl.SSLError):
        return None


def restart_unspoken(node):
    """A node tells of refusals once a minute, so each case begins with one that has told of none. It has when a peer came back before the
    relay had ended the peer's old link."""
    for _ in range(10):
        node.kill()
        node.start()
        wait_for_agreement(node.cluster.nodes)
        encrypted(node.cluster, 1)
        if "refuses a replica link" not in node.process.err():
            return
    check(False, f"node {node.id} refuses a link whenever it starts")


def refused(node, word, context, words):
    restart_unspoken(node)
    before = metric(node, 'replica_refused_total{why="untrusted"}')
    check(answer_to(node.replica_port, word, context) is None, f"node {node.id} answered: {words}")
    wait_until(lambda: metric(node, 'replica_refused_total{why="untrusted"}') > before, START_SECONDS, f"a refusal to be counted: {words}")
    node.process.wait_for_line("refuses a replica link .*" + words, START_SECONDS)


def strangers(world, cluster, authority):
    number = authority.cluster
    as_guest = hello(HANDSHAKE_VERSION, number, GUEST, GUEST, 0)
    check(answer_to(cluster.nodes[0].replica_port, as_guest, authority.context(GUEST)) is not None, "who shows what he should is not answered")

    other, certificate, key = Authority(world, "other"), world.path("other-node.pem"), world.path("other-node.key")
    other.vouch(certificate, key, f"DNS:node-1.{number:016x}.bytetorrent.internal")
    refused(cluster.nodes[0], as_guest, showing(certificate, key), "the certificate of the peer is not to be trusted")
    as_node_2 = hello(HANDSHAKE_VERSION, number, 2, 3, 0)
    refused(cluster.nodes[2], as_node_2, authority.context(1), "it says that it is node 2, and its certificate is another's")
    refused(cluster.nodes[1], as_guest, None, "the peer does not speak TLS")
    refused(cluster.nodes[0], as_guest, showing(), "peer did not return a certificate")


def leader_killed(world, client):
    cluster = client.cluster
    leader = cluster.wait_for_leader()
    leader.kill()
    cluster.wait_for_leader()
    register(world, client, "said-after-all-that")
    leader.start()
    wait_for_agreement(cluster.nodes)


def renewed(cluster, guest):
    def shown(node):
        with socket.create_connection(("127.0.0.1", node.replica_port), START_SECONDS) as connection:
            with guest.wrap_socket(connection) as tls:
                return tls.getpeercert(binary_form=True)

    before = [shown(node) for node in cluster.nodes]
    cluster.reload(r"new links with other nodes show a certificate that is good until \d{4}-")
    for node, old in zip(cluster.nodes, before):
        check(shown(node) != old, f"node {node.id} shows its old certificate")
        left = metric(node, "replica_certificate_expiry_timestamp_seconds") - time.time()
        check(left > 300 * 24 * 3600, f"the certificate of node {node.id} ends in {left} s")
    encrypted(cluster, 1)


def story(world):
    cluster = OverheardCluster(world)
    cluster.start()
    client = Client(world, cluster)
    register(world, client, "said-in-clear")
    check(cluster.heard("said-in-clear"), "the relays hear nothing")
    encrypted(cluster, 0)
    upgrade(cluster, "offered")
    encrypted(cluster, 1)
    upgrade(cluster, "required")
    for node in cluster.nodes:
        node.relay.heard.clear()
    register(world, client, "said-in-secret")
    authority = ClusterAuthority(world, cluster.secret(), int(cluster.nodes[0].status()["cluster"], 16))
    renewed(cluster, authority.context(GUEST))
    strangers(world, cluster, authority)
    leader_killed(world, client)
    check(sum(len(node.relay.heard) for node in cluster.nodes) > 10_000, "the relays heard nothing")
    for name in ("said-in-secret", "said-after-all-that"):
        check(not cluster.heard(name), f"who listens on the way learned {name}")
    for node in cluster.nodes:
        check(set(node.torrents()) == {"said-in-clear", "said-in-secret", "said-after-all-that"}, lambda n=node: f"node {n.id} has {n.torrents()}")


if __name__ == "__main__":
    tell(story, 240)
