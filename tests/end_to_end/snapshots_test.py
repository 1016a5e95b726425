#!/usr/bin/env -S python3 -B
"""Journals shrink: segments that a snapshot makes needless are removed, and a node that was away for longer takes the others' state."""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
# pylint: disable=wrong-import-position
from processes import check, tell
from swarm import Client, Cluster, many_names, wait_for_agreement

NAMES = 30
FIRST_SEGMENT = "journal-00000000000000000001.wal"


def journal(node):
    return sorted(name for name in os.listdir(node.data) if name.startswith("journal-"))


def story(world):
    cluster = Cluster(world, serving_flags=["--snapshot-after", "1"]).start()
    client = Client(world, cluster)
    one, two, three = cluster.nodes
    paths = many_names(world, client, NAMES)
    client.register(paths[0])
    wait_for_agreement(cluster.nodes)
    three.kill()
    for path in paths[1:]:
        client.register(path)
    for node in (one, two):
        check(FIRST_SEGMENT not in journal(node), f"node {node.id} keeps what nobody needs: {journal(node)}")
        check(len(journal(node)) <= 2, f"node {node.id} has more segments than it needs: {journal(node)}")
    three.start()
    wait_for_agreement(cluster.nodes)
    check(len(three.torrents()) == NAMES, f"node 3 has taken up {len(three.torrents())} of {NAMES} names")

    for node in cluster.nodes:
        node.kill()
    cluster.restart_all()
    wait_for_agreement(cluster.nodes)
    for node in cluster.nodes:
        check(len(node.torrents()) == NAMES, f"node {node.id} began again with {len(node.torrents())} of {NAMES} names")


if __name__ == "__main__":
    tell(story, 240)
