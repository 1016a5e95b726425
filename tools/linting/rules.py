"""What the rules share. A rule takes the tree as {path: text} and yields Findings."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Finding:
    path: str
    line: int
    rule: str
    message: str
    warning: bool = False

    def __str__(self):
        kind = "warning" if self.warning else "error"
        return f"{self.path}:{self.line}: {kind}: {self.message} [{self.rule}]"


def is_cpp(path):
    return path.endswith((".cc", ".h"))


def exempt(lines, number, rule):
    """True if the line, or the one above it, says `lint: allow(rule): reason`."""
    mark = f"lint: allow({rule}): "
    near = lines[max(0, number - 2) : number]
    return any(mark in line and len(line.split(mark)[1].strip()) >= 10 for line in near)
