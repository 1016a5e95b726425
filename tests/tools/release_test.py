#!/usr/bin/env -S python3 -B
"""tools/release in a repository of three files: what it makes, what it refuses, and that it publishes nothing. Lint, tests and packages are
played by scripts, which write down that they were called."""

import os
import shutil
import subprocess
import tempfile
import unittest

TOP = os.path.realpath(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", ".."))
if os.environ.get("TEST_SRCDIR"):
    TOP = os.path.join(os.environ["TEST_SRCDIR"], os.environ["TEST_WORKSPACE"])

VERSION_H = 'inline constexpr char kVersion[] = "1.2.3";\n'
CHANGELOG = "# Changelog\n\n## Unreleased\n\n## 1.2.3 (a day in May)\n\n- Something.\n\n## 1.2.2\n\n- Something older.\n"
CALLED = 'echo "$(basename "$0") $*" >>"$CALLS"\n'
PACKAGE = CALLED + 'mkdir -p "$2" && for name in a_1.2.3_x.deb b_1.2.3_x.deb c_1.2.3_x.oci.tar SHA256SUMS; do echo "$name" >"$2/$name"; done\n'


class Repository:
    """With a remote, to which nothing is to come."""

    def __init__(self, folder):
        self.folder = os.path.join(folder, "checkout")
        self.remote = os.path.join(folder, "remote.git")
        self.calls_path = os.path.join(folder, "calls")
        self.environment = {**os.environ, "CALLS": self.calls_path, "GNUPGHOME": os.path.join(folder, "keys"), "GIT_CONFIG_GLOBAL": os.devnull}
        for who in ("AUTHOR", "COMMITTER"):
            self.environment.update({f"GIT_{who}_NAME": "A Tester", f"GIT_{who}_EMAIL": "tester@localhost"})
        os.makedirs(os.path.join(self.folder, "tools"))
        self.run("git", "init", "--quiet", "--bare", self.remote)
        self.run("git", "init", "--quiet")
        self.run("git", "remote", "add", "origin", self.remote)
        shutil.copy(os.path.join(TOP, "tools", "release"), os.path.join(self.folder, "tools", "release"))
        for tool, text in {"lint": CALLED, "test": CALLED, "package": PACKAGE}.items():
            self.write(f"tools/{tool}", "#!/bin/sh\n" + text)
        self.write("core/base/version.h", VERSION_H)
        self.write("CHANGELOG.md", CHANGELOG)
        self.write(".gitignore", "/out/\n")
        self.commit()

    def write(self, path, text):
        full = os.path.join(self.folder, path)
        os.makedirs(os.path.dirname(full), exist_ok=True)
        with open(full, "w", encoding="utf-8") as file:
            file.write(text)
        os.chmod(full, 0o755)

    def run(self, *command):
        return subprocess.run(command, cwd=self.folder, env=self.environment, capture_output=True, text=True, check=True).stdout

    def commit(self):
        self.run("git", "add", "--all")
        self.run("git", "commit", "--quiet", "--allow-empty", "--message=a commit")

    def release(self, *arguments):
        return subprocess.run(["tools/release", *arguments], cwd=self.folder, env=self.environment, capture_output=True, text=True, check=False)

    def calls(self):
        if not os.path.exists(self.calls_path):
            return []
        with open(self.calls_path, encoding="utf-8") as file:
            return [line.split()[0] for line in file]

    def tags(self, where="."):
        return self.run("git", "-C", where, "tag", "--list").split()

    def made(self):
        folder = os.path.join(self.folder, "out", "release", "1.2.3")
        return folder, sorted(os.listdir(folder)) if os.path.isdir(folder) else []


class Release(unittest.TestCase):
    def setUp(self):
        folder = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, folder, ignore_errors=True)
        self.repository = Repository(folder)

    def refused(self, words, *arguments, called=(), status=1):
        done = self.repository.release(*(arguments or ("1.2.3",)))
        self.assertEqual(done.returncode, status, done.stdout + done.stderr)
        self.assertIn(words, done.stderr)
        self.assertEqual(self.repository.calls(), list(called))
        self.assertEqual(self.repository.made()[1], [])
        begun = os.path.join(self.repository.folder, "out", "release")
        self.assertEqual(os.listdir(begun) if os.path.isdir(begun) else [], [], "what was begun is there")

    def test_it_proves_packages_and_writes_checksums(self):
        done = self.repository.release("1.2.3")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(self.repository.calls(), ["lint", "test", "package"])
        folder, names = self.repository.made()
        self.assertEqual(names, ["SHA256SUMS", "a_1.2.3_x.deb", "b_1.2.3_x.deb", "bytetorrent-1.2.3.tar.gz", "c_1.2.3_x.oci.tar"])
        subprocess.run(["sha256sum", "--check", "--strict", "--quiet", "SHA256SUMS"], cwd=folder, check=True)
        with open(os.path.join(folder, "SHA256SUMS"), encoding="utf-8") as file:
            self.assertEqual([line.split()[1] for line in file], names[1:])
        listed = self.repository.run("tar", "-tzf", os.path.join(folder, "bytetorrent-1.2.3.tar.gz")).split()
        self.assertIn("bytetorrent-1.2.3/core/base/version.h", listed)

    def test_it_tags_only_when_told_to_and_never_pushes(self):
        self.repository.release("1.2.3")
        self.assertEqual(self.repository.tags(), [])
        done = self.repository.release("1.2.3", "--tag")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(self.repository.tags(), ["v1.2.3"])
        self.assertEqual(self.repository.run("git", "cat-file", "-t", "v1.2.3"), "tag\n")
        self.assertEqual(self.repository.tags(self.repository.remote), [])
        # The same commit again is no other release.
        self.assertEqual(self.repository.release("1.2.3", "--tag").returncode, 0)
        self.assertEqual(self.repository.run("git", "-C", self.repository.remote, "for-each-ref"), "")

    def test_equal_sources_give_equal_checksums(self):
        sums = []
        for _ in range(2):
            self.repository.release("1.2.3")
            with open(os.path.join(self.repository.made()[0], "SHA256SUMS"), encoding="utf-8") as file:
                sums.append(file.read())
        self.assertEqual(sums[0], sums[1])

    def test_a_tree_with_changes_is_refused(self):
        self.repository.write("CHANGELOG.md", CHANGELOG + "\n")
        self.refused("not committed")

    def test_files_that_git_does_not_know_are_changes(self):
        self.repository.write("core/base/more.h", "")
        self.refused("not committed")

    def test_another_version_than_the_sources_have_is_refused(self):
        self.refused("version.h says 1.2.3, not 1.2.4", "1.2.4")

    def test_a_version_without_entries_is_refused(self):
        self.repository.write("CHANGELOG.md", CHANGELOG.replace("- Something.\n", ""))
        self.repository.commit()
        self.refused("says nothing below '## 1.2.3'")

    def test_a_version_is_found_by_all_of_its_name(self):
        self.repository.write("CHANGELOG.md", CHANGELOG.replace("## 1.2.3 ", "## 1.2.30 "))
        self.repository.commit()
        self.refused("says nothing below '## 1.2.3'")

    def test_entries_that_are_left_unreleased_are_refused(self):
        self.repository.write("CHANGELOG.md", CHANGELOG.replace("## Unreleased\n", "## Unreleased\n\n- A thing.\n"))
        self.repository.commit()
        self.refused("## Unreleased")

    def test_a_version_is_released_once(self):
        self.repository.run("git", "tag", "v1.2.3")
        self.repository.commit()
        self.refused("is another commit")

    def test_a_failing_test_makes_no_packages(self):
        self.repository.write("tools/test", "#!/bin/sh\n" + CALLED + "exit 1\n")
        self.repository.commit()
        self.refused("a test fails", called=["lint", "test"])

    def test_tests_that_change_the_tree_are_noticed(self):
        self.repository.write("tools/test", "#!/bin/sh\n" + CALLED + "echo >>CHANGELOG.md\n")
        self.repository.commit()
        self.refused("have changed the tree", called=["lint", "test"])

    def test_packages_of_another_version_leave_nothing(self):
        self.repository.write("tools/package", "#!/bin/sh\n" + PACKAGE.replace("b_1.2.3_x", "b_1.2.2_x"))
        self.repository.commit()
        self.refused("b_1.2.2_x.deb is of another version", called=["lint", "test", "package"])

    def test_wrong_usage_is_named_and_nothing_is_called(self):
        for words, arguments in {
            "which version": ["--tag"],
            "no version such as": ["v1.2.3"],
            "unknown flag": ["1.2.3", "--push"],
            "one version at a time": ["1.2.3", "1.2.4"],
            "--sign wants": ["1.2.3", "--sign"],
        }.items():
            self.refused(words, *arguments, status=2)

    def test_a_key_that_is_not_there_is_refused_before_anything_runs(self):
        if shutil.which("gpg") is None:
            self.skipTest("no gpg here")
        os.makedirs(self.repository.environment["GNUPGHOME"], mode=0o700)
        self.refused("no secret key", "1.2.3", "--sign", "nobody@localhost")

    def test_checksums_and_tag_are_signed_with_the_key_that_is_given(self):
        if shutil.which("gpg") is None:
            self.skipTest("no gpg here")
        os.makedirs(self.repository.environment["GNUPGHOME"], mode=0o700)
        self.repository.run("gpg", "--batch", "--quiet", "--passphrase", "", "--quick-generate-key", "tester@localhost", "ed25519", "sign", "never")
        self.addCleanup(subprocess.run, ["gpgconf", "--kill", "all"], env=self.repository.environment, check=False)
        done = self.repository.release("1.2.3", "--sign", "tester@localhost", "--tag")
        self.assertEqual(done.returncode, 0, done.stderr)
        folder, names = self.repository.made()
        self.assertIn("SHA256SUMS.asc", names)
        self.repository.run("gpg", "--batch", "--verify", os.path.join(folder, "SHA256SUMS.asc"), os.path.join(folder, "SHA256SUMS"))
        self.repository.run("git", "verify-tag", "v1.2.3")


if __name__ == "__main__":
    unittest.main()
