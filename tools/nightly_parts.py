"""Runs the parts of a nightly run, each within its budget, and remembers which have passed.

The results of one state of the sources are kept under out/nightly/: a part that has passed is not run again, one that has failed or whose
budget has ended is. The last line is `N passed, N failed, N unfinished`; the exit status is 0 only when all have passed.
"""

import argparse
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time

from built import BAZEL, program
from pages import commands

_TOP = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
_SIMRUN = "//tools/simrun"

# The same seeds under each of these must give the same digests: compilers, optimisation, sanitizers.
_BUILDS = {
    "gcc -O2": [],
    "clang -O1": ["--config=clang", "--copt=-O1"],
    "gcc -O0": ["--copt=-O0"],
    "gcc with sanitizers": ["--config=asan"],
}
_EQUAL_SEEDS = 100
_SEEDS = {"distribution": 2000}
_LEAVE_SOMETHING_OUT = ["//tests/end_to_end:monitoring_test", "//tests/tools:completions_test"]


class Failed(Exception):
    """What went wrong in a part, in a sentence."""


class Unfinished(Exception):
    """The budget has ended."""


class Part:
    """One part while it runs: its log, and the end of its budget."""

    def __init__(self, name, minutes, folder):
        self.log = open(os.path.join(folder, name + ".log"), "w", encoding="utf-8")
        self._end = time.monotonic() + 60 * minutes

    def run(self, command, cwd=_TOP):
        """The command's exit status. Its output goes into the log; it and its children end with the budget."""
        self.log.write("$ " + " ".join(command) + "\n")
        self.log.flush()
        with subprocess.Popen(command, cwd=cwd, stdout=self.log, stderr=subprocess.STDOUT, start_new_session=True) as process:
            try:
                return process.wait(timeout=max(1, self._end - time.monotonic()))
            except (subprocess.TimeoutExpired, KeyboardInterrupt) as ended:
                os.killpg(process.pid, signal.SIGTERM)
                process.wait()
                if isinstance(ended, KeyboardInterrupt):
                    raise
                raise Unfinished from None

    def check(self, command, failure, cwd=_TOP):
        if self.run(command, cwd) != 0:
            raise Failed(failure)

    def over(self):
        return time.monotonic() >= self._end


def _simrun(part, flags=()):
    """The simulator's program as built with these flags of Bazel."""
    part.check([*BAZEL, "build", *flags, _SIMRUN], "the simulator does not build")
    return program(_SIMRUN, flags)


def _scenarios(simrun):
    text = subprocess.run([simrun, "--help"], capture_output=True, text=True, check=True).stdout
    listed = text[text.index("Scenarios:") :]
    return re.findall(r"^  ([a-z_]+) {2,}", listed[: listed.index("\n\n")] if "\n\n" in listed else listed, re.MULTILINE)


def seeds(part):
    """20,000 fresh seeds of each scenario, fewer of those that move megabytes."""
    simrun = _simrun(part)
    failed = [
        scenario
        for scenario in _scenarios(simrun)
        if part.run([simrun, "sweep", f"--scenario={scenario}", f"--seeds={_SEEDS.get(scenario, 20000)}", f"--jobs={os.cpu_count()}"]) != 0
    ]
    if failed:
        raise Failed("a judge complained in " + ", ".join(failed))


def _digests(part, simrun, scenario):
    digests = {}
    for seed in range(1, _EQUAL_SEEDS + 1):
        if part.over():
            raise Unfinished
        run = subprocess.run([simrun, "replay", f"--scenario={scenario}", f"--seed={seed}"], capture_output=True, text=True, check=False)
        found = re.search(r"digest ([0-9a-f]{16})", run.stdout)
        digests[seed] = found.group(1) if found else "none: " + run.stdout[:200]
    return digests


def equal_digests(part):
    """The same digests from every compiler, optimisation and sanitizer."""
    expected = {}
    for name, flags in _BUILDS.items():
        simrun = _simrun(part, flags)
        for scenario in _scenarios(simrun):
            digests = _digests(part, simrun, scenario)
            part.log.write(f"{name}, {scenario}: {len(digests)} seeds\n")
            for seed, digest in expected.setdefault(scenario, digests).items():
                if digests[seed] != digest:
                    raise Failed(f"{scenario}, seed {seed}: {name} has digest {digests[seed]}, {next(iter(_BUILDS))} has {digest}")


def threads(part):
    """The tests of net/, which alone has threads, under the thread sanitizer."""
    part.check([*BAZEL, "test", "--config=tsan", "//tests/net/..."], "a data race, or a test of net/ fails")


def storms(part):
    """A minute of kills, stalls and restarts of real nodes of each size, ten times, each with its own draws."""
    part.check(
        [*BAZEL, "test", "--test_env=BYTETORRENT_STORM_SECONDS=60", "--runs_per_test=10", "//tests/end_to_end:storm_test"],
        "what clients saw of a storm has no order, or something acknowledged is lost",
    )


def fuzz(part):
    """A minute of fuzzing for each reader of bytes from outside."""
    part.check(["tools/fuzz"], "a fuzzer has found something: out/fuzz has the input")


def planted(part):
    """Every planted mistake is caught."""
    part.check(["tools/planted"], "a planted mistake is not caught, or its patch no longer applies")


def mutants(part):
    """Every drawn mutant; its table is at the end of the log."""
    part.check(["tools/mutate"], "the mutants could not be run")


def outside(part):
    """The tutorial's repository of one's own: a workspace outside this one builds the example and finds its mistake."""
    script = commands(os.path.join(_TOP, "docs", "tutorial.md"), "outside")
    log = os.path.join(_TOP, "out", "nightly", "outside.txt")
    shutil.rmtree(os.path.join(_TOP, "out", "mine"), ignore_errors=True)
    try:
        # The page says `bazel`; who runs this may mean another.
        part.run(["bash", "-c", f'bazel() {{ {" ".join(BAZEL)} "$@"; }}\nset -x\n{{ {script} }} >{log}'])
    finally:
        part.run([*BAZEL, "shutdown"], cwd=os.path.join(_TOP, "out", "mine"))
    with open(log, encoding="utf-8") as file:
        said = file.read()
    for words in ("exclusion: ", "bazel run //examples/lock_service:simrun -- replay --scenario=no_margin --seed=", "--data-dir"):
        if words not in said:
            raise Failed(f"a workspace outside does not say {words!r}: {log}")


def nothing_left_out(part):
    """Tests that leave something out where a program of others is missing, with all of them there."""
    part.check(
        [*BAZEL, "test", "--test_env=BYTETORRENT_NOTHING_LEFT_OUT=1", *_LEAVE_SOMETHING_OUT],
        "one of these tests fails, or a program is missing that tools/setup --nightly installs",
    )


def packages(part):
    """The packages, installed, run, removed and purged in a root that has nothing but Debian's base."""
    folder = os.path.join(_TOP, "out", "nightly", "packages")
    part.check(["tools/package", "-o", folder], "the packages are not made")
    part.check([sys.executable, "-B", "tools/packaging/clean_root.py", folder], "the packages do wrong in a clean root: the end of the log says what")


def reproducible(part):
    """Packages of two clones, one of them compiled anew in another folder by somebody with other settings, have equal bytes."""
    scratch = tempfile.mkdtemp(prefix="bytetorrent-reproducible.")
    clones = [_Clone(part, os.path.join(scratch, "one"), ""), _Clone(part, os.path.join(scratch, "quite", "elsewhere"), "build --disk_cache=\n")]
    try:
        sums = [
            clones[0].packages("umask 022"),
            clones[1].packages("umask 077; export TZ=Asia/Tokyo LC_ALL=C PYTHONHASHSEED=1"),
        ]
    finally:
        for clone in clones:
            clone.close()
        shutil.rmtree(scratch, ignore_errors=True)
    if sums[0] != sums[1]:
        raise Failed(f"two builds of one commit differ:\n{sums[0]}and\n{sums[1]}")


class _Clone:
    """The commit in a folder of its own, with what Bazel makes of it beside it."""

    def __init__(self, part, folder, settings):
        self.part = part
        self.folder = folder
        self.checkout = os.path.join(folder, "checkout")
        self._bazel = [*BAZEL, f"--output_base={folder}/out"]
        part.check(["git", "clone", "--quiet", _TOP, self.checkout], "the checkout cannot be cloned")
        with open(os.path.join(self.checkout, "user.bazelrc"), "w", encoding="utf-8") as file:
            file.write(settings)

    def packages(self, first):
        """The checksums of its packages, made after these words of the shell."""
        words = f"{first}; BYTETORRENT_BAZEL='{' '.join(self._bazel)}' exec tools/package -o out/packages"
        self.part.check(["sh", "-c", words], "the packages are not made", cwd=self.checkout)
        with open(os.path.join(self.checkout, "out", "packages", "SHA256SUMS"), encoding="utf-8") as file:
            return file.read()

    def close(self):
        """Bazel's server ends, and its read-only folders can be removed."""
        if os.path.isdir(self.checkout):
            subprocess.run([*self._bazel, "shutdown"], cwd=self.checkout, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)
        subprocess.run(["chmod", "-R", "u+w", self.folder], check=False)


# (function, minutes it may take on two cores)
_PARTS = (
    (nothing_left_out, 20),
    (packages, 20),
    (reproducible, 45),
    (seeds, 60),
    (equal_digests, 90),
    (threads, 30),
    (storms, 40),
    (outside, 20),
    (fuzz, 40),
    (planted, 120),
    (mutants, 360),
)


def _tree():
    """The state of the sources, as far as they are committed."""
    return subprocess.run(["git", "rev-parse", "HEAD^{tree}"], cwd=_TOP, capture_output=True, text=True, check=True).stdout.strip()[:16]


def _run(part_function, minutes, folder):
    """passed, failed or unfinished."""
    name = part_function.__name__
    done = os.path.join(folder, name + ".passed")
    if os.path.exists(done):
        print(f"{name}: passed before", flush=True)
        return "passed"
    began = time.monotonic()
    part = Part(name, minutes, folder)
    try:
        part_function(part)
        result, why = "passed", ""
        open(done, "w", encoding="utf-8").close()
    except Failed as failure:
        result, why = "failed", f": {failure}"
    except Unfinished:
        result, why = "unfinished", f": its {minutes} minutes are over"
    finally:
        part.log.close()
    print(f"{name}: {result} after {(time.monotonic() - began) / 60:.1f} minutes{why} ({os.path.relpath(part.log.name, os.getcwd())})", flush=True)
    return result


def main():
    names = [function.__name__ for function, _ in _PARTS]
    parser = argparse.ArgumentParser(prog="tools/nightly", description=__doc__.split("\n", maxsplit=1)[0], epilog=__doc__.split("\n\n")[1])
    parser.add_argument("--part", action="append", choices=names, help="only this one; may be repeated")
    parser.add_argument("--list", action="store_true", help="name the parts and their budgets, and run nothing")
    arguments = parser.parse_args()
    if arguments.list:
        for function, minutes in _PARTS:
            print(f"{function.__name__:16} {minutes:4} minutes   {function.__doc__}")
        return 0
    folder = os.path.join(_TOP, "out", "nightly", _tree())
    os.makedirs(folder, exist_ok=True)
    results = [
        _run(function, minutes, folder) for function, minutes in _PARTS if not arguments.part or function.__name__ in arguments.part
    ]
    print(", ".join(f"{results.count(kind)} {kind}" for kind in ("passed", "failed", "unfinished")))
    return 0 if all(result == "passed" for result in results) else 1


if __name__ == "__main__":
    sys.exit(main())
