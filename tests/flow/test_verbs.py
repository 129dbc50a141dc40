"""Verbs between help desks: what cannot be undone is done once, what is lacking is said once."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from bridge.core.model.syncs import Rate
from bridge.ledger import timeline
from bridge.queue.redis_budget import MemoryBudget
from bridge.sandbox import population
from bridge.sandbox.zaia import ZaiaSandbox
from bridge.supervisor.activity import ActivityStream
from tests.flow.estate import Estate
from tests.flow.test_create_once import healed, raise_
from tests.flow.world import StepWorker

TICKETS = """\
tickets:
  entity: ticket
  members: {helpdesk: {create: true}, desk: {create: false}}
  match: [[customer, subject]]
  precedence: [helpdesk, desk]
  fields:
    subject: {owner: helpdesk, revert: false}
    tags: merge
"""
MARY = ZaiaSandbox.agent_id(population.AGENTS[0])


@pytest.fixture
def estate(tmp_path):
    return Estate(tmp_path / "home", files={"mappings/syncs.yaml": TICKETS})


def met(estate, **fields):
    began = estate.apps["desk"].create(
        {"summary": "Help", "ownerEmail": "ana@customer.example", **fields}
    )["id"]
    estate.hint("desk", began)
    refs = estate.refs("desk", began)
    assert set(refs) == {"helpdesk", "desk"}
    return refs


def edit(estate, name, refs, fields):
    estate.clock.advance(1)
    estate.apps[name].edit(refs[name], fields)
    estate.hint(name, refs[name])


def status(estate, name, refs):
    return estate.apps[name].store.get(refs[name])["status"]


def told(estate, kind, field="", of=None):
    link = next(link for link in estate.links() if of in {None, link.sides["desk"].remote_id})
    with estate.ledger.read() as tx:
        return [
            line.detail
            for line in timeline.timeline(tx, link.id)
            if (line.kind, line.field) == (kind, field)
        ]


def called(estate, word):
    return [row for row in estate.journal("desk", "write", "error") if row.path.endswith(word)]


def test_what_is_reopened_elsewhere_stays_completed_and_nobody_tries_again(estate):
    refs = met(estate, status="ongoing", assignee=MARY)
    edit(estate, "helpdesk", refs, {"status": "resolved"})
    assert status(estate, "desk", refs) == "completed"
    edit(estate, "helpdesk", refs, {"status": "open"})
    before = len(estate.journal("desk", "write", "error"))
    for _ in range(3):
        estate.clock.advance(3600)
        estate.reconcile("poll", "full")
        estate.hint("helpdesk", refs["helpdesk"])
    assert (status(estate, "helpdesk", refs), status(estate, "desk", refs)) == ("open", "completed")
    assert len(estate.journal("desk", "write", "error")) == before
    assert [detail["why"] for detail in told(estate, "not carried", "status")] == [
        "status moves only forward, not from 'completed' to 'ongoing'"
    ]
    assert estate.parked() == []
    edit(estate, "helpdesk", refs, {"status": "resolved"})
    assert len(called(estate, "/complete")) == 1


@pytest.mark.parametrize("after", [True, False])
def test_a_worker_that_dies_around_a_complete_leaves_exactly_one(estate, after):
    refs = met(estate, status="ongoing", assignee=MARY)
    estate.clock.advance(1)
    estate.apps["helpdesk"].edit(refs["helpdesk"], {"status": "resolved"})
    raise_(estate, "helpdesk", refs["helpdesk"])
    worker = StepWorker(estate, "doomed")
    for _ in range(400):
        if worker.place().startswith("deliver/") and "Call" in worker.place():
            worker.die(after=after)
            break
        if not worker.step():
            estate.clock.advance(0.5)
    assert len(called(estate, "/complete")) == int(after)
    healed(estate)
    assert len(called(estate, "/complete")) == 1
    assert (status(estate, "helpdesk", refs), status(estate, "desk", refs)) == (
        "resolved",
        "completed",
    )
    assert estate.parked() == []


def test_a_tag_that_it_does_not_know_is_not_carried_and_is_no_error(estate):
    estate.apps["desk"].edit(met(estate, tags=[])["desk"], {"tags": ["VIP"]})
    estate.reconcile("full")
    (link,) = estate.links()
    refs = {name: side.remote_id for name, side in link.live().items()}
    stream = ActivityStream(estate.ledger)
    stream.start_now()
    edit(estate, "helpdesk", refs, {"add_tags": ["scope:billing", "other"]})
    edit(estate, "helpdesk", refs, {"priority": "low"})
    estate.reconcile("poll", "full")
    assert sorted(detail["element"] for detail in told(estate, "not carried", "tags")) == [
        "other",
        "scope:billing",
    ]
    assert told(estate, "refused") == []
    assert [row["kind"] for row in stream.fresh() if row["connection"] == "desk"] == []
    assert estate.apps["desk"].store.get(refs["desk"])["tags"] == ["VIP"]
    assert estate.parked() == []


def test_tags_that_it_does_not_know_hold_up_none_that_it_does(estate):
    estate.apps["desk"].create(
        {"summary": "Other", "ownerEmail": "bob@customer.example", "tags": ["export"]}
    )
    refs = met(estate, tags=["VIP"])
    estate.reconcile("full")
    edit(estate, "helpdesk", refs, {"add_tags": ["another", "beyond", "export", "zeal"]})
    assert sorted(estate.apps["desk"].store.get(refs["desk"])["tags"]) == ["VIP", "export"]
    lacking = told(estate, "not carried", "tags", of=refs["desk"])
    assert sorted(detail["element"] for detail in lacking) == ["another", "beyond", "zeal"]


def test_the_declared_rate_counts_every_request_of_an_attach(estate):
    """It is one call that asks for two, and makes four requests and more: a minute has no room."""
    estate.apps["desk"].create(
        {"summary": "Other", "ownerEmail": "bob@customer.example", "tags": ["export"]}
    )
    tickets = [met(estate, summary=f"Help {number}") for number in range(8)]
    estate.reconcile("full")
    allowed, unasked = 24, 2
    slow = replace(estate.context.connections["desk"], rates=(Rate(allowed, 60.0),), concurrency=1)
    estate.context.connections["desk"] = slow
    estate.drain._calls.budget = MemoryBudget()
    estate.drain.budget.acquire(slow, "first", estate.clock.now(), 1.0)
    estate.clock.advance(90)
    began = estate.clock.now()
    for refs in tickets:
        estate.apps["helpdesk"].edit(refs["helpdesk"], {"add_tags": ["export"]})
        raise_(estate, "helpdesk", refs["helpdesk"])
    estate.settle()
    assert all(
        estate.apps["desk"].store.get(refs["desk"])["tags"] == ["export"] for refs in tickets
    )
    times = [
        row.at
        for row in estate.apps["desk"].journal.since()
        if row.actor == "bridge" and row.at >= began
    ]
    minute = timedelta(seconds=60)
    assert (
        max(sum(begin <= at < begin + minute for at in times) for begin in times)
        <= allowed + unasked
    )
