#!/usr/bin/env -S python3 -B
"""Clients race for names at all nodes while nodes are killed, stalled, resumed and started again; what they saw has one order, nothing acknowledged is lost, and the cluster is whole afterwards. What each node did can be done again from its recording.

BYTETORRENT_STORM_SECONDS=60 makes each storm as long as that; BYTETORRENT_STORM_SEED=N repeats what was drawn.
"""

import http.client
import os
import random
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
# pylint: disable=wrong-import-position
from history import BOUND, OTHER, READ, History
from processes import check, tell, wait_until
from raw import ROOT, small_torrent
from swarm import START_SECONDS, Cluster, wait_for_agreement

SECONDS = float(os.environ.get("BYTETORRENT_STORM_SECONDS", "8"))
SEED = int(os.environ.get("BYTETORRENT_STORM_SEED", random.randrange(1 << 32)))
CLIENTS = 8
# Of a client, which asks another node then: a stalled one answers nobody.
PATIENCE = 1


class Racer(threading.Thread):
    """Registers and reads names, one after the other, at nodes it draws."""

    def __init__(self, cluster, history, number, names):
        super().__init__(daemon=True)
        self.random = random.Random(f"{SEED} {number}")
        self.cluster = cluster
        self.history = history
        self.number = number
        self.names = names  # of all clients: where the next one is
        self.patience = PATIENCE
        self.stopping = threading.Event()

    def run(self):
        while not self.stopping.is_set():
            node = self.random.choice(self.cluster.nodes)
            name = b"name-%d" % (self.names() - self.random.randrange(12))
            try:
                if self.random.random() < 0.6:
                    self.register(node, name, self.random.randrange(1, 1 << 30))
                else:
                    self.read(node, name)
            except (OSError, http.client.HTTPException):
                self.stopping.wait(0.01)

    def ask(self, node, method, target, body=None):
        connection = http.client.HTTPConnection("127.0.0.1", node.client_port, timeout=self.patience)
        try:
            connection.request(method, target, body)
            response = connection.getresponse()
            return response.status, response.read()
        finally:
            connection.close()

    def register(self, node, name, value):
        operation = self.history.begin(name, value)
        status, _ = self.ask(node, "PUT", "/torrents", small_torrent(name, value))
        if status in (200, 201):
            self.history.end(operation, BOUND)
        elif status == 409:
            self.history.end(operation, OTHER)
        else:
            check(status == 503, f"a registration is answered {status}")

    def read(self, node, name):
        operation = self.history.begin(name, None)
        status, body = self.ask(node, "GET", f"/torrents/{name.decode()}?by=name&linearizable=1")
        if status == 200:
            at = body.index(ROOT) + len(ROOT)
            self.history.end(operation, READ, int(body[at : at + 32]))
        elif status == 404:
            self.history.end(operation, READ, None)


def strike(draw, cluster, stalled):
    """One blow, or one healing."""
    node = draw.choice(cluster.nodes)
    blow = draw.choice(["kill", "stall", "heal", "heal"])
    stalled.discard(node)
    if blow == "kill" and node.running():
        node.kill()
    elif blow == "stall" and node.running():
        node.stall()
        stalled.add(node)
    elif node.running():
        node.resume()
    else:
        node.start()


def storm(world, size):
    cluster = Cluster(world, size, name=f"storm-of-{size}", recorded=True).start()
    history = History()
    began = time.monotonic()
    # Each name is raced for within about a quarter of a second, and read for a while.
    racers = [Racer(cluster, history, number, lambda: 12 + int((time.monotonic() - began) * 40)) for number in range(CLIENTS)]
    draw = random.Random(SEED)
    stalled = set()
    whole = 0.0  # seconds with a majority up
    for racer in racers:
        racer.start()
    try:
        while time.monotonic() - began < SECONDS:
            struck = time.monotonic()
            pause = draw.uniform(0.02, 0.8)
            strike(draw, cluster, stalled)
            majority = sum(node.running() and node not in stalled for node in cluster.nodes) > size // 2
            wait_until(lambda s=struck, p=pause: time.monotonic() - s >= p, 5, "the next blow")
            whole += pause if majority else 0
    finally:
        for racer in racers:
            racer.stopping.set()
    for node in cluster.nodes:
        node.resume()
        if not node.running():
            node.start()
    for racer in racers:
        racer.join(PATIENCE + 5)
        check(not racer.is_alive(), "a client hangs")
    wait_until(cluster.leader, START_SECONDS, "a leader after the storm")
    wait_for_agreement(cluster.nodes)
    # And once more, in peace: what was acknowledged is there at each node.
    reader = Racer(cluster, history, CLIENTS, lambda: 0)
    reader.patience = START_SECONDS
    for name in sorted({operation.name for operation in history.operations}):
        for node in cluster.nodes:
            reader.read(node, name)
    problems = history.problems()
    check(not problems, lambda: f"seed {SEED}, {size} nodes: " + "; ".join(problems[:5]))
    answered = history.answered()
    acknowledged = sum(operation.outcome == BOUND for operation in answered)
    print(
        f"{size} nodes, seed {SEED}, a majority up for {whole:.1f} of {SECONDS:g} s: {len(answered)} of {len(history.operations)} operations "
        f"answered, {acknowledged} bound a name"
    )
    check(acknowledged > 0 or whole < SECONDS / 2, "nothing was acknowledged, though a majority was up for half of the time")
    for node in cluster.nodes:
        check(node.process.stop() == 0, lambda n=node: f"node {n.id} did not stop in order")
    conform(world, cluster)


def conform(world, cluster):
    """Steps each life of each node again; one that was killed before it had said anything left an empty file."""
    recordings = [path for path in cluster.recordings if os.path.getsize(path) > 0]
    process = world.run(f"{cluster.name}-conform", [world.binaries.simrun, "conform", *recordings], 120)
    lines = process.out().splitlines()
    check(process.status == 0, lambda: "a recording does not conform: " + "; ".join(lines[-3:]) + process.err())
    steps = sum(int(line.split(" steps")[0].rsplit(" ", 1)[1]) for line in lines)
    print(f"{len(recordings)} lives of {cluster.size} nodes, {steps} steps: every one the same again")
    check(sum(line.endswith("the node was stopped") for line in lines) >= cluster.size, "a node that was stopped did not say so in its recording")


def story(world):
    for size in (3, 5):
        storm(world, size)


if __name__ == "__main__":
    tell(story, int(2 * SECONDS) + 240)
