"""Makes packages of the two programs: a .deb of each, and an OCI image layout that holds both.

Equal programs and an equal SOURCE_DATE_EPOCH give equal bytes.
"""

import argparse
import hashlib
import os
import re
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import debian  # pylint: disable=wrong-import-position
import image  # pylint: disable=wrong-import-position
import programs  # pylint: disable=wrong-import-position


def _flags():
    parser = argparse.ArgumentParser(prog="package", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-o", "--output", default="out/packages", metavar="DIR", help="where they are written (default: out/packages)")
    parser.add_argument("--binaries", metavar="DIR", help=argparse.SUPPRESS)
    parser.add_argument("--only-libc", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--check-flags", action="store_true", help=argparse.SUPPRESS)
    flags = parser.parse_args()
    if not flags.binaries and not flags.check_flags:
        parser.error("--binaries is missing: tools/package builds the programs, and gives it")
    return flags


def _checksums(folder, names):
    lines = []
    for name in sorted(names):
        with open(os.path.join(folder, name), "rb") as file:
            lines.append(f"{hashlib.sha256(file.read()).hexdigest()}  {name}\n")
    with open(os.path.join(folder, "SHA256SUMS"), "w", encoding="utf-8") as file:
        file.writelines(lines)


def _main():
    flags = _flags()
    if flags.check_flags:
        return
    epoch = os.environ.get("SOURCE_DATE_EPOCH", "")
    if not re.fullmatch("[0-9]+", epoch):
        sys.exit("package: SOURCE_DATE_EPOCH is not set to the seconds since 1970 that the packages are dated with")
    os.makedirs(flags.output, exist_ok=True)
    built = programs.load(flags.binaries, flags.only_libc)
    made = debian.build(built, int(epoch), flags.output) + [image.build(built, int(epoch), flags.output)]
    _checksums(flags.output, made)
    for name in sorted(made) + ["SHA256SUMS"]:
        print(os.path.join(flags.output, name))


if __name__ == "__main__":
    try:
        _main()
    except (programs.Unfit, OSError) as wrong:
        sys.exit(f"package: {wrong}")
    except subprocess.CalledProcessError as failed:
        said = failed.stderr if isinstance(failed.stderr, str) else (failed.stderr or b"").decode(errors="replace")
        sys.exit(f"package: {' '.join(failed.cmd)} failed: {said.strip()}")
