"""What is wrong, in the log: when it begins, when it is over, and a reminder of what lasts."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from bridge.core.model.outcome_codes import Code
from bridge.core.model.outcome_meanings import MEANINGS
from bridge.operations.trouble import Trouble

log = logging.getLogger(__name__)


@dataclass(slots=True)
class TroubleLog:
    """Remembers what was wrong when it looked last.

    What a log keeps is read by many: so its lines have the code's title, and no value of a ticket.
    """

    look: Callable[[], Iterable[Trouble]]
    remind_every: int = 4
    """Of so many looks, one that finds nothing new has a line that names what lasts."""
    _known: set[tuple[Code, str]] = field(default_factory=set)
    _looks: int = 0
    """Since the last line."""

    def update(self) -> None:
        """Look, and log what has changed."""
        wrong = (trouble for trouble in self.look() if not trouble.note)
        found = {(trouble.code, trouble.connection): trouble for trouble in wrong}
        for key in sorted(found.keys() - self._known):
            trouble = found[key]
            log.warning("trouble: %s", MEANINGS[trouble.code].title, extra=_about(*key))
        for code, connection in sorted(self._known - found.keys()):
            log.info("trouble over: %s", MEANINGS[code].title, extra=_about(code, connection))
        self._looks = 0 if found.keys() != self._known else self._looks + 1
        self._known = set(found)
        if found and self._looks >= self.remind_every:
            self._looks = 0
            lasting = "; ".join(
                f"{f'{connection}: ' if connection else ''}{MEANINGS[code].title} [{code}]"
                for code, connection in sorted(found)
            )
            log.warning("trouble lasts: %s; see `bridge doctor`", lasting)


def _about(code: Code, connection: str) -> dict[str, str]:
    return {"code": str(code)} | ({"connection": connection} if connection else {})
