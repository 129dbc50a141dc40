"""The walk through a listing: circles, interruptions, and work rows of another version."""

from datetime import datetime, timedelta

import pytest

from bridge.connectors.contract import Page
from bridge.ledger import run_records, tables, work
from bridge.runs import backfill, reconcile
from bridge.runs.backfill import ImportRequest
from bridge.runs.listing_walk import MAX_INTERRUPTION, ListingProgress
from bridge.runs.reconcile import ReconcileRequest
from tests.flow.world import born
from tests.memory import MemoryConnector

OLD_PAYLOADS = {
    "reconcile": {
        "run": "7",
        "kind": "full",
        "cursor": {"page": 3},
        "report": False,
        "accept": True,
        "first": True,
        "pages": 5,
        "at": "2026-01-05T09:00:00+00:00",
        "broken": "the listing was interrupted for 12 minutes; the next full run decides",
        "stuck": "",
        "last": False,
        "mark": ["c1", "i1"],
        "lap": 1,
        "power": 4,
        "repeats": 2,
    },
    "backfill": {
        "run": "8",
        "started": "2026-01-05T08:00:00+00:00",
        "cursor": "next",
        "since": "2025-01-01T00:00:00+00:00",
        "newest_first": True,
        "pages": 2,
    },
}
"""As version 0.1.0 stored them. An upgrade finds such rows: these values never change."""


def test_a_reconciliation_of_the_version_before_is_gone_on_with():
    payload = OLD_PAYLOADS["reconcile"]
    assert ReconcileRequest.of(payload) == ReconcileRequest(
        "7", "full", report=False, accept=True, first=True
    )
    progress = ListingProgress.of(payload)
    assert (progress.cursor, progress.pages, progress.at) == ({"page": 3}, 5, payload["at"])
    assert progress.broken == payload["broken"]
    assert list(progress.mark) == ["c1", "i1"]
    assert (progress.lap, progress.power, progress.repeats) == (1, 4, 2)
    assert not progress.ended


def test_an_import_of_the_version_before_is_gone_on_with():
    payload = OLD_PAYLOADS["backfill"]
    assert ImportRequest.of(payload) == ImportRequest(
        "8", payload["started"], payload["since"], newest_first=True
    )
    progress = ListingProgress.of(payload)
    assert (progress.cursor, progress.pages) == ("next", 2)
    # It never said when it last made progress, and so cannot have been interrupted.
    now = datetime.fromisoformat("2026-02-01T00:00:00+00:00")
    assert progress.resumed(now) == progress


@pytest.mark.parametrize(
    ("kind", "begin"),
    [
        ("reconcile", lambda tx, now: reconcile.start(tx, "L", "ticket", "full", now)),
        ("backfill", lambda tx, now: backfill.start(tx, "L", "ticket", now)),
    ],
)
def test_every_key_of_an_old_row_is_still_written(world, kind, begin):
    with world.ledger.transaction() as tx:
        begin(tx, world.clock.now())
        payload = tx.execute(tables.work.select()).one().payload
    assert payload.keys() >= OLD_PAYLOADS[kind].keys()


def test_an_old_row_in_the_ledger_is_carried_to_its_end(world):
    for number in range(5):
        world.systems["L"].add(subject=f"ticket {number}", status="open", priority="low", tags=[])
    now = world.clock.now()
    with world.ledger.transaction() as tx:
        run_id = run_records.begin(
            tx, kind="backfill", connection="L", entity="ticket", due=now, now=now
        )
        old = {
            "run": str(run_id),
            "started": now.isoformat(),
            "cursor": None,
            "since": "",
            "newest_first": False,
            "pages": 0,
        }
        work.enqueue(
            tx,
            kind="backfill",
            key=f"reconcile:{run_id}",
            connection="L",
            entity="ticket",
            lane="reconcile",
            due_at=now,
            now=now,
            payload=old,
        )
    world.settle()
    with world.ledger.read() as tx:
        run = run_records.get(tx, run_id)
    assert (run.seen, run.error, run.finished_at is not None) == (5, "", True)
    assert len(world.systems["H"].ids) == 5


def test_an_import_notices_a_listing_that_goes_round(world):
    born(world)

    class Round(MemoryConnector):
        calls = 0

        def scan(self, entity, cursor):  # noqa: ARG002
            self.calls += 1
            return Page(super().scan(entity, None).records, {"at": self.calls % 7})

    world.connectors["L"] = Round(world.connectors["L"].connection, world.systems["L"])
    with world.ledger.transaction() as tx:
        run_id = backfill.start(tx, "L", "ticket", world.clock.now())
    world.settle()
    with world.ledger.read() as tx:
        run = run_records.get(tx, run_id)
    assert run.error.endswith("start the import again")
    assert world.connectors["L"].calls < 100


def test_a_walk_that_rested_for_long_says_so_once(world):
    now = world.clock.now()
    progress = ListingProgress(cursor=1, at=now.isoformat())
    assert progress.resumed(now + MAX_INTERRUPTION) == progress
    late = progress.resumed(now + MAX_INTERRUPTION + timedelta(minutes=2))
    assert late.broken.startswith("the listing was interrupted for 12 minutes")
    assert late.resumed(now + timedelta(days=1)) == late
