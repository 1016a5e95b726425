#!/usr/bin/env -S python3 -B
"""Some files of a directory are downloaded: what is asked for and nothing else gets its name, another selection later keeps what is
there and fetches the difference, what was there before is left alone, and trackers are never told that all of it is there."""

import json
import os
import signal
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
# pylint: disable=wrong-import-position
from files import make_file, same_bytes
from processes import check, tell, wait_until
from swarm import Client, Cluster, wait_for_offers

LARGE = 60 * 1000 * 1000
SMALL = {"photos/summer/1.jpg": 300_000, "photos/summer/2.jpg": 70_001, "photos/winter/3.jpg": 16_384, "notes.txt": 900, "empty": 0}


def make_tree(root):
    for number, (place, size) in enumerate({**SMALL, "large-1.bin": LARGE, "large-2.bin": LARGE}.items()):
        path = os.path.join(root, place)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        make_file(path, size, number + 1)
    return root


def files_of(root):
    return sorted(os.path.relpath(os.path.join(folder, name), root) for folder, _, names in os.walk(root) for name in names)


def check_holds(tree, directory, names):
    check(files_of(directory) == sorted(names), f"{directory} holds {files_of(directory)} instead of {sorted(names)}")
    for name in names:
        check(same_bytes(os.path.join(tree, name), os.path.join(directory, name)), f"{name} differs")


def check_nothing_beside(path):
    left = [name for name in os.listdir(os.path.dirname(path)) if name.startswith(os.path.basename(path) + ".")]
    check(not left, f"a finished selection leaves {left}")


def events(process):
    return {event["event"]: event for event in map(json.loads, process.out().splitlines())}


def story(world):
    cluster = Cluster(world, 1).start()
    client = Client(world, cluster)
    tree = make_tree(world.path("set"))
    torrent = client.create(tree, world.path("set.torrent"))
    client.register(torrent)
    offer = client.start_offer(tree, torrent)
    wait_for_offers([offer])

    listed = client.run("inspect", torrent)
    check(all(f"file: {name} " in listed.out() for name in SMALL), f"inspect does not list the files: {listed.out()}")
    by_pattern(world, client, torrent, tree)
    added_to(world, client, torrent, tree)
    interrupted_and_selected_anew(world, client, offer, torrent, tree)
    refused(world, client, torrent)
    goes_on_offering(world, cluster, client, offer, torrent)


def by_pattern(world, client, torrent, tree):
    result = world.path("by-pattern")
    fetched = client.download(torrent, result, "--select", "photos/**/*.jpg", "--select", "empty", "--json")
    check(fetched.status == 0, f"a selection was not fetched: {fetched.err()}")
    names = [name for name in SMALL if name.endswith(".jpg") or name == "empty"]
    check_holds(tree, result, names)
    check_nothing_beside(result)
    told = events(fetched)
    selected = sum(SMALL[name] for name in names)
    check(told["torrent"]["files_selected"] == 4 and told["torrent"]["files"] == 7, f"the files are miscounted: {told['torrent']}")
    check(told["torrent"]["bytes_selected"] == selected, f"the bytes are miscounted: {told['torrent']}")
    check(told["complete"]["length"] == selected == told["complete"]["fetched"], f"not what was selected: {told['complete']}")
    # By its name alone, and a directory for a pattern.
    by_name = world.path("by-name")
    fetched = client.download("set", by_name, "--select", "photos/winter", *client.cluster.tracker_flags())
    check(fetched.status == 0 and "1 of 7 files" in fetched.err(), f"a selection by name: {fetched.err()}")
    check_holds(tree, by_name, ["photos/winter/3.jpg"])


def added_to(world, client, torrent, tree):
    """The directory of an earlier selection is added to; what lies in it and was not asked for is its owner's."""
    result = world.path("by-pattern")
    again = client.download(torrent, result, "--select", "photos/summer")
    check(again.status == 0 and "there already" in again.out(), f"what is there is fetched again: {again.out()}{again.err()}")
    with open(os.path.join(result, "large-1.bin"), "wb") as file:
        file.write(b"of the owner")
    more = client.download(torrent, result, "--select", "notes.txt", "--select", "photos", "--json")
    check(more.status == 0, f"a second selection: {more.err()}")
    check(events(more)["complete"]["fetched"] == SMALL["notes.txt"], f"more than the difference was fetched: {more.out()}")
    os.remove(os.path.join(result, "large-1.bin"))
    check_holds(tree, result, list(SMALL))
    check_nothing_beside(result)


def interrupted_and_selected_anew(world, client, offer, torrent, tree):
    result = world.path("interrupted")
    first = client.begin_download(offer, torrent, result, "--select", "large-1.bin", "--select", "large-2.bin", "--select", "notes.txt")
    check(first.stop() == 130, f"Ctrl-C must end a download with 130: {first.status}")
    check(not os.path.exists(result), "something of an unfinished selection has its final name")
    check(files_of(result + ".part") == ["large-1.bin", "large-2.bin", "notes.txt"], f"made: {files_of(result + '.part')}")
    offer.process.signal(signal.SIGCONT)
    # One of them is enough now. What is there of the other waits.
    second = client.download(torrent, result, "--select", "large-1.bin", "--json")
    check(second.status == 0, f"the narrower selection failed: {second.err()}")
    check_holds(tree, result, ["large-1.bin"])
    check(os.path.exists(result + ".part/large-2.bin"), "what an earlier selection has fetched is gone")
    check(not os.path.exists(result + ".part/large-1.bin"), "a finished file is also unfinished")
    third = client.download(torrent, result, "--select", "large-2.bin", "--select", "notes.txt", "--json")
    check(third.status == 0, f"the last selection failed: {third.err()}")
    check_holds(tree, result, ["large-1.bin", "large-2.bin", "notes.txt"])
    check_nothing_beside(result)
    fetched = [events(process)["complete"]["fetched"] for process in (second, third)]
    check(sum(fetched) < 2 * LARGE - 5_000_000, f"what was there has been fetched again: {fetched}")
    check(events(third)["checked"]["verified"] > 0, f"the state was not believed: {third.out()}")


def refused(world, client, torrent):
    ended = client.download(torrent, world.path("none"), "--select", "photos/sumer/1.jpg")
    check(ended.status == 1 and "near it: photos/summer/1.jpg" in ended.err(), f"a mistyped path: {ended.status} {ended.err()}")
    check(not os.path.exists(world.path("none")) and not os.path.exists(world.path("none.part")), "a refused selection left something")
    # A file of that name with other bytes is nobody's to overwrite.
    taken = world.path("taken")
    os.makedirs(os.path.join(taken, "set"))
    for name, told in (("notes.txt", "the file that is there already is not it"), ("photos", "set/photos")):
        with open(os.path.join(taken, "set", name), "wb") as file:
            file.write(b"x" * SMALL["notes.txt"])
        ended = client.download(torrent, taken, "--select", "notes.txt" if name == "notes.txt" else "photos/winter")
        check(ended.status == 1 and told in ended.err(), f"another file of the name: {ended.status} {ended.err()}")
    check(files_of(taken) == ["set/notes.txt", "set/photos"], f"something was made: {files_of(taken)}")
    single = client.create(make_file(world.path("single"), 5), world.path("single.torrent"))
    ended = client.download(single, world.path("copy"), "--select", "*")
    check(ended.status == 1 and "single file" in ended.err(), f"a selection of a single file: {ended.err()}")


def goes_on_offering(world, cluster, client, offer, torrent):
    """It is listed as a peer that has some of it, and serves that when the seeder is gone."""
    result = world.path("kept")
    kept = client.start("download", torrent, "-o", result, "--select", "photos", "--keep-offering", "--listen", "127.0.0.1:0")
    node = cluster.nodes[0]
    wait_until(lambda: "downloaded" in kept.out(), 60, lambda: f"the selection to be there: {kept.err()}")
    wait_until(lambda: len(node.peers("set") or {}) == 2, 30, "both claims")
    check(sorted(node.peers("set").values()) == [False, True], f"who has some files is taken for a seeder: {node.peers('set')}")
    check(offer.process.stop() == 0, "the offering client must end well")
    other = client.download(torrent, world.path("other"), "--select", "photos/summer")
    check(other.status == 0, f"a selection was not fetched from another: {other.err()}")
    check(kept.stop() == 0, f"a selection that is offered must end well: {kept.status}")
    # Once more, from what is there.
    kept = client.start("download", torrent, "-o", result, "--select", "photos", "--keep-offering", "--listen", "127.0.0.1:0")
    wait_until(lambda: "there already" in kept.out() and node.peers("set"), 30, lambda: f"its claim: {kept.err()}")
    check(kept.stop() == 0, f"a selection that is offered again must end well: {kept.status} {kept.err()}")


if __name__ == "__main__":
    tell(story, 300)
