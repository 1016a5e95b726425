#!/usr/bin/env -S python3 -B
"""Every node is stopped in order and started again, one after the other, the leader too, while clients that go on to the next node write without a failed request."""

import http.client
import os
import signal
import sys
import threading

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
# pylint: disable=wrong-import-position
from processes import check, tell, wait_until
from raw import small_torrent
from swarm import START_SECONDS, Cluster, wait_for_agreement

WRITERS = 4


class Writer(threading.Thread):
    """Registers names on one kept connection, and goes on to the next node when it is closed or the node cannot answer."""

    def __init__(self, nodes, number):
        super().__init__(daemon=True)
        self.nodes = nodes
        self.number = number
        self.at = number
        self.connection = None
        self.stopping = threading.Event()
        self.done = []
        self.failed = []

    def run(self):
        while not self.stopping.is_set():
            count = len(self.done) + len(self.failed)
            name = b"name-%d-%d" % (self.number, count)
            torrent = small_torrent(name, self.number * 10**9 + count)
            answers = []
            # Each node once, and once more the one whose kept connection was closed.
            while len(answers) <= len(self.nodes) and 200 not in answers and 201 not in answers:
                answers.append(self.try_once(torrent))
            (self.done if answers[-1] in (200, 201) else self.failed).append((name.decode(), answers))

    def try_once(self, torrent):
        node = self.nodes[self.at % len(self.nodes)]
        try:
            if self.connection is None:
                self.connection = http.client.HTTPConnection("127.0.0.1", node.client_port, timeout=10)
            self.connection.request("PUT", "/torrents", torrent)
            response = self.connection.getresponse()
            response.read()
            if response.status in (200, 201):
                return response.status
            outcome = response.status
        except (OSError, http.client.HTTPException) as error:
            outcome = type(error).__name__
        if self.connection is not None:
            self.connection.close()
        self.connection = None
        self.at += 1
        return outcome


def ready(node):
    try:
        connection = http.client.HTTPConnection("127.0.0.1", node.client_port, timeout=2)
        connection.request("GET", "/readyz")
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False


def story(world):
    cluster = Cluster(world).start()
    writers = [Writer(cluster.nodes, number) for number in range(WRITERS)]
    for writer in writers:
        writer.start()
    try:
        for node in cluster.nodes:
            before = sum(len(writer.done) for writer in writers)
            wait_until(lambda b=before: sum(len(writer.done) for writer in writers) > b + 50, START_SECONDS, "writes to go on")
            node.process.signal(signal.SIGTERM)
            check(node.process.wait(20) == 0, lambda n=node: f"node {n.id} did not stop in order: {n.process.err()}")
            node.start()
            wait_until(lambda n=node: ready(n), START_SECONDS, f"node {node.id} to be ready again")
    finally:
        for writer in writers:
            writer.stopping.set()
        for writer in writers:
            writer.join(60)
    failed = [failure for writer in writers for failure in writer.failed]
    check(not failed, f"{len(failed)} requests failed at every node: {failed[:3]}")
    wait_for_agreement(cluster.nodes)
    acknowledged = sum(len(writer.done) for writer in writers)
    held = cluster.nodes[0].status()["torrents"]
    check(held == acknowledged > 150, f"{acknowledged} names were acknowledged, {held} are there")


if __name__ == "__main__":
    tell(story, 180)
