"""The form in which a deployment takes external ids: a number, or a text.

It is a number in one revision of the document and a text in the next (2026-11). A refused create
has made nothing, so the other form is tried then, and the one that was taken is used from then on,
by all workers. A text that the deployment's own tickets show spares even the one refusal.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Final

from bridge.connectors.contract import Findings
from bridge.connectors.parsing import Row
from bridge.core.model.markers import Markers
from bridge.errors import Refused

KEY: Final = "external_id"
FINDINGS: Final[Mapping[type, str]] = {str: f"{KEY} as text", int: f"{KEY} as number"}
"""Each form -> the name under which it is kept that it was taken."""
OF_VALUES: Final = frozenset({400, 422})
"""Statuses of a refusal that may be about the form of a value."""


class ExternalIdForm:
    """What one connection has shown. A plain value: to learn it twice does no harm."""

    def __init__(self, configured: str, findings: Callable[[], Findings]) -> None:
        """Begin with what was found out before, else with the configured form, `int` or `string`.

        `findings`: where that is kept.
        """
        self._configured = configured
        self._findings = findings
        self._form: type | None = None
        """The form of an id that was taken: certain."""
        self._shows_text = False
        self._in_vain = False
        """Once both were refused, for a reason that did not name the id."""

    def learn(self, rows: Iterable[Row]) -> None:
        """Learn from tickets."""
        self._shows_text = self._shows_text or any(isinstance(row.get(KEY), str) for row in rows)

    def ids(self, marker: str, markers: Markers) -> tuple[int | str, int | str]:
        """Return the ids that stand for our marker: first the one to be sent, then the other.

        Itself as a text where that is configured, and a number below 2**53 made of it.
        """
        number = markers.number(marker)
        text = marker if self._configured == "string" else str(number)
        text_first = self._configured == "string" or self._shows_text
        taken = self._taken()
        if taken is not None:
            text_first = taken is str
        return (text, number) if text_first else (number, text)

    def taken(self, own_id: int | str) -> None:
        """Remember that an id was taken in this form."""
        if self._taken() is None:
            name = FINDINGS[type(own_id)]
            self._findings().keep(name, f"a create was taken with {name}")
        self._form, self._in_vain = type(own_id), False

    def _taken(self) -> type | None:
        """Return the form that was taken, by this worker or another; None: nobody knows yet."""
        if self._form is None:
            known = self._findings().known()
            self._form = next((form for form, name in FINDINGS.items() if known.get(name)), None)
        return self._form

    def both_refused(self) -> None:
        """Remember that the form was not the reason."""
        self._in_vain = True

    def may_be_refused(self, error: Refused) -> bool:
        """Return whether a refusal can be about the form of the id.

        Never once a form was taken: then one that names the id says that it is known already, and
        the other form would make a second ticket.
        """
        if self._taken() is not None or error.status not in OF_VALUES:
            return False
        return KEY in error.detail or not self._in_vain
