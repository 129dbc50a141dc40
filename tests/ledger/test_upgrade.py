"""A ledger of an earlier version opens, is read whole, and its work is brought to the end."""

import json
import sqlite3
from collections import Counter
from datetime import datetime
from pathlib import Path

import pytest
from sqlalchemy import select
from werkzeug.test import Client

from bridge.ledger import (
    conflict_log,
    connection_health,
    link_codec,
    links,
    parking,
    run_records,
    tables,
    webhook_inbox,
    work,
)
from bridge.runs import backfill
from bridge.sandbox.faults import Dropped
from tests.flow.estate import Estate

FIXTURES = Path(__file__).parent / "earlier_version"
STORED = json.loads((FIXTURES / "before_the_rooms.json").read_text())


@pytest.fixture
def database(tmp_path):
    """The old ledger, as a file."""
    path = tmp_path / "home" / "var" / "bridge.db"
    path.parent.mkdir(parents=True)
    raw = sqlite3.connect(path)
    raw.executescript((FIXTURES / "before_the_rooms.sql").read_text())
    raw.close()
    return path


@pytest.fixture
def estate(tmp_path, database):
    """The present bridge on the old ledger; the sandboxes are played up to where they were."""
    found = Estate(tmp_path / "home", files=STORED["files"], ledger=f"sqlite:///{database}")
    for request in STORED["requests"]:
        if not asks_for_an_order_of_conversations(request):
            replay(found, request)
    found.clock.time = datetime.fromisoformat(STORED["now"])
    yield found
    found.ledger.close()


def asks_for_an_order_of_conversations(request):
    """No page of Switch's has that: the older version asked for it, and changed nothing thereby."""
    return request["method"] == "GET" and "/conversations?" in request["target"]


def replay(estate, request):
    app = estate.apps[request["to"]]
    estate.clock.time = datetime.fromisoformat(request["at"])
    headers = {
        name: value.replace("{key}", app.api_key) for name, value in request["headers"].items()
    }
    try:
        status = (
            Client(app)
            .open(
                request["target"], method=request["method"], headers=headers, data=request["body"]
            )
            .status_code
        )
    except Dropped:
        status = 0  # the sandbox did it, and its caller got no answer
    assert status == request["status"], f"the sandbox no longer answers as it did: {request}"


def finish(estate):
    """Let the operator do what waits for one, and all work run to its end."""
    with estate.ledger.transaction() as tx:
        connection_health.resume(tx, "feedback")
    estate.settle()
    with estate.ledger.transaction() as tx:
        backfill.start(tx, "product", "ticket", estate.clock.now())
    estate.settle()
    for _ in range(3):  # tags that ScopeAI finds in new tickets travel a round later
        estate.reconcile()


def test_its_tables_are_those_of_this_version(estate):
    estate.ledger.check()


def test_every_link_is_read_as_it_was_written(estate):
    with estate.ledger.read() as tx:
        loaded = links.load(tx, links.ids(tx))
        stored = {row.id: row for row in tx.execute(select(tables.link))}
        sides = tx.execute(select(tables.side).where(tables.side.c.tombstone.is_(False))).all()
    assert loaded.keys() == stored.keys()
    assert len(loaded) == 18
    for link_id, row in stored.items():
        assert link_codec.state(loaded[link_id].state) == row.state
    for row in sides:
        read = loaded[row.link_id].sides[row.connection]
        assert (read.remote_id, link_codec.side_fields(read.fields)) == (row.remote_id, row.fields)


def test_all_that_was_under_way_is_found(estate):
    with estate.ledger.read() as tx:
        rows = tx.execute(select(tables.work)).all()
        loaded = links.load(tx, links.ids(tx)).values()
        parked = parking.parked(tx)
        under_way = [run for run in run_records.recent(tx) if run.finished_at is None]
        assert conflict_log.count_open(tx) == 1
        assert webhook_inbox.account(tx).balanced
        assert webhook_inbox.counts(tx)["pending"] > 0
        assert connection_health.get(tx, "feedback").held_at is not None
    assert Counter(row.kind for row in rows) == {
        "observe": 6,
        "create": 6,
        "reconcile": 2,
        "deliver": 1,
        "backfill": 1,
    }
    assert {(row.kind, row.cause) for row in parked} == {("create", "creation budget")}
    assert {(run.kind, run.entity) for run in under_way} == {
        ("full", "ticket"),
        ("full", "message"),
        ("backfill", "ticket"),
    }
    attempts = [side.attempt for link in loaded for side in link.sides.values() if side.attempt]
    assert [attempt.verb for attempt in attempts] == ["patch"]
    assert [list(link.intents) for link in loaded if link.intents] == [["helpdesk"]]


def test_the_work_that_it_holds_is_brought_to_the_end(estate):
    sent = next(row for row in unfinished(estate, tables.attempt))
    intended = next(row for row in unfinished(estate, tables.create_intent))
    begun = {run.id for run in runs(estate) if run.finished_at is None}
    finish(estate)
    assert unfinished(estate, tables.attempt) == unfinished(estate, tables.create_intent) == []
    with estate.ledger.read() as tx:
        written = tx.execute(select(tables.attempt).where(tables.attempt.c.id == sent.id)).one()
        made = tx.execute(
            select(tables.create_intent).where(tables.create_intent.c.marker == intended.marker)
        ).one()
        assert work.backlog(tx, estate.clock.now()) == {
            "due": 0,
            "later": 0,
            "claimed": 0,
            "parked": 0,
            "oldest_due": None,
        }
        assert webhook_inbox.counts(tx).keys().isdisjoint({"pending", "parked", "quarantined"})
    assert (written.outcome, made.outcome) == ("settled by a read", "created")
    assert {run.error for run in runs(estate) if run.id in begun} == {""}


def test_nothing_was_made_twice_and_the_systems_agree(estate):
    finish(estate)
    tickets = estate.links()
    for name in ("helpdesk", "product"):
        made = sorted(str(ticket["id"]) for ticket in estate.apps[name].tickets())
        assert made == sorted(link.live()[name].remote_id for link in tickets)
    tags = {
        name: {ticket["id"]: set(ticket["tags"]) for ticket in estate.apps[name].tickets()}
        for name in ("helpdesk", "product")
    }
    for link in tickets:
        ours, theirs = (tags[name][link.live()[name].remote_id] for name in tags)
        assert {tag for tag in ours if not tag.startswith("bridge-")} == theirs
    assert any("late" in found for found in tags["product"].values())
    before = writes(estate)
    estate.reconcile()
    assert writes(estate) == before


def test_the_open_conflict_is_settled_by_hand_as_ever(estate):
    finish(estate)
    (link,) = [
        each
        for each in estate.links()
        if any(state.candidates is not None for state in each.state.values())
    ]
    refs = {name: side.remote_id for name, side in link.live().items()}
    estate.apps["helpdesk"].edit(refs["helpdesk"], {"priority": "low"})
    estate.hint("helpdesk", refs["helpdesk"])
    with estate.ledger.read() as tx:
        assert conflict_log.count_open(tx) == 0
    estate.settle()
    (shown,) = [
        ticket for ticket in estate.apps["product"].tickets() if ticket["id"] == refs["product"]
    ]
    assert shown["priority"] == "low"


def unfinished(estate, table):
    with estate.ledger.read() as tx:
        return tx.execute(select(table).where(table.c.closed_at.is_(None))).all()


def runs(estate):
    with estate.ledger.read() as tx:
        return run_records.recent(tx, 1000)


def writes(estate):
    return {name: len(estate.journal(name, "write", "create")) for name in estate.apps}
