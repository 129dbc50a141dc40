"""The simulated analysis of a text, and the catalogue of the tags that it has found so far."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from typing import Any

Found = tuple[str, float, float | None, bool]
"""Name, salience, sentiment (None: not available), and whether the tag is relevant."""

_SUBJECTS: Mapping[str, str] = {
    "session": "login",
    "correct": "billing",
    "file": "export",
    "graphique": "analytics",
    "order": "webhooks",
    "user": "superuser",
    "android": "mobile app",
    "eyes": "design",
    "offer": "pricing",
    "price": "pricing",
    "settings": "settings",
    "文字": "import",
}
_NOISE = "page"


def discovered(text: str) -> tuple[Found, ...]:
    """Return what a text is about: the same for the same text.

    What it only mentions scores low, or is not relevant.
    """
    lowered = text.casefold()
    found: dict[str, Found] = {}
    for word, name in _SUBJECTS.items():
        if word in lowered:
            digest = hashlib.sha256(f"{name} {text}".encode()).digest()
            mood = None if digest[1] % 3 == 0 else round(digest[2] / 255, 2)
            found[name] = (name, round(0.4 + digest[0] / 255 * 0.6, 2), mood, True)
    if _NOISE in lowered:
        found[_NOISE] = (_NOISE, 0.1, None, False)
    return tuple(found.values())


class Catalogue:
    """The tags of an account. One is added when it is first found; none ever goes."""

    def __init__(self) -> None:
        self._tags: dict[int, dict[str, Any]] = {}

    def __iter__(self) -> Iterator[Mapping[str, Any]]:
        return iter(list(self._tags.values()))

    def get(self, tag_id: int) -> Mapping[str, Any] | None:
        """Return a tag, or None."""
        return self._tags.get(tag_id)

    def named(self, name: str, *, relevant: bool = True) -> Mapping[str, Any]:
        """Return the tag of a name, made if there is none yet."""
        for tag in self._tags.values():
            if tag["name"] == name:
                return tag
        number = len(self._tags) + 1
        self._tags[number] = {"id": number, "name": name, "relevant": relevant}
        return self._tags[number]
