#!/usr/bin/env -S python3 -B
"""The example's programs: one seed has one digest, the commands that are printed name whoever printed them, real nodes keep their tokens through kill -9
and take no word of strangers, and bad input is one line and exit status 2."""

import os
import re
import signal
import subprocess
import sys

TOP = os.path.join(os.environ["TEST_SRCDIR"], os.environ["TEST_WORKSPACE"])
sys.path.insert(0, os.path.join(TOP, "tests", "end_to_end", "lib"))
# pylint: disable=wrong-import-position
from processes import World, check, wait_until

SIMRUN = os.path.join(TOP, "examples", "lock_service", "simrun")
NODE = os.path.join(TOP, "examples", "lock_service", "lock_node")
MISTAKE = "--scenario=keepers_clock"


def run(command, folder, **environment):
    settings = {key: value for key, value in os.environ.items() if key != "BUILD_WORKING_DIRECTORY"}
    return subprocess.run(command, cwd=folder, env={**settings, **environment}, capture_output=True, text=True, check=False, timeout=120)


def one_seed_one_digest(world):
    for scenario in ("--scenario=lock_service", MISTAKE):
        digests = set()
        for _ in range(2):
            said = run([SIMRUN, "replay", scenario, "--seed=1"], world.folder).stdout
            digests.update(re.findall(r"digest ([0-9a-f]{16})", said) or ["none"])
        check(len(digests) == 1 and "none" not in digests, f"{scenario}: {digests}")


def failing_seed(world):
    said = run([SIMRUN, "sweep", MISTAKE, "--first-seed=1", "--seeds=100", "--failures=1"], world.folder).stdout
    found = re.search(r"exclusion: .*first seed (\d+)", said)
    check(found, said)
    return found.group(1)


def printed_names(world):
    """Of a program that was called by its path, by a path with a space, and by `bazel run`."""
    seed = failing_seed(world)
    odd = world.path("my programs", "simrun")
    built = world.path("bazel-out", "k8-opt", "bin", "mine", "lock", "simrun")
    theirs = world.path("bazel-out", "k8-opt", "bin", "external", "its", "lock", "simrun")
    for path in (odd, built, theirs):
        os.makedirs(os.path.dirname(path))
        os.symlink(SIMRUN, path)
    for path, bazel, name in (
        (SIMRUN, {}, SIMRUN),
        (odd, {}, f"'{odd}'"),
        (built, {}, built),
        (built, {"BUILD_WORKING_DIRECTORY": world.folder}, "bazel run //mine/lock:simrun --"),
        (theirs, {"BUILD_WORKING_DIRECTORY": world.folder}, "bazel run @its//lock:simrun --"),
    ):
        said = run([path, "replay", MISTAKE, f"--seed={seed}"], world.folder, **bazel).stdout
        check(f"\nreplay:  {name} replay {MISTAKE} --seed={seed}\n" in said, f"{name}: {said}")
        if not bazel:
            command = re.search(r"^view: +(.*)$", said, re.MULTILINE).group(1)
            result = run(["sh", "-c", command], world.folder)
            check(result.returncode == 0 and os.path.exists(world.path(f"{seed}.html")), f"{command}: {result.stderr}")


def bad_flags(world):
    two = ["--node", "1=127.0.0.1:7001", "--node", "2=127.0.0.1:7002"]
    whole = ["--id", "1", "--data-dir", "d", *two]
    with open(world.path("short"), "w", encoding="utf-8") as file:
        file.write("short")
    for flags, words in (
        ([], "--id"),
        (["--id", "3", "--data-dir", "d", *two], "--id 3"),
        (["--id", "1", *two], "--data-dir"),
        (["--id", "0", "--data-dir", "d", "--node", "0=127.0.0.1:7001"], "from 1 on"),
        ([*whole, "--node", "2=127.0.0.1:7003"], "two nodes 2"),
        ([*whole, "--node", "3:127.0.0.1:7003"], "N=HOST:PORT"),
        ([*whole, "--node", "3=127.0.0.1"], "3=127.0.0.1"),
        ([*whole, "--node", "3=10.0.0.1:7003"], "--secret"),
        ([*whole, "--secret", "short"], "short"),
        ([*whole, "--secret", "none"], "none"),
        ([*whole, "--frobnicate"], "frobnicate"),
        ([*whole, *(word for id in range(3, 100) for word in ("--node", f"{id}=127.0.0.1:{7000 + id}"))], "at most 64"),
    ):
        result = run([NODE, *flags], world.folder)
        check(result.returncode == 2 and words in result.stderr and result.stderr.count("\n") == 1, f"{flags}: {result.returncode} {result.stderr}")
    check(not os.path.exists(world.path("d")), "a refused command line made a data directory")


class Nodes:
    def __init__(self, world):
        self.world = world
        self.flags = [word for id in (1, 2, 3) for word in ("--node", f"{id}=127.0.0.1:{world.free_port()}")]
        for name in ("secret", "other"):
            with open(world.path(name), "wb") as file:
                file.write(os.urandom(32))

    def start(self, node, secret="secret", data=None):
        data = data or f"node{node}"
        command = [NODE, "--id", node, "--data-dir", self.world.path(data), "--secret", self.world.path(secret), *self.flags]
        process = self.world.start(f"node{node}", command)
        process.wait_for_line(rf"^node {node}: listens on ", 20)
        return process


def tokens(*processes):
    return sorted(int(token) for process in processes for token in re.findall(r"Holds\{token=(\d+)\}", process.out()))


def real_nodes(world):
    nodes = Nodes(world)
    keeper, second, third = (nodes.start(node) for node in (1, 2, 3))
    wait_until(lambda: tokens(second) and tokens(third), 60, "both clients to have held the lock")
    keeper.kill()
    before = tokens(second, third)[-1]
    held = len(tokens(second, third))
    keeper = nodes.start(1)
    wait_until(lambda: len(tokens(second, third)) > held + 1, 60, "the lock to be given again")
    seen = tokens(second, third)
    check(len(set(seen)) == len(seen) and seen[-1] > before, f"tokens {seen}, {before} before the keeper was killed")
    for process in (second, keeper, third):
        process.signal(signal.SIGTERM)
        check(process.wait(20) == 0, f"{process.name} ended with {process.status}")


def strangers(world):
    nodes = Nodes(world)
    keeper = nodes.start(1)
    stranger = nodes.start(2, secret="other", data="stranger")
    keeper.wait_for_line("refuses a replica link", 60)
    third = nodes.start(3)
    wait_until(lambda: tokens(third), 60, "a client that knows the secret to hold the lock")
    check(not tokens(stranger), "a stranger holds the lock")
    taken = run([NODE, "--id", "1", "--data-dir", world.path("stranger"), "--node", f"1=127.0.0.1:{world.free_port()}"], world.folder)
    check(taken.returncode == 1 and taken.stderr.startswith("lock_service: node 1 stops: ") and taken.stderr.count("\n") == 1, taken.stderr)


def main():
    for part in (one_seed_one_digest, printed_names, bad_flags, real_nodes, strangers):
        with World(None) as world:
            part(world)
            print(f"{part.__name__}: passed")


if __name__ == "__main__":
    main()
