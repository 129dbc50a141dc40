"""The clock's loop: it rings for what is due and starts what the schedule says."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from bridge import wiring
from bridge.errors import BridgeError
from bridge.notices.happenings import Happenings, scope_of
from bridge.notices.sender import begin_sending

TICK_SECONDS: Final = 1.0
RUNS_EVERY: Final = timedelta(seconds=5)
FOLLOW_EVERY: Final = timedelta(seconds=2)
PRUNE_EVERY: Final = timedelta(hours=1)
PRUNE_CALLS_EVERY: Final = timedelta(seconds=15)
"""Of a busy bridge thousands come in that time, and so many are to be forgotten."""
NOTE_EVERY: Final = timedelta(seconds=1)
WATCH_EVERY: Final = timedelta(seconds=15)
CENSUS_EVERY: Final = timedelta(minutes=1)
"""It is looked whether it is due: another clock may have taken it."""
TELL_EVERY: Final = timedelta(seconds=5)
TELL_WHAT_LASTS_EVERY: Final = timedelta(seconds=30)
STOP_SECONDS: Final = 2.0
"""For so long a call of a notice that is under way may hold up the end of the process."""
ACCOUNT_EVERY: Final = timedelta(minutes=1)
SET_BACK: Final = timedelta(seconds=2)
"""A smaller step is not worth the while: what waits, waits so much longer."""
MAX_RETRY_INTERVAL: Final = timedelta(hours=1)
"""A duty that fails is done again once in so long, however long it has failed."""

logger = logging.getLogger(__name__)


@dataclass(slots=True)
class Duty:
    """Something that the clock does now and then."""

    name: str
    every: timedelta
    act: Callable[[], object]
    due: datetime
    failed: int = 0
    """Failures in a row by a defect of ours."""
    is_well: bool = False
    """It has worked here since it last failed, anywhere."""
    asked_at: datetime | None = None
    """When it was last asked whether it is due."""

    def is_due(self, now: datetime) -> bool:
        """Return whether its time has come; a clock that was set back puts off nothing."""
        if self.asked_at is not None and now < self.asked_at:
            self.due = now
        self.asked_at = now
        return now >= self.due


class SetBackWatch:
    """Notices that the machine's clock was set back, and has the ledger follow."""

    def __init__(self, now: Callable[[], datetime], follow: Callable[[timedelta], object]) -> None:
        self._now = now
        self._follow = follow
        self._last = now()
        self._owed = timedelta(0)
        """What the ledger has still to follow: it may have been away."""

    def look(self) -> None:
        """Compare the time with that of the last look."""
        now = self._now()
        if now <= self._last - SET_BACK:
            self._owed += self._last - now
        self._last = now
        if self._owed:
            self._follow(self._owed)
            self._owed = timedelta(0)


def run_clock(
    bridge: wiring.Bridge,
    stop: threading.Event,
    watch: Callable[[], object] = lambda: None,
    tell: Callable[[], object] = lambda: None,
) -> None:
    """Tick until told to stop. After an outage of the ledger the next tick finds what was due.

    `watch` is called four times a minute, to see what is wrong, and `tell` at each tick, to log
    what was done.
    """
    now = bridge.clock.now()
    watch_time = SetBackWatch(bridge.clock.now, bridge.follow_clock)
    happenings = Happenings(bridge.ledger, bridge.clock.now, lambda: scope_of(bridge.config))
    duties = [
        Duty("times after the clock was set back", timedelta(0), watch_time.look, now),
        Duty("note of how far the ledger is", NOTE_EVERY, bridge.note_newest_create, now),
        Duty("take-up of mappings", FOLLOW_EVERY, bridge.follow, now),
        Duty("start of runs", RUNS_EVERY, bridge.start_due_runs, now),
        Duty("pruning", PRUNE_EVERY, bridge.prune, now),
        Duty("pruning of calls", PRUNE_CALLS_EVERY, bridge.prune_calls, now),
        Duty("census", CENSUS_EVERY, bridge.renew_census, now),
        Duty("account of webhooks", ACCOUNT_EVERY, bridge.check_account, now),
        Duty("notices", TELL_EVERY, happenings.tell, now),
        Duty("notices of what lasts", TELL_WHAT_LASTS_EVERY, happenings.tell_what_lasts, now),
        Duty("look at what is wrong", WATCH_EVERY, watch, now),
        Duty("log of what was done", timedelta(seconds=TICK_SECONDS), tell, now),
        Duty("announcement", timedelta(seconds=TICK_SECONDS), bridge.announce, now),
    ]
    endpoints = bridge.config.settings.notices.values()
    senders = begin_sending(endpoints, bridge.ledger, bridge.clock, bridge.worker.owner, stop)
    down = False
    while not stop.is_set():
        try:
            do_what_is_due(bridge, duties)
            down = False
        except BridgeError as error:
            if not down:
                logger.warning("the clock waits: %s", error)
            down = True
        stop.wait(TICK_SECONDS)
    for sender in senders:
        sender.join(STOP_SECONDS)


def do_what_is_due(bridge: wiring.Bridge, duties: Iterable[Duty]) -> None:
    """Do each duty whose time has come.

    One that fails because of the ledger is due again at the next tick, with all that follow. One
    that fails by a defect of ours holds up no other: it is done again ever rarer, and shown.
    """
    for duty in duties:
        now = bridge.clock.now()
        if not duty.is_due(now):
            continue
        try:
            duty.act()
        except BridgeError:
            raise
        except Exception:
            logger.exception("the clock failed over its duty %r, and goes on", duty.name)
            duty.failed, duty.is_well = duty.failed + 1, False
            longest = max(MAX_RETRY_INTERVAL, duty.every)
            duty.due = now + min(longest, duty.every * int(2 ** min(duty.failed, 16)))
            bridge.store_upkeep(duty.name, "the bridge itself failed over it")
        else:
            if not duty.is_well:  # a clock before this one may have left a failure on record
                bridge.store_upkeep(duty.name)
            duty.failed, duty.is_well = 0, True
            duty.due = now + duty.every
