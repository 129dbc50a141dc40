"""The doctor finds what is wrong, says since when and what to do, and is silent when nothing is."""

import json
import ssl
import threading
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import delete, text, update

from bridge import config as configuration
from bridge import wiring
from bridge.clock_loop import Duty, do_what_is_due, run_clock
from bridge.connectors import CONNECTORS, connector_class
from bridge.core.model.state import Note
from bridge.http.call_failures import Failure
from bridge.ledger import (
    connection_health,
    refused_webhooks,
    run_records,
    running_processes,
    tables,
    timeline,
    webhook_inbox,
    work,
)
from bridge.ledger.database import Ledger
from bridge.runs import reconcile, upkeep
from tests.cli.conftest import KEYS
from tests.ledger.helpers import make_link


@pytest.fixture
def home(run, tmp_path, monkeypatch):
    run("init", str(tmp_path))
    run("--home", str(tmp_path), "db", "upgrade", environ=KEYS)
    ledger = Ledger(f"sqlite:///{tmp_path / 'var' / 'bridge.db'}")
    monkeypatch.setattr(
        "bridge.operations.symptoms.redis", lambda _desk: []
    )  # no Redis runs in these tests
    tick(ledger, tmp_path, datetime.now(UTC))

    def call(code=1):
        done = run("--home", str(tmp_path), "doctor", "--json", environ=KEYS)
        assert done.exit_code == code, done.output
        return [json.loads(line) for line in done.output.splitlines()]

    yield ledger, call
    ledger.close()


CLASSES = {system: connector_class(system) for system in CONNECTORS}


def tick(ledger, path, then):
    """Let every scheduled run have begun and ended then."""
    with ledger.transaction() as tx:
        syncs = configuration.load(path, environ=KEYS, connectors=CLASSES).syncs.values()
        for name, entity in {(name, sync.entity) for sync in syncs for name in sync.members}:
            for kind in ("poll", "full"):
                run_id = run_records.begin(
                    tx, kind=kind, connection=name, entity=entity, due=then, now=then
                )
                run_records.finish(tx, run_id, then)


def test_a_healthy_bridge_has_nothing_to_say(home):
    assert home[1](code=0) == []


@pytest.mark.parametrize(
    ("ill", "what", "do"),
    [
        (
            lambda tx, now: connection_health.refuse(tx, "helpdesk", "answered 401", now),
            "stopped, because answered 401",
            "resume",
        ),
        (
            lambda tx, now: connection_health.hold(tx, "helpdesk", "moving", now),
            "paused until",
            "resume helpdesk",
        ),
        (
            lambda tx, now: connection_health.pause(
                tx, "helpdesk", now + timedelta(hours=1), "answered 429", now=now
            ),
            "because answered 429",
            "tried again by itself",
        ),
    ],
)
def test_a_connection_in_trouble_is_named_with_its_way_out(home, ill, what, do):
    ledger, call = home
    with ledger.transaction() as tx:
        ill(tx, datetime.now(UTC))
    (trouble,) = call()
    assert what in trouble["what"]
    assert do in trouble["do"]
    assert trouble["since"]


def test_a_stranger_is_a_note_and_no_reason_for_an_alarm(home, run, tmp_path):
    ledger, call = home
    with ledger.transaction() as tx:
        refused_webhooks.add(tx, "helpdesk", "unsigned", 1, datetime.now(UTC))
    (note,) = call(code=0)
    assert note["note"] is True
    said = run("--home", str(tmp_path), "doctor", environ=KEYS).output
    assert "note: 1 delivery for helpdesk refused: no signature at all" in said
    assert "nothing is wrong" in said


@pytest.mark.parametrize("broken", ["mappings/switch.yaml", "config/bridge.yaml"])
def test_beside_a_broken_file_the_doctor_tells_what_the_ledger_knows(home, tmp_path, broken):
    ledger, call = home
    now = datetime.now(UTC)
    with ledger.transaction() as tx:
        connection_health.refuse(tx, "helpdesk", "answered 401", now)
        running_processes.started(
            tx, "host:elsewhere:77:1:x", "worker", "", now - timedelta(seconds=41)
        )
    upkeep.store_outcome(ledger, "worker 1", now, "it ended with code 2", kind=upkeep.START)
    (tmp_path / broken).write_text("ticket: {")
    codes = [trouble["code"] for trouble in call()]
    assert codes == ["BRG-FILES", "BRG-401-KEY", "BRG-PROCESS-STILL", "BRG-PROCESS-DOWN"]


def test_parked_work_is_named_with_its_reason(home):
    ledger, call = home
    now = datetime.now(UTC)
    with ledger.transaction() as tx:
        work.enqueue(
            tx, kind="deliver", key="d", connection="helpdesk", entity="ticket", due_at=now, now=now
        )
        (row,) = work.claim(tx, "me", now, now + timedelta(minutes=1), 5)
        work.park(tx, row, "me", "answered 422", "Refused", now)
    (trouble,) = call()
    assert "answered 422" in trouble["what"]
    assert trouble["do"].endswith(
        f". `bridge parked retry {trouble['code']}` frees what is parked so"
    )


def test_work_that_nobody_does_is_noticed_but_not_that_of_a_paused_connection(home):
    ledger, call = home
    then = datetime.now(UTC) - timedelta(hours=1)
    with ledger.transaction() as tx:
        work.enqueue(
            tx,
            kind="deliver",
            key="d",
            connection="helpdesk",
            entity="ticket",
            due_at=then,
            now=then,
        )
    (trouble,) = call()
    assert "nobody does it" in trouble["what"]
    assert "bridge worker" in trouble["do"]
    with ledger.transaction() as tx:
        connection_health.hold(tx, "helpdesk", "moving", then)
    assert not any("nobody does it" in trouble["what"] for trouble in call())


@pytest.mark.parametrize(("ago", "late"), [(6.5, False), (9, True)])
def test_runs_that_nobody_begins_are_missed(home, ago, late):
    ledger, call = home
    then = datetime.now(UTC) - timedelta(minutes=ago)
    moved = ["poll", "full"] if late else ["poll"]  # a full run may be due at any time of the day
    with ledger.transaction() as tx:
        tx.execute(update(tables.run).where(tables.run.c.kind.in_(moved)).values(started_at=then))
    troubles = call(code=1 if late else 0)
    assert [(trouble["what"][:18], trouble["since"]) for trouble in troubles] == [
        ("no run has begun, ", then.isoformat().replace("+00:00", "Z"))
    ] * late
    assert all(
        "poll of helpdesk" in trouble["what"] and "`bridge clock` running?" in trouble["do"]
        for trouble in troubles
    )
    with ledger.transaction() as tx:
        for name in ("helpdesk", "product", "desk"):
            connection_health.hold(tx, name, "moving", then)  # no clock begins those
    assert not any("no run" in trouble["what"] for trouble in call())


def test_a_first_full_run_that_is_still_to_come_is_not_missed(home):
    ledger, call = home
    with ledger.transaction() as tx:
        tx.execute(delete(tables.run).where(tables.run.c.kind == "full"))
    assert call(code=0) == []


def test_where_no_run_ever_began_the_doctor_asks_for_the_clock(home):
    ledger, call = home
    with ledger.transaction() as tx:
        tx.execute(delete(tables.run))
    (trouble,) = call()
    assert "no run has begun yet" in trouble["what"]


def test_a_webhook_that_vanished_is_missed(home):
    ledger, call = home
    with ledger.transaction() as tx:
        fields = {
            "headers": {},
            "projection": {},
            "digest": "",
            "event": "",
            "entity": "ticket",
            "remote_id": "1",
        }
        webhook_inbox.accept(
            tx, connection="helpdesk", delivery_key="a", received_at=datetime.now(UTC), **fields
        )
        tx.execute(text("delete from inbox"))
    (trouble,) = call()
    assert "1 MISSING" in trouble["what"]


def test_a_failed_run_is_reported_until_the_next_one_worked(home):
    ledger, call = home
    now = datetime.now(UTC)

    def one(error):
        with ledger.transaction() as tx:
            run_id = run_records.begin(
                tx, kind="full", connection="helpdesk", entity="ticket", due=now, now=now
            )
            run_records.finish(tx, run_id, now, error=error)

    one("reads empty")
    assert ["reads empty" in trouble["what"] for trouble in call()] == [True]
    one("")
    assert call(code=0) == []


def test_a_certificate_that_is_not_trusted_is_named_with_what_to_do(home):
    ledger, call = home
    certificate = Failure(untrusted(20)).words(10)
    with ledger.transaction() as tx:
        connection_health.failed(tx, "helpdesk", f"helpdesk: {certificate}", datetime.now(UTC))
    (trouble,) = call()
    assert "certificate not trusted: it comes from an authority" in trouble["what"]
    assert "under `ca` of the connection" in trouble["what"]
    assert "mend that" in trouble["do"]


def untrusted(code):
    error = ssl.SSLCertVerificationError(1, "certificate verify failed")
    error.verify_code, error.verify_message = code, "unable to get local issuer certificate"
    return error


def test_rows_that_show_no_record_are_named_until_a_listing_is_whole(home):
    ledger, call = home
    now = datetime.now(UTC)

    def one(**figures):
        with ledger.transaction() as tx:
            run_id = run_records.begin(
                tx, kind="full", connection="helpdesk", entity="ticket", due=now, now=now
            )
            run_records.progress(
                tx, run_id, cursor=None, seen=2, hinted=0, now=now, figures={"pages": 1, **figures}
            )
            run_records.finish(tx, run_id, now)

    one(unreadable=2, unreadable_rows=["page 1, row 2: it is empty", "page 1, row 3: it has no id"])
    (trouble,) = call()
    assert "2 rows in the last full of helpdesk (ticket)" in trouble["what"]
    assert "page 1, row 2: it is empty; page 1, row 3: it has no id" in trouble["what"]
    assert "all other rows were taken" in trouble["do"]
    one()
    assert call(code=0) == []


def test_a_ledger_that_cannot_be_used_is_the_one_thing_said(home):
    ledger, call = home
    with ledger.transaction() as tx:
        tx.execute(text("delete from alembic_version"))
    (trouble,) = call()
    assert "bridge db upgrade" in trouble["do"]


def test_without_redis_the_doctor_says_so(run, tmp_path):
    run("init", str(tmp_path))
    run("--home", str(tmp_path), "db", "upgrade", environ=KEYS)
    done = run("--home", str(tmp_path), "doctor", environ=KEYS)
    assert done.exit_code == 1
    assert "BRIDGE_REDIS_URL" in done.output


@pytest.mark.parametrize("lost", [False, True])
def test_the_clock_says_so_when_the_account_of_webhooks_does_not_add_up(
    home, tmp_path, monkeypatch, caplog, lost
):
    for name, value in KEYS.items():
        monkeypatch.setenv(name, value)
    with home[0].transaction() as tx:
        webhook_inbox.accept(
            tx, connection="helpdesk", delivery_key="d1", received_at=datetime.now(UTC),
            headers={}, projection={},
            digest="d", event="e", entity="ticket", remote_id="1", verdict=webhook_inbox.PENDING,
        )  # fmt: skip
        if lost:
            tx.execute(text("delete from inbox"))
    bridge, stop = wiring.build_bridge(tmp_path), threading.Event()
    monkeypatch.setattr(stop, "wait", lambda _seconds: stop.set())  # one tick
    run_clock(bridge, stop)
    bridge.close()
    assert ("1 accepted = 0 settled + 0 in flight: 1 MISSING" in caplog.text) is lost


def test_the_clock_forgets_timelines_after_as_long_as_the_configuration_says(
    home, tmp_path, monkeypatch
):
    for name, value in KEYS.items():
        monkeypatch.setenv(name, value)
    config = tmp_path / "config" / "bridge.yaml"
    config.write_text(f"keep_history: 40\n{config.read_text()}")
    now = datetime.now(UTC)
    with home[0].transaction() as tx:
        make_link(tx, now)
        for days in (60, 41, 39):
            timeline.add(tx, "a", now - timedelta(days=days), [Note(str(days), "helpdesk", "", {})])
    bridge, stop = wiring.build_bridge(tmp_path), threading.Event()
    monkeypatch.setattr(stop, "wait", lambda _seconds: stop.set())  # one tick
    run_clock(bridge, stop)
    bridge.close()
    with home[0].read() as tx:
        assert [line.kind for line in timeline.timeline(tx, "a")] == ["39"]


def test_a_duty_of_the_clock_that_fails_holds_up_no_other_and_is_shown_until_it_works(
    home, tmp_path, monkeypatch
):
    _ledger, call = home
    for name, value in KEYS.items():
        monkeypatch.setenv(name, value)
    bridge, done = wiring.build_bridge(tmp_path), []
    now = bridge.clock.now()

    def broken():
        done.append("broken")
        if len(done) < 2:
            raise KeyError("desk")

    duties = [
        Duty("pruning", timedelta(0), broken, now),
        Duty("announcement", timedelta(0), lambda: done.append("rung"), now),
    ]
    do_what_is_due(bridge, duties)
    assert done == ["broken", "rung"]
    (trouble,) = call()
    assert trouble["what"] == "the upkeep of pruning fails: the bridge itself failed over it"
    do_what_is_due(bridge, duties)
    bridge.close()
    assert call(code=0) == []


def test_a_worker_that_starts_frees_the_runs_that_an_older_version_parked(
    home, tmp_path, monkeypatch
):
    ledger, call = home
    for name, value in KEYS.items():
        monkeypatch.setenv(name, value)
    now = datetime.now(UTC)
    with ledger.transaction() as tx:
        reconcile.start(tx, "helpdesk", "ticket", "poll", now)
        (row,) = work.claim(tx, "old", now, now + timedelta(minutes=1), 1)
        work.park(tx, row, "old", "answered 302, a redirect", "Refused", now)
    assert ["is parked, the vendor refuses" in trouble["what"] for trouble in call()] == [True]
    bridge = wiring.build_bridge(tmp_path)
    assert bridge.take_over() == 1
    bridge.close()
    assert call(code=0) == []
