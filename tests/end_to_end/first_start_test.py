#!/usr/bin/env -S python3 -B
"""A member of a cluster serves only what init has prepared: one that comes back without its disk does not vote, and nothing is lost."""

import os
import shutil
import stat
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
# pylint: disable=wrong-import-position
from files import make_file
from processes import check, tell, wait_until
from swarm import START_SECONDS, Client, Cluster, wait_for_agreement

FAILED = 1
WRONG_USAGE = 2


def refused(world, what, command, *words, status=FAILED):
    """Runs a command that must end at once, with this status and one line that says all of `words`."""
    process = world.run(what, command)
    said = process.err()
    check(process.status == status, f"{what}: status {process.status} instead of {status}: {said}")
    check(said.count("\n") == 1, f"{what}: not one line: {said}")
    for word in words:
        check(word in said, f"{what}: no word of {word!r}: {said}")


def drawing_secrets(world):
    program = world.binaries.client
    secret = world.path("drawn.secret")
    check(world.run("draw", [program, "cluster", "init", "-o", secret]).status == 0, "no secret was drawn")
    check(stat.S_IMODE(os.stat(secret).st_mode) == 0o600, "others may read the secret")
    with open(secret, "rb") as file:
        before = file.read()
    refused(world, "draw-again", [program, "cluster", "init", "-o", secret], secret, "left as it was")
    with open(secret, "rb") as file:
        check(file.read() == before, "a secret was overwritten")
    refused(world, "draw-nowhere", [program, "cluster", "init", "-o", world.path("no", "s")], "no such file")
    refused(world, "draw-unnamed", [program, "cluster", "init"], "--output", status=WRONG_USAGE)
    refused(world, "draw-empty-name", [program, "cluster", "init", "-o", ""], "-o", status=WRONG_USAGE)
    return secret


def initialising(world, cluster, other_secret):
    program = world.binaries.tracker
    node = cluster.nodes[1]
    init = [program, "init", *node.flags]
    refused(world, "init-without-secret", init, "--cluster-secret", status=WRONG_USAGE)
    refused(world, "init-absent-secret", [*init, "--cluster-secret", world.path("none")], world.path("none"))
    refused(world, "init-no-secret", [*init, "--cluster-secret", make_file(world.path("junk"), 100)], "not the secret")
    refused(world, "init-twice", [*init, "--cluster-secret", cluster.secret()], node.data, "already")
    refused(world, "init-over-another", [*init, "--cluster-secret", other_secret], node.data, "already")
    refused(world, "other-node", [program, "--id", 3, "--data-dir", node.data, *cluster.node_flags()], "belongs to node 2")


def a_disk_is_gone(world, cluster, client):
    """Acknowledged by 1 and 2 while 3 is down; then 2 comes back with an empty directory, 3 comes back, and 1 stays away."""
    one, two, three = cluster.nodes
    three.kill()
    cluster.wait_for_leader()
    torrent = client.create(make_file(world.path("kept.bin"), 50_000), world.path("kept.torrent"))
    client.register(torrent)
    one.kill()
    two.kill()
    os.rename(two.data, world.path("not-mounted"))
    for emptied in (False, True):
        if emptied:
            os.mkdir(two.data)
        refused(world, f"lost-{emptied}", [world.binaries.tracker, *two.flags], two.data, "node 2", "not mounted", "init")
        check(not emptied or not os.listdir(two.data), "a refused start left something")
    three.start()
    wait_until(three.status, START_SECONDS, "node 3 to answer")
    check(not three.status()["has_quorum"], "node 3 alone has a quorum")

    os.rmdir(two.data)
    os.rename(world.path("not-mounted"), two.data)
    two.start()
    cluster.wait_for_leader()
    impostor = client.create(make_file(world.path("other.bin"), 60_000, seed=9), world.path("other.torrent"), "--name", "kept.bin")
    process = client.run("register", impostor)
    check(process.status != 0 and "kept.bin" in process.err(), "an acknowledged name was given to other content")
    one.start()
    wait_until(lambda: one.torrents() == ["kept.bin"], START_SECONDS, "node 1 to have the registration")


def initialised_again(world, cluster):
    """The mistake that init cannot see: a node that has served is given an empty directory and initialised once more."""
    one, two, three = cluster.nodes
    one.kill()
    two.kill()
    os.rename(two.data, world.path("lost"))
    two.init()
    two.start()
    three.process.wait_for_line("initialised anew", START_SECONDS)
    wait_until(two.status, START_SECONDS, "the new node 2 to answer")

    def quorum():
        return any(view and view["has_quorum"] for view in (two.status(), three.status()))

    wait_until(lambda: not quorum(), START_SECONDS, "node 3 to notice that nobody is left")
    # Watched for longer than some elections take: those who met the old node 2 never count the new one.
    end = time.monotonic() + 3
    while time.monotonic() < end:
        check(not quorum(), "a voter that forgot made a quorum")
    two.kill()
    shutil.rmtree(two.data)
    os.rename(world.path("lost"), two.data)
    two.start()
    one.start()
    cluster.wait_for_leader()
    wait_for_agreement(cluster.nodes)


def story(world):
    other_secret = drawing_secrets(world)
    cluster = Cluster(world).start()
    initialising(world, cluster, other_secret)
    a_disk_is_gone(world, cluster, Client(world, cluster))
    wait_for_agreement(cluster.nodes)
    initialised_again(world, cluster)


if __name__ == "__main__":
    tell(story, 240)
