"""Installs, runs, removes and purges the packages in a root that has nothing but Debian's base, and compares what is left with what was there.

Takes root, mmdebstrap and a mirror. What a unit does is done here by hand: nothing in a root starts services.
"""

import argparse
import hashlib
import os
import shutil
import stat
import subprocess
import sys
import tempfile

_PACKAGES = ("bytetorrent", "bytetorrent-tracker")
_USER = "bytetorrent-tracker"
_HOME = "/var/lib/bytetorrent-tracker"
_DATA = _HOME + "/node"
_DEFAULTS = "/etc/default/bytetorrent-tracker"
_UNIT = "/usr/lib/systemd/system/bytetorrent-tracker.service"
# Where the package manager keeps its own books, and what the kernel shows.
_NOT_COMPARED = ("dev", "proc", "sys", "run", "tmp", "var/cache", "var/lib/apt", "var/lib/dpkg", "var/log")
# The service's user stays, because data may be its own.
_HAVE_THE_USER = tuple(f"etc/{name}{backup}" for name in ("passwd", "group", "shadow", "gshadow", "subuid", "subgid") for backup in ("", "-"))
_READY_SECONDS = 30


class Unfit(Exception):
    """What is wrong with the packages, in a sentence."""


def _check(condition, sentence):
    if not condition:
        raise Unfit(sentence)


class Root:
    """A Debian in a folder."""

    def __init__(self, folder):
        self.folder = folder

    def make(self, suite):
        subprocess.run(["mmdebstrap", "--quiet", "--variant=apt", suite, self.folder], check=True)

    def outside(self, path):
        return os.path.join(self.folder, path.lstrip("/"))

    def command(self, *words, user="root"):
        """What runs these words in the root, with a network of their own: nothing in there reaches this machine's ports."""
        inside = 'ip link set lo up && exec chroot --userspec="$0" "$@"'
        return ["unshare", "--net", "sh", "-c", inside, user, self.folder, *words]

    def run(self, *words, user="root", status=0):
        """What the words have said on both outputs."""
        environment = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "DEBIAN_FRONTEND": "noninteractive", "LC_ALL": "C.UTF-8"}
        done = subprocess.run(self.command(*words, user=user), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False, env=environment)
        _check(done.returncode == status, f"{' '.join(words)} ended with {done.returncode}: {done.stdout.strip()}")
        return done.stdout

    def contents(self):
        """{path: what is there}, as far as packages have a say in it."""
        found = {}
        for folder, folders, names in os.walk(self.folder):
            inside = os.path.relpath(folder, self.folder)
            folders[:] = [name for name in folders if os.path.normpath(os.path.join(inside, name)) not in _NOT_COMPARED]
            for name in folders + names:
                path = os.path.join(folder, name)
                found[os.path.normpath(os.path.join(inside, name))] = self._what(path)
        return found

    @staticmethod
    def _what(path):
        status = os.lstat(path)
        if stat.S_ISLNK(status.st_mode):
            return os.readlink(path)
        if not stat.S_ISREG(status.st_mode):
            return f"{status.st_mode:o} {status.st_uid} {status.st_gid}"
        with open(path, "rb") as file:
            return f"{status.st_mode:o} {status.st_uid} {status.st_gid} {hashlib.sha256(file.read()).hexdigest()}"


class Trial:
    """The packages of a folder, tried in a root."""

    def __init__(self, root, debs):
        self.root = root
        self.debs = [f"/tmp/debs/{name}" for name in sorted(os.listdir(debs)) if name.endswith(".deb")]
        _check(len(self.debs) == len(_PACKAGES), f"{debs} holds {len(self.debs)} packages, not {len(_PACKAGES)}")
        os.makedirs(root.outside("/tmp/debs"))
        for path in self.debs:
            shutil.copy(os.path.join(debs, os.path.basename(path)), root.outside(path))
        self.before = root.contents()

    def apt(self, *words):
        return self.root.run("apt-get", "--quiet=2", "--yes", "-o", "Dpkg::Use-Pty=0", "-o", "Dpkg::Options::=--force-confold", *words)

    def install(self):
        """They need nothing that is not there, and run."""
        self.apt("install", *self.debs)
        for program in _PACKAGES:
            version = self.root.run("dpkg-query", "--show", "--showformat=${Version}", program)
            said = self.root.run(program, "--version")
            _check(said.split()[:2] == [program, version], f"{program} {version} calls itself {said.strip()}")
        self.root.run("bytetorrent", "create", "/etc/debian_version", "-o", "/tmp/some.torrent")

    def user(self):
        """The service's own, with a folder that others cannot enter."""
        name, _, number, _, _, home, shell = self.root.run("getent", "passwd", _USER).strip().split(":")
        _check((name, home, shell) == (_USER, _HOME, "/usr/sbin/nologin") and int(number) < 1000, f"the user is {name}:{number}:{home}:{shell}")
        said = self.root.run("stat", "--format=%U %G %a", _HOME).strip()
        _check(said == f"{_USER} {_USER} 700", f"{_HOME} is {said}")
        _check(not os.listdir(self.root.outside(_HOME)), "the package brings a node's state")

    def member(self):
        """A member of several is initialised as docs/operating.md says."""
        secret = "/tmp/cluster.secret"
        self.root.run("bytetorrent", "cluster", "init", "-o", secret)
        self.root.run("chown", _USER, secret)
        members = [word for number in (1, 2, 3) for word in ("--node", f"{number}=10.0.0.{number}:7000/10.0.0.{number}:6969")]
        self.root.run(_USER, "init", "--data-dir", _DATA, "--cluster-secret", secret, "--id", "1", *members, user=_USER)
        shutil.rmtree(self.root.outside(_DATA))

    def alone(self):
        """Without flags the unit's command is a cluster of one that gets ready, stops in order, and starts again."""
        with open(self.root.outside(_UNIT), encoding="utf-8") as file:
            start = next(line for line in file.read().splitlines() if line.startswith("ExecStart="))
        command = start.removeprefix("ExecStart=").replace("$BYTETORRENT_TRACKER_FLAGS", "")
        for _ in range(2):
            self._serve(command)
        _check(os.listdir(self.root.outside(_DATA)), "a node that has served has left no state")

    def _serve(self, command):
        ask = "exec 3<>/dev/tcp/127.0.0.1/6969 && printf 'GET /readyz HTTP/1.1\\r\\nHost: a\\r\\nConnection: close\\r\\n\\r\\n' >&3 && grep -q ' 200 ' <&3"
        script = (
            f"{command} & node=$!\n"
            f'until bash -c "{ask}" 2>/dev/null; do kill -0 $node 2>/dev/null || {{ wait $node; exit; }}; sleep 0.1; done\n'
            "kill -TERM $node\nwait $node\n"
        )
        self.root.run("timeout", str(_READY_SECONDS), "bash", "-c", script, user=_USER)

    def edited_defaults_stay(self):
        """What an operator has written survives another installation."""
        with open(self.root.outside(_DEFAULTS), "a", encoding="utf-8") as file:
            file.write("# an operator's line\n")
        self.apt("install", "--reinstall", *self.debs)
        with open(self.root.outside(_DEFAULTS), encoding="utf-8") as file:
            _check(file.read().endswith("# an operator's line\n"), f"another installation overwrites {_DEFAULTS}")

    def remove(self):
        """Programs go; what was written stays."""
        self.apt("remove", *_PACKAGES)
        for program in _PACKAGES:
            _check(not os.path.exists(self.root.outside(f"/usr/bin/{program}")), f"{program} is there after its removal")
        for path in (_DEFAULTS, _DATA):
            _check(os.path.exists(self.root.outside(path)), f"{path} is gone after a removal")

    def purge(self):
        """A node's data stay and are told of; nothing else stays but the user."""
        # The other one has nothing left to purge.
        said = self.apt("purge", "bytetorrent-tracker")
        _check(os.path.isdir(self.root.outside(_DATA)), "purge has removed what a node acknowledged")
        _check(f"data are kept in {_HOME}" in said, f"purge does not say that data are kept: {said}")
        shutil.rmtree(self.root.outside(_HOME))
        self._nothing_is_left()

    def again(self):
        """A user that is there is taken; a node that never served leaves nothing at all."""
        self.apt("install", *self.debs)
        self.apt("purge", *_PACKAGES)
        self._nothing_is_left()

    def _nothing_is_left(self):
        after = self.root.contents()
        different = sorted(path for path in self.before.keys() | after.keys() if self.before.get(path) != after.get(path))
        left = [path for path in different if path not in _HAVE_THE_USER]
        _check(not left, f"after purge these are not as they were: {', '.join(left)}")

    def steps(self):
        return (self.install, self.user, self.member, self.alone, self.edited_defaults_stay, self.remove, self.purge, self.again)


def _main():
    parser = argparse.ArgumentParser(prog="clean_root", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("packages", metavar="DIR", help="where the .deb files are")
    parser.add_argument("--suite", default="bookworm", help="of Debian (default: bookworm)")
    parser.add_argument("--root", metavar="DIR", help="one that mmdebstrap has made; it is used up (default: make one, and remove it)")
    flags = parser.parse_args()
    _check(os.geteuid() == 0, "a root of one's own takes root")
    with tempfile.TemporaryDirectory(prefix="bytetorrent-root.") as folder:
        root = Root(flags.root or os.path.join(folder, "root"))
        if not flags.root:
            _check(shutil.which("mmdebstrap"), "mmdebstrap is not installed (tools/setup --nightly installs it)")
            root.make(flags.suite)
        trial = Trial(root, flags.packages)
        for step in trial.steps():
            step()
            print(f"{step.__name__}: {step.__doc__}", flush=True)


if __name__ == "__main__":
    try:
        _main()
    except Unfit as wrong:
        sys.exit(f"clean_root: {wrong}")
    except subprocess.CalledProcessError as failed:
        sys.exit(f"clean_root: {' '.join(failed.cmd)} failed with {failed.returncode}")
