"""Runs a simrun over the scenarios that can meet a mistake of some part of core/, until one of them complains."""

import os
import re
import resource
import signal
import subprocess
import tempfile
from dataclasses import dataclass

# Which scenarios run a folder's code, the one that runs most of it first.
_FITTING = {
    "wal": ("journal_faults", "tracker_faults", "full_system"),
    "paxos": ("tracker_faults", "full_system", "elections"),
    "tracker": ("tracker_faults", "full_system"),
    "swarm": ("swarm_faults", "distribution", "full_system"),
    "torrent": ("torrent_files", "swarm_faults", "full_system", "tracker_faults"),
    "tracker_api": ("tracker_faults", "full_system", "swarm_faults"),
    "base": ("tracker_faults", "swarm_faults", "journal_faults", "full_system"),
    "machine": ("tracker_faults", "swarm_faults", "full_system"),
}
# A healthy seed takes a fiftieth of a second at most. Who needs five times that for each, and this besides, hangs.
_CPU_PER_SEED_S = 0.1
_CPU_S = 10
# But for scenarios that carry megabytes: how many times as much.
_LONG_SEEDS = {"slow_links": 5, "distribution": 20}
# Most mistakes show at once: these many seeds of each scenario come before the others of any.
_FIRST_SEEDS = 20
_MEMORY_BYTES = 4 << 30
_SENTENCE_MAX = 300
# The event limit of a world ends a livelock long before; this is for a machine that shares its cores.
_WALL_FACTOR = 20


class WrongUsage(Exception):
    """The simrun does not understand what it is asked: of another age than these tools, as a kept build may be."""


@dataclass
class Outcome:
    caught: bool
    how: str  # the judge's sentence, or the CHECK's
    scenario: str
    seeds: int  # run until then, the last one included
    cpu_s: float


def fitting(folder):
    return _FITTING.get(folder, _FITTING["machine"])


def _limit(seconds):
    def apply():
        resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds + 5))
        resource.setrlimit(resource.RLIMIT_AS, (_MEMORY_BYTES, _MEMORY_BYTES))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))

    return apply


def _sentence(output):
    """What a failed sweep says first: the sentence of a CHECK, or of the judge; empty if it says nothing."""
    check = re.search(r"^CHECK failed: .*$", output, re.MULTILINE)
    judge = re.search(r"^(.*)\nscenario \w+, seed \d+$", output, re.MULTILINE)
    return check.group(0) if check else judge.group(1) if judge else ""


def sweep(program, scenario, seeds, first_seed):
    """One scenario, `seeds` seeds at most."""
    limit = int(_CPU_S + _CPU_PER_SEED_S * _LONG_SEEDS.get(scenario, 1) * seeds)
    with tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as output:
        command = [program, "sweep", f"--scenario={scenario}", f"--seeds={seeds}", f"--first-seed={first_seed}", "--failures=1"]
        before = os.times()
        process = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT, start_new_session=True, preexec_fn=_limit(limit))
        try:
            status = process.wait(timeout=limit * _WALL_FACTOR)
        except subprocess.TimeoutExpired:
            status = 1
        finally:
            # Its workers, too, whatever ended this: a signal to us, or time.
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
        after = os.times()
        output.seek(0)
        text = output.read()
    cpu = after.children_user + after.children_system - before.children_user - before.children_system
    done = re.search(r"^(\d+) seeds, each run twice", text, re.MULTILINE)
    count = int(done.group(1)) if done else 0
    # A run that hangs meets the limit of its process; runs that are only slow show in the sum.
    if cpu >= 0.9 * limit:  # the kernel counts in ticks
        return Outcome(True, f"hangs: more than {limit} s of CPU", scenario, count + 1, cpu)
    if status == 0:
        return Outcome(False, "", scenario, count, cpu)
    # Wrong usage says that this program and that simrun do not fit together, and nothing of a mistake.
    if status == 2:
        raise WrongUsage(" ".join(command) + ": " + text.strip()[:_SENTENCE_MAX])
    # A simrun that says nothing of its seeds died itself, at the first of them.
    count = count if done else 1
    return Outcome(True, (_sentence(text) or "the process died")[:_SENTENCE_MAX], scenario, count, cpu)


def sweep_all(program, scenarios, seeds, first_seed):
    """The first outcome that is a catch, with the seeds and seconds of all until then; or that there is none."""
    total, cpu = 0, 0.0
    first = min(seeds, _FIRST_SEEDS)
    for begin, count in ((first_seed, first), (first_seed + first, seeds - first)):
        for scenario in scenarios if count > 0 else ():
            outcome = sweep(program, scenario, count, begin)
            total += outcome.seeds
            cpu += outcome.cpu_s
            if outcome.caught:
                return Outcome(True, outcome.how, scenario, total, cpu)
    return Outcome(False, "", " ".join(scenarios), total, cpu)
