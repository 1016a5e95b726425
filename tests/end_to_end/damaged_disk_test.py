#!/usr/bin/env -S python3 -B
"""A damaged disk is repaired from the peers: a flipped byte, a lost last segment, a lost first segment, a lost directory. The node says what it found, keeps the damaged files aside, comes back as another member, and nothing acknowledged is gone."""

import glob
import os
import shutil
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
# pylint: disable=wrong-import-position
from processes import check, tell, wait_until
from swarm import START_SECONDS, Client, Cluster, get_json, many_names, wait_for_agreement

HEADER = 48


def segments(folder):
    return sorted(glob.glob(os.path.join(folder, "journal-*.wal")))


def flip_a_byte(folder):
    with open(segments(folder)[0], "r+b") as segment:
        segment.seek(HEADER + 40)
        byte = segment.read(1)
        segment.seek(HEADER + 40)
        segment.write(bytes([byte[0] ^ 1]))


def lose_the_last(folder):
    check(len(segments(folder)) > 1, f"one segment alone: {segments(folder)}")
    os.remove(segments(folder)[-1])


def lose_the_first(folder):
    check(len(segments(folder)) > 1, f"one segment alone: {segments(folder)}")
    os.remove(segments(folder)[0])


class Story:
    def __init__(self, world):
        self.cluster = Cluster(world).start()
        self.client = Client(world, self.cluster)
        # Hashes of 3.4 MB each: twenty of them fill a segment.
        self.torrents = many_names(world, self.client, 45)
        self.names = 0
        # Which id each node has now.
        self.ids = {node: node.id for node in self.cluster.nodes}
        self.highest = max(self.ids.values())

    def register(self, count):
        for torrent in self.torrents[self.names : self.names + count]:
            self.client.register(torrent)
        self.names += count

    def status(self, node):
        return get_json(node.url + "/status")

    def whole_again(self, what):
        """All nodes run, agree, vote under their present ids, and have every name."""
        expected = set(self.ids.values())
        for node in self.cluster.nodes:
            wait_until(
                lambda node=node: {entry["id"] for entry in (self.status(node) or {}).get("nodes", [])} == expected,
                START_SECONDS * 2,
                lambda node=node: f"{what}: node {node.id} to know the members {expected}; it says {self.status(node)}",
            )
        wait_for_agreement(self.cluster.nodes)
        for node in self.cluster.nodes:
            check(len(node.torrents()) == self.names, f"{what}: node {node.id} has {len(node.torrents())} of {self.names} names")

    def repaired(self, node, what):
        """The node has said what it found and did, and has another id now."""
        self.highest += 1
        lost, self.ids[node] = self.ids[node], self.highest
        node.process.wait_for_line(f"gives up its journal: .*{what}", START_SECONDS)
        node.process.wait_for_line("set what is left of it aside in .*damaged", START_SECONDS)
        node.process.wait_for_line(f"is let in as node {self.highest}, in place of node {lost}", START_SECONDS)
        self.whole_again(what)

    def damage(self, node, damage, what):
        node.kill()
        before = [os.path.basename(path) for path in segments(node.data)]
        damage(node.data)
        left = len(segments(node.data))
        node.start()
        self.repaired(node, what)
        aside = [os.path.basename(path) for path in segments(os.path.join(node.data, "damaged"))]
        check(len(aside) == left and set(aside) <= set(before), f"set aside are {aside} of {before}")


def story(world):
    told = Story(world)
    one, two, three = told.cluster.nodes
    told.register(4)
    told.damage(three, flip_a_byte, "is corrupt at byte")
    # A change of members is in force some slots after its own: until then those who were members before decide, of whom one
    # is gone already. What is acknowledged now stands behind those slots.
    told.register(1)

    # Whoever is whole alone is no majority: the damaged one waits, and says so.
    two.kill()
    one.kill()
    flip_a_byte(two.data)
    two.start()
    two.process.wait_for_line("waits to be let in anew, in place of node 2: no ", START_SECONDS)
    check((told.status(three) or {}).get("has_quorum") is not True, "two of three are damaged or down, and there is a quorum")
    one.start()
    told.repaired(two, "is corrupt at byte")

    told.register(20)
    told.damage(one, lose_the_last, "is sealed, and the one behind it")
    told.register(20)
    node = next(node for node in (two, three) if len(segments(node.data)) > 1)
    told.damage(node, lose_the_first, "the first segment is gone")

    # A lost disk: one command, the flags of always, and no order of the operator's.
    three.kill()
    shutil.rmtree(three.data)
    three.init(told.cluster.secret(), "--join")
    three.start()
    told.highest += 1
    told.ids[three] = told.highest
    three.process.wait_for_line(f"is let in as node {told.highest}", START_SECONDS)
    told.whole_again("a lost directory")

    for each in told.cluster.nodes:
        each.kill()
    told.cluster.restart_all()
    told.whole_again("a start of all")


if __name__ == "__main__":
    tell(story, 300)
