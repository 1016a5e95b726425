"""What became of each mutant, one JSON object a line, and the table made of it."""

import json
import math
import os
from collections import Counter
from dataclasses import asdict, dataclass

from .drawn import folder_of

CAUGHT, SURVIVED = "caught", "survived"
GONE, BROKEN, SAME = "no longer applies", "does not compile", "same object code"


@dataclass
class Result:
    number: int
    verdict: str
    commit: str  # of the build
    seeds: int  # of each scenario, at most
    first_seed: int
    how: str = ""
    scenario: str = ""
    run: int = 0  # seeds until it was caught
    cpu_s: float = 0.0


class Results:
    """A file that grows by a line for each mutant run; a run that was interrupted goes on behind its last line."""

    def __init__(self, path):
        self._path = path
        self._all = []
        if os.path.exists(path):
            with open(path, encoding="utf-8") as file:
                # The last line of a run that was killed may be half a line.
                self._all = [Result(**json.loads(line)) for line in file if line.endswith("}\n")]

    def add(self, result):
        self._all.append(result)
        with open(self._path, "a", encoding="utf-8") as file:
            file.write(json.dumps(asdict(result), ensure_ascii=False) + "\n")

    def of(self, commit, seeds, first_seed):
        """{mutant's number: result} of one measurement."""
        return {each.number: each for each in self._all if (each.commit, each.seeds, each.first_seed) == (commit, seeds, first_seed)}


def wilson(hits, count):
    """The 95 % interval of hits / count (Wilson, 1927); it keeps its meaning near 0 and 1, where the share of few is."""
    if count == 0:
        return 0.0, 1.0
    z = 1.959964
    share = hits / count
    middle = (share + z * z / (2 * count)) / (1 + z * z / count)
    half = z / (1 + z * z / count) * math.sqrt(share * (1 - share) / count + z * z / (4 * count * count))
    return max(0.0, middle - half), min(1.0, middle + half)


def load_equivalent(path):
    """{mutant's number: why nobody could tell it from the program}, from lines `NUMBER: argument`."""
    found = {}
    with open(path, encoding="utf-8") as file:
        for line in file:
            if line.strip() and not line.startswith("#"):
                number, argument = line.split(":", 1)
                found[int(number)] = argument.strip()
    return found


def table(mutants, results, equivalent):
    """Lines: each folder's share, the total with its interval, the survivors."""
    rows = {}
    for mutant in mutants:
        result = results.get(mutant.number)
        verdict = result.verdict if result else None
        if verdict == SURVIVED and mutant.number in equivalent:
            verdict = "equivalent"
        for key in (folder_of(mutant.file), "total"):
            rows.setdefault(key, Counter())[verdict] += 1
    rows["total"] = rows.pop("total", Counter())
    yield "| folder | mutants run | caught | survived | equivalent | no longer apply |"
    yield "| --- | ---: | ---: | ---: | ---: | ---: |"
    for folder, row in sorted(rows.items(), key=lambda pair: (pair[0] == "total", pair[0])):
        gone = row[GONE] + row[BROKEN] + row[SAME]
        ran = row[CAUGHT] + row[SURVIVED] + row["equivalent"] + gone
        yield f"| {folder} | {ran} | {row[CAUGHT]} | {row[SURVIVED]} | {row['equivalent']} | {gone} |"
    caught, judged = rows["total"][CAUGHT], rows["total"][CAUGHT] + rows["total"][SURVIVED]
    low, high = wilson(caught, judged)
    yield ""
    yield f"caught {caught} of {judged}: {100 * caught / max(1, judged):.1f} %, 95 % interval {100 * low:.1f}-{100 * high:.1f} % (Wilson)"
    for mutant in mutants:
        result = results.get(mutant.number)
        if result and result.verdict == SURVIVED:
            yield f"survived {mutant}" + (f"; equivalent: {equivalent[mutant.number]}" if mutant.number in equivalent else "")
        elif result and result.verdict != CAUGHT:
            yield f"{result.verdict} {mutant}"
