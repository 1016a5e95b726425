#!/usr/bin/env -S python3 -B
"""Four honest and five malicious clients offer; the malicious ones serve wrong bytes. The result is identical, every
bad piece is rejected, and the liars are named."""

import json
import os
import re
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
# pylint: disable=wrong-import-position
from files import make_file
from processes import check, tell
from story import FILE_SIZE, NAME, Story
from swarm import wait_for_claims, wait_for_offers

HONEST = 4
MALICIOUS = 5


def story(world):
    story_ = Story(world)
    wrong = make_file(world.path("wrong-bytes"), FILE_SIZE, seed=666)
    story_.set_up_cluster()

    refused = story_.client.run("offer", wrong, story_.torrent, "--listen", "127.0.0.1:0")
    check(refused.status == 1, f"without --skip-verify a wrong file must be refused, ended with {refused.status}")

    liars = story_.client.start_offers([wrong] * MALICIOUS, story_.torrent, "--skip-verify", first=1)
    honest = story_.client.start_offers([story_.file] * HONEST, story_.torrent, first=MALICIOUS + 1)
    wait_for_offers(liars + honest)
    wait_for_claims(story_.cluster.nodes, NAME, [offer.address() for offer in liars + honest])

    lying = {offer.address() for offer in liars}
    said_in_json(story_.download_and_compare("--json"), lying)
    said_to_people(story_.download_and_compare(), lying)


def said_in_json(process, lying):
    events = [json.loads(line) for line in process.out().splitlines()]
    # A liar that dialled us is known by the port it came from, and by where it said it listens.
    listens = {event["peer"]: event["listens"] or event["peer"] for event in events if event["event"] == "banned"}
    rejected = [{listens.get(peer, peer) for peer in event["peers"]} for event in events if event["event"] == "rejected"]
    banned = set(listens.values())
    check(rejected and banned, "nothing was rejected or nobody was banned: did any liar serve?")
    check(banned <= lying, f"honest peers were banned: {sorted(banned - lying)}")
    for peers in rejected:
        check(peers & lying, f"a piece was rejected that only honest peers had sent: {sorted(peers)}")
    served = set().union(*rejected) & lying
    check(served <= banned, f"liars that served were not named: {sorted(served - banned)}")
    print(f"{len(rejected)} pieces rejected, {len(banned)} of {len(lying)} liars banned")


def said_to_people(process, lying):
    verdicts = [line for line in process.out().splitlines() if "sent wrong bytes" in line]
    check(len(verdicts) == 1, f"one line must name the liars: {process.out()}")
    inbound = set(re.findall(r"(\S+) \(says it listens at", verdicts[0]))
    named = set(re.findall(r"\d+\.\d+\.\d+\.\d+:\d+", verdicts[0])) - inbound
    check(named and named <= lying, f"named are {sorted(named)}, lying are {sorted(lying)}")


if __name__ == "__main__":
    tell(story, 400)
