"""What clang-tidy knows better than text does: functions that are too long, and members that are left as the memory was.

A file's findings are kept in out/tidy.json under a digest of the file and of all it includes of ours: only what changed is read again."""

import hashlib
import json
import os
import re
import subprocess
from concurrent.futures import ThreadPoolExecutor

from . import cpp
from .rules import Finding

_FUNCTION_LIMIT = 60
_CONFIG = json.dumps(
    {
        "Checks": "-*,readability-function-size,cppcoreguidelines-pro-type-member-init",
        "HeaderFilterRegex": "(^|/)(core|sim|net|nodes|tools)/",
        "CheckOptions": [
            {"key": "readability-function-size.LineThreshold", "value": str(_FUNCTION_LIMIT)},
            {"key": "readability-function-size.StatementThreshold", "value": "100000"},
        ],
    }
)
_FLAGS = ["-std=c++20", "-x", "c++"]
_CACHE = "out/tidy.json"
_WARNING = re.compile(r"^(\S+?):(\d+):\d+: (?:warning|error): (.*) \[([\w.-]+)(?:,.*)?\]$", re.MULTILINE)


def _digest(path, tree, known):
    """Of the file, of every file of ours it includes, and of what clang-tidy is told."""
    seen, waiting = set(), [path]
    while waiting:
        name = waiting.pop()
        if name in seen or name not in tree:
            continue
        seen.add(name)
        if name not in known:
            known[name] = [included for _, included, system in cpp.includes(tree[name]) if not system]
        waiting += known[name]
    whole = hashlib.sha256(_CONFIG.encode())
    for name in sorted(seen):
        whole.update(name.encode() + b"\0" + tree[name].encode() + b"\0")
    return whole.hexdigest()


def _wanted(path, rule):
    """Uninitialised buffers of the edges are filled by the kernel; in core/ they would make a run depend on the memory."""
    return rule != "cppcoreguidelines-pro-type-member-init" or path.startswith("core/")


def run(root, path):
    """[path, line, message] of each finding in one file and the headers it includes."""
    command = ["clang-tidy", "--quiet", f"--config={_CONFIG}", path, "--", *_FLAGS, "-iquote", root]
    output = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False).stdout
    found = []
    for name, line, message, rule in _WARNING.findall(output):
        name = os.path.relpath(os.path.join(root, name), root)
        if _wanted(name, rule):
            found.append([name, int(line), f"{message} [{rule}]"])
    return found


def _read_cache(root):
    try:
        with open(os.path.join(root, _CACHE), encoding="utf-8") as file:
            return json.load(file)
    except (OSError, ValueError):
        return {}


def _write_cache(root, cache):
    path = os.path.join(root, _CACHE)
    try:
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path + ".new", "w", encoding="utf-8") as file:
            json.dump(cache, file)
        os.replace(path + ".new", path)
    except OSError:
        pass  # A cache that cannot be kept costs time alone.


def check(root, tree):
    sources = [path for path in sorted(tree) if path.endswith(".cc") and path.startswith(("core/", "sim/", "net/", "nodes/", "tools/"))]
    old, known = _read_cache(root), {}
    digests = {path: _digest(path, tree, known) for path in sources}
    missing = [path for path in sources if digests[path] not in old]
    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        fresh = dict(zip(missing, pool.map(lambda path: run(root, path), missing)))
    cache = {digests[path]: fresh[path] if path in fresh else old[digests[path]] for path in sources}
    if missing:
        _write_cache(root, cache)
    for path, line, message in sorted({tuple(found) for results in cache.values() for found in results}):
        yield Finding(path, line, "tidy", message)
