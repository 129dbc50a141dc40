"""Three changes of the mappings on many tickets, one after the other, each exactly as planned."""

import os
from functools import partial

import pytest

from bridge.core.merge import observations
from bridge.core.model.state import Link, Side
from bridge.flow.readings import observation
from bridge.ledger import links, work
from bridge.operations import mapping_rollback, mapping_runs, undos
from bridge.operations.fresh_readings import FreshReadings
from tests.flow.estate import SWITCH_AND_POSTHOG, Estate
from tests.flow.world import FreeBudget
from tests.operations.desks import bridge_of, desk_of

COUNT, EVERY = int(os.environ.get("BRIDGE_CHANGED_TICKETS", "1000")), 50
"""5,000 take more than a minute of CPU."""
CONCERNED = COUNT // EVERY
"""Of the tickets, one of so many is pending, and another has a number of its order."""
MEMBERS = ("helpdesk", "product")
FIELDS = """\
ticket:
  team: {kind: choice, values: [billing, product, infra], label: Team}
  order: {kind: text, label: Order}
"""


def known_everywhere(estate):
    """Tickets on both sides, linked as an import would have left them."""
    made = {}
    for number in range(COUNT):
        status = "pending" if number % EVERY == 0 else "open"
        subject, email = f"Ticket {number}", f"c{number}@example.com"
        began = estate.apps["helpdesk"].create({"subject": subject, "customer_email": email})
        order = {"order": f"A-{number}"} if number % EVERY == 1 else {}
        estate.apps["helpdesk"].edit(began["id"], {"status": status, "custom_fields": order})
        traits = {"subject": subject, "email": email}
        other = estate.apps["product"].create({"status": status, "anonymous_traits": traits})
        estate.apps["product"].edit(other["id"], {"status": status, "priority": "medium"})
        estate.clock.advance(1)
        made[number] = {"helpdesk": str(began["id"]), "product": str(other["id"])}
    rules = estate.context.rules(estate.context.syncs["tickets"])
    listed = {name: rows_of(estate, name) for name in MEMBERS}
    now = estate.clock.now()
    for start in range(0, COUNT, 500):
        with estate.ledger.transaction() as tx:
            for number in range(start, start + 500):
                sides = {name: Side(name, made[number][name]) for name in MEMBERS}
                link = Link(f"{number:032x}", "tickets", "ticket", sides=sides)
                for name in MEMBERS:
                    record = listed[name][made[number][name]]
                    entity_map = estate.context.maps[name]["ticket"]
                    observations.absorb(link, observation(record, entity_map), rules)
                assert links.create(tx, link, now)
    return made


def rows_of(estate, name):
    found, cursor = {}, None
    while True:
        page = estate.connectors[name].scan("ticket", cursor)
        found |= {record.ref.id: record for record in page.records}
        cursor = page.cursor
        if cursor is None:
            return found


@pytest.fixture
def world(tmp_path):
    estate = Estate(tmp_path / "home", files={"mappings/syncs.yaml": SWITCH_AND_POSTHOG})
    made = known_everywhere(estate)
    yield estate, made
    estate.ledger.close()


IGNORED = {"updated_at", "resolved_at", "first_response_at"}


def tables_of(estate):
    """All tickets of both systems, by connection, id and dotted name."""
    return {
        name: {
            str(row["id"]): dict(_flat({k: v for k, v in row.items() if k not in IGNORED}))
            for row in estate.apps[name].tickets()
        }
        for name in MEMBERS
    }


def _flat(row, prefix=""):
    for key, value in row.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


def with_writes(tables, writes):
    """The tables as the planned writes would leave them."""
    expected = {
        name: {each: dict(row) for each, row in table.items()} for name, table in tables.items()
    }
    for write in writes:
        assert write.op == "update"
        expected[write.connection][write.id] |= dict(_flat(write.values))
    return expected


def differing(one, other):
    return {
        (name, each): {
            key: (row.get(key), other[name][each].get(key))
            for key in row.keys() | other[name][each].keys()
            if row.get(key) != other[name][each].get(key)
        }
        for name, table in one.items()
        for each, row in table.items()
        if row != other[name][each]
    }


def work_off(estate):
    while True:
        with estate.ledger.read() as tx:
            if work.next_due(tx, estate.clock.now()) is None:
                return
        estate.settle()


def publish(estate, files, *, reads=False):
    """Put files in force as they were confirmed; the run is queued."""
    old = estate.context
    estate.start(files)
    read = FreshReadings(estate.context, estate.connectors, FreeBudget()) if reads else None
    effects = []
    plan = mapping_runs.planned(estate.ledger, old, estate.context, take=effects.append, read=read)
    with plan as made, estate.ledger.transaction() as tx:
        run = mapping_runs.start(tx, estate.context, made, override_unsafe=True)
    return run, made.summary, [write for effect in effects for write in effect.writes]


def bridge_writes(estate):
    return sum(len(estate.journal(name, "write", "create", "delete")) for name in MEMBERS)


def changed_file(estate, name, rows):
    text = (estate.folder / "mappings" / name).read_text()
    for before, after in rows.items():
        assert before in text, before
        text = text.replace(before, after)
    return {f"mappings/{name}": text}


ON_HOLD = {
    "pending: pending, resolved": "pending: on_hold, resolved",
    "pending: pending, on_hold: pending": "on_hold: pending",
    "    priority:  ": "      not_carried: [pending]\n    priority:  ",
}


@pytest.mark.timeout(600)
def test_three_changes_write_what_was_planned_and_one_is_taken_back(world):
    estate, made = world
    before = tables_of(estate)
    shipped = {
        f"mappings/{name}": (estate.folder / "mappings" / name).read_text()
        for name in ("switch.yaml", "posthog.yaml", "fields.yaml", "syncs.yaml")
    }

    # A value table: the help desk's `pending` means on hold from now on.
    first, summary, writes = publish(estate, changed_file(estate, "switch.yaml", ON_HOLD))
    assert (summary.looked_at, summary.tickets, len(writes)) == (COUNT, CONCERNED, CONCERNED)
    work_off(estate)
    now = tables_of(estate)
    assert differing(with_writes(before, writes), now) == {}
    assert bridge_writes(estate) == CONCERNED

    # Taken back, but for what humans have edited since.
    theirs = [made[number]["product"] for number in range(0, 5 * EVERY, EVERY)]
    for each in theirs:
        estate.apps["product"].edit(each, {"status": "resolved"})
        estate.hint("product", each)
    taken = mapping_rollback.take_back(
        desk_of(estate), first, partial(undos.work_off, bridge_of(estate))
    )
    assert len(taken.tickets) == CONCERNED - len(theirs)
    assert {(each.ref, each.field, each.by) for each in taken.kept} == {
        (f"product:{each}", "status", "product") for each in theirs
    }
    _run, _summary, writes = publish(estate, shipped)
    work_off(estate)
    assert mapping_rollback.let_go_on(desk_of(estate), [taken]) == 0
    work_off(estate)
    edited = {
        (name, made[number][name]) for number in range(0, 5 * EVERY, EVERY) for name in MEMBERS
    }
    found = differing(before, tables_of(estate))
    assert found.keys() == edited, found

    # A field of one's own, which nobody has read yet.
    before, written = tables_of(estate), bridge_writes(estate)
    team = "anonymous_traits.support_team "
    files = {
        **changed_file(
            estate, "switch.yaml", {"    team:  ": "    order: custom_fields.order\n    team:  "}
        ),
        **changed_file(
            estate,
            "posthog.yaml",
            {f"    team: {team}": f"    order: anonymous_traits.order\n    team: {team}"},
        ),
        "mappings/fields.yaml": FIELDS,
    }
    second, summary, writes = publish(estate, files, reads=True)
    assert (sum(summary.unread.values()), len(writes)) == (0, CONCERNED)
    work_off(estate)
    assert differing(with_writes(before, writes), tables_of(estate)) == {}
    assert bridge_writes(estate) == written + CONCERNED

    # That is taken back as well, before its field is gone.
    after = tables_of(estate)
    mine = made[1]["product"]
    estate.apps["product"].edit(mine, {"anonymous_traits": {"order": "B-1"}})
    estate.hint("product", mine)
    taken = mapping_rollback.take_back(
        desk_of(estate), second, partial(undos.work_off, bridge_of(estate))
    )
    assert [(each.ref, each.field) for each in taken.kept] == [(f"product:{mine}", "order")]
    found = differing(after, tables_of(estate))
    assert len(found) == CONCERNED + 1
    assert {key for row in found.values() for key in row} == {
        "anonymous_traits.order",
        "custom_fields.order",
    }
    assert mapping_rollback.let_go_on(desk_of(estate), [taken]) == 0
    work_off(estate)

    # A moved owner writes nothing by itself.
    before, written = tables_of(estate), bridge_writes(estate)
    owner = {"tags: merge": "tags: merge\n    status: {owner: product}"}
    _run, summary, writes = publish(estate, changed_file(estate, "syncs.yaml", owner))
    work_off(estate)
    assert (summary.tickets, writes) == (0, [])
    assert differing(before, tables_of(estate)) == {}
    assert bridge_writes(estate) == written
