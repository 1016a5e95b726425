#!/usr/bin/env -S python3 -B
"""What bash, zsh and fish complete of both programs, typed into these shells: at each command its own options and no others, as --help says
them, and the commands below it. A shell that is not installed is left out, and stderr says so."""

import os
import pty
import re
import select
import shutil
import subprocess
import sys
import tempfile
import time
import unittest

TOP = os.path.realpath(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", ".."))
if os.environ.get("TEST_SRCDIR"):
    TOP = os.path.join(os.environ["TEST_SRCDIR"], os.environ["TEST_WORKSPACE"])
sys.path.insert(0, os.path.join(TOP, "tests", "end_to_end", "lib"))
# pylint: disable=wrong-import-position
from checkout import wanted
from processes import Binaries

PROGRAMS = ("bytetorrent", "bytetorrent-tracker")
SECONDS = 20


def run(*command, **options):
    return subprocess.run(command, check=True, capture_output=True, text=True, **options).stdout


class Place:
    """A program and the words of a command: what --help says may follow."""

    def __init__(self, path, words):
        self.words = [os.path.basename(path), *words]
        text = run(path, *words, "--help")
        self.options = set(re.findall(r"^  (?:-\w,)?(--[\w-]+)", text, re.MULTILINE))
        listed = re.search(r"^Subcommands:\n((?:  .*\n)+)", text + "\n", re.MULTILINE)
        self.commands = set(re.findall(r"^  ([a-z]\w*)", listed.group(1), re.MULTILINE)) if listed else set()


def places(path, words=()):
    """Of a program, each before those below it."""
    found = [Place(path, words)]
    for command in sorted(found[0].commands):
        found += places(path, [*words, command])
    if words == ["init"]:  # It takes the flags that serving takes.
        found[0].options |= Place(path, []).options
    return found


class HelpTexts(unittest.TestCase):
    def test_a_value_is_one_word_for_people(self):
        """And not what the library that reads the command line has to say of its type, checks and units."""
        for path in (Binaries().client, Binaries().tracker):
            found = places(path)
            texts = {" ".join(place.words): run(path, *place.words[1:], "--help") for place in found}
            texts |= {f"{path} {word}": run(path, *word.split()) for word in ("--manual", "--completion fish", "--completion bash")}
            for what, text in texts.items():
                self.assertGreater(len(text), 100)
                for line in text.splitlines():
                    with self.subTest(what=what, line=line):
                        self.assertNotRegex(line, r":SIZE|:U?INT\b|:FLOAT|:POSITIVE|:\{|\bin \[\d|\b(TEXT|U?INT|FLOAT|BOOLEAN)\b")


class Bash:
    def __init__(self, folder):
        self.folder = folder

    def complete(self, words, typed):
        function = "_" + words[0].replace("-", "_")
        given = " ".join(f"'{word}'" for word in [*words, typed])
        script = f"source {self.folder}/{words[0]}.bash; COMP_WORDS=({given}); COMP_CWORD={len(words)}; {function}; printf '%s\\n' \"${{COMPREPLY[@]}}\""
        return set(run("bash", "-c", script).split())


class Fish:
    def __init__(self, folder):
        self.folder = folder
        self.environment = {**os.environ, "HOME": folder, "XDG_CONFIG_HOME": folder, "XDG_DATA_HOME": folder}

    def complete(self, words, typed):
        script = f"source {self.folder}/{words[0]}.fish; complete --do-complete '{' '.join([*words, typed])}'"
        said = run("fish", "--no-config", "-c", script, env=self.environment, cwd=os.path.join(self.folder, "empty"))
        return {line.split("\t")[0] for line in said.splitlines()}


class Zsh:
    """At a terminal: its completion works nowhere else."""

    # Each list of matches that a completion adds goes into a file; ^X completes what has been typed, and forgets it.
    _SETUP = """unsetopt zle; PS1=; fpath=(%(folder)s $fpath); autoload -Uz compinit; compinit -u -D; setopt zle no_beep
compadd() { local -a found; builtin compadd -A found "$@"; print -rl -- $found >>%(folder)s/found; builtin compadd "$@" }
try() { zle list-choices; BUFFER=; print -r -- . >>%(folder)s/found }; zle -N try; bindkey '^X' try; print . >>%(folder)s/found
"""

    def __init__(self, folder):
        self.folder = folder
        self.found = os.path.join(folder, "found")
        environment = {**os.environ, "HOME": folder, "ZDOTDIR": folder, "TERM": "dumb"}
        ours, theirs = pty.openpty()
        self.terminal = ours
        self.process = subprocess.Popen(
            ["zsh", "-f", "-i"], stdin=theirs, stdout=theirs, stderr=theirs, env=environment, cwd=os.path.join(folder, "empty"), start_new_session=True
        )
        os.close(theirs)
        self._type(self._SETUP % {"folder": folder})

    def close(self):
        self.process.kill()
        self.process.wait()
        os.close(self.terminal)

    def _type(self, text):
        """What has been added since, when the shell has written its dot."""
        open(self.found, "w", encoding="utf-8").close()
        os.write(self.terminal, text.encode())
        deadline = time.monotonic() + SECONDS
        while time.monotonic() < deadline:
            if select.select([self.terminal], [], [], 0.01)[0]:
                os.read(self.terminal, 65536)
            with open(self.found, encoding="utf-8") as file:
                lines = file.read().split("\n")
            if "." in lines:
                return {line for line in lines if line not in ("", ".")}
        raise AssertionError(f"zsh does not answer to {text!r}")

    def complete(self, words, typed):
        return self._type(" ".join([*words, typed]) + "\x18")


class Completions(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        binaries = Binaries()
        cls.places = {path: places(path) for path in (binaries.client, binaries.tracker)}
        cls.folder = tempfile.mkdtemp(dir=os.environ.get("TEST_TMPDIR"))
        cls.addClassCleanup(shutil.rmtree, cls.folder, ignore_errors=True)
        os.mkdir(os.path.join(cls.folder, "empty"))
        for path in cls.places:
            name = os.path.basename(path)
            for shell, file in {"bash": f"{name}.bash", "zsh": f"_{name}", "fish": f"{name}.fish"}.items():
                with open(os.path.join(cls.folder, file), "w", encoding="utf-8") as out:
                    out.write(run(path, "--completion", shell))

    def complete_everything(self, shell):
        for path, found in self.places.items():
            for place in found:
                with self.subTest(place=place.words):
                    self.assertEqual(shell.complete(place.words, "--"), place.options)
                    offered = shell.complete(place.words, "")
                    self.assertLessEqual(place.commands, offered)
                    others = {each.words[-1] for each in found[1:]} - place.commands
                    self.assertFalse(offered & others, "commands of elsewhere are offered")
            self.assertGreater(len(found), 2, path)
        self.assertEqual(shell.complete(["bytetorrent", "cluster"], "trans"), {"transfer"})
        # Behind an option and its value the place is the same.
        self.assertEqual(shell.complete(["bytetorrent", "cluster", "--json", "transfer", "--data-dir", "x"], "--js"), {"--json"})

    def test_bash_completes_commands_and_their_options(self):
        self.complete_everything(Bash(self.folder))

    def test_fish_completes_commands_and_their_options(self):
        if wanted("fish") is None:
            self.skipTest("no fish here")
        self.complete_everything(Fish(self.folder))

    def test_zsh_completes_commands_and_their_options(self):
        if wanted("zsh") is None:
            self.skipTest("no zsh here")
        shell = Zsh(self.folder)
        self.addCleanup(shell.close)
        self.complete_everything(shell)


if __name__ == "__main__":
    unittest.main()
