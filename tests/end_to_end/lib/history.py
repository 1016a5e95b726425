"""What concurrent clients saw of names that are bound once and for ever, and whether one order explains all of it.

A name is a register that is written once. So each operation on it is about one value, and linearizability (Herlihy and Wing, 1990) comes
down to four sentences about each name, which `problems` checks. An operation without an answer may have taken effect at any time after it
was sent, or never.
"""

import threading
import time

UNKNOWN = "unknown"  # no answer, or one that leaves open whether it was done
BOUND = "bound"  # a registration: the name is bound to this value
OTHER = "other"  # a registration: the name is bound to another value
READ = "read"  # a read that gave this value; None: the name is free


class Operation:
    def __init__(self, name, value, sent):
        self.name = name
        self.value = value  # what a registration asks for
        self.sent = sent
        self.answered = None
        self.outcome = UNKNOWN


class History:
    """Operations of any number of threads."""

    def __init__(self):
        self.operations = []
        self._lock = threading.Lock()

    def begin(self, name, value):
        operation = Operation(name, value, time.monotonic())
        with self._lock:
            self.operations.append(operation)
        return operation

    @staticmethod
    def end(operation, outcome, value=None):
        operation.answered = time.monotonic()
        operation.outcome = outcome
        if outcome == READ:
            operation.value = value

    def answered(self):
        return [operation for operation in self.operations if operation.outcome != UNKNOWN]

    def problems(self):
        by_name = {}
        for operation in self.operations:
            by_name.setdefault(operation.name, []).append(operation)
        return [problem for name, operations in sorted(by_name.items()) for problem in _problems_of(name, operations)]


def _problems_of(name, operations):
    """The sentences that do not hold of one name."""
    seen = [o for o in operations if o.outcome == BOUND or (o.outcome == READ and o.value is not None)]
    values = {o.value for o in seen}
    if len(values) > 1:
        return [f"{name} was bound to {len(values)} values: {sorted(values)}"]
    problems = []
    known = min((o.answered for o in seen), default=None)  # from here on everybody must see it
    for operation in operations:
        if operation.outcome == READ and operation.value is None and known is not None and operation.sent > known:
            problems.append(f"{name} was read as free {operation.sent - known:.3f} s after it had been seen bound")
    for value in values:
        asked = min((o.sent for o in operations if o.outcome != READ and o.value == value), default=None)
        if asked is None or known < asked:
            problems.append(f"{name} was seen bound to {value}, which nobody had asked for by then")
    for operation in operations:
        if operation.outcome != OTHER:
            continue
        if operation.value in values:
            problems.append(f"{name} is bound to {operation.value}, and a registration of that was refused")
        rivals = [o for o in operations if o is not operation and o.outcome in (BOUND, UNKNOWN) and o.value != operation.value]
        if not any(rival.sent < operation.answered for rival in rivals):
            problems.append(f"{name} was refused to {operation.value} when nobody had asked for another value")
    return problems
