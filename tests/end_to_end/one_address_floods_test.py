#!/usr/bin/env -S python3 -B
"""One address announces itself under ever other ports at every node of a cluster: it holds no more than its share, is told so,
and is named to the operator; what others announce and offer is listed. When it leaves, the alarm is over. Then it asks for long lists, many at
once, and reads none: others are served, the leader leads on, and the node's memory stays bounded."""

import http.client
import json
import os
import re
import socket
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
# pylint: disable=wrong-import-position
from files import make_file
from processes import check, tell, wait_until
from raw import small_torrent
from swarm import START_SECONDS, Client, Cluster

GREEDY, HONEST = "127.0.0.66", "127.0.0.3"
SHARE = 4096  # of one torrent's claims: source_claims_per_content
PORTS = SHARE + 1500
AT_ONCE = 64
NAMES = 600  # long ones: a list has 150 KiB
CROWD = 200  # connections that ask for 64 lists each: 1.8 GiB in all
GROWTH_MIB = 200


def ask(node, source, method, target, body=None):
    connection = http.client.HTTPConnection("127.0.0.1", node.client_port, timeout=START_SECONDS, source_address=(source, 0))
    connection.request(method, target, body)
    answer = connection.getresponse()
    said = answer.read()
    connection.close()
    return answer.status, said


def announce(info_hash, port, event=""):
    escaped = "".join(f"%{info_hash[i:i + 2]}" for i in range(0, 40, 2))
    return f"/announce?info_hash={escaped}&port={port}&left=0&numwant=0{event}"


def flood(node, targets):
    """Asks for all of them on one connection, so many at once; the answers, one behind the other."""
    connection = socket.create_connection(("127.0.0.1", node.client_port), START_SECONDS, (GREEDY, 0))
    answers = b""
    for begin in range(0, len(targets), AT_ONCE):
        block = targets[begin : begin + AT_ONCE]
        connection.sendall(b"".join(f"GET {target} HTTP/1.1\r\nHost: x\r\n\r\n".encode() for target in block))
        got = b""
        while got.count(b"HTTP/1.1 ") < len(block) or not got.endswith(b"e"):
            more = connection.recv(1 << 18)
            check(more, "a node hung up on the flood")
            got += more
        answers += got
    connection.close()
    return answers


def status(node):
    return json.loads(ask(node, HONEST, "GET", "/status")[1])


def alarms(node):
    return [alarm["text"] for alarm in status(node)["alarms"]]


def log_of(cluster):
    return "".join(node.process.err() for node in cluster.nodes)


def lists_nobody_reads(node):
    """Connections from the greedy address, each with 64 lists asked for."""
    crowd = []
    for _ in range(CROWD):
        connection = socket.create_connection(("127.0.0.1", node.client_port), START_SECONDS, (GREEDY, 0))
        connection.setblocking(False)
        try:
            connection.send(b"GET /torrents?limit=1000 HTTP/1.1\r\nHost: x\r\n\r\n" * 64)
        except OSError:
            pass  # closed already, which is the node's right
        crowd.append(connection)
    return crowd


def served_beside_the_lists(cluster, attempt):
    """Honest requests at the leader while the lists are asked for; whether the same leader led all the time."""
    leader = cluster.wait_for_leader()
    before, ballot = leader.process.memory_kib(), status(leader)["ballot_round"]
    crowd = lists_nobody_reads(leader)
    most = 0
    for number in range(40):
        said = ask(leader, HONEST, "PUT", "/torrents", small_torrent(b"honest-%d-%d" % (attempt, number), 1000 * (attempt + 1) + number))
        check(said[0] == 201, f"beside the lists an honest registration was answered {said}")
        most = max(most, leader.process.memory_kib() - before)
    check(most < GROWTH_MIB * 1024, f"lists that nobody reads took {most // 1024} MiB")
    for connection in crowd:
        connection.close()
    return status(cluster.wait_for_leader())["ballot_round"] == ballot


def story(world):
    cluster = Cluster(world).start()
    client = Client(world, cluster)
    torrent = client.create(make_file(world.path("wanted.bin"), 200_000), world.path("wanted.torrent"), "--format", "v1", "--name", "wanted.bin")
    client.register(torrent)
    described = client.run("inspect", torrent, "--json").out()
    content = re.search(r"[0-9a-f]{64}-\d+", described).group(0)
    info_hash = re.search(r'"[^"]*v1[^"]*"\s*:\s*"([0-9a-f]{40})"', described).group(1)
    one, two, three = cluster.nodes

    answers = b"".join(flood(node, [announce(info_hash, port) for port in range(at + 1, PORTS, 3)]) for at, node in enumerate((one, two, three)))
    wait_until(lambda: status(one)["claims"] == SHARE, START_SECONDS, "the flood to hold its share")
    answers += flood(two, [announce(info_hash, port) for port in range(PORTS, PORTS + 10)])
    check(b"warning message" in answers and b"your address holds 4096 claims" in answers, "nobody told the flood that its claims give way")
    for node in cluster.nodes:
        wait_until(lambda node=node: status(node)["claims"] == SHARE, START_SECONDS, f"node {node.id} to agree on the share")
        check(any(GREEDY in text for text in alarms(node)), f"node {node.id} does not name the flood: {alarms(node)}")
    wait_until(lambda: f"alarm: {GREEDY} holds" in log_of(cluster), START_SECONDS, "the log to tell of the alarm")
    check(b"bytetorrent_alarms 1" in ask(one, HONEST, "GET", "/metrics")[1], "/metrics does not show the alarm")

    limits = ("cluster", "limits", "--data-dir", one.data)
    shown = client.run(*limits, "--set", f"source_claims_per_content={SHARE + 100}").out()
    check(re.search(rf"source_claims_per_content +{SHARE + 100} ", shown), f"the cluster has not agreed to a larger share: {shown}")
    check(re.search(r"claims +2097152 +4096 ", shown) and "connections_per_address" in shown, f"the limits are not shown: {shown}")
    flood(two, [announce(info_hash, port) for port in range(1, 500)])
    wait_until(lambda: status(three)["claims"] == SHARE + 100, START_SECONDS, "the flood to hold the larger share")

    said = ask(three, HONEST, "GET", announce(info_hash, 7002))
    check(said[0] == 200 and b"warning message" not in said[1], f"an honest announce was answered {said}")
    offer = json.dumps({"peer": f"{HONEST}:7001", "pieces": [[0, 1]]})
    said = ask(one, HONEST, "POST", f"/torrents/{content}/offers", offer)
    check(said[0] == 200, f"an honest offer was answered {said}")

    def listed():
        missing, cursor = {f"{HONEST}:7001", f"{HONEST}:7002"}, "start"
        while cursor is not None:
            page = json.loads(ask(two, HONEST, "GET", f"/torrents/{content}/peers?pieces=0&limit=200&cursor={cursor}")[1])
            missing -= {peer["peer"] for peer in page["peers"]}
            cursor = page.get("cursor")
        return not missing

    wait_until(listed, START_SECONDS, "the honest claims to be listed")
    flood(one, [announce(info_hash, port, "&event=stopped") for port in range(1, PORTS + 10)])
    wait_until(lambda: status(two)["claims"] == 2 and not alarms(two), START_SECONDS, "the tables to recover when the flood leaves")
    check(listed(), "honest claims left with the flood")
    wait_until(lambda: "over: the alarm about" in log_of(cluster), START_SECONDS, "the log to tell that the alarm is over")

    for number in range(NAMES):
        said = ask(one, HONEST, "PUT", "/torrents", small_torrent(b"n" * 180 + b"%d" % number, number + 1))
        check(said[0] == 201, f"a registration was answered {said}")
    # A machine that stalls may cost a leader its place without any lists: not each time.
    check(any(served_beside_the_lists(cluster, attempt) for attempt in range(3)), "lists that nobody reads unseat each leader")


if __name__ == "__main__":
    tell(story, 120)
