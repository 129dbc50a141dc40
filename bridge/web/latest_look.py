"""What takes long to find out is looked at by one thread at a time, for all who ask."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final, Generic, TypeVar

from bridge.clock import Clock

PATIENCE_SECONDS: Final = 1.0
"""Nobody waits longer for a look, whatever it is that does not answer."""

Found = TypeVar("Found")

log = logging.getLogger(__name__)


@dataclass(slots=True)
class LatestLook(Generic[Found]):
    """The result of the latest look, looked for again when it is older than `keep`.

    However many ask at once, one look is under way. Who asks waits for it no longer than
    `patience`; a look that takes longer (what is looked at hangs, or is hard pressed) goes on, and
    until it ends everybody is answered with `late` at once. So it is when a look fails.
    """

    look: Callable[[], Found]
    late: Callable[[Found | None], Found]
    """Gives the answer while nobody knows better, from what was found last."""
    clock: Clock
    keep: timedelta
    patience: float = PATIENCE_SECONDS
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _found: Found | None = None
    _found_at: datetime | None = None
    _under_way: threading.Event | None = None
    _is_late: bool = False

    def current(self) -> Found:
        """Return what was found within `keep`, else `late`."""
        with self._lock:
            if self._is_fresh():
                return self._found  # type: ignore[return-value] # it is there if it is fresh
            if self._under_way is None:
                self._under_way, self._is_late = threading.Event(), False
                threading.Thread(target=self._go, args=(self._under_way,), daemon=True).start()
            under_way, patience = self._under_way, 0.0 if self._is_late else self.patience
        ended = under_way.wait(patience)
        with self._lock:
            if self._found_at is not None and ended:
                return self._found  # type: ignore[return-value]
            self._is_late = True
        return self.late(self._found)

    def _is_fresh(self) -> bool:
        if self._found_at is None:
            return False
        age = self.clock.now() - self._found_at
        return timedelta() <= age < self.keep  # below 0, the clock was set back: nobody knows

    def _go(self, ended: threading.Event) -> None:
        try:
            found, found_at = self.look(), self.clock.now()
        except Exception:
            log.exception("a look at how the bridge is failed; what it looks for is not known")
            found, found_at = self.late(self._found), self.clock.now()
        with self._lock:
            self._found, self._found_at, self._under_way = found, found_at, None
        ended.set()
