"""core/ decides and does nothing else: no clock, thread, socket, file, environment, global, hidden randomness or
floating point; nothing that depends on an address. (Members without a value: tidy.py.)"""

import re

from . import cpp
from .rules import Finding, exempt, is_cpp

# Standard headers whose very use is a breach, each with what it would bring in.
_BANNED_HEADERS = {
    "chrono": "a clock", "ctime": "a clock", "time.h": "a clock",
    "thread": "threads", "mutex": "locks", "shared_mutex": "locks", "condition_variable": "locks", "future": "threads",
    "atomic": "threads", "semaphore": "locks", "latch": "locks", "barrier": "locks", "stop_token": "threads",
    "random": "hidden randomness", "fstream": "files", "filesystem": "files", "iostream": "files", "istream": "files",
    "ostream": "files", "csignal": "signals", "locale": "the environment", "coroutine": "hidden control flow",
}  # fmt: skip
_BANNED_ABSEIL = {"absl/time/": "a clock", "absl/synchronization/": "locks", "absl/random/": "hidden randomness",
                  "absl/flags/": "globals", "absl/base/call_once": "locks", "absl/debugging/": "signals"}  # fmt: skip
# The only places in core/ that may reach past the language: text of IP addresses, digests, the last words of CHECK.
_ALLOWED_SYSTEM = {
    ("core/base/address.cc", "arpa/inet.h"),
    ("core/base/digest.cc", "openssl/sha.h"),
    ("core/torrent/sha1.cc", "openssl/evp.h"),
    ("core/base/digest.cc", "xxhash.h"),
    ("core/base/digest.h", "xxhash.h"),
}
_ALLOWED_STDIO = {"core/base/check.cc"}
_STANDARD = set(
    """algorithm any array bit bitset cassert cctype cerrno cfloat charconv cinttypes climits compare concepts cstddef
    cstdint cstdio cstdlib cstring deque exception expected forward_list functional initializer_list iomanip ios iosfwd
    iterator limits list map memory memory_resource new numbers numeric optional queue ranges ratio regex scoped_allocator
    set source_location span sstream stack stdexcept string string_view system_error tuple type_traits typeindex typeinfo
    unordered_map unordered_set utility valarray variant vector version""".split()
)

_WORDS = [
    ("clock", r"\b(?:system|steady|high_resolution)_clock\b|\babsl::(?:Now|GetCurrentTimeNanos)\b|\bclock_gettime\b"
              r"|\bgettimeofday\b|(?<![\w.>:])(?:std::)?time\s*\(\s*(?:nullptr|NULL|0|&)|\b__?rdtscp?\b|\bstd::clock\b",
     "reads a clock; take `now` from the context"),
    ("thread", r"\bstd::(?:thread|jthread|async|promise|future|atomic\w*)\b|\bpthread_\w+|\bvolatile\b",
     "uses threads; a machine runs one step at a time"),
    ("lock", r"\bstd::(?:mutex|shared_mutex|recursive_mutex|lock_guard|unique_lock|scoped_lock|condition_variable\w*"
             r"|call_once|once_flag)\b|\babsl::(?:Mutex\w*|CondVar|Notification|once_flag|call_once)\b",
     "takes a lock; a machine shares nothing"),
    ("sleep", r"\b(?:u|nano)?sleep(?:_for|_until)?\s*\(|\bSleepFor\b", "sleeps; arm a timer"),
    ("environment", r"\b(?:secure_)?(?:get|set|put|unset)env\b", "reads the environment; take a Config"),
    ("socket", r"(?<![\w.>])(?:::)?(?:socket|connect|accept4?|recv(?:from|msg)|send(?:to|msg|file)|epoll_\w+|getaddrinfo)\s*\("
               r"(?=[^)]*(?:AF_|SOCK_|fd\b|nullptr|sockaddr))",
     "touches a socket; ask the host through the outbox"),
    ("file", r"\bstd::(?:[io]?fstream|filesystem|cout|cerr|clog|cin)\b|\b(?:f|fd|fre)open\s*\(|\bFILE\s*\*"
             r"|(?<![\w.>:])(?:::)(?:open|read|write|pread|pwrite|fsync|unlink|rename|mmap)\s*\("
             r"|\b(?:std::)?(?:f?printf|fputs|puts|fwrite|fread)\s*\(",
     "does input or output; ask the host through the outbox"),
    ("global", r"\bthread_local\b", "keeps state outside the machine"),
    ("random", r"\brandom_device\b|\b\w+_distribution\b|\babsl::(?:BitGen|InsecureBitGen|Uniform|Bernoulli)\b"
               r"|(?<![\w.>:])(?:std::)?s?rand\s*\(|\b[dlm]rand48\b|\bmt19937(?:_64)?\b|\bminstd_rand0?\b|\bgetrandom\b|\bRAND_bytes\b",
     "draws randomness that no seed determines; use Rng"),
    ("floating-point", r"\b(?:float|double)\b|(?<![\w.])\d+\.\d+(?:[eE][-+]?\d+)?[fFlL]?\b|\bstd::(?:sqrt|pow|log2?|exp|lround)\b",
     "computes in floating point; use integers and integer ratios"),
    ("pointer-order", r"\breinterpret_cast<\s*(?:std::)?u?intptr_t\b|\bstd::(?:hash|less|greater)<[^<>]*\*\s*>"
                      r"|\b(?:std::(?:map|set|unordered_map|unordered_set|multimap|multiset)|absl::(?:flat_hash_map|flat_hash_set"
                      r"|node_hash_map|node_hash_set|btree_map|btree_set))<\s*(?:const\s+)?[\w:]+(?:<[^<>]*>)?(?:\s+const)?\s*\*",
     "orders or hashes by address, which differs from run to run"),
]  # fmt: skip
_WORDS = [(rule, re.compile(pattern), message) for rule, pattern, message in _WORDS]

_HASH = r"(?:absl::(?:flat|node)_hash_(?:map|set)|std::unordered_(?:multi)?(?:map|set))"


def _balanced(text, start):
    """Index after the '>' that closes the '<' at start, or -1."""
    depth = 0
    for i in range(start, min(len(text), start + 2000)):
        if text[i] == "<":
            depth += 1
        elif text[i] == ">":
            depth -= 1
            if depth == 0:
                return i + 1
    return -1


def _hash_names(stripped):
    """Names of variables, members, parameters and functions whose type is a hash container, aliases followed."""
    types = [(m.start(), m.end()) for m in re.finditer(_HASH + r"\s*(?=<)", stripped)]
    aliases, names = set(), set()
    for start, end in types:
        close = _balanced(stripped, end)
        if close < 0:
            continue
        alias = re.search(r"using\s+(\w+)\s*=\s*$", stripped[:start])
        if alias:
            aliases.add(alias.group(1))
        name = re.match(r"\s*(?:const)?\s*[&*]?\s*(\w+)", stripped[close:])
        if name and name.group(1) not in ("const", "operator"):
            names.add(name.group(1))
    for alias in aliases:
        for match in re.finditer(rf"\b{alias}\b\s*[&*]?\s+?[&*]?(\w+)\s*[;{{=,)(]", stripped):
            names.add(match.group(1))
    return names


def _iterations(stripped, names):
    for name in names:
        word = re.escape(name)
        patterns = [
            rf"for\s*\([^;(){{}}]*?(?<!:):(?!:)\s*(?:\*|&)?(?:[\w\]\[>.()-]+(?:\.|->))?{word}(?:\(\))?\s*\)",
            rf"\b{word}(?:\(\))?\s*(?:\.|->)\s*c?r?begin\s*\(",
            rf"\b(?:std::)?(?:begin|ranges::\w+)\s*\(\s*[\w.>-]*\b{word}\b",
            rf"\berase_if\s*\(\s*[\w.>-]*\b{word}\b",
        ]
        for pattern in patterns:
            for match in re.finditer(pattern, stripped):
                yield stripped.count("\n", 0, match.start()) + 1, name


def _room(path):
    return path.rsplit("/", 1)[0]


_NOT_VARIABLE = re.compile(
    r"^(?:using|typedef|namespace|class|struct|union|enum|template|static_assert|friend|extern|return|delete|throw|goto|break"
    r"|continue|case|default|if|else|for|while|do|switch|public|private|protected|concept|requires|asm|explicit|virtual)\b"
)


def _state_outside(statement):
    """True for a mutable variable that outlives the call or belongs to no object."""
    text = re.sub(r"\[\[[^\]]*\]\]", "", statement.text).strip()
    immutable = re.search(r"\b(?:constexpr|constinit const|consteval)\b", text) or re.search(
        r"^(?:inline |static )*const\b(?![^=({]*\*\s*\w+\s*(?:=|\{|$))", text
    )
    if statement.scope == "namespace":
        if _NOT_VARIABLE.match(text) and not text.startswith("extern "):
            return False
        if immutable or re.match(r"^[A-Z_]+\s*\(", text):
            return False
        head = re.split(r"=|\{", text)[0]
        return bool(re.match(r"^(?:inline |static |extern )*[\w:<>,*&\s]+\s[*&]?\w+(?:\[[^\]]*\])*\s*$", head)) and "(" not in head
    if re.match(r"^(?:inline )?static\b", text) and not immutable:
        head = re.split(r"=|\{", text)[0]
        return "(" not in head or statement.scope == "function" and re.search(r"\s\w+\(", head) is not None
    return False


def check(tree):
    stripped = {path: cpp.strip(text) for path, text in tree.items() if path.startswith("core/") and is_cpp(path)}
    hash_names = {path: _hash_names(text) for path, text in stripped.items()}
    for path in sorted(stripped):
        names = _visible_names(path, stripped[path], hash_names)
        yield from _check_file(path, tree[path], stripped[path], names)


def _visible_names(path, stripped, hash_names):
    """Members end in an underscore by convention, so only those are followed through the file's own headers."""
    names = set(hash_names[path])
    for _, included, system in cpp.includes(stripped):
        if not system and included in hash_names:
            same_room = _room(included) == _room(path)
            names.update(name for name in hash_names[included] if name.endswith("_") or same_room)
    return names


def _check_file(path, text, stripped, hash_names):
    lines = text.split("\n")

    def finding(number, rule, message):
        if not exempt(lines, number, rule):
            yield Finding(path, number, rule, message)

    for number, header, system in cpp.includes(text):
        if not system or (path, header) in _ALLOWED_SYSTEM:
            continue
        if header in _BANNED_HEADERS:
            yield from finding(number, "header", f"<{header}> brings in {_BANNED_HEADERS[header]}")
        elif header.startswith("absl/"):
            for prefix, what in _BANNED_ABSEIL.items():
                if header.startswith(prefix):
                    yield from finding(number, "header", f"<{header}> brings in {what}")
        elif header not in _STANDARD:
            yield from finding(number, "header", f"<{header}> is neither the standard library nor Abseil")

    for number, line in enumerate(stripped.split("\n"), 1):
        if line.lstrip().startswith("#include"):
            continue
        for rule, pattern, message in _WORDS:
            if rule == "file" and path in _ALLOWED_STDIO:
                continue
            match = pattern.search(line)
            if match:
                yield from finding(number, rule, f"`{match.group(0).strip()}` {message}")

    for number, name in sorted(set(_iterations(stripped, hash_names))):
        yield from finding(number, "hash-order", f"iterates the hash container `{name}`, in an order that differs from run to run")

    for statement in cpp.statements(stripped):
        if _state_outside(statement):
            yield from finding(statement.line, "global", f"`{statement.text[:60]}` is state outside the machine")
