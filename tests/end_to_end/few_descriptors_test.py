#!/usr/bin/env -S python3 -B
"""Nodes that may have 256 descriptors, and clients that connect and say nothing: the journal goes on to its next segment, and
a node that was away comes back."""

import http.client
import os
import socket
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
# pylint: disable=wrong-import-position
from processes import check, tell, wait_until
from swarm import START_SECONDS, Client, Cluster, many_names

DESCRIPTORS = 256
IDLE = 300  # at each node
NAMES = 24  # of which 19 fill a segment
FIRST_SEGMENT = "journal-00000000000000000001.wal"


def ask(node, method, target, body=None):
    """On a connection of its own: a newcomer takes the place of whoever is idle for longest."""
    connection = http.client.HTTPConnection("127.0.0.1", node.client_port, timeout=START_SECONDS)
    connection.request(method, target, body)
    answer = connection.getresponse()
    said = answer.read()
    connection.close()
    return answer.status, said


def crowd(node):
    """Connections that say nothing. The node closes those that are too many, so none is refused by its kernel."""
    return [socket.create_connection(("127.0.0.1", node.client_port), START_SECONDS) for _ in range(IDLE)]


def register(node, path):
    with open(path, "rb") as torrent:
        status, said = ask(node, "PUT", "/torrents", torrent.read())
    check(status == 201, f"a registration was answered {status}: {said[:200]}")


def story(world):
    limited = ["prlimit", f"--nofile={DESCRIPTORS}:{DESCRIPTORS}"]
    cluster = Cluster(world, serving_flags=["--snapshot-after", "1"], prefix=limited).start()
    one, two, three = cluster.nodes
    paths = many_names(world, Client(world, cluster), NAMES)
    three.kill()
    cluster.wait_for_leader()
    idle = [crowd(one), crowd(two)]
    for path in paths[: NAMES // 2]:
        register(one, path)
    three.start()
    wait_until(three.status, START_SECONDS, "node 3 to answer")
    idle.append(crowd(three))
    for path in paths[NAMES // 2 :]:
        register(two, path)

    def rejoined():
        status, body = ask(three, "GET", "/torrents")
        return status == 200 and body.count(b'"name"') == NAMES

    wait_until(rejoined, START_SECONDS, "node 3 to have what was registered while it was away")
    for node in cluster.nodes:
        check(node.running(), f"node {node.id} has stopped")
    for node in (one, two):  # node 3 may have been given a snapshot, which is short
        segments = sorted(name for name in os.listdir(node.data) if name.startswith("journal-"))
        check(segments[-1] != FIRST_SEGMENT, f"the journal of node {node.id} has not gone on: {segments}")
    check(sum(map(len, idle)) == 3 * IDLE, "not as many idle clients as were meant")


if __name__ == "__main__":
    tell(story, 180)
