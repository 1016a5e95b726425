#!/usr/bin/env -S python3 -B
"""The port of the first tracker belongs to an ordinary web server now. Whatever it answers is not the cluster's word:
every command goes on to the next tracker, and where there is none the last line names each tracker and what it answered."""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
# pylint: disable=wrong-import-position
from files import make_file, same_bytes
from processes import check, tell
from stranger import Stranger
from swarm import Client, Cluster, wait_for_offers

PAGE = b"<html>an ordinary page</html>"
STATUSES = (200, 201, 301, 400, 403, 404, 409, 413, 500, 503)


def story(world):
    cluster = Cluster(world, 1).start()
    client = Client(world, cluster)
    data = make_file(world.path("data.bin"), 100_000)
    client.register(client.create(data, world.path("own.torrent")))
    strangers = [Stranger(status, PAGE) for status in STATUSES]
    offers = []
    for status, stranger in zip(STATUSES, strangers):
        torrent = world.path(f"{status}.torrent")
        both = ["--tracker", stranger.url, "--tracker", cluster.nodes[0].url]
        made = client.run("create", data, *both, "-o", torrent)
        check(made.status == 0, made.err)
        registered = client.run("register", torrent)
        check(registered.status == 0, lambda s=status, r=registered: f"register beside HTTP {s}: {r.err()}")
        offers.append(client.start_offer(data, torrent))
    wait_for_offers(offers)
    for status, stranger in zip(STATUSES, strangers):
        both = ["--tracker", stranger.url, "--tracker", cluster.nodes[0].url]
        for what, flags in ((world.path(f"{status}.torrent"), []), ("data.bin", both)):
            result = world.path(f"got-{status}-{len(flags)}")
            got = client.download(what, result, *flags)
            check(got.status == 0, lambda s=status, g=got: f"download beside HTTP {s}: {g.err()}")
            check(same_bytes(data, result), "the downloaded file differs")
    alone = world.path("alone.torrent")
    made = client.run("create", data, "--tracker", strangers[5].url, "--tracker", strangers[3].url, "-o", alone)
    check(made.status == 0, made.err)
    commands = (["register", alone], ["download", alone, "-o", world.path("never")], ["offer", data, alone])
    # Each tries for its whole patience: all at once.
    for command, refused in [(command, client.start(*command)) for command in commands]:
        refused.wait(60)
        last = refused.err().rstrip().rsplit("\n", 1)[-1]
        check(refused.status != 0, f"{command[0]} took a stranger's word")
        for part in (f"{strangers[5].url}: it answers HTTP 404", f"{strangers[3].url}: it answers HTTP 400"):
            check(part in last, f"{command[0]} does not say {part!r}: {last}")


if __name__ == "__main__":
    tell(story, 240)
