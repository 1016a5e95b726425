#!/usr/bin/env -S python3 -B
"""A whole cluster is backed up while it is written to, and a new one begins of the file; the last node of a lost majority is enough to begin again; what is damaged, or the same cluster's, is refused."""

import json
import os
import stat
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
# pylint: disable=wrong-import-position
from processes import check, tell
from swarm import Client, Cluster, wait_for_agreement


def names(node):
    return set(node.torrents())


def registered(world, client, count, prefix):
    """Registers that many names of one content; the names."""
    file = world.path("content")
    if not os.path.exists(file):
        with open(file, "wb") as content:
            content.write(b"some bytes" * 1000)
    made = [f"{prefix}-{number}" for number in range(count)]
    for name in made:
        client.register(client.create(file, world.path(f"{name}.torrent"), "--name", name))
    return set(made)


def backup(client, node, path, command="backup"):
    process = client.run("cluster", command, "--data-dir", node.data, "-o", path, "--json")
    check(process.status == 0, lambda: f"cluster {command} failed: {process.err()}")
    return json.loads(process.out())


def begun_of(world, path, name, size=3):
    return Cluster(world, size=size, name=name, init_flags=["--from-backup", path]).start()


def refused(process, words):
    check(process.status != 0 and words in process.err(), lambda: f"expected '{words}', not: {process.err()}")


def story(world):
    old = Cluster(world).start()
    client = Client(world, old)
    acknowledged = registered(world, client, 8, "before")
    follower = next(node for node in old.nodes if node is not old.wait_for_leader())
    path = world.path("tracker.backup")
    held = backup(client, follower, path)
    check(held["torrents"] == 1, f"one content has eight names: {held}")
    check(stat.S_IMODE(os.stat(path).st_mode) == 0o600, "others may read the backup")
    refused(client.run("cluster", "backup", "--data-dir", follower.data, "-o", path), "exist")

    late = registered(world, client, 3, "late")
    new = begun_of(world, path, "new")
    wait_for_agreement(new.nodes)
    check(names(new.nodes[0]) == acknowledged, f"the new cluster has {sorted(names(new.nodes[0]))}")
    check(new.nodes[0].status()["cluster"] != old.nodes[0].status()["cluster"], "two clusters have one id")
    registered(world, Client(world, new), 2, "after")
    for node in new.nodes:
        node.kill()
    new.restart_all()
    wait_for_agreement(new.nodes)
    check(len(names(new.nodes[1])) == 10, "the new cluster has forgotten something over a restart")

    recovered_from_one(world, client, old, acknowledged | late)
    refuses(world, client, old, path)


def recovered_from_one(world, client, old, acknowledged):
    """Two of three nodes are lost for good."""
    running = client.run("cluster", "recover", "--data-dir", old.nodes[0].data, "-o", world.path("no.backup"))
    refused(running, "is in use by another running node")
    wait_for_agreement(old.nodes)
    for node in old.nodes:
        node.kill()
    path = world.path("recovered.backup")
    backup(client, old.nodes[2], path, "recover")
    again = begun_of(world, path, "again", size=1)
    check(names(again.nodes[0]) == acknowledged, f"recovered were {sorted(names(again.nodes[0]))}")


def refuses(world, client, old, path):
    with open(path, "r+b") as damaged:
        damaged.seek(100)
        byte = damaged.read(1)
        damaged.seek(100)
        damaged.write(bytes([byte[0] ^ 1]))
    tracker = world.binaries.tracker
    secret = world.path("fresh.secret")
    client.run("cluster", "init", "-o", secret)
    flags = ["--from-backup", path, "--data-dir", world.path("fresh"), "--node", "1=127.0.0.1:0/127.0.0.1:0"]
    refused(world.run("damaged", [tracker, "init", "--cluster-secret", secret, *flags]), "no backup that can be used")
    whole = world.path("recovered.backup")
    flags[1] = whole
    refused(world.run("same", [tracker, "init", "--cluster-secret", old.secret(), *flags]), "of this very secret")
    check(not os.path.exists(world.path("fresh")), "a refused init has left something behind")


if __name__ == "__main__":
    tell(story, 240)
