"""Builds tools/simrun with a changed file or two in seconds: Bazel's own commands for those files alone, linked with the objects it made.

A `Build` is a folder of its own with sources, objects and commands; nothing in it points to the checkout, so a run goes on beside work there.
"""

import contextlib
import json
import os
import shlex
import shutil
import subprocess
import tempfile

_BAZEL = shlex.split(os.environ.get("BYTETORRENT_BAZEL", "bazel"))
_TARGET = "//tools/simrun"
# What has no effect on the object: the file of dependencies, and warnings.
_DROPPED = {"-MD": 0, "-MF": 1, "-o": 1, "-c": 1, "-Wall": 0, "-Wextra": 0}


class BuildFailed(Exception):
    """The compiler or the linker refused; its words."""


def _bazel(top, *arguments):
    run = subprocess.run([*_BAZEL, *arguments], cwd=top, capture_output=True, text=True, check=False)
    if run.returncode != 0:
        raise BuildFailed(f"bazel {arguments[0]} failed:\n{run.stderr.strip()}")
    return run.stdout


def _actions(top, mnemonic, targets):
    query = _bazel(top, "aquery", "--output=jsonproto", f'mnemonic("{mnemonic}", {targets})')
    return [action["arguments"] for action in json.loads(query).get("actions", [])]


def _dependencies(path):
    """The project's own files in a dependency file the compiler wrote."""
    with open(path, encoding="utf-8") as file:
        words = file.read().replace("\\\n", " ").split()
    return [word for word in words[1:] if not word.startswith(("/", "bazel-out/", "external/"))]


@contextlib.contextmanager
def prepared(top, kept=None):
    """The folder of a build of simrun as it is at `top`: `kept`, built there unless it is there already, or one that goes afterwards."""
    with tempfile.TemporaryDirectory(prefix="bytetorrent-build-") as scratch:
        folder = kept or scratch
        if not os.path.exists(os.path.join(folder, "build.json")):
            _prepare(top, folder)
        yield folder


def _prepare(top, folder):
    """Builds simrun as it is at `top` and keeps in `folder` what it takes to build it again with changes."""
    _bazel(top, "build", _TARGET)
    root = _bazel(top, "info", "execution_root").strip()
    (link,) = _actions(top, "CppLink", _TARGET)
    # The last word is a file that repeats the others.
    link = [word for word in link if not word.startswith("@")]
    objects = {word for word in link if word.endswith(".o")}
    commands, includers = {}, {}
    for arguments in _actions(top, "CppCompile", f"deps({_TARGET})"):
        built = arguments[arguments.index("-o") + 1]
        if built not in objects:
            continue
        source = arguments[arguments.index("-c") + 1]
        kept, skip = [], 0
        for word in arguments:
            dropped = skip > 0 or word in _DROPPED
            skip = skip - 1 if skip > 0 else _DROPPED.get(word, 0)
            if not dropped:
                kept.append(word)
        commands[source] = {"command": kept, "object": built}
        for used in _dependencies(os.path.join(root, arguments[arguments.index("-MF") + 1])):
            includers.setdefault(used, []).append(source)
    for name in [*includers, *objects]:
        target = os.path.join(folder, "objects" if name in objects else "tree", name)
        os.makedirs(os.path.dirname(target), exist_ok=True)
        shutil.copyfile(os.path.join(root if name in objects else top, name), target)
    commit = subprocess.run(["git", "describe", "--always", "--dirty"], cwd=top, capture_output=True, text=True, check=False).stdout.strip()
    # The last thing written: a folder without it is not whole.
    with open(os.path.join(folder, "build.json"), "w", encoding="utf-8") as file:
        json.dump({"commit": commit, "commands": commands, "includers": includers, "link": link}, file)


class Build:
    """What prepared() keeps, with a scratch copy of the sources in which files can be changed."""

    def __init__(self, folder):
        with open(os.path.join(folder, "build.json"), encoding="utf-8") as file:
            build = json.load(file)
        self.commit = build["commit"]
        self.includers = build["includers"]
        self._commands = build["commands"]
        self._link = build["link"]
        self._objects = os.path.join(os.path.abspath(folder), "objects")
        self._pristine = os.path.join(os.path.abspath(folder), "tree")
        self._scratch = tempfile.TemporaryDirectory(prefix="bytetorrent-mutate-")
        self._tree = os.path.join(self._scratch.name, "tree")
        shutil.copytree(self._pristine, self._tree)

    def close(self):
        self._scratch.cleanup()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def text(self, path):
        """The unchanged text of a file, or None for what simrun is not built from."""
        try:
            with open(os.path.join(self._pristine, path), encoding="utf-8") as file:
                return file.read()
        except FileNotFoundError:
            return None

    def compile(self, changed):
        """Compiles what `changed`, {path: text}, has an effect on. The result: {object's name: path of the new one}; empty if all
        objects are what they were, byte for byte."""
        affected = sorted({source for path in changed for source in self.includers.get(path, [])})
        try:
            for path, text in changed.items():
                with open(os.path.join(self._tree, path), "w", encoding="utf-8") as file:
                    file.write(text)
            built = {}
            for number, source in enumerate(affected):
                name = self._commands[source]["object"]
                made = os.path.join(self._scratch.name, f"{number}.o")
                # A function that ends without its result is a mistake every compiler names.
                self._run([*self._commands[source]["command"], "-w", "-Werror=return-type", "-c", source, "-o", made])
                if not _same(made, os.path.join(self._objects, name)):
                    built[name] = made
            return built
        finally:
            for path in changed:
                shutil.copyfile(os.path.join(self._pristine, path), os.path.join(self._tree, path))

    def link(self, built):
        """Links simrun with the objects compile() made; the result is the program's path, good until the next call."""
        program = os.path.join(self._scratch.name, "simrun")
        command = []
        for word in self._link:
            if word.endswith(".o"):
                word = built.get(word, os.path.join(self._objects, word))
            elif word.endswith("/simrun"):
                word = program
            command.append(word)
        self._run(command)
        return program

    def _run(self, command):
        run = subprocess.run(command, cwd=self._tree, capture_output=True, text=True, errors="replace", check=False)
        if run.returncode != 0:
            raise BuildFailed(run.stderr.strip())


def _same(one, other):
    with open(one, "rb") as first, open(other, "rb") as second:
        return first.read() == second.read()
