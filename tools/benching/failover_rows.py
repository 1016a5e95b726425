"""The leader is lost, in several ways, while a write and an announce come each millisecond: how long until they go on."""

import base64
import http.client
import json
import random
import shutil
import signal
import time

from cluster_rows import announce_path, etcd_nodes, registered
from meter import Row, wait_until
from prober import Prober
from swarm import wait_for_agreement

# Of a request that was sent after the loss.
_RESUME_SECONDS = 30


def rows(world, quick):
    rounds = 10 if quick else 300
    for size in (3, 5):
        cluster, content, info_hash = registered(world, size)
        for name, lose, regain, count in (
            ("killed (kill -9)", lambda node: node.kill(), lambda node: node.start(), rounds),
            ("stopped (SIGSTOP)", lambda node: node.stall(), lambda node: node.resume(), max(rounds // 5, 5)),
            ("told to stop (SIGTERM)", _tell_to_stop, lambda node: node.start(), max(rounds // 5, 5)),
        ):
            yield from _lost(cluster, content, info_hash, f"failover: {size} nodes, leader {name}", lose, regain, count)
        for node in cluster.nodes:
            node.kill()
    yield from _etcd(world, 5 if quick else 20)


def _tell_to_stop(node):
    node.process.signal(signal.SIGTERM)


def _lost(cluster, content, info_hash, name, lose, regain, rounds):
    gaps, pauses, failures = [], [], 0
    for _ in range(rounds):
        leader = cluster.wait_for_leader()
        survivor, other = random.sample([node for node in cluster.nodes if node is not leader], 2)
        writes = Prober(("127.0.0.1", survivor.client_port), lambda number: _offer(content, number))
        announces = Prober(("127.0.0.1", other.client_port), lambda number: _announce(info_hash, number))
        try:
            wait_until(lambda: len(writes.answers) > 100 and len(announces.answers) > 100, 30, "the probes to be answered")
            lost = time.monotonic()
            lose(leader)
            resumed = wait_until(lambda: writes.first_sent_after(lost), _RESUME_SECONDS, "writes to resume")
        finally:
            writes.close()
            announces.close()
        gaps.append(resumed - lost)
        pauses.append(_longest_pause(announces))
        refused = [status for _, _, status in writes.answers + announces.answers if status >= 300]
        failures += len(writes.failures) + len(announces.failures) + len(refused)
        if leader.process.running():
            wait_until(lambda l=leader: cluster.leader() not in (None, l) or not l.running(), 30, "another to lead")
        else:
            leader.process.wait(30)
        regain(leader)
        wait_until(leader.status, 30, "the node to come back")
        wait_for_agreement(cluster.nodes)
    note = f"{rounds} times; 1,000 writes/s and 1,000 announces/s at survivors; {failures} requests failed"
    yield from _percentiles(name, gaps, note)
    yield Row(f"{name}: longest pause of announces", max(pauses) * 1000, "ms")


def _percentiles(name, gaps, note):
    gaps = sorted(gaps)
    yield Row(f"{name}, median", gaps[len(gaps) // 2] * 1000, "ms", note)
    yield Row(f"{name}, 99th percentile", gaps[min(len(gaps) * 99 // 100, len(gaps) - 1)] * 1000, "ms")
    yield Row(f"{name}, longest", gaps[-1] * 1000, "ms")


def _longest_pause(prober):
    times = [answered for _, answered, _ in prober.answers]
    return max((b - a for a, b in zip(times, times[1:])), default=0.0)


def _request(method, path, body=b""):
    return b"%s %s HTTP/1.1\r\nHost: bench\r\nContent-Length: %d\r\n\r\n%s" % (method, path.encode(), len(body), body)


def _offer(content, number):
    peer = f"10.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}:6881"
    return _request(b"POST", f"/torrents/{content}/offers", json.dumps({"peer": peer, "pieces": [[0, 1]]}).encode())


def _announce(info_hash, number):
    return _request(b"GET", announce_path(info_hash, 1024 + number % 60000))


def _etcd(world, rounds):
    if not shutil.which("etcd"):
        yield Row("failover: etcd", None, "ms", "not installed: tools/setup --bench")
        return
    gaps = []
    for _ in range(rounds):
        with etcd_nodes(world) as (nodes, ports):
            leader = wait_until(lambda p=ports: _etcd_leader(p), 30, "etcd to have a leader")
            survivor = random.choice([port for port in ports if port != leader])
            probes = Prober(("127.0.0.1", survivor), etcd_put, patience=0.1)
            try:
                wait_until(lambda p=probes: len(p.answers) > 100, 30, "the probes to be answered")
                lost = time.monotonic()
                nodes[ports.index(leader)].kill()
                resumed = wait_until(lambda p=probes, l=lost: p.first_sent_after(l), _RESUME_SECONDS, "writes to resume")
            finally:
                probes.close()
            gaps.append(resumed - lost)
    yield from _percentiles("failover: etcd, 3 nodes, leader killed", gaps, f"{rounds} times; 1,000 puts/s through its HTTP gateway")


def etcd_put(number):
    key = base64.b64encode(b"key-%d" % number).decode()
    return _request(b"POST", "/v3/kv/put", json.dumps({"key": key, "value": key}).encode())


def _etcd_leader(ports):
    """The port of the one that leads, or None."""
    for port in ports:
        try:
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=2)
            connection.request("POST", "/v3/maintenance/status", b"{}")
            status = json.load(connection.getresponse())
        except (OSError, ValueError, http.client.HTTPException):
            return None
        if status.get("leader") and status["leader"] == status["header"]["member_id"]:
            return port
    return None
