"""tools/bench: runs the chosen rows, each in a world of its own, prints the table, writes out/bench.json."""

import argparse
import json
import os
import platform
import signal
import sys
import time

import meter  # pylint: disable=unused-import  # first: it shows the way to the library of the end-to-end tests
import cluster_rows
import distribute
import download
import failover_rows
import overload_rows
from processes import Binaries, Failure, World

ROWS = {
    "download": download.rows,
    "distribute": distribute.rows,
    "offers": download.offers_rows,
    "registry": cluster_rows.registry_rows,
    "announces": cluster_rows.announces_rows,
    "sim": cluster_rows.sim_rows,
    "idle": cluster_rows.idle_rows,
    "failover": failover_rows.rows,
    "overload": overload_rows.rows,
}


def main():
    parser = argparse.ArgumentParser(prog="tools/bench")
    parser.add_argument("--quick", action="store_true", help="smaller and shorter")
    parser.add_argument("--json", default="out/bench.json", metavar="FILE", help="where the figures go (out/bench.json)")
    parser.add_argument("rows", nargs="*", metavar="ROW", help="of: " + " ".join(ROWS))
    parser.add_argument("--check-flags", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    for name in options.rows:
        if name not in ROWS:
            parser.error(f"there is no row {name}; the rows are: {' '.join(ROWS)}")
    if options.check_flags:
        return 0
    signal.signal(signal.SIGTERM, signal.default_int_handler)

    print(f"{os.cpu_count()} cores, {platform.processor() or platform.machine()}, Linux {platform.release()}", flush=True)
    measured, broken = [], 0
    for name in options.rows or ROWS:
        try:
            with World(Binaries()) as world:
                for row in ROWS[name](world, options.quick):
                    measured.append(row)
                    print(row, flush=True)
        except Failure as failure:
            broken += 1
            print(f"{name}: FAILED: {failure}", flush=True)
        except KeyboardInterrupt:
            print("bench: interrupted", file=sys.stderr)
            return 130
    os.makedirs(os.path.dirname(options.json) or ".", exist_ok=True)
    with open(options.json, "w", encoding="utf-8") as file:
        figures = {"time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()), "cores": os.cpu_count(), "quick": options.quick}
        json.dump({**figures, "rows": [row.as_json() for row in measured]}, file, indent=1)
    print(f"figures: {options.json}")
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
