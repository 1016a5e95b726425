"""The checkout that a test belongs to, and programs of others that it uses where they are installed."""

import os
import shutil
import sys

from processes import Failure


def top():
    """The folder that the paths of the sources begin at: Bazel's copy of it when Bazel runs the test."""
    if os.environ.get("TEST_SRCDIR"):
        return os.path.join(os.environ["TEST_SRCDIR"], os.environ.get("TEST_WORKSPACE", "bytetorrent"))
    return os.path.realpath(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", ".."))


def wanted(program, installed_by="tools/setup --nightly"):
    """Where a program is, or None: then what needs it is left out, and stderr says so. The nightly run leaves nothing out."""
    found = shutil.which(program)
    if found is None:
        sentence = f"{program} is not installed ({installed_by} installs it)"
        if os.environ.get("BYTETORRENT_NOTHING_LEFT_OUT"):
            raise Failure(sentence)
        print(f"SKIPPED: {sentence}", file=sys.stderr)
    return found
