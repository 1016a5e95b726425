#!/usr/bin/env -S python3 -B
"""A file that is written to while it is offered: what it does not hold any more is withdrawn and served to nobody, what is put
back is offered again, by itself."""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
# pylint: disable=wrong-import-position
from files import make_file, same_bytes
from processes import check, tell, wait_until
from swarm import Client, Cluster, get_json, wait_for_offers

SIZE = 5_000_000
PIECE = 16_384
SECONDS = 30


def claimed(node, key):
    """How many pieces the cluster says somebody has; -1: nobody is listed."""
    peers = get_json(f"{node.url}/torrents/{key}/peers")["peers"]
    return sum(count for peer in peers for _, count in peer["pieces"]) if peers else -1


def overwrite(path, offset, data):
    with open(path, "r+b") as file:
        file.seek(offset)
        old = file.read(len(data))
        file.seek(offset)
        file.write(data)
    return old


def story(world):
    cluster = Cluster(world, 1).start()
    client = Client(world, cluster)
    data = make_file(world.path("data.bin"), SIZE)
    copy = make_file(world.path("copy.bin"), SIZE)
    torrent = client.create(data, world.path("data.torrent"), "--piece-length", str(PIECE))
    client.register(torrent)
    offer = client.start_offer(data, torrent)
    wait_for_offers([offer])
    node = cluster.nodes[0]
    pieces = -(-SIZE // PIECE)

    old = overwrite(data, 10 * PIECE, b"edited in place")
    wait_until(lambda: claimed(node, "data.bin") == pieces - 1, SECONDS, "the edited piece, and no other, to be withdrawn")
    first = client.download(torrent, world.path("first"), "--timeout", "2")
    check(first.status == 4, f"a download of what nobody has any more ended with {first.status}: {first.err()}")
    check("banned" not in first.err(), f"who noticed that its file was changed was banned: {first.err()}")

    overwrite(data, 10 * PIECE, old)
    wait_until(lambda: claimed(node, "data.bin") == pieces, SECONDS, "the mended piece to be offered again")
    second = client.download(torrent, world.path("first"))
    check(second.status == 0 and same_bytes(world.path("first"), copy), f"the mended file was not fetched: {second.err()}")

    os.rename(data, data + ".away")
    wait_until(lambda: claimed(node, "data.bin") <= 0, SECONDS, "a file that is gone to be withdrawn")
    os.rename(copy, data)
    wait_until(lambda: claimed(node, "data.bin") == pieces, SECONDS, "the file that is back to be offered again")
    check(offer.process.stop() == 0, "the offering client must end well")


if __name__ == "__main__":
    tell(story, 240)
