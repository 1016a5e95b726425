"""What the rows of the benchmark share: resources of processes, the load generator, the table."""

import json
import os
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "tests", "end_to_end", "lib"))
# pylint: disable=wrong-import-position
from processes import Failure, wait_until

MIB = 1 << 20


class Row:
    """One line of the table: what was measured, the figure, and what it is to be compared with."""

    def __init__(self, name, value, unit, note="", goal=None, at_least=True):
        self.name = name
        self.value = value
        self.unit = unit
        self.note = note
        self.goal = goal
        self.at_least = at_least

    def reached(self):
        if self.goal is None or self.value is None:
            return None
        return self.value >= self.goal if self.at_least else self.value <= self.goal

    def as_json(self):
        return {"name": self.name, "value": self.value, "unit": self.unit, "note": self.note, "goal": self.goal, "reached": self.reached()}

    def __str__(self):
        value = "-" if self.value is None else f"{self.value:,.2f}" if abs(self.value) < 100 else f"{self.value:,.0f}"
        sign = ">=" if self.at_least else "<="
        goal = "" if self.goal is None else f"{'ok' if self.reached() else 'MISSED'} ({sign} {self.goal:g})"
        return f"{self.name:<44} {value:>12} {self.unit:<8} {goal:<18} {self.note}"


def run_measured(world, name, command, seconds, **options):
    """Runs to the end; (process, wall seconds, CPU seconds, peak resident KiB)."""
    started = time.monotonic()
    process = world.start(name, command, **options)
    result = {}

    def ended():
        pid, status, usage = os.wait4(process.pid, os.WNOHANG)
        if pid == 0:
            return False
        process.popen.returncode = os.waitstatus_to_exitcode(status)
        result["usage"] = usage
        return True

    try:
        wait_until(ended, seconds, f"{name} to end")
    except Failure:
        process.kill()
        raise
    wall = time.monotonic() - started
    usage = result["usage"]
    return process, wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss


def cpu_of(processes):
    return sum(process.cpu_seconds() or 0.0 for process in processes)


def http_load(targets, mode, seconds, connections, pipeline=1, torrent="", close=False):
    """One run of the load generator; its figures as a dictionary."""
    flags = [f"--mode={mode}", f"--connections={connections}", f"--pipeline={pipeline}"]
    if torrent:
        flags.append(f"--torrent={torrent}")
    if close:
        flags.append("--close")
    return _load("http_load", targets, seconds, flags)


def udp_load(targets, seconds, sockets, pipeline, torrent):
    """The same over UDP."""
    return _load("udp_load", targets, seconds, [f"--connections={sockets}", f"--pipeline={pipeline}", f"--torrent={torrent}", "--wanted=0"])


def _load(program, targets, seconds, flags):
    command = [os.path.join(os.environ["BYTETORRENT_TOOLS"], "bench_load", program), f"--seconds={seconds}", *flags]
    command += [f"--target={target}" for target in targets]
    done = subprocess.run(command, capture_output=True, text=True, timeout=seconds + 30, check=False)
    if done.returncode != 0:
        raise Failure(f"{program} failed: {done.stderr.strip()}")
    return json.loads(done.stdout)


def load_note(figures):
    note = f"p50 {figures['p50_ms']:.1f} ms, p99 {figures['p99_ms']:.1f} ms"
    if figures["refused"]:
        note += f", {figures['refused']} refused (first: {figures['first_refusal']})"
    if figures["lost_connections"]:
        note += f", {figures['lost_connections']} connections lost"
    return note


def watch_for(seconds):
    """Lets the world run for a while that is itself what is measured."""
    due = time.monotonic() + seconds
    wait_until(lambda: time.monotonic() >= due, seconds + 10, "the time to pass")
