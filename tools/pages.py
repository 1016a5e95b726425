"""Commands that a page of docs/ tells its reader to type, for those who run them in the reader's place."""

import re


def blocks(path, mark=""):
    """The fenced blocks ```sh, or ```sh MARK, of a page, in order."""
    with open(path, encoding="utf-8") as file:
        page = file.read()
    return [text for info, text in re.findall(r"^```sh *([^\n]*)\n(.*?)^```$", page, re.MULTILINE | re.DOTALL) if info == mark]


def commands(path, mark=""):
    """All of them, as one script."""
    return "".join(blocks(path, mark))
