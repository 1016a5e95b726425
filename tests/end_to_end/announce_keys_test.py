#!/usr/bin/env -S python3 -B
"""A cluster that wants keys in announces: who shows one announces and scrapes, by hand and with aria2; who shows none, a wrong one or one
that has been taken back is told so as BEP 3 says, and over UDP nobody is answered. No key stands in what a node says."""

import os
import shutil
import socket
import struct
import sys
import urllib.request

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
# pylint: disable=wrong-import-position
from files import make_file, same_bytes
from processes import check, tell
from swarm import START_SECONDS, Client, Cluster, wait_for_offers

QUERY = "?info_hash=" + "a" * 20 + "&peer_id=" + "b" * 20 + "&port=6881&left=1&compact=1"
ARIA2 = """aria2c --no-conf --enable-dht=false --enable-dht6=false --bt-enable-lpd=false --enable-peer-exchange=false
    --disable-ipv6=true --file-allocation=none --summary-interval=0 --console-log-level=warn --seed-time=0""".split()


def get(node, path):
    with urllib.request.urlopen(node.url + path, timeout=START_SECONDS) as answer:
        return answer.read()


def over_udp(node):
    """What an announce over UDP is answered: action and words (BEP 15)."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asker:
        asker.settimeout(START_SECONDS)
        asker.connect(("127.0.0.1", node.client_port))
        asker.send(struct.pack(">QII", 0x41727101980, 0, 7))
        connection = asker.recv(2048)[8:16]
        asker.send(connection + struct.pack(">II20s20sQQQIIIiH", 1, 8, b"a" * 20, b"b" * 20, 0, 1, 0, 0, 0, 0, -1, 6881))
        answer = asker.recv(2048)
        return struct.unpack_from(">I", answer)[0], answer[8:]


class Keys:
    def __init__(self, world):
        self.world = world
        self.path = world.path("keys")
        self.lines, self.secrets = {}, {}

    def new(self, name, role):
        file = self.world.path(f"{name}.key")
        made = self.world.run("token", [self.world.binaries.client, "token", "new", name, role, "-o", file])
        check(made.status == 0, lambda: f"token new: {made.err()}")
        self.lines[name] = made.out()
        with open(file, encoding="ascii") as text:
            self.secrets[name] = text.read().strip()

    def write(self, *names):
        with open(self.path, "w", encoding="ascii") as file:
            file.write("".join(self.lines[name] for name in names))
        os.chmod(self.path, 0o600)


def refused(node, path, words):
    for verb in ("announce", "scrape"):
        said = get(node, f"{path}/{verb}{QUERY}")
        check(said.startswith(b"d14:failure reason") and words in said, lambda s=said: f"{path}/{verb}: {s}")


def by_hand(node, keys):
    alice = keys.secrets["alice"]
    # The torrent is unknown: what is said of that is said to those who may ask.
    check(b"key" not in get(node, f"/{alice}/announce{QUERY}"), "alice may not announce")
    check(b"5:files" in get(node, f"/{alice}/scrape{QUERY}"), "alice may not scrape")
    refused(node, "", b"wants a key")
    refused(node, "/" + alice[:-1], b"nobody's")
    refused(node, "/" + keys.secrets["reader"], b"nobody's")
    action, words = over_udp(node)
    check(action == 3 and b"over HTTP alone" in words, f"over UDP: {action} {words}")


def with_aria2(world, client, torrent, data, goes_well):
    folder = world.path(f"aria2-{os.path.basename(torrent)}")
    os.makedirs(folder)
    process = world.start("aria2", ARIA2 + ["--bt-stop-timeout=3", f"--listen-port={world.free_port()}", "--dir", folder, torrent])
    process.wait(60)
    there = process.status == 0 and same_bytes(data, os.path.join(folder, "data.bin"))
    check(there == goes_well, lambda: f"aria2: {process.status} {process.out()}")


def story(world):
    keys = Keys(world)
    keys.new("alice", "announce")
    keys.new("carol", "announce")
    keys.new("reader", "read")
    keys.write("alice", "carol", "reader")
    client = Client(world, Cluster(world, 1, serving_flags=["--announce-keys", keys.path]).start())
    node = client.cluster.nodes[0]
    by_hand(node, keys)

    data = make_file(world.path("data.bin"), 300_000)
    url = f"{node.url}/{keys.secrets['carol']}/announce"
    with_key, without = world.path("with.torrent"), world.path("without.torrent")
    for path, tracker in ((with_key, url), (without, node.url)):
        made = client.run("create", data, "--format", "v1", "--tracker", tracker, "-o", path)
        check(made.status == 0, lambda m=made: f"create: {m.err()}")
        with open(path, "rb") as file:
            check((url.encode() in file.read()) == (path == with_key), f"the URL of {path}")
    # Our own clients offer by the tracker's API, where a key is none of theirs to show.
    client.register(with_key)
    offer = client.start_offer(data, with_key)
    wait_for_offers([offer])
    if shutil.which("aria2c"):
        with_aria2(world, client, with_key, data, True)
        with_aria2(world, client, without, data, False)

    keys.write("alice", "reader")
    client.cluster.reload(r"2 keys of \S+ are in force")
    refused(node, "/" + keys.secrets["carol"], b"nobody's")
    check(b"key" not in get(node, f"/{keys.secrets['alice']}/announce{QUERY}"), "alice may not announce any more")
    check(offer.process.stop() == 0, "the offer must end well")
    said = node.process.out() + node.process.err() + offer.process.out() + offer.process.err()
    said += "".join(get(node, path).decode() for path in ("/status", "/cluster", "/metrics", "/torrents"))
    leaked = [name for name, secret in keys.secrets.items() if secret in said]
    check(not leaked, f"the keys of {leaked} are told")


if __name__ == "__main__":
    tell(story, 240)
