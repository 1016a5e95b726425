"""The tracker cluster: commands and announces per second, and what it costs to be idle."""

import contextlib
import http.client
import os
import re
import shutil
import subprocess

from meter import Failure, Row, cpu_of, http_load, load_note, udp_load, wait_until, watch_for
from files import make_file
from swarm import Client, Cluster

_NAME = "bench.bin"


def registered(world, size=3, **options):
    """A cluster (with these options) with one registered torrent; (cluster, content id, v1 info-hash in hex)."""
    cluster = Cluster(world, size=size, **options).start()
    client = Client(world, cluster)
    torrent = client.create(make_file(world.path(_NAME), 1_000_000), world.path("bench.torrent"), "--format", "v1", "--name", _NAME)
    client.register(torrent)
    process = client.run("inspect", torrent, "--json")
    described = process.out()
    content = re.search(r"[0-9a-f]{64}-\d+", described)
    info_hash = re.search(r'"[^"]*v1[^"]*"\s*:\s*"([0-9a-f]{40})"', described)
    if not content or not info_hash:
        raise Failure(f"inspect --json names no content id or v1 info-hash: {described[:500]}")
    return cluster, content.group(0), info_hash.group(1)


def _targets(nodes):
    return [f"127.0.0.1:{node.client_port}" for node in nodes]


def registry_rows(world, quick):
    """Durable, replicated claims: answered after a majority has them on disk."""
    seconds = 2 if quick else 8
    cluster, content, _ = registered(world)
    leader = cluster.wait_for_leader()
    unpipelined = 0  # as etcd is asked below: one request at a time on each connection
    for name, nodes, connections, pipeline in (
        ("at all nodes, 96 connections, 16 deep", cluster.nodes, 96, 16),
        ("at the leader, 64 connections, 16 deep", [leader], 64, 16),
        ("at all nodes, 999 connections, 1 deep", cluster.nodes, 999, 1),
    ):
        figures = http_load(_targets(nodes), "offers", seconds, connections, pipeline, content)
        unpipelined = figures["per_second"] if pipeline == 1 else unpipelined
        goal = 20000 if "all nodes, 96" in name else None
        yield Row(f"registry: {name}", figures["per_second"], "ops/s", load_note(figures), goal)
    for node in cluster.nodes:
        node.kill()
    etcd = _etcd(world, seconds)
    if etcd is None:
        yield Row("registry: etcd", None, "ops/s", "not installed: tools/setup --bench")
    else:
        yield Row("registry: etcd, 3 nodes, 999 connections (HTTP puts)", etcd["per_second"], "ops/s", load_note(etcd))
        if etcd["per_second"]:
            yield Row("registry: ours at 999 connections, times etcd", unpipelined / etcd["per_second"], "x")


def _etcd(world, seconds):
    if not shutil.which("etcd"):
        return None
    with etcd_nodes(world) as (_, ports):
        return http_load([f"127.0.0.1:{port}" for port in ports], "etcd", seconds, 999)


@contextlib.contextmanager
def etcd_nodes(world):
    """Three healthy nodes of etcd with its default settings, and the ports of its HTTP gateway."""
    ports = [(world.free_port(), world.free_port()) for _ in range(3)]
    members = ",".join(f"n{i}=http://127.0.0.1:{peer}" for i, (peer, _) in enumerate(ports))
    nodes = []
    try:
        for i, (peer, client) in enumerate(ports):
            nodes.append(
                world.start(
                    f"etcd-{i}",
                    ["etcd", "--name", f"n{i}", "--data-dir", world.path(f"etcd-{peer}-{i}"), "--initial-cluster", members,
                     "--initial-advertise-peer-urls", f"http://127.0.0.1:{peer}", "--listen-peer-urls", f"http://127.0.0.1:{peer}",
                     "--listen-client-urls", f"http://127.0.0.1:{client}", "--advertise-client-urls", f"http://127.0.0.1:{client}",
                     "--logger", "zap", "--log-level", "error"],
                )
            )  # fmt: skip

        def healthy():
            try:
                connection = http.client.HTTPConnection("127.0.0.1", ports[0][1], timeout=2)
                connection.request("GET", "/health")
                return b"true" in connection.getresponse().read()
            except OSError:
                return False

        wait_until(healthy, 30, "etcd to be healthy")
        yield nodes, [client for _, client in ports]
    finally:
        for node in nodes:
            node.kill()


def announce_path(info_hash, port):
    """Of a BEP 3 announce of a seeder; `info_hash` in hex."""
    escaped = "".join(f"%{info_hash[i : i + 2]}" for i in range(0, len(info_hash), 2))
    return f"/announce?info_hash={escaped}&peer_id={'-BN0001-':0<20}&port={port}&uploaded=0&downloaded=0&left=0&compact=1&numwant=0"


def announces_rows(world, quick):
    """Announces over HTTP (BEP 3) and UDP (BEP 15), their claims replicated behind the answers."""
    seconds = 2 if quick else 5
    cluster, _, info_hash = registered(world)
    targets = _targets(cluster.nodes)
    for name, connections, pipeline, close in (
        ("keep-alive, 64 connections", 64, 1, False),
        ("keep-alive, 64 connections, 8 deep", 64, 8, False),
        ("a connection per request, 64 clients", 64, 1, True),
    ):
        figures = http_load(targets, "announces", seconds, connections, pipeline, info_hash, close)
        yield Row(f"announces: {name}", figures["per_second"], "/s", load_note(figures))
    yield _over_udp("announces: over UDP, 16 sockets, 8 deep", targets, seconds, info_hash)
    yield from _opentracker(world, seconds, info_hash)


def _over_udp(name, targets, seconds, info_hash, note=""):
    figures = udp_load(targets, seconds, 16, 8, info_hash)
    return Row(name, figures["per_second"], "/s", f"{note}{figures['errors']} errors, {figures['lost']} lost")


def _opentracker(world, seconds, info_hash):
    if not shutil.which("opentracker"):
        yield Row("announces: opentracker", None, "/s", "not installed")
        return
    port = world.free_port()
    allowed = world.path("opentracker.allowed")
    with open(allowed, "w", encoding="ascii") as file:
        file.write(info_hash + "\n")
    os.chmod(world.folder, 0o755)
    process = world.start("opentracker", ["opentracker", "-i", "127.0.0.1", "-p", str(port), "-P", str(port), "-w", allowed, "-d", world.folder])
    try:
        wait_until(lambda: _listens(port), 15, "opentracker to listen")
        figures = http_load([f"127.0.0.1:{port}"], "announces", seconds, 64, 1, info_hash, True)
        yield Row("announces: opentracker, a connection per request", figures["per_second"], "/s", "not replicated; " + load_note(figures))
        yield _over_udp("announces: opentracker, over UDP, 16 sockets, 8 deep", [f"127.0.0.1:{port}"], seconds, info_hash, "not replicated; ")
    except Failure as failure:
        yield Row("announces: opentracker", None, "/s", str(failure)[:80])
    finally:
        process.kill()


def _listens(port):
    try:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=1)
        connection.request("GET", "/announce")
        connection.getresponse().read()
        return True
    except http.client.HTTPException:
        return True
    except OSError:
        return False


def idle_rows(world, quick):
    """What a tracker node costs that has nothing to do."""
    cluster, _, _ = registered(world)
    cluster.wait_for_leader()
    seconds = 3 if quick else 10
    processes = [node.process for node in cluster.nodes]
    before = cpu_of(processes)
    watch_for(seconds)
    percent = (cpu_of(processes) - before) / seconds / len(processes) * 100
    memory = max(process.memory_kib() for process in processes) / 1024
    yield Row("idle: a tracker node's memory", memory, "MiB", "the largest of three", 32, False)
    yield Row("idle: a tracker node's CPU", percent, "%", f"of one core, over {seconds} s", 1, False)


def sim_rows(world, quick):
    """Events per second of the simulator on one core, judges on."""
    del world
    program = os.path.join(os.environ["BYTETORRENT_TOOLS"], "simrun", "simrun")
    for scenario in ("tracker_faults", "swarm_faults", "full_system"):
        seeds = 20 if quick else 100
        done = subprocess.run(
            [program, "sweep", f"--scenario={scenario}", f"--seeds={seeds}", "--jobs=1"], capture_output=True, text=True, timeout=300, check=False
        )
        words = done.stdout + done.stderr
        rates = re.findall(r"([\d][\d,.]*)\s*(k|M)?\s*events/s", words)
        if done.returncode != 0 or not rates:
            yield Row(f"sim: {scenario}", None, "events/s", f"simrun ended with {done.returncode}: {words.strip()[-100:]}")
            continue
        number, scale = rates[0]  # per job; the sum of all jobs comes after it
        value = float(number.replace(",", "")) * {"": 1, "k": 1e3, "M": 1e6}[scale]
        yield Row(f"sim: {scenario}, one core, judges on", value, "events/s", f"{seeds} seeds", 300000)
