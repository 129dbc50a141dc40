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
    """Counts what was refused, and writes it down at once or, after that, every few seconds."""

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
            now, last = self._clock.now(), self._written_at
            if self._put_off:
                return
            wait = timedelta(0) if last is None else last + WRITE_EVERY - now
            if wait > timedelta(0):
                self._put_off = True
                self._clock.later(wait.total_seconds(), self.write)
                return
        self.write()

    def write(self) -> None:
        """Write down what waits; what cannot be written waits for the next refusal."""
        with self._lock:
            waiting, self._waiting = self._waiting, Counter()
            self._written_at, self._put_off = self._clock.now(), False
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
            with self._lock:
                self._waiting.update(waiting)
