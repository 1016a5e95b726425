"""A C++ file as tokens, and the bodies of its functions: as much of the language as a mutator needs.

Comments and the insides of literals are no tokens, nor are directives; positions are those of the file.
"""

import re
from dataclasses import dataclass

from linting import cpp

_TOKEN = re.compile(
    r"""(?P<literal>"[^"]*"|'[^']*')
      | (?P<number>[0-9](?:[0-9a-zA-Z.]|'[0-9a-fA-F])*)
      | (?P<word>[A-Za-z_]\w*)
      | (?P<sign><=>|<<=|\.\.\.|->\*|::|->|\+\+|--|<<|<=|>=|==|!=|&&|\|\||[-+*/%&|^]=|\S)""",
    re.VERBOSE,
)
_CLOSING = {"(": ")", "[": "]", "{": "}"}


@dataclass(frozen=True)
class Token:
    kind: str  # literal, number, word, sign
    text: str
    start: int
    end: int


@dataclass(frozen=True)
class Function:
    name: str
    open: int  # the tokens `{` and `}` of its body
    close: int


class Source:
    """Tokens of one text, which bracket closes which, and which bracket each token is directly inside of."""

    def __init__(self, text):
        self.text = text
        lines = cpp.strip(text).split("\n")
        directive = False
        for i, line in enumerate(lines):
            directive = directive or line.lstrip().startswith("#")
            if directive:
                lines[i] = " " * len(line)
            directive = directive and line.rstrip().endswith("\\")
        self.tokens = [Token(m.lastgroup, m.group(0), m.start(), m.end()) for m in _TOKEN.finditer("\n".join(lines))]
        self.match = {}  # an opening bracket's token -> the closing one's
        self.opener = {}  # and back
        self.inside = [-1] * len(self.tokens)
        self._pair()

    def _pair(self):
        stack = []
        for i, token in enumerate(self.tokens):
            if stack and token.text == _CLOSING[self.tokens[stack[-1]].text]:
                self.opener[i] = stack[-1]
                self.match[stack.pop()] = i
            self.inside[i] = stack[-1] if stack else -1
            if token.kind == "sign" and token.text in _CLOSING:
                stack.append(i)

    def word(self, i):
        """The text of token i; nothing outside the file."""
        return self.tokens[i].text if 0 <= i < len(self.tokens) else ""

    def past(self, i):
        """The token after token i, or after what i opens."""
        return self.match.get(i, i) + 1

    def line(self, i):
        return self.text.count("\n", 0, self.tokens[i].start) + 1

    def spaced(self, i):
        """True for a binary operator as clang-format prints it: blanks on both sides, which the brackets of a template have not."""
        token = self.tokens[i]
        return self.text[token.start - 1 : token.start].isspace() and self.text[token.end : token.end + 1].isspace()

    def functions(self):
        """The functions of the file that have a body, members and templates among them."""
        found = []
        head, i = 0, 0
        while i < len(self.tokens):
            text = self.word(i)
            if text in (";", "}") or (text == ":" and self.word(i - 1) in ("public", "private", "protected")):
                head = i + 1
            elif text in ("(", "["):
                i = self.match.get(i, i)
            elif text == "{":
                kind = self._kind(head, i)
                if kind == "function":
                    found.append(Function(self._name(head, i), i, self.match.get(i, i)))
                if kind != "scope":
                    i = self.match.get(i, i)
                if kind != "initialiser":
                    head = i + 1
            i += 1
        return found

    def _outer(self, head, end):
        """The tokens from head up to end that no bracket encloses, as texts; brackets themselves included."""
        i = head
        while i < end:
            yield self.word(i)
            i = self.match.get(i, i) if self.word(i) in _CLOSING and self.match.get(i, i) < end else i + 1

    def _kind(self, head, brace):
        words = list(self._outer(head, brace))
        if "namespace" in words or (not {"(", "="} & set(words) and {"class", "struct", "union"} & set(words)):
            return "scope"
        if "enum" in words or "(" not in words:
            return "initialiser"
        before = words.index("(")
        if "=" in words and words.index("=") < before and "operator" not in words:
            return "initialiser"
        # `Name() : member{value} {`: the first brace belongs to the member, the second opens the body.
        member = ":" in words and self.tokens[brace - 1].kind == "word"
        return "initialiser" if member else "function"

    def _name(self, head, brace):
        words = list(self._outer(head, brace))
        end = begin = words.index("(")
        while begin == end or words[begin - 1] == "::":
            begin -= 2 if begin < end else 1
        return "".join(words[begin:end])
