"""The clock's loop: it rings for what is due and starts what the schedule says."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final

from bridge import wiring
from bridge.errors import BridgeError

TICK_SECONDS: Final = 1.0
RUNS_EVERY: Final = timedelta(seconds=5)
PRUNE_EVERY: Final = timedelta(hours=1)
ACCOUNT_EVERY: Final = timedelta(minutes=1)

logger = logging.getLogger("bridge.cli")


def run_clock(bridge: wiring.Bridge, stop: threading.Event) -> None:
    """Tick until told to stop. After an outage of the ledger the next tick finds what was due."""
    duties: list[tuple[timedelta, Callable[[], object]]] = [
        (RUNS_EVERY, bridge.start_due_runs),
        (PRUNE_EVERY, bridge.prune),
        (ACCOUNT_EVERY, bridge.check_account),
    ]
    next_times = [bridge.clock.now()] * len(duties)
    down = False
    while not stop.is_set():
        try:
            _do_what_is_due(duties, next_times, bridge.clock.now())
            bridge.announce()
            down = False
        except BridgeError as error:
            if not down:
                logger.warning("the clock waits: %s", error)
            down = True
        stop.wait(TICK_SECONDS)


def _do_what_is_due(
    duties: list[tuple[timedelta, Callable[[], object]]], next_times: list[datetime], now: datetime
) -> None:
    """Do each duty whose time has come. One that fails is due again at the next tick."""
    for number, (interval, duty) in enumerate(duties):
        if now >= next_times[number]:
            duty()
            next_times[number] = now + interval
