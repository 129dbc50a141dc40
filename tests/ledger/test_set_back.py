"""What lies ahead in the ledger comes along with a clock that was set back."""

from datetime import UTC, datetime, timedelta

from bridge.core.model.syncs import Connection
from bridge.ledger import connection_health, run_records, set_back, work
from bridge.runs import schedule

OLD = datetime(2026, 3, 1, 12, tzinfo=UTC)
HOUR, MINUTE = timedelta(hours=1), timedelta(minutes=1)
NEW = OLD - HOUR


def raise_work(tx, key, due_at):
    work.enqueue(
        tx,
        kind="observe",
        key=key,
        connection="desk",
        entity="ticket",
        remote_id=key,
        lane="live",
        due_at=due_at,
        now=OLD,
    )


def claimed(tx, now):
    return {row.key for row in work.claim(tx, "w", now, now + MINUTE, 100)}


def test_work_is_as_due_as_it_was(ledger):
    with ledger.transaction() as tx:
        raise_work(tx, "of the past", OLD - MINUTE)
        raise_work(tx, "due", OLD)
        raise_work(tx, "put off", OLD + MINUTE)
        raise_work(tx, "put off for long", OLD + 2 * HOUR)
        raise_work(tx, "parked", OLD)
        (row,) = work.claim(tx, "w", OLD, OLD + MINUTE, 1, keys=["parked"])
        work.park(tx, row, "w", "no", "Refused", OLD)
    with ledger.transaction() as tx:
        assert claimed(tx, NEW) == set(), "all of it waits for the hour"
        set_back.follow(tx, NEW, HOUR)
        assert claimed(tx, NEW) == {"of the past", "due"}
        assert claimed(tx, NEW + MINUTE) >= {"put off"}
        assert claimed(tx, NEW + HOUR) <= {"of the past", "due", "put off"}
        assert claimed(tx, NEW + 2 * HOUR) >= {"put off for long"}


def test_a_connection_rests_no_longer_than_it_was_to(ledger):
    with ledger.transaction() as tx:
        connection_health.pause(tx, "desk", OLD + MINUTE, "429", now=OLD)
        connection_health.pause(tx, "help", OLD - MINUTE, "429", now=OLD)
        set_back.follow(tx, NEW, HOUR)
        assert connection_health.get(tx, "desk").paused_until == NEW + MINUTE
        assert connection_health.closed(tx, NEW) == {"desk"}
        assert connection_health.closed(tx, NEW + MINUTE) == set()


def test_polls_go_on_at_their_pace(ledger):
    desk = Connection("desk", "zaia", "zaia", "https://x", {}, poll=MINUTE)
    with ledger.transaction() as tx:
        given = {"kind": "poll", "connection": "desk", "entity": "ticket"}
        run_records.finish(tx, run_records.begin(tx, due=OLD, now=OLD, **given), OLD)

        def due():
            last = run_records.last(tx, **given)
            return schedule.next_time(desk, "ticket", "poll", last, OLD, NEW)

        assert due() > NEW + HOUR
        set_back.follow(tx, NEW, HOUR)
        assert NEW < due() <= NEW + 2 * MINUTE
