"""The log of calls: kept in bulk beside the work, and never in its way."""

from __future__ import annotations

import time
from contextlib import contextmanager

import pytest

from bridge.engine import call_log
from bridge.engine.call_log import CallLog
from bridge.errors import LedgerError
from bridge.ledger import vendor_calls
from bridge.ledger.vendor_calls import CallFilter
from tests.ledger.test_vendor_calls import a_call


def kept(ledger):
    with ledger.read() as tx:
        rows, _ = vendor_calls.page(tx, CallFilter(), before=None, limit=9999, within=9999)
    return [row.call.ms for row in rows]


class Away:
    """A ledger that cannot be reached, for a while."""

    def __init__(self, ledger):
        self.ledger, self.is_away, self.transactions = ledger, True, 0

    @contextmanager
    def transaction(self):
        if self.is_away:
            raise LedgerError("away")
        self.transactions += 1
        with self.ledger.transaction() as tx:
            yield tx


@pytest.fixture
def never(monkeypatch):
    """Only who says so keeps anything."""
    monkeypatch.setattr(call_log, "KEEP_EVERY", 3600.0)


def test_calls_are_kept_a_while_later_by_themselves(sqlite_ledger, now, monkeypatch):
    monkeypatch.setattr(call_log, "KEEP_EVERY", 0.01)
    log = CallLog(sqlite_ledger)
    for ms in range(3):
        log.add(a_call(now, ms - 10))
        until = time.monotonic() + 30
        while len(kept(sqlite_ledger)) <= ms and time.monotonic() < until:
            time.sleep(0.01)
    assert kept(sqlite_ledger) == [2, 1, 0]
    log.close()


@pytest.mark.usefixtures("never")
def test_many_calls_are_one_transaction(sqlite_ledger, now, monkeypatch):
    monkeypatch.setattr(call_log, "AT_ONCE", 100)
    ledger = Away(sqlite_ledger)
    ledger.is_away = False
    log = CallLog(ledger)
    for ms in range(250):
        log.add(a_call(now, ms - 10))
    assert ledger.transactions == 0
    log.close()
    assert ledger.transactions == 3
    assert kept(sqlite_ledger) == list(reversed(range(250)))


@pytest.mark.usefixtures("never")
def test_calls_wait_for_a_ledger_that_is_away_and_the_oldest_are_dropped(
    sqlite_ledger, now, monkeypatch
):
    monkeypatch.setattr(call_log, "MOST_WAITING", 3)
    ledger = Away(sqlite_ledger)
    log = CallLog(ledger)
    for ms in range(5):
        log.add(a_call(now, ms - 10))
    log.keep()
    ledger.is_away = False
    log.close()
    assert kept(sqlite_ledger) == [4, 3, 2]
