"""Counts of what there is, and the marks by which what waits is found, on each database."""

import pytest
from alembic.config import Config
from alembic.runtime.environment import EnvironmentContext
from alembic.script import ScriptDirectory
from sqlalchemy import inspect, text, update

from bridge.core.model.outcome_codes import Code
from bridge.core.model.state import Link, Side, SideField
from bridge.ledger import census, links, tables, unread_values
from bridge.ledger.database import Ledger
from bridge.ledger.table_versions import MIGRATIONS
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


def upgraded_to(ledger, revision):
    """Bring an empty ledger to an older version, and tell what that one has."""
    if ledger.folder is not None:
        ledger.folder.mkdir(parents=True)
    with ledger.transaction() as tx:
        script = ScriptDirectory(MIGRATIONS)
        config = Config(attributes={"connection": tx})
        steps = {"fn": lambda at, _context: script._upgrade_revs(revision, at)}
        with EnvironmentContext(config, script, **steps):
            script.run_env()
        return parts_of(tx)


def parts_of(tx):
    """Tell what a ledger has, each part as the statement that drops it, in the order to drop it."""
    seen = inspect(tx)
    parts = []
    names = [table for table, _ in seen.get_sorted_table_and_fkc_names() if table]
    for table in reversed(names):
        parts += [
            f"DROP INDEX {index['name']}"
            for index in seen.get_indexes(table)
            if "duplicates_constraint" not in index  # that one goes with its table
        ]
        parts += [
            f"ALTER TABLE {table} DROP COLUMN {column['name']}"
            for column in seen.get_columns(table)
        ]
        parts.append(f"DROP TABLE {table}")
    return parts


def newer_than(tx, before):
    """Tell what to drop of a ledger so that it has no more than before."""
    newer = [part for part in parts_of(tx) if part not in before]
    tables = {part.split()[-1] for part in newer if part.startswith("DROP TABLE")}
    return [
        part for part in newer if not (part.startswith("ALTER TABLE") and part.split()[2] in tables)
    ]


@pytest.mark.parametrize("fields", [{"status": NO_READING}, {"status": SideField(shadow="open")}])
def test_what_has_no_reading_in_an_older_ledger_is_found(empty_url, now, fields):
    ledger = Ledger(empty_url)
    before = upgraded_to(ledger, "0010")
    ledger.upgrade()
    with ledger.transaction() as tx:
        sides = {"helpdesk": Side("helpdesk", "1", fields)}
        assert links.create(tx, Link("a", "tickets", "ticket", sides=sides), now)
        found = [value.value for value in unread_values.unread_values(tx)]
        for left_over in newer_than(tx, before):  # as the version before left it
            tx.execute(text(left_over))
        tx.execute(text("UPDATE alembic_version SET version_num = '0010'"))
    ledger.upgrade()
    with ledger.read() as tx:
        assert [value.value for value in unread_values.unread_values(tx)] == found
    assert found == [field.shown for field in fields.values() if field.unreadable]
    ledger.close()
