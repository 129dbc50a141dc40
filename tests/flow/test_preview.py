"""A plan says exactly what is then written, and leaves nothing behind."""

import json
from dataclasses import replace

import pytest
from sqlalchemy import select

from bridge.flow import preview as previews
from bridge.flow.apply import apply
from bridge.flow.rehearse import UNBORN
from bridge.ledger import tables
from tests.flow.pair import pair
from tests.flow.world import FreeBudget, Inline

SYNC = "support-tickets"
CHANGES = ("write", "create", "delete")


@pytest.fixture
def estate(tmp_path):
    return pair(tmp_path)


def plan(estate, *, live=True):
    return previews.preview(estate.context, estate.ledger, estate.connectors, [SYNC], live=live)


def carry_out(estate, found, **options):
    pool = Inline(estate.clock)
    return apply(
        estate.context, estate.ledger, estate.connectors, [SYNC], found.writes, FreeBudget(), pool=pool, **options
    )


def dump(ledger):
    with ledger.read() as tx:
        return {table.name: tx.execute(select(table)).all() for table in tables.metadata.sorted_tables}


def written(estate):
    """What the sandboxes were asked to change by the bridge."""
    return {name: [row for row in app.journal.since() if row.kind in CHANGES and row.actor == "bridge"]
            for name, app in estate.apps.items()}  # fmt: skip


def shown(values):
    """A call's values as one text; connectors write an assignee as an object."""
    plain = {
        name: f"{raw['type']}:{raw['id']}" if isinstance(raw, dict) and {"type", "id"} <= raw.keys() else raw
        for name, raw in values.items()
        if raw not in (None, "", [])
    }
    return json.dumps(plain, sort_keys=True, default=str)


def singly(calls):
    """Field by field: which of them share a call depends on what has been learned of a system by then."""
    return sorted(shown({name: raw}) for values in calls for name, raw in values.items())


def foretold(found, name, op):
    return [write for write in found.writes if (write.connection, write.op) == (name, op)]


class TestPlan:
    def test_it_leaves_no_trace(self, estate):
        estate.apps["product"].populate(10, 1)
        estate.apps["helpdesk"].populate(5, 2)
        before = dump(estate.ledger)
        assert plan(estate).writes
        assert dump(estate.ledger) == before
        assert not any(written(estate).values())
        estate.reconcile()
        before, writes = dump(estate.ledger), written(estate)
        plan(estate, live=False)
        assert (dump(estate.ledger), written(estate)) == (before, writes)

    def test_it_says_write_by_write_what_apply_does(self, estate):
        estate.apps["product"].populate(20, 1)
        estate.apps["helpdesk"].populate(10, 2)
        found = plan(estate)
        told = carry_out(estate, found)
        assert (told.left, told.others, told.errors) == (0, [], [])
        assert told.done > 0
        happened = written(estate)
        for name, rows in happened.items():
            for op, kind in (("create", "create"), ("update", "write"), ("delete", "delete")):
                mine = foretold(found, name, op)
                made = [row for row in rows if row.kind == kind]
                if op == "create":
                    assert sorted(str(row.sent.get("subject")) for row in made) == sorted(
                        str(write.values.get("subject")) for write in mine
                    )
                if op == "update":
                    assert singly(row.sent for row in made) == singly(write.values for write in mine)
                    known = {write.id for write in mine if not write.id.startswith(UNBORN)}
                    assert known <= {row.id for row in made}
        assert plan(estate).writes == []

    def test_an_edit_is_foretold_with_its_value(self, estate):
        estate.apps["product"].populate(3, 1)
        estate.reconcile()
        ref = estate.links()[0].sides["helpdesk"].remote_id
        estate.clock.advance(60)
        (now,) = [each["priority"] for each in estate.apps["helpdesk"].tickets() if each["id"] == ref]
        estate.apps["helpdesk"].edit(ref, {"priority": "low" if now != "low" else "high"})
        found = plan(estate)
        assert [(write.op, write.connection) for write in found.writes] == [("update", "product")]
        carry_out(estate, found)
        (last,) = [row for row in written(estate)["product"] if row.kind == "write"][-1:]
        assert last.id == found.writes[0].id
        assert dict(last.sent) == dict(found.writes[0].values)

    def test_what_was_not_planned_is_left_and_listed(self, estate):
        estate.apps["product"].populate(4, 1)
        found = plan(estate)
        estate.apps["product"].populate(1, 9)
        told = carry_out(estate, found)
        assert told.left == 0
        assert len([each for each in told.others if each.startswith("create")]) == 1
        assert len(estate.apps["helpdesk"].tickets()) == 4
        estate.settle()
        assert len(estate.apps["helpdesk"].tickets()) == 5

    def test_closing_forty_percent_is_stopped(self, estate):
        estate.apps["product"].populate(40, 1)
        estate.reconcile()
        sync = estate.context.syncs[SYNC]
        estate.context.syncs[SYNC] = replace(sync, guard=replace(sync.guard, minimum=5))
        for link in estate.links()[:16]:
            estate.apps["product"].delete(link.sides["product"].remote_id)
        found = plan(estate)
        assert found.stopped == []  # the deletions are believed, each was asked for; the brake on writes it is
        (why,) = found.unsafe
        assert "16 more would pass the limit" in why, why
        assert why.startswith("helpdesk: "), why

    def test_an_emptied_source_is_stopped(self, estate):
        estate.apps["product"].populate(12, 1)
        estate.reconcile()
        for link in estate.links():
            estate.apps["product"].delete(link.sides["product"].remote_id)
        found = plan(estate)
        (why,) = found.stopped
        assert why.startswith("product: the source lists no records at all, yet 12 are known"), why
        assert found.writes == []
