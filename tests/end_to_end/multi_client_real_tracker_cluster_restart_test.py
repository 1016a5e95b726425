#!/usr/bin/env -S python3 -B
"""The whole cluster is killed and restarted: every acknowledged registration and claim is there."""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
# pylint: disable=wrong-import-position
from files import make_file
from processes import check, tell
from story import NAME, Story
from swarm import wait_for_agreement, wait_for_claims

MORE_TORRENTS = 12


def story(world):
    story_ = Story(world)
    story_.set_up_cluster()
    names = [NAME]
    for number in range(MORE_TORRENTS):
        name = f"small-{number}.bin"
        torrent = story_.client.create(make_file(world.path(name), 20000 + number, seed=number), world.path(name + ".torrent"))
        story_.client.register(torrent)
        names.append(name)
    offers = story_.offer()
    addresses = [offer.address() for offer in offers]

    # The clients go first, so that none of them can renew its claim: what is there afterwards was on disk.
    for offer in offers:
        offer.process.kill()
    for node in story_.cluster.nodes:
        node.kill()
    story_.cluster.restart_all()

    wait_for_claims(story_.cluster.nodes, NAME, addresses)
    for node in story_.cluster.nodes:
        missing = set(names) - set(node.torrents() or [])
        check(not missing, f"node {node.id} lost registrations: {sorted(missing)}")
    wait_for_agreement(story_.cluster.nodes)

    again = story_.client.run("register", story_.torrent)
    check(again.status == 0, f"registering the same again must succeed: {again.err()}")
    other = make_file(world.path("other"), 3000, seed=99)
    impostor = story_.client.create(other, world.path("impostor.torrent"), "--name", NAME)
    refused = story_.client.run("register", impostor)
    check(refused.status == 5 and NAME in refused.err(), f"the name must still be taken: {refused.status} {refused.err()}")

    story_.offer()
    story_.download_and_compare()


if __name__ == "__main__":
    tell(story, 400)
