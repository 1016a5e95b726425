"""Who may use whom. One table, checked twice: against every #include, and against the deps and the visibility of
every BUILD file (Bazel then enforces the visibility)."""

import ast
import re

from . import cpp
from .rules import Finding, is_cpp

_CORE = ["core/base", "core/machine", "core/torrent", "core/wal", "core/paxos", "core/swarm", "core/tracker_api", "core/tracker"]
_FRAMEWORK = ["core/base", "core/machine", "core/wal"]

# room -> rooms it may use beside itself. "*" stands for everything.
ALLOWED = {
    "core/base": [],
    "core/machine": ["core/base"],
    "core/torrent": ["core/base", "core/machine"],
    "core/wal": ["core/base", "core/machine"],
    "core/paxos": ["core/base", "core/machine", "core/torrent", "core/wal"],
    "core/tracker_api": ["core/base", "core/torrent"],
    "core/swarm": ["core/base", "core/machine", "core/torrent", "core/wal", "core/tracker_api"],
    "core/tracker": _CORE,
    "sim": _FRAMEWORK,
    "sim/check": ["sim"] + _CORE,
    "sim/scenarios": ["sim", "sim/check"] + _CORE,
    "net": _FRAMEWORK,
    "nodes": ["net"] + _CORE,
    "tests": ["*"],
    "tools": ["*"],
    "third_party": [],
}
# Rooms whose targets anyone may use.
PUBLIC = {"core/base", "core/machine", "third_party", "tools", "tests"}


def room(path):
    """The room of a path, or None for a file at the top."""
    parts = path.split("/")
    if parts[0] in ("core", "sim") and len(parts) > 2:
        two = "/".join(parts[:2])
        if two in ALLOWED or parts[0] == "core":
            return two
    return parts[0] if len(parts) > 1 else None


def permitted(user, used):
    return user == used or user is None or user in ("tests", "tools") or used in ALLOWED.get(user, [])


def check(tree):
    for path in sorted(tree):
        if is_cpp(path):
            yield from _check_includes(path, tree)
        elif path.endswith("BUILD.bazel"):
            yield from _check_build(path, tree[path])


def _check_includes(path, tree):
    user = room(path)
    if user is not None and user not in ALLOWED:
        yield _unknown(path, user)
        return
    for number, included, system in cpp.includes(tree[path]):
        used = room(included)
        if system:
            if used in ALLOWED:
                yield Finding(path, number, "arrows", f"<{included}> is ours: include it in quotes")
            continue
        if used not in ALLOWED:
            yield Finding(path, number, "arrows", f'"{included}": our headers are included by their path from the top')
        elif not permitted(user, used):
            yield Finding(path, number, "arrows", f"{user} must not include {included}: it may use {_list(user)}")


def _list(user):
    return ", ".join(ALLOWED[user]) or "nothing but itself"


def _unknown(path, user):
    return Finding(path, 1, "arrows", f"{user}/ is no room of the architecture; add it to the table of arrows first")


def _label_room(label):
    match = re.match(r"//([\w./-]*?)(?::|$|/\.\.\.)", label)
    return room(match.group(1) + "/x") if match and match.group(1) else None


def _check_build(path, text):
    owner = room(path)
    if owner is None:
        return
    if owner not in ALLOWED:
        yield _unknown(path, owner)
        return
    try:
        module = ast.parse(text)
    except SyntaxError as error:
        yield Finding(path, error.lineno or 1, "arrows", f"cannot be read: {error.msg}")
        return
    for call in (node for node in ast.walk(module) if isinstance(node, ast.Call)):
        # A test may use anything, wherever it has to lie so that people can type its name (bazel test //sim:...).
        is_test = isinstance(call.func, ast.Name) and call.func.id in ("cc_test", "sh_test", "test_suite")
        for keyword in call.keywords:
            strings = [n for n in ast.walk(keyword.value) if isinstance(n, ast.Constant) and isinstance(n.value, str)]
            for node in strings:
                if keyword.arg in ("deps", "implementation_deps", "data", "srcs") and not is_test:
                    yield from _check_dependency(path, owner, node)
                elif keyword.arg in ("visibility", "default_visibility"):
                    yield from _check_visibility(path, owner, node)


def _check_dependency(path, owner, node):
    used = _label_room(node.value)
    if used and not permitted(owner, used):
        yield Finding(path, node.lineno, "arrows", f"{owner} must not depend on {node.value}: it may use {_list(owner)}")


def _check_visibility(path, owner, node):
    if node.value == "//visibility:public":
        if owner not in PUBLIC:
            yield Finding(path, node.lineno, "arrows", f"{owner} must not be public: name the packages that may use it")
        return
    user = _label_room(node.value)
    if user is None or user == owner or node.value == "//visibility:private":
        return
    wide = node.value.endswith("__subpackages__")
    users = [user] + [name for name in ALLOWED if wide and name.startswith(node.value[2:].split(":")[0] + "/")]
    for each in users:
        # Within sim/ visibility cannot tell the engine's libraries from the tests beside them; their deps are checked.
        inside_sim = owner.startswith("sim/") and (each == "sim" or each.startswith("sim/"))
        if each != owner and not inside_sim and not permitted(each, owner):
            yield Finding(path, node.lineno, "arrows", f"visibility lets {each} use {owner}, which the arrows forbid")
