"""What was left out on purpose is no drift, and no trouble."""

from dataclasses import replace

import pytest

from bridge.ledger import drift_findings, run_records
from tests.flow.pair import SYNC, pair


@pytest.fixture
def estate(tmp_path):
    return pair(tmp_path)


def exclude(estate, name, only):
    sync = estate.context.syncs[SYNC]
    members = dict(sync.members) | {name: replace(sync.members[name], only=only)}
    estate.context.syncs[SYNC] = replace(sync, members=members)


def drifted(estate):
    with estate.ledger.read() as tx:
        return [
            (each.connection, each.remote_id, each.kind, each.why)
            for each in drift_findings.recent(tx)
            if each.entity == "ticket"
        ]


def look(estate, times=3):
    for _ in range(times):
        estate.clock.advance(3600)
        estate.reconcile("poll", "full")


def differed(estate, name):
    """What the last full comparison counted; a vendor whose rows are whole tells by them alone."""
    with estate.ledger.read() as tx:
        run = run_records.last(tx, kind="full", connection=name, entity="ticket")
    return {kind: run.figures[kind] for kind in ("changed", "new") if run.figures.get(kind)}


@pytest.mark.parametrize("name", ["product", "helpdesk"])
def test_a_ticket_that_only_excludes_is_no_drift(estate, name):
    exclude(estate, name, lambda record: record.get("priority") != "high")
    look(estate, 1)
    estate.apps[name].populate(2, 1)
    for each in estate.apps[name].tickets():
        estate.apps[name].edit(str(each["id"]), {"priority": "high"})
    look(estate)
    assert drifted(estate) == []
    assert name == "helpdesk" or differed(estate, name) == {}


@pytest.mark.parametrize("name", ["product", "helpdesk"])
def test_a_ticket_that_left_the_scope_is_no_drift_however_it_is_edited(estate, name):
    exclude(estate, name, lambda record: record.get("priority") != "high")
    estate.apps["product"].populate(1, 1)
    look(estate, 2)
    (link,) = estate.links()
    record = link.sides[name].remote_id
    estate.apps[name].edit(record, {"priority": "high"})
    estate.hint(name, record)
    estate.settle()
    before = drifted(estate)
    estate.apps[name].edit(record, {"status": "pending"})
    look(estate)
    assert drifted(estate) == before
    assert name == "helpdesk" or differed(estate, name) == {}
