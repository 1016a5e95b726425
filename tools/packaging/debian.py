"""Debian packages: one for people (bytetorrent), one for machines that run a node (bytetorrent-tracker)."""

import gzip
import hashlib
import os
import subprocess
import tempfile

_HERE = os.path.dirname(os.path.abspath(__file__))
_TOP = os.path.dirname(os.path.dirname(_HERE))

_ABOUT = {
    "bytetorrent": (
        "peer-to-peer distribution of files to many machines",
        "Makes torrents, registers them with a replicated tracker, offers and\n downloads files, also with ordinary BitTorrent clients.",
    ),
    "bytetorrent-tracker": (
        "replicated BitTorrent tracker, one node",
        "One node of a tracker cluster that is replicated with Multi-Paxos and\n goes on while a minority of its nodes has crashed or stalled.",
    ),
}
_SECTION = {"bytetorrent": 1, "bytetorrent-tracker": 8}


class _Tree:
    """What a package installs, being laid out in a folder."""

    def __init__(self, folder):
        self.folder = folder

    def add(self, path, content, mode=0o644):
        target = os.path.join(self.folder, path)
        os.makedirs(os.path.dirname(target), exist_ok=True)
        with open(target, "wb") as file:
            file.write(content if isinstance(content, bytes) else content.encode())
        os.chmod(target, mode)

    def files(self):
        for folder, _, names in sorted(os.walk(self.folder)):
            for name in sorted(names):
                yield os.path.relpath(os.path.join(folder, name), self.folder)

    def size_kib(self):
        return sum(-(-os.path.getsize(os.path.join(self.folder, path)) // 1024) for path in self.files())

    def open_folders(self):
        """Folders that everybody may enter, whatever this process's umask. Times are dpkg-deb's to set."""
        for folder, _, _ in os.walk(self.folder):
            os.chmod(folder, 0o755)


def _source(name):
    with open(os.path.join(_HERE, "files", name), encoding="utf-8") as file:
        return file.read()


def _gzip(text):
    return gzip.compress(text.encode(), mtime=0)


def _dependencies(program):
    """libc, and the packages of whatever else it is linked with."""
    packages = [f"libc6 (>= {program.libc_version()})"]
    beyond = set(program.beyond_libc())
    # By their names: /lib and /usr/lib may be one folder, and dpkg knows a file by one of the two.
    patterns = ["*-linux-gnu/" + os.path.basename(os.path.realpath(path)) for path in program.libraries() if os.path.basename(path) in beyond]
    if patterns:
        owners = subprocess.run(["dpkg", "--search", *patterns], check=True, capture_output=True, text=True).stdout
        packages += [line.split(":")[0] for line in owners.splitlines()]
    if program.name == "bytetorrent-tracker":
        packages.append("passwd")
    return ", ".join(sorted(set(packages)))


def _add_program(tree, program):
    name, section = program.name, _SECTION[program.name]
    binary = f"usr/bin/{name}"
    with open(program.path, "rb") as file:
        tree.add(binary, file.read(), 0o755)
    subprocess.run(["strip", "--strip-unneeded", os.path.join(tree.folder, binary)], check=True, capture_output=True)
    tree.add(f"usr/share/man/man{section}/{name}.{section}.gz", _gzip(program.says("--manual")))
    tree.add(f"usr/share/bash-completion/completions/{name}", program.says("--completion", "bash"))
    tree.add(f"usr/share/zsh/vendor-completions/_{name}", program.says("--completion", "zsh"))
    tree.add(f"usr/share/fish/vendor_completions.d/{name}.fish", program.says("--completion", "fish"))
    with open(os.path.join(_TOP, "CHANGELOG.md"), encoding="utf-8") as file:
        tree.add(f"usr/share/doc/{name}/changelog.gz", _gzip(file.read()))


def _add_service(tree):
    tree.add("usr/lib/systemd/system/bytetorrent-tracker.service", _source("bytetorrent-tracker.service"))
    tree.add("etc/default/bytetorrent-tracker", _source("bytetorrent-tracker.default"))


def _add_control(tree, program):
    """Last: it counts what there is."""
    size, sums = tree.size_kib(), ""
    for path in list(tree.files()):
        with open(os.path.join(tree.folder, path), "rb") as file:
            sums += f"{hashlib.md5(file.read()).hexdigest()}  {path}\n"
    short, long = _ABOUT[program.name]
    tree.add("DEBIAN/md5sums", sums)
    tree.add(
        "DEBIAN/control",
        f"Package: {program.name}\nVersion: {program.version}\nArchitecture: {_architecture()}\n"
        f"Maintainer: the ByteTorrent developers <bytetorrent@localhost>\nInstalled-Size: {size}\n"
        f"Depends: {_dependencies(program)}\nSection: net\nPriority: optional\n"
        f"Description: {short}\n {long}\n",
    )
    if program.name == "bytetorrent-tracker":
        tree.add("DEBIAN/conffiles", "/etc/default/bytetorrent-tracker\n")
        for script in ("postinst", "prerm", "postrm"):
            tree.add(f"DEBIAN/{script}", _source(script), 0o755)


def _architecture():
    return subprocess.run(["dpkg", "--print-architecture"], check=True, capture_output=True, text=True).stdout.strip()


def _package(program, epoch, output):
    file_name = f"{program.name}_{program.version}_{_architecture()}.deb"
    with tempfile.TemporaryDirectory(prefix="bytetorrent-package.") as folder:
        # The temporary folder is its owner's alone; in a package the root is everybody's.
        root = os.path.join(folder, "root")
        tree = _Tree(root)
        _add_program(tree, program)
        if program.name == "bytetorrent-tracker":
            _add_service(tree)
        _add_control(tree, program)
        tree.open_folders()
        subprocess.run(
            ["dpkg-deb", "--root-owner-group", "-Zxz", "--build", root, os.path.join(output, file_name)],
            check=True,
            capture_output=True,
            env={**os.environ, "SOURCE_DATE_EPOCH": str(epoch)},
        )
    return file_name


def build(programs, epoch, output):
    """Writes both packages; their names."""
    return [_package(program, epoch, output) for program in programs]
