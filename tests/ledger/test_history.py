from datetime import timedelta

import sqlalchemy

from bridge.core.model.state import FieldState, Note
from bridge.ledger import (
    conflict_log,
    history,
    intents,
    links,
    run_records,
    run_writes,
    timeline,
)
from bridge.ledger.tables import attempt, create_intent
from tests.ledger.helpers import begin, begin_intent, close, make_attempt, make_link

DAY = timedelta(days=1)
LONG_AGO = 800 * DAY
KEPT = 730 * DAY


def prune(tx, before, limit=2):
    """As the engine does, but in one transaction and in tiny batches."""
    for past in history.PRUNABLE:
        after = 0
        while after is not None:
            gone, after = history.prune(tx, past, before, after, limit)
            assert gone <= limit


def write(tx, now, side, name, run_id=None, *, over=True):
    side.attempt = make_attempt(now, name)
    begin(tx, "a", side, now, run_id=run_id)
    if over:
        close(tx, name, "done", now, read_back={"status": "open"}, latency_ms=1)


def create(tx, now, marker, outcome, run_id=None, connection="desk"):
    place = {"link_id": "a", "connection": connection, "entity": "ticket", "marker": marker}
    draft = {"values": {}, "sent": {"status": "open"}}
    assert begin_intent(tx, **place, draft=draft, send_by=now, now=now, run_id=run_id)
    if outcome:
        intents.close(tx, marker, outcome, "9", now)


def run(tx, now):
    run_id = run_records.begin(
        tx, kind="backfill", connection="helpdesk", entity="ticket", due=now, now=now
    )
    run_records.finish(tx, run_id, now)
    return run_id


def of(tx, column):
    return list(tx.execute(sqlalchemy.select(column).order_by(column)).scalars())


def test_what_is_over_for_longer_than_it_is_kept_is_forgotten_and_nothing_else(tx, now):
    link, then = make_link(tx, now, "a"), now - LONG_AGO
    for at, word in ((then, "old"), (then, "older"), (then, "oldest"), (now, "new")):
        timeline.add(tx, "a", at, [Note(word, "helpdesk", "", {})])
        write(tx, at, link.sides["helpdesk"], word)
        create(tx, at, word, "created")
        conflict_log.record(tx, link, [Note("conflict", "desk", word, {})], at)
    link.state["status"] = FieldState(
        "open", 1, candidates={"desk": "closed"}, why_open="both edited"
    )
    conflict_log.record(tx, link, [], then)
    create(tx, then, "waits", None)
    write(tx, then, link.sides["helpdesk"], "under way", over=False)
    prune(tx, now - KEPT)
    assert [line.kind for line in timeline.timeline(tx, "a")] == ["new"]
    assert [row["field"] for row in conflict_log.of_link(tx, "a")] == ["new", "status"]
    assert of(tx, attempt.c.id) == ["new", "under way"]
    assert of(tx, create_intent.c.marker) == ["new", "waits"]
    assert links.load(tx, ["a"])["a"].sides["helpdesk"].attempt.id == "under way"


def test_what_an_undo_or_the_next_create_looks_at_is_kept(tx, now):
    side, then = make_link(tx, now, "a").sides["helpdesk"], now - LONG_AGO
    forgotten, known = run(tx, then), run(tx, then)
    run_records.prune(tx, now)
    for run_id in (forgotten, known):
        write(tx, then, side, f"t{run_id}", run_id)
        create(tx, then, f"m{run_id}", "created", run_id)
    create(tx, then, "lost", intents.NOT_FOUND)
    prune(tx, now - KEPT)
    assert [each.attempt.id for each in run_writes.changed(tx, known)] == [f"t{known}"]
    assert [each.sent for each in run_writes.made(tx, known)] == [{"status": "open"}]
    assert (run_writes.changed(tx, forgotten), run_writes.made(tx, forgotten)) == ([], [])
    assert intents.failures(tx, "a", "desk") == 1


def test_a_write_that_is_over_is_kept_once(tx, now):
    write(tx, now, make_link(tx, now, "a").sides["helpdesk"], "t1")
    assert of(tx, attempt.c.remaining) == [{}]
