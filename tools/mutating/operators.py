"""The mutations: small mechanical mistakes in the bodies of functions. Each finder yields edits of the file's text.

Left alone is what decides nothing: CHECK and static_assert, sentences, notes, digests, names for a trace, memory reserved ahead.
"""

from dataclasses import dataclass

_SILENT_FUNCTIONS = {"Digest", "CheckInvariants", "CheckFailed", "Fields", "ToString", "KeyText", "RoleName"}
_SILENT_CLASSES = {"Tracer"}
_SILENT_VARIABLES = {"why", "reason"}
_SILENT_CALLS = {"CHECK", "CHECK_MSG", "static_assert", "StrCat", "StrAppend", "StrFormat", "Note", "reserve"}
_KEYWORDS = {"if", "for", "while", "switch", "do", "else", "case", "default", "return", "using", "break", "continue", "new", "delete", "throw"}
_ASSIGNMENTS = {"=", "+=", "-=", "*=", "/=", "%=", "&=", "|=", "^=", "<<=", "++", "--"}
_SHIFTED = {"<": "<=", "<=": "<", ">": ">=", ">=": ">"}
_FLIPPED = {"<": ">", "<=": ">=", ">": "<", ">=": "<=", "==": "!=", "!=": "=="}


@dataclass(frozen=True)
class Edit:
    operator: str
    start: int
    end: int
    text: str

    def apply(self, text):
        """The mutated text. It has as many lines as before, so that no line number in the object code tells them apart."""
        missing = text.count("\n", self.start, self.end) - self.text.count("\n")
        return text[: self.start] + self.text + "\n" * missing + text[self.end :]


class _Body:
    """The tokens of one function that may be mutated."""

    def __init__(self, source, function):
        self.source = source
        self.function = function
        self.silent = set()
        for i in range(function.open, function.close):
            if source.word(i) in _SILENT_CALLS and source.word(i + 1) == "(":
                self.silent.update(range(self._chain_start(i), source.past(i + 1)))
        self.places = [i for i in range(function.open + 1, function.close) if i not in self.silent]

    def _chain_start(self, i):
        while self.source.word(i - 1) in ("::", ".", "->") and self.source.tokens[i - 2].kind == "word":
            i -= 2
        return i

    def edit(self, operator, first, last, text):
        """An edit of the tokens first to last."""
        tokens = self.source.tokens
        return Edit(operator, tokens[first].start, tokens[last].end, text)


# --- statements ---


def _statement_end(source, i):
    """The last token of the statement that begins at token i."""
    word = source.word(i)
    if word == "{":
        return source.match[i]
    if word in ("if", "for", "while", "switch"):
        head = i + 1
        while source.word(head) != "(":
            head += 1
        end = _statement_end(source, source.past(head))
        if word == "if" and source.word(end + 1) == "else":
            end = _statement_end(source, end + 2)
        return end
    if word == "do":
        i = _statement_end(source, i + 1) + 1
    while source.word(i) not in (";", ""):
        i = source.past(i)
    return i


def _begins_statement(source, i):
    before = source.word(i - 1)
    if source.word(source.inside[i]) != "{" or source.inside[i] < 0:
        return False
    if before in ("{", "}", ";", "else", "do"):
        return True
    if before == ":":
        return any(source.word(i - back) in ("case", "default") for back in range(2, 8))
    opens = source.opener.get(i - 1, -1) if before == ")" else -1
    return opens > 0 and source.word(opens - 1) in ("if", "for", "while", "switch", "constexpr")


def _is_expression(source, i):
    """A call, an assignment or a step: what begins at token i is no declaration."""
    while source.word(i) in ("++", "--", "*"):
        i += 1
    if source.tokens[i].kind != "word" or source.word(i) in _KEYWORDS:
        return False
    i += 1
    while True:
        word = source.word(i)
        if word in ("::", ".", "->"):
            i += 2
        elif word in ("(", "["):
            i = source.past(i)
        elif word == "<" and not source.spaced(i):
            while source.word(i) not in (">", ";", ""):
                i += 1
            i += 1
            if source.word(i) not in ("(", "::"):
                return False
        else:
            return word in _ASSIGNMENTS or (word == ";" and source.word(i - 1) == ")")


def _tells(source, i):
    """True for an assignment of a sentence."""
    while source.word(i) not in ("=", ";", ""):
        i = source.past(i)
    return source.word(i) == "=" and source.word(i - 1) in _SILENT_VARIABLES


def _in_control_block(source, i):
    """True inside a block that an if, a loop or a case opened, where a jump left out goes on behind it."""
    brace = source.inside[i]
    opens = source.opener.get(brace - 1, -1)
    return source.word(brace - 1) in ("else", "do", ":") or (opens > 0 and source.word(opens - 1) in ("if", "for", "while", "switch", "constexpr"))


def _delete_statement(body):
    source = body.source
    for i in body.places:
        if not _begins_statement(source, i):
            continue
        jump = source.word(i) in ("break", "continue", "return") and _in_control_block(source, i)
        if jump or (_is_expression(source, i) and not _tells(source, i)):
            yield body.edit("delete statement", i, _statement_end(source, i), ";")


def _drop_branch(body):
    source = body.source
    for i in body.places:
        if source.word(i) != "if":
            continue
        head = i + 2 if source.word(i + 1) == "constexpr" else i + 1
        first = source.past(head)
        last = _statement_end(source, first)
        yield body.edit("drop branch", first, last, "{}")
        if source.word(last + 1) == "else":
            yield body.edit("drop branch", last + 1, _statement_end(source, last + 2), "")


# --- conditions ---


def _negate_condition(body):
    source = body.source
    for i in body.places:
        if source.word(i) not in ("if", "while") or source.word(i + 1) != "(":
            continue
        first, close = i + 2, source.match[i + 1]
        inner = [j for j in range(first, close) if source.inside[j] == i + 1]
        for j in inner:
            if source.word(j) == ";":
                first = j + 1
        if any(source.word(j) == "=" for j in inner if j >= first):
            continue
        condition = source.text[source.tokens[first].start : source.tokens[close - 1].end]
        yield body.edit("negate condition", first, close - 1, f"!({condition})")


def _change_comparison(body):
    source = body.source
    for i in body.places:
        if source.word(i) in _FLIPPED and source.spaced(i):
            yield body.edit("flip comparison", i, i, _FLIPPED[source.word(i)])
            if source.word(i) in _SHIFTED:
                yield body.edit("shift comparison", i, i, _SHIFTED[source.word(i)])


def _drop_not(body):
    for i in body.places:
        if body.source.word(i) == "!":
            yield body.edit("drop not", i, i, "")


def _swap_and_or(body):
    for i in body.places:
        if body.source.word(i) in ("&&", "||") and body.source.spaced(i):
            yield body.edit("and for or", i, i, "||" if body.source.word(i) == "&&" else "&&")


# --- values ---


def _shift_integer(body):
    for i in body.places:
        token = body.source.tokens[i]
        digits = token.text.replace("'", "").rstrip("uUlLzZ")
        if token.kind != "number" or not digits.isdigit():
            continue
        suffix = token.text[len(token.text.rstrip("uUlLzZ")) :]
        for value in (int(digits) + 1, int(digits) - 1):
            if value >= 0:
                yield body.edit("shift integer", i, i, f"{value}{suffix}")


def _arguments(source, opens):
    """The arguments between the brackets, as (first, last) token."""
    first = opens + 1
    for i in range(opens + 1, source.match[opens] + 1):
        ends = i == source.match[opens] or (source.word(i) == "," and source.inside[i] == opens)
        if ends and first < i:
            yield first, i - 1
        if ends:
            first = i + 1


def _swap_arguments(body):
    """Neighbours only; whether their types are alike the compiler tells."""
    source = body.source
    for i in body.places:
        if source.word(i) not in ("(", "{") or i not in source.match or source.tokens[i - 1].kind != "word" or source.word(i - 1) in _KEYWORDS:
            continue
        arguments = list(_arguments(source, i))
        for (first, last), (next_first, next_last) in zip(arguments, arguments[1:]):
            texts = [source.text[source.tokens[a].start : source.tokens[b].end] for a, b in ((first, last), (next_first, next_last))]
            between = source.text[source.tokens[last].end : source.tokens[next_first].start]
            # Lambdas, sentences and named members never change places.
            if texts[0] != texts[1] and not any(text[0] == "." or set(text) & set(';["') for text in texts):
                yield body.edit("swap arguments", first, next_last, texts[1] + between + texts[0])


_FINDERS = (
    _delete_statement,
    _drop_branch,
    _negate_condition,
    _change_comparison,
    _drop_not,
    _swap_and_or,
    _shift_integer,
    _swap_arguments,
)


def edits(source):
    """Every mutation of the file, in order of place; no two give the same text."""
    found = {}
    for function in source.functions():
        *owner, name = function.name.split("::")
        if name in _SILENT_FUNCTIONS or name.startswith("DigestOf") or _SILENT_CLASSES & set(owner):
            continue
        body = _Body(source, function)
        for finder in _FINDERS:
            for edit in finder(body):
                found.setdefault(edit.apply(source.text), (edit, function.name))
    return sorted(found.values(), key=lambda pair: (pair[0].start, pair[0].operator, pair[0].text))
