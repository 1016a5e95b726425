"""Where Bazel puts the programs that it builds."""

import os
import subprocess

_TOP = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
BAZEL = os.environ.get("BYTETORRENT_BAZEL", "bazel").split()


def program(label, flags=()):
    """The path of the program `label` (//folder:name, or //folder for the one of its folder's name), once it is built with these flags."""
    # `cquery --output=files` would say it for any target; Debian's Bazel has no such output.
    info = subprocess.run([*BAZEL, "info", *flags, "bazel-bin"], cwd=_TOP, capture_output=True, text=True, check=True)
    folder, _, name = label.removeprefix("//").partition(":")
    return os.path.join(info.stdout.strip(), folder, name or os.path.basename(folder))
