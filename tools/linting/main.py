"""tools/lint: reads the tree once, runs every rule, prints file:line of what is wrong."""

import argparse
import os
import subprocess
import sys
import time

from . import arrows, limits, programs, purity, self_test, text, tidy

CHECKS = [
    ("format", "C++ is as clang-format prints it", lambda root, tree: programs.check_format(root, sorted(tree))),
    ("purity", "core/ decides and does nothing else", lambda root, tree: purity.check(tree)),
    ("arrows", "every include, dependency and visibility follows the arrows", lambda root, tree: arrows.check(tree)),
    ("table", "the table of arrows is tight, and pages and package groups say the same", lambda root, tree: arrows.check_table(tree)),
    ("limits", "each container that a class keeps states its limit", lambda root, tree: limits.check(tree)),
    ("shell", "shell scripts pass shellcheck", programs.check_shell),
    ("python", "Python files parse", lambda root, tree: programs.check_python(tree)),
    ("length", "files keep their size", lambda root, tree: text.check_length(tree)),
    ("tidy", "functions keep their size, members of core/ have a value", tidy.check),
    ("words", "no words of unfinished work", lambda root, tree: text.check_words(tree)),
    ("references", "files and folders that comments and pages name are there", lambda root, tree: text.check_references(tree)),
    ("waits", "tests poll, they do not sleep", lambda root, tree: text.check_waits(tree)),
    ("headers", "headers open with what they are for", lambda root, tree: text.check_headers(tree)),
    ("readmes", "each folder has a README", lambda root, tree: text.check_readmes(tree)),
]


def read_tree(root):
    """{path: text} of the files Git tracks, and of new ones it does not ignore."""
    names = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"], cwd=root, capture_output=True, check=True
    ).stdout.decode()
    tree = {}
    for name in filter(None, names.split("\0")):
        full = os.path.join(root, name)
        if os.path.islink(full) or not os.path.isfile(full):
            continue
        with open(full, "rb") as file:
            data = file.read()
        if b"\0" not in data[:8192]:
            tree[name] = data.decode("utf-8", errors="replace")
    return tree


def _inside(root, path, tree, parser):
    """A file or folder as the tree names it, given from where the user is or from the top; wrong usage if there is none."""
    for base in (os.environ.get("BYTETORRENT_LINT_FROM", "."), root):
        name = os.path.relpath(os.path.normpath(os.path.join(base, path)), root)
        if name == "." or name in tree or any(each.startswith(name + "/") for each in tree):
            return "" if name == "." else name
    return parser.error(f"{path}: there is no such file or folder among those Git knows here")


def _under(path, chosen):
    return not chosen or any(each in ("", path) or path.startswith(each + "/") for each in chosen)


def main():
    parser = argparse.ArgumentParser(prog="tools/lint", description="Checks the tree; changes nothing.")
    parser.add_argument("--self-test", action="store_true", help="plant one violation per rule and see it reported")
    parser.add_argument("--only", metavar="CHECK", help="one of: " + ", ".join(name for name, _, _ in CHECKS))
    parser.add_argument("paths", nargs="*", help="report only findings under these paths")
    options = parser.parse_args()
    if options.self_test:
        return self_test.run()
    if options.only and options.only not in [name for name, _, _ in CHECKS]:
        parser.error(f"there is no check named {options.only}")

    root = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    tree = read_tree(root)
    options.paths = [_inside(root, path, tree, parser) for path in options.paths]
    passed = failed = 0
    for name, what, check in CHECKS:
        if options.only and options.only != name:
            continue
        start = time.monotonic()
        findings = [f for f in check(root, tree) if _under(f.path, options.paths)]
        for finding in findings:
            print(finding)
        if any(not finding.warning for finding in findings):
            failed += 1
            print(f"lint: FAILED: {what} ({time.monotonic() - start:.1f} s)")
        else:
            passed += 1
    if not options.only and not options.paths:
        if self_test.run(quiet=True) == 0:
            passed += 1
        else:
            failed += 1
            print("lint: FAILED: each rule reports what it is for (tools/lint --self-test)")
    if failed:
        print(f"lint: {passed} checks passed, {failed} failed")
        return 1
    print(f"lint: {passed} checks passed")
    return 0


if __name__ == "__main__":
    sys.exit(main())
