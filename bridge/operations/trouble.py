"""One thing that is wrong, in words, with its outcome code."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from bridge.core.model.outcome_codes import Code
from bridge.core.model.outcome_meanings import MEANINGS


@dataclass(frozen=True, slots=True)
class Trouble:
    """One thing that is wrong. Its fields are the keys of `bridge doctor --json`."""

    code: Code
    what: str
    since: datetime | None
    do: str
    connection: str = ""
    """The connection that it is about; empty: the bridge as a whole, or several."""
    note: bool = False
    """It is shown, and nobody need do anything: no reason for an alarm or for exit code 1."""
    tickets: int = 0
    """About how many tickets wait for it to be mended, as far as that is known."""


def usual(code: Code, what: str, since: datetime | None = None, connection: str = "") -> Trouble:
    """Return a trouble about which one does what is always done about its code."""
    return Trouble(code, what, since, MEANINGS[code].do, connection)
