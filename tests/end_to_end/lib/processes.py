"""Real processes for a story: started, watched, waited for with a deadline, and none left behind.

A World owns a folder and every process it started. It ends them by pid when it closes, in whatever way it closes;
should the test itself be killed outright, the kernel ends them (PR_SET_PDEATHSIG).
"""

import ctypes
import os
import random
import re
import resource
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

_POLL_SECONDS = 0.01
_libc = ctypes.CDLL(None)


class Failure(Exception):
    """The story did not go as told."""


def check(condition, message):
    if not condition:
        raise Failure(message() if callable(message) else message)


def wait_until(condition, seconds, what):
    """Polls until condition() is true and returns its value; Failure names `what` after `seconds`."""
    deadline = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() >= deadline:
            raise Failure(f"waited {seconds:g} s in vain for {what() if callable(what) else what}")
        time.sleep(_POLL_SECONDS)


def _prepare(file_size_limit):
    """In the child: die with the parent; a file past the limit fails to be written, as on a full disk."""

    def prepare():
        _libc.prctl(1, signal.SIGKILL)
        if file_size_limit is not None:
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
            resource.setrlimit(resource.RLIMIT_FSIZE, (file_size_limit, file_size_limit))

    return prepare


class Process:
    """One running program, its stdout and stderr in files; with show=True its stderr goes where ours goes."""

    def __init__(self, name, command, folder, file_size_limit=None, show=False, **options):
        self.name = name
        self.command = [str(part) for part in command]
        self.out_path = os.path.join(folder, name + ".out")
        self.err_path = os.path.join(folder, name + ".err")
        with open(self.out_path, "ab") as out, open(self.err_path, "ab") as err:
            # pylint: disable=subprocess-popen-preexec-fn
            self.popen = subprocess.Popen(
                self.command, stdin=subprocess.DEVNULL, stdout=out, stderr=None if show else err,
                preexec_fn=_prepare(file_size_limit), **options,
            )  # fmt: skip

    @property
    def pid(self):
        return self.popen.pid

    def running(self):
        return self.popen.poll() is None

    @property
    def status(self):
        return self.popen.poll()

    def out(self):
        return _read(self.out_path)

    def err(self):
        return _read(self.err_path)

    def signal(self, number):
        if self.running():
            os.kill(self.pid, number)

    def kill(self):
        """kill -9, and gone when this returns."""
        if self.running():
            self.popen.kill()
        self.popen.wait()

    def wait(self, seconds):
        """The exit status; Failure if it does not end in time."""
        wait_until(lambda: not self.running(), seconds, f"{self.name} to end")
        return self.popen.returncode

    def stop(self, seconds=15):
        """Ctrl-C, as a person would; the exit status."""
        self.signal(signal.SIGINT)
        return self.wait(seconds)

    def wait_for_line(self, pattern, seconds):
        """The match of `pattern` in what it has printed so far; Failure if it ends or time runs out before."""

        def seen():
            match = re.search(pattern, self.out() + "\n" + self.err(), re.MULTILINE)
            if match is None and not self.running():
                raise Failure(f"{self.name} ended with status {self.popen.returncode} before it said /{pattern}/")
            return match

        return wait_until(seen, seconds, f"{self.name} to say /{pattern}/")

    def cpu_seconds(self):
        """User and system time so far; of a process that has ended, None."""
        try:
            with open(f"/proc/{self.pid}/stat", encoding="ascii") as file:
                fields = file.read().rsplit(")", 1)[1].split()
        except OSError:
            return None
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def written_bytes(self):
        """What it has handed to write calls so far; 0 when it has ended."""
        try:
            with open(f"/proc/{self.pid}/io", encoding="ascii") as file:
                return int(re.search(r"^wchar: (\d+)", file.read(), re.MULTILINE).group(1))
        except OSError:
            return 0

    def memory_kib(self, field="VmRSS"):
        try:
            with open(f"/proc/{self.pid}/status", encoding="ascii") as file:
                match = re.search(rf"^{field}:\s+(\d+) kB", file.read(), re.MULTILINE)
        except OSError:
            return None
        return int(match.group(1)) if match else None


def _read(path):
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read()
    except FileNotFoundError:
        return ""


class World:
    """A folder, the processes started in it, and ports nobody else listens on."""

    def __init__(self, binaries, folder=None):
        self.binaries = binaries
        self._own_folder = folder is None
        self.folder = folder or tempfile.mkdtemp(prefix="bytetorrent-", dir=os.environ.get("TEST_TMPDIR"))
        self.processes = []
        self._random = random.Random()

    def __enter__(self):
        return self

    def __exit__(self, kind, error, trace):
        if kind is not None and kind is not KeyboardInterrupt:
            self.report()
        self.close()
        return False

    def close(self):
        for process in self.processes:
            if process.running():
                process.signal(signal.SIGCONT)
                process.kill()
        if self._own_folder:
            shutil.rmtree(self.folder, ignore_errors=True)

    def path(self, *parts):
        return os.path.join(self.folder, *parts)

    def start(self, name, command, **options):
        # A name of its own for each: what an earlier one said must not be taken for its words.
        used = sum(1 for process in self.processes if process.name.split("~")[0] == name)
        name = f"{name}~{used + 1}" if used else name
        process = Process(name, command, self.folder, **options)
        self.processes.append(process)
        return process

    def run(self, name, command, seconds=60, **options):
        """Starts, waits, returns the ended process."""
        process = self.start(name, command, **options)
        process.wait(seconds)
        return process

    def free_port(self):
        """A port that is free at this moment, below the range the kernel hands to outgoing connections."""
        for _ in range(1000):
            port = self._random.randrange(12000, 32000)
            with socket.socket() as probe:
                try:
                    probe.bind(("127.0.0.1", port))
                    return port
                except OSError:
                    continue
        raise Failure("no free port found on 127.0.0.1")

    def report(self):
        """The last words of every process, for the one who reads a failed test."""
        for process in self.processes:
            state = "running" if process.running() else f"ended with {process.status}"
            print(f"--- {process.name} ({state}): {' '.join(process.command)}", file=sys.stderr)
            for text in (process.out(), process.err()):
                for line in text.splitlines()[-12:]:
                    print(f"    {line[:300]}", file=sys.stderr)


class Binaries:
    """Where the two programs are: beside this test when Bazel runs it, under out/bin otherwise."""

    def __init__(self, folder=None):
        if folder is None and os.environ.get("TEST_SRCDIR"):
            folder = os.path.join(os.environ["TEST_SRCDIR"], os.environ.get("TEST_WORKSPACE", "bytetorrent"), "nodes")
        if folder is None:
            top = os.path.realpath(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", ".."))
            folder = os.environ.get("BYTETORRENT_BIN", os.path.join(top, "out", "bin", "nodes"))
        self.client = os.path.join(folder, "bytetorrent")
        self.tracker = os.path.join(folder, "bytetorrent-tracker")
        # Beside the two programs; only for stories that name them among what they need.
        self.simrun = os.path.join(folder, "..", "tools", "simrun", "simrun")
        self.example_simrun = os.path.join(folder, "..", "examples", "lock_service", "simrun")
        for program in (self.client, self.tracker):
            if not os.access(program, os.X_OK):
                raise Failure(f"{program} is not there: build it with `bazel build //nodes/...`")


def tell(story, seconds):
    """Runs story(world) as a test: exit status 0, or 1 with what went wrong. No process outlives it."""

    def out_of_time(*_):
        raise Failure(f"the story did not end within {seconds} s")

    def stop(*_):
        raise KeyboardInterrupt

    signal.signal(signal.SIGALRM, out_of_time)
    signal.signal(signal.SIGTERM, stop)
    signal.alarm(seconds)
    started = time.monotonic()
    try:
        with World(Binaries()) as world:
            story(world)
            signal.alarm(0)
    except Failure as failure:
        signal.alarm(0)
        print(f"FAILED: {failure}", file=sys.stderr)
        sys.exit(1)
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        sys.exit(130)
    print(f"passed in {time.monotonic() - started:.1f} s")
