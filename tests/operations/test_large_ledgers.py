"""What is asked all the time costs no more in a large ledger, and old counts are told as such."""

import re
from datetime import timedelta

import pytest
from sqlalchemy import event, select, update

from bridge.core.model.outcome_codes import Code
from bridge.core.model.state import Link, Side, SideField
from bridge.ledger import census, links, renaming, tables, webhook_inbox
from bridge.operations import doctor, status
from bridge.runs import upkeep
from bridge.supervisor.activity_log import ActivityLog
from tests.operations.desks import bridge_of, desk_of

GROWING = {"link", "side", "attempt", "journal", "inbox", "create_intent", "sighting"}
OF_FEW = {"ix_link_paused", "ix_side_unread", "uq_attempt_open", "uq_create_intent_open"}
"""Indexes of the few rows that wait for something."""
NEWEST = r"FROM (\w+) ORDER BY \1\.id DESC\s+LIMIT"
"""It ends at the first rows."""


def add_link(bridge, name, sync="", **sides):
    link = Link(name, sync or next(iter(bridge.context.syncs)), "ticket", sides=sides)
    with bridge.ledger.transaction() as tx:
        assert links.create(tx, link, bridge.clock.now())


def accept(bridge, number):
    with bridge.ledger.transaction() as tx:
        webhook_inbox.accept(
            tx,
            connection=next(iter(bridge.context.connections)),
            delivery_key=f"delivery {number}",
            received_at=bridge.clock.now(),
            headers={},
            projection={},
            digest="d",
            event="ticket.updated",
            entity="ticket",
            remote_id="1",
            verdict="ignored",
            why="",
            body=None,
        )


def enlarge(bridge):
    """Give the newest rows the numbers that they have in a large ledger."""
    with bridge.ledger.transaction() as tx:
        for table in (tables.side, tables.inbox):
            newest = select(table.c.id).order_by(table.c.id.desc()).limit(1).scalar_subquery()
            tx.execute(update(table).where(table.c.id == newest).values(id=10 * census.LARGE))


def test_what_the_clock_does_all_the_time_scans_no_table_that_grows(estate):
    """Run on a ledger whose counts are kept; every statement's plan is read."""
    bridge, desk = bridge_of(estate), desk_of(estate)
    first, second = list(estate.context.connections)[:2]
    add_link(bridge, "l1", **{first: Side(first, "r1"), second: Side(second, "r2")})
    accept(bridge, 1)
    accept(bridge, 2)
    enlarge(bridge)
    bridge.renew_census()
    ran = []

    def note(connection, _cursor, statement, parameters, _context, many):
        if not many and statement.lstrip().upper().startswith(("SELECT", "UPDATE", "DELETE")):
            ran.append((connection, statement, parameters))

    event.listen(estate.ledger.engine, "before_cursor_execute", note)
    log = ActivityLog(estate.ledger)
    for act in (
        bridge.note_newest_create,
        bridge.start_due_runs,
        bridge.renew_census,
        bridge.check_account,
        log.update,
        bridge.announce,
        lambda: doctor.examine(desk),
        lambda: status.overview(desk),
    ):
        act()
    event.remove(estate.ledger.engine, "before_cursor_execute", note)
    scans = set()
    with estate.ledger.read() as tx:
        for _connection, statement, parameters in ran:
            plan = tx.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters)
            for row in plan:
                scan = re.match(r"SCAN (\w+)(?: USING (?:COVERING )?INDEX (\w+))?", row.detail)
                of_many = scan and scan[1] in GROWING and scan[2] not in OF_FEW
                if of_many and not re.search(NEWEST, statement):
                    scans.add((row.detail, statement))
    assert len(ran) > 30
    assert scans == set()


@pytest.fixture
def large(world):
    """A world with one ticket and two webhooks, large by the numbers of its rows."""
    add_link(world, "l1", L=Side("L", "1"), H=Side("H", "2"))
    accept(world, 1)
    accept(world, 2)
    enlarge(world)
    return world


def renew(world):
    upkeep.renew_census(world.ledger, world.clock.now())


def counts(world):
    """Return the tickets, the records of L and the accepted webhooks that the status shows."""
    shown = status.overview(desk_of(world)).summary
    return shown.links, shown.sides["L"], shown.account.accepted, shown.counted_at


def grow(world):
    number = world.clock.now().timestamp()
    add_link(world, f"l{number}", L=Side("L", f"r{number}"))
    accept(world, number)


def test_a_small_ledger_is_counted_whenever_somebody_asks(world):
    grow(world)
    renew(world)
    world.clock.sleep(1)
    grow(world)
    assert counts(world) == (2, 2, 2, None)


def test_a_large_one_shows_what_was_counted_last_with_its_time_until_the_clock_renews_it(large):
    assert counts(large) == (1, 1, 2, None)
    counted = large.clock.now()
    renew(large)
    large.clock.sleep(60)
    grow(large)
    renew(large)
    assert counts(large) == (1, 1, 2, counted)
    large.clock.sleep(census.RENEWED_EVERY.total_seconds())
    renew(large)
    assert counts(large) == (2, 2, 3, large.clock.now())


@pytest.mark.parametrize("direction", [1, -1])
def test_counts_that_no_clock_renews_or_of_another_time_are_not_believed(large, direction):
    renew(large)
    grow(large)
    large.clock.time += direction * census.VALID_FOR
    assert counts(large) == (2, 2, 3, None)


def test_a_rename_leaves_no_count_under_an_old_name(large):
    renew(large)
    with large.ledger.transaction() as tx:
        renaming.rename_connection(tx, "H", "Z")
    with large.ledger.read() as tx:
        assert census.records(tx, large.clock.now()).by_connection == {"L": 1, "Z": 1}


def test_the_account_of_webhooks_is_balanced_as_of_when_it_was_counted(large):
    renew(large)
    accept(large, 3)
    assert status.overview(desk_of(large)).summary.account.balanced
    assert doctored(large, Code.ACCOUNT) == []


def doctored(world, code):
    return [trouble for trouble in doctor.examine(desk_of(world)) if trouble.code is code]


def test_records_of_no_member_are_told_with_the_time_of_their_count(large):
    add_link(large, "l2", X=Side("X", "9"))
    (exact,) = doctored(large, Code.CONNECTION_RETIRED)
    assert "as of" not in exact.what
    renew(large)
    (kept,) = doctored(large, Code.CONNECTION_RETIRED)
    assert f", as of {large.clock.now():%Y-%m-%d %H:%M:%S}Z" in kept.what


def change(world, name, **sides):
    with world.ledger.transaction() as tx:
        now = world.clock.now()
        fence = links.lease(tx, name, "me", now, now + timedelta(minutes=1))
        (link,) = links.load(tx, [name]).values()
        link.sides.update(sides)
        yield link
        links.save(tx, link, "me", fence, now, last=True)


def test_a_value_without_a_reading_is_told_until_it_is_read_or_gone(world):
    """Also once the record is in another link, where nothing was read yet."""
    entry = SideField(unreadable="no reading", unreadable_code=Code.READ_VALUE, shown="escalated")
    for name in ("l1", "l2", "l3"):
        add_link(world, name, H=Side("H", f"h{name}", {"status": entry}))
    (trouble,) = doctored(world, Code.READ_VALUE)
    assert "on 3 tickets" in trouble.what
    for link in change(world, "l1"):
        link.sides["H"].fields["status"] = SideField(shadow="open")
    for link in change(world, "l2"):
        link.sides["H"].tombstone = True
    (trouble,) = doctored(world, Code.READ_VALUE)
    assert "on 1 ticket" in trouble.what
    for link in change(world, "l1"):
        link.sides["H"].fields["status"] = entry
    (trouble,) = doctored(world, Code.READ_VALUE)
    assert "on 2 tickets" in trouble.what
    with world.ledger.transaction() as tx:
        for name in ("l1", "l3"):
            (link,) = links.load(tx, [name]).values()
            add_to = Link(f"to {name}", link.sync, "ticket")
            assert links.create(tx, add_to, world.clock.now())
            links.move_side(tx, link.sides["H"].id, add_to.id)
    assert doctored(world, Code.READ_VALUE) == []


def test_paused_tickets_are_counted(world):
    for name in ("l1", "l2"):
        add_link(world, name)
    for link in change(world, "l2"):
        link.paused = True
    (trouble,) = doctored(world, Code.PAUSED)
    assert trouble.what == "1 ticket is paused"
