#!/usr/bin/env -S python3 -B
"""Clients people already have announce to our tracker and exchange a file with ours: aria2 and libtorrent.

A client that is not installed is skipped, and the output says so.
"""

import json
import os
import re
import shutil
import subprocess
import sys
import urllib.request

_HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(_HERE, "..", "end_to_end", "lib"))
# pylint: disable=wrong-import-position
from files import make_file, same_bytes
from processes import check, tell, wait_until
from swarm import Client, Cluster, wait_for_claims, wait_for_offers

SYSTEM_PYTHON = "/usr/bin/python3"  # python3-libtorrent belongs to this one
ARIA2 = """aria2c --no-conf --enable-dht=false --enable-dht6=false --bt-enable-lpd=false --enable-peer-exchange=false
    --disable-ipv6=true --file-allocation=none --summary-interval=0 --console-log-level=warn""".split()


def announces_over_udp(node):
    with urllib.request.urlopen(node.url + "/metrics", timeout=5) as answer:
        return int(re.search(r'udp_requests_total{action="announce"} (\d+)', answer.read().decode()).group(1))


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
        self.announced_before = sum(announces_over_udp(node) for node in self.cluster.nodes)

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

    def magnet(self):
        """The torrent's link, with its trackers."""
        return json.loads(self.client.run("inspect", self.torrent, "--json").out())["magnet"]

    def over_udp(self):
        """The same torrent with its trackers' other addresses (BEP 15)."""

        def other(found):
            url = b"udp://" + found.group(1)
            return b"%d:%s" % (len(url), url)

        with open(self.torrent, "rb") as file:
            torrent = re.sub(rb"\d+:http://([0-9.:]+/announce)", other, file.read())
        path = self.torrent.replace(".torrent", "-udp.torrent")
        with open(path, "wb") as file:
            file.write(torrent)
        return path

    def download(self, command, folders):
        """The other client: from the .torrent, and with more folders from the magnet link and over UDP, at the same time."""
        downloads = []
        for what, folder in zip((self.torrent, self.magnet(), self.over_udp()), folders):
            name = f"{os.path.basename(folder)}-download"
            downloads.append((self.world.start(name, command(folder, what)), folder))
        for process, folder in downloads:
            process.wait(120)
            check(process.status == 0, f"{process.name} ended with {process.status}: {process.out()[-600:]}{process.err()[-600:]}")
            check(same_bytes(self.file, os.path.join(folder, self.name)), f"{process.name}: the result differs")
            print(f"{process.name}, {self.name}: the same bytes")
        announced = sum(announces_over_udp(node) for node in self.cluster.nodes)
        check(len(folders) < 3 or announced > self.announced_before, "nobody announced over UDP")

    def our_client_downloads_from(self, who, link):
        """After the other client announced itself as the only source: from the .torrent, over HTTP and UDP, and from a magnet link."""
        wait_until(lambda: any((self.cluster.nodes[0].peers(self.name) or {}).values()), 60, f"{who} to announce itself")
        for kind, what in (("torrent", self.torrent), ("udp", self.over_udp()), ("magnet", link)):
            result = self.world.path(f"{kind}-from-{who}-{self.name}")
            process = self.client.download(what, result)
            check(process.status == 0, f"our download from {who} by {kind} failed: {process.err()}")
            check(same_bytes(self.file, result), f"our download from {who} by {kind} differs")
            print(f"our client from {who} by {kind}, {self.name}: the same bytes")


def with_aria2(world, client, who, options):
    # v1: aria2 1.36 computes a wrong info-hash for a hybrid torrent.
    scene = Scene(client, who, "v1")
    offer = scene.offer()
    folder = scene.folder(f"{who}-result")
    aria2 = ARIA2 + options
    scene.download(
        lambda folder, what: aria2 + ["--seed-time=0", f"--listen-port={world.free_port()}", "--dir", folder, what],
        (folder, scene.folder(f"{who}-magnet-result")),  # it announces over UDP by its DHT socket alone
    )
    offer.process.stop()
    seeder = world.start(
        f"{who}-seeder", aria2 + ["--check-integrity=true", "--seed-ratio=0.0", "-V", f"--listen-port={world.free_port()}", "--dir", folder, scene.torrent]
    )
    # A v1 dictionary alone is not enough for our client: the cluster gives it the torrent.
    scene.our_client_downloads_from(who, scene.magnet())
    seeder.kill()


def with_libtorrent(world, client, who, form):
    scene = Scene(client, who, form)
    offer = scene.offer()
    folder = scene.folder(f"{who}-result-{form}")
    peer = [SYSTEM_PYTHON, "-B", os.path.join(_HERE, "libtorrent_peer.py"), who]
    scene.download(
        lambda folder, what: peer + ["download", what, folder, str(world.free_port())],
        (folder, scene.folder(f"{who}-magnet-result-{form}"), scene.folder(f"{who}-udp-result-{form}")),
    )
    offer.process.stop()
    port = world.free_port()
    seeder = world.start(f"{who}-seeder-{form}", peer + ["seed", scene.over_udp(), folder, str(port)])
    # Without a tracker everything comes from the other client: info dictionary, piece layer, content.
    alone = scene.magnet().split("&tr=")[0] + f"&x.pe=127.0.0.1:{port}"
    scene.our_client_downloads_from(who, scene.magnet() if form == "v1" else alone)
    seeder.kill()


def story(world):
    client = Client(world, Cluster(world).start())
    if shutil.which("aria2c"):
        with_aria2(world, client, "aria2", [])
        # Message stream encryption: it speaks with nobody who does not hide every byte.
        with_aria2(world, client, "hidden-aria2", ["--bt-require-crypto=true", "--bt-min-crypto-level=arc4"])
    else:
        print("SKIPPED: aria2 is not installed (tools/setup --bench installs it)")
    if subprocess.run([SYSTEM_PYTHON, "-c", "import libtorrent"], capture_output=True, check=False).returncode == 0:
        # v1: it hangs up on the v2 bit beside such a hash; v2: it asks for the whole last block.
        for form in ("hybrid", "v1", "v2"):
            with_libtorrent(world, client, "libtorrent", form)
        for form in ("hybrid", "v2"):
            with_libtorrent(world, client, "hidden-libtorrent", form)
    else:
        print("SKIPPED: libtorrent is not installed (tools/setup --bench installs python3-libtorrent)")


if __name__ == "__main__":
    tell(story, 300)
