"""Just enough of C++'s surface for lint: text without comments and literals, and the statements of each scope."""

import re
from dataclasses import dataclass

_LITERAL = re.compile(
    r"""(?P<line>//[^\n]*)
      | (?P<block>/\*.*?\*/)
      | (?P<raw>R"(?P<mark>[^()\\\s]{0,16})\(.*?\)(?P=mark)")
      | (?P<string>"(?:[^"\\\n]|\\.)*")
      | (?P<char>(?<![0-9a-zA-Z_])'(?:[^'\\\n]|\\.)*')""",
    re.VERBOSE | re.DOTALL,
)


def strip(text):
    """The text with comments and the insides of literals blanked; line numbers and columns stay."""

    def blank(match):
        whole = match.group(0)
        hollow = re.sub(r"[^\n]", " ", whole)
        if match.lastgroup in ("line", "block"):
            return hollow
        return whole[0] + hollow[1:-1] + whole[-1] if len(whole) > 1 else whole

    lines = _LITERAL.sub(blank, text).split("\n")
    for i, line in enumerate(lines):
        if line.lstrip().startswith("#include"):
            lines[i] = text.split("\n")[i]
    return "\n".join(lines)


def includes(text):
    """(line number, path, is_system) of each #include."""
    for number, line in enumerate(text.split("\n"), 1):
        match = re.match(r'\s*#\s*include\s*([<"])([^>"]+)[>"]', line)
        if match:
            yield number, match.group(2), match.group(1) == "<"


@dataclass
class Statement:
    scope: str  # "namespace", "class" or "function"
    owner: str  # name of the class, for "class"
    text: str  # blanks collapsed
    line: int


def _kind(head):
    head = re.sub(r"\[\[[^\]]*\]\]", " ", head).strip()
    head = re.sub(r"^template\s*<.*?>\s*(?=(class|struct|union)\b)", "", head, flags=re.DOTALL)
    if re.match(r"(inline\s+)?namespace\b", head) or head == 'extern "C"' or head.startswith("extern "):
        return "namespace", ""
    match = re.search(r"(?:^|[\s>])(class|struct|union)\s+(?:alignas\([^)]*\)\s*)?([A-Za-z_][\w:]*)?[^()=]*$", head)
    if match:
        return "class", match.group(2) or ""
    if re.search(r"(?:^|\s)enum\b[^()]*$", head):
        return "enum", ""
    if re.search(r"[=,(]\s*$|\breturn\s*$|\w\s*$", head) and not re.search(
        r"\)\s*(const|noexcept|override|final|mutable|&|&&|\s)*$|\b(else|do|try)$|->\s*[\w:<>,\s*&]+$", head
    ):
        return "initialiser", ""
    return "function", ""


def statements(stripped):
    """The statements of text that strip() has been over."""
    text = "\n".join("" if line.lstrip().startswith("#") else line for line in _join_directives(stripped))
    found = []
    stack = [("namespace", "")]
    start, parens, line, start_line = 0, 0, 1, 1
    i = 0
    while i < len(text):
        c = text[i]
        if c == "\n":
            line += 1
        if not text[start:i].strip():
            start_line = line
        if c in "([":
            parens += 1
        elif c in ")]":
            parens = max(0, parens - 1)
        elif c == "{":
            head = text[start:i]
            kind, name = _kind(" ".join(head.split()))
            if parens and kind != "function":
                kind = "initialiser"
            if stack[-1][0] == "initialiser":
                kind = "initialiser" if kind != "function" or not head.strip().endswith(")") else kind
            stack.append((kind, name, start, start_line, parens))
            parens = 0
            if kind != "initialiser":
                start = i + 1
        elif c == "}" and len(stack) > 1:
            kind, _, old_start, old_line, parens = stack.pop()
            if kind == "initialiser":
                start, start_line = old_start, old_line
            else:
                start = i + 1
        elif c == ";" and parens == 0:
            scope = stack[-1]
            body = " ".join(text[start:i].split())
            body = re.sub(r"^((public|private|protected)\s*:\s*)+", "", body)
            if body and scope[0] in ("namespace", "class", "function"):
                found.append(Statement(scope[0], scope[1], body, start_line))
            start = i + 1
        elif c == ":" and stack[-1][0] == "class" and re.fullmatch(
            r"\s*(public|private|protected)\s*", text[start:i]
        ):
            start = i + 1
        i += 1
    return found


def _join_directives(stripped):
    """Lines, with the continuation lines of a preprocessor directive blanked."""
    inside = False
    for line in stripped.split("\n"):
        directive = inside or line.lstrip().startswith("#")
        inside = directive and line.rstrip().endswith("\\")
        yield "" if directive else line
