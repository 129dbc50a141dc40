"""Says in plain words what is wrong with a file that is no YAML, and in which line to look."""

from __future__ import annotations

import re
from typing import Final

import yaml
from yaml.error import Mark

QUOTE_IT: Final = "put it in quotes"
_UNCLOSED: Final = {
    "while parsing a flow mapping": (
        "the { of this line is not closed, or a comma or a quote is missing: {a: 1, b: 'two'}"
    ),
    "while parsing a flow sequence": (
        "the [ of this line is not closed, or a comma or a quote is missing: [a, 'b']"
    ),
    "while scanning a quoted scalar": "the quote that begins in this line is not closed",
    "while scanning a simple key": "a colon is missing after the name in this line",
    "while scanning a double-quoted scalar": (
        'a \\ within " " means something else: use single quotes'
    ),
}
"""What was being read when it went wrong -> the words, about the line in which that began."""
_HERE: Final = (
    (r"'\\t' that cannot start any token", "a tab stands here; indent with spaces"),
    (
        r"character '(.)' that cannot start any token",
        "a value cannot begin with \\1; " + QUOTE_IT,
    ),
    ("while scanning a block scalar", f"a value cannot begin with | or >; {QUOTE_IT}"),
    (r"while scanning an (?:alias|anchor)", f"a name cannot begin with * or &; {QUOTE_IT}"),
    (
        "mapping values are not allowed here",
        "a colon too many, or no space after one, here or above: text with a colon needs quotes",
    ),
    (
        "expected <block end>, but found '-'|but found '<block sequence start>'",
        "some rows of this list begin with - and some do not: begin each with -, in one column",
    ),
    (r"but found '[}\]]'", "a } or ] too many: none is open here"),
    ("sequence entries are not allowed here", "a row that begins with - needs a line of its own"),
    (
        "expected <block end>|found undefined tag|expected '<document start>'",
        "the indent fits none of the lines above: rows that belong together begin in one column",
    ),
    ("but found another document", "--- begins a second document; take that line out"),
    ("expected the node content", "a value is missing before this, or a [ or { is not closed"),
)


def in_plain_words(error: yaml.MarkedYAMLError, text: str) -> tuple[int, str]:
    """Return the line of a text in which to look, from 1, and what is wrong there."""
    context, problem = str(error.context or ""), str(error.problem or "")
    said = " ".join(part for part in (context, problem) if part)
    here, began = error.problem_mark or error.context_mark, error.context_mark
    opened = _open_quote(text, here)
    if opened:
        return opened, _UNCLOSED["while scanning a quoted scalar"]
    for pattern, words in _HERE:
        found = re.search(pattern, said)
        if found is not None and not _is_open(context, problem):
            return _line(here), found.expand(words)
    if context in _UNCLOSED:
        return _line(began or here), _UNCLOSED[context]
    return _line(here), "cannot be read: look at indent, quotes and brackets here and above"


def _open_quote(text: str, here: Mark | None) -> int:
    """Return the line in which the text begins that ends right before a place; 0: none does.

    Where something is wrong after a text in quotes of several lines, the quote that closed it was
    meant to open another.
    """
    last: yaml.ScalarToken | None = None
    try:
        for token in yaml.scan(text):
            if here is None or token.start_mark.index >= here.index:
                break
            last = token if isinstance(token, yaml.ScalarToken) else last
    except yaml.YAMLError:
        pass
    if last is None or last.style not in ("'", '"'):
        return 0
    return _line(last.start_mark) if last.start_mark.line < last.end_mark.line else 0


def _is_open(context: str, problem: str) -> bool:
    """Return whether something that was opened further up is what is wrong."""
    if context.startswith("while parsing a flow"):
        return "expected ',' or" in problem
    return context.startswith("while scanning a quoted")


def _line(mark: Mark | None) -> int:
    return mark.line + 1 if mark is not None else 1
