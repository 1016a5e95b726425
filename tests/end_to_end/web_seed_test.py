#!/usr/bin/env -S python3 -B
"""Web servers that a torrent names (BEP 19) are its last resort: whoever has no peer fetches from them in ranges, one at a time, also files
of a directory and over TLS; who lies, fails, or sends elsewhere is given up with a line; and while a peer gives, nobody of them is asked."""

import json
import os
import shutil
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
# pylint: disable=wrong-import-position
from authority import Authority
from files import make_file, same_bytes
from processes import check, tell
from swarm import Client, Cluster, wait_for_offers
from web_server import WebServer

NOBODY_HAS_IT = 4
SIZE = 12_000_000
RANGE_MAX = 4 << 20
TREE = {"one.bin": 9_000_000, "a folder/two & three.txt": 70_001, "a folder/empty": 0}
GIVEN_UP = "; it is not asked any more"


class Downloads:
    """Each of a content of its own, so that none is another's peer; all at one time, because each gives peers ten seconds first."""

    def __init__(self, world, client):
        self.world = world
        self.client = client
        self.root = world.path("public")
        os.makedirs(self.root)
        self.made = 0
        self.under_way = []
        self.nowhere = f"http://127.0.0.1:{world.free_port()}"

    def file(self, name, size=SIZE):
        self.made += 1
        return make_file(os.path.join(self.root, name), size, self.made)

    def torrent(self, name, source, seeds, *trackers):
        path = self.world.path(name + ".torrent")
        seeds = [part for seed in seeds for part in ("--web-seed", seed)]
        trackers = [part for url in trackers or self.client.cluster.urls for part in ("--tracker", url)]
        created = self.client.run("create", source, *trackers, *seeds, "-o", path)
        check(created.status == 0, lambda: f"create: {created.err()}")
        return path

    def begin(self, name, torrent, source, *flags):
        result = self.world.path(name)
        process = self.client.start("download", torrent, "-o", result, "--json", *flags)
        self.under_way.append((name, source, result, process))
        return process

    def finish(self):
        for name, source, result, process in self.under_way:
            process.wait(120)
            check(process.status == 0, lambda p=process, n=name: f"{n}: {p.status} {p.err()} {p.out()}")
            pairs = [(source, result)]
            if os.path.isdir(source):
                pairs = [(os.path.join(source, place), os.path.join(result, place)) for place in TREE]
            check(all(same_bytes(*pair) for pair in pairs), f"{name} differs")


def events(process, kind):
    return [event for event in map(json.loads, process.out().splitlines()) if event["event"] == kind]


def from_servers(downloads):
    """Each of them ends well."""
    world, root = downloads.world, downloads.root
    honest, whole, redirecting = WebServer(root), WebServer(root, "whole"), WebServer(root, "/moved%20there.bin")
    liar, elsewhere = WebServer(root, "lies"), WebServer(root, honest.url + "others.bin")
    seeds = {"honest.bin": [honest.url], "others.bin": [liar.url, elsewhere.url, honest.url]}
    started = {}
    for name, urls in seeds.items():
        file = downloads.file(name)
        started[name] = downloads.begin(name, downloads.torrent(name, file, urls), file)
    # No tracker answers, and the file has another name on the server.
    alone = downloads.file("moved there.bin")
    downloads.begin("alone", downloads.torrent("alone", alone, [redirecting.url + "it"], downloads.nowhere), alone)
    small = downloads.file("small", 3_000_000)
    downloads.begin("small.copy", downloads.torrent("small", small, [whole.url]), small)
    # Others write a single URL without a list.
    text = downloads.file("text", 3_000_000)
    with open(downloads.torrent("one-text", text, [honest.url]), "rb") as torrent:
        made = torrent.read()
    url = f"{len(honest.url)}:{honest.url}".encode()
    check(made.endswith(b"8:url-listl" + url + b"ee"), "a torrent lists its web seed in another form")
    path = world.path("text.torrent")
    with open(path, "wb") as torrent:
        torrent.write(made.replace(b"8:url-listl" + url + b"e", b"8:url-list" + url))
    downloads.begin("text.copy", path, text)
    tree = os.path.join(root, "the set")
    for place, size in TREE.items():
        os.makedirs(os.path.dirname(os.path.join(tree, place)), exist_ok=True)
        downloads.file(os.path.join("the set", place), size)
    downloads.begin("tree", downloads.torrent("tree", tree, [honest.url]), tree)
    return started, honest, liar


def over_tls(downloads):
    authority = Authority(downloads.world, "authority")
    certificate, key = downloads.world.path("web.pem"), downloads.world.path("web.key")
    authority.vouch(certificate, key, "IP:127.0.0.1")
    server = WebServer(downloads.root, certificate=(certificate, key))
    file = downloads.file("tls.bin")
    downloads.begin("tls", downloads.torrent("tls", file, [server.url]), file, "--ca", authority.path)
    torrent = downloads.torrent("untrusted", downloads.file("untrusted.bin"), [server.url])
    downloads.client.register(torrent)
    return downloads.client.start("download", torrent, "-o", downloads.world.path("untrusted"), "--timeout", "35")


def given_up(downloads):
    """Nothing comes of these; nobody else is asked through them."""
    asked_instead = WebServer(downloads.root)
    vices = {
        "errs": WebServer(downloads.root, "errs"),
        "whole": WebServer(downloads.root, "whole"),
        "range": WebServer(downloads.root, "other-range"),
        "away": WebServer(downloads.root, asked_instead.url + "given-up.bin"),
    }
    torrent = downloads.torrent("given-up", downloads.file("given-up.bin"), [server.url for server in vices.values()])
    downloads.client.register(torrent)
    process = downloads.client.start("download", torrent, "-o", downloads.world.path("given-up"), "--timeout", "35")
    return process, vices, asked_instead


def peers_come_first(client, downloads):
    server = WebServer(downloads.root)
    file = downloads.file("peers-first.bin")
    torrent = downloads.torrent("peers-first", file, [server.url])
    client.register(torrent)
    offer = client.start_offer(file, torrent)
    wait_for_offers([offer])
    fetched = client.download(torrent, downloads.world.path("peers-first"), "--json")
    check(fetched.status == 0 and not server.asked, lambda: f"a peer had it, and the web server was asked: {server.asked} {fetched.err()}")
    check(events(fetched, "complete")[0]["from_web"] == 0, fetched.out)
    check(offer.process.stop() == 0, "the offer must end well")


def story(world):
    check(shutil.which("openssl") is not None, "the program openssl is missing: tools/setup")
    cluster = Cluster(world, 1).start()
    client = Client(world, cluster)
    downloads = Downloads(world, client)
    peers_come_first(client, downloads)
    started, honest, liar = from_servers(downloads)
    untrusted = over_tls(downloads)
    hopeless, vices, asked_instead = given_up(downloads)
    downloads.finish()

    complete = events(started["honest.bin"], "complete")[0]
    check(complete["from_web"] == SIZE and complete["sources"] == 0, f"where did it come from: {complete}")
    check(max(honest.lengths()) == RANGE_MAX, f"ranges of {sorted(honest.lengths())} bytes")
    told = events(started["others.bin"], "web_seed")
    check([event["url"] for event in told if event["lied"]] == [liar.url], f"the liar is not named: {told}")
    check(len(liar.asked) <= 2, f"the liar was asked again: {liar.asked}")
    check(liar.url in events(started["others.bin"], "rejected")[0]["peers"], "the sender of a rejected piece has a made-up address")

    untrusted.wait(120)
    check(untrusted.status == NOBODY_HAS_IT and "certificate" in untrusted.err(), lambda: f"{untrusted.status} {untrusted.err()}")
    hopeless.wait(120)
    check(hopeless.status == NOBODY_HAS_IT, lambda: f"{hopeless.status} {hopeless.err()}")
    for vice, words in (("errs", "HTTP 503"), ("whole", "is longer than"), ("range", "another range"), ("away", "are not followed")):
        line = [line for line in hopeless.err().splitlines() if vices[vice].url in line and line.endswith(GIVEN_UP)]
        check(len(line) == 1 and words in line[0], lambda v=vice: f"{v}: {hopeless.err()}")
        check(len(vices[vice].asked) == 3 and vices[vice].at_once == 1, lambda v=vice: f"{v}: {vices[v].asked}")
    check(not asked_instead.asked, f"a redirect to another server was followed: {asked_instead.asked}")


if __name__ == "__main__":
    tell(story, 300)
