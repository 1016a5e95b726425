"""Everything that grows has a stated limit: each container that a class of core/ or net/ keeps says so beside it, in words that can be
looked up. (CONTRIBUTING.md, "A limit".)

    std::deque<Asked> asked_;             // at most orders_max
    std::vector<uint32_t> availability_;  // one for each piece
    absl::btree_set<AgeKey> ages_;        // one for each of sessions
    std::string name_;                    // at most 255 bytes

The words stand in the member's own line or in the comment above it; one comment above several containers in a row is for each of them."""

import re

from . import cpp
from .rules import Finding, exempt, is_cpp

_ROOMS = ("core/", "net/")

# What is made of these states the limit, where it keeps one.
_OF_THEIR_OWNERS = ("core/base/fields.h", "core/base/slot_map.h", "core/tracker/dense_table.h")

_CONTAINER = re.compile(
    r"^(?:mutable\s+)?(?:std::optional<)?"
    r"(?:std::(?:vector|deque|list|map|set|multimap|multiset|unordered_\w+|string|queue|stack|priority_queue)"
    r"|absl::(?:(?:flat|node)_hash_(?:map|set)|btree_(?:multi)?(?:map|set)|InlinedVector)|SlotMap|DenseTable)\b(?!\s*[&*])(?!.*>\s*[&*])"
)
_NAME = re.compile(r"(\w+)\s*(?:=.*|\{.*)?$")

# What there is one of for each of these has the limit of these, which is what stands behind the name.
BOUNDED_WORDS = {
    "piece": "pieces",  # MetainfoLimits
    "file": "kTreeFileLimit",
    "torrent": "torrents",  # Limits, as the next ones
    "claim": "claims",
    "name": "names_per_content",
    "session": "sessions",
    "member": "kMembersMax",
    "peer": "kPeerLimit",
    "client": "connections",  # HttpServerLimits
}

_COUNT = re.compile(r"\b[Aa]t most (?:about )?(?:(?P<number>(?:one|[0-9][0-9,']*)\b)|`?(?:\w+::)*(?P<name>[A-Za-z_]\w*)`?)")
_EACH = re.compile(r"\b(?:[Oo]ne|[Oo]ne bit|[Aa]t most \w+) (?:for each (?:of )?|per )(?P<word>`?\w+`?)")
# Words of the language that the code has, too.
_NO_NAMES = frozenset("a an the as so two half twice once what that these those all each every its of in".split())


def check(tree):
    names = _names(tree)
    for path in sorted(tree):
        if is_cpp(path) and path.startswith(_ROOMS) and path not in _OF_THEIR_OWNERS:
            yield from _check_file(path, tree[path], names)
    for word, name in sorted(BOUNDED_WORDS.items()):
        if _has_rooms(tree) and name not in names:
            yield Finding("tools/linting/limits.py", 1, "limit", f"`{word}` is said to be bounded by {name}, which is not there")


def _has_rooms(tree):
    return any(path.startswith("core/tracker/") for path in tree)


def members(text):
    """(line number, name) of each container that a class keeps: of what ends in `_`, and of records within a class."""
    lines = text.split("\n")
    for statement in cpp.statements(cpp.strip(text)):
        if statement.scope != "class" or not _CONTAINER.match(statement.text):
            continue
        name = _NAME.search(re.sub(r"<.*>", "<>", statement.text))
        if name is None or "(" in statement.text.split("=")[0].split("{")[0]:
            continue
        line = _line_of(lines, statement.line, name.group(1))
        nested = len(lines[line - 1]) - len(lines[line - 1].lstrip()) >= 4
        if name.group(1).endswith("_") or nested:
            yield line, name.group(1)


def _line_of(lines, first, name):
    """Where the statement that begins at `first` names its member."""
    for number in range(first, min(first + 4, len(lines) + 1)):
        if re.search(rf"\b{name}\b", lines[number - 1].split("//")[0]):
            return number
    return first


def _names(tree):
    """Every identifier of the rooms' code, outside of comments."""
    names = set()
    for path in tree:
        if is_cpp(path) and path.startswith(_ROOMS):
            names.update(re.findall(r"[A-Za-z_]\w*", cpp.strip(tree[path])))
    return names


def _check_file(path, text, names):
    lines = text.split("\n")
    found = list(members(text))
    container_lines = {line for line, _ in found}
    for line, name in found:
        said = _comments_of(lines, line, container_lines)
        if _states(said, names) or exempt(lines, line, "limit"):
            continue
        yield Finding(path, line, "limit", f"{name} states no limit: say `at most LIMIT` or `one for each THING` beside it")


def _comments_of(lines, line, container_lines):
    """The member's own comment, with its continuation, and the one above it or above the containers in a row before it."""
    own = [_comment(lines[line - 1])]
    below = line
    while below < len(lines) and own[-1] and re.match(r"\s{20,}// ", lines[below]):
        own.append(_comment(lines[below]))
        below += 1
    above = line - 1
    # A statement may begin lines before its name.
    while above in container_lines or (above >= 1 and re.match(r"\s+[\w:]+<[^;]*$", lines[above - 1])):
        above -= 1
    while above >= 1 and lines[above - 1].lstrip().startswith("//"):
        own.insert(0, _comment(lines[above - 1]))
        above -= 1
    return " ".join(own)


def _comment(line):
    match = re.search(r"//\s?(.*)$", line)
    return match.group(1).strip() if match else ""


def _states(said, names):
    for match in _COUNT.finditer(said):
        name = match.group("name")
        if match.group("number") or (name in names and name not in _NO_NAMES):
            return True
    for match in _EACH.finditer(said):
        word = match.group("word").strip("`")
        if word in BOUNDED_WORDS or ("`" in match.group("word") or "_" in word) and word in names:
            return True
    return False
