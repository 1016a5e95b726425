#!/usr/bin/env -S python3 -B
"""A mistyped flag, row, target or folder of a tool is named at once with exit status 2, and nothing is built for it."""

import os
import shutil
import subprocess
import sys
import tempfile

TOP = os.path.realpath(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", ".."))
if os.environ.get("TEST_SRCDIR"):
    TOP = os.path.join(os.environ["TEST_SRCDIR"], os.environ["TEST_WORKSPACE"])

# (command, what its words must name)
WRONG = [
    (["tools/demo", "--fault=nonsense"], "nonsense"),
    (["tools/demo", "--peers=0"], "--peers"),
    (["tools/demo", "--frobnicate"], "--frobnicate"),
    (["tools/demo", "no-such-file"], "no-such-file"),
    (["tools/bench", "nonsense"], "nonsense"),
    (["tools/bench", "--frobnicate"], "--frobnicate"),
    (["tools/package", "--frobnicate"], "--frobnicate"),
    (["tools/test", "nonsense"], "nonsense"),
    (["tools/setup", "--frobnicate"], "--frobnicate"),
    (["tools/fuzz", "--frobnicate"], "--frobnicate"),
    (["tools/fuzz", "nonsense"], "nonsense"),
    (["tools/fuzz", "--seconds=0"], "--seconds"),
    (["tools/mutate", "--frobnicate"], "--frobnicate"),
    (["tools/mutate", "100000"], "100000"),
    (["tools/mutate", "--seeds=0"], "--seeds"),
    (["tools/nightly", "--frobnicate"], "--frobnicate"),
    (["tools/nightly", "--part=nonsense"], "nonsense"),
    (["tools/planted", "nonsense"], "nonsense"),
    (["tools/release", "nonsense"], "nonsense"),
    (["tools/release", "1.2.3", "--frobnicate"], "--frobnicate"),
    (["tools/planted", "--sample=0"], "--sample"),
]


def run(command, folder, **environment):
    settings = {**os.environ, **environment}
    return subprocess.run(command, cwd=folder, env=settings, capture_output=True, text=True, check=False, timeout=60)


def planted_checkout(folder):
    """A checkout of one file, with the rules of lint beside it."""
    shutil.copytree(os.path.join(TOP, "tools", "linting"), os.path.join(folder, "tools", "linting"))
    os.makedirs(os.path.join(folder, "attic"))
    with open(os.path.join(folder, "attic", "BUILD.bazel"), "w", encoding="utf-8") as file:
        file.write('cc_library(name = "x", deps = ["//core/base"])\n')
    subprocess.run(["git", "init", "-q", folder], check=True)


def main():
    wrong = []

    def judge(condition, what, result):
        if not condition:
            wrong.append(f"{what}: status {result.returncode}: {result.stdout}{result.stderr}")

    with tempfile.TemporaryDirectory() as folder:
        built = os.path.join(folder, "built")
        bazel = os.path.join(folder, "bazel")
        with open(bazel, "w", encoding="utf-8") as file:
            file.write(f'#!/bin/sh\necho "$@" >>{built}\n')
        os.chmod(bazel, 0o755)
        for command, name in WRONG:
            result = run(command, TOP, BYTETORRENT_BAZEL=bazel)
            judge(result.returncode == 2 and name in result.stderr, " ".join(command), result)
            judge(not os.path.exists(built), f"{' '.join(command)} called the build", result)
        for tool in ("demo", "test", "bench", "setup", "mutate", "package", "planted", "release"):
            result = run([f"tools/{tool}", "--help"], TOP, BYTETORRENT_BAZEL=bazel)
            judge(result.returncode == 0 and f"tools/{tool}" in result.stdout, f"{tool} --help", result)
        planted_checkout(folder)
        lint = [sys.executable, "-B", "-m", "linting.main", "--only", "arrows"]
        tools = os.path.join(folder, "tools")
        result = run([*lint, "nonsense"], tools)
        judge(result.returncode == 2 and "nonsense" in result.stderr, "lint of a path that is not there", result)
        result = run(lint, tools)
        judge(result.returncode == 1 and "attic/ is no room" in result.stdout, "lint of an unknown folder", result)
        result = run([*lint, "linting"], tools)
        judge(result.returncode == 0, "lint of one folder", result)

    for line in wrong:
        print(line, file=sys.stderr)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
