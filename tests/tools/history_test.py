#!/usr/bin/env -S python3 -B
"""The judge of what clients saw of names: every history that no single order explains is condemned, and no other."""

import os
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "end_to_end", "lib"))
# pylint: disable=wrong-import-position
from history import BOUND, OTHER, READ, UNKNOWN, History, Operation


def operation(sent, answered, outcome, value):
    made = Operation("name", value, sent)
    made.answered = answered
    made.outcome = outcome
    return made


def problems(*operations):
    history = History()
    history.operations = list(operations)
    return history.problems()


class Judge(unittest.TestCase):
    def test_a_race_that_one_wins_is_fine(self):
        self.assertEqual(
            problems(
                operation(0, 3, BOUND, 1),
                operation(1, 4, OTHER, 2),
                operation(1, 2, READ, None),
                operation(2, 5, READ, 1),
                operation(5, None, UNKNOWN, 3),
            ),
            [],
        )

    def test_an_operation_without_an_answer_may_have_taken_effect(self):
        self.assertEqual(problems(operation(0, None, UNKNOWN, 1), operation(1, 2, OTHER, 2), operation(3, 4, READ, 1)), [])

    def test_two_values_are_condemned(self):
        self.assertIn("bound to 2 values", problems(operation(0, 1, BOUND, 1), operation(2, 3, BOUND, 2))[0])
        self.assertIn("bound to 2 values", problems(operation(0, 1, BOUND, 1), operation(2, 3, READ, 2))[0])

    def test_a_read_that_misses_what_was_acknowledged_before_it_is_condemned(self):
        self.assertIn("read as free", problems(operation(0, 1, BOUND, 1), operation(2, 3, READ, None))[0])
        # Also what another read has shown.
        found = problems(operation(0, None, UNKNOWN, 1), operation(1, 2, READ, 1), operation(3, 4, READ, None))
        self.assertIn("read as free", found[0])

    def test_a_value_that_nobody_had_asked_for_is_condemned(self):
        self.assertIn("nobody had asked", problems(operation(0, 1, READ, 7))[0])
        self.assertIn("nobody had asked", problems(operation(0, 1, READ, 7), operation(2, 3, BOUND, 7))[0])

    def test_a_refusal_of_the_value_that_won_is_condemned(self):
        self.assertIn("a registration of that was refused", problems(operation(0, 1, BOUND, 1), operation(2, 3, OTHER, 1))[0])

    def test_a_refusal_without_a_rival_is_condemned(self):
        self.assertIn("nobody had asked for another", problems(operation(0, 1, OTHER, 1))[0])
        self.assertIn("nobody had asked for another", problems(operation(0, 1, OTHER, 1), operation(2, 3, BOUND, 2))[0])


if __name__ == "__main__":
    unittest.main()
