"""Measures the simulator: how many of the drawn mutants of core/ do its scenarios catch?

Each mutant costs one compilation and a sweep, not a build; the checkout is not touched. A caught CHECK, a judge's complaint and a hang
count alike. The run can be interrupted: the same command goes on where it ended.
"""

import argparse
import os
import random
import signal
import sys

from . import drawn, results, sweeping
from .simrun_build import Build, BuildFailed, prepared

_TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
_DRAWN = os.path.join(_TOP, "tests", "mutants", "drawn.jsonl")
_EQUIVALENT = os.path.join(_TOP, "tests", "mutants", "equivalent.txt")


def arguments():
    parser = argparse.ArgumentParser(prog="tools/mutate", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("numbers", nargs="*", type=int, metavar="NUMBER", help="some mutants (all)")
    parser.add_argument("--seeds", type=int, default=300, metavar="N", help="of each scenario, at most (300)")
    parser.add_argument("--first-seed", type=int, default=1, metavar="N", help="the first of them (1)")
    parser.add_argument("--sample", type=int, metavar="N", help="a random part of the mutants")
    parser.add_argument("--seed", type=int, default=1, metavar="N", help="what --sample and --draw are drawn with (1)")
    parser.add_argument("--build", metavar="FOLDER", help="keep the build there, or use the one that is there (built anew)")
    parser.add_argument("--results", default=os.path.join(_TOP, "out", "mutants.jsonl"), metavar="FILE", help="where results are kept (out/mutants.jsonl)")
    parser.add_argument("--table", action="store_true", help="run nothing, show the table of what was run")
    parser.add_argument("--draw", type=int, metavar="N", help="draw N new mutants and replace tests/mutants/drawn.jsonl")
    parser.add_argument("--unchecked", action="store_true", help="with --draw: do not compile what is drawn; measuring tells what is no mutant")
    parser.add_argument("--jobs", type=int, default=1, metavar="N", help="compilers at once, for --draw (1)")
    options = parser.parse_args()
    for name in ("seeds", "sample", "draw", "jobs"):
        if getattr(options, name) is not None and getattr(options, name) < 1:
            parser.error(f"argument --{name}: {getattr(options, name)} is not at least 1")
    return parser, options


def chosen(parser, options):
    mutants = drawn.load(_DRAWN)
    known = {mutant.number for mutant in mutants}
    for number in options.numbers:
        if number not in known:
            parser.error(f"there is no mutant {number}; they are 1 to {max(known)}")
    if options.numbers:
        return [mutant for mutant in mutants if mutant.number in options.numbers]
    if options.sample and options.sample < len(mutants):
        mutants = sorted(random.Random(options.seed).sample(mutants, options.sample), key=lambda mutant: mutant.number)
    return mutants


def judge(build, pristine, mutant, options):
    """Builds and sweeps one mutant."""
    told = {"number": mutant.number, "commit": build.commit, "seeds": options.seeds, "first_seed": options.first_seed}
    text = mutant.apply(build.text(mutant.file))
    if text is None:
        return results.Result(verdict=results.GONE, **told)
    try:
        built = build.compile({mutant.file: text})
        if not built:
            return results.Result(verdict=results.SAME, **told)
        program = build.link(built)
    except BuildFailed as failure:
        return results.Result(verdict=results.BROKEN, how=str(failure).split("\n", maxsplit=1)[0], **told)
    if contents(program) == pristine:
        return results.Result(verdict=results.SURVIVED, how="the simulator's program never calls it", **told)
    outcome = sweeping.sweep_all(program, sweeping.fitting(drawn.folder_of(mutant.file)), options.seeds, options.first_seed)
    verdict = results.CAUGHT if outcome.caught else results.SURVIVED
    return results.Result(verdict=verdict, how=outcome.how, scenario=outcome.scenario, run=outcome.seeds, cpu_s=round(outcome.cpu_s, 2), **told)


def contents(path):
    with open(path, "rb") as file:
        return file.read()


def sweep_pristine(build, options):
    """The result of the unchanged program, as mutant 0: what complains about it would catch every mutant."""
    outcome = sweeping.sweep_all(build.link({}), sweeping.fitting("base"), options.seeds, options.first_seed)
    if outcome.caught:
        sys.exit(f"mutate: the unchanged program fails in {outcome.scenario}: {outcome.how}; mend it, or measure with another --first-seed")
    told = {"commit": build.commit, "seeds": options.seeds, "first_seed": options.first_seed}
    return results.Result(0, results.SURVIVED, scenario=outcome.scenario, run=outcome.seeds, cpu_s=round(outcome.cpu_s, 2), **told)


def measure(build, mutants, options):
    kept = results.Results(options.results)
    known = kept.of(build.commit, options.seeds, options.first_seed)
    missing = [mutant for mutant in mutants if mutant.number not in known]
    if missing and not options.table:
        if 0 not in known:
            kept.add(sweep_pristine(build, options))
        pristine = contents(build.link({}))
        for mutant in missing:
            result = judge(build, pristine, mutant, options)
            kept.add(result)
            told = f"{result.verdict} after {result.run} seeds, {result.cpu_s:.1f} s" if result.verdict == results.CAUGHT else result.verdict
            print(f"{mutant}\n    {told}{': ' + result.how if result.how else ''}", flush=True)
    print(f"\ncommit {build.commit}, {options.seeds} seeds of each fitting scenario, from seed {options.first_seed}")
    for line in results.table(mutants, kept.of(build.commit, options.seeds, options.first_seed), results.load_equivalent(_EQUIVALENT)):
        print(line)


def draw(folder, options):
    builds = [Build(folder) for _ in range(options.jobs)]
    try:
        drawn.save(_DRAWN, drawn.draw(builds, options.draw, options.seed, lambda line: print(line, flush=True), options.unchecked))
    finally:
        for build in builds:
            build.close()


def main():
    parser, options = arguments()
    mutants = chosen(parser, options) if not options.draw else []
    try:
        with prepared(_TOP, options.build) as folder:
            if options.draw:
                draw(folder, options)
            else:
                os.makedirs(os.path.dirname(os.path.abspath(options.results)), exist_ok=True)
                with Build(folder) as build:
                    measure(build, mutants, options)
    except (BuildFailed, sweeping.WrongUsage) as failure:
        sys.exit(f"mutate: {failure}")
    return 0


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
