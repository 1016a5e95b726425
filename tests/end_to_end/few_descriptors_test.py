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


def connected(node):
    """A connection of ours that is there before the idle ones, or None while the node does not listen."""
    connection = http.client.HTTPConnection("127.0.0.1", node.client_port, timeout=START_SECONDS)
    try:
        connection.connect()
    except OSError:
        return None
    return connection


def ask(connection, method, target, body=None):
    connection.request(method, target, body)
    answer = connection.getresponse()
    return answer.status, answer.read()


def crowd(node):
    """Connections that say nothing. What is too many the node closes, so none is refused by its kernel."""
    return [socket.create_connection(("127.0.0.1", node.client_port), START_SECONDS) for _ in range(IDLE)]


def register(connection, path):
    with open(path, "rb") as torrent:
        status, said = ask(connection, "PUT", "/torrents", torrent.read())
    check(status == 201, f"a registration was answered {status}: {said[:200]}")


def story(world):
    limited = ["prlimit", f"--nofile={DESCRIPTORS}:{DESCRIPTORS}"]
    cluster = Cluster(world, serving_flags=["--snapshot-after", "1"], prefix=limited).start()
    one, two, three = cluster.nodes
    paths = many_names(world, Client(world, cluster), NAMES)
    three.kill()
    cluster.wait_for_leader()
    ours = {node.id: connected(node) for node in (one, two)}
    idle = [crowd(one), crowd(two)]
    for path in paths[: NAMES // 2]:
        register(ours[one.id], path)
    three.start()
    ours[three.id] = wait_until(lambda: connected(three), START_SECONDS, "node 3 to listen")
    idle.append(crowd(three))
    for path in paths[NAMES // 2 :]:
        register(ours[two.id], path)

    def rejoined():
        status, body = ask(ours[three.id], "GET", "/torrents")
        return status == 200 and body.count(b'"name"') == NAMES

    wait_until(rejoined, START_SECONDS, "node 3 to have what was registered while it was away")
    for node in cluster.nodes:
        check(node.running(), f"node {node.id} has stopped")
        segments = sorted(name for name in os.listdir(node.data) if name.startswith("journal-"))
        check(segments[-1] != FIRST_SEGMENT, f"the journal of node {node.id} has not gone on: {segments}")
    check(sum(map(len, idle)) == 3 * IDLE, "not as many idle clients as were meant")


if __name__ == "__main__":
    tell(story, 180)
