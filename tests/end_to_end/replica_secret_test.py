#!/usr/bin/env -S python3 -B
"""Who does not know the cluster's secret is no node of it: he neither takes a node's place nor slows the cluster down. In clear, where the
secret's handshake stands alone; node_tls_test.py has what TLS adds."""

import http.client
import json
import os
import re
import socket
import sys
import threading
import time
import urllib.request

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
# pylint: disable=wrong-import-position
from files import make_file
from processes import check, tell, wait_until
from replica_words import hello, overhear, receive_frame, wrong_proof
from swarm import START_SECONDS, Client, Cluster, wait_for_agreement

IN_CLEAR = ["--replica-tls", "off"]
STORM_SECONDS = 5
LONGEST_WRITE_SECONDS = 3.0  # a calm cluster takes milliseconds, on a loaded machine an election is possible
FEWEST_WRITES = 50


def refused(node, why):
    """How many replica connections the node closed for this reason, as its metrics say."""
    with urllib.request.urlopen(node.url + "/metrics", timeout=5) as answer:
        text = answer.read().decode()
    return int(re.search(r'replica_refused_total\{why="' + why + r'"\} (\d+)', text).group(1))


class Storm:
    """Strangers who dial every node again and again, each time under the id of another, while the storm lasts."""

    def __init__(self, nodes, targets, version, cluster, incarnations):
        self.over = threading.Event()
        self.dialled = 0
        words = [
            (target.replica_port, hello(version, cluster, node.id, target.id, incarnations.get(node.id, 0)))
            for target in targets for node in nodes if node is not target
        ]  # fmt: skip
        self.threads = [threading.Thread(target=self._dial, args=word, daemon=True) for word in words]

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.over.set()
        for thread in self.threads:
            thread.join(10)

    def _dial(self, port, word):
        while not self.over.is_set():
            try:
                with socket.create_connection(("127.0.0.1", port), timeout=2) as connection:
                    connection.settimeout(2)
                    connection.sendall(word)
                    if receive_frame(connection) is not None:
                        connection.sendall(wrong_proof())
                    while connection.recv(4096):
                        pass
            except OSError:
                pass
            self.dialled += 1


def write(node, content, count):
    """Seconds until a durable claim was acknowledged, or None."""
    body = json.dumps({"peer": f"10.1.{count >> 8 & 255}.{count & 255}:6881", "pieces": [[0, 1]]})
    began = time.monotonic()
    try:
        connection = http.client.HTTPConnection("127.0.0.1", node.client_port, timeout=10)
        connection.request("POST", f"/torrents/{content}/offers", body)
        good = 200 <= connection.getresponse().status < 300
        connection.close()
    except (OSError, http.client.HTTPException):
        return None
    return time.monotonic() - began if good else None


def writes_go_on(cluster, content):
    """Writes at every node in turn for a while: none fails, and none takes long."""
    took = []
    end = time.monotonic() + STORM_SECONDS
    while time.monotonic() < end or len(took) < FEWEST_WRITES:
        alive = cluster.alive()
        took.append(write(alive[len(took) % len(alive)], content, len(took)))
        check(took[-1] is not None, f"write {len(took)} failed")
        check(took[-1] < LONGEST_WRITE_SECONDS, f"write {len(took)} took {took[-1]:.1f} s")


def another_secret(world):
    """A node that was initialised with the secret of another cluster stays alone, and both sides say why."""
    other = Cluster(world, name="other", serving_flags=IN_CLEAR).start()
    for node in other.nodes:
        node.kill()
    cluster = Cluster(world, name="mixed", serving_flags=IN_CLEAR).start(secret_of=lambda node: other.secret() if node.id == 3 else None)
    lone = cluster.nodes[2]
    wait_until(lone.status, START_SECONDS, "the lone node to answer")
    for node in cluster.nodes:
        node.process.wait_for_line("refuses a replica link .* of another cluster", START_SECONDS)
    check(not lone.status()["has_quorum"], "a node of another cluster has a quorum")
    check(refused(lone, "foreign") > 0, "the refusals are not counted")
    for node in cluster.nodes:
        node.kill()


def story(world):
    another_secret(world)
    cluster = Cluster(world, serving_flags=IN_CLEAR).start()
    client = Client(world, cluster)
    torrent = client.create(make_file(world.path("data.bin"), 1_000_000), world.path("data.torrent"))
    client.register(torrent)
    content = re.search(r"[0-9a-f]{64}-\d+", client.run("inspect", torrent, "--json").out()).group(0)

    # A stranger can hear Hellos where a node is away; they name the cluster and the incarnations, but not the secret.
    incarnations = {}
    for away in (cluster.nodes[2], cluster.nodes[1]):
        for node in cluster.nodes:
            if not node.running():
                node.start()
        wait_for_agreement(cluster.nodes)
        away.kill()
        version, cluster_id, heard_now = overhear(away.replica_port, 2, START_SECONDS)
        incarnations |= heard_now
    heard = (version, cluster_id, incarnations)
    cluster.wait_for_leader()
    with Storm(cluster.nodes, cluster.alive(), *heard) as storm:
        writes_go_on(cluster, content)
        check(sum(refused(node, "unproven") for node in cluster.alive()) > 0, "nobody was refused for a wrong proof")
        away.start()
        wait_for_agreement(cluster.nodes)
    check(storm.dialled > 100, "the storm was none")

    before = sum(refused(node, "in_use") for node in cluster.nodes)
    with Storm(cluster.nodes, cluster.nodes, *heard):
        writes_go_on(cluster, content)
    check(sum(refused(node, "in_use") for node in cluster.nodes) > before, "nobody claimed an id in use")
    for node in cluster.nodes:
        said = node.process.err().count("refuses a replica link")
        check(1 <= said <= 3, f"node {node.id} told of refusals {said} times in some seconds")


if __name__ == "__main__":
    tell(story, 300)
