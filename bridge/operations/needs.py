"""What needs a human: one line for each reason, the one that most tickets wait for first."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final

from bridge.operations.status import Overview
from bridge.operations.trouble import Trouble

_NEVER: Final = datetime.max.replace(tzinfo=UTC)


def needs(shown: Overview) -> list[Trouble]:
    """Return what is wrong and has to be looked at, ordered by tickets concerned, then by age."""
    wrong = [trouble for trouble in shown.troubles if not trouble.note]
    return sorted(wrong, key=lambda each: (-each.tickets, each.since or _NEVER))
