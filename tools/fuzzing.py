"""Runs libFuzzer over the targets of tests/fuzz, each from its corpus and for a stated time."""

import argparse
import base64
import os
import re
import shutil
import subprocess
import sys

from built import BAZEL, program

_TOP = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
_CORPUS = os.path.join(_TOP, "tests", "fuzz", "corpus")
_OUT = os.path.join(_TOP, "out", "fuzz")
_FLAGS = ["--config=fuzz"]
_KEPT_MAX = 300  # inputs of one target
_KEPT_BYTES_MAX = 4096  # of one input
_MEMORY_MIB = 1024
_INPUT_SECONDS = 10  # one that takes longer has found something


def targets():
    return sorted(name[: -len(".txt")] for name in os.listdir(_CORPUS) if name.endswith(".txt"))


def _kept(target):
    with open(os.path.join(_CORPUS, target + ".txt"), encoding="ascii") as file:
        return [base64.b64decode(line) for line in file if line.strip()]


def _unpack(target, folder):
    os.makedirs(folder, exist_ok=True)
    for number, data in enumerate(_kept(target)):
        with open(os.path.join(folder, f"kept-{number}"), "wb") as file:
            file.write(data)


def _build(chosen):
    """{target: its fuzzer}"""
    labels = [f"//tests/fuzz:{target}_fuzzer" for target in chosen]
    subprocess.run([*BAZEL, "build", *_FLAGS, *labels], cwd=_TOP, check=True)
    return {target: program(label, _FLAGS) for target, label in zip(chosen, labels)}


def _fuzz(target, fuzzer, seconds):
    """The words for the table, and whether nothing was found."""
    folder = os.path.join(_OUT, target)
    corpus = os.path.join(folder, "corpus")
    _unpack(target, corpus)
    with open(os.path.join(folder, "log"), "w", encoding="utf-8") as log:
        status = subprocess.run(
            [
                fuzzer, corpus, f"-max_total_time={seconds}", f"-artifact_prefix={folder}/", "-print_final_stats=1",
                f"-timeout={_INPUT_SECONDS}", f"-rss_limit_mb={_MEMORY_MIB}",
            ],
            stdout=log, stderr=subprocess.STDOUT, check=False,
        ).returncode  # fmt: skip
    with open(os.path.join(folder, "log"), encoding="utf-8", errors="replace") as log:
        said = log.read()
    runs = re.search(r"stat::number_of_executed_units: (\d+)", said)
    features = re.findall(r" ft: (\d+)", said)
    words = f"{int(runs.group(1)) if runs else 0:,} inputs, {features[-1] if features else 0} features"
    if status == 0:
        return words, True
    artifact = re.search(r"Test unit written to (\S+)", said)
    where = artifact.group(1) if artifact else os.path.join(folder, "log")
    return f"{words}; FAILED: {os.path.relpath(where, _TOP)}", False


def _keep(target, fuzzer):
    """Writes the fewest and shortest inputs that reach what all of them reach into the kept corpus."""
    folder = os.path.join(_OUT, target)
    least = os.path.join(folder, "least")
    shutil.rmtree(least, ignore_errors=True)
    os.makedirs(least)
    merged = subprocess.run([fuzzer, "-merge=1", least, os.path.join(folder, "corpus")], capture_output=True, check=False)
    if merged.returncode != 0:
        raise SystemExit(f"fuzz: the corpus of {target} cannot be merged")
    inputs = []
    for name in os.listdir(least):
        with open(os.path.join(least, name), "rb") as file:
            inputs.append(file.read())
    inputs = sorted((data for data in inputs if 0 < len(data) <= _KEPT_BYTES_MAX), key=lambda data: (len(data), data))
    with open(os.path.join(_CORPUS, target + ".txt"), "w", encoding="ascii") as file:
        for data in inputs[:_KEPT_MAX]:
            file.write(base64.b64encode(data).decode() + "\n")


def main():
    parser = argparse.ArgumentParser(prog="tools/fuzz", description="Fuzzes the readers of bytes from outside.")
    parser.add_argument("targets", nargs="*", metavar="TARGET", help="of: " + " ".join(targets()))
    parser.add_argument("--seconds", type=int, default=60, help="for each target (60)")
    parser.add_argument("--keep", action="store_true", help="keep what reached something new in tests/fuzz/corpus")
    parser.add_argument("--list", action="store_true", help="name the targets, and fuzz nothing")
    arguments = parser.parse_args()
    for target in arguments.targets:
        if target not in targets():
            parser.error(f"there is no target {target}; the targets are: {' '.join(targets())}")
    if arguments.seconds < 1:
        parser.error("--seconds: at least 1")
    if arguments.list:
        print("\n".join(targets()))
        return 0
    subprocess.run([os.path.join(_TOP, "tools", "setup"), "--quiet"], check=True)
    failed = 0
    fuzzers = _build(arguments.targets or targets())
    for target, fuzzer in fuzzers.items():
        words, passed = _fuzz(target, fuzzer, arguments.seconds)
        failed += not passed
        print(f"{target}: {words}", flush=True)
        if arguments.keep and passed:
            _keep(target, fuzzer)
    print(f"{len(fuzzers) - failed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
