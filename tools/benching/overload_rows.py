"""Each attack of overload_attacks.py against three nodes, beside honest load: what the honest notice, whether the leader changes, and
what the nodes hold in memory."""

import dataclasses
import json
import os
import re
import shutil
import socket
import sys

from cluster_rows import announce_path, etcd_nodes, registered
from failover_rows import etcd_put
from meter import MIB, Row, wait_until, watch_for
from prober import Prober
from raw import small_torrent
from swarm import Cluster

_HONEST = "127.0.0.3"
_PERIOD = 0.02  # between two honest requests at a node
_FEW_DESCRIPTORS = 256
_RATIO_MAX = 3
_TORRENTS = 1500  # so that a list is long
_CROWD = 160  # peers, each with every other piece of a content of 16,384
# What everything but the replicated tables may take (docs/limits.md): 64 MiB of answers nobody takes, 256 MiB of unfinished requests,
# what is sent to the other nodes, and some KiB for each connection.
_GROWTH_MAX_MIB = 64 + 256 + 64 + 64


@dataclasses.dataclass
class _Attack:
    name: str  # in overload_attacks.py
    what: str
    counterpart: str = ""  # the same of etcd's
    few_descriptors: bool = False


_ATTACKS = (
    _Attack("lookups", "lookups of 200 peers with 8,192 ranges each"),
    _Attack("strangers", "strangers at the replica ports"),
    _Attack("lists_unread", "64,000 lists asked for and not read", "puts_unread"),
    _Attack("reads_at_once", "25,600 linearizable lists asked for and not read"),
    _Attack("bodies", "48 unfinished bodies of 8 MiB"),
    _Attack("idle", "18,000 idle connections"),
    _Attack("claims", "one address claims"),
    _Attack("registrations", "one address registers", "puts"),
    _Attack("idle_few", "256 descriptors, 300 idle connections", few_descriptors=True),
)


def rows(world, quick):
    seconds = 2 if quick else 10
    cluster, content, info_hash = registered(world)
    leader = cluster.wait_for_leader()
    _fill(leader, _TORRENTS)
    wide = _crowded(world, cluster, leader)
    for attack in _ATTACKS:
        if attack.few_descriptors:
            for node in cluster.nodes:
                node.kill()
            limited = ["prlimit", f"--nofile={_FEW_DESCRIPTORS}:{_FEW_DESCRIPTORS}"]
            cluster, content, info_hash = registered(world, prefix=limited)
        yield from _attacked(world, cluster, attack, seconds, _Torrent(wide if attack.name == "lookups" else content, content, info_hash))
    for node in cluster.nodes:
        node.kill()
    yield from _etcd(world, seconds)


@dataclasses.dataclass
class _Torrent:
    looked_up: str  # a content id
    content: str
    info_hash: str


def _attacked(world, cluster, attack, seconds, torrent):
    leader = cluster.wait_for_leader()
    nodes = [leader] + [node for node in cluster.nodes if node is not leader]
    honest = _Honest([("127.0.0.1", node.client_port) for node in nodes], lambda number: _ask(torrent.content, number))
    before, memory = _ballot(nodes), _memory(nodes)
    quiet = honest.over(seconds)
    flags = [part for node in nodes for part in ("--client", f"127.0.0.1:{node.client_port}", "--replica", f"127.0.0.1:{node.replica_port}")]
    process = _start(world, attack.name, [*flags, "--content", torrent.looked_up, "--info-hash", torrent.info_hash])
    attacked = honest.over(seconds)
    grown = (_memory(nodes) - memory) / 1024
    process.kill()
    honest.close()
    name = f"overload: {attack.what}"
    yield from _compared(name, quiet, attacked)
    yield Row(f"{name}: leader changes", _ballot(cluster.nodes) - before, "", "", 0, False)
    yield Row(f"{name}: memory gained", grown, "MiB", f"the largest of three, from {memory / 1024:.0f} MiB", _GROWTH_MAX_MIB, False)
    wait_until(cluster.leader, 30, "a leader after the attack")


def _start(world, attack, flags):
    program = os.path.join(os.path.dirname(os.path.abspath(__file__)), "overload_attacks.py")
    process = world.start(f"attack-{attack}", [sys.executable, "-B", program, attack, *flags])
    process.wait_for_line("^begun$", 60)
    return process


class _Honest:
    """A request to each node every 20 ms, from an address of its own, all the time."""

    def __init__(self, targets, request):
        self._probers = [Prober(target, request, patience=5.0, period=_PERIOD, source=_HONEST) for target in targets]

    def over(self, seconds):
        """(sorted latencies in ms, refused or unanswered requests) of the requests of the next seconds."""
        marks = [(len(prober.answers), len(prober.failures)) for prober in self._probers]
        watch_for(seconds)
        answers = [answer for prober, mark in zip(self._probers, marks) for answer in prober.answers[mark[0] :]]
        failed = sum(len(prober.failures) - mark[1] for prober, mark in zip(self._probers, marks))
        failed += sum(1 for _, _, status in answers if status >= 300)
        return sorted((answered - sent) * 1000 for sent, answered, _ in answers), failed

    def close(self):
        for prober in self._probers:
            prober.close()


def _compared(name, quiet, attacked, goal=_RATIO_MAX):
    (calm, _), (stormy, failed) = quiet, attacked
    if not calm or not stormy:
        yield Row(f"{name}: honest p99, attacked by quiet", None, "x", f"{len(calm)} answers before, {len(stormy)} meanwhile", goal, False)
        return
    figures = [_percentile(calm, 50), _percentile(stormy, 50), _percentile(calm, 99), _percentile(stormy, 99)]
    note = "p50 %.1f -> %.1f ms, p99 %.1f -> %.1f ms" % tuple(figures)
    note += f", longest {stormy[-1]:.0f} ms, {failed} of {len(stormy) + failed} failed"
    yield Row(f"{name}: honest p99, times quiet", figures[3] / figures[2], "x", note, goal, False)


def _percentile(ordered, percent):
    return ordered[min(len(ordered) * percent // 100, len(ordered) - 1)]


def _ask(content, number):
    """Two durable writes, a lookup and a list in turn."""
    if number % 4 == 1:
        return f"GET /torrents/{content}/peers HTTP/1.1\r\nHost: bench\r\n\r\n".encode()
    if number % 4 == 3:
        return b"GET /torrents?limit=10 HTTP/1.1\r\nHost: bench\r\n\r\n"
    body = json.dumps({"peer": f"{_HONEST}:{1024 + number % 4000}", "pieces": [[0, 1]]}).encode()
    return f"POST /torrents/{content}/offers HTTP/1.1\r\nHost: bench\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body


def _ballot(nodes):
    return max(status["ballot_round"] for status in (node.status() for node in nodes) if status)


def _memory(nodes):
    return max(node.process.memory_kib() for node in nodes)


def _exchange(node, requests):
    """Pipelined, 50 at once; Failure when one is refused."""
    with socket.create_connection(("127.0.0.1", node.client_port), 10) as connection:
        for begin in range(0, len(requests), 50):
            block = requests[begin : begin + 50]
            connection.sendall(b"".join(block))
            got = b""
            while len(re.findall(rb"HTTP/1\.1 20[01] ", got)) < len(block):
                part = connection.recv(1 << 18)
                if not part or re.search(rb"HTTP/1\.1 [45]\d\d ", got):
                    raise ConnectionError(f"node {node.id} refuses what the benchmark prepares: {got[-200:]}")
                got += part


def _fill(node, count):
    torrents = [small_torrent(b"n" * 180 + b"%06d" % number, number) for number in range(count)]
    _exchange(node, [b"PUT /torrents HTTP/1.1\r\nHost: bench\r\nContent-Length: %d\r\n\r\n%s" % (len(t), t) for t in torrents])


def _crowded(world, cluster, node):
    """The content id of a torrent that many hold every other piece of."""
    client_binary = world.binaries.client
    file, torrent = world.path("wide.bin"), world.path("wide.torrent")
    with open(file, "wb") as sparse:
        sparse.truncate(16_384 * 16_384)
    created = world.run("create-wide", [client_binary, "create", file, "--piece-length", "16384", "-o", torrent, *cluster.tracker_flags()])
    content = re.search(r"[0-9a-f]{64}-\d+", created.out()).group(0)
    world.run("register-wide", [client_binary, "register", torrent])
    pieces = [[piece, 1] for piece in range(0, 16_384, 2)]
    requests = []
    for number in range(_CROWD):
        body = json.dumps({"peer": f"127.0.0.9:{6000 + number}", "pieces": pieces}, separators=(",", ":")).encode()
        requests.append(f"POST /torrents/{content}/offers HTTP/1.1\r\nHost: bench\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body)
    _exchange(node, requests)
    return content


def _etcd(world, seconds):
    counterparts = [attack for attack in _ATTACKS if attack.counterpart]
    if not shutil.which("etcd"):
        yield Row("overload: etcd", None, "x", "not installed: tools/setup --bench")
        return
    for attack in counterparts:
        with etcd_nodes(world) as (nodes, ports):
            targets = [("127.0.0.1", port) for port in ports]
            honest = _Honest(targets, etcd_put)
            quiet = honest.over(seconds)
            memory = max(node.memory_kib() for node in nodes)
            process = _start(world, attack.counterpart, [part for port in ports for part in ("--client", f"127.0.0.1:{port}")])
            attacked = honest.over(seconds)
            grown = (max(node.memory_kib() for node in nodes) - memory) / 1024
            process.kill()
            honest.close()
        name = f"overload: etcd, {attack.what.replace('lists', 'ranges')}"
        yield from _compared(name, quiet, attacked, None)
        yield Row(f"{name}: memory gained", grown, "MiB")
