#!/usr/bin/env -S python3 -B
"""Trackers with an IPv6 address, trackers with an IPv4 address, --listen left alone: what a client claims is where it
listens, and a download finds it. A machine without IPv6 shows the second half."""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
# pylint: disable=wrong-import-position
from files import make_file, same_bytes
from processes import check, tell
from swarm import Client, Cluster, has_ipv6


def offered_and_downloaded(world, host):
    cluster = Cluster(world, 1, name=f"tracker-{'six' if ':' in host else 'four'}", client_host=host).start()
    client = Client(world, cluster)
    data = make_file(world.path("data.bin"), 100_000)
    torrent = client.create(data, world.path("data.torrent"))
    client.register(torrent)
    offer = client.start("offer", data, torrent)
    offer.wait_for_line(r"^offering ", 60)
    claims = list(cluster.nodes[0].peers("data.bin"))
    check(len(claims) == 1 and claims[0].startswith(host + ":"), f"the claim is {claims}")
    result = world.path(f"copy-{cluster.name}")
    got = client.download(torrent, result, "--timeout", 20)
    check(got.status == 0, lambda: f"the download from the claimed address fails: {got.err()}")
    check(same_bytes(data, result), "the downloaded file differs")
    four = client.start("offer", data, torrent, "--listen", "0.0.0.0:0")
    four.wait_for_line(r"^offering ", 60)
    check(("does not listen" in four.err()) == (":" in host), f"--listen 0.0.0.0:0 with a tracker at {host}: {four.err()}")
    for each in (offer, four):
        check(each.stop() == 0, "an offer does not end in order")


def story(world):
    if has_ipv6():
        offered_and_downloaded(world, "[::1]")
    offered_and_downloaded(world, "127.0.0.1")


if __name__ == "__main__":
    tell(story, 120)
