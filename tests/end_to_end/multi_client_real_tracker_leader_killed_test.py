#!/usr/bin/env -S python3 -B
"""The leader of the tracker cluster is killed while nine clients offer; the others elect a new one and lose nothing."""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
# pylint: disable=wrong-import-position
from processes import check, tell
from story import NAME, Story
from swarm import wait_for_agreement, wait_for_claims


def story(world):
    story_ = Story(world)
    killed = []

    def kill_the_leader():
        killed.append(story_.cluster.wait_for_leader())
        killed[-1].kill()

    offers = story_.offer_and_strike(kill_the_leader)
    survivors = story_.cluster.alive()
    check(len(survivors) == 2 and killed[-1] not in survivors, "two nodes must be left")
    leader = story_.cluster.wait_for_leader()
    check(leader in survivors, "a survivor must lead")
    wait_for_claims(survivors, NAME, [offer.address() for offer in offers])
    story_.download_and_compare()
    wait_for_agreement(survivors)


if __name__ == "__main__":
    tell(story, 400)
