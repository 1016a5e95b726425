"""Rules about files as text: length, words of unfinished work, waits in tests, a README per folder."""

import re

from .rules import Finding, exempt, is_cpp

_FILE_LIMIT, _TEST_FILE_LIMIT = 500, 700
_POLL_LIMIT_US = 10000

# Spelled in parts, so that a search for them does not find this list.
_UNFINISHED = re.compile(
    r"\b(?:" + "|".join(["TO" + "DO", "FIX" + "ME", "X" + "XX", "HA" + "CK", "T" + "BD"]) + r")\b"
    r"|\b[nN]ot (?:yet )?implement" + r"ed\b|(?i:\bunimplement" + r"ed\b|\bfor n" + r"ow\b|\bst" + r"ub(?:s|bed)?\b|\bplacehold" + r"er\b)"
)
_ROOMS_WITH_README = ("core", "sim", "net", "nodes", "tests", "tools")


def check_length(tree):
    for path in sorted(tree):
        if not path.endswith((".cc", ".h", ".py", ".sh", ".bzl")):
            continue
        count = tree[path].count("\n")
        limit = _TEST_FILE_LIMIT if path.startswith("tests/") else _FILE_LIMIT
        if count > limit:
            yield Finding(path, 1, "length", f"{count} lines: a file past {limit} wants a wall")


def check_words(tree):
    for path in sorted(tree):
        if path.startswith("third_party/"):
            continue
        for number, line in enumerate(tree[path].split("\n"), 1):
            match = _UNFINISHED.search(line)
            if match:
                yield Finding(path, number, "words", f"`{match.group(0)}`: finish it, or put it into an issue")


# A file by its name, or a folder by its path from the top, as comments and pages name them.
_NAMED_FILE = re.compile(r"(?<![\w./*{}-])((?:[\w-]+/)*[\w-]+\.(?:h|cc|py|md|sh|bzl))(?![\w*(/{-])")
_NAMED_FOLDER = re.compile(r"(?<![\w./*<-])((?:core|sim|net|nodes|tests|tools|docs|third_party)/(?:[\w-]+/)*)(?![\w.*{<`-])")


def check_references(tree):
    """A file or folder that a comment or a page names is there."""
    names = {path[i:] for path in tree for i in [0] + [m.end() for m in re.finditer("/", path)]}
    folders = {path[: m.end()] for path in tree for m in re.finditer("/", path)}
    for path in sorted(tree):
        if not (is_cpp(path) or path.endswith((".md", ".py", ".sh", ".bazel"))) or path.startswith(("third_party/", "tools/linting/self_test")):
            continue
        lines = tree[path].split("\n")
        for number, line in enumerate(lines, 1):
            told = line if path.endswith(".md") else line[_comment(line) :]
            if exempt(lines, number, "reference"):
                continue
            for name in _NAMED_FILE.findall(told):
                if name not in names:
                    yield Finding(path, number, "reference", f"{name} is not a file of this tree")
            for name in _NAMED_FOLDER.findall(told):
                if name not in folders:
                    yield Finding(path, number, "reference", f"{name} is not a folder of this tree")


def _comment(line):
    """Where the line's comment begins; its end when there is none."""
    match = re.search(r"(?:^|\s)(?://|#)\s", line)
    return match.end() if match and "#include" not in line else len(line)


def check_waits(tree):
    """A test waits for a condition with a deadline; only the shared polling helper may sleep."""
    for path in sorted(tree):
        if not path.startswith("tests/") or path.startswith("tests/end_to_end/lib/"):
            continue
        lines = tree[path].split("\n")
        for number, line in enumerate(lines, 1):
            shell = path.endswith(".sh") and re.search(r"(?:^|[\s;&|(])sleep\s", line)
            python = path.endswith(".py") and re.search(r"\btime\.sleep\s*\(", line)
            native = is_cpp(path) and not _polls(lines, number) and re.search(r"\b(?:sleep_for|sleep_until|usleep|nanosleep|SleepFor)\b|(?<!\w)sleep\s*\(", line)
            if (shell or python or native) and not exempt(lines, number, "wait"):
                yield Finding(path, number, "wait", "a fixed sleep in a test: poll for the condition with a deadline")


def _polls(lines, number):
    """True for the short pause of a loop that looks again and again."""
    pause = re.search(r"\busleep\((\d+)\)", lines[number - 1])
    return pause and int(pause.group(1)) <= _POLL_LIMIT_US and any("while (" in line for line in lines[max(0, number - 12) : number])


def check_readmes(tree):
    folders = {path.split("/")[0] for path in tree if "/" in path}
    for folder in _ROOMS_WITH_README:
        if folder in folders and f"{folder}/README.md" not in tree:
            yield Finding(f"{folder}/README.md", 1, "readme", f"{folder}/ has no README.md")


def check_headers(tree):
    for path in sorted(tree):
        if not path.endswith(".h"):
            continue
        lines = [line for line in tree[path].split("\n") if line.strip()]
        if "#pragma once" not in lines[:3]:
            yield Finding(path, 1, "header-opening", "a header begins with #pragma once")
        elif not any(line.startswith("//") for line in lines[:3]):
            yield Finding(path, 2, "header-opening", "a header opens by saying what it is for and who may call it")
