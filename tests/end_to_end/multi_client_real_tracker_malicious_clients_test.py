#!/usr/bin/env -S python3 -B
"""Four honest and five malicious clients offer; the malicious ones serve wrong bytes. The result is identical, every
bad piece is rejected, and the liars are named."""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
# pylint: disable=wrong-import-position
import re

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

    process = story_.download_and_compare()
    words = process.out() + process.err()
    named = {liar.address() for liar in liars if re.search(re.escape(liar.address()) + r"\b", words)}
    accused = {offer.address() for offer in honest if re.search(re.escape(offer.address()) + r"\b", words)}
    check(named, f"no liar is named in the output:\n{words[-3000:]}")
    check(not accused, f"honest peers are named as liars: {accused}\n{words[-3000:]}")


if __name__ == "__main__":
    tell(story, 400)
