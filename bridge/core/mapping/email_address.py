"""One form for an e-mail address, however a system spells it; what cannot be one has none.

Systems hand on what somebody typed or what a mail's header said: `Ana <ana@example.com>`, a
`mailto:`, a dot at the end, letters in another Unicode form, characters that nobody sees. Two
people meet, or do not, by this form, and it is what other systems are sent. So it is strict: two
addresses in one field are nobody's. The time taken is linear in the text, which is bounded.
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

from bridge.core.model.values import Unreadable, shown

MAX_SPELLING_CHARS = 1000
"""An address is at most 254 characters long; a name may stand before it."""
MAX_ADDRESS_CHARS = 254
MAX_LOCAL_CHARS = 64
MAX_LABEL_CHARS = 63
_MAILTO = "mailto:"
_ORDINARY = re.compile(
    r"[\w+-]++(?:\.[\w+-]++)*+@\w++(?:-++\w++)*+(?:\.\w++(?:-++\w++)*+)*+", re.ASCII
)
"""An address of ASCII letters alone, which has one form but for their case: nearly all are so."""
_FORBIDDEN_IN_LOCAL = frozenset('()<>[]\\,;:"')
_INVISIBLE = "Cf"
"""The Unicode category of characters without a shape: zero-width spaces and joiners, directions."""
_MARKS = "M"


def address_of(text: object) -> str | Unreadable | None:
    """Return the one form of an e-mail address; None for empty text.

    Unreadable, with the reason: it is no address, or more than one.
    """
    if not isinstance(text, str):
        return _no_address(text)
    if len(text) <= MAX_LABEL_CHARS and _ORDINARY.fullmatch(text):
        return text.lower()
    if len(text) > MAX_SPELLING_CHARS:
        return Unreadable(f"a text of {len(text)} characters is no e-mail address")
    return _address_of(text)


@lru_cache(maxsize=512)
def _address_of(text: str) -> str | Unreadable | None:
    """Return the form of one text: each record's is asked for again and again while it is new."""
    seen = "".join(char for char in text if unicodedata.category(char) != _INVISIBLE)
    spelling = seen.strip()
    if not spelling:
        return None
    bare = _without_name(spelling)
    if bare.count("@") > 1 or (bare != spelling and _names_another(spelling, bare)):
        return Unreadable(f"{shown(text)} holds more than one e-mail address")
    # Folded between two compositions: a letter that is folded may fall apart again.
    folded = unicodedata.normalize("NFC", unicodedata.normalize("NFC", bare).lower())
    address = folded.removeprefix(_MAILTO).partition("?")[0] if _has_scheme(folded) else folded
    address = address.removesuffix(".")
    return address if _is_address(address) else _no_address(text)


def same_address(left: object, right: object) -> bool:
    """Return whether two spellings are of one address; what is none is the same as nothing."""
    address = address_of(left)
    return isinstance(address, str) and address == address_of(right)


def _without_name(spelling: str) -> str:
    """Return what stands between angle brackets at the end, else all of it."""
    if not spelling.endswith(">"):
        return spelling
    _name, bracket, inside = spelling[:-1].rpartition("<")
    return inside.strip() if bracket else spelling


def _names_another(spelling: str, bare: str) -> bool:
    """Return whether the name before an address in brackets holds another address.

    Mail programs put the address itself there where they know no name.
    """
    name = spelling[: spelling.rindex("<")].strip().strip("\"'").strip()
    return "@" in name and name.lower() != bare.lower()


def _has_scheme(folded: str) -> bool:
    return folded.startswith(_MAILTO)


def _is_address(address: str) -> bool:
    local, at, domain = address.partition("@")
    return (
        bool(at)
        and len(address) <= MAX_ADDRESS_CHARS
        and 0 < len(local) <= MAX_LOCAL_CHARS
        and all(local.split("."))
        and all(_fits_local(char) for char in local)
        and all(_is_label(label) for label in domain.split("."))
    )


def _fits_local(char: str) -> bool:
    return char not in _FORBIDDEN_IN_LOCAL and char.isprintable() and not char.isspace()


def _is_label(label: str) -> bool:
    """Return whether a text may stand between the dots of a domain, in any script."""
    return (
        0 < len(label) <= MAX_LABEL_CHARS
        and label.strip("-") == label
        and all(char.isalnum() or char in "-_" or _is_mark(char) for char in label)
    )


def _is_mark(char: str) -> bool:
    """Return whether a character is part of the one before it, as vowels are in many scripts."""
    return unicodedata.category(char).startswith(_MARKS)


def _no_address(value: object) -> Unreadable:
    return Unreadable(f"{shown(value)} is no e-mail address")
