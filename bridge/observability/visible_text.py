"""Text from outside, made harmless for whoever looks at it: on a terminal, in a log, on a page."""

from __future__ import annotations

import unicodedata
from typing import Final

IN_PLACE: Final = "·"
"""Stands for a character that cannot be seen and would be obeyed."""
JOINERS: Final = frozenset("\u200c\u200d")
"""Invisible, but emoji and several scripts are spelled with them, and nothing obeys them."""


def visible(text: str) -> str:
    """Return the text on one line, with a dot for whatever a terminal or a reader would obey.

    That is every control character (line ends, escape, the one-character CSI), every mark that
    turns the direction of writing, half characters, and whatever else cannot be seen. All that can
    be seen stays as it is.
    """
    if text.isprintable():
        return text
    return "".join(char if _is_harmless(char) else IN_PLACE for char in text)


def visible_json(document: str) -> str:
    """Return a JSON document in which the same characters are escaped: its values do not change.

    The document must be on one line.
    """
    if document.isprintable():
        return document
    return "".join(char if _is_harmless(char) else _escape(char) for char in document)


def _is_harmless(char: str) -> bool:
    return char.isprintable() or char in JOINERS or unicodedata.category(char) == "Zs"


def _escape(char: str) -> str:
    units = char.encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{units[at : at + 2].hex()}" for at in range(0, len(units), 2))
