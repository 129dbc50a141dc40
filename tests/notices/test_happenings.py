"""What happened is told once, whatever dies in between, and never a thousand times."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import event, update

from bridge.core.model.outcome_codes import Code
from bridge.core.model.state import FieldState, SideField
from bridge.ledger import (
    conflict_log,
    connection_health,
    drift_findings,
    link_codec,
    parking,
    run_records,
    tables,
)
from bridge.ledger.database import Ledger
from tests.ledger.helpers import hint, make_link
from tests.notices.desk import Teller, park


def test_a_storm_of_one_cause_is_one_notice_with_its_count(teller, clock):
    with teller.ledger.transaction() as tx:
        tx.execute(
            tables.work.insert(),
            [
                {
                    "key": f"deliver:{number}",
                    "kind": "deliver",
                    "connection": "L",
                    "entity": "ticket",
                    "link_id": f"link-{number}",
                    "lane": 2,
                    "due_at": clock.now(),
                    "created_at": clock.now(),
                    "parked_at": clock.now(),
                    "parked_cause": "Refused",
                }
                for number in range(10_000)
            ],
        )
    ((kind, data),) = teller.tell()
    assert (kind, data["code"], data["count"], data["waiting"]) == (
        ("work.parked", "BRG-WRITE-REFUSED", 10_000, 10_000)
    )
    assert data["tickets"] == [f"link-{number}" for number in range(5)]
    assert teller.tell() == []
    assert len(teller.sendings()) == 1


def test_what_comes_while_it_is_quiet_is_collected_for_the_next_notice(teller, clock):
    with teller.ledger.transaction() as tx:
        park(tx, clock.now(), 1)
    assert len(teller.tell()) == 1
    for number in range(2, 5):
        clock.advance(60)
        with teller.ledger.transaction() as tx:
            park(tx, clock.now(), number)
            park(tx, clock.now(), number, connection="H", cause="NotFound")
        told = teller.tell()
        assert [data["connection"] for _, data in told] == (["H"] if number == 2 else [])
    clock.advance(121)
    told = {data["connection"]: (data["count"], data["waiting"]) for _, data in teller.tell()}
    assert told == {"L": (3, 4)}
    clock.advance(180)
    told = {data["connection"]: (data["count"], data["waiting"]) for _, data in teller.tell()}
    assert told == {"H": (2, 3)}


def test_work_is_told_of_once_for_each_cause_and_not_when_it_is_freed_before(teller, clock):
    with teller.ledger.transaction() as tx:
        park(tx, clock.now(), 1)
        park(tx, clock.now(), 2)
        parking.unpark(tx, clock.now(), ids=[2])
    ((_, data),) = teller.tell()
    assert (data["count"], data["tickets"]) == (1, ["link-1"])
    clock.advance(3600)
    with teller.ledger.transaction() as tx:
        parking.unpark(tx, clock.now())
        park(tx, clock.now(), 1)  # the same again
    assert teller.tell() == []
    with teller.ledger.transaction() as tx:
        park(tx, clock.now(), 1, cause="NotFound")
    ((_, data),) = teller.tell()
    assert data["code"] == "BRG-WRITE-MISSING"


def test_what_an_import_sets_aside_on_purpose_is_no_news(embedded, clock):
    with embedded.ledger.transaction() as tx:
        park(tx, clock.now(), 1, cause=parking.CREATION_BUDGET)
    assert embedded.tell() == []


@pytest.mark.postgres
def test_a_row_that_commits_after_a_younger_one_is_not_lost(postgres_url, clock):
    """The number and the time of a row say nothing of when it was committed."""
    ledger = Ledger(postgres_url)
    teller = Teller(ledger, clock)
    teller.tell()
    with ledger.transaction() as slow:
        park(slow, clock.now(), 1)
        run = run_records.begin(
            slow, kind="full", connection="L", entity="ticket", due=clock.now(), now=clock.now()
        )
        run_records.finish(slow, run, clock.now())
        clock.advance(1)
        with ledger.transaction() as quick:
            park(quick, clock.now(), 2)
            other = run_records.begin(
                quick,
                kind="full",
                connection="H",
                entity="ticket",
                due=clock.now(),
                now=clock.now(),
            )
            assert other > run
            run_records.finish(quick, other, clock.now())
        first = teller.tell()
        clock.advance(600)
    second = teller.tell()
    ledger.close()
    parked = [data["tickets"] for kind, data in first + second if kind == "work.parked"]
    runs = [data["run"] for kind, data in first + second if kind == "run.finished"]
    assert parked == [["link-2"], ["link-1"]]
    assert runs == [str(other), str(run)]


@pytest.mark.postgres
def test_a_row_that_a_worker_is_changing_waits_for_no_one_and_is_told_later(postgres_url, clock):
    ledger = Ledger(postgres_url)
    teller = Teller(ledger, clock)
    with ledger.transaction() as tx:
        park(tx, clock.now(), 1)
        park(tx, clock.now(), 2)
    with ledger.transaction() as worker:
        worker.execute(update(tables.work).where(tables.work.c.link_id == "link-1").values(lane=1))
        assert [data["tickets"] for _, data in teller.tell()] == [["link-2"]]
    clock.advance(600)
    assert [data["tickets"] for _, data in teller.tell()] == [["link-1"]]
    ledger.close()


def test_a_clock_that_dies_over_a_notice_neither_loses_nor_repeats_it(teller, clock):
    with teller.ledger.transaction() as tx:
        park(tx, clock.now(), 1)

    def die(_connection, _cursor, statement, *_more):
        if statement.startswith("INSERT INTO notice_told"):
            raise KeyboardInterrupt

    event.listen(teller.ledger.engine, "before_cursor_execute", die)
    with pytest.raises(KeyboardInterrupt):
        teller.happenings.tell()
    event.remove(teller.ledger.engine, "before_cursor_execute", die)
    assert teller.notices() == []
    assert len(Teller(teller.ledger, clock).tell()) == 1
    assert teller.tell() == []


def test_two_clocks_tell_everything_once(teller, clock):
    with teller.ledger.transaction() as tx:
        for number in range(50):
            park(tx, clock.now(), number, cause=["Refused", "NotFound"][number % 2])
    clocks = [Teller(teller.ledger, clock) for _ in range(4)]
    with ThreadPoolExecutor(4) as pool:
        told = list(pool.map(lambda each: each.happenings.tell(), clocks))
    assert sum(told) == 2
    assert sorted(row.data["count"] for row in teller.notices()) == [25, 25]


def dispute(ledger, now, link_id, field="status", **remote_ids):
    with ledger.transaction() as tx:
        link = make_link(tx, now, link_id, **remote_ids)
        state = FieldState("open", rev=1)
        state.candidates = {"L": "open", "H": "closed"}
        link.state[field] = state
        conflict_log.record(tx, link, [], now)


def test_open_conflicts_of_a_field_are_one_notice(teller, clock):
    for number in range(7):
        dispute(teller.ledger, clock.now(), f"link-{number}", L=f"l{number}", H=f"h{number}")
    dispute(teller.ledger, clock.now(), "link-7", "priority", L="l7")
    with teller.ledger.transaction() as tx:
        conflict_log.close(tx, "link-0", "status", "operator", clock.now())
    told = {data["field"]: data for _, data in teller.tell()}
    assert {field: data["count"] for field, data in told.items()} == {"status": 6, "priority": 1}
    assert told["status"]["sync"] == "tickets"
    assert told["status"]["page"] == "https://bridge.example.com/conflicts"
    assert teller.tell() == []


def ended(ledger, now, kind, error="", connection="L"):
    with ledger.transaction() as tx:
        run = run_records.begin(
            tx, kind=kind, connection=connection, entity="ticket", due=now, now=now
        )
        run_records.finish(tx, run, now, error=error)
        return run


def test_a_run_is_told_of_when_it_ends_and_a_failing_one_once(teller, clock):
    ended(teller.ledger, clock.now(), "full")
    clock.advance(1)
    assert teller.tell() == []  # it ended before there was anybody to tell
    run = ended(teller.ledger, clock.now(), "full")
    ended(teller.ledger, clock.now(), "poll")
    ((kind, data),) = teller.tell()
    assert (kind, data["run"], data["outcome"]) == ("run.finished", str(run), "done")
    told = []
    for error in ("the vendor says Ana", "again", "", "anew", run_records.PUT_BACK):
        ended(teller.ledger, clock.now(), "poll", error)
        told += teller.tell()
    assert [(kind, data["outcome"]) for kind, data in told] == [("run.failed", "failed")] * 2
    assert told[0][1]["code"] == "BRG-RUN-FAILS"
    ended(teller.ledger, clock.now(), "backfill", run_records.STOPPED)
    ((kind, data),) = teller.tell()
    assert (kind, data["outcome"]) == ("run.finished", "stopped")


def test_what_a_comparison_found_is_told_with_it(embedded, clock):
    embedded.tell()
    for kind in ("full", "poll"):
        with embedded.ledger.transaction() as tx:
            run = run_records.begin(
                tx, kind=kind, connection="L", entity="ticket", due=clock.now(), now=clock.now()
            )
            drift_findings.add(
                tx,
                [
                    {
                        "run_id": run,
                        "connection": "L",
                        "entity": "ticket",
                        "remote_id": f"{kind}-{number}",
                        "kind": "changed",
                        "fields": ["subject"],
                        "since": None,
                        "why": why,
                        "found_at": clock.now(),
                        "healed_at": None,
                    }
                    for number, why in enumerate(
                        ["the connection sends no webhooks; only listings tell"] * 3
                        + [drift_findings.SILENT] * (2 if kind == "full" else 0)
                    )
                ],
            )
            run_records.finish(tx, run, clock.now())
    told = dict(embedded.tell())
    assert (told["drift.found"]["count"], told["drift.found"]["missed"]) == (5, 2)
    assert told["drift.found"]["kind"] == "full"  # the poll's is no news: no webhook was to tell


def test_a_connection_is_told_of_when_it_stops_and_when_it_is_well_again(teller, clock):
    assert teller.tell() == []
    with teller.ledger.transaction() as tx:
        connection_health.refuse(tx, "L", "L: 401 for ana@example.com", clock.now())
    ((kind, data),) = teller.tell()
    assert (kind, data["state"], data["code"]) == ("connection.stopped", "stopped", "BRG-401-KEY")
    assert teller.tell() == []
    with teller.ledger.transaction() as tx:
        connection_health.resume(tx, "L")
    ((kind, data),) = teller.tell()
    assert (kind, data["connection"]) == ("connection.recovered", "L")
    assert teller.tell() == []


def test_a_connection_that_fails_for_a_moment_is_no_news(embedded, clock):
    def fail(times):
        for number in range(times):
            with embedded.ledger.transaction() as tx:
                connection_health.failed(tx, "L", "no answer", clock.now(), item=f"w{number}")

    fail(5)
    assert embedded.tell() == []
    clock.advance(61)
    ((kind, data),) = embedded.tell()
    assert (kind, data["state"]) == ("connection.stopped", "failing")
    with embedded.ledger.transaction() as tx:
        connection_health.worked(tx, "L", probe=True)
    assert [kind for kind, _ in embedded.tell()] == ["connection.recovered"]


def test_tickets_that_wait_for_long_are_told_of_once_and_when_none_does(teller, clock):
    with teller.ledger.transaction() as tx:
        for number in range(6):
            hint(
                tx,
                clock.now(),
                str(number),
                connection="L",
                link_id=f"link-{number % 3}",
                key=f"observe:L:ticket:{number}",
                lane="live",
            )
        hint(tx, clock.now(), "9", connection="H", key="observe:H:ticket:9", lane="backfill")
    assert teller.tell(lasting=True) == []
    clock.advance(901)
    ((kind, data),) = teller.tell(lasting=True)
    assert (kind, data["connection"], data["count"]) == ("ticket.behind", "L", 3)
    assert data["tickets"] == ["link-0", "link-1", "link-2"]
    assert teller.tell(lasting=True) == []
    with teller.ledger.transaction() as tx:
        tx.execute(tables.work.delete())
    ((kind, data),) = teller.tell(lasting=True)
    assert (kind, data["connection"]) == ("ticket.caught_up", "L")
    assert teller.tell(lasting=True) == []


def shows(tx, now, remote_id, value, field="status"):
    """Have a record at L show a value that no mapping can read."""
    make_link(tx, now, f"link-{remote_id}", L=remote_id)
    entry = SideField(
        unreadable="ana@example.com", unreadable_code=Code.READ_VALUE, shown=value, seen_at=now
    )
    shown = {"fields": link_codec.side_fields({field: entry}), "unread": True}
    tx.execute(update(tables.side).where(tables.side.c.remote_id == remote_id).values(shown))


def test_values_that_nobody_can_read_are_told_once_each_without_the_value(embedded, clock):
    with embedded.ledger.transaction() as tx:
        shows(tx, clock.now(), "1", "ana@example.com")
        shows(tx, clock.now(), "2", "ana@example.com")
        shows(tx, clock.now(), "3", "escalated")
        shows(tx, clock.now(), "4", "x", field="in no file any more")
    ((kind, data),) = embedded.tell(lasting=True)
    assert (kind, data["field"], data["values"], data["records"]) == (
        ("value.unknown", "status", 2, 3)
    )
    assert "ana" not in json.dumps(data)
    assert embedded.tell(lasting=True) == []
    clock.advance(600)
    with embedded.ledger.transaction() as tx:
        shows(tx, clock.now(), "5", "on fire")
    ((_, data),) = embedded.tell(lasting=True)
    assert (data["values"], data["records"]) == (1, 1)
    with embedded.ledger.transaction() as tx:
        tx.execute(tables.link.delete())
    assert embedded.tell(lasting=True) == []
    clock.advance(600)
    with embedded.ledger.transaction() as tx:
        shows(tx, clock.now(), "6", "escalated")
    assert len(embedded.tell(lasting=True)) == 1  # it was gone, and is there again
