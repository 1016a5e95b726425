#!/usr/bin/env -S python3 -B
"""Every node is stopped in order and started again as a newer release, one after the other, the leader too, while clients that go on to the next node write without a failed request. The format level rises with the last one, and the older release refuses to come back."""

import http.client
import json
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
OLDER_RELEASE = ("--newest-level", "1")


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


def level_of(world, node):
    """(the level in force, {id: newest level it reads}) as the node tells."""
    process = world.run("level", [world.binaries.client, "cluster", "level", "--json", "--data-dir", node.data])
    check(process.status == 0, lambda: f"cluster level failed: {process.err()}")
    answer = json.loads(process.out())
    return answer["level"], {member["id"]: member.get("newest") for member in answer["members"]}


def refuse_to_go_back(world, cluster):
    """A release that is too old for what is agreed on says so, changes nothing, and the newer one starts again."""
    node = cluster.nodes[0]
    node.process.signal(signal.SIGTERM)
    check(node.process.wait(20) == 0, lambda: f"node 1 did not stop in order: {node.process.err()}")
    cluster.serving_flags = OLDER_RELEASE
    node.start()
    check(node.process.wait(START_SECONDS) == 1, "a node that is too old for the level in force serves")
    for word in ("format level 2", "reads format level 1", "start the release that ran here before"):
        check(word in node.process.err(), lambda w=word: f"{w!r} is not in what a node that is too old says: {node.process.err()}")
    cluster.serving_flags = ()
    node.start()
    wait_until(lambda: ready(node), START_SECONDS, "the node to be ready as the newer release")


def story(world):
    cluster = Cluster(world, serving_flags=OLDER_RELEASE).start()
    cluster.serving_flags = ()
    writers = [Writer(cluster.nodes, number) for number in range(WRITERS)]
    for writer in writers:
        writer.start()
    try:
        for node in cluster.nodes:
            before = sum(len(writer.done) for writer in writers)
            wait_until(lambda b=before: sum(len(writer.done) for writer in writers) > b + 50, START_SECONDS, "writes to go on")
            node.process.signal(signal.SIGTERM)
            check(node.process.wait(20) == 0, lambda n=node: f"node {n.id} did not stop in order: {n.process.err()}")
            levels = {other.status()["level"] for other in cluster.nodes if other is not node}
            check(levels == {1}, f"the level has risen to {levels} before all nodes were upgraded")
            node.start()
            wait_until(lambda n=node: ready(n), START_SECONDS, f"node {node.id} to be ready again")
    finally:
        for writer in writers:
            writer.stopping.set()
        for writer in writers:
            writer.join(60)
    failed = [failure for writer in writers for failure in writer.failed]
    check(not failed, f"{len(failed)} requests failed at every node: {failed[:3]}")
    wait_until(lambda: level_of(world, cluster.nodes[0]) == (2, {1: 2, 2: 2, 3: 2}), START_SECONDS, "the format level to rise")
    refuse_to_go_back(world, cluster)
    wait_for_agreement(cluster.nodes)
    acknowledged = sum(len(writer.done) for writer in writers)
    held = cluster.nodes[0].status()["torrents"]
    check(held == acknowledged > 150, f"{acknowledged} names were acknowledged, {held} are there")


if __name__ == "__main__":
    tell(story, 180)
