"""Rows compared without loading their links: the outcome is that of a comparison in full."""

from contextlib import contextmanager, suppress
from datetime import UTC, datetime

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from bridge.core.model.state import NEVER, Attempt
from bridge.core.model.values import ABSENT, NO_BASE
from bridge.ledger import link_codec, link_outlines, links, listings, tables
from bridge.runs import comparison
from bridge.runs.fingerprints import row_digest
from bridge.runs.plain_rows import PlainRows
from tests.flow.world import NAMES, World

SYSTEMS = "LHPZ"
NOW = datetime(2026, 1, 6, tzinfo=UTC)


class UndoneError(Exception):
    """Ends a transaction, so that nothing of it stays."""


@contextmanager
def undone(ledger):
    with suppress(UndoneError), ledger.transaction() as tx:
        yield tx
        raise UndoneError


@pytest.fixture(scope="module")
def world():
    world = World(names=SYSTEMS)
    for number, system in enumerate(SYSTEMS):
        given_ = {"status": "pending", "priority": "high", "tags": ["a", "b"], "assignee": "ann"}
        world.systems[system].add(subject=f"Broken {number}", **given_)
    world.reconcile()
    world.reconcile()
    assert len(world.links()) == len(SYSTEMS)
    assert not world.unsettled()
    return world


plain_values = [
    None,
    "open",
    "pending",
    "ann",
    True,
    1,
    1.0,
    2**70,
    [],
    ["a"],
    ["b", "a"],
    ["a", 1],
]
odd_values = [{"$time": "x"}, [{"a": 1}], {"a": 1}, ABSENT, NO_BASE]
values = st.sampled_from(plain_values + odd_values)
revs = st.sampled_from([NEVER, 0, 1, 2, 3])
names = st.sampled_from(NAMES)
decisions = st.none() | st.dictionaries(names, revs, max_size=2)
OWN = "own"
"""In a decision: the field that it is about, at the revision of its state."""
of_entry = st.fixed_dictionaries(
    {},
    optional={
        "level": revs,
        "decided": decisions | st.just({OWN: None}),
        "open_to_review": st.booleans(),
        "shadow": values,
        "map_rev": st.just("another"),
        "unreadable": st.just("no licence"),
        "shown": values,
        "tried": revs,
        "lacks": st.just({"a": 1}),
    },
)
of_state = st.one_of(
    st.tuples(st.just("rev"), st.sampled_from([0, 1, 2, 3])),
    st.tuples(st.just("value"), st.sampled_from([None, "open", "closed", "ann"])),
    st.tuples(st.just("candidates"), st.just({"L": "open"})),
)
of_side = st.one_of(
    st.tuples(st.just("tombstone"), st.just(True)),
    st.tuples(st.just("missing_since"), st.just(NOW)),
    st.tuples(st.just("in_scope"), st.just(False)),
    st.tuples(st.just("detached"), st.just(True)),
    st.tuples(st.just("attempt"), st.just(None)),
    st.tuples(st.just("gone"), st.just(None)),
)
systems = st.sampled_from(SYSTEMS)
changes = st.one_of(
    st.tuples(st.just("entry"), systems, names, of_entry),
    st.tuples(st.just("no entry"), systems, names, st.none()),
    st.tuples(st.just("state"), systems, names, of_state),
    st.tuples(st.just("no state"), systems, names, st.none()),
    st.tuples(st.just("side"), systems, names, of_side),
    st.tuples(st.just("link"), systems, names, st.sampled_from(["paused", "sync"])),
    st.tuples(st.just("row"), systems, names, values),
    st.tuples(st.just("unreadable"), systems, names, st.none()),
    st.tuples(st.just("lacking"), systems, names, st.none()),
)


def change_side(tx, side, name, value):
    row = tables.side.c.id == int(side.id)
    if name == "gone":
        tx.execute(tables.side.delete().where(row))
    elif name == "attempt":
        opened = Attempt("a", "patch", {"status": "open"}, {}, {}, {"status": 1}, NOW)
        (link_id,) = tx.execute(
            tables.side.select().with_only_columns(tables.side.c.link_id).where(row)
        ).one()
        remaining = link_codec.attempt(opened)
        about = {"id": f"a{side.id}", "verb": "patch", "detail": {}, "remaining": remaining}
        about |= {"link_id": link_id, "side_id": int(side.id), "connection": side.connection}
        stored = tables.attempt.select().where(tables.attempt.c.id == about["id"])
        if tx.execute(stored).first() is None:
            tx.execute(tables.attempt.insert().values(send_by=NOW, opened_at=NOW, **about))
    else:
        tx.execute(tables.side.update().where(row).values({name: value}))


def change_entry(entry, field, states, attributes):
    for name, value in attributes.items():
        own = name == "decided" and value == {OWN: None}
        setattr(entry, name, {field: states[field].rev if field in states else 0} if own else value)


def change(tx, link, records, what, system, field, how):
    side, entry = link.sides[system], link.sides[system].fields
    record = records[system][side.remote_id]
    if what == "entry" and field in entry:
        change_entry(entry[field], field, link.state, how)
    elif what == "no entry":
        entry.pop(field, None)
    elif what == "state" and field in link.state:
        setattr(link.state[field], *how)
    elif what == "no state":
        link.state.pop(field, None)
    elif what == "side":
        change_side(tx, side, *how)
    elif what == "link":
        value = {"paused": True, "sync": "another"}[how]
        tx.execute(tables.link.update().where(tables.link.c.id == link.id).values({how: value}))
    elif what == "row" and how not in (ABSENT, NO_BASE):
        record = record._replace(data={**record.data, field: how})
    elif what == "lacking":
        record = record._replace(data={k: v for k, v in record.data.items() if k != field})
    elif what == "unreadable":
        record = record._replace(unreadable={field: "no licence"})
    records[system][side.remote_id] = record


def store(tx, link):
    of = tables.link.c.id == link.id
    tx.execute(tables.link.update().where(of).values(state=link_codec.state(link.state)))
    for side in link.sides.values():
        of = tables.side.c.id == int(side.id)
        fields = link_codec.side_fields(side.fields)
        tx.execute(tables.side.update().where(of).values(fields=fields))


def listed(world):
    return {
        name: {each.ref.id: each for each in world.connectors[name].scan("ticket", None).records}
        for name in SYSTEMS
    }


REVIEWED = {"decided": {OWN: None}, "open_to_review": True, "shadow": "Another"}
"""A decision that the planner takes anew, and now otherwise."""


@given(st.lists(changes, max_size=3), st.booleans())
@example([("entry", "H", "subject", {**REVIEWED, "level": NEVER})], True)
@example([("entry", "H", "subject", {**REVIEWED, "level": 3})], True)
def test_the_outcome_is_that_of_a_comparison_in_full(world, made, full):
    with undone(world.ledger) as tx:
        tx.execute(tables.sighting.delete())  # as if these rows had never been compared
        records = listed(world)
        link = links.load(tx, links.ids(tx))[links.ids(tx)[0]]
        for each in made:
            change(tx, link, records, *each)
        store(tx, link)
        for name in SYSTEMS:
            digests = {each: row_digest(record) for each, record in records[name].items()}
            compared = comparison.compare(
                tx, world.context, name, "ticket", records[name], digests, full=full, now=NOW
            )
            linked = listings.linked_rows(tx, name, "ticket", list(records[name]))
            loaded = world.context.load(tx, [row.link_id for row in linked.values()])
            expected = {
                remote_id: comparison.difference_of(
                    world.context, loaded[row.link_id], records[name][remote_id], full=full
                )
                for remote_id, row in linked.items()
            }
            found = {
                remote_id: each.difference
                for remote_id, each in compared.in_full.items()
                if remote_id in linked
            }
            assert found == expected


def test_where_nothing_has_happened_no_link_is_loaded(world):
    records = listed(world)
    with world.ledger.read() as tx:
        outlines = link_outlines.of(tx, links.ids(tx))
        for name in SYSTEMS:
            plain_rows = PlainRows.of(world.context, name, "ticket", full=True)
            linked = listings.linked_rows(tx, name, "ticket", list(records[name]))
            certain = [
                plain_rows.need_nothing(outlines[row.link_id], records[name][remote_id])
                for remote_id, row in linked.items()
            ]
            assert certain == [True] * len(SYSTEMS)
