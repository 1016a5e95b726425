"""Who may use whom. One table, checked four times: against every #include, against the deps and the visibility of every
BUILD file (Bazel then enforces the visibility), against the package groups at the top, and against ARCHITECTURE.md. An
arrow that nothing uses is reported, so the table stays as tight as the code allows."""

import ast
import re

from . import cpp
from .rules import Finding, is_cpp

# room -> rooms it may use beside itself. "*" stands for everything.
ALLOWED = {
    "core/base": [],
    "core/machine": ["core/base"],
    "core/torrent": ["core/base"],
    "core/wal": ["core/base", "core/machine"],
    "core/paxos": ["core/base", "core/machine"],
    "core/tracker_api": ["core/base", "core/torrent"],
    "core/swarm": ["core/base", "core/machine", "core/torrent", "core/tracker_api"],
    "core/tracker": ["core/base", "core/machine", "core/torrent", "core/paxos", "core/tracker_api"],
    "sim": ["core/base", "core/machine", "core/wal"],
    "sim/check": ["core/base", "core/torrent", "core/tracker_api", "core/paxos", "sim"],
    "sim/explore": ["core/base", "core/machine", "core/paxos", "sim/check"],
    "sim/scenarios": ["core/base", "core/torrent", "core/tracker_api", "core/swarm", "core/tracker", "sim", "sim/check"],
    "net": ["core/base", "core/machine", "core/wal"],
    "nodes": ["core/base", "core/machine", "core/torrent", "core/wal", "core/paxos", "core/tracker_api", "core/swarm", "core/tracker", "net"],
    "framework": ["core/base", "core/machine", "net", "sim", "tools"],
    "examples": ["framework"],
    "tests": ["*"],
    "tools": ["*"],
    "third_party": [],
}
# Rooms whose targets anyone may use.
PUBLIC = {"third_party", "tools", "tests", "framework"}
# The room of libraries without code: it opens others to people outside, and to those who live like them.
DOOR = "framework"
_PAGE = "ARCHITECTURE.md"
_GROUPS = "BUILD.bazel"


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


def may_include(user, used):
    """Who depends on the front door may include whatever it opens."""
    return permitted(user, used) or (DOOR in ALLOWED.get(user, []) and permitted(DOOR, used))


def check(tree):
    for path in sorted(tree):
        if is_cpp(path):
            yield from _check_includes(path, tree)
        elif path.endswith("BUILD.bazel"):
            yield from _check_build(path, tree[path])


def check_table(tree):
    """The table against the whole tree, the package groups and the page."""
    yield from _check_unused(tree)
    yield from _check_groups(tree.get(_GROUPS, ""))
    yield from _check_page(tree.get(_PAGE, ""))


def _check_unused(tree):
    used = {(room(path), room(name)) for path in tree if is_cpp(path) for _, name, system in cpp.includes(tree[path]) if not system}
    used |= {(room(path), _label_room(node.value)) for path in tree if path.endswith("BUILD.bazel") for node in _dependencies(tree[path])}
    present = {room(path) for path in tree}
    for user, targets in ALLOWED.items():
        for target in targets:
            if user in present and target != "*" and (user, target) not in used:
                yield Finding("tools/linting/arrows.py", 1, "arrows", f"no file of {user} includes {target}: take the arrow out of the table")


def _dependencies(text):
    """The labels in `deps` of a BUILD file; none of one that cannot be read, which _check_build reports."""
    try:
        module = ast.parse(text)
    except SyntaxError:
        return
    for keyword in (keyword for node in ast.walk(module) if isinstance(node, ast.Call) for keyword in node.keywords if keyword.arg == "deps"):
        yield from (node for node in ast.walk(keyword.value) if isinstance(node, ast.Constant) and isinstance(node.value, str))


def group(name):
    """The package group of all who may use a room."""
    return "users_of_" + name.replace("/", "_")


def users(name):
    """The packages that may use a room, as a package group spells them."""
    rooms = [user for user in ALLOWED if user == name or permitted(user, name)]
    # A room with rooms inside it is its own package alone.
    packages = {f"//{user}" if any(other.startswith(user + "/") for other in ALLOWED) else f"//{user}/..." for user in rooms}
    # Tests that people type as //sim:... lie in the package //sim.
    if name.startswith("sim/"):
        packages.add("//sim")
    return packages


def _check_groups(text):
    found = {}
    for call in (node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Call)):
        if isinstance(call.func, ast.Name) and call.func.id == "package_group":
            values = {keyword.arg: ast.literal_eval(keyword.value) for keyword in call.keywords}
            found[values["name"]] = (call.lineno, set(values["packages"]))
    for name in ALLOWED:
        if name in PUBLIC:
            continue
        line, packages = found.pop(group(name), (1, set()))
        for package in sorted(users(name) ^ packages):
            word = "lacks" if package in users(name) else "must not hold"
            yield Finding(_GROUPS, line, "arrows", f"package group {group(name)} {word} {package}")
    for name, (line, _) in found.items():
        yield Finding(_GROUPS, line, "arrows", f"package group {name} belongs to no room")


def _check_page(text):
    """The table in ARCHITECTURE.md: a line `room -> room, room` for each room with arrows of its own."""
    shown = {}
    for number, line in enumerate(text.split("\n"), 1):
        match = re.fullmatch(r" {4}([a-z_/]+) +-> (.+)", line)
        if match:
            names = {"nothing": [], "everything": ["*"]}.get(match.group(2), match.group(2).split(", "))
            shown[match.group(1)] = (number, names)
    for name, targets in ALLOWED.items():
        number, names = shown.pop(name, (1, None))
        if names is None or sorted(names) != sorted(targets):
            told = "nothing" if not targets else "everything" if targets == ["*"] else ", ".join(targets)
            yield Finding(_PAGE, number, "arrows", f"the table of arrows must say: {name} -> {told}")
    for name, (number, _) in shown.items():
        yield Finding(_PAGE, number, "arrows", f"{name} is no room: the table of arrows is tools/linting/arrows.py")


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
        elif not may_include(user, used):
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
    if node.value == f"//:{group(owner)}":
        return
    if node.value.startswith("//:"):
        yield Finding(path, node.lineno, "arrows", f"{owner} is visible to {node.value}: its own group is //:{group(owner)}")
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
