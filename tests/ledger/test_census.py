"""Counts of what there is, and the marks by which what waits is found, on each database."""

import pytest
from sqlalchemy import text, update

from bridge.core.model.outcome_codes import Code
from bridge.core.model.state import Link, Side, SideField
from bridge.ledger import census, links, tables, unread_values
from bridge.ledger.database import Ledger
from tests.ledger.helpers import make_link

NO_READING = SideField(unreadable="?", unreadable_code=Code.READ_VALUE, shown="escalated")


def test_kept_counts_are_those_that_were_counted(ledger, now):
    with ledger.transaction() as tx:
        make_link(tx, now, "a", helpdesk="1", desk="2")
        make_link(tx, now, "b", helpdesk="3")
        tx.execute(
            update(tables.side)
            .where(tables.side.c.remote_id == "3")
            .values(id=census.LARGE + 1, tombstone=True)
        )
        counted = census.count_records(tx)
        census.keep(tx, census.count_due(tx, now), now)
        assert census.count_due(tx, now) == {}
        kept = census.records(tx, now)
    assert (kept.at, kept.tickets, kept.sides) == (now, counted.tickets, counted.sides)
    assert counted.by_connection == {"desk": 1, "helpdesk": 1}
    assert counted.by_entity == {"ticket": 2}


def test_live_records_are_counted_in_indexes_alone(sqlite_ledger, now):
    with sqlite_ledger.transaction() as tx:
        make_link(tx, now, "a", helpdesk="1", desk="2")
        make_link(tx, now, "b", helpdesk="3")
        gone = tables.side.c.remote_id == "3"
        assert links.count_sides(tx, "helpdesk", "ticket") == 2
        tx.execute(update(tables.side).where(gone).values(tombstone=True))
        assert links.count_sides(tx, "helpdesk", "ticket") == 1
        assert links.count_sides(tx, "helpdesk", "customer") == 0
        query = (
            "EXPLAIN QUERY PLAN SELECT count(*) FROM side WHERE connection = 'h' AND entity = 't'"
        )
        for more in ("", " AND side.tombstone = true"):
            ((*_, plan),) = tx.execute(text(query + more)).all()
            assert plan.startswith("SEARCH side USING COVERING INDEX")


@pytest.mark.parametrize("fields", [{"status": NO_READING}, {"status": SideField(shadow="open")}])
def test_what_has_no_reading_in_an_older_ledger_is_found(empty_url, now, fields):
    ledger = Ledger(empty_url)
    ledger.upgrade()
    with ledger.transaction() as tx:
        sides = {"helpdesk": Side("helpdesk", "1", fields)}
        assert links.create(tx, Link("a", "tickets", "ticket", sides=sides), now)
        found = [value.value for value in unread_values.unread_values(tx)]
        # As the version before left it.
        later = "ix_work_parked_cause"
        for index in ("ix_side_unread", "ix_side_tombstone", "ix_link_paused", later):
            tx.execute(text(f"DROP INDEX {index}"))
        tx.execute(text("ALTER TABLE side DROP COLUMN unread"))
        tx.execute(text("DROP TABLE census"))
        tx.execute(text("DROP TABLE mapping_revision"))
        for table in ("attempt", "create_intent"):
            tx.execute(text(f"ALTER TABLE {table} DROP COLUMN mapping_revision"))
        tx.execute(text("UPDATE alembic_version SET version_num = '0010'"))
    ledger.upgrade()
    with ledger.read() as tx:
        assert [value.value for value in unread_values.unread_values(tx)] == found
    assert found == [field.shown for field in fields.values() if field.unreadable]
    ledger.close()
