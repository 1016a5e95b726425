"""1 GiB from nine seeders to one downloader, all on this machine: ours, aria2, libtorrent."""

import os
import shutil
import subprocess
import time

from meter import MIB, Failure, Row, cpu_of, run_measured, wait_until
from files import make_file, same_bytes
from swarm import Client, Cluster, wait_for_claims, wait_for_offers

SEEDERS = 9
SYSTEM_PYTHON = "/usr/bin/python3"  # python3-libtorrent belongs to this one


def rows(world, quick):
    size = (128 if quick else 1024) * MIB
    source = make_file(world.path("content.bin"), size)
    cluster = Cluster(world).start()
    client = Client(world, cluster)
    # v1: the one form all three programs read alike (aria2 computes a wrong hash for a hybrid torrent).
    torrent = client.create(source, world.path("content.torrent"), "--format", "v1", "--name", "content.bin")
    client.register(torrent)

    times = 1 if quick else 2  # of each, the best counts

    ours = best_of(lambda: measure_ours(world, cluster, client, source, torrent), times)
    yield from describe("bytetorrent", size, ours, 4.0, 128)
    for name, measure in (("aria2", measure_aria2), ("libtorrent", measure_libtorrent)):
        other = best_of(lambda m=measure: m(world, cluster, source, torrent), times)
        if other is None:
            yield Row(f"download: {name}", None, "s", "not installed: tools/setup --bench")
            continue
        yield from describe(name, size, other, None, None)
        yield Row(f"download: times faster than {name}", other["seconds"] / ours["seconds"], "x")
        yield Row(f"download: part of {name}'s CPU seconds", ours["cpu"] / other["cpu"], "x")
    os.unlink(source)


def best_of(measure, times):
    """The fastest of so many runs, or None when there is nothing to measure."""
    figures = [measure() for _ in range(times)]
    return None if None in figures else min(figures, key=lambda each: each["seconds"])


def describe(name, size, figures, goal_seconds, goal_mib):
    scale = size / (1024 * MIB)
    goal = None if goal_seconds is None else goal_seconds * scale
    yield Row(f"download: {name}, {size // MIB} MiB from {SEEDERS}", figures["seconds"], "s", f"{size / figures['seconds'] / 1e6:.0f} MB/s", goal, False)
    yield Row(f"download: {name}, CPU of all processes", figures["cpu"], "s")
    yield Row(f"download: {name}, downloader's peak memory", figures["rss_mib"], "MiB", "", goal_mib, False)


def figures_of(world, name, command, seeders, source, result, seconds=180):
    before = cpu_of(seeders)
    process, wall, cpu, peak = run_measured(world, name, command, seconds)
    if process.status != 0:
        raise Failure(f"{name} ended with {process.status}: {process.err()[-400:]}{process.out()[-400:]}")
    total = cpu + cpu_of(seeders) - before
    if not same_bytes(source, result):
        raise Failure(f"{name}: the result differs")
    os.unlink(result)
    return {"seconds": wall, "cpu": total, "rss_mib": peak / 1024}


def end(processes):
    for process in processes:
        process.kill()


def measure_ours(world, cluster, client, source, torrent):
    offers = client.start_offers([source] * SEEDERS, torrent)
    wait_for_offers(offers)
    processes = [offer.process for offer in offers]
    result = world.path("ours.bin")
    command = [world.binaries.client, "download", torrent, "-o", result]
    nodes = [node.process for node in cluster.nodes]
    try:
        return figures_of(world, "download", command, processes + nodes, source, result)
    finally:
        for process in processes:
            process.stop()


def measure_aria2(world, cluster, source, torrent):
    if not shutil.which("aria2c"):
        return None
    common = """aria2c --no-conf --enable-dht=false --enable-dht6=false --bt-enable-lpd=false --enable-peer-exchange=false
        --disable-ipv6=true --file-allocation=none --summary-interval=0 --console-log-level=warn --allow-overwrite=true""".split()
    seeders = []
    try:
        for number in range(SEEDERS):
            folder = world.path(f"aria2-{number}")
            os.makedirs(folder, exist_ok=True)
            copy = os.path.join(folder, "content.bin")
            if not os.path.exists(copy):
                os.link(source, copy)
            seeders.append(
                world.start(
                    f"aria2-seeder-{number}",
                    common + ["--check-integrity=true", "--seed-ratio=0.0", "-V", f"--listen-port={world.free_port()}", "--dir", folder, torrent],
                )
            )
        wait_for_seeders(cluster, SEEDERS, "aria2")
        folder = world.path("aria2-result")
        os.makedirs(folder, exist_ok=True)
        command = common + ["--seed-time=0", f"--listen-port={world.free_port()}", "--dir", folder, torrent]
        return figures_of(world, "aria2-download", command, seeders, source, os.path.join(folder, "content.bin"))
    finally:
        end(seeders)
        for number in range(SEEDERS):
            shutil.rmtree(world.path(f"aria2-{number}"), ignore_errors=True)


def wait_for_seeders(cluster, wanted, name):
    """Until the tracker knows so many complete peers: they checked the file and announced."""

    def known():
        peers = cluster.nodes[0].peers("content.bin") or {}
        return sum(1 for complete in peers.values() if complete) >= wanted

    wait_until(known, 120, f"{wanted} {name} seeders to announce themselves")


_LIBTORRENT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "libtorrent_peer.py")


def have_libtorrent():
    return subprocess.run([SYSTEM_PYTHON, "-c", "import libtorrent"], capture_output=True, check=False).returncode == 0


def measure_libtorrent(world, cluster, source, torrent):
    del cluster
    if not have_libtorrent():
        return None

    def local(port):
        return f"127.0.0.1:{port}"

    ports = [world.free_port() for _ in range(SEEDERS)]
    seeders = []
    try:
        for port in ports:
            seeders.append(
                world.start(f"libtorrent-seeder-{port}", [SYSTEM_PYTHON, _LIBTORRENT, "seed", torrent, os.path.dirname(source), local(port)])
            )
        for seeder in seeders:
            seeder.wait_for_line("seeding", 60)
        folder = world.path("libtorrent-result")
        os.makedirs(folder, exist_ok=True)
        command = [SYSTEM_PYTHON, _LIBTORRENT, "download", torrent, folder, local(world.free_port()), *map(local, ports)]
        return figures_of(world, "libtorrent-download", command, seeders, source, os.path.join(folder, "content.bin"))
    finally:
        end(seeders)


def offers_rows(world, quick):
    """Nine clients offer a file of 100 MB: from the first start to the last acknowledgement."""
    size = (20 if quick else 100) * 1000 * 1000
    source = make_file(world.path("offered.bin"), size)
    cluster = Cluster(world).start()
    client = Client(world, cluster)
    torrent = client.create(source, world.path("offered.torrent"))
    client.register(torrent)
    best = None
    for round_number in range(1 if quick else 3):
        started = time.monotonic()
        # Names of their own: a name's output is appended to, and an old acknowledgement is not a new one.
        offers = client.start_offers([source] * SEEDERS, torrent, first=1 + round_number * SEEDERS)
        wait_for_offers(offers)
        seconds = time.monotonic() - started
        wait_for_claims(cluster.nodes, "offered.bin", [offer.address() for offer in offers])
        for offer in offers:
            offer.process.stop()
        best = seconds if best is None else min(best, seconds)
    yield Row(f"offers: {SEEDERS} clients, {size // 1000000} MB", best, "s", "start to last acknowledgement", 2.0, False)

