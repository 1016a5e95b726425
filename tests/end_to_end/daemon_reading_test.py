#!/usr/bin/env -S python3 -B
"""A content is read through a daemon while it downloads: what is not there yet is waited for, and no byte is ever another one than it should be."""

import http.client
import json
import os
import random
import sys
import threading

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
# pylint: disable=wrong-import-position
from daemon import Daemon
from files import make_file
from processes import check, tell, wait_until
from swarm import Client, Cluster

SIZE = 3 * 1000 * 1000
SECONDS = 60
READERS_MAX = 32


class Scene:
    """An offer that is paused, and a download of it, which knows its torrent and has no byte."""

    def __init__(self, world):
        self.world = world
        self.client = Client(world, Cluster(world, 1).start())
        self.file = make_file(world.path("model.bin"), SIZE)
        with open(self.file, "rb") as file:
            self.bytes = file.read()
        self.torrent = self.client.create(self.file, world.path("model.torrent"), "--piece-length", "16384")
        self.client.register(self.torrent)
        self.offerer = Daemon(world, "offerer").start()
        self.reader = Daemon(world, "reader").start()
        self.target = world.path("copy.bin")
        self.offer = self.order(self.offerer, {"kind": "offer", "what": self.torrent, "path": self.file})
        self.offerer.wait_for(self.offer, "offering")
        self.offerer.ask("POST", f"/transfers/{self.offer}/pause")
        self.offerer.wait_for(self.offer, "paused")
        self.number = self.order(self.reader, {"kind": "download", "what": self.torrent, "path": self.target, "download_limit": 400_000})

    @staticmethod
    def order(daemon, order):
        status, answer = daemon.ask("POST", "/transfers", json.dumps(order))
        check(status == 201, answer)
        return answer["id"]

    def read(self, method="GET", name="", query="", **headers):
        """The answer, and its body as far as it came."""
        connection = self.reader.connect()
        try:
            connection.request(method, f"/transfers/{self.number}/data{name}{query}", headers={name.replace("_", "-"): value for name, value in headers.items()})
            answer = connection.getresponse()
            try:
                return answer, answer.read()
            except http.client.IncompleteRead as cut:
                return answer, cut.partial
        finally:
            connection.close()

    def verified(self):
        return self.reader.transfer(self.number)["verified"]


def waited_for(scene):
    """Nothing has come: a reader is told so in its time, or answered as soon as the bytes are there."""
    answer, body = scene.read(query="?wait=1", Range="bytes=1000000-1000099")
    check(answer.status == 503 and answer.getheader("Retry-After") and b"not there yet" in body, f"in vain: {answer.status} {body}")
    got = {}
    waiting = threading.Thread(target=lambda: got.update(answer=scene.read(Range="bytes=1000000-1000099")))
    waiting.start()
    scene.offerer.ask("POST", f"/transfers/{scene.offer}/resume")
    waiting.join(SECONDS)
    answer, body = got["answer"]
    check(answer.status == 206 and body == scene.bytes[1_000_000:1_000_100], f"a range that was waited for: {answer.status}")
    check(answer.getheader("Content-Range") == f"bytes 1000000-1000099/{SIZE}", answer.getheader("Content-Range"))
    check(scene.verified() < SIZE, "the range was there only when all was")


def killed_in_between(scene):
    """The file is changed while no daemon runs: what is read then is fetched anew before."""
    scene.reader.process.kill()
    with open(scene.target + ".part", "r+b") as part:
        for piece in range(0, SIZE, 16384):
            part.seek(piece + 5)
            byte = part.read(1)
            part.seek(piece + 5)
            part.write(bytes([byte[0] ^ 255]))
    scene.reader.start("--serve-data", "127.0.0.1:0")
    source = random.Random(7)
    for first in [0, 5, 1_000_000] + [source.randrange(SIZE - 2000) for _ in range(20)]:
        answer, body = scene.read(Range=f"bytes={first}-{first + 1999}")
        check(answer.status == 206 and body == scene.bytes[first : first + 2000], f"after a restart, {first}: {answer.status}")


def killed_in_between_with_a_reader(scene):
    """Who reads on while the rest arrives has a good beginning when the daemon is killed."""
    connection = scene.reader.connect()
    connection.request("GET", f"/transfers/{scene.number}/data", headers={"Range": "bytes=1000000-"})
    answer = connection.getresponse()
    check(answer.status == 206, f"the beginning is there: {answer.status}")
    got = []

    def read_on():
        try:
            got.append(answer.read())
        except http.client.IncompleteRead as cut:
            got.append(cut.partial)

    reading = threading.Thread(target=read_on)
    reading.start()
    killed_in_between(scene)
    reading.join(SECONDS)
    check(got and len(got[0]) < SIZE - 1_000_000 and scene.bytes[1_000_000:].startswith(got[0]), "what was read of a daemon that was killed")


def as_http_has_it(scene):
    answer, body = scene.read("HEAD")
    check(answer.status == 200 and answer.getheader("Content-Length") == str(SIZE) and body == b"", "HEAD")
    check(answer.getheader("Accept-Ranges") == "bytes", "ranges are not announced")
    tag = answer.getheader("ETag")
    answer, body = scene.read(Range="bytes=-10", If_Range=tag)
    check(answer.status == 206 and body == scene.bytes[-10:], "the last bytes of what is known by its tag")
    answer, body = scene.read(Range="bytes=-10", If_Range='"another"')
    check(answer.status == 200 and body == scene.bytes, "of another content all is to be sent")
    answer, body = scene.read(name="/model.bin", Range="bytes=7-7")
    check(answer.status == 206 and body == scene.bytes[7:8], "by its name")
    answer, _ = scene.read(Range=f"bytes={SIZE}-")
    check(answer.status == 416 and answer.getheader("Content-Range") == f"bytes */{SIZE}", "behind the end")
    for wanted, method, name, query in [(404, "GET", "/other", ""), (405, "POST", "", ""), (400, "GET", "", "?wait=0"), (404, "GET", "/../model.bin", "")]:
        status = scene.read(method, name, query)[0].status
        check(status == wanted, f"{method} {name}{query}: {status}")


def at_a_port(scene):
    """The same over TCP, for those who speak no Unix sockets; nothing else is there, and not for a page that names this host otherwise."""
    host, port = scene.reader.process.wait_for_line(r"read at http://(.*):(\d+)/", SECONDS).groups()

    def read(path, **headers):
        connection = http.client.HTTPConnection(host, int(port), timeout=SECONDS)
        connection.request("GET", path, headers=headers)
        answer = connection.getresponse()
        return answer.status, answer.read()

    data = f"/transfers/{scene.number}/data/model.bin"
    check(read(data, Range="bytes=5-1000004") == (206, scene.bytes[5:1_000_005]), "over TCP")
    for path, headers, wanted in [("/transfers", {}, 404), (f"/transfers/{scene.number}", {}, 404), ("/transfers/99/data", {}, 404), (data, {"Host": "evil.example"}, 403)]:
        check(read(path, **headers)[0] == wanted, f"{path} {headers}: {read(path, **headers)}")


def so_many_readers(scene):
    """All places are taken by readers who take nothing, and free again when they go."""
    readers = []
    for _ in range(READERS_MAX):
        reader = scene.reader.connect()
        readers.append(reader)
        reader.request("GET", f"/transfers/{scene.number}/data")
        check(reader.getresponse().status == 200, "a reader within the limit")
    answer, _ = scene.read()
    check(answer.status == 503 and answer.getheader("Retry-After"), f"a reader too many: {answer.status}")
    check(scene.reader.ask("GET", "/transfers")[0] == 200, "readers leave others room")
    for reader in readers:
        reader.close()
    wait_until(lambda: scene.read(Range="bytes=0-0")[0].status == 206, SECONDS, "the places to be free")


def complete_and_changed(scene):
    scene.reader.wait_for(scene.number, "complete")
    answer, body = scene.read()
    check(answer.status == 200 and body == scene.bytes, f"what is complete: {answer.status}")
    with open(scene.target, "r+b") as file:
        file.write(b"other")
    wait_until(lambda: scene.read(Range="bytes=9-99")[0].status == 409, SECONDS, "the change to be noticed")
    answer, body = scene.read()
    check(b"was changed" in body and b"resume" in body, body)


def of_a_tree(scene):
    os.makedirs(scene.world.path("tree/deep"))
    make_file(scene.world.path("tree/deep/a b.bin"), 50_000, seed=3)
    make_file(scene.world.path("tree/z.bin"), 10, seed=4)
    with open(scene.world.path("tree/none"), "wb"):
        pass
    torrent = scene.client.create(scene.world.path("tree"), scene.world.path("tree.torrent"))
    scene.client.register(torrent)
    scene.order(scene.offerer, {"kind": "offer", "what": torrent, "path": scene.world.path("tree")})
    scene.number = scene.order(scene.reader, {"kind": "download", "what": torrent, "path": scene.world.path("copy")})
    for path, query in [("deep/a b.bin", "/deep/a%20b.bin"), ("z.bin", "/z.bin"), ("none", "/none"), ("deep/a b.bin", "/deep%2Fa%20b.bin")]:
        answer, body = scene.read(name=query)
        with open(scene.world.path("tree/" + path), "rb") as file:
            check(answer.status == 200 and body == file.read(), f"{path} of a tree: {answer.status}")
    answer, body = scene.read()
    check(answer.status == 400 and b"name one" in body, f"a directory: {answer.status} {body}")


def story(world):
    scene = Scene(world)
    waited_for(scene)
    killed_in_between_with_a_reader(scene)
    so_many_readers(scene)
    as_http_has_it(scene)
    at_a_port(scene)
    complete_and_changed(scene)
    of_a_tree(scene)
    for daemon in (scene.reader, scene.offerer):
        check(daemon.process.stop() == 0, "a daemon must end well")


if __name__ == "__main__":
    tell(story, 300)
