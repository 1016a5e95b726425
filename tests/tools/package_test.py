#!/usr/bin/env -S python3 -B
"""Packages of the programs: what they install, what they ask for, and that equal programs give equal bytes."""

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
import time
import unittest

TOP = os.path.realpath(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", ".."))
BINARIES = os.environ.get("BYTETORRENT_BIN", "")
if os.environ.get("TEST_SRCDIR"):
    TOP = os.path.join(os.environ["TEST_SRCDIR"], os.environ["TEST_WORKSPACE"])
    BINARIES = os.path.join(TOP, "nodes")

EPOCH = 1_700_000_000


def package(output, *flags, binaries=BINARIES, epoch=str(EPOCH), umask=-1, **environment):
    command = [sys.executable, "-B", os.path.join(TOP, "tools", "packaging", "main.py"), "--binaries", binaries, "-o", output, *flags]
    settings = {**os.environ, "SOURCE_DATE_EPOCH": epoch, **environment}
    return subprocess.run(command, env=settings, umask=umask, capture_output=True, text=True, check=False)


def run(*command):
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def digests(folder):
    found = {}
    for name in os.listdir(folder):
        with open(os.path.join(folder, name), "rb") as file:
            found[name] = hashlib.sha256(file.read()).hexdigest()
    return found


class Packages(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.scratch = tempfile.mkdtemp()
        cls.addClassCleanup(shutil.rmtree, cls.scratch)
        cls.made = os.path.join(cls.scratch, "made")
        done = package(cls.made)
        assert done.returncode == 0, done.stderr
        cls.version = run(os.path.join(BINARIES, "bytetorrent"), "--version").split()[1]

    def deb(self, name):
        found = [each for each in os.listdir(self.made) if each.startswith(f"{name}_{self.version}_") and each.endswith(".deb")]
        self.assertEqual(len(found), 1, os.listdir(self.made))
        return os.path.join(self.made, found[0])

    def unpacked(self, name):
        folder = os.path.join(self.scratch, name)
        if not os.path.isdir(folder):
            run("dpkg-deb", "--raw-extract", self.deb(name), folder)
        return folder

    def image(self):
        name = next(each for each in os.listdir(self.made) if each.endswith(".oci.tar"))
        folder = os.path.join(self.scratch, "image")
        with tarfile.open(os.path.join(self.made, name)) as archive:
            archive.extractall(folder)
        return folder

    def blob(self, folder, descriptor):
        algorithm, digest = descriptor["digest"].split(":")
        with open(os.path.join(folder, "blobs", algorithm, digest), "rb") as file:
            content = file.read()
        self.assertEqual(hashlib.sha256(content).hexdigest(), digest)
        self.assertEqual(len(content), descriptor["size"])
        return content

    def test_equal_programs_give_equal_bytes(self):
        """Wherever they lie, whenever they were written, whoever makes the packages."""
        elsewhere = os.path.join(self.scratch, "quite", "elsewhere")
        os.makedirs(elsewhere)
        for name in ("bytetorrent", "bytetorrent-tracker"):
            shutil.copyfile(os.path.join(BINARIES, name), os.path.join(elsewhere, name))
            os.chmod(os.path.join(elsewhere, name), 0o700)
        again = os.path.join(self.scratch, "again")
        settings = {"TZ": "Asia/Tokyo", "LC_ALL": "C", "PYTHONHASHSEED": "1", "HOME": "/nonexistent"}
        done = package(again, binaries=elsewhere, umask=0o077, **settings)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(digests(self.made), digests(again))

    def test_packages_are_dated_as_the_sources_are(self):
        listed = run("dpkg-deb", "--contents", self.deb("bytetorrent")).splitlines()
        with tarfile.open(next(os.path.join(self.made, name) for name in os.listdir(self.made) if name.endswith(".oci.tar"))) as archive:
            self.assertEqual({member.mtime for member in archive.getmembers()}, {EPOCH})
        with_seconds = {line.split()[3] + " " + line.split()[4] for line in listed}
        self.assertEqual(with_seconds, {time.strftime("%Y-%m-%d %H:%M", time.localtime(EPOCH))})

    def test_checksums_are_of_the_files_beside_them(self):
        run("sh", "-c", f"cd {self.made} && sha256sum --check --strict SHA256SUMS")
        self.assertEqual(len(os.listdir(self.made)), 4)

    def test_files_are_roots_and_where_they_belong(self):
        for name, paths in {
            "bytetorrent": ["./usr/bin/bytetorrent", "./usr/share/man/man1/bytetorrent.1.gz", "./usr/share/zsh/vendor-completions/_bytetorrent"],
            "bytetorrent-tracker": [
                "./usr/bin/bytetorrent-tracker",
                "./usr/share/man/man8/bytetorrent-tracker.8.gz",
                "./usr/lib/systemd/system/bytetorrent-tracker.service",
                "./etc/default/bytetorrent-tracker",
            ],
        }.items():
            listed = [line.split() for line in run("dpkg-deb", "--contents", self.deb(name)).splitlines()]
            self.assertEqual({line[1] for line in listed}, {"root/root"})
            self.assertLessEqual(set(paths), {line[5] for line in listed})
            self.assertFalse([line for line in listed if line[0][8] == "w"], "everybody may write there")

    def test_what_is_installed_runs_and_completes(self):
        root = self.unpacked("bytetorrent")
        self.assertEqual(run(os.path.join(root, "usr/bin/bytetorrent"), "--version"), f"bytetorrent {self.version}\n")
        script = (
            f"source {root}/usr/share/bash-completion/completions/bytetorrent; COMP_WORDS=(bytetorrent cluster trans); COMP_CWORD=2; "
            'complete -p bytetorrent >/dev/null && _bytetorrent && echo "${COMPREPLY[@]}"'
        )
        self.assertEqual(run("bash", "-c", script), "transfer\n")

    def test_control_says_version_and_what_is_needed(self):
        fields = {name: run("dpkg-deb", "--field", self.deb("bytetorrent-tracker"), name).strip() for name in ("Version", "Depends", "Conffiles")}
        self.assertEqual(fields["Version"], self.version)
        self.assertRegex(fields["Depends"], r"libc6 \(>= 2\.\d+\)")
        # These were linked with shared libraries, whose packages are named; the release's are not.
        self.assertIn("libssl3", fields["Depends"])
        with open(os.path.join(self.unpacked("bytetorrent-tracker"), "DEBIAN", "conffiles"), encoding="utf-8") as file:
            self.assertEqual(file.read(), "/etc/default/bytetorrent-tracker\n")

    def test_maintainers_scripts_are_shell(self):
        control = os.path.join(self.unpacked("bytetorrent-tracker"), "DEBIAN")
        for script in ("postinst", "prerm", "postrm"):
            run("sh", "-n", os.path.join(control, script))
            self.assertTrue(os.access(os.path.join(control, script), os.X_OK))

    def test_the_unit_is_what_systemd_understands(self):
        if shutil.which("systemd-analyze") is None:
            self.skipTest("no systemd-analyze here")
        root = self.unpacked("bytetorrent-tracker")
        with open(os.path.join(root, "usr/lib/systemd/system/bytetorrent-tracker.service"), encoding="utf-8") as file:
            text = file.read()
        self.assertIn("ExecStart=/usr/bin/bytetorrent-tracker ", text)
        # It looks for the program and for the manual page, which are in the package and not on this machine.
        text = text.replace("/usr/bin/bytetorrent-tracker", os.path.join(root, "usr/bin/bytetorrent-tracker")).replace("Documentation=", "#")
        unit = os.path.join(self.scratch, "bytetorrent-tracker.service")
        with open(unit, "w", encoding="utf-8") as file:
            file.write(text)
        done = subprocess.run(["systemd-analyze", "verify", "--man=no", unit], capture_output=True, text=True, check=False)
        self.assertEqual([line for line in done.stderr.splitlines() if "bytetorrent" in line], [], "an unknown key, say, which it passes over with status 0")

    def test_a_nodes_data_lie_below_what_systemd_makes(self):
        """A cluster of one begins by itself only where its data directory is not."""
        with open(os.path.join(self.unpacked("bytetorrent-tracker"), "usr/lib/systemd/system/bytetorrent-tracker.service"), encoding="utf-8") as file:
            text = file.read()
        state = re.search(r"^StateDirectory=(\S+)$", text, re.MULTILINE).group(1)
        self.assertRegex(text, rf"(?m)^ExecStart=.* --data-dir /var/lib/{state}/\w+ ")

    def test_an_image_holds_the_programs_and_what_they_load(self):
        folder = self.image()
        with open(os.path.join(folder, "index.json"), encoding="utf-8") as file:
            manifest = json.loads(self.blob(folder, json.load(file)["manifests"][0]))
        config = json.loads(self.blob(folder, manifest["config"]))
        packed = self.blob(folder, manifest["layers"][0])
        layer, root = os.path.join(self.scratch, "layer.tar"), os.path.join(self.scratch, "layer")
        with open(layer, "wb") as file:
            file.write(subprocess.run(["gzip", "-dc"], input=packed, check=True, capture_output=True).stdout)
        with open(layer, "rb") as file:
            self.assertEqual(config["rootfs"]["diff_ids"], [f"sha256:{hashlib.sha256(file.read()).hexdigest()}"])
        with tarfile.open(layer) as archive:
            data = archive.getmember("data")
            self.assertEqual(f"{data.uid}:{data.gid}", config["config"]["User"])
            archive.extractall(root)
        found = {name: os.path.join(folder, name) for folder, _, names in os.walk(root) for name in names}
        loader = next(path for name, path in found.items() if name.startswith("ld-linux"))
        folders = ":".join({os.path.dirname(path) for name, path in found.items() if ".so" in name})
        for program in ("bytetorrent", "bytetorrent-tracker"):
            load = (loader, "--inhibit-cache", "--library-path", folders)
            listed = run(*load, "--list", os.path.join(root, "usr/bin", program))
            # What the image lacks the loader would take from this machine.
            loaded = [line.split(" => ")[1].split()[0] for line in listed.splitlines() if " => /" in line]
            self.assertEqual([path for path in loaded if not path.startswith(root)], [])
            self.assertIn(self.version, run(*load, os.path.join(root, "usr/bin", program), "--version"))

    def test_what_cannot_be_packaged_is_refused_with_a_sentence(self):
        nothing = os.path.join(self.scratch, "nothing")
        for done, words in (
            (package(nothing, binaries=self.scratch), "bytetorrent is no program"),
            (package(nothing, "--only-libc"), "linked statically"),
            (package(nothing, epoch=""), "SOURCE_DATE_EPOCH"),
        ):
            self.assertEqual(done.returncode, 1)
            self.assertIn(words, done.stderr)
            self.assertEqual(len(done.stderr.splitlines()), 1)
        self.assertFalse(os.path.isdir(nothing) and os.listdir(nothing))


if __name__ == "__main__":
    unittest.main()
