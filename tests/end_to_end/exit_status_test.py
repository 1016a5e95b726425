#!/usr/bin/env -S python3 -B
"""Each exit status of the table, by a command that ends with it: scripts rely on them. Also --version and --help, which
name the program's version and the table."""

import os
import re
import signal
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
# pylint: disable=wrong-import-position
from files import make_file, same_bytes
from processes import check, tell, wait_until
from swarm import Client, Cluster, wait_for_offers

DONE, FAILED, WRONG_USAGE, NOT_FOUND, NOBODY_HAS_IT, BOUND_TO_OTHER, NO_TRACKER = range(7)
INTERRUPTED, TERMINATED = 130, 143


def expect(process, status, *mention):
    check(process.status == status, lambda: f"{process.command}: exit status {process.status}, wanted {status}: {process.err()}")
    for part in mention:
        words = process.out() + process.err()
        check(part in words, lambda: f"{process.command}: does not say {part!r}: {words}")


def interrupted(process, number, status):
    """A download that waits for its peers, ended by a signal."""
    process.wait_for_line(r"no peer offers", 60)
    process.signal(number)
    check(process.wait(30) == status, lambda: f"{process.name}: exit status {process.status}, wanted {status}")


def registered_and_offered(world, client, data, torrent):
    expect(client.run("register", torrent), DONE, "registered")
    expect(client.run("register", torrent), DONE, "it was already")
    lonely = ["download", torrent, "-o", world.path("lonely.bin"), "--listen", "127.0.0.1:0"]
    expect(client.run(*lonely, "--timeout", 1), NOBODY_HAS_IT, "nobody has it")
    interrupted(client.start(*lonely), signal.SIGINT, INTERRUPTED)
    interrupted(client.start(*lonely), signal.SIGTERM, TERMINATED)

    offer = client.start_offer(data, torrent)
    wait_for_offers([offer])
    copy = world.path("copy.bin")
    expect(client.download(torrent, copy, "--timeout", 30), DONE, "downloaded")
    check(same_bytes(data, copy), "the downloaded file differs")
    for what, flags in ((torrent, []), ("data.bin", client.cluster.tracker_flags())):
        expect(client.download(what, copy, *flags), DONE, "there already and right")
    keeps = client.start("download", torrent, "-o", copy, "--keep-offering", "--listen", "127.0.0.1:0")
    keeps.wait_for_line(r"^offering ", 60)
    check(keeps.stop() == DONE, "what keeps offering does not end with 0 when it is stopped")
    other = make_file(world.path("other.bin"), os.path.getsize(data), seed=5)
    expect(client.download(torrent, other), FAILED, "other.bin")
    check(offer.process.stop() == DONE, "an offer that is stopped in order does not end with 0")


def refused(world, client, data):
    # These try for a while; meanwhile the others.
    nobody = f"http://127.0.0.1:{world.free_port()}"
    lonely = world.path("nowhere.torrent")
    expect(client.run("create", data, "--tracker", nobody, "-o", lonely), DONE)
    patient = [
        client.start("download", lonely, "-o", world.path("nowhere"), "--timeout", 1),
        client.start("register", lonely),
        client.start("status", "--tracker", nobody),
    ]

    stranger = client.create(make_file(world.path("stranger.bin"), 1000, seed=2), world.path("stranger.torrent"))
    expect(client.run("offer", world.path("stranger.bin"), stranger), NOT_FOUND, "register it first")
    expect(client.download(stranger, world.path("never")), NOT_FOUND)
    expect(client.download("nobody.bin", world.path("never"), *client.cluster.tracker_flags()), NOT_FOUND)
    same_name = client.create(world.path("stranger.bin"), world.path("taken.torrent"), "--name", "data.bin")
    expect(client.run("register", same_name), BOUND_TO_OTHER, "--name")
    expect(client.run("create", world.path("absent.bin")), FAILED)
    expect(client.run("download", "data.bin", "--timeout", "soon"), WRONG_USAGE)
    expect(client.run("status", "--tracker", "nonsense"), WRONG_USAGE)
    waits = client.start("register", lonely)
    wait_until(lambda: b"epoll" in _waits_in(waits), 20, "register to wait for its tracker")
    waits.signal(signal.SIGINT)
    check(waits.wait(20) == INTERRUPTED, lambda: f"register: exit status {waits.status}: {waits.err()}")
    for process in patient:
        process.wait(60)
        expect(process, NO_TRACKER, nobody)


def _waits_in(process):
    """The kernel function a process sleeps in."""
    try:
        with open(f"/proc/{process.pid}/wchan", "rb") as file:
            return file.read()
    except OSError:
        return b""


def words_about_itself(world):
    versions = set()
    for program in (world.binaries.client, world.binaries.tracker):
        said = world.run("version", [program, "--version"])
        expect(said, DONE)
        match = re.fullmatch(r"(\S+) (\d+\.\d+\.\d+)(?: \(format levels \d+ to \d+\))?\n", said.out())
        check(match and match.group(1) == os.path.basename(program), f"--version says {said.out()!r}")
        versions.add(match.group(2))
    check(len(versions) == 1, f"the programs have different versions: {versions}")
    text = world.run("help", [world.binaries.client, "--help"])
    expect(text, DONE, "0 done", "3 no such torrent", "4 nobody has it", "5 the name is bound", "6 no tracker", "130 or 143")


def story(world):
    words_about_itself(world)
    client = Client(world, Cluster(world, 1).start())
    data = make_file(world.path("data.bin"), 300_000)
    torrent = client.create(data, world.path("data.torrent"))
    registered_and_offered(world, client, data, torrent)
    refused(world, client, data)


if __name__ == "__main__":
    tell(story, 240)
