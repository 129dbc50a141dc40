"""Lists of tickets: nothing is left out or shown twice, and each is found by what people know."""

from datetime import UTC, datetime, timedelta

import pytest

from bridge.core.model.outcome_codes import Code
from bridge.core.model.state import Element, FieldState, Link, Side, SideField
from bridge.errors import UnknownName
from bridge.ledger import links, parking, work
from bridge.operations import tickets
from bridge.operations.ticket_states import TicketState
from bridge.operations.tickets import PAGE_SIZE, Wanted

DAY = datetime(2026, 5, 1, tzinfo=UTC)


def store(world, number, *, sync="tickets", at=None, park=False, **changes):
    link = Link(f"link{number:05d}", sync, "ticket")
    link.state["subject"] = FieldState(f"Request {number}", 1, "L")
    link.state["status"] = FieldState("open", 2, "L")
    link.state["customer"] = FieldState(f"c{number}@example.com", 1, "L")
    for name in "LH":
        fields = {
            "subject": SideField(shadow=f"Request {number}", map_rev="x", level=1),
            "status": SideField(shadow="open", map_rev="x", level=2),
        }
        link.sides[name] = Side(name, f"{name.lower()}-{number}", fields)
    for change in changes.values():
        change(link)
    with world.ledger.transaction() as tx:
        assert links.create(tx, link, at or DAY + timedelta(seconds=number))
        if park:
            key = f"deliver:{link.id}"
            more = {"connection": "L", "entity": "ticket", "due_at": DAY, "now": DAY}
            work.enqueue(tx, key=key, kind="deliver", link_id=link.id, **more)
            (row,) = work.claim(tx, "me", DAY, DAY + timedelta(minutes=1), 5)
            assert work.park(tx, row, "me", "no", "Refused", DAY)
    return link.id


def found(desk, limit=100, **wanted):
    return [row.id for row in tickets.listed(desk, Wanted(**wanted), limit=limit).rows]


@pytest.mark.parametrize("together", [True, False], ids=["made at once", "one after another"])
@pytest.mark.parametrize("limit", [1, 7, PAGE_SIZE, PAGE_SIZE + 1])
def test_the_parts_of_a_list_make_the_whole_newest_first(world, desk, limit, together):
    count = 2 * PAGE_SIZE + 1 if limit >= PAGE_SIZE else 20
    ids = [store(world, number, at=DAY if together else None) for number in range(count)]
    shown, after = [], None
    while True:
        page = tickets.listed(desk, Wanted(), limit=limit, after=after)
        assert len(page.rows) <= limit
        shown += [row.id for row in page.rows]
        if page.after is None:
            break
        after = page.after
    assert shown == ids[::-1]


def test_what_is_rare_is_found_behind_many_others(world, desk):
    store(world, 0, rare=lambda link: link.state["subject"].__setattr__("value", "GRÖẞE falsch"))
    for number in range(1, PAGE_SIZE + 5):
        store(world, number)
    assert found(desk, limit=1, text="größe") == ["link00000"]


def test_a_ticket_is_found_by_what_people_know_of_it(world, desk):
    def tag(link):
        link.state["tags"] = FieldState(rev=1)
        link.state["tags"].elements = {
            "vip": Element(present=True, rev=1, by="L"),
            "gone": Element(present=False, rev=1, by="L"),
        }

    def assign(link):
        link.state["assignee"] = FieldState("mary@desk.example", 1, "L")

    store(world, 1, assign=assign)
    store(world, 2, tag=tag)
    assert found(desk, email="MARY@desk") == ["link00001"]
    assert found(desk, text="REQUEST 2") == ["link00002"]
    assert found(desk, text="h-1") == ["link00001"]
    assert found(desk, email="C2@Example") == ["link00002"]
    assert found(desk, tag="#VIP") == ["link00002"]
    assert found(desk, tag="gone") == []
    assert found(desk, text="request", tag="vip", email="c1@") == []
    assert found(desk, sync="tickets") == ["link00002", "link00001"]
    assert found(desk, text="%") == []


def test_a_sync_that_only_the_ledger_knows_can_be_asked_for(world, desk):
    store(world, 1, sync="of old")
    store(world, 2)
    assert found(desk, sync="of old") == ["link00001"]
    with pytest.raises(UnknownName, match="allowed: of old, tickets"):
        found(desk, sync="other")
    with pytest.raises(UnknownName, match="no ticket has the id link9"):
        tickets.listed(desk, Wanted(), limit=5, after="link9")


def side(name, **values):
    def change(link):
        for key, value in values.items():
            setattr(link.sides[name], key, value)

    return change


def entry(name, field, **values):
    def change(link):
        for key, value in values.items():
            setattr(link.sides[name].fields[field], key, value)

    return change


def with_unnamed(link):
    link.sides["gone"] = Side("gone", "g-1")


def in_conflict(link):
    link.state["status"].candidates = {"L": "new", "H": "open"}


STATES = {
    TicketState.IN_STEP: entry("H", "status", level=2),
    TicketState.BEHIND: entry("H", "status", level=1, shadow="pending"),
    TicketState.PAUSED: lambda link: setattr(link, "paused", True),
    TicketState.CONFLICT: in_conflict,
    TicketState.NOT_CARRIED: entry("H", "status", unreadable="`escalated` has no reading"),
    TicketState.OUT_OF_SCOPE: side("H", in_scope=False),
    TicketState.DETACHED: side("H", detached=True, in_scope=False),
    TicketState.TOMBSTONE: side("H", tombstone=True),
}


def test_each_state_lists_its_tickets_and_no_others(world, desk):
    ids = {
        state: store(world, number, change=change)
        for number, (state, change) in enumerate(STATES.items())
    }
    ids[TicketState.RETIRED] = store(world, 98, change=with_unnamed)
    ids[TicketState.PARKED] = store(world, 99, park=True)
    assert set(ids) == set(TicketState)
    for state, link_id in ids.items():
        assert found(desk, state=state) == [link_id], state


@pytest.mark.parametrize(
    ("code", "state"),
    [
        (Code.MAP_ONLY_READ, "in step"),
        (Code.SYNC_NOT_SENT, "in step"),
        (Code.MAP_VALUE, "not carried"),
    ],
)
def test_what_the_files_never_send_leaves_a_ticket_in_step(world, desk, code, state):
    def decline(link):
        entry = link.sides["H"].fields["status"]
        entry.decided, entry.decided_why, entry.decided_code = {"status": 2}, "so it is", code
        entry.level, entry.shadow = 1, "pending"

    store(world, 1, decline=decline)
    (row,) = tickets.listed(desk, Wanted(), limit=1).rows
    assert row.states == [state]


def test_a_side_that_shows_what_was_agreed_is_in_step_whatever_was_written_there_last(world, desk):
    store(world, 1, behind=entry("H", "status", level=1))
    (row,) = tickets.listed(desk, Wanted(), limit=1).rows
    assert row.states == ["in step"]


def test_a_ticket_in_several_states_is_listed_in_each(world, desk):
    behind, gone = entry("L", "subject", level=0, shadow="older"), side("H", tombstone=True)
    store(world, 1, park=True, a=in_conflict, b=behind, c=gone)
    (row,) = tickets.listed(desk, Wanted(), limit=5).rows
    assert row.states == ["behind", "conflict", "parked", "tombstone"]


def test_parked_work_is_asked_for_by_link(world):
    parked, other = store(world, 1, park=True), store(world, 2)
    with world.ledger.read() as tx:
        assert parking.with_parked(tx, [parked, other]) == {parked}


def test_the_list_walks_an_index_and_sorts_nothing(world):
    with world.ledger.read() as tx:
        plan = tx.exec_driver_sql(
            "EXPLAIN QUERY PLAN SELECT created_at, id FROM link WHERE entity = 'ticket' AND "
            "created_at <= 'x' AND (created_at < 'x' OR (created_at = 'x' AND id < 'y')) "
            "ORDER BY created_at DESC, id DESC LIMIT 200"
        ).all()
    words = " ".join(row.detail for row in plan)
    assert "ix_link_newest" in words
    assert "TEMP B-TREE" not in words
