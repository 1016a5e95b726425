"""Rules that other programs know: clang-format, shellcheck, Python's own parser. They read files, not the tree."""

import os
import re
import subprocess
from concurrent.futures import ThreadPoolExecutor

from .rules import Finding, is_cpp


def _batches(items, count):
    return [items[i::count] for i in range(count) if items[i::count]]


def check_format(root, paths):
    sources = [path for path in paths if is_cpp(path)]

    def run(batch):
        return subprocess.run(
            ["clang-format", "--dry-run", "--ferror-limit=1", *batch], cwd=root, capture_output=True, text=True, check=False
        ).stderr

    with ThreadPoolExecutor() as pool:
        for text in pool.map(run, _batches(sources, os.cpu_count() or 1)):
            seen = set()
            for match in re.finditer(r"^(\S+?):(\d+):\d+: (?:warning|error): code should be clang-formatted", text, re.MULTILINE):
                path = os.path.relpath(os.path.join(root, match.group(1)), root)
                if path not in seen:
                    seen.add(path)
                    yield Finding(path, int(match.group(2)), "format", f"run clang-format -i {path}")


def is_shell(path, text):
    return path.endswith(".sh") or re.match(r"#!.*\b(?:ba)?sh\b", text) is not None


def check_shell(root, tree):
    scripts = [path for path in sorted(tree) if is_shell(path, tree[path])]
    if not scripts:
        return
    output = subprocess.run(
        ["shellcheck", "--format=gcc", "--external-sources", "--exclude=SC1091", *scripts], cwd=root, capture_output=True, text=True, check=False
    ).stdout
    for match in re.finditer(r"^([^:\n]+):(\d+):\d+: \w+: (.*)$", output, re.MULTILINE):
        yield Finding(match.group(1), int(match.group(2)), "shellcheck", match.group(3))


def is_python(path, text):
    return path.endswith(".py") or re.match(r"#!.*\bpython3?\b", text) is not None


def check_python(tree):
    for path in sorted(tree):
        if is_python(path, tree[path]):
            try:
                compile(tree[path], path, "exec")
            except SyntaxError as error:
                yield Finding(path, error.lineno or 1, "python", error.msg)
