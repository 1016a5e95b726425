"""Plants each mistake of tests/planted in a copy of the sources, builds the simulator and sweeps until it is caught.

Says how many seeds and seconds of a core that took. Exits with 1 if a mistake is not caught, or its patch no longer applies.
"""

import argparse
import os
import random
import re
import signal
import subprocess
import sys
import tempfile
from dataclasses import dataclass

from . import sweeping
from .simrun_build import Build, BuildFailed, prepared

_TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
_PATCHES = os.path.join(_TOP, "tests", "planted")


class Damaged(Exception):
    """A patch that cannot be used, and why."""


@dataclass(frozen=True)
class Patch:
    name: str
    path: str
    mistake: str
    scenarios: tuple
    files: tuple  # that it changes


def read(path):
    """A patch with its two lines of header: `# mistake: ...` and `# scenario: NAME...`."""
    with open(path, encoding="utf-8") as file:
        text = file.read()
    head = dict(re.findall(r"^# (mistake|scenario): (.+)$", text, re.MULTILINE))
    files = tuple(re.findall(r"^\+\+\+ b/(\S+)", text, re.MULTILINE))
    if "mistake" not in head or "scenario" not in head or not files:
        raise Damaged("a patch begins with `# mistake: ...` and `# scenario: ...` and changes a file")
    name = os.path.splitext(os.path.basename(path))[0]
    return Patch(name, path, head["mistake"], tuple(head["scenario"].split()), files)


def changed(patch, text_of):
    """{path: text} with the patch applied to `text_of(path)`."""
    with tempfile.TemporaryDirectory(prefix="bytetorrent-planted-") as folder:
        for path in patch.files:
            os.makedirs(os.path.dirname(os.path.join(folder, path)), exist_ok=True)
            with open(os.path.join(folder, path), "w", encoding="utf-8") as file:
                file.write(text_of(path))
        # Two lines of context are enough: the mistake stays the same when a neighbour changes.
        run = subprocess.run(["git", "apply", "-C2", patch.path], cwd=folder, capture_output=True, text=True, check=False)
        if run.returncode != 0:
            raise Damaged("the patch no longer applies: " + run.stderr.strip().split("\n")[0])
        texts = {}
        for path in patch.files:
            with open(os.path.join(folder, path), encoding="utf-8") as file:
                texts[path] = file.read()
        return texts


def plant(patch, build, options):
    """The outcome of one planted mistake."""
    for path in patch.files:
        if path not in build.includers:
            raise Damaged(f"{path} is no part of the simulator's program")
    try:
        built = build.compile(changed(patch, build.text))
        if not built:
            raise Damaged("the compiler makes the same object code of it")
        program = build.link(built)
    except BuildFailed as failure:
        raise Damaged("it does not compile: " + str(failure).split("\n", maxsplit=1)[0]) from failure
    return sweeping.sweep_all(program, patch.scenarios, options.seeds, options.first_seed)


def run(build, names, options):
    failed = caught = 0
    print("| mistake | scenario | seeds | seconds | told by |\n| --- | --- | ---: | ---: | --- |", flush=True)
    for name in names:
        try:
            patch = read(os.path.join(_PATCHES, name + ".patch"))
            outcome = plant(patch, build, options)
        except Damaged as damage:
            failed += 1
            print(f"| {name} | | | | ERROR: {damage} |", flush=True)
            continue
        caught += outcome.caught
        failed += not outcome.caught
        how = " ".join(outcome.how.replace("|", "/").split()) if outcome.caught else "NOT CAUGHT"
        print(f"| {name}: {patch.mistake} | {outcome.scenario} | {outcome.seeds} | {outcome.cpu_s:.1f} | {how[:100]} |", flush=True)
    print(f"\ncommit {build.commit}: {caught} of {len(names)} caught, {options.seeds} seeds of each scenario at most, from seed {options.first_seed}")
    return failed


def main():
    parser = argparse.ArgumentParser(prog="tools/planted", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME", help="some patches of tests/planted, without .patch (all)")
    parser.add_argument("--seeds", type=int, default=6000, metavar="N", help="of each scenario, at most (6000)")
    parser.add_argument("--first-seed", type=int, default=1, metavar="N", help="the first of them (1)")
    parser.add_argument("--sample", type=int, metavar="N", help="a random part of the patches")
    parser.add_argument("--seed", type=int, default=1, metavar="N", help="what --sample is drawn with (1)")
    parser.add_argument("--build", metavar="FOLDER", help="keep the build there, or use the one that is there (built anew)")
    options = parser.parse_args()
    for flag in ("seeds", "sample"):
        if getattr(options, flag) is not None and getattr(options, flag) < 1:
            parser.error(f"argument --{flag}: {getattr(options, flag)} is not at least 1")
    all_names = sorted(name[: -len(".patch")] for name in os.listdir(_PATCHES) if name.endswith(".patch"))
    for name in options.names:
        if name not in all_names:
            parser.error(f"there is no patch {name} in tests/planted")
    names = options.names or all_names
    if options.sample and options.sample < len(names):
        names = sorted(random.Random(options.seed).sample(names, options.sample))
    try:
        with prepared(_TOP, options.build) as folder, Build(folder) as build:
            return 1 if run(build, names, options) else 0
    except (BuildFailed, sweeping.WrongUsage) as failure:
        sys.exit(f"planted: {failure}")


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
