#!/usr/bin/env -S python3 -B
"""Every unusable file, flag, torrent, address, port, directory and tracker gets one clear line and its exit status, and nothing is left half-written."""

import os
import re
import shutil
import socket
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
# pylint: disable=wrong-import-position
from files import make_file, sha256
from processes import check, tell
from swarm import Client, Cluster

FAILED, WRONG_USAGE, NOT_FOUND, BOUND_TO_OTHER, NO_TRACKER = 1, 2, 3, 5, 6


class Desk:
    """Runs one command per case and remembers every complaint, so that one run shows them all."""

    def __init__(self, world):
        self.world = world
        self.complaints = []
        self.cases = 0

    def refuses(self, what, status, mention, command, seconds=30, **options):
        self.cases += 1
        process = self.world.run(f"case-{self.cases}", command, seconds, **options)
        # Progress may come before it; the refusal itself is one line, says which program speaks, and is the last.
        said = [re.sub(r"^\S+Z error ", "", line) for line in process.err().splitlines()]  # a node's lines have time and level
        lines = [line for line in said if line.startswith("bytetorrent")]
        last = said[-1] if said else ""
        if process.status != status:
            self.complaints.append(f"{what}: exit status {process.status}, wanted {status}: {lines[-3:]}")
        elif not lines:
            self.complaints.append(f"{what}: no word of its own on stderr: {process.err()}")
        elif len(lines) > 1 or lines[0] != last:
            self.complaints.append(f"{what}: {len(lines)} lines instead of one: {lines}")
        elif mention.lower() not in last.lower():
            self.complaints.append(f"{what}: does not mention {mention!r}: {lines}")

    def finish(self):
        for complaint in self.complaints:
            print(f"  {complaint}", file=sys.stderr)
        check(not self.complaints, f"{len(self.complaints)} of {self.cases} refusals are not as they should be (above)")
        print(f"{self.cases} refusals")


def client_usage(desk, program):
    desk.refuses("no command", WRONG_USAGE, "", [program])
    desk.refuses("unknown command", WRONG_USAGE, "frobnicate", [program, "frobnicate"])
    desk.refuses("unknown flag", WRONG_USAGE, "--frobnicate", [program, "create", "x", "--frobnicate"])
    for verb in ("create", "register", "offer", "download", "inspect"):
        desk.refuses(f"{verb} of nothing", WRONG_USAGE, "", [program, verb])


def creating(desk, world, program, data):
    out = world.path("made.torrent")
    create = [program, "create"]
    desk.refuses("create: missing file", FAILED, "absent.bin", create + [world.path("absent.bin"), "-o", out])
    desk.refuses("create: a directory", FAILED, world.folder, create + [world.folder, "-o", out])
    desk.refuses("create: an empty file", FAILED, "empty", create + [make_file(world.path("empty.bin"), 0), "-o", out])
    desk.refuses("create: name with a slash", WRONG_USAGE, "name", create + [data, "--name", "a/b", "-o", out])
    desk.refuses("create: name ..", WRONG_USAGE, "name", create + [data, "--name", "..", "-o", out])
    desk.refuses("create: odd piece length", WRONG_USAGE, "piece", create + [data, "--piece-length", "1000", "-o", out])
    desk.refuses("create: unknown format", WRONG_USAGE, "v7", create + [data, "--format", "v7", "-o", out])
    desk.refuses("create: bad tracker", WRONG_USAGE, "tracker", create + [data, "--tracker", "not a url", "-o", out])
    nowhere = world.path("no-such-folder", "x.torrent")
    desk.refuses("create: no folder for the result", FAILED, "no-such-folder", create + [data, "-o", nowhere])
    check(not os.path.exists(out), "a refused create left a torrent behind")


def reading_torrents(desk, world, program, torrent, data):
    with open(torrent, "rb") as file:
        good = file.read()
    bad = {
        "garbage": os.urandom(5000),
        "truncated": good[: len(good) // 2],
        "one flipped bit": good.replace(b"12:piece lengthi", b"12:piece lengthj", 1),
        "nothing": b"",
        "nested too deep": b"d4:info" + b"l" * 100000,
        "huge number": b"d4:infod6:lengthi99999999999999999999999999eee",
    }
    for what, content in bad.items():
        path = world.path("bad.torrent")
        with open(path, "wb") as file:
            file.write(content)
        for command in (["inspect", path], ["register", path], ["offer", data, path], ["download", path, "-o", world.path("got")]):
            desk.refuses(f"{command[0]}: torrent with {what}", FAILED, "bad.torrent", [program, *command])
    desk.refuses("inspect: missing torrent", FAILED, "absent.torrent", [program, "inspect", world.path("absent.torrent")])
    check(not os.path.exists(world.path("got")) and not os.path.exists(world.path("got.part")), "a refused download left files")


def offering(desk, world, client, torrent, data):
    program = world.binaries.client
    listen = ["--listen", "127.0.0.1:0"]
    desk.refuses("offer: missing file", FAILED, "absent.bin", [program, "offer", world.path("absent.bin"), torrent, *listen])
    other = make_file(world.path("other.bin"), os.path.getsize(data), seed=7)
    desk.refuses("offer: other bytes of the same size", FAILED, os.path.basename(other), [program, "offer", other, torrent, *listen])
    short = make_file(world.path("short.bin"), 1000)
    desk.refuses("offer: wrong size", FAILED, "short.bin", [program, "offer", short, torrent, *listen])
    desk.refuses("offer: bad address", WRONG_USAGE, "listen", [program, "offer", data, torrent, "--listen", "nonsense"])
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        desk.refuses("offer: port in use", FAILED, address, [program, "offer", data, torrent, "--listen", address])
    stranger = make_file(world.path("stranger.bin"), 50000, seed=8)
    unregistered = client.create(stranger, world.path("stranger.torrent"))
    desk.refuses("offer: not registered", NOT_FOUND, "regist", [program, "offer", stranger, unregistered, *listen])
    taken_name = client.create(stranger, world.path("taken.torrent"), "--name", os.path.basename(data))
    desk.refuses("register: name taken", BOUND_TO_OTHER, os.path.basename(data), [program, "register", taken_name])


def downloading(desk, world, client, torrent, data):
    program = world.binaries.client
    trackers = client.cluster.tracker_flags()
    target = world.path("target.bin")
    desk.refuses("download: unknown name", NOT_FOUND, "nobody", [program, "download", "nobody.bin", *trackers, "-o", target])
    nowhere = world.path("no-such-folder", "x.bin")
    desk.refuses("download: no folder for the result", FAILED, "no-such-folder", [program, "download", torrent, "-o", nowhere])
    below_file = os.path.join(data, "x.bin")
    desk.refuses("download: result below a file", FAILED, "x.bin", [program, "download", torrent, "-o", below_file])

    desk.refuses(
        "download: no room on the disk", FAILED, "target.bin", [program, "download", torrent, "-o", target], file_size_limit=100_000
    )
    check(not os.path.exists(target), "a refused download left its result")

    existing = make_file(world.path("existing.bin"), 4000, seed=11)
    before = sha256(existing)
    desk.refuses("download: over another file", FAILED, "existing.bin", [program, "download", torrent, "-o", existing])
    check(sha256(existing) == before, "a refused download changed the file that was there")


def unreachable_trackers(desk, world, data):
    program = world.binaries.client
    url = f"http://127.0.0.1:{world.free_port()}"
    torrent = world.path("lonely.torrent")
    made = world.run("lonely-create", [program, "create", data, "--tracker", url, "-o", torrent])
    check(made.status == 0, f"create failed: {made.err()}")
    desk.refuses("register: unreachable tracker", NO_TRACKER, url[7:], [program, "register", torrent], seconds=60)
    desk.refuses("status: unreachable tracker", NO_TRACKER, "no tracker answers", [program, "status", "--tracker", url], seconds=60)
    desk.refuses("download by name: unreachable", NO_TRACKER, url[7:], [program, "download", "x.bin", "--tracker", url, "-o", world.path("y")], seconds=60)


def trackers(desk, world, cluster):
    program = world.binaries.tracker
    desk.refuses("tracker: unknown flag", WRONG_USAGE, "--frobnicate", [program, "--frobnicate"])
    desk.refuses("tracker: bad node", WRONG_USAGE, "node", [program, "--id", "1", "--node", "nonsense"])

    def node(number, replica=None, client=None):
        return f"{number}=127.0.0.1:{replica or world.free_port()}/127.0.0.1:{client or world.free_port()}"

    fresh = world.path("fresh")
    desk.refuses("tracker: id that is no node", WRONG_USAGE, "7", [program, "--id", "7", "--node", node(1), "--data-dir", fresh])
    desk.refuses("tracker: a node twice", WRONG_USAGE, "1", [program, "--id", "1", "--node", node(1), "--node", node(1), "--data-dir", fresh])
    plain = make_file(world.path("plain-file"), 10)
    desk.refuses("tracker: data directory is a file", FAILED, "plain-file", [program, "--id", "1", "--node", node(1), "--data-dir", plain])
    member = cluster.nodes[0]
    crowded = ["--id", "1", "--node", node(1, client=member.client_port), "--data-dir", world.path("fresh-2")]
    check(world.run("init-fresh-2", [program, "init", *crowded]).status == 0, "a cluster of one was not initialised")
    desk.refuses("tracker: port in use", FAILED, str(member.client_port), [program, *crowded])
    # The same members, so that only the lock can be the reason; for itself another client port than the one in use.
    same = []
    for each in cluster.nodes:
        same += ["--node", node(each.id, each.replica_port, None if each is member else each.client_port)]
    desk.refuses("tracker: data directory in use", FAILED, member.data, [program, "--id", member.id, *same, "--data-dir", member.data])
    last = cluster.nodes[-1]
    last.kill()
    others = [each.node_flag for each in cluster.nodes]
    flags = [part for flag in others for part in ("--node", flag)]
    # Its own ports are free now, so only the data directory can be the reason.
    foreign = [program, "--id", last.id, *flags, "--data-dir", world.path("copied")]
    shutil.copytree(cluster.nodes[1].data, world.path("copied"), ignore=shutil.ignore_patterns("admin.sock"))
    desk.refuses("tracker: data directory of another node", FAILED, "copied", foreign)
    last.start()


def story(world):
    desk = Desk(world)
    program = world.binaries.client
    cluster = Cluster(world).start()
    client = Client(world, cluster)
    data = make_file(world.path("data.bin"), 3_000_000)
    torrent = client.create(data, world.path("data.torrent"))
    client.register(torrent)
    client_usage(desk, program)
    creating(desk, world, program, data)
    reading_torrents(desk, world, program, torrent, data)
    offering(desk, world, client, torrent, data)
    downloading(desk, world, client, torrent, data)
    unreachable_trackers(desk, world, data)
    trackers(desk, world, cluster)
    desk.finish()
    cluster.wait_for_leader()


if __name__ == "__main__":
    tell(story, 400)
