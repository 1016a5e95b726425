#!/usr/bin/env -S python3 -B
"""simrun's command line: sweeps write lines that merge and resume, and bad input is one line and exit status 2."""

import html.parser
import json
import os
import subprocess
import sys
import tempfile

SIMRUN = os.path.join(os.environ.get("TEST_SRCDIR", ""), os.environ.get("TEST_WORKSPACE", ""), "tools", "simrun", "simrun")
CASE = """bytetorrent simulation case, version 1
scenario journal_faults
seed 7
sentence journal: none
journal_faults
  0 = 1 of 8
end
"""


def simrun(*arguments, folder):
    environment = {key: value for key, value in os.environ.items() if key != "BUILD_WORKING_DIRECTORY"}
    return subprocess.run([SIMRUN, *arguments], cwd=folder, env=environment, capture_output=True, text=True, check=False, timeout=120)


class Judge:
    def __init__(self):
        self.wrong = []

    def __call__(self, condition, what, result):
        if not condition:
            self.wrong.append(f"{what}: status {result.returncode}: {result.stdout}{result.stderr}")


def bad_input(judge, folder):
    files = {
        "cut.case": CASE[:-4],
        "wrong.case": CASE.replace("1 of 8", "9 of 8"),
        "other.case": CASE.replace("journal_faults", "no_such_scenario"),
        "damaged.jsonl": '{"scenario":"journal_faults","sweep_first":1,"sweep_seeds":2}\n{"scenario":\n',
    }
    for name, text in files.items():
        with open(os.path.join(folder, name), "w", encoding="utf-8") as file:
            file.write(text)
    for command, word in (
        ("sweep --scenario=nonsense", "nonsense"),
        ("sweep", "--scenario"),
        ("sweep --scenario=journal_faults --seeds=0", "--seeds"),
        ("sweep --scenario=journal_faults --frobnicate", "frobnicate"),
        ("sweep --resume=damaged.jsonl", "line 2"),
        ("sweep --resume=none.jsonl", "none.jsonl"),
        ("merge damaged.jsonl", "line 2"),
        ("explore --replicas=6", "--replicas"),
        ("explore --crashes=16", "--crashes"),
        ("explore --states-max=0", "--states-max"),
        ("explore --candidates=1,9", "--candidates"),
        ("explore --frobnicate", "frobnicate"),
        ("replay --scenario=journal_faults", "--seed"),
        ("replay --scenario=journal_faults --seed=-1", "--seed"),
        ("replay --scenario=journal_faults --seed=99999999999999999999", "--seed"),
        ("replay --scenario=journal_faults --seed=1 --from=5 --to=3", "--to"),
        ("replay --case=none.case", "none.case"),
        ("replay --case=cut.case", "line"),
        ("replay --case=wrong.case", "line 6"),
        ("replay --case=other.case", "no_such_scenario"),
        ("shrink --scenario=journal_faults", "--seed"),
        ("shrink --scenario=journal_faults --seed=1", "passes"),
        ("shrink --scenario=journal_faults --seed=1 -o no/such/folder.case", "no/such/folder.case"),
        ("view --scenario=journal_faults --seed=1", "-o"),
        ("view --scenario=journal_faults --seed=1 -o no/such/folder.html", "no/such/folder.html"),
        ("view --case=cut.case -o page.html", "line"),
        ("view -o page.html", "--scenario"),
        ("why --scenario=journal_faults --seed=1", "passes"),
        ("why --scenario=journal_faults --seed=1 -o no/such/folder.html", "no/such/folder.html"),
        ("why --scenario=journal_faults --seed=1 --futures=0", "--futures"),
        ("steer", "--scenario"),
        ("steer --scenario=journal_faults --runs=0", "--runs"),
        ("steer --scenario=journal_faults --branches=101", "--branches"),
        ("steer --scenario=journal_faults --kinds=no/such/folder.txt", "no/such/folder.txt"),
        ("shrink --case=cut.case", "line"),
        ("conform", "FILE"),
        ("conform none.recording", "none.recording"),
        ("conform cut.case", "no recording"),
        ("nonsense", "subcommand"),
    ):
        result = simrun(*command.split(), folder=folder)
        judge(result.returncode == 2 and word in result.stderr and result.stderr.count("\n") == 1, command, result)


def lines_of(folder, name):
    with open(os.path.join(folder, name), encoding="utf-8") as file:
        return [json.loads(line) for line in file]


def sweeps(judge, folder):
    result = simrun("sweep", "--scenario=journal_faults", "--first-seed=500", "--seeds=3", "--once", folder=folder)
    judge(result.returncode == 0 and "\n3 seeds, each run once" in result.stdout, "a sweep runs each seed once when told to", result)
    sweep = ("sweep", "--scenario=journal_faults", "--first-seed=500", "--seeds=12", "--jobs=2", "--json=one.jsonl")
    result = simrun(*sweep, folder=folder)
    judge(result.returncode == 0 and "12 seeds from 500" in result.stdout, "a sweep names its seeds", result)
    lines = lines_of(folder, "one.jsonl")
    judge(sum(line.get("seeds", 0) for line in lines) == 12, "the lines of a sweep have all its seeds", result)
    # What an interrupted sweep has left.
    with open(os.path.join(folder, "half.jsonl"), "w", encoding="utf-8") as file:
        for line in lines[:3]:
            file.write(json.dumps(line) + "\n")
    missing = 12 - sum(line.get("seeds", 0) for line in lines[:3])
    result = simrun("sweep", "--resume=half.jsonl", folder=folder)
    judge(result.returncode == 0 and f"\n{missing} seeds, each run twice" in result.stdout, "a sweep that is taken up runs what is left", result)
    once, twice = (sorted((line for line in lines_of(folder, name)[1:]), key=lambda line: line["first"]) for name in ("one.jsonl", "half.jsonl"))
    judge(sum(line["events"] + line["steps"] for line in once) == sum(line["events"] + line["steps"] for line in twice), "resumed like whole", result)
    result = simrun("merge", "one.jsonl", "half.jsonl", folder=folder)
    judge(result.returncode == 0 and "journal_faults: 24 seeds, 0 failed" in result.stdout, "files add up", result)


def steers(judge, folder):
    result = simrun("steer", "--scenario=elections", "--runs=40", "--first-seed=7", "--kinds=kinds.txt", folder=folder)
    judge(result.returncode == 0 and "40 runs, " in result.stdout and "never reached: " in result.stdout, "steer", result)
    with open(os.path.join(folder, "kinds.txt"), encoding="utf-8") as file:
        counts = {line.split(None, 1)[1].strip(): int(line.split(None, 1)[0]) for line in file}
    judge(counts["tracker follower Received Heartbeat"] > 0 and counts["tracker leader Diverged"] == 0, "kinds of steps are counted", result)
    again = simrun("steer", "--scenario=elections", "--runs=40", "--first-seed=7", folder=folder)
    judge(again.stdout.split(" pairs")[-2].rsplit(" ", 1)[1] == result.stdout.split(" pairs")[-2].rsplit(" ", 1)[1], "steered runs repeat", again)


def replays(judge, folder):
    result = simrun("replay", "--scenario=journal_faults", "--seed=3", "--trace=run.txt", folder=folder)
    judge(result.returncode == 0 and "no judge complained" in result.stdout, "replay", result)
    with open(os.path.join(folder, "run.txt"), encoding="utf-8") as file:
        judge("fault: a crash loses an unsynced write" in file.read(), "the trace names faults", result)
    with open(os.path.join(folder, "passes.case"), "w", encoding="utf-8") as file:
        file.write(CASE)
    result = simrun("replay", "--case=passes.case", folder=folder)
    judge(result.returncode == 0 and "seed 7: no judge complained" in result.stdout, "a case that passes", result)


class Page(html.parser.HTMLParser):
    """What a page would fetch from elsewhere, and the data in it."""

    def __init__(self, text):
        super().__init__()
        self.fetched, self._data, self._in_data = [], "", False
        self.feed(text)
        self.data = json.loads(self._data)

    def handle_starttag(self, tag, attrs):
        self.fetched += [value for name, value in attrs if name in ("src", "href")]
        self._in_data = tag == "script" and ("id", "data") in attrs

    def handle_endtag(self, tag):
        self._in_data = False

    def handle_data(self, data):
        if self._in_data:
            self._data += data


def outputs(judge, folder):
    """A command that fails leaves what stood under the name, and nothing beside it."""
    kept = os.path.join(folder, "kept")
    with open(kept, "w", encoding="utf-8") as file:
        file.write("mine")
    for command in ("why", "shrink"):
        result = simrun(command, "--scenario=journal_faults", "--seed=1", "-o", "kept", folder=folder)
        with open(kept, encoding="utf-8") as file:
            judge(result.returncode == 2 and file.read() == "mine", f"{command} keeps what it cannot replace", result)
    judge(not [name for name in os.listdir(folder) if name.endswith(".part")], "nothing half written is left", result)


def views(judge, folder):
    trace = simrun("replay", "--scenario=tracker_faults", "--seed=3", "--trace=run.txt", "--to=2", folder=folder)
    result = simrun("view", "--scenario=tracker_faults", "--seed=3", "--to=2", "-o", "page.html", folder=folder)
    judge(result.returncode == 0 and "page.html: " in result.stdout, "view", result)
    with open(os.path.join(folder, "page.html"), encoding="utf-8") as file:
        page = Page(file.read())
    judge(page.fetched == [], "the page needs nothing else", result)
    judge(page.data["scenario"] == "tracker_faults" and page.data["seed"] == "3", "the page says which run it is of", result)
    with open(os.path.join(folder, "run.txt"), encoding="utf-8") as file:
        judge(len(page.data["records"]) == sum(1 for _ in file) > 100, "each line of the trace is a record of the page", trace)
    judge(all(isinstance(record, list) and len(record) == 7 for record in page.data["records"]), "records are whole", result)


def main():
    judge = Judge()
    with tempfile.TemporaryDirectory() as folder:
        bad_input(judge, folder)
        sweeps(judge, folder)
        steers(judge, folder)
        replays(judge, folder)
        outputs(judge, folder)
        views(judge, folder)
    for line in judge.wrong:
        print(line, file=sys.stderr)
    return 1 if judge.wrong else 0


if __name__ == "__main__":
    sys.exit(main())
