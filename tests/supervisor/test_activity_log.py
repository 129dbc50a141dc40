"""The log of what was done: names and codes of what was committed, and nobody's values."""

from datetime import UTC, datetime

import pytest

from bridge.core.model.state import Link, Note, Side
from bridge.ledger import links, run_records, timeline
from bridge.ledger.database import Ledger
from bridge.supervisor.activity_log import ActivityLog

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.fixture
def ledger(caplog):
    caplog.set_level("INFO", "bridge.supervisor")
    made = Ledger("sqlite://")
    made.upgrade()
    link = Link("l1", "s", "ticket")
    link.sides["helpdesk"] = Side("helpdesk", "tkt_1")
    with made.transaction() as tx:
        assert links.create(tx, link, NOW)
    yield made
    made.close()


def note(ledger, kind, field="", **detail):
    with ledger.transaction() as tx:
        timeline.add(tx, "l1", NOW, [Note(kind, "helpdesk", field, detail)])


def test_a_write_is_logged_with_its_fields_and_without_their_values(ledger, caplog):
    note(ledger, "wrote", sent={"status": "before"})
    told = ActivityLog(ledger)
    note(ledger, "wrote", sent={"subject": "my private matter", "status": "open"})
    told.update()
    told.update()
    (line,) = caplog.records
    assert (line.getMessage(), line.ticket, line.connection) == ("wrote", "l1", "helpdesk")
    assert (line.record, line.fields) == ("tkt_1", "subject, status")
    assert "private" not in str(vars(line))


def test_what_is_left_out_is_logged_with_its_code(ledger, caplog):
    told = ActivityLog(ledger)
    note(ledger, "not carried", "status", why="no writing", code="BRG-MAP-VALUE")
    told.update()
    (line,) = caplog.records
    assert (line.getMessage(), line.fields, line.code) == ("not carried", "status", "BRG-MAP-VALUE")


def test_a_run_is_logged_when_it_begins_and_when_it_ends(ledger, caplog):
    told = ActivityLog(ledger)
    about = {"kind": "poll", "connection": "helpdesk", "entity": "ticket"}
    with ledger.transaction() as tx:
        first = run_records.begin(tx, due=NOW, now=NOW, **about)
    told.update()
    with ledger.transaction() as tx:
        run_records.finish(tx, first, NOW)
        second = run_records.begin(tx, due=NOW, now=NOW, **about)
        run_records.finish(tx, second, NOW, error="answered 500")
    told.update()
    assert [(line.getMessage(), line.run) for line in caplog.records] == [
        ("run begun", first),
        ("run ended", first),
        ("run begun", second),
        ("run failed", second),
    ]
    assert caplog.records[-1].code == "BRG-RUN-FAILS"
