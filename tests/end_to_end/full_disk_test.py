#!/usr/bin/env -S python3 -B
"""Data directories on small disks that fill: the lead goes to a node with room; where a majority has none, writes are refused with 503 and
a sentence while lookups and announces are answered; room is made, and writes go on. A disk that is full all the same stops its node, and
nothing acknowledged is gone. The disks are tmpfs, which take a mount namespace of the test's own."""

import errno
import http.client
import os
import re
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
# pylint: disable=wrong-import-position
from processes import check, tell, wait_until
from swarm import START_SECONDS, Client, Cluster, many_names, wait_for_agreement

IN_NAMESPACE = ["unshare", "--mount", "--propagation", "private"]
INSIDE = "BYTETORRENT_TEST_HAS_ITS_MOUNTS"
MIB = 1 << 20
RESERVE, DISK = 128, 200  # MiB


def may_mount():
    try:
        return subprocess.run([*IN_NAMESPACE, "mount", "-t", "tmpfs", "none", "/mnt"], capture_output=True, check=False).returncode == 0
    except FileNotFoundError:
        return False


class SmallDisks(Cluster):
    mounted = []

    def choose_nodes(self):
        super().choose_nodes()
        for node in self.nodes:
            os.makedirs(node.data)
            subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={DISK}m", "none", node.data], check=True)
            self.mounted.append(node.data)

    def unmount(self):
        """So that the world can remove its folder; the nodes keep what they have open."""
        for path in self.mounted:
            subprocess.run(["umount", "--lazy", path], check=False)


def filler(node):
    return os.path.join(node.data, "filler")


def fill(node, leave):
    """Somebody else's file leaves so many MiB. The node writes meanwhile, so room that was there a moment ago may be gone."""
    with open(filler(node), "wb") as file:
        while True:
            room = os.statvfs(node.data)
            try:
                return os.posix_fallocate(file.fileno(), 0, room.f_bavail * room.f_frsize - leave * MIB)
            except OSError as error:
                if error.errno != errno.ENOSPC or room.f_bavail * room.f_frsize <= leave * MIB:
                    raise


def make_room(node):
    os.remove(filler(node))


def alarmed(node):
    return [alarm["name"] for alarm in (node.status() or {"alarms": []})["alarms"]]


def ask(node, method, target, body=None):
    connection = http.client.HTTPConnection("127.0.0.1", node.client_port, timeout=START_SECONDS)
    connection.request(method, target, body)
    answer = connection.getresponse()
    said = answer.read().decode(errors="replace")
    connection.close()
    return answer.status, said, answer.headers


def put(node, torrent):
    with open(torrent, "rb") as file:
        return ask(node, "PUT", "/torrents", file.read())


def the_lead_goes_to_one_with_room(cluster):
    leader = cluster.wait_for_leader()
    fill(leader, 64)
    wait_until(lambda: cluster.leader() not in (None, leader), START_SECONDS, "another node to lead")
    wait_until(lambda: alarmed(leader) == [f"disk_room of node {leader.id}"], START_SECONDS, "an alarm at the node without room")
    leader.process.wait_for_line(f"alarm: the disk of node {leader.id}", START_SECONDS)
    return leader


def a_majority_has_none(cluster, full, torrents, info_hash):
    for node in cluster.nodes:
        if node is not full:
            fill(node, 64)
    for node in cluster.nodes:
        wait_until(lambda node=node: f"disk_room of node {node.id}" in alarmed(node), START_SECONDS, f"an alarm at node {node.id}")
    for node in cluster.nodes:
        status, said, headers = wait_until(lambda node=node: refused(put(node, torrents[1])), START_SECONDS, "a write to be refused")
        check(status == 503 and headers["Retry-After"] == "5", f"{status} {dict(headers)} {said}")
        check("lookups and announces are answered" in said, said)
        check(node.torrents() == ["name-00"], f"node {node.id} lists {node.torrents()}")
        status, said, _ = ask(node, "GET", f"/announce?info_hash={info_hash}&port=7000&left=0")
        check(status == 200 and "failure reason" not in said, f"an announce: {status} {said}")
        check("bytetorrent_disk_low 1" in ask(node, "GET", "/metrics")[1], "/metrics does not show it")
    leader = cluster.wait_for_leader()
    check(re.search(r"bytetorrent_follower_lag_slots{peer=\"\d\"} 0\n", ask(leader, "GET", "/metrics")[1]), "/metrics shows no lag of followers")


def refused(answer):
    return answer if answer[0] == 503 and "reserve" in answer[1] else None


def writes_go_on(cluster, client, torrents):
    for node in cluster.nodes:
        make_room(node)
    wait_until(lambda: not any(alarmed(node) for node in cluster.nodes), START_SECONDS, "the alarms to be over")
    check("name-01" not in cluster.nodes[0].torrents(), "what was refused was done all the same")
    client.register(torrents[1])
    wait_for_agreement(cluster.nodes)
    check(cluster.nodes[0].torrents() == ["name-00", "name-01"], f"listed: {cluster.nodes[0].torrents()}")


def a_disk_is_full_all_the_same(cluster, client, torrents):
    leader = cluster.wait_for_leader()
    node = next(node for node in cluster.nodes if node is not leader)
    fill(node, 0)
    client.register(torrents[2])
    client.register(torrents[3])
    wait_until(lambda: not node.running(), START_SECONDS, "the node on the full disk to stop")
    node.process.wait_for_line("make room on that disk and start the node again", START_SECONDS)
    make_room(node)
    node.start()
    wait_for_agreement(cluster.nodes)
    check(len(node.torrents()) == 4, f"node {node.id} lists {node.torrents()}")


def story(world):
    cluster = SmallDisks(world, serving_flags=("--disk-reserve", RESERVE))
    try:
        cluster.start()
        client = Client(world, cluster)
        torrents = many_names(world, client, 4)
        client.register(torrents[0])
        described = client.run("inspect", torrents[0], "--json").out()
        digits = re.search(r'"[^"]*v1[^"]*"\s*:\s*"([0-9a-f]{40})"', described).group(1)
        info_hash = "".join(f"%{digits[i:i + 2]}" for i in range(0, 40, 2))
        full = the_lead_goes_to_one_with_room(cluster)
        a_majority_has_none(cluster, full, torrents, info_hash)
        writes_go_on(cluster, client, torrents)
        a_disk_is_full_all_the_same(cluster, client, torrents)
    finally:
        cluster.unmount()


if __name__ == "__main__":
    if INSIDE in os.environ:
        tell(story, 240)
    elif not may_mount():
        print("SKIPPED: this user may not make a mount namespace, and so no small disks of the test's own", file=sys.stderr)
    else:
        os.execvpe(IN_NAMESPACE[0], [*IN_NAMESPACE, sys.executable, "-B", *sys.argv], {**os.environ, INSIDE: "1"})
