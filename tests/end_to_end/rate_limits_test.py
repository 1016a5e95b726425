#!/usr/bin/env -S python3 -B
"""An offer and a download keep to the bytes a second they are given, and what is no number of bytes is refused."""

import os
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
# pylint: disable=wrong-import-position
from processes import check, tell
from story import Story
from swarm import wait_for_offers

SIZE = 6 << 20
LIMIT = 2 << 20
# A tenth of a second's worth may go at once at the beginning, and as much again beyond what is left.
AT_LEAST = (SIZE - LIMIT / 5) / LIMIT - 0.1


def takes_at_least(story_, seconds, *flags):
    began = time.monotonic()
    story_.download_and_compare(*flags)
    took = time.monotonic() - began
    check(took >= seconds, f"{SIZE} bytes at {LIMIT} a second came in {took:.2f} s")
    print(f"{SIZE / took / (1 << 20):.2f} MiB/s of {LIMIT >> 20}")


def story(world):
    story_ = Story(world, size=SIZE, nodes=1)
    story_.set_up_cluster()
    refused(story_.client, story_.file, story_.torrent)
    free = story_.client.start_offer(story_.file, story_.torrent)
    wait_for_offers([free])
    takes_at_least(story_, AT_LEAST, "--download-limit", "2M")
    free.process.stop()
    limited = story_.client.start_offer(story_.file, story_.torrent, "--upload-limit", f"{LIMIT}")
    wait_for_offers([limited])
    takes_at_least(story_, AT_LEAST)


def refused(client, file, torrent):
    for bytes_ in ["", "2 apples", "-1", "1.5M", "0", "99999999999999999999"]:
        process = client.run("offer", file, torrent, "--upload-limit", bytes_)
        check(process.status == 2, f"--upload-limit '{bytes_}' ended with {process.status}: {process.err()}")
        check("--upload-limit" in process.err(), f"the refusal does not name the option: {process.err()}")
    process = client.run("create", file, "-o", torrent + ".other", "--piece-length", "64K")
    check(process.status == 0, f"--piece-length 64K is refused: {process.err()}")


if __name__ == "__main__":
    tell(story, 200)
