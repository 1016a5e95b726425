#!/usr/bin/env -S python3 -B
"""A download that is interrupted, by Ctrl-C or by kill -9, leaves nothing under the final name and is resumed.

What others change meanwhile in its .part is found and fetched again before the file gets its final name.
"""

import os
import signal
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
# pylint: disable=wrong-import-position
from files import make_file, same_bytes
from processes import check, tell
from swarm import Client, Cluster, wait_for_offers

SIZE = 300 * 1000 * 1000


def story(world):
    client = Client(world, Cluster(world, 1).start())
    data = make_file(world.path("data.bin"), SIZE)
    torrent = client.create(data, world.path("data.torrent"))
    client.register(torrent)
    offer = client.start_offer(data, torrent)
    wait_for_offers([offer])

    for blow in (signal.SIGINT, signal.SIGKILL):
        result = world.path(f"result-{int(blow)}")
        first = client.begin_download(offer, torrent, result)
        if blow == signal.SIGINT:
            check(first.stop() not in (0, -signal.SIGINT), f"Ctrl-C must end a download with a status of failure: {first.status}")
        else:
            first.kill()
        check(not os.path.exists(result), "an unfinished download is under its final name")
        check(os.path.exists(result + ".part"), "an interrupted download must keep its .part")
        if blow == signal.SIGINT:
            change_a_verified_block(data, result + ".part")
        offer.process.signal(signal.SIGCONT)

        second = client.download(torrent, result)
        check(second.status == 0, f"the resumed download failed: {second.err()}")
        check(same_bytes(data, result), "the resumed download differs from what is offered")
        left = [name for name in os.listdir(world.folder) if name.startswith(os.path.basename(result) + ".")]
        check(not left, f"a finished download leaves {left}")
    check(offer.process.stop() == 0, "the offering client must end well")


def change_a_verified_block(data, part):
    """Eight bytes of a whole piece that is there already: the checkpoint at the end says that it is verified."""
    stretch = 262_144  # a piece
    with open(data, "rb") as good, open(part, "r+b") as file:
        while block := file.read(stretch):
            if block == good.read(stretch):
                file.seek(-stretch // 2, os.SEEK_CUR)
                file.write(b"changed!")
                return
    check(False, f"{part} holds nothing yet")


if __name__ == "__main__":
    tell(story, 300)
