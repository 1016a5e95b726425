#!/usr/bin/env -S python3 -B
"""The mutator makes the mistakes it names and no others, and what was drawn and planted is still in the tree or is reported."""

import os
import sys
import tempfile
import unittest
from unittest import mock

TOP = os.path.realpath(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", ".."))
if os.environ.get("TEST_SRCDIR"):
    TOP = os.path.join(os.environ["TEST_SRCDIR"], os.environ["TEST_WORKSPACE"])
sys.path.insert(0, os.path.join(TOP, "tools"))

# pylint: disable=wrong-import-position
from mutating import drawn, planted, results, sweeping
from mutating.operators import edits
from mutating.source import Source


def mutations(body, operator):
    """What `operator` makes of a function's body, each as the whole body on one line."""
    text = "void F() {\n" + body + "\n}\n"
    made = [edit.apply(text) for edit, _ in edits(Source(text)) if edit.operator == operator]
    return [" ".join(each[len("void F() {") : each.rindex("}")].split()) for each in made]


class Operators(unittest.TestCase):
    def test_a_statement_is_deleted_a_declaration_is_not(self):
        self.assertEqual(mutations("int a = 1; Add(a); b += 2;", "delete statement"), ["int a = 1; ; b += 2;", "int a = 1; Add(a); ;"])
        self.assertEqual(mutations("std::vector<int> all; role_.emplace<Leader>(x);", "delete statement"), ["std::vector<int> all; ;"])

    def test_a_jump_is_deleted_where_the_function_goes_on_behind_it(self):
        self.assertEqual(mutations("while (true) { Step(); break; }", "delete statement"), ["while (true) { ; break; }", "while (true) { Step(); ; }"])
        self.assertEqual(mutations("return;", "delete statement"), [])

    def test_a_branch_is_dropped(self):
        self.assertEqual(mutations("if (a) { One(); } else Two();", "drop branch"), ["if (a) {} else Two();", "if (a) { One(); }"])
        self.assertEqual(mutations("if (a) for (;;) Go(); Last();", "drop branch"), ["if (a) {} Last();"])

    def test_a_comparison_is_shifted_and_flipped(self):
        self.assertEqual(mutations("return a < b;", "shift comparison"), ["return a <= b;"])
        self.assertEqual(mutations("return a < b;", "flip comparison"), ["return a > b;"])
        self.assertEqual(mutations("return a == b;", "flip comparison"), ["return a != b;"])
        self.assertEqual(mutations("return a == b;", "shift comparison"), [])

    def test_brackets_of_a_template_and_references_are_no_operators(self):
        for operator in ("shift comparison", "flip comparison", "and for or"):
            self.assertEqual(mutations("std::map<int, std::set<int>> m; auto&& x = f<3>(y);", operator), [])

    def test_a_condition_is_negated_but_for_a_declaration(self):
        self.assertEqual(mutations("if (auto i = Find(); i != end) Go();", "negate condition"), ["if (auto i = Find(); !(i != end)) Go();"])
        self.assertEqual(mutations("if (T* t = Find()) Go();", "negate condition"), [])

    def test_and_becomes_or_and_a_not_goes(self):
        self.assertEqual(mutations("return a && !b;", "and for or"), ["return a || !b;"])
        self.assertEqual(mutations("return a && !b;", "drop not"), ["return a && b;"])

    def test_an_integer_is_shifted_both_ways_but_not_below_zero(self):
        self.assertEqual(mutations("return 1'000u;", "shift integer"), ["return 1001u;", "return 999u;"])
        self.assertEqual(mutations("return 0;", "shift integer"), ["return 1;"])
        self.assertEqual(mutations("return 1.5;", "shift integer"), [])

    def test_neighbouring_arguments_change_places(self):
        self.assertEqual(mutations("F(a, b(c, d));", "swap arguments"), ["F(b(c, d), a);", "F(a, b(d, c));"])
        self.assertEqual(mutations("F([&](int a, int b) { G(); }, c);", "swap arguments"), [])

    def test_what_decides_nothing_is_left_alone(self):
        for body in (
            "CHECK(a < 1 && !b);",
            "static_assert(a < 1);",
            'StrCat("x", a + 1, !b);',
            "context.out.Note(Chosen{a, 1});",
            "v.reserve(n + 1);",
            "// a < b && F(1, 2);\n",
            '#define A(x) \\\n  F(x, 1);\n',
        ):
            text = "void F() {\n" + body + "\n}\n"
            self.assertEqual([edit for edit, _ in edits(Source(text))], [], body)
        self.assertEqual(edits(Source("uint64_t A::Digest() const { return a + 1; }\n")), [])

    def test_declarations_outside_functions_are_left_alone(self):
        text = "namespace a {\nconstexpr int kB = 2 < 3;\nstruct C {\n  int d = 1;\n  C() : d{2}, e(3) { d = 4; }\n};\nenum E { kF = 5 };\n}\n"
        self.assertEqual({text[edit.start : edit.end] for edit, _ in edits(Source(text))}, {"d = 4;", "4"})

    def test_a_mutation_keeps_the_number_of_lines(self):
        text = "void F() {\n  if (a) {\n    Go();\n  }\n}\n"
        for edit, _ in edits(Source(text)):
            self.assertEqual(edit.apply(text).count("\n"), text.count("\n"))

    def test_a_function_is_named_with_its_class(self):
        self.assertEqual([name for _, name in edits(Source("int A::B::C(int d) const { return d + 1; }\n"))], ["A::B::C", "A::B::C"])


class Drawn(unittest.TestCase):
    MUTANT = drawn.Mutant(1, "core/x/y.cc", 2, "F", "shift integer", "  Go(", "1", "2", ");")

    def test_a_mutant_finds_its_place_after_unrelated_changes(self):
        self.assertEqual(self.MUTANT.apply("// new\n\n  Go(1);\n"), "// new\n\n  Go(2);\n")

    def test_of_two_places_the_nearest_counts(self):
        self.assertEqual(self.MUTANT.apply("  Go(1);\n  Go(1);\n\n\n"), "  Go(1);\n  Go(2);\n\n\n")

    def test_a_mutant_whose_place_is_gone_says_so(self):
        self.assertIsNone(self.MUTANT.apply("  Go(3);\n"))
        self.assertIsNone(self.MUTANT.apply(None))

    def test_shares_follow_the_lines_and_add_up(self):
        self.assertEqual(drawn.shares({"a": 1, "b": 2, "c": 4}, 10), {"a": 1, "b": 3, "c": 6})

    def test_the_drawn_mutants_are_in_the_tree_or_are_reported(self):
        mutants = drawn.load(os.path.join(TOP, "tests", "mutants", "drawn.jsonl"))
        self.assertTrue(mutants)
        self.assertEqual([mutant.number for mutant in mutants], list(range(1, len(mutants) + 1)))
        gone = 0
        for mutant in mutants:
            self.assertNotEqual(mutant.original, mutant.mutated)
            path = os.path.join(TOP, mutant.file)
            text = None
            if os.path.exists(path):
                with open(path, encoding="utf-8") as file:
                    text = file.read()
            if mutant.apply(text) is None:
                gone += 1
                print(f"no longer applies: {mutant}")
        print(f"{len(mutants) - gone} of {len(mutants)} mutants apply")


class Sweeping(unittest.TestCase):
    """A simulator of shell script: what it says and how it ends decides."""

    def sweep(self, script, seeds=30):
        with tempfile.TemporaryDirectory() as folder:
            program = os.path.join(folder, "simrun")
            with open(program, "w", encoding="utf-8") as file:
                file.write("#!/bin/sh\n" + script)
            os.chmod(program, 0o755)
            return sweeping.sweep_all(program, ("one", "two"), seeds, 1)

    def test_a_sweep_without_a_complaint_is_no_catch(self):
        outcome = self.sweep('echo "15 seeds, each run twice, in 1 s"')
        self.assertEqual((outcome.caught, outcome.seeds), (False, 4 * 15))

    def test_the_first_seeds_of_every_scenario_come_first(self):
        outcome = self.sweep('case "$*" in *two*--seeds=20*) echo wrong; echo "scenario two, seed 3"; echo "3 seeds, each run twice"; exit 1;; esac; echo "20 seeds, each run twice"')
        self.assertEqual((outcome.caught, outcome.how, outcome.scenario, outcome.seeds), (True, "wrong", "two", 23))

    def test_a_check_that_fails_counts_with_the_seed_it_died_at(self):
        outcome = self.sweep('echo "CHECK failed: a < b"; echo "the process died inside a simulated run"; echo "scenario one, seed 5"; echo "5 seeds, each run twice"; exit 1')
        self.assertEqual((outcome.caught, outcome.how, outcome.seeds), (True, "CHECK failed: a < b", 5))

    def test_a_simrun_that_does_not_understand_the_command_is_an_error_and_no_catch(self):
        with self.assertRaisesRegex(sweeping.WrongUsage, "no such flag"):
            self.sweep('echo "no such flag"; exit 2')

    def test_who_uses_up_its_time_hangs(self):
        with mock.patch.object(sweeping, "_CPU_S", 1), mock.patch.object(sweeping, "_CPU_PER_SEED_S", 0):
            outcome = self.sweep("while :; do :; done")
        self.assertTrue(outcome.caught and outcome.how.startswith("hangs"), outcome)


class Planted(unittest.TestCase):
    def test_every_patch_says_its_mistake_and_where_it_is_to_be_caught_and_applies(self):
        folder = os.path.join(TOP, "tests", "planted")
        names = [name for name in os.listdir(folder) if name.endswith(".patch")]
        self.assertGreaterEqual(len(names), 60)
        for name in names:
            patch = planted.read(os.path.join(folder, name))
            self.assertTrue(all(path.startswith(("core/", "sim/")) for path in patch.files), name)
            with self.subTest(name):
                self.assertNotEqual(planted.changed(patch, self.source), {path: self.source(path) for path in patch.files})

    @staticmethod
    def source(path):
        with open(os.path.join(TOP, path), encoding="utf-8") as file:
            return file.read()


class Figures(unittest.TestCase):
    def test_the_interval_is_wilsons(self):
        low, high = results.wilson(95, 100)
        self.assertAlmostEqual(low, 0.8882, places=4)
        self.assertAlmostEqual(high, 0.9785, places=4)
        self.assertEqual(results.wilson(0, 0), (0.0, 1.0))

    def test_an_equivalent_mutant_is_counted_apart(self):
        mutants = [drawn.Mutant(i, "core/x/y.cc", 2, "F", "drop not", "", "!", "", "") for i in (1, 2, 3, 4)]
        verdicts = {1: results.CAUGHT, 2: results.SURVIVED, 3: results.SURVIVED, 4: results.GONE}
        found = {number: results.Result(number, verdict, "abc", 300, 1) for number, verdict in verdicts.items()}
        lines = list(results.table(mutants, found, {3: "nobody can tell"}))
        self.assertIn("| x | 4 | 1 | 1 | 1 | 1 |", lines)
        self.assertTrue(any(line.startswith("caught 1 of 2: 50.0 %") for line in lines), lines)
        self.assertTrue(any(line.startswith("survived 3") and line.endswith("nobody can tell") for line in lines), lines)


if __name__ == "__main__":
    unittest.main()
