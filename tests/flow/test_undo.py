"""Undo takes back what a run wrote, and nothing that anybody changed since."""

import random

import pytest

from bridge.errors import Refused, UnknownOutcome
from bridge.ledger import attempts, run_writes, timeline, work
from bridge.operations import link as link_acts
from bridge.runs import backfill, reconcile, undo
from tests.flow.pair import pair
from tests.operations.desks import desk_of


@pytest.fixture
def estate(tmp_path):
    return pair(tmp_path)


def imported(estate, count):
    estate.apps["product"].populate(count, 1)
    with estate.ledger.transaction() as tx:
        run = backfill.start(tx, "product", "ticket", estate.clock.now())
    for _ in range(count // 100 + 1):
        estate.settle()
    estate.clock.advance(60)
    return run


def take_back(estate, run, **options):
    with estate.ledger.transaction() as tx:
        mine, count = undo.start(tx, run, estate.clock.now(), **options)
    for _ in range(count // 100 + 1):
        estate.settle()
    with estate.ledger.read() as tx:
        assert run_writes.left(tx, [int(mine)]).waiting == 0
        lines = [
            line for line in timeline.after(tx, 0, limit=1_000_000) if line.detail.get("run") == run
        ]
        return [line for line in lines if line.kind in {undo.UNDONE, undo.LEFT}]


COUNT = 400
"""Of these humans edit every twentieth."""


@pytest.mark.timeout(900)
def test_what_humans_edited_is_listed_and_the_rest_is_taken_back(estate):
    assert COUNT % 20 == 0
    run = imported(estate, COUNT)
    made = sorted(each["id"] for each in estate.apps["helpdesk"].tickets())
    assert len(made) == COUNT
    edited = sorted(random.Random(3).sample(made, COUNT // 20))
    for number, each in enumerate(edited):
        estate.apps["helpdesk"].edit(each, {"subject": f"Ours {number}"})
    for each in edited[:5]:
        estate.hint("helpdesk", each)  # some of the edits the bridge has heard of
    before = [dict(each) for each in estate.apps["product"].tickets()]
    lines = take_back(estate, run, delete_created=True)
    assert sorted(each["id"] for each in estate.apps["helpdesk"].tickets()) == edited
    assert sum(line.kind == undo.UNDONE for line in lines) == COUNT - COUNT // 20
    assert sorted(line.detail["ref"] for line in lines if line.kind == undo.LEFT) == [
        f"helpdesk:{each}" for each in edited
    ]
    assert [dict(each) for each in estate.apps["product"].tickets()] == before
    # What was not taken back goes on.
    going_on = {link.sides["helpdesk"].remote_id for link in estate.links() if not link.paused}
    assert going_on == set(edited)


def test_it_is_not_done_again_by_itself(estate):
    run = imported(estate, 5)
    take_back(estate, run, delete_created=True)
    assert estate.apps["helpdesk"].tickets() == []
    estate.clock.advance(3600)
    estate.reconcile("poll")
    assert estate.apps["helpdesk"].tickets() == []


def test_what_may_not_be_deleted_is_left_and_listed(estate):
    run = imported(estate, 3)
    lines = take_back(estate, run)
    assert len(estate.apps["helpdesk"].tickets()) == 3
    assert {line.kind for line in lines} == {undo.LEFT}
    assert not any(link.paused for link in estate.links())


def test_values_of_before_are_put_back_where_ours_still_stand(estate):
    imported(estate, 4)
    links = estate.links()
    for link in links:
        estate.apps["product"].edit(
            link.sides["product"].remote_id, {"status": "on_hold", "priority": "high"}
        )
    old = {
        each["id"]: (each["status"], each["priority"]) for each in estate.apps["helpdesk"].tickets()
    }
    with estate.ledger.transaction() as tx:
        run = reconcile.start(tx, "product", "ticket", "full", estate.clock.now())
    estate.settle()
    now = {
        each["id"]: (each["status"], each["priority"]) for each in estate.apps["helpdesk"].tickets()
    }
    assert all(now[each] != old[each] for each in old)
    estate.clock.advance(60)
    first = min(old)
    estate.apps["helpdesk"].edit(first, {"status": "closed"})
    take_back(estate, run)
    back = {
        each["id"]: (each["status"], each["priority"]) for each in estate.apps["helpdesk"].tickets()
    }
    assert {each: back[each] for each in old if each != first} == {
        each: old[each] for each in old if each != first
    }
    assert back[first][0] == "closed"


@pytest.mark.parametrize("seen", [True, False])
def test_a_value_that_a_human_has_set_again_is_left_and_listed(estate, seen):
    imported(estate, 1)
    (link,) = estate.links()
    product, helpdesk = (link.sides[name].remote_id for name in ("product", "helpdesk"))
    estate.apps["product"].edit(product, {"status": "open", "priority": "low"})
    estate.hint("product", product)
    estate.clock.advance(60)
    estate.apps["product"].edit(product, {"status": "resolved", "priority": "high"})
    with estate.ledger.transaction() as tx:
        run = reconcile.start(tx, "product", "ticket", "full", estate.clock.now())
    estate.settle()
    estate.clock.advance(60)
    estate.apps["helpdesk"].edit(helpdesk, {"status": "pending"})
    estate.hint("helpdesk", helpdesk)
    estate.clock.advance(60)
    estate.apps["helpdesk"].edit(helpdesk, {"status": "resolved"})
    if seen:
        estate.hint("helpdesk", helpdesk)
    undone, left = take_back(estate, run)
    assert (undone.kind, undone.field) == (undo.UNDONE, "priority")
    assert left.detail["why"] == "status changed there since"
    (shown,) = estate.apps["helpdesk"].tickets()
    assert shown["status"] == "resolved"


def test_a_deletion_that_got_no_answer_is_looked_at_again_never_repeated_blindly(
    estate, monkeypatch
):
    run = imported(estate, 1)
    connector = estate.connectors["helpdesk"]
    delete = connector.delete

    def unanswered(ref):
        delete(ref)
        monkeypatch.undo()
        raise UnknownOutcome("helpdesk", "no answer")

    monkeypatch.setattr(connector, "delete", unanswered)
    began = estate.clock.now()
    (line,) = take_back(estate, run, delete_created=True)
    assert estate.apps["helpdesk"].tickets() == []
    assert (line.kind, line.field) == (undo.UNDONE, "deleted")
    settling_time = estate.context.settling_time("helpdesk", "ticket")
    assert estate.clock.now() - began >= settling_time
    (link,) = estate.links()
    with estate.ledger.read() as tx:
        deletions = [row for row in attempts.history(tx, link.id) if row["verb"] == "delete"]
    assert [row["outcome"] for row in deletions] == ["done"]
    assert (link.paused, link.sides["helpdesk"].attempt) == (True, None)


def test_a_value_that_the_vendor_refuses_is_left_and_listed(estate, monkeypatch):
    imported(estate, 1)
    (link,) = estate.links()
    estate.apps["product"].edit(link.sides["product"].remote_id, {"priority": "high"})
    with estate.ledger.transaction() as tx:
        run = reconcile.start(tx, "product", "ticket", "full", estate.clock.now())
    estate.settle()
    estate.clock.advance(60)

    def refuse(*_call):
        raise Refused("helpdesk", "not today", status=422)

    monkeypatch.setattr(estate.connectors["helpdesk"], "update", refuse)
    (line,) = take_back(estate, run)
    assert (line.kind, line.detail["why"]) == (undo.LEFT, "priority cannot be put back")
    with estate.ledger.read() as tx:
        assert attempts.history(tx, link.id)[-1]["outcome"] == "refused"
    (link,) = estate.links()
    assert (link.sides["helpdesk"].attempt, link.paused) == (None, False)


def raised(estate):
    """Mirror a ticket, raise its priority at PostHog, and give the run that carried it."""
    imported(estate, 1)
    (link,) = estate.links()
    estate.apps["product"].edit(link.sides["product"].remote_id, {"priority": "high"})
    with estate.ledger.transaction() as tx:
        run = reconcile.start(tx, "product", "ticket", "full", estate.clock.now())
    estate.settle()
    estate.clock.advance(60)
    return run


def unanswered_once(estate, monkeypatch, and_then=lambda _ref: None):
    """Have the next update at Switch happen, and its answer lost."""
    connector = estate.connectors["helpdesk"]
    update = connector.update

    def lose(ref, verb, values):
        update(ref, verb, values)
        monkeypatch.undo()
        and_then(ref)
        raise UnknownOutcome("helpdesk", "no answer")

    monkeypatch.setattr(connector, "update", lose)


def test_a_value_put_back_without_an_answer_counts_as_taken_back(estate, monkeypatch):
    run = raised(estate)
    unanswered_once(estate, monkeypatch)
    (line,) = take_back(estate, run)
    assert (line.kind, line.field) == (undo.UNDONE, "priority")
    (link,) = estate.links()
    assert (link.paused, link.sides["helpdesk"].attempt) == (True, None)
    with estate.ledger.read() as tx:
        assert attempts.history(tx, link.id)[-1]["outcome"] == "done"


def test_a_record_that_is_gone_meanwhile_leaves_no_open_attempt_and_no_pause(estate, monkeypatch):
    run = raised(estate)
    unanswered_once(estate, monkeypatch, lambda ref: estate.apps["helpdesk"].delete(ref.id))
    (line,) = take_back(estate, run)
    assert (line.kind, line.detail["why"]) == (undo.LEFT, "the record is gone")
    (link,) = estate.links()
    assert link.paused is False
    with estate.ledger.read() as tx:
        assert [row for row in attempts.history(tx, link.id) if row["closed_at"] is None] == []


def test_a_ticket_that_was_paused_before_stays_so_when_nothing_is_taken_back(estate):
    run = imported(estate, 1)
    (link,) = estate.links()
    link_acts.pause(desk_of(estate), link.id)
    take_back(estate, run)
    assert estate.links()[0].paused


def test_an_undo_that_was_killed_goes_on_where_it_was(estate):
    run = imported(estate, 5)
    with estate.ledger.transaction() as tx:
        first, count = undo.start(tx, run, estate.clock.now(), delete_created=True)
        assert count == 5
        # Its worker has done two, and is killed.
        rows = work.claim(tx, "killed", estate.clock.now(), estate.clock.now(), 5)
        for row in rows[:2]:
            work.finish(tx, row, "killed", estate.clock.now())
    with estate.ledger.transaction() as tx:
        assert undo.start(tx, run, estate.clock.now()) == (first, 3)
    estate.settle()
    assert len(estate.apps["helpdesk"].tickets()) == 2


def test_an_undo_that_was_killed_when_all_was_done_is_in_nobodys_way(estate):
    run = imported(estate, 1)
    take_back(estate, run, delete_created=True)  # and nobody says that it has ended
    with estate.ledger.transaction() as tx:
        other = reconcile.start(tx, "product", "ticket", "full", estate.clock.now())
        mine, _count = undo.start(tx, int(other), estate.clock.now())
    assert mine is not None
