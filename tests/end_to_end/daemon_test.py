#!/usr/bin/env -S python3 -B
"""Many transfers in one daemon: they go on after kill -9, are paused, resumed and removed, and what is asked wrongly is refused with a sentence."""

import json
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
# pylint: disable=wrong-import-position
from daemon import Daemon
from files import make_file, same_bytes
from processes import check, tell, wait_until
from swarm import Client, Cluster

SIZE = 3 * 1000 * 1000
SECONDS = 60


class Scene:
    def __init__(self, world):
        self.world = world
        self.client = Client(world, Cluster(world, 1).start())
        self.files = [make_file(world.path(f"data{n}.bin"), SIZE, seed=n) for n in (1, 2)]
        self.torrents = [self.client.create(file, file + ".torrent") for file in self.files]
        for torrent in self.torrents:
            self.client.register(torrent)
        self.daemon = Daemon(world, "daemon").start()
        self.other = Daemon(world, "other").start()

    def command(self, daemon, *arguments, status=0):
        process = self.client.run(*arguments, "--control", daemon.socket, seconds=SECONDS)
        check(process.status == status, lambda: f"{arguments} ended with {process.status}: {process.err()}")
        return process


def transfers_in_one_daemon(scene):
    """Two offers at one port of one daemon; two downloads and an offer in another."""
    for file, torrent in zip(scene.files, scene.torrents):
        offered = scene.command(scene.daemon, "offer", file, torrent)
        check("offering" in offered.out() and "goes on offering it as transfer" in offered.err(), f"an offer says: {offered.out()} {offered.err()}")
    targets = [scene.world.path(f"copy{n}.bin") for n in (1, 2)]
    for target, torrent, file in zip(targets, scene.torrents, scene.files):
        done = scene.command(scene.other, "download", torrent, "-o", target)
        check("downloaded" in done.out() and same_bytes(file, target), f"a download says: {done.out()}")
    again = scene.command(scene.other, "download", scene.torrents[0], "-o", targets[0])
    check("there already and right" in again.out(), f"a second download says: {again.out()}")
    status, answer = scene.other.ask("GET", "/transfers")
    check(status == 200 and [one["state"] for one in answer["transfers"]] == ["complete", "complete"], answer)
    listed = scene.command(scene.daemon, "list").out()
    check(listed.count("offering") == 2, f"list says: {listed}")


def killed_and_started_again(scene):
    """What was offered is offered, what was complete is complete, what had begun is finished."""
    target = scene.world.path("late.bin")
    scene.other.ask("POST", "/limits", json.dumps({"download_limit": 200_000}))
    status, answer = scene.other.ask("POST", "/transfers", json.dumps({"kind": "download", "what": scene.torrents[0], "path": target}))
    check(status == 201, answer)
    number = answer["id"]
    wait_until(lambda: scene.other.transfer(number)["verified"] > 0, SECONDS, "the download to begin")
    scene.other.process.kill()
    scene.daemon.process.kill()
    check(os.path.exists(scene.other.socket) and not os.path.exists(target), "a killed daemon leaves its socket, and no finished file")
    scene.daemon.start()
    scene.other.start()
    check(scene.other.ask("GET", "/transfers")[1]["download_limit"] == 200_000, "the limit is forgotten")
    scene.other.ask("POST", "/limits", json.dumps({"download_limit": 0}))
    scene.other.wait_for(number, "complete")
    check(same_bytes(scene.files[0], target), "a download that went on differs")
    check([scene.daemon.wait_for(n, "offering")["kind"] for n in (1, 2)] == ["offer", "offer"], "offers are forgotten")
    listed = scene.command(scene.other, "list").out()
    check(listed.count("100 %") == 3, f"of what is complete, list says: {listed}")


def paused_resumed_removed(scene):
    target = scene.world.path("slow.bin")
    order = {"kind": "download", "what": scene.torrents[1], "path": target, "download_limit": 100_000}
    number = scene.other.ask("POST", "/transfers", json.dumps(order))[1]["id"]
    check(scene.other.ask("POST", "/transfers", json.dumps(order))[1]["id"] == number, "the same order is the same transfer")
    scene.command(scene.other, "pause", str(number))
    scene.other.wait_for(number, "paused")
    scene.other.process.kill()
    scene.other.start()
    check(scene.other.transfer(number)["state"] == "paused", "a pause is forgotten")
    scene.command(scene.other, "limit", str(number), "--download-limit", "0")
    scene.command(scene.other, "resume", str(number))
    scene.command(scene.other, "watch", str(number))
    check(same_bytes(scene.files[1], target), "a resumed download differs")
    scene.command(scene.other, "remove", str(number))
    check(scene.other.ask("GET", f"/transfers/{number}")[0] == 404 and os.path.exists(target), "remove forgets a transfer and no file")
    refused = scene.command(scene.other, "watch", str(number), status=1)
    check(f"there is no transfer {number}" in refused.err(), refused.err())


def ends_when_it_has_given_enough(scene):
    """An offer with a ratio ends by itself; what it has given outlives kill -9; who wants more resumes it."""
    scene.daemon.wait_for(1, "offering")
    scene.command(scene.daemon, "limit", "2", "--seed-time", "1h")
    limited = scene.daemon.transfer(2)
    check(limited["seed_time"] == 3600 and limited["state"] == "offering", limited)
    scene.command(scene.daemon, "limit", "1", "--seed-ratio", "0.5")
    seeded = scene.daemon.wait_for(1, "seeded")
    check(seeded["ratio"] >= 0.5, seeded)
    # It is told before it is on the disk.
    wait_until(lambda: scene.daemon.saved()[0]["seeded"], SECONDS, "the state to be saved")
    scene.daemon.process.kill()
    scene.daemon.start("--seed-time", "1s")
    check(scene.daemon.transfer(1)["state"] == "seeded" and scene.daemon.transfer(1)["sent"] == seeded["sent"], "what was given enough of is begun again")
    scene.daemon.wait_for(2, "offering")
    scene.command(scene.daemon, "limit", "1", "--seed-ratio", "0")
    scene.command(scene.daemon, "resume", "1")
    ended = scene.daemon.wait_for(1, "seeded")
    check(ended["offered_seconds"] >= 1 and ended["sent"] == 0, f"by the daemon's time: {ended}")
    check("seeded" in scene.command(scene.daemon, "list").out(), "list does not say it")
    alone = scene.client.run("offer", scene.files[0], scene.torrents[0], "--alone", "--seed-time", "1s")
    check(alone.status == 2 and "for a daemon" in alone.err(), f"alone: {alone.status} {alone.err()}")


def told_of_completion(scene):
    """A program is run once for each download that is complete, with a stranger's name as nothing but an argument."""
    told = scene.world.path("told")
    program = scene.world.path("on complete")
    with open(program, "w", encoding="utf-8") as file:
        file.write(f"#!/bin/sh\nprintf '%s\\n' \"$*\" >> '{told}'\nexit 7\n")
    os.chmod(program, 0o700)
    name = "--$(touch hacked);.bin"
    os.mkdir(scene.world.path("odd"))
    torrent = scene.client.create(make_file(scene.world.path("odd/" + name), 100_000, seed=9), scene.world.path("odd.torrent"))
    scene.client.register(torrent)
    scene.command(scene.daemon, "offer", scene.world.path("odd/" + name), torrent)
    scene.other.process.kill()
    scene.other.start("--on-complete", program)
    scene.command(scene.other, "download", torrent, "-o", scene.world.path(""))
    number = scene.other.ask("GET", "/transfers")[1]["transfers"][-1]["id"]
    scene.other.process.wait_for_line(rf"transfer {number}: .*on complete ended with status 7", SECONDS)

    def lines():
        with open(told, encoding="utf-8") as file:
            return file.read().splitlines()

    expected = [f"{number} {name} {scene.world.path(name)}"]
    check(lines() == expected, lines())
    scene.other.process.kill()
    left = os.path.join(scene.other.state, "999.torrent")
    make_file(left, 10)
    scene.other.start("--on-complete", program)
    check(not os.path.exists(left), "a copy of a torrent that nobody has is left")
    scene.command(scene.other, "resume", str(number))
    scene.command(scene.other, "watch", str(number))
    paused = scene.other.ask("POST", "/transfers", json.dumps({"kind": "download", "what": torrent, "path": scene.files[0]}))[1]["id"]
    check("error" in scene.other.wait_for(paused, "failed"), "a file in the way is no failure")
    scene.command(scene.other, "pause", str(paused))
    check("error" not in scene.other.transfer(paused), "a paused transfer shows an old error")
    # The program has been run for whatever was to come before this one.
    scene.command(scene.other, "download", torrent, "-o", scene.world.path("once more.bin"))
    wait_until(lambda: len(lines()) >= 2, SECONDS, "the second completion")
    check(len(lines()) == 2 and lines()[0] == expected[0] and "once more.bin" in lines()[1], lines())
    refused = scene.client.run("daemon", "--state-dir", scene.world.path("fourth"), "--on-complete", scene.world.path("nobody"))
    check(refused.status == 2 and "cannot run" in refused.err(), refused.err())


def refused_with_a_sentence(scene):
    second = scene.client.run("daemon", "--state-dir", scene.daemon.state, "--control", scene.world.path("second.sock"))
    check(second.status == 1 and "used by another daemon" in second.err(), f"a second daemon says: {second.err()}")
    same_socket = scene.client.run("daemon", "--state-dir", scene.world.path("third"), "--control", scene.daemon.socket)
    check(same_socket.status == 1 and "served by another daemon" in same_socket.err(), f"a daemon at the same socket says: {same_socket.err()}")
    check(os.stat(scene.daemon.socket).st_mode & 0o077 == 0, "others may connect to the socket")
    for method, path, body, wanted in [
        ("POST", "/transfers", "{nonsense", 400),
        ("POST", "/transfers", "[" * 100_000, 400),
        ("POST", "/transfers", '{"kind":"download","what":"x","path":"relative"}', 400),
        ("POST", "/transfers", json.dumps({"kind": "offer", "what": "/nowhere.torrent", "path": "/nowhere"}), 404),
        ("POST", "/transfers", "x" * 300_000, 413),
        ("POST", "/transfers/999/pause", None, 404),
        ("POST", "/transfers/1/juggle", None, 404),
        ("PUT", "/transfers", None, 405),
        ("POST", "/limits", '{"upload_limit":-1}', 400),
        ("GET", "/nothing", None, 404),
    ]:
        status, answer = scene.daemon.ask(method, path, body)
        check(status == wanted and answer["error"], f"{method} {path} is answered {status}: {answer}")
    absent = scene.client.run("list", "--control", scene.world.path("nobody.sock"))
    check(absent.status == 1 and "cannot connect" in absent.err(), absent.err())
    not_found = scene.command(scene.other, "download", "no such name", "--tracker", scene.client.cluster.urls[0], status=3)
    check("no such" in not_found.err() or "not" in not_found.err(), not_found.err())


def stopped(scene):
    check(scene.other.ask("POST", "/shutdown")[0] == 200 and scene.other.process.wait(SECONDS) == 0, "a daemon must end when it is told to")
    check(scene.daemon.process.stop() == 0 and not os.path.exists(scene.daemon.socket), "Ctrl-C must end a daemon well, and its socket be gone")


def story(world):
    scene = Scene(world)
    for part in (transfers_in_one_daemon, killed_and_started_again, paused_resumed_removed, ends_when_it_has_given_enough, told_of_completion, refused_with_a_sentence, stopped):
        part(scene)


if __name__ == "__main__":
    tell(story, 300)
