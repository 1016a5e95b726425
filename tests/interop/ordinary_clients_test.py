#!/usr/bin/env -S python3 -B
"""Clients people already have announce to our tracker and exchange a file with ours: aria2 and libtorrent.

A client that is not installed is skipped, and the output says so.
"""

import os
import shutil
import subprocess
import sys

_HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(_HERE, "..", "end_to_end", "lib"))
# pylint: disable=wrong-import-position
from files import make_file, same_bytes
from processes import check, tell, wait_until
from swarm import Client, Cluster, wait_for_claims, wait_for_offers

SYSTEM_PYTHON = "/usr/bin/python3"  # python3-libtorrent belongs to this one
ARIA2 = """aria2c --no-conf --enable-dht=false --enable-dht6=false --bt-enable-lpd=false --enable-peer-exchange=false
    --disable-ipv6=true --file-allocation=none --summary-interval=0 --console-log-level=warn""".split()


class Scene:
    """A cluster, a file registered in one form for one other client, and ours offering it."""

    def __init__(self, client, who, form):
        world = client.world
        self.world = world
        self.cluster = client.cluster
        self.client = client
        self.name = f"{who}-{form}.bin"
        self.file = make_file(world.path(self.name), 10_000_019, seed=len(form))
        self.torrent = self.client.create(self.file, world.path(f"{who}-{form}.torrent"), "--format", form)
        self.client.register(self.torrent)

    def offer(self):
        offer = self.client.start_offer(self.file, self.torrent)
        wait_for_offers([offer])
        # An announce is answered from what the asked node has applied, and then these clients wait for minutes.
        wait_for_claims(self.cluster.nodes, self.name, [offer.address()])
        return offer

    def folder(self, name):
        path = self.world.path(name)
        os.makedirs(path)
        return path

    def downloads(self, name, command, folder):
        process = self.world.run(name, command, 120)
        check(process.status == 0, f"{name} ended with {process.status}: {process.out()[-600:]}{process.err()[-600:]}")
        check(same_bytes(self.file, os.path.join(folder, self.name)), f"{name}: the result differs")
        print(f"{name}, {self.name}: the same bytes")

    def our_client_downloads_from(self, who):
        """After the other client announced itself as the only source."""
        result = self.world.path(f"from-{who}-{self.name}")
        wait_until(lambda: any((self.cluster.nodes[0].peers(self.name) or {}).values()), 60, f"{who} to announce itself")
        process = self.client.download(self.torrent, result)
        check(process.status == 0, f"our download from {who} failed: {process.err()}")
        check(same_bytes(self.file, result), f"our download from {who} differs")
        print(f"our client from {who}, {self.name}: the same bytes")


def with_aria2(world, client):
    # v1: aria2 1.36 computes a wrong info-hash for a hybrid torrent.
    scene = Scene(client, "aria2", "v1")
    offer = scene.offer()
    folder = scene.folder("aria2-result")
    scene.downloads("aria2", ARIA2 + ["--seed-time=0", f"--listen-port={world.free_port()}", "--dir", folder, scene.torrent], folder)
    offer.process.stop()
    seeder = world.start(
        "aria2-seeder", ARIA2 + ["--check-integrity=true", "--seed-ratio=0.0", "-V", f"--listen-port={world.free_port()}", "--dir", folder, scene.torrent]
    )
    scene.our_client_downloads_from("aria2")
    seeder.kill()


def with_libtorrent(world, client, form):
    scene = Scene(client, "libtorrent", form)
    offer = scene.offer()
    folder = scene.folder("libtorrent-result-" + form)
    peer = [SYSTEM_PYTHON, "-B", os.path.join(_HERE, "libtorrent_peer.py")]
    scene.downloads("libtorrent-" + form, peer + ["download", scene.torrent, folder, str(world.free_port())], folder)
    offer.process.stop()
    seeder = world.start("libtorrent-seeder-" + form, peer + ["seed", scene.torrent, folder, str(world.free_port())])
    scene.our_client_downloads_from("libtorrent")
    seeder.kill()


def story(world):
    client = Client(world, Cluster(world).start())
    if shutil.which("aria2c"):
        with_aria2(world, client)
    else:
        print("SKIPPED: aria2 is not installed (tools/setup --bench installs it)")
    if subprocess.run([SYSTEM_PYTHON, "-c", "import libtorrent"], capture_output=True, check=False).returncode == 0:
        # v1: it hangs up on the v2 bit beside such a hash; v2: it asks for the whole last block.
        for form in ("hybrid", "v1", "v2"):
            with_libtorrent(world, client, form)
    else:
        print("SKIPPED: libtorrent is not installed (tools/setup --bench installs python3-libtorrent)")


if __name__ == "__main__":
    tell(story, 300)
