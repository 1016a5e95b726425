"""Plants one violation per rule, and near misses, in a tree of its own; each must be reported, or not."""

import os
import tempfile

from . import arrows, limits, programs, purity, text, tidy

_IN_CLASS = "namespace bt {\nstruct Thing {\n  %s\n};\n}  // namespace bt\n"
_IN_FUNCTION = "namespace bt {\nint F() {\n  %s\n  return 0;\n}\n}  // namespace bt\n"
_AT_TOP = "namespace bt {\n%s\n}  // namespace bt\n"
_HASH = "namespace bt {\nclass T {\n  void F() { %s }\n  absl::flat_hash_map<int, std::vector<int>> items_;\n};\n}  // namespace bt\n"

# (rule, planted text, must be reported)
_PURITY = [
    ("header", "#include <chrono>\n", True),
    ("header", "#include <thread>\n", True),
    ("header", "#include <sys/socket.h>\n", True),
    ("header", "#include <unistd.h>\n", True),
    ("header", "#include <boost/beast.hpp>\n", True),
    ("header", "#include <arpa/inet.h>\n", True),
    ("header", "#include <absl/synchronization/mutex.h>\n", True),
    ("header", "#include <absl/container/btree_map.h>\n#include <vector>\n", False),
    ("clock", _IN_FUNCTION % "auto t = std::chrono::steady_clock::now();", True),
    ("clock", _IN_FUNCTION % "auto t = absl::Now();", True),
    ("clock", _IN_FUNCTION % "auto t = time(nullptr);", True),
    ("clock", _IN_FUNCTION % "auto t = context.now; // not steady_clock", False),
    ("thread", _IN_FUNCTION % "std::thread t(F);", True),
    ("thread", _IN_CLASS % "std::atomic<int> count{0};", True),
    ("lock", _IN_CLASS % "std::mutex mutex;", True),
    ("lock", _IN_CLASS % "absl::Mutex mutex;", True),
    ("sleep", _IN_FUNCTION % "std::this_thread::sleep_for(x);", True),
    ("sleep", _IN_FUNCTION % "usleep(3);", True),
    ("environment", _IN_FUNCTION % 'auto* home = std::getenv("HOME");', True),
    ("socket", _IN_FUNCTION % "int fd = socket(AF_INET, SOCK_STREAM, 0);", True),
    ("file", _IN_FUNCTION % 'std::ifstream in("x");', True),
    ("file", _IN_FUNCTION % 'auto* f = fopen("x", "r");', True),
    ("file", _IN_FUNCTION % 'printf("x");', True),
    ("global", _AT_TOP % "int counter = 0;", True),
    ("global", _AT_TOP % "std::string last_error;", True),
    ("global", _AT_TOP % "static absl::btree_map<int, int> cache;", True),
    ("global", _AT_TOP % "const char* name = nullptr;", True),
    ("global", _AT_TOP % "constexpr int kLimit = 3;\ninline constexpr char kName[] = {1, 2};\nconst int kMore = 4;", False),
    ("global", _AT_TOP % "int F(int x);\nusing A = int;\ntemplate <class T>\nT G(T x);", False),
    ("global", _IN_FUNCTION % "static int calls = 0;", True),
    ("global", _IN_FUNCTION % "static const int kCalls = 0;", False),
    ("global", _IN_FUNCTION % "thread_local int calls = 0;", True),
    ("global", _IN_CLASS % "static inline int calls = 0;", True),
    ("global", _IN_CLASS % "static int Calls();", False),
    ("random", _IN_FUNCTION % "std::random_device device;", True),
    ("random", _IN_FUNCTION % "std::uniform_int_distribution<int> die(1, 6);", True),
    ("random", _IN_FUNCTION % "absl::BitGen gen;", True),
    ("random", _IN_FUNCTION % "int x = rand();", True),
    ("floating-point", _IN_FUNCTION % "double ratio = done / all;", True),
    ("floating-point", _IN_FUNCTION % "if (x > y * 0.5) return 1;", True),
    ("floating-point", _IN_FUNCTION % 'CHECK(x); // "1.5 times"', False),
    ("hash-order", _HASH % "for (auto& [k, v] : items_) k;", True),
    ("hash-order", _HASH % "for (auto& entry : this->items_) entry;", True),
    ("hash-order", _HASH % "auto it = items_.begin();", True),
    ("hash-order", _HASH % "for (int x : items_[3]) x;", False),
    ("hash-order", _HASH % "auto it = items_.find(3); if (it == items_.end()) return;", False),
    ("hash-order", "using Index = absl::flat_hash_map<int, int>;\nvoid F(const Index& index) { for (auto& e : index) e; }\n", True),
    ("pointer-order", _IN_CLASS % "absl::btree_map<Peer*, int> peers;", True),
    ("pointer-order", _IN_CLASS % "absl::btree_map<int, Peer*> peers;", False),
    ("pointer-order", _IN_FUNCTION % "auto key = reinterpret_cast<uintptr_t>(p);", True),
]

_ARROWS = [
    ("core/base/x.h", '#include "core/machine/input.h"\n', True),
    ("core/paxos/x.cc", '#include "core/tracker/node.h"\n', True),
    ("core/paxos/x.cc", '#include "core/machine/outbox.h"\n', False),
    ("core/swarm/x.cc", '#include "core/paxos/replica.h"\n', True),
    ("core/tracker/x.cc", '#include "core/tracker_api/tracker_api.h"\n', False),
    ("core/tracker/x.cc", '#include "sim/world.h"\n', True),
    ("core/tracker/x.cc", '#include "net/loop.h"\n', True),
    ("core/tracker/x.cc", '#include "nodes/edge.h"\n', True),
    ("sim/x.cc", '#include "core/tracker/node.h"\n', True),
    ("sim/x.cc", '#include "net/loop.h"\n', True),
    ("sim/check/x.cc", '#include "core/paxos/protocol.h"\n', False),
    ("sim/check/x.cc", '#include "sim/scenarios/a.h"\n', True),
    ("net/x.cc", '#include "sim/world.h"\n', True),
    ("net/x.cc", '#include "core/tracker/node.h"\n', True),
    ("nodes/x.cc", '#include "net/loop.h"\n#include "core/tracker/node.h"\n', False),
    ("nodes/x.cc", '#include "sim/world.h"\n', True),
    ("nodes/x.cc", '#include "edge.h"\n', True),
    ("attic/x.cc", "int x;\n", True),
    ("attic/BUILD.bazel", 'cc_library(name = "x", deps = ["//core/base"])\n', True),
    ("tests/net/x.cc", '#include "sim/world.h"\n#include "net/loop.h"\n', False),
    ("core/paxos/BUILD.bazel", 'cc_library(name = "x", deps = ["//core/tracker"])\n', True),
    ("core/paxos/BUILD.bazel", 'cc_library(name = "x", deps = ["//core/machine", "@system//:absl"])\n', False),
    ("core/paxos/BUILD.bazel", 'package(default_visibility = ["//visibility:public"])\n', True),
    ("core/paxos/BUILD.bazel", 'package(default_visibility = ["//net:__pkg__"])\n', True),
    ("core/paxos/BUILD.bazel", 'package(default_visibility = ["//sim:__subpackages__"])\n', True),
    ("core/paxos/BUILD.bazel", 'package(default_visibility = ["//core/tracker:__pkg__", "//tests:__subpackages__"])\n', False),
    ("net/BUILD.bazel", 'package(default_visibility = ["//visibility:private"])\n', False),
    ("net/BUILD.bazel", 'package(default_visibility = ["//:users_of_net"])\n', False),
    ("net/BUILD.bazel", 'package(default_visibility = ["//:users_of_sim"])\n', True),
    ("sim/BUILD.bazel", 'cc_library(name = "x", deps = ["//sim/scenarios"])\n', True),
    ("sim/BUILD.bazel", 'cc_test(name = "x", deps = ["//sim/scenarios"])\n', False),
    ("net/BUILD.bazel", 'cc_library(name = "x", visibility = ["//nodes:__pkg__"])\n', False),
    ("examples/x.cc", '#include "sim/world.h"\n#include "net/loop.h"\n', False),
    ("examples/x.cc", '#include "core/paxos/protocol.h"\n', True),
    ("examples/BUILD.bazel", 'cc_library(name = "x", deps = ["//framework:simulator"])\n', False),
    ("examples/BUILD.bazel", 'cc_library(name = "x", deps = ["//sim"])\n', True),
    ("framework/BUILD.bazel", 'package(default_visibility = ["//visibility:public"])\n', False),
    ("framework/BUILD.bazel", 'cc_library(name = "x", deps = ["//core/tracker"])\n', True),
]  # fmt: skip


def _table_cases():
    """A tree in which each arrow is used, and what goes wrong when one thing in it changes."""
    tree = {
        f"{user}/x.cc": "".join(f'#include "{used}/x.h"\n' for used in targets if used != "*") for user, targets in arrows.ALLOWED.items()
    }
    told = {(): "nothing", ("*",): "everything"}
    tree["ARCHITECTURE.md"] = "".join(
        f"    {user} -> {told.get(tuple(targets), ', '.join(targets))}\n" for user, targets in arrows.ALLOWED.items()
    )
    tree["BUILD.bazel"] = "".join(
        f'package_group(name = "{arrows.group(name)}", packages = {sorted(arrows.users(name))})\n' for name in arrows.ALLOWED if name not in arrows.PUBLIC
    )
    yield "everything fits", tree, False
    yield "an arrow nothing uses", tree | {"core/wal/x.cc": ""}, True
    deps = [f"//{used}" for used in arrows.ALLOWED["framework"]]
    yield "arrows that only a BUILD file uses", tree | {"framework/x.cc": "", "framework/BUILD.bazel": f"cc_library(deps = {deps})\n"}, False
    yield "a page that draws an arrow more", tree | {"ARCHITECTURE.md": tree["ARCHITECTURE.md"].replace("net -> ", "net -> sim, ")}, True
    yield "a page without a room", tree | {"ARCHITECTURE.md": tree["ARCHITECTURE.md"].replace("core/wal -> ", "core/log -> ")}, True
    yield "a group that lets one more in", tree | {"BUILD.bazel": tree["BUILD.bazel"].replace("'//nodes/...'", "'//nodes/...', '//attic/...'", 1)}, True
    yield "a group that nobody keeps", tree | {"BUILD.bazel": ""}, True


def _reported(findings, rule):
    return any(finding.rule == rule and not finding.warning for finding in findings)


_KEPT = "#pragma once\nclass T {\n  struct Row {\n    int number;\n  };\n  %s\n};\nstruct Limits {\n  int rows_max = 3;\n};\n"


def _limit_cases():
    """(what stands in a class of net/, must be reported)"""
    yield "std::deque<Row> rows_;", True
    yield "std::vector<std::pair<int, Row>> rows_{};  // oldest first", True
    yield "std::string text_;", True
    yield "absl::flat_hash_map<int, std::vector<Row>> rows_;  // at most some", True
    yield "std::deque<Row> rows_;  // at most no_such_limit", True
    yield "std::deque<Row> rows_;  // one for each whim", True
    yield "struct Kept {\n    std::vector<Row> rows;\n  };", True
    yield "std::deque<Row> rows_;  // lint: allow(limit): none", True
    yield "std::deque<Row> rows_;  // oldest first; at most rows_max", False
    yield "std::deque<Row> rows_;  // At most Limits::rows_max.", False
    yield "std::string text_;  // at most 255 bytes", False
    yield "// At most rows_max.\n  std::deque<Row> rows_;\n  std::deque<Row> others_;", False
    yield "// At most rows_max.\n  std::deque<Row> rows_;\n\n  std::deque<Row> others_;", True
    yield "std::vector<int> counts_;  // one for each piece", False
    yield "std::vector<int> rows_;  // at most 3\n  std::vector<int> counts_;  // one for each of rows_", False
    yield "std::deque<Row> rows_;  // lint: allow(limit): whoever makes one states it", False
    yield "std::vector<Row> Rows() const;\n  const std::vector<Row>& rows_;\n  std::span<Row> all_;", False


def _text_cases():
    unfinished = "// TO" + "DO: later\n"
    soon = "// Good enough for n" + "ow.\n"
    yield "length", "core/base/x.cc", "\n" * 501, text.check_length, True
    yield "length", "core/base/x.cc", "\n" * 500, text.check_length, False
    yield "reference", "net/x.cc", "// See net/gone.h.\n", text.check_references, True
    yield "reference", "net/x.cc", "int x;  // as gone.cc does\n", text.check_references, True
    yield "reference", "net/x.cc", "// See x.cc, net/x.cc and *.h.\n#include <gone.h>\n", text.check_references, False
    yield "reference", "README.md", "What docs/ says.\n", text.check_references, True
    yield "reference", "net/x.cc", "// The folder net/ and net/x.cc:3.\n", text.check_references, False
    yield "words", "net/x.cc", unfinished, text.check_words, True
    yield "words", "README.md", soon, text.check_words, True
    yield "words", "net/x.cc", 'case 501: return "Not Implemented";\n', text.check_words, False
    yield "words", "net/x.cc", "// for nowhere, in a hackney carriage\n", text.check_words, False
    yield "wait", "tests/end_to_end/a_test.sh", "sleep 3\n", text.check_waits, True
    yield "wait", "tests/end_to_end/a_test.py", "time.sleep(1)\n", text.check_waits, True
    yield "wait", "tests/net/a_test.cc", "std::this_thread::sleep_for(x);\n", text.check_waits, True
    yield "wait", "tests/net/a_test.cc", "usleep(500);\n", text.check_waits, True
    yield "wait", "tests/net/a_test.cc", "while (!done()) {\n  usleep(2000);\n}\n", text.check_waits, False
    yield "wait", "tests/net/a_test.cc", "while (!done()) {\n  usleep(2000000);\n}\n", text.check_waits, True
    yield "wait", "tests/end_to_end/a_test.py", "wait_until(ready, 30)\n", text.check_waits, False
    yield "readme", "net/x.cc", "", text.check_readmes, True
    yield "header-opening", "net/x.h", "// What it is for.\nint x;\n", text.check_headers, True
    yield "header-opening", "net/x.h", "#pragma once\n\nint x;\n", text.check_headers, True
    yield "header-opening", "net/x.h", "#pragma once\n\n// X: for tests.\nint x;\n", text.check_headers, False
    yield "python", "tools/x.py", "def f(:\n", programs.check_python, True
    yield "python", "tools/x.py", "def f():\n    pass\n", programs.check_python, False


_MEMBER = "struct Thing {\n  Thing() {}\n  int count%s;\n};\nint F() { return Thing().count; }\n"


def _function(lines):
    return "void G();\nvoid F() {\n" + "  G();\n" * (lines - 1) + "}\n"


def _program_cases():
    with tempfile.TemporaryDirectory() as root:

        def plant(name, content):
            with open(os.path.join(root, name), "w", encoding="utf-8") as file:
                file.write(content)
            return {name: content}

        plant(".clang-format", "BasedOnStyle: Google\n")
        yield "format", _reported(programs.check_format(root, list(plant("bad.cc", "int   x ;\n"))), "format"), True
        yield "format", _reported(programs.check_format(root, list(plant("good.cc", "int x;\n"))), "format"), False
        yield "shellcheck", _reported(programs.check_shell(root, plant("bad", "#!/bin/bash\nrm $1/x\n")), "shellcheck"), True
        yield "shellcheck", _reported(programs.check_shell(root, plant("good", '#!/bin/bash\nrm "$1/x"\n')), "shellcheck"), False
        for name, content, expected in [
            ("net/long.cc", _function(61), True),
            ("net/short.cc", _function(60), False),
            ("core/bare.cc", _MEMBER % "", True),
            ("core/set.cc", _MEMBER % " = 0", False),
            ("net/bare.cc", _MEMBER % "", False),
        ]:
            os.makedirs(os.path.join(root, os.path.dirname(name)), exist_ok=True)
            yield "tidy", _reported(tidy.check(root, plant(name, content)), "tidy"), expected
            # A second time from the cache, to the same effect.
            yield "tidy", _reported(tidy.check(root, {name: content}), "tidy"), expected


def run(quiet=False):
    """0 when every planted violation is reported and no near miss is."""
    wrong, cases = [], 0

    def judge(rule, what, reported, expected):
        nonlocal cases
        cases += 1
        if reported != expected:
            wrong.append(f"{rule}: {'not reported' if expected else 'wrongly reported'}: {what!r}")

    for rule, content, expected in _PURITY:
        judge(rule, content, _reported(purity.check({"core/swarm/planted.cc": content}), rule), expected)
        judge(rule, "the same outside core", _reported(purity.check({"net/planted.cc": content}), rule), False)
    judge("header", "the excepted header", _reported(purity.check({"core/base/address.cc": "#include <arpa/inet.h>\n"}), "header"), False)
    exempted = _IN_FUNCTION % "double x = 1;  // lint: allow(floating-point): shown to people, decides nothing"
    judge("exemption", exempted, _reported(purity.check({"core/swarm/x.cc": exempted}), "floating-point"), False)
    bare = _IN_FUNCTION % "double x = 1;  // lint: allow(floating-point): "
    judge("exemption", bare, _reported(purity.check({"core/swarm/x.cc": bare}), "floating-point"), True)
    for path, content, expected in _ARROWS:
        judge("arrows", f"{path}: {content}", _reported(arrows.check({path: content}), "arrows"), expected)
    for what, tree, expected in _table_cases():
        judge("arrows", what, _reported(arrows.check_table(tree), "arrows"), expected)
    for content, expected in _limit_cases():
        judge("limit", content, _reported(limits.check({"net/x.h": _KEPT % content}), "limit"), expected)
        judge("limit", "the same elsewhere", _reported(limits.check({"sim/x.h": _KEPT % content}), "limit"), False)
    for rule, path, content, check, expected in _text_cases():
        judge(rule, f"{path}: {content[:40]}", _reported(check({path: content}), rule), expected)
    for rule, reported, expected in _program_cases():
        judge(rule, "planted file", reported, expected)

    for line in wrong:
        print(f"lint self-test: {line}")
    if not quiet:
        print(f"lint self-test: {cases - len(wrong)} passed, {len(wrong)} failed")
    return 1 if wrong else 0
