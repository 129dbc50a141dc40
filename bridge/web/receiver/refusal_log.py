"""Refused webhooks are counted in the log and the ledger, where other processes see them.

A stranger who sends thousands causes one line and one short transaction every few seconds.
"""

from __future__ import annotations

import logging
import threading
from collections import Counter
from datetime import datetime, timedelta
from typing import Final

from bridge.clock import Clock
from bridge.core.model.outcome_codes import of_refusal
from bridge.core.model.outcome_meanings import MEANINGS
from bridge.errors import LedgerError
from bridge.ledger import refused_webhooks
from bridge.ledger.database import Ledger

WRITE_EVERY: Final = timedelta(seconds=5)

log = logging.getLogger(__name__)


class RefusalLog:
    """Counts what was refused, and has it written down at most every few seconds.

    Never by the thread that answers: a ledger that hangs holds up no refusal.
    """

    def __init__(self, ledger: Ledger, clock: Clock) -> None:
        self._ledger, self._clock = ledger, clock
        self._lock = threading.Lock()
        self._waiting: Counter[tuple[str, str]] = Counter()
        self._written_at: datetime | None = None
        self._put_off = False

    def add(self, connection: str, reason: str) -> None:
        """Count one refusal."""
        with self._lock:
            self._waiting[connection, reason] += 1
            if self._put_off:
                return
            self._put_off = True
            last = self._written_at
            wait = timedelta(0) if last is None else last + WRITE_EVERY - self._clock.now()
        # A clock that was set back since must not put it off.
        self._clock.later(min(max(wait, timedelta(0)), WRITE_EVERY).total_seconds(), self.write)

    def write(self) -> None:
        """Write down what waits; what cannot be written waits for the next refusal."""
        with self._lock:
            waiting, self._waiting = self._waiting, Counter()
            self._written_at = self._clock.now()
        for (connection, reason), number in sorted(waiting.items()):
            code = of_refusal(reason)
            about = {"connection": connection, "code": str(code), "number": number}
            log.warning("refused webhooks: %s", MEANINGS[code].title, extra=about)
        try:
            with self._ledger.transaction() as tx:
                for (connection, reason), number in sorted(waiting.items()):
                    refused_webhooks.add(tx, connection, reason, number, self._clock.now())
        except LedgerError as error:
            log.warning("refused webhooks are not counted in the ledger now: %s", error)
        else:
            waiting.clear()
        with self._lock:
            self._put_off = bool(self._waiting)  # what was refused meanwhile
            self._waiting.update(waiting)
        if self._put_off:
            self._clock.later(WRITE_EVERY.total_seconds(), self.write)
