"""The drawn mutants: one JSON object a line, with as much of the text around as finds the place again after unrelated changes."""

import json
import random
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from itertools import islice

from .operators import edits
from .simrun_build import BuildFailed
from .source import Source

# A header in more translation units than these costs minutes to mutate.
_INCLUDERS_MAX = 6
# Names of inputs, for traces.
_SILENT_FILES = {"core/machine/input_name.h"}


@dataclass(frozen=True)
class Mutant:
    number: int
    file: str
    line: int
    function: str
    operator: str
    before: str  # the text from the beginning of the line before up to the mutation
    original: str
    mutated: str
    after: str  # up to the end of the line after it

    def apply(self, text):
        """The mutated text of its file, or None if the place is gone. Of several places the nearest to its line counts."""
        if text is None:
            return None
        whole = self.before + self.original + self.after
        places = []
        at = text.find(whole)
        while at >= 0:
            places.append(at)
            at = text.find(whole, at + 1)
        if not places:
            return None
        at = min(places, key=lambda place: abs(text.count("\n", 0, place + len(self.before)) + 1 - self.line)) + len(self.before)
        return text[:at] + self.mutated + text[at + len(self.original) :]

    def __str__(self):
        def short(text):
            text = " ".join(text.split()) or "nothing"
            return text if len(text) <= 60 else text[:57] + "..."

        return f"{self.number}: {self.file}:{self.line}, {self.function}, {self.operator}: {short(self.original)} -> {short(self.mutated)}"


def folder_of(path):
    """core/FOLDER/..."""
    return path.split("/")[1]


def load(path):
    with open(path, encoding="utf-8") as file:
        return [Mutant(**json.loads(line)) for line in file if line.strip()]


def save(path, mutants):
    with open(path, "w", encoding="utf-8") as file:
        for mutant in mutants:
            file.write(json.dumps(asdict(mutant), ensure_ascii=False) + "\n")


def _mutant(number, path, text, edit, function):
    start = text.rfind("\n", 0, text.rfind("\n", 0, edit.start) if "\n" in text[: edit.start] else 0) + 1
    end = text.find("\n", edit.end)
    end = text.find("\n", end + 1) if end >= 0 else -1
    end = end if end >= 0 else len(text)
    mutated = edit.apply(text)
    mutated = mutated[edit.start : len(mutated) - (len(text) - edit.end)]
    line = text.count("\n", 0, edit.start) + 1
    return Mutant(number, path, line, function, edit.operator, text[start : edit.start], text[edit.start : edit.end], mutated, text[edit.end : end])


def _candidates(build):
    """{folder: {(file, line): [(edit, function)]}} of what can be mutated at all."""
    found = {}
    for path, includers in sorted(build.includers.items()):
        if not path.startswith("core/") or path in _SILENT_FILES or (path.endswith(".h") and len(includers) > _INCLUDERS_MAX):
            continue
        text = build.text(path)
        for edit, function in edits(Source(text)):
            line = text.count("\n", 0, edit.start) + 1
            found.setdefault(folder_of(path), {}).setdefault((path, line), []).append((edit, function))
    return found


def shares(lines, count):
    """How many of `count` each folder gets, by its executable lines: whole parts first, then the largest remainders."""
    total = sum(lines.values())
    whole = {folder: count * each // total for folder, each in lines.items()}
    rest = sorted(lines, key=lambda folder: (-(count * lines[folder] % total), folder))
    for folder in rest[: count - sum(whole.values())]:
        whole[folder] += 1
    return whole


def _chosen(candidates, generator):
    """The folder's lines in random order, with one mutation each: an operator first, so that a frequent one is not drawn more often."""
    for place in generator.sample(sorted(candidates), len(candidates)):
        operator = generator.choice(sorted({edit.operator for edit, _ in candidates[place]}))
        edit, function = generator.choice([each for each in candidates[place] if each[0].operator == operator])
        yield place[0], edit, function


def _why_not(build, path, edit):
    try:
        return "" if build.compile({path: edit.apply(build.text(path))}) else "same object code"
    except BuildFailed:
        return "does not compile"


def draw(builds, count, seed, say, unchecked=False):
    """`count` mutants that compile into other object code than the program's, at most one a line, in random order. `unchecked`: whether
    they do is left to who measures them, which spares a compilation each."""
    candidates = _candidates(builds[0])
    quota = shares({folder: len(lines) for folder, lines in candidates.items()}, count)
    refused = Counter()
    kept = {}
    with ThreadPoolExecutor(len(builds)) as pool:
        for folder in sorted(quota):
            kept[folder] = []
            chosen = _chosen(candidates[folder], random.Random(f"{seed} {folder}"))
            while len(kept[folder]) < quota[folder]:
                some = list(islice(chosen, len(builds)))
                why_not = pool.map(lambda build, one: "" if unchecked else _why_not(build, one[0], one[1]), builds, some)
                for one, why in zip(some, why_not):
                    if why:
                        refused[why] += 1
                    elif len(kept[folder]) < quota[folder]:
                        kept[folder].append(one)
                say(f"core/{folder}: {len(kept[folder])} of {quota[folder]}, discarded: {dict(refused)}")
    order = [folder for folder in sorted(quota) for _ in range(quota[folder])]
    random.Random(seed).shuffle(order)
    drawn = [kept[folder].pop() for folder in order]
    return [_mutant(i + 1, path, builds[0].text(path), edit, function) for i, (path, edit, function) in enumerate(drawn)]
