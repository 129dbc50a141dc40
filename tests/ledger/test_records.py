from datetime import timedelta
from threading import Event, Thread

import pytest

from bridge.core.model.state import FieldState, Note
from bridge.core.model.values import Ref
from bridge.ledger import (
    audit,
    conflict_log,
    connection_health,
    directory,
    matching,
    probes,
    run_records,
    summary,
    timeline,
    webhook_inbox,
)
from bridge.ledger.database import Contended, savepoint
from tests.ledger.helpers import LONG, at_once, hint, make_link

HOUR = timedelta(hours=1)


def answer(tx, upto, verdict, at):
    verdicts = [webhook_inbox.Answered(Ref("helpdesk", "ticket", "1"), upto, verdict, "", at)]
    return webhook_inbox.answer(tx, verdicts)


def deliver(tx, now, key="d1", **changes):
    fields = {
        "connection": "helpdesk",
        "delivery_key": key,
        "received_at": now,
        "headers": {"x-id": "1"},
        "projection": {"status": "open"},
        "digest": "f" * 64,
        "event": "ticket.updated",
        "entity": "ticket",
        "remote_id": "1",
    }
    return webhook_inbox.accept(tx, **{**fields, **changes})


def test_a_delivery_is_new_once(ledger, now):
    accepted = at_once(ledger, lambda tx, _number: deliver(tx, now))
    assert len({row_id for row_id, _new in accepted}) == 1
    assert sorted(new for _id, new in accepted) == [False] * 7 + [True]
    with ledger.transaction() as tx:
        assert deliver(tx, now, connection="desk")[1] is True
        assert webhook_inbox.get(tx, accepted[0][0])["deliveries"] == 8


def test_a_webhook_gets_its_verdict_once_and_only_those_known_before_the_read(tx, now):
    first, _ = deliver(tx, now, "d1")
    last = webhook_inbox.last_pending(tx, "helpdesk", "ticket", "1")
    assert last == first
    deliver(tx, now, "d2")
    deliver(tx, now, "d3", remote_id="2")
    deliver(tx, now, "d4", entity=None, remote_id=None, verdict="ignored", why="unknown event")
    assert answer(tx, last, "applied", now + LONG) == 1
    assert answer(tx, last, "echo", now) == 0
    assert webhook_inbox.counts(tx) == {"applied": 1, "pending": 2, "ignored": 1}
    assert (
        webhook_inbox.get(tx, first)["verdict"],
        webhook_inbox.get(tx, first)["settled_at"],
    ) == (
        "applied",
        now + LONG,
    )
    assert webhook_inbox.last_pending(tx, "helpdesk", "ticket", "9") == 0
    assert webhook_inbox.get(tx, 10**6) is None


def test_pending_webhooks_are_never_forgotten(tx, now):
    deliver(tx, now, "d1")
    deliver(tx, now, "d2", verdict="ignored")
    deliver(tx, now + HOUR, "d3", verdict="ignored")
    assert webhook_inbox.prune(tx, now + LONG) == 1
    newest, oldest = webhook_inbox.recent(tx)
    assert (newest["delivery_key"], oldest["delivery_key"]) == ("d3", "d1")
    assert webhook_inbox.recent(tx, verdict="pending", before=newest["id"]) == [oldest]


def test_text_that_no_database_stores_is_replaced_not_lost(tx, now):
    row_id, _ = deliver(
        tx, now, "k\0", remote_id="1\ud800", event="é😀", projection={"a": "\0\ud800"}
    )
    found = webhook_inbox.get(tx, row_id)
    assert (found["remote_id"], found["event"], found["projection"]) == (
        "1?",
        "é😀",
        {"a": "\0\ud800"},
    )
    assert webhook_inbox.last_pending(tx, "helpdesk", "ticket", "1\ud800") == row_id


def test_times_are_utc_whatever_the_zones(tx, now):
    from datetime import timezone

    row_id, _ = deliver(tx, now.astimezone(timezone(-HOUR)))
    found = webhook_inbox.get(tx, row_id)["received_at"]
    assert (found, found.utcoffset()) == (now, timedelta(0))


def test_links_are_found_by_key_and_window(tx, now):
    for name, at in (("a", now), ("b", now + HOUR), ("c", None)):
        make_link(tx, now, name, helpdesk=name)
        matching.put(tx, "tickets", name, "helpdesk", [(0, "h", at), (1, name, None)])
    assert matching.find(tx, "tickets", 0, "h") == ["a", "b", "c"]
    assert matching.find(tx, "tickets", 0, "h", now - LONG, LONG) == ["a"]
    assert matching.find(tx, "tickets", 0, "h", None, LONG) == []
    assert matching.find(tx, "other", 0, "h") == matching.find(tx, "tickets", 1, "h") == []
    matching.put(tx, "tickets", "a", "helpdesk", [(1, "h", None)])
    matching.put(tx, "tickets", "b", "desk", [])
    assert matching.find(tx, "tickets", 1, "h") == ["a"]
    assert matching.find(tx, "tickets", 0, "h") == ["b", "c"]


def test_two_finders_of_one_key_take_turns(ledger, now):
    def link_unless_found(tx, number):
        matching.lock(tx, "tickets", ["z", "h", "a"] if number % 2 else ["a", "z", "h"])
        found = matching.find(tx, "tickets", 0, "h")
        if not found:
            make_link(tx, now, f"l{number}", helpdesk=str(number))
            matching.put(tx, "tickets", f"l{number}", "helpdesk", [(0, "h", None)])
        return bool(found)

    assert sorted(at_once(ledger, link_unless_found)) == [False] + [True] * 7


@pytest.mark.postgres
def test_a_deadlock_is_an_error_to_try_again_and_the_other_goes_on(postgres_url):
    from bridge.ledger.database import Ledger

    ledger, ready, outcomes = Ledger(postgres_url), [Event(), Event()], []

    def cross(mine, theirs, number):
        with ledger.transaction() as tx:
            matching.lock(tx, "tickets", [mine])
            ready[number].set()
            ready[1 - number].wait(60)
            try:
                with savepoint(tx):
                    matching.lock(tx, "tickets", [theirs])
                outcomes.append("both")
            except Contended:
                outcomes.append("contended")
                # The savepoint gave back only what came after it; ending the transaction lets the
                # other go on.

    threads = [Thread(target=cross, args=("a", "b", 0)), Thread(target=cross, args=("b", "a", 1))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    ledger.close()
    assert sorted(outcomes) == ["both", "contended"]


def begin(tx, now, **changes):
    fields = {"kind": "poll", "connection": "helpdesk", "entity": "ticket", "due": now, "now": now}
    return run_records.begin(tx, **{**fields, **changes})


def test_two_clocks_start_one_run(ledger, now):
    started = at_once(ledger, lambda tx, _number: begin(tx, now))
    assert len([run_id for run_id in started if run_id]) == 1


def test_a_run_keeps_its_checkpoint_and_the_next_poll_goes_on_from_it(tx, now):
    first = begin(tx, now)
    assert run_records.watermark(tx, "helpdesk", "ticket") is None
    run_records.progress(tx, first, cursor={"since": now}, seen=3, hinted=1, now=now)
    run_records.progress(tx, first, cursor=None, seen=2, hinted=2, now=now + LONG)
    run_records.finish(tx, first, now + LONG)
    run_records.finish(tx, first, now + HOUR, error="too late")
    found = run_records.get(tx, first)
    assert (found.seen, found.hinted, found.finished_at, found.error) == (5, 3, now + LONG, "")
    second = begin(tx, now + HOUR)
    assert run_records.last(tx, kind="poll", connection="helpdesk", entity="ticket").id == second
    assert run_records.last(tx, kind="full", connection="helpdesk", entity="ticket") is None
    assert run_records.watermark(tx, "helpdesk", "ticket") == {"since": now}
    assert run_records.get(tx, 0) is None


def test_an_abandoned_run_does_not_block_for_ever(tx, now):
    first = begin(tx, now)
    run_records.progress(tx, first, cursor=1, seen=0, hinted=0, now=now + LONG)
    assert begin(tx, now + HOUR) is None
    assert begin(tx, now + HOUR + LONG) is not None
    assert "abandoned" in run_records.get(tx, first).error


def test_pruning_keeps_the_newest_run_and_the_watermark(tx, now):
    ids = []
    for number in range(4):
        ids.append(begin(tx, now))
        run_records.progress(
            tx, ids[-1], cursor=number if number < 2 else None, seen=0, hinted=0, now=now
        )
        run_records.finish(tx, ids[-1], now)
    assert run_records.prune(tx, now + LONG) == 2
    assert [run.id for run in run_records.recent(tx)] == [ids[3], ids[1]]
    assert run_records.watermark(tx, "helpdesk", "ticket") == 1


def test_a_refused_connection_stops_once_until_resumed(ledger, now):
    assert sorted(
        at_once(ledger, lambda tx, _n: connection_health.refuse(tx, "desk", "401", now))
    ) == [False] * 7 + [True]
    with ledger.transaction() as tx:
        assert connection_health.closed(tx, now) == {"desk"}
        later = now + 1000 * HOUR
        assert connection_health.begin_probe(tx, "desk", later, later + HOUR)
        assert connection_health.closed(tx, later) == {"desk"}  # nobody else may try it
        assert connection_health.by_name(tx)["desk"].why == "401"
        connection_health.resume(tx, "desk")
        assert connection_health.closed(tx, now) == set()


def test_a_pause_ends_by_itself(tx, now):
    connection_health.pause(tx, "desk", now + LONG, "429")
    assert connection_health.closed(tx, now) == {"desk"}
    assert connection_health.closed(tx, now + LONG) == set()


def test_a_connection_rests_after_failures_in_a_row_and_longer_each_time(tx, now):
    assert [connection_health.failed(tx, "desk", "502", now) for _ in range(4)] == [1, 2, 3, 4]
    assert connection_health.closed(tx, now) == set()
    connection_health.failed(tx, "desk", "502", now)
    first = connection_health.by_name(tx)["desk"].paused_until
    connection_health.failed(tx, "desk", "502", first, probe=True)
    assert first - now < connection_health.by_name(tx)["desk"].paused_until - first
    connection_health.worked(tx, "desk", probe=True)
    assert connection_health.failed(tx, "desk", "502", now) == 1
    assert connection_health.failed(tx, "desk", "502", now + HOUR) == 1


def test_findings_are_replaced_and_forgotten(tx, now):
    probes.record(tx, "desk", "tags", True, "seen", now)
    probes.record(tx, "desk", "tags", False, "ignored", now)
    probes.record(tx, "helpdesk", "tags", True, "seen", now)
    assert (probes.findings(tx, "desk"), probes.reasons(tx, "desk")) == (
        {"tags": False},
        {"tags": "ignored"},
    )
    probes.record(tx, "desk", "subject", True, "seen", now)
    probes.record(tx, "desk", "priority=critical", False, "refused", now)
    probes.forget_refusals(tx, "desk", but={"priority=critical"})
    assert probes.findings(tx, "desk") == {"subject": True, "priority=critical": False}
    assert probes.findings(tx, "helpdesk") == {"tags": True}
    probes.record(tx, "desk", "tags", False, "ignored", now)
    (one, other) = probes.named(tx, "tags")
    assert (one.connection, one.value, one.why, one.at) == ("desk", False, "ignored", now)
    assert (other.connection, other.value) == ("helpdesk", True)


def test_open_conflicts_are_those_that_the_state_shows(tx, now):
    link = make_link(tx, now)
    link.state["status"] = FieldState(
        "open", 1, candidates={"desk": "closed"}, why_open="both edited"
    )
    settled = Note("conflict", "desk", "subject", {"kept": "a", "lost": "b", "why": "precedence"})
    conflict_log.record(tx, link, [settled], now)
    link.state["status"].candidates = {"desk": "closed", "helpdesk": "new"}
    conflict_log.record(tx, link, [], now + LONG)
    (waiting,) = conflict_log.list_open(tx)
    assert (waiting["field"], waiting["opened_at"], waiting["why"]) == (
        "status",
        now,
        "both edited",
    )
    assert waiting["detail"] == {
        "candidates": {"desk": "closed", "helpdesk": "new"},
        "state": "open",
    }
    link.state["status"].candidates = None
    conflict_log.record(tx, link, [], now + HOUR)
    assert conflict_log.count_open(tx) == 0
    link.state["status"].candidates = {}
    conflict_log.record(tx, link, [], now + HOUR)
    assert conflict_log.close(tx, "a", "status", "admin: open", now + HOUR)
    assert not conflict_log.close(tx, "a", "status", "admin: open", now + HOUR)
    told = [(row["field"], row["resolution"]) for row in conflict_log.of_link(tx, "a")]
    assert told == [("subject", "policy"), ("status", "agreed"), ("status", "admin: open")]
    assert [row["sync"] for row in conflict_log.export(tx)] == ["tickets"] * 3


def test_a_timeline_is_in_order_and_takes_whatever_a_note_says(tx, now):
    make_link(tx, now, "a", helpdesk="1")
    make_link(tx, now, "b", helpdesk="2")
    timeline.add(
        tx,
        "a",
        now,
        [Note("observed", "helpdesk", "", {}), Note("changed", "helpdesk", "tags", {"new": {"x"}})],
    )
    timeline.add(tx, "b", now, [])
    seen = timeline.newest(tx)
    timeline.add(tx, "b", now, [Note("linked", "desk", "", {"kind": object})])
    assert [(line.kind, line.detail) for line in timeline.timeline(tx, "a")] == [
        ("observed", {}),
        ("changed", {"new": ["x"]}),
    ]
    assert [(line.link_id, line.kind) for line in timeline.after(tx, seen)] == [("b", "linked")]


def test_whoever_is_learned_or_replaced_is_noticed_whatever_the_clock_said(tx, now):
    seen = [directory.revision(tx)]
    for who, email, at in (
        ("1", "ann@x.io", now),
        ("2", "bob@x.io", now - HOUR),
        ("1", "ann.smith@x.io", now - HOUR),
        ("2", "robert@x.io", now),
    ):
        assert directory.learn(tx, "desk", who, email, "", at)
        assert directory.revision(tx) not in seen
        seen.append(directory.revision(tx))
    assert not directory.learn(tx, "desk", "2", "robert@x.io", "", now + HOUR)
    assert directory.revision(tx) == seen[-1]
    assert directory.people(tx) == [("desk", "ann.smith@x.io", "1"), ("desk", "robert@x.io", "2")]


def test_actions_are_written_down(tx, now):
    audit.add(tx, actor="local:root", action="resume", subject="desk", at=now)
    (found,) = audit.recent(tx)
    assert (found["actor"], found["action"], found["subject"], found["at"]) == (
        "local:root",
        "resume",
        "desk",
        now,
    )


def test_the_status_adds_up(tx, now):
    make_link(tx, now, "a", helpdesk="1", desk="x")
    make_link(tx, now, "b", helpdesk="2")
    hint(tx, now)
    deliver(tx, now)
    begin(tx, now)
    connection_health.pause(tx, "desk", now, "429")
    summary.ping(tx)
    found = summary.summary(tx, now)
    assert (found.links, found.sides) == (2, {"desk": 1, "helpdesk": 2})
    assert (found.backlog["due"], found.inbox, len(found.runs), list(found.health)) == (
        1,
        {"pending": 1},
        1,
        ["desk"],
    )
    assert (found.conflicts_open, found.attempts_open, found.intents_open) == (0, 0, 0)
