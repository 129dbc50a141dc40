from collections import Counter
from datetime import timedelta

import pytest

from bridge.ledger import parking, work
from bridge.ledger.work_kinds import JOB_KINDS, RECORD_KINDS, RUN_KINDS
from bridge.procedures import PROCEDURES
from tests.ledger.helpers import LONG, at_once, claim_one, hint

SECOND = timedelta(seconds=1)


def keys(rows):
    return [row.key.rpartition(":")[2] for row in rows]


def test_hints_for_one_thing_are_one_row_whoever_raises_them(ledger, now):
    at_once(ledger, lambda tx, _number: hint(tx, now))
    with ledger.transaction() as tx:
        assert claim_one(tx, now).generation == 8


def test_a_hint_during_the_work_makes_it_due_again_at_once(tx, now):
    hint(tx, now)
    row = claim_one(tx, now)
    hint(tx, now + SECOND)
    assert work.finish(tx, row, "w1", now + SECOND) is False
    again = claim_one(tx, now + SECOND)
    assert again.generation == row.generation + 1
    assert work.finish(tx, again, "w1", now + SECOND) is True
    assert work.next_due(tx, now) is None


def test_a_hint_during_the_work_also_frees_what_the_work_would_park(tx, now):
    hint(tx, now)
    row = claim_one(tx, now)
    hint(tx, now)
    assert work.park(tx, row, "w1", "broken", "Refused", now) is False
    assert claim_one(tx, now).id == row.id


def test_a_hint_keeps_the_earlier_time_and_the_more_urgent_lane(tx, now):
    hint(tx, now, lane="reconcile", due_at=now + 5 * SECOND)
    hint(tx, now, lane="backfill", due_at=now + 9 * SECOND)
    assert work.next_due(tx, now) == now + 5 * SECOND
    hint(tx, now, lane="live", due_at=now + SECOND, payload={"a": 1})
    hint(tx, now, lane="reconcile", due_at=now + 3 * SECOND)
    assert work.claim(tx, "w1", now, now + LONG, 10) == []
    row = claim_one(tx, now + SECOND)
    assert (row.lane, row.payload) == ("live", {"a": 1})


def test_no_row_is_claimed_twice(ledger, now):
    with ledger.transaction() as tx:
        for number in range(40):
            hint(tx, now, str(number))
    claimed = at_once(ledger, lambda tx, number: work.claim(tx, f"w{number}", now, now + LONG, 10))
    ids = [row.id for rows in claimed for row in rows]
    assert len(ids) == len(set(ids))
    with ledger.transaction() as tx:
        rest = work.claim(tx, "rest", now, now + LONG, 100)
    assert len(ids) + len(rest) == 40


def test_a_dead_workers_claim_is_taken_over_and_it_can_settle_nothing_any_more(tx, now):
    hint(tx, now)
    dead = claim_one(tx, now, "dead")
    assert work.claim(tx, "w2", now + LONG - SECOND, now + 2 * LONG, 10) == []
    assert work.next_due(tx, now + SECOND) == now + LONG
    row = claim_one(tx, now + LONG, "w2")
    assert work.finish(tx, dead, "dead", now) is False
    work.reschedule(tx, dead, "dead", now)
    assert work.park(tx, dead, "dead", "why", "cause", now) is False
    assert work.backlog(tx, now + LONG)["claimed"] == 1
    assert work.finish(tx, row, "w2", now) is True


def test_lanes_go_by_urgency_then_by_time(tx, now):
    for lane, due in [
        ("backfill", 9),
        ("reconcile", 5),
        ("live", 1),
        ("retry", 3),
        ("operator", 2),
        ("live", 4),
    ]:
        hint(tx, now, f"{lane}{due}", lane=lane, due_at=now - due * SECOND)
    assert keys(work.claim(tx, "w1", now, now + LONG, 3)) == ["live4", "live1", "operator2"]
    assert keys(work.claim(tx, "w1", now, now + LONG, 9)) == ["retry3", "reconcile5", "backfill9"]


def test_a_flood_of_one_connection_goes_before_no_single_row_of_another(tx, now):
    for number in range(200):
        hint(tx, now, f"noise{number}", connection="noisy", due_at=now - 9 * SECOND)
    for number in range(40):
        hint(tx, now, f"loud{number}", connection="loud", due_at=now - 5 * SECOND)
    hint(tx, now, "quiet", connection="quiet")
    rows = work.claim(tx, "w1", now, now + LONG, 5)
    shared = Counter(row.connection for row in rows)
    assert shared == {"noisy": 2, "loud": 2, "quiet": 1}
    hint(tx, now, "again", connection="quiet")
    (row,) = work.claim(tx, "w1", now, now + LONG, 1, load={"noisy": 4, "loud": 3})
    assert row.connection == "quiet"
    (row,) = work.claim(tx, "w1", now, now + LONG, 1, load={"noisy": 4, "loud": 3})
    assert row.connection == "loud"
    assert len(work.claim(tx, "w1", now, now + LONG, 500)) == 241 - 5 + 1 - 2  # nothing is lost


def test_a_flood_in_a_lower_lane_waits_for_the_live_work_of_all(tx, now):
    for number in range(20):
        hint(tx, now, f"listed{number}", lane="reconcile", due_at=now - 9 * SECOND)
        hint(tx, now, f"told{number}", connection="desk")
    rows = work.claim(tx, "w1", now, now + LONG, 6, load={"desk": 9})
    assert {row.connection for row in rows} == {"desk"}


def test_one_claim_holds_one_row_of_a_link(tx, now):
    for name in ("a", "b", "c"):
        hint(tx, now, name, link_id="one")
    hint(tx, now, "d", link_id="two")
    assert keys(work.claim(tx, "w1", now, now + LONG, 10)) == ["a", "d"]
    assert keys(work.claim(tx, "w2", now, now + LONG, 10)) == ["b"]


def test_connections_and_kinds_can_be_passed_by(tx, now):
    hint(tx, now, "a")
    hint(tx, now, "b", connection="desk", kind="deliver")
    assert work.next_due(tx, now, ["helpdesk", "desk"]) is None
    assert keys(work.claim(tx, "w1", now, now + LONG, 10, skip_connections=["helpdesk"])) == ["b"]
    assert work.claim(tx, "w1", now, now + LONG, 10, kinds=["deliver"]) == []
    assert keys(work.claim(tx, "w1", now, now + LONG, 10, kinds=["observe"])) == ["a"]


def test_what_is_given_back_is_due_later_and_counts_only_real_tries(tx, now):
    hint(tx, now)
    work.reschedule(tx, claim_one(tx, now), "w1", now + SECOND, "no answer")
    assert work.claim(tx, "w1", now, now + LONG, 10) == []
    row = claim_one(tx, now + SECOND)
    assert row.attempts == 1
    work.reschedule(tx, row, "w1", now + 2 * SECOND, count=False)
    assert claim_one(tx, now + 2 * SECOND).attempts == 1


def test_what_is_given_back_for_later_is_still_due_when_a_hint_came_meanwhile(tx, now):
    hint(tx, now)
    row = claim_one(tx, now)
    hint(tx, now)
    work.reschedule(tx, row, "w1", now + LONG, "no answer")
    assert claim_one(tx, now).id == row.id


def test_parked_work_rests_until_a_hint_or_an_admin_frees_it(tx, now):
    hint(tx, now)
    row = claim_one(tx, now)
    work.reschedule(tx, row, "w1", now, "first")
    row = claim_one(tx, now)
    assert work.park(tx, row, "w1", "say why", "Refused", now)
    assert work.next_due(tx, now) is None
    assert [(found.why, found.cause, found.attempts) for found in parking.parked(tx)] == [
        ("say why", "Refused", 1)
    ]
    hint(tx, now, unpark=False)
    assert work.next_due(tx, now) is None
    hint(tx, now + SECOND, due_at=now + SECOND)
    assert work.next_due(tx, now) == now + SECOND
    row = claim_one(tx, now + SECOND)
    assert row.attempts == 0
    work.park(tx, row, "w1", "held", "unsafe", now)
    assert parking.unpark(tx, now, cause="Refused") == 0
    assert (
        parking.unpark(tx, now, connection="helpdesk", cause="unsafe", payload={"approved": True})
        == 1
    )
    row = claim_one(tx, now)
    assert (row.lane, row.payload) == ("operator", {"approved": True})


def test_only_parked_work_can_be_discarded(tx, now):
    hint(tx, now)
    row = claim_one(tx, now)
    assert parking.discard(tx, [row.id]) == 0
    work.park(tx, row, "w1", "why", "cause", now)
    assert parking.discard(tx, [row.id]) == 1
    assert parking.parked(tx) == []


def test_the_backlog_is_counted(tx, now):
    hint(tx, now, "parked")
    work.park(tx, claim_one(tx, now), "w1", "why", "cause", now)
    hint(tx, now, "claimed")
    claim_one(tx, now)
    hint(tx, now, "due", due_at=now - SECOND)
    hint(tx, now, "later", due_at=now + SECOND)
    assert work.backlog(tx, now) == {
        "due": 1,
        "later": 1,
        "claimed": 1,
        "parked": 1,
        "oldest_due": now - SECOND,
    }


def test_a_naive_time_is_refused(tx, now):
    with pytest.raises(Exception, match="no time zone"):
        hint(tx, now, due_at=now.replace(tzinfo=None))


def test_each_kind_of_work_is_known_as_that_of_a_record_or_of_a_job():
    assert sorted((*RECORD_KINDS, *JOB_KINDS)) == sorted(PROCEDURES.by_kind)
    assert sorted(RUN_KINDS) == sorted(PROCEDURES.run_failures)
