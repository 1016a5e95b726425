#!/usr/bin/env -S python3 -B
"""One tracker node stops for five seconds in the middle of the offers, resumes, and catches up: it holds every claim."""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
# pylint: disable=wrong-import-position
import time

from processes import check, tell, wait_until
from story import NAME, OFFERING_CLIENTS, Story
from swarm import wait_for_agreement, wait_for_claims

STALL_SECONDS = 5.0


def story(world):
    story_ = Story(world)
    stalled_at = []

    def stall():
        story_.cluster.nodes[0].stall()
        stalled_at.append(time.monotonic())

    offers = story_.offer_and_strike(stall)
    stalled, others = story_.cluster.nodes[0], story_.cluster.nodes[1:]
    addresses = [offer.address() for offer in offers]
    wait_for_claims(others, NAME, addresses)
    wait_until(lambda: time.monotonic() - stalled_at[-1] >= STALL_SECONDS, STALL_SECONDS + 10, "the stall to last its time")
    reached = max(node.status()["applied"] for node in others)
    stalled.resume()

    def caught_up():
        view = status_of(story_, stalled)
        return view is not None and view["applied"] >= reached and view["claims"] >= OFFERING_CLIENTS

    wait_until(caught_up, 30, lambda: f"the resumed node to catch up to slot {reached}: {status_of(story_, stalled)}")
    wait_for_claims([stalled], NAME, addresses)
    wait_for_agreement(story_.cluster.nodes)
    story_.download_and_compare()
    wait_for_agreement(story_.cluster.nodes)
    check(all(node.running() for node in story_.cluster.nodes), "every node must still run")


def status_of(story_, node):
    """What `bytetorrent status --json` says of one node, or None."""
    process = story_.client.run("status", "--tracker", node.url, "--json", seconds=20)
    return story_.client.parse_status(process.out()).get(node.id)


if __name__ == "__main__":
    tell(story, 400)
