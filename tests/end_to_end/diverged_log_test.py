#!/usr/bin/env -S python3 -B
"""Nodes with different histories do not go on side by side: one stops and says so. `status` tells clusters apart."""

import os
import shutil
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
# pylint: disable=wrong-import-position
from files import make_file
from processes import check, tell, wait_until
from swarm import Client, Cluster


def register(world, client, name):
    client.register(client.create(make_file(world.path(name), 1000), world.path(name + ".torrent")))


def story(world):
    cluster = Cluster(world).start()
    client = Client(world, cluster)
    healthy = client.run("status", *cluster.tracker_flags())
    check(healthy.status == 0, f"nodes that agree: status {healthy.status}, {healthy.out()}{healthy.err()}")

    other = Cluster(world, size=1, name="other").start()
    mixed = client.run("status", *cluster.tracker_flags(), *other.tracker_flags())
    check(mixed.status == 1, f"nodes of two clusters: status {mixed.status}")
    check("belongs to cluster" in mixed.err(), f"no word of two clusters: {mixed.err()}")

    # An operator's mistake: two of three begin anew, under the old secret, while the third keeps the history.
    # Each registration writes down that the one before it is chosen.
    register(world, client, "zeroth.bin")
    register(world, client, "first.bin")
    one, two, three = cluster.nodes
    wait_until(lambda: len({node.status()["applied"] for node in cluster.nodes}) == 1, 20, "all nodes to be equally far")
    for node in cluster.nodes:
        node.kill()
    for node in (one, two):
        shutil.rmtree(node.data)
        node.init()
        node.start()
    # And a second one: the third is made to forget whom it met, or it would not listen to them at all.
    os.remove(os.path.join(three.data, "peers"))
    cluster.wait_for_leader()
    register(world, client, "second.bin")
    three.start()
    wait_until(lambda: len(cluster.alive()) < 3, 20, "a node to stop")
    said = [node.process.err() for node in cluster.nodes if not node.running()]
    check(all("was decided otherwise here than at node" in words for words in said), f"no reason: {said}")
    stopped = [node.process.status for node in cluster.nodes if not node.running()]
    check(set(stopped) == {1}, f"exit statuses {stopped}")


if __name__ == "__main__":
    tell(story, 180)
