"""The word that a deployment has for the priority in the middle: `medium` or `normal`.

The REST guide says the one, a later document of the product the other (capabilities.py), and which
of them a PATCH takes is said nowhere. Each ticket that shows one of them tells. Until one has, a
refusal does: then the other word is tried, once, for a refused call has done nothing. What that
tells is kept for all workers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

from bridge.connectors.contract import Findings
from bridge.connectors.parsing import Row
from bridge.errors import Refused

KEY: Final = "priority"
WORDS: Final = {"medium": "normal", "normal": "medium"}
"""Each word -> the other one."""


class PriorityWord:
    """What one connection has shown. A plain value: to learn it twice does no harm."""

    def __init__(self, findings: Callable[[], Findings]) -> None:
        self._findings = findings
        self._known = ""

    def learn(self, rows: Iterable[Row]) -> None:
        """Learn from tickets."""
        for row in rows:
            if isinstance(word := row.get(KEY), str) and word in WORDS:
                self._known = word

    def taken(self, body: Mapping[str, Any]) -> None:
        """Keep that this body's word was taken where the other one was refused."""
        self.learn([body])
        self._findings().keep(_finding(body[KEY]), f"{WORDS[body[KEY]]!r} was refused")

    def _word(self) -> str:
        """Return the deployment's word; empty: nobody knows yet."""
        if not self._known:
            known = self._findings().known()
            self._known = next((word for word in WORDS if known.get(_finding(word))), "")
        return self._known

    def spell(self, body: Mapping[str, Any]) -> dict[str, Any]:
        """Return a body with the deployment's word for the priority in the middle, if known."""
        known = self._word() if body.get(KEY) in WORDS else ""
        return {**body, KEY: known} if known else dict(body)

    def after_refusal(self, body: Mapping[str, Any], error: Refused) -> dict[str, Any] | None:
        """Return the body with the other word, if the refusal can be about that one."""
        word = body.get(KEY)
        if not isinstance(word, str) or word not in WORDS or self._word():
            return None
        fits = error.status == 400 or (error.status == 422 and KEY in error.detail)
        return {**body, KEY: WORDS[word]} if fits else None


def _finding(word: str) -> str:
    return f"{KEY} in the middle is {word}"
