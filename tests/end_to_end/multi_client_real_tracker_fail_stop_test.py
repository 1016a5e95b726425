#!/usr/bin/env -S python3 -B
"""One tracker node is killed while nine clients offer, and never comes back."""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
# pylint: disable=wrong-import-position
from processes import check, tell
from story import NAME, Story
from swarm import wait_for_agreement, wait_for_claims


def story(world):
    story_ = Story(world)
    # The first node: the one every client asks first, whatever its role.
    offers = story_.offer_and_strike(lambda: story_.cluster.nodes[0].kill())
    survivors = story_.cluster.alive()
    check(len(survivors) == 2, "two nodes must be left")
    wait_for_claims(survivors, NAME, [offer.address() for offer in offers])
    story_.download_and_compare()
    wait_for_agreement(survivors)
    check(story_.cluster.leader() in survivors, "the survivors must have a leader")
    check(not story_.cluster.nodes[0].running(), "the killed node must stay dead")


if __name__ == "__main__":
    tell(story, 400)
