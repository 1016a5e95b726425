#!/usr/bin/env -S python3 -B
"""Nine clients offer a file, one downloads it, a three-node cluster mediates."""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
# pylint: disable=wrong-import-position
from processes import check, tell
from story import NAME, OFFERING_CLIENTS, Story
from swarm import wait_for_agreement, wait_for_claims


def story(world):
    story_ = Story(world)
    story_.set_up_cluster()
    offers = story_.offer()
    addresses = [offer.address() for offer in offers]
    check(len(set(addresses)) == OFFERING_CLIENTS, f"two clients share an address: {addresses}")
    wait_for_claims(story_.cluster.nodes, NAME, addresses)

    story_.download_and_compare()
    # Any name of the content will do, and the torrent file is not needed.
    by_name = world.path("by-name")
    process = story_.client.run("download", NAME, *story_.cluster.tracker_flags(), "-o", by_name, seconds=120)
    check(process.status == 0, f"download by name failed: {process.err()}")

    for offer in offers:
        check(offer.process.stop() == 0, f"{offer.process.name} did not end well on Ctrl-C: {offer.process.err()}")
    peers = story_.cluster.wait_for_leader().peers(NAME, linearizable=True)
    check(not set(addresses) & set(peers or {}), f"claims remain after Ctrl-C withdrew them: {peers}")
    wait_for_agreement(story_.cluster.nodes)


if __name__ == "__main__":
    tell(story, 400)
