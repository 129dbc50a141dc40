"""Keeps the calls of this process, a second's at once, so that a call costs no transaction.

What was not kept yet when a process is killed is not in the list of calls; nothing else of the
bridge looks at that list.
"""

from __future__ import annotations

import logging
import threading
from collections import deque
from typing import Final

from bridge.core.model.vendor_call import VendorCall
from bridge.errors import LedgerError
from bridge.ledger import vendor_calls
from bridge.ledger.database import Ledger

KEEP_EVERY: Final = 1.0
"""Seconds."""
MOST_WAITING: Final = 20_000
"""So many calls wait for a ledger that is away; older ones are dropped."""
AT_ONCE: Final = 1_000
"""In one transaction, so that others never wait long for the ledger."""

log = logging.getLogger("bridge")


class CallLog:
    """Takes calls in from any thread; one thread of its own keeps them.

    That thread begins with the first call.
    """

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._waiting: deque[VendorCall] = deque(maxlen=MOST_WAITING)
        self._some = threading.Event()
        self._ends = threading.Event()
        self._keeping = threading.Lock()
        self._thread: threading.Thread | None = None

    def add(self, call: VendorCall) -> None:
        """Take a call in."""
        self._waiting.append(call)
        if not self._some.is_set():
            self._some.set()
            self._begin()

    def keep(self) -> None:
        """Store what waits, now. A ledger that fails is tried again a second later."""
        with self._keeping:
            while self._waiting:
                calls = [self._waiting.popleft() for _ in range(min(AT_ONCE, len(self._waiting)))]
                try:
                    with self._ledger.transaction() as tx:
                        vendor_calls.add_all(tx, calls)
                except LedgerError as error:
                    log.debug("calls could not be kept: %s", error)
                    self._waiting.extendleft(reversed(calls))
                    self._some.set()
                    return

    def close(self) -> None:
        """Store what waits, and end."""
        self._ends.set()
        self._some.set()
        self.keep()

    def _begin(self) -> None:
        with self._keeping:
            if self._thread is None and not self._ends.is_set():
                self._thread = threading.Thread(target=self._run, name="calls", daemon=True)
                self._thread.start()

    def _run(self) -> None:
        while not self._ends.is_set():
            self._some.wait()
            if self._ends.wait(KEEP_EVERY):
                return
            self._some.clear()
            try:
                self.keep()
            except Exception:
                log.exception("calls could not be kept, and are dropped")
