#!/usr/bin/env -S python3 -B
"""Members of a running cluster change: one whose disk is lost is replaced, the leader is removed, a node is added, the lead is given away, and nothing that a client asks fails meanwhile."""

import json
import os
import shutil
import sys
import threading

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
# pylint: disable=wrong-import-position
from processes import check, tell, wait_until
from swarm import START_SECONDS, Client, Cluster, TrackerNode, get_json, wait_for_agreement


class Registrations(threading.Thread):
    """Registers one name after the other until it is told to stop."""

    def __init__(self, world, cluster):
        super().__init__()
        self.client = Client(world, cluster)
        self.file = world.path("content")
        with open(self.file, "wb") as content:
            content.write(b"some bytes" * 1000)
        self.world = world
        self.stopping = threading.Event()
        self.done = []
        self.failed = []

    def run(self):
        while not self.stopping.is_set():
            number = len(self.done) + len(self.failed)
            name = f"name-{number:04d}"
            torrent = self.client.create(self.file, self.world.path(f"{name}.torrent"), "--name", name)
            process = self.client.run("register", torrent)
            (self.done if process.status == 0 else self.failed).append(name if process.status == 0 else process.err())

    def stop(self):
        self.stopping.set()
        self.join()
        check(not self.failed, f"registrations failed: {self.failed[:3]}")
        return self.done


def cluster_command(client, node, *arguments):
    return client.run("cluster", *arguments, "--data-dir", node.data, seconds=120)


def members(client, node):
    """{id: kind} as the node tells."""
    process = cluster_command(client, node, "status", "--json")
    check(process.status == 0, lambda: f"cluster status failed: {process.err()}")
    return {member["id"]: member["kind"] for member in json.loads(process.out())["members"]}


def join(world, cluster, number):
    node = TrackerNode(cluster, number, world.free_port(), world.free_port())
    secret = cluster.secret()
    cluster.nodes.append(node)
    node.init(secret, "--join")
    node.start()
    return node


def must(process, what):
    check(process.status == 0, lambda: f"{what}: status {process.status}, {process.err()}")


def story(world):
    cluster = Cluster(world).start()
    client = Client(world, cluster)
    registrations = Registrations(world, cluster)
    registrations.start()
    try:
        change_members(world, cluster, client)
    finally:
        registrations.stopping.set()
        registrations.join()
    names = set(registrations.stop())
    check(len(names) > 5, f"only {len(names)} names were registered meanwhile")
    wait_for_agreement(cluster.alive())
    for node in cluster.alive():
        missing = names - set(node.torrents())
        check(not missing, f"node {node.id} lacks {sorted(missing)[:5]}, which were acknowledged")
    for node in cluster.alive():
        node.kill()
    cluster.restart_all()
    check(members(client, cluster.nodes[0]) == members(client, cluster.nodes[-1]), "nodes began again with other members")


def change_members(world, cluster, client):
    one, _, three = cluster.nodes
    three.kill()
    shutil.rmtree(three.data)
    four = join(world, cluster, 4)
    must(cluster_command(client, one, "replace", "3", four.node_flag), "replace")
    check(members(client, one) == {1: "voter", 2: "voter", 4: "voter"}, f"members are {members(client, one)}")
    must(cluster_command(client, one, "replace", "3", four.node_flag), "the same order again")
    cluster.nodes.remove(three)
    wait_until(
        lambda: {node["id"] for node in (get_json(one.url + "/status") or {}).get("nodes", [])} == {1, 2, 4},
        START_SECONDS,
        "clients to be told of node 4",
    )

    refused = cluster_command(client, one, "add", three.node_flag)
    check(refused.status == 1 and "no id is used twice" in refused.err(), lambda: f"id 3 came back: {refused.err()}")

    five = join(world, cluster, 5)
    must(cluster_command(client, one, "add", five.node_flag), "add")
    check(set(members(client, one)) == {1, 2, 4, 5}, f"members are {members(client, one)}")

    leader = cluster.wait_for_leader()
    must(cluster_command(client, five, "remove", str(leader.id)), "remove the leader")
    check(leader.id not in members(client, five), "the leader is a member still")
    leader.kill()
    cluster.nodes.remove(leader)

    leader = cluster.wait_for_leader()
    heir = next(node for node in cluster.nodes if node is not leader)
    must(cluster_command(client, heir, "transfer", str(heir.id)), "transfer")
    wait_until(lambda: cluster.leader() is heir, START_SECONDS, "the heir to lead")

    heir.process.stop()
    cluster.wait_for_leader()
    heir.start()


if __name__ == "__main__":
    tell(story, 300)
