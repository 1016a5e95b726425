"""Counts test targets from Bazel's build events: count_tests.py EVENTS.json EXIT_STATUS -> "PASSED FAILED".

Whatever was a test of this run and did not come back as passed has failed: not built, timed out, flaky or lost.
The failed ones are named on stderr.
"""

import json
import sys


def count(lines, exit_status):
    outcome = {}
    for line in lines:
        event = json.loads(line)
        kind = event.get("id", {})
        if "targetConfigured" in kind and "testSize" in event.get("configured", {}):
            # The alias and the suite of a test are configured too, but only the test has a size.
            outcome.setdefault(kind["targetConfigured"]["label"], "NOT BUILT")
        elif "testSummary" in kind:
            outcome[kind["testSummary"]["label"]] = event.get("testSummary", {}).get("overallStatus", "LOST")
    passed = sum(1 for status in outcome.values() if status == "PASSED")
    failed = {label: status for label, status in outcome.items() if status != "PASSED"}
    number_failed = len(failed)
    if exit_status != 0 and number_failed == 0:
        number_failed = 1
        failed["bazel test"] = f"exit status {exit_status}"
    if not outcome and exit_status == 0:
        number_failed = 1
        failed["bazel test"] = "no test was found"
    return passed, number_failed, failed


def main():
    with open(sys.argv[1], encoding="utf-8") as events:
        passed, failed, names = count((line for line in events if line.strip()), int(sys.argv[2]))
    for label in sorted(names):
        print(f"failed: {label} ({names[label].lower()})", file=sys.stderr)
    print(passed, failed)


if __name__ == "__main__":
    main()
