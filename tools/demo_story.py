"""The part of tools/demo that comes after the build: plays the story and tells it line by line."""

import argparse
import os
import shutil
import signal
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "tests", "end_to_end", "lib"))
# pylint: disable=wrong-import-position
from files import make_file, sha256
from processes import Binaries, Failure, World, check, wait_until
from swarm import Client, Cluster, count_acknowledged, wait_for_claims, wait_for_offers

STALL_SECONDS = 5.0
MIB = 1 << 20


def say(text=""):
    print(text, flush=True)


def arguments():
    parser = argparse.ArgumentParser(prog="tools/demo", description="A tracker cluster, offering clients, one download.")
    parser.add_argument("file", nargs="?", metavar="FILE", help="a file of yours instead of a made one")
    parser.add_argument("--fault", choices=["none", "stop", "stall", "malicious"], default="none")
    parser.add_argument("--peers", type=int, default=9, metavar="N", help="offering clients (9)")
    parser.add_argument("--trackers", type=int, default=3, metavar="N", help="tracker nodes (3)")
    parser.add_argument("--size", type=int, default=256, metavar="MIB", help="size of the made file (256)")
    parser.add_argument("--check-flags", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if not 1 <= options.peers <= 50:
        parser.error("--peers: between 1 and 50")
    if not 1 <= options.trackers <= 9:
        parser.error("--trackers: between 1 and 9")
    if not 1 <= options.size <= 100_000:
        parser.error("--size: between 1 and 100000 MiB")
    if options.fault in ("stop", "stall") and options.trackers < 3:
        parser.error(f"--fault={options.fault}: two trackers cannot lose one; give --trackers=3 or more")
    if options.fault == "malicious" and options.peers < 2:
        parser.error("--fault=malicious: at least one peer must be honest; give --peers=2 or more")
    if options.file:
        options.file = os.path.join(os.environ.get("BYTETORRENT_DEMO_FROM", "."), options.file)
        if not os.path.isfile(options.file):
            parser.error(f"{options.file}: there is no such file")
    return options


class Demo:
    def __init__(self, world, options):
        self.world = world
        self.options = options
        self.liars = []
        self.offers = []
        self.struck = None  # the tracker node that was hit, and when

    def play(self):
        self.prepare_file()
        self.start_cluster()
        self.offer()
        self.download()
        self.epilogue()

    def prepare_file(self):
        if self.options.file:
            self.file = self.options.file
        else:
            self.file = make_file(self.world.path("data.bin"), self.options.size * MIB)
        self.size = os.path.getsize(self.file)
        needed = self.size * (2 if self.options.fault == "malicious" else 1)
        free = shutil.disk_usage(self.world.folder).free
        check(free > needed + 64 * MIB, f"{self.world.folder}: {needed // MIB} MiB are needed and {free // MIB} MiB free; set TMPDIR to a larger disk")
        self.name = os.path.basename(self.file)
        self.digest = sha256(self.file)
        say(f"file       {self.name}, {self.size / MIB:.1f} MiB, SHA-256 {self.digest[:16]}...")

    def start_cluster(self):
        self.cluster = Cluster(self.world, self.options.trackers).start()
        leader = self.cluster.wait_for_leader()
        say(f"trackers   {len(self.cluster.nodes)} nodes: {', '.join(self.cluster.urls)}; node {leader.id} leads")
        self.client = Client(self.world, self.cluster)
        self.torrent = self.world.path(self.name + ".torrent")
        self.client.create(self.file, self.torrent)
        self.client.register(self.torrent)
        say(f"registered {self.name}: no other file can ever take this name here")

    def offer(self):
        honest = self.options.peers
        if self.options.fault == "malicious":
            number = max(1, min(honest - 1, round(honest * 5 / 9)))
            honest -= number
            wrong = make_file(self.world.path("wrong.bin"), self.size, seed=666)
            self.liars = self.client.start_offers([wrong] * number, self.torrent, "--skip-verify")
            say(f"offering   {number} malicious clients: wrong bytes of the right size")
        self.offers = list(self.liars)
        for number in range(honest):
            self.offers += self.client.start_offers([self.file], self.torrent, first=len(self.offers) + 1)
            if number >= honest // 2:
                self.maybe_strike()
        wait_until(lambda: count_acknowledged(self.offers) > 0, 60, "the first offer to be acknowledged")
        self.maybe_strike()
        wait_for_offers(self.offers)
        say(f"offering   {honest} clients{' that are honest' if self.liars else ''}; all {len(self.offers)} offers are acknowledged")
        if self.options.fault == "stall":
            self.resume()
        wait_for_claims(self.cluster.alive(), self.name, [offer.address() for offer in self.offers])

    def maybe_strike(self):
        if self.struck or self.options.fault not in ("stop", "stall") or count_acknowledged(self.offers) == 0:
            return
        node = self.cluster.nodes[0]
        if self.options.fault == "stop":
            node.kill()
            say(f"fault      tracker node {node.id} is killed (kill -9) in the middle of the offers, for good")
        else:
            node.stall()
            say(f"fault      tracker node {node.id} is stopped (SIGSTOP) in the middle of the offers, for {STALL_SECONDS:g} s")
        self.struck = (node, time.monotonic())

    def resume(self):
        node, when = self.struck
        wait_until(lambda: time.monotonic() - when >= STALL_SECONDS, STALL_SECONDS + 5, "the stall to end")
        others = [each.status() for each in self.cluster.nodes if each is not node]
        reached = max(view["applied"] for view in others if view)
        node.resume()
        wait_until(lambda: (node.status() or {"applied": 0})["applied"] >= reached, 30, f"node {node.id} to catch up")
        say(f"fault      node {node.id} resumed and caught up to slot {reached}, with {node.status()['claims']} claims")

    def download(self):
        self.result = self.world.path("downloaded")
        say(f"download   from {len(self.offers)} peers")
        started = time.monotonic()
        process = self.client.start("download", self.torrent, "-o", self.result, "--listen", "127.0.0.1:0", show=not self.liars, name="download")
        status = process.wait(60 + self.size // MIB)
        check(status == 0, f"the download ended with status {status}: {process.err()[-500:]}")
        seconds = time.monotonic() - started
        say(f"           {self.size / MIB:.1f} MiB in {seconds:.2f} s, {self.size / seconds / 1e6:.0f} MB/s")
        if self.liars:
            words = process.out() + process.err()
            named = [liar.address() for liar in self.liars if liar.address() in words]
            say(f"           caught serving wrong bytes, and banned: {', '.join(named) or 'none'}")
        digest = sha256(self.result)
        check(digest == self.digest, f"SHA-256 {digest} is not that of the file")
        say(f"verified   the result has the same SHA-256: {digest[:16]}...")

    def epilogue(self):
        say()
        say("Try next:")
        for fault in ("stop", "stall", "malicious"):
            if fault != self.options.fault:
                say(f"    tools/demo --fault={fault}")
        say("    tools/demo FILE                     with a file of yours")
        say("    tools/test                          every test")
        say("    bazel test //sim:...                the same machines under simulated faults")
        say("    out/bin/nodes/bytetorrent --help    the commands")


def main():
    options = arguments()
    if options.check_flags:
        return 0
    # A polite end for any polite signal: the folder is removed and nothing is left running.
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.default_int_handler)
    try:
        with World(Binaries()) as world:
            Demo(world, options).play()
    except Failure as failure:
        print(f"demo: FAILED: {failure}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\ndemo: interrupted; everything it started is stopped and removed", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
