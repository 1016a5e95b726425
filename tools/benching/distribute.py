"""One seeder, N downloaders, each behind a link of its own of the same rate both ways: until the last has the file.

Beside the bound of a fluid that flows everywhere at once: F / u_s here, because every link can carry what one can.
"""

import os
import re
import shutil
import subprocess
import time

from meter import MIB, Failure, Row, cpu_of, wait_until
from download import SYSTEM_PYTHON, have_libtorrent
from far_hosts import FarHosts, enter_own_network
from files import make_file, same_bytes
from swarm import Client, Cluster

PAYLOAD = 1448 / 1514  # of what a link carries, in full packets
PORT = 6881
SEEDER = 200  # its host; the downloaders are 1 to N
HUB = "10.9.0.254"
QUEUE = "100ms"  # of packets at a link's entry
PATIENCE = 8  # times the bound


def rows(world, quick):
    if not enter_own_network():
        yield Row("distribute", None, "x", "needs network namespaces with shaped links (root may, with ip and tc)")
        return
    hosts = FarHosts(world)
    cluster = Cluster(world, size=1, client_host=HUB).start()
    plan = [(8, 30, 16)] if quick else [(20, 30, 50), (50, 10, 50)]
    for peers, megabits, mib in plan:
        yield from one_plan(world, hosts, cluster, quick, peers, megabits, mib)


def one_plan(world, hosts, cluster, quick, peers, megabits, mib):
    for number in (SEEDER, *range(1, peers + 1)):
        if number not in hosts.spaces:
            hosts.add(number, None)
        hosts.reshape(number, f"{megabits}mbit", QUEUE)
    hosts.introduce()
    name = f"content-{peers}.bin"
    source = make_file(world.path(name), mib * MIB)
    client = Client(world, cluster)
    # v1: the one form all three programs read alike.
    torrent = client.create(source, world.path(name + ".torrent"), "--format", "v1", "--name", name)
    client.register(torrent)
    bound = mib * MIB * 8 / (megabits * 1e6 * PAYLOAD)
    swarm = Swarm(world, hosts, cluster, source, torrent, peers, bound)
    ours = None
    for program, run in (("bytetorrent", ours_in), ("aria2", aria2_in), ("libtorrent", libtorrent_in)):
        title = f"distribute: {program}, 1 to {peers} at {megabits} Mbit/s"
        figures = run(swarm)
        if figures is None:
            yield Row(title, None, "T", "not installed: tools/setup --bench")
            continue
        goal = 1.08 if program == "bytetorrent" and not quick else None
        note = f"{mib} MiB: last {figures['last']:.1f} s, first {figures['first']:.1f} s; seeder sent {figures['copies']:.2f} copies; {figures['cpu']:.1f} CPU s"
        yield Row(title, figures["last"] / bound, "T", note, goal, False)
        ours = ours or figures
        if figures is not ours:
            yield Row(f"distribute: times faster than {program}", figures["last"] / ours["last"], "x")
    os.unlink(source)


class Swarm:
    """What the three programs share: who is where, and the waiting."""

    def __init__(self, world, hosts, cluster, source, torrent, peers, bound):
        self.world = world
        self.hosts = hosts
        self.cluster = cluster
        self.source = source
        self.torrent = torrent
        self.name = os.path.basename(source)
        self.peers = range(1, peers + 1)
        self.bound = bound

    def folder(self, program, number):
        path = self.world.path(f"{program}-{len(self.peers)}-{number}")
        os.makedirs(path, exist_ok=True)
        return path

    def run(self, program, seed, download, done):
        """`seed` starts the seeder, and returns when it is ready; `download(number)` is a command; `done` what it says."""
        seeder = seed()
        downloads = {}
        try:
            sent = self.sent_bytes()
            started = time.monotonic()
            for number in self.peers:
                command = [*self.hosts.at(number), *download(number)]
                downloads[number] = self.world.start(f"{program}-{len(self.peers)}-{number}", command)
            ended = self._watch(downloads, done, started)
            copies = (self.sent_bytes() - sent) * PAYLOAD / os.path.getsize(self.source)
            cpu = cpu_of([seeder, *downloads.values()])
            for number in self.peers:
                if not same_bytes(self.source, os.path.join(self.folder(program, number), self.name)):
                    raise Failure(f"{program}: what host {number} has got differs")
            return {"last": max(ended.values()), "first": min(ended.values()), "copies": copies, "cpu": cpu}
        finally:
            for process in (seeder, *downloads.values()):
                process.kill()
            for number in self.peers:
                shutil.rmtree(self.folder(program, number), ignore_errors=True)

    def _watch(self, downloads, done, started):
        ended = {}
        next_look = 0.0

        def all_ended():
            nonlocal next_look
            now = time.monotonic()
            if now < next_look:
                return False
            next_look = now + 0.05
            for number, process in downloads.items():
                if number in ended:
                    continue
                if re.search(done, process.out() + process.err()):
                    ended[number] = time.monotonic() - started
                elif not process.running():
                    raise Failure(f"{process.name} ended with {process.status}: {process.err()[-300:]}")
            return len(ended) == len(downloads)

        wait_until(all_ended, PATIENCE * self.bound + 30, lambda: f"{len(downloads)} downloads ({len(ended)} are done)")
        return ended

    def sent_bytes(self):
        command = [*self.hosts.at(SEEDER), "tc", "-s", "qdisc", "show", "dev", "eth0"]
        said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        return int(re.search(r"Sent (\d+) bytes", said).group(1))


def ours_in(swarm):
    binary = swarm.world.binaries.client

    def listen(number):
        return ["--listen", f"{FarHosts.address(number)}:{PORT}"]

    def seed():
        command = [*swarm.hosts.at(SEEDER), binary, "offer", swarm.source, swarm.torrent, *listen(SEEDER)]
        seeder = swarm.world.start("seeder", command)
        seeder.wait_for_line("^offering", 60)
        return seeder

    def download(number):
        path = os.path.join(swarm.folder("ours", number), swarm.name)
        return [binary, "download", swarm.torrent, "-o", path, "--keep-offering", *listen(number)]

    return swarm.run("ours", seed, download, "downloaded content")


def aria2_in(swarm):
    if not shutil.which("aria2c"):
        return None
    common = f"""aria2c --no-conf --enable-dht=false --enable-dht6=false --bt-enable-lpd=false --enable-peer-exchange=true
        --disable-ipv6=true --file-allocation=none --summary-interval=0 --console-log-level=notice --allow-overwrite=true
        --seed-ratio=0.0 --listen-port={PORT}""".split()

    def seed():
        command = [*common, "--check-integrity=true", "-V", "--dir", os.path.dirname(swarm.source), swarm.torrent]
        seeder = swarm.world.start("aria2-seeder", [*swarm.hosts.at(SEEDER), *command])
        # Who asks the tracker before the seeder has is told of it minutes later.
        wait_until(lambda: f"{FarHosts.address(SEEDER)}:{PORT}" in (swarm.cluster.nodes[0].peers(swarm.name) or {}), 60, "the seeder's announce")
        return seeder

    # It says nothing when it goes from downloading to seeding, but runs a command with the download's number.
    def download(number):
        return [*common, "--on-bt-download-complete=/bin/echo", "--dir", swarm.folder("aria2", number), swarm.torrent]

    return swarm.run("aria2", seed, download, r"[0-9a-f]{16} 1 /")


_LIBTORRENT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "libtorrent_peer.py")


def libtorrent_in(swarm):
    if not have_libtorrent():
        return None

    def peer(role, folder, number):
        others = [f"{FarHosts.address(other)}:{PORT}" for other in (SEEDER, *swarm.peers) if other != number]
        return [SYSTEM_PYTHON, _LIBTORRENT, role, swarm.torrent, folder, f"{FarHosts.address(number)}:{PORT}", *others]

    def seed():
        seeder = swarm.world.start("libtorrent-seeder", [*swarm.hosts.at(SEEDER), *peer("seed", os.path.dirname(swarm.source), SEEDER)])
        seeder.wait_for_line("seeding", 60)
        return seeder

    return swarm.run("libtorrent", seed, lambda number: peer("share", swarm.folder("libtorrent", number), number), "seeding")
