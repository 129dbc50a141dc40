"""A plan from the ledger is made in parts, and comes to the same whatever the parts are."""

import re
from datetime import UTC, datetime

import pytest
from sqlalchemy import delete, event, select

from bridge.ledger import ledger_copy, tables
from bridge.ledger.database import Ledger
from bridge.ledger.work_kinds import RECORD_KINDS
from bridge.preview import dry_run, plan_parts
from bridge.preview.plan_parts import PlanParts
from bridge.procedures import PROCEDURES
from bridge.sandbox import switch
from tests.flow.estate import Estate
from tests.flow.pair import pair
from tests.ledger.helpers import hint

NOW = datetime(2026, 3, 1, tzinfo=UTC)


@pytest.fixture
def estate(tmp_path):
    """Everything is in step, but for records that the ledger is made to have forgotten."""
    estate = Estate(tmp_path)
    helpdesk = estate.apps["helpdesk"]
    estate.apps["product"].populate(4, 1)
    tickets = helpdesk.populate(3, 2)
    estate.reconcile()
    for number, ticket in enumerate(tickets * 2):
        helpdesk.message(ticket, f"Reply {number}")
    estate.reconcile("poll")
    with estate.ledger.transaction() as tx:
        side = tables.side.c
        tx.execute(delete(tables.side).where(side.connection == "product", side.id % 2 == 0))
        tx.execute(delete(tables.side).where(side.connection == "feedback"))
    return estate


def plan(estate, look=lambda _seen: None):
    around = (estate.context, estate.ledger, estate.connectors, list(estate.context.syncs))
    return dry_run.preview(*around, live=False, look=look)


def plain(found):
    """The plan, without the order of its writes and the ids that it made up."""
    made_up = r"(, )?\w+:planned:[0-9a-z]+(, )?|planned:[0-9a-z]+"
    writes = sorted(re.sub(made_up, "", str(each)) for each in found.writes)
    return (
        writes,
        found.notes,
        found.unmapped,
        found.parked,
        found.calls,
        found.seconds,
        found.unsafe,
        found.known,
    )


def test_the_size_of_the_parts_does_not_matter(estate, monkeypatch):
    whole = plan(estate)
    assert {write.connection for write in whole.writes} == {"product", "feedback"}
    assert {write.entity for write in whole.writes} == {"ticket", "message"}
    for page, most in ((1, 1), (3, 4)):
        monkeypatch.setattr(plan_parts, "PAGE", page)
        monkeypatch.setattr(plan_parts, "MAX_PART", most)
        assert plain(plan(estate)) == plain(whole)


def test_no_transaction_lasts_longer_than_a_page(estate, monkeypatch):
    monkeypatch.setattr(plan_parts, "PAGE", 2)
    seen, began, ended = [], [], []
    for name, calls in (("begin", began), ("commit", ended), ("rollback", ended)):
        event.listen(estate.ledger.engine, name, calls.append)

    def look(count):
        seen.append(count)
        assert len(began) == len(ended)

    found = plan(estate, look)
    assert len(seen) > 2
    assert seen == sorted(seen)
    assert seen[-1] == found.known
    assert len(began) > len(seen)


@pytest.mark.parametrize("shown", [True, False])
def test_what_needs_nothing_is_counted_and_not_copied(tmp_path, monkeypatch, shown):
    whole = switch._shown

    def without(record):
        return {name: value for name, value in whole(record).items() if name != "custom_fields"}

    if not shown:  # then nobody has ever read the `team` of a ticket there
        monkeypatch.setattr(switch, "_shown", without)
    estate = pair(tmp_path)
    estate.apps["product"].populate(5, 1)
    estate.reconcile()
    estate.reconcile()
    copy = ledger_copy.begin(estate.ledger, live=False)
    parts = PlanParts(estate.context, estate.ledger, copy, ["support-tickets"], lambda _seen: None)
    try:
        assert (list(parts.fill()), parts.known) == ([], 5)
    finally:
        copy.close()


def test_the_work_of_no_long_job_is_copied_for_a_dry_run(tmp_path):
    estate = pair(tmp_path)
    with estate.ledger.transaction() as tx:
        for kind in PROCEDURES.by_kind:
            hint(tx, NOW, kind=kind, key=f"{kind}:1", remote_id="9")
    copy = ledger_copy.begin(estate.ledger, live=True)
    ledger_copy.add_all(estate.ledger, copy)
    with copy.read() as tx:
        assert set(tx.execute(select(tables.work.c.kind)).scalars()) == set(RECORD_KINDS)
    copy.close()


def test_a_scratch_ledger_leaves_no_file(tmp_path, monkeypatch):
    monkeypatch.setenv("SQLITE_TMPDIR", str(tmp_path))
    scratch = Ledger("sqlite://", scratch=True)
    scratch.upgrade()
    row = {"connection": "a", "email": "a@b.example", "name": "x" * 10_000}
    with scratch.transaction() as tx:
        rows = [row | {"remote_id": str(each), "seen_at": NOW} for each in range(1000)]
        tx.execute(tables.person.insert(), rows)
        assert list(tmp_path.iterdir()) == []
    scratch.close()
