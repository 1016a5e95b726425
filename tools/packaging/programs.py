"""The two programs: their version, what they need at run time, and the pages they print about themselves."""

import os
import re
import subprocess

NAMES = ("bytetorrent", "bytetorrent-tracker")

# The C library's own: what every Debian has.
_LIBC = ("libc.so.6", "libm.so.6", "libpthread.so.0", "libdl.so.2", "libresolv.so.2", "ld-linux-x86-64.so.2", "ld-linux-aarch64.so.1")


class Unfit(Exception):
    """What a program lacks to be packaged, in a sentence."""


class Program:
    """One of them, as a file."""

    def __init__(self, path):
        self.path = path
        self.name = os.path.basename(path)
        self.version = self.says("--version").split()[1]

    def says(self, *arguments):
        return subprocess.run([self.path, *arguments], check=True, capture_output=True, text=True).stdout

    def needed(self):
        """The shared libraries that it names."""
        text = subprocess.run(["readelf", "--dynamic", self.path], check=True, capture_output=True, text=True).stdout
        return re.findall(r"\(NEEDED\).*\[(.*)\]", text)

    def libraries(self):
        """Where the loader finds each of them, and each of theirs; the loader, too."""
        text = subprocess.run(["ldd", self.path], check=True, capture_output=True, text=True).stdout
        return sorted(set(re.findall(r"(?:=> )?(/\S+) \(0x", text)))

    def beyond_libc(self):
        return [name for name in self.needed() if name not in _LIBC]

    def libc_version(self):
        """The oldest C library that has every symbol it asks for."""
        with open(self.path, "rb") as file:
            found = re.findall(rb"GLIBC_(\d+)\.(\d+)", file.read())
        major, minor = max((int(major), int(minor)) for major, minor in found)
        return f"{major}.{minor}"


def load(folder, only_libc):
    """Both, from a folder that holds them. Raises Unfit."""
    loaded = []
    for name in NAMES:
        path = os.path.join(folder, name)
        if not os.access(path, os.X_OK):
            raise Unfit(f"{path} is no program")
        program = Program(path)
        if only_libc and program.beyond_libc():
            raise Unfit(f"{path} needs {', '.join(program.beyond_libc())}: it is to be linked statically but for the C library")
        loaded.append(program)
    if loaded[0].version != loaded[1].version:
        raise Unfit(f"the programs are of two versions, {loaded[0].version} and {loaded[1].version}")
    return loaded
