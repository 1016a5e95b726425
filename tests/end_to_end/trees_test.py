#!/usr/bin/env -S python3 -B
"""A directory is shared like a file: created, registered, offered, fetched by name while the leader is killed, killed and
resumed, and found to be there already. What cannot be shared, or would be written elsewhere, is refused by its name."""

import os
import signal
import stat
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
# pylint: disable=wrong-import-position
from files import make_file, same_bytes
from processes import check, tell
from swarm import Client, Cluster, wait_for_offers

MANY = 300
LARGE = 120 * 1000 * 1000
LONG = "n" * 253 + "é"  # 255 bytes as UTF-8


def make_tree(root):
    for place, size in (("large.bin", LARGE), ("a/b/c/deep.bin", 70_001), ("a/one-piece.bin", 262_144), ("empty", 0), (f"a/{LONG}", 9)):
        path = os.path.join(root, place)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        make_file(path, size) if size else open(path, "wb").close()  # pylint: disable=expression-not-assigned,consider-using-with
    os.makedirs(os.path.join(root, "many"))
    for number in range(MANY):
        with open(os.path.join(root, "many", f"{number}.txt"), "w", encoding="ascii") as file:
            file.write(f"file {number}\n" * (number % 7))
    os.chmod(os.path.join(root, "a/one-piece.bin"), 0o755)
    return root


def files_of(root):
    return sorted(os.path.relpath(os.path.join(folder, name), root) for folder, _, names in os.walk(root) for name in names)


def check_same(one, other):
    check(files_of(one) == files_of(other), f"{other} holds other files than {one}")
    for name in files_of(one):
        check(same_bytes(os.path.join(one, name), os.path.join(other, name)), f"{name} differs")
        modes = [os.stat(os.path.join(root, name)).st_mode & stat.S_IXUSR for root in (one, other)]
        check(modes[0] == modes[1], f"{name} is executable in one of them alone")


def story(world):
    cluster = Cluster(world, 3).start()
    client = Client(world, cluster)
    tree = make_tree(world.path("set"))
    torrent = client.create(tree, world.path("set.torrent"))
    client.register(torrent)
    offer = client.start_offer(tree, torrent)
    wait_for_offers([offer])

    cluster.leader().kill()
    by_name = world.path("by-name")
    fetched = client.download("set", by_name, *cluster.tracker_flags())
    check(fetched.status == 0, f"a tree was not fetched by its name: {fetched.err()}")
    check_same(tree, by_name)
    again = client.download(torrent, by_name)
    check(again.status == 0 and "there already" in again.out() + again.err(), f"what is there is fetched again: {again.err()}")

    killed_and_resumed(world, client, offer, torrent, tree)
    refused(world, client, torrent, tree)
    check(offer.process.stop() == 0, "the offering client must end well")


def killed_and_resumed(world, client, offer, torrent, tree):
    result = world.path("result")
    first = client.begin_download(offer, torrent, result)
    check(first.stop() == 130, f"Ctrl-C must end a download with 130: {first.status}")
    check(not os.path.exists(result), "an unfinished tree is under its final name")
    # What changes meanwhile is found before the directory gets its name.
    with open(os.path.join(result + ".part", "a/one-piece.bin"), "r+b") as file:
        file.write(b"changed!")
    check(os.path.exists(result + ".part.state"), "an interrupted tree keeps no state")
    offer.process.signal(signal.SIGCONT)
    second = client.download(torrent, result)
    check(second.status == 0, f"the resumed download failed: {second.err()}")
    check_same(tree, result)
    left = [name for name in os.listdir(world.folder) if name.startswith("result.")]
    check(not left, f"a finished download leaves {left}")


def refused(world, client, torrent, tree):
    # A directory of that name is no place for it, and is left as it was.
    taken = world.path("taken")
    os.makedirs(os.path.join(taken, "set"))
    make_file(os.path.join(taken, "set", "mine"), 5)
    ended = client.download(torrent, taken)
    check(ended.status == 1 and "exists already" in ended.err(), f"a foreign directory: {ended.status} {ended.err()}")
    check(files_of(taken) == ["set/mine"], "a foreign directory was changed")
    # A link in the part directory leads nowhere.
    outside = world.path("outside")
    os.makedirs(outside)
    os.makedirs(world.path("linked.part"))
    os.symlink(outside, world.path("linked.part/many"))
    ended = client.download(torrent, world.path("linked"))
    check(ended.status == 1 and "linked.part/many" in ended.err(), f"a link in the way: {ended.status} {ended.err()}")
    check(not os.listdir(outside), "a download wrote outside of its directory")
    # What cannot be shared.
    os.symlink("large.bin", os.path.join(tree, "link"))
    ended = client.run("create", tree, "-o", world.path("refused.torrent"))
    check(ended.status == 1 and "set/link: it is a symbolic link" in ended.err(), f"a link in a tree: {ended.err()}")
    os.makedirs(world.path("nothing/below"))
    ended = client.run("create", world.path("nothing"), "-o", world.path("refused.torrent"))
    check(ended.status == 1 and "holds no file" in ended.err(), f"a tree of nothing: {ended.err()}")
    ended = client.run("create", taken, "-o", world.path("taken/inside.torrent"))
    check(ended.status == 1 and "in the directory that is shared" in ended.err(), f"a torrent within: {ended.err()}")
    check(not os.path.exists(world.path("refused.torrent")), "a refused torrent was written")


if __name__ == "__main__":
    tell(story, 300)
