#!/usr/bin/env -S python3 -B
"""docs/tutorial.md, as its reader types it: every block of commands runs and shows what the page says it shows.

Its first block, which builds, is compared with what Bazel has built for this test; programs lie where that block would have put them. The last
section, which builds in another workspace, is `tools/nightly --part=outside`.
"""

import os
import re
import subprocess
import sys
import tempfile

TOP = os.path.join(os.environ["TEST_SRCDIR"], os.environ["TEST_WORKSPACE"])
sys.path.insert(0, os.path.join(TOP, "tools"))
# pylint: disable=wrong-import-position
from pages import blocks

PAGE = os.path.join(TOP, "docs", "tutorial.md")
EXAMPLE = "examples/lock_service"
PROGRAMS = ("simrun", "lock_node")
MARK = "== block "


def network_of_its_own():
    """What a command begins with so that its ports are nobody else's; nothing where the kernel does not allow it."""
    for unshare in (["unshare", "--net"], ["unshare", "--user", "--map-root-user", "--net"]):
        alone = [*unshare, "sh", "-c", 'ip link set lo up && exec "$@"', "sh"]
        try:
            if subprocess.run([*alone, "true"], capture_output=True, check=False).returncode == 0:
                return alone
        except OSError:
            pass
    return []


def run_page(folder, typed):
    """What each block has said."""
    place = os.path.join(folder, "out", "bin", EXAMPLE)
    os.makedirs(place)
    for program in PROGRAMS:
        os.symlink(os.path.join(TOP, EXAMPLE, program), os.path.join(place, program))
    script = "".join(f"echo '{MARK}'\n{block}" for block in typed)
    environment = {key: value for key, value in os.environ.items() if key != "BUILD_WORKING_DIRECTORY"}
    result = subprocess.run(
        [*network_of_its_own(), "bash", "-c", script], cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False, timeout=280
    )
    return result.stdout.split(MARK + "\n")[1:]


def tokens(said):
    """The tokens by which nodes have held the lock, by node."""
    return [(int(node), int(token)) for node, token in re.findall(r"^node (\d): Holds\{token=(\d+)\}$", said, re.MULTILINE)]


class Tutorial:
    def __init__(self, folder):
        self.wrong = []
        self.folder = folder
        self.typed = blocks(PAGE)
        built = self.typed.pop(0)
        self.judge(built.strip() == "tools/setup && bazel build " + " ".join(f"//{EXAMPLE}:{program}" for program in PROGRAMS), "the page builds what is used", built)
        self.said = run_page(folder, self.typed)
        self.judge(len(self.said) == len(self.typed), "every block is run", "".join(self.said))

    def judge(self, condition, what, said):
        if not condition:
            self.wrong.append(f"{what}: {said}")

    def block(self, words):
        """What the blocks with these words have said, of each one."""
        found = [said for typed, said in zip(self.typed, self.said) if words in typed]
        self.judge(found, f"there is a block with {words!r}", "")
        return found or [""]

    def file(self, name):
        path = os.path.join(self.folder, "out", "tutorial", name)
        try:
            with open(path, encoding="utf-8") as file:
                return file.read()
        except OSError as error:
            return str(error)

    def sweeps(self):
        said = self.block("--scenario=lock_service")[0]
        self.judge("500 seeds, each run twice" in said and "first seed" not in said, "the right service passes", said)
        said = self.block("--scenario=no_margin --first-seed=1")[0]
        order = [said.find(words) for words in ("\nexclusion: ", "the last events:", "\nreplay:  simrun replay ", "\nshrink:  simrun shrink ", "\nview:    simrun view ")]
        self.judge(-1 not in order and order == sorted(order), "a failure is told in order", said)
        said = self.block("--scenario=keepers_clock")[0]
        self.judge("exclusion: " in said, "a clock that is read elsewhere is found", said)

    def one_run(self):
        said = self.block("replay --scenario=no_margin")[0]
        self.judge("exclusion: " in said and re.search(r"digest [0-9a-f]{16}$", said.strip()), "a replay fails as the sweep did", said)
        self.judge(self.file("run.txt").count("\n") > 100, "the trace has every step", self.file("run.txt")[:1000])
        said = self.block("shrink")[0]
        sizes = re.findall(r"^(?:before|after): .*?(\d+) decisions", said, re.MULTILINE)
        self.judge(len(sizes) == 2 and int(sizes[1]) * 4 < int(sizes[0]), "the case is smaller", said)
        self.judge(len(re.findall(r"^exclusion: ", said, re.MULTILINE)) == 2, "and fails in the same way when it is replayed", said)
        said = self.block("view --case")[0]
        self.judge("small.html: " in said and "<script" in self.file("small.html"), "there is a picture", said)
        self.judge("exclusion: " in self.file("small.html"), "with the judge's finding", said)
        self.judge("futures" in said, "why is told", said)

    def printed_commands(self):
        """What the failing sweep has printed works as printed."""
        said = self.block("--scenario=no_margin --first-seed=1")[0]
        place = os.path.join(self.folder, "out", "bin", EXAMPLE)
        environment = {**os.environ, "PATH": place + ":" + os.environ["PATH"]}
        environment.pop("BUILD_WORKING_DIRECTORY", None)
        for verb, status, words in (("replay", 1, "exclusion: "), ("view", 0, "exclusion: ")):
            command = re.search(rf"^{verb}: +(.*)$", said, re.MULTILINE)
            if command is None:
                continue
            result = subprocess.run(["sh", "-c", command.group(1)], cwd=self.folder, env=environment, capture_output=True, text=True, check=False, timeout=60)
            self.judge(result.returncode == status and words in result.stdout, command.group(0), result.stdout + result.stderr)

    def real_nodes(self):
        first, second = self.block("lock_node")
        for said in (first, second):
            held = tokens(said)
            self.judge({node for node, _ in held} <= {2, 3} and held, "nodes hold the lock", said)
            numbers = [token for _, token in sorted(held, key=lambda each: each[1])]
            self.judge(len(set(numbers)) == len(numbers), "each token once", said)
        self.judge(min(token for _, token in tokens(second) or [(0, 0)]) > max(token for _, token in tokens(first) or [(0, 0)]), "tokens go on", first + second)


def main():
    with tempfile.TemporaryDirectory(dir=os.environ.get("TEST_TMPDIR")) as folder:
        tutorial = Tutorial(folder)
        tutorial.sweeps()
        tutorial.one_run()
        tutorial.printed_commands()
        tutorial.real_nodes()
    for line in tutorial.wrong:
        print(line, file=sys.stderr)
    return 1 if tutorial.wrong else 0


if __name__ == "__main__":
    sys.exit(main())
