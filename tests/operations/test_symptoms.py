"""What the doctor says is seen within a minute: each with its code, a line, and what to do."""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace

import pytest

from bridge.core.model.capabilities import Support
from bridge.core.model.outcome_codes import Code
from bridge.core.model.state import Link, Side, SideField
from bridge.ledger import (
    configurations,
    links,
    probes,
    refused_webhooks,
    running_processes,
    webhook_inbox,
)
from bridge.ledger.database import Ledger
from bridge.operations import connection, doctor, status, symptoms
from bridge.operations.trouble_log import TroubleLog
from bridge.runs import upkeep


def found(desk, code):
    return [trouble for trouble in doctor.examine(desk) if trouble.code == code]


def add_link(desk, name, **sides):
    link = Link(name, next(iter(desk.config.syncs)), "ticket")
    link.sides = sides
    with desk.ledger.transaction() as tx:
        assert links.create(tx, link, desk.now())


# --- webhooks that were refused -------------------------------------------------------------------


def refuse(desk, number=1, reason="BadSignature"):
    with desk.ledger.transaction() as tx:
        refused_webhooks.add(tx, "L", reason, number, desk.now())


def test_refused_webhooks_are_named_with_number_time_and_the_question_to_ask(world, desk):
    first = desk.now()
    refuse(desk, 60)
    world.clock.sleep(120)
    refuse(desk)
    (trouble,) = found(desk, Code.HOOK_SIGNATURE)
    assert trouble.what == "61 deliveries for L refused: wrong signature"
    assert trouble.since == first.replace(second=0, microsecond=0)
    assert trouble.do.startswith("is the secret the one at the vendor?")
    assert trouble in status.overview(desk).troubles


def test_each_reason_is_counted_apart(desk):
    refuse(desk, 2)
    refuse(desk, 3, "Expired")
    assert found(desk, Code.HOOK_SIGNATURE)[0].what.startswith("2 ")
    assert found(desk, Code.HOOK_EXPIRED)[0].what.startswith("3 ")


@pytest.mark.parametrize(
    ("name", "what", "do"),
    [
        ("older", "for older refused: it is called L now", "/webhooks/L"),
        ("oldest", "for oldest refused: it is called L now", "/webhooks/L"),
        ("left", "for left refused: it is in the files no more", "take the webhook away"),
        ("", "for no connection of ours refused", "compare the address"),
    ],
)
def test_webhooks_at_a_former_name_are_told_of_with_the_new_address(desk, name, what, do):
    with desk.ledger.transaction() as tx:
        detail = {"retired": {"left": {}}}
        configurations.add(tx, "first", detail, "start", desk.now())
        refused_webhooks.add(tx, name, "UnknownConnection", 23, desk.now())
        for old, new in (("oldest", "older"), ("older", "L")):
            desk.write_down(tx, "connection rename", new, {"old": old})
    (trouble,) = found(desk, Code.HOOK_UNKNOWN)
    assert what in trouble.what
    assert do in trouble.do


def test_refusals_of_long_ago_are_forgotten_and_counted_from_one_again(world, desk):
    refuse(desk, 60)
    world.clock.sleep(25 * 3600)
    assert found(desk, Code.HOOK_SIGNATURE) == []
    refuse(desk)
    assert found(desk, Code.HOOK_SIGNATURE)[0].what.startswith("1 delivery for L ")


def accept(desk, key):
    with desk.ledger.transaction() as tx:
        webhook_inbox.accept(
            tx, connection="L", delivery_key=key, received_at=desk.now(), headers={},
            projection={}, digest=key, event="", entity="ticket", remote_id="1",
        )  # fmt: skip


def start_receiver(desk):
    with desk.ledger.transaction() as tx:
        refused_webhooks.note_restart(tx, desk.now())


def test_refusals_are_over_when_a_restarted_receiver_accepts_a_webhook(world, desk):
    refuse(desk, 11)
    accept(desk, "by another secret")
    world.clock.sleep(90)
    start_receiver(desk)
    world.clock.sleep(1)
    assert found(desk, Code.HOOK_SIGNATURE)  # nothing has come yet
    accept(desk, "first")
    assert found(desk, Code.HOOK_SIGNATURE) == []
    world.clock.sleep(3600)
    start_receiver(desk)
    assert found(desk, Code.HOOK_SIGNATURE) == []  # over is over
    refuse(desk)
    assert found(desk, Code.HOOK_SIGNATURE)[0].what.startswith("1 delivery for L ")


def test_refusals_go_on_where_the_restarted_receiver_still_refuses(world, desk):
    refuse(desk, 11)
    start_receiver(desk)
    world.clock.sleep(90)
    refuse(desk)
    accept(desk, "by another secret")
    assert found(desk, Code.HOOK_SIGNATURE)[0].what.startswith("12 deliveries for L ")


def noted(desk, code):
    return [trouble.note for trouble in found(desk, code)]


def accept_many(desk, number):
    for each in range(number):
        accept(desk, f"genuine {each} {desk.now()}")


def test_one_request_of_a_stranger_is_a_note(desk):
    refuse(desk, 1, "unsigned")
    with desk.ledger.transaction() as tx:
        refused_webhooks.add(tx, "", "UnknownConnection", 7, desk.now())
    assert noted(desk, Code.HOOK_UNSIGNED) == [True]
    assert noted(desk, Code.HOOK_UNKNOWN) == [True]


@pytest.mark.parametrize(
    ("number", "minutes_before", "note"),
    [(19, None, True), (20, None, False), (500, 59, True), (61, 61, False)],
)
def test_unsigned_requests_are_a_fault_when_they_are_many_and_no_genuine_one_comes(
    world, desk, number, minutes_before, note
):
    if minutes_before is not None:
        accept(desk, "genuine")
        world.clock.sleep(minutes_before * 60)
    refuse(desk, number, "unsigned")
    assert noted(desk, Code.HOOK_UNSIGNED) == [note]


@pytest.mark.parametrize(
    ("refused", "genuine", "note"),
    [(1, 0, False), (1, 9, False), (1, 10, True), (5, 50, True), (61, 50, False)],
)
def test_wrong_signatures_are_a_note_only_when_few_and_genuine_ones_came_after_them(
    world, desk, refused, genuine, note
):
    refuse(desk, refused)
    world.clock.sleep(61)
    accept_many(desk, genuine)
    assert noted(desk, Code.HOOK_SIGNATURE) == [note]


def test_wrong_signatures_after_all_genuine_ones_are_a_fault(world, desk):
    accept_many(desk, 50)
    world.clock.sleep(61)
    refuse(desk)
    assert noted(desk, Code.HOOK_SIGNATURE) == [False]


# --- values without a reading ---------------------------------------------------------------------


def escalated(name, at, code=Code.READ_VALUE):
    entry = SideField(unreadable="no reading", unreadable_code=code, shown="escalated", seen_at=at)
    return Side("H", name, {"status": entry})


def test_a_value_without_a_reading_is_named_with_the_number_of_records(world, desk):
    first = desk.now()
    for number in range(3):
        add_link(desk, f"l{number}", H=escalated(f"h{number}", desk.now()))
        world.clock.sleep(60)
    (trouble,) = found(desk, Code.READ_VALUE)
    assert trouble.what.startswith("status 'escalated' seen on 3 tickets of H")
    assert (trouble.since, trouble.connection) == (first, "H")


@pytest.mark.parametrize("code", [Code.READ_GROUP, Code.READ_ABSENT, ""])
def test_what_is_unreadable_for_another_reason_is_no_value_to_add(desk, code):
    add_link(desk, "l1", H=escalated("h1", desk.now(), code))
    assert found(desk, Code.READ_VALUE) == []


# --- what a deployment does not do ---------------------------------------------------------------


def found_out(desk, connection, name, value):
    with desk.ledger.transaction() as tx:
        probes.record(tx, connection, name, value, "answered 405", desk.now())


def test_creates_that_a_sync_declares_and_a_deployment_refuses_are_said_until_it_is_resumed(desk):
    for value in (True, False):
        found_out(desk, "H", "create ticket", value)
        found_out(desk, "H", "tags", value)
        said = [each.what for each in found(desk, Code.CREATE_REFUSED)]
        assert said == ([] if value else ["H makes no tickets for tickets: answered 405"])
    assert "`bridge connection resume H`" in found(desk, Code.CREATE_REFUSED)[0].do
    connection.resume(desk, "H")
    assert found(desk, Code.CREATE_REFUSED) == []
    with desk.ledger.read() as tx:
        assert probes.findings(tx, "H") == {}


def test_creates_that_nobody_has_promised_are_no_symptom(desk):
    sync = desk.config.syncs["tickets"]
    member = replace(sync.members["H"], create=Support.PROBED)
    desk.config.syncs["tickets"] = replace(sync, members={**sync.members, "H": member})
    found_out(desk, "H", "create ticket", False)
    assert found(desk, Code.CREATE_REFUSED) == []


# --- tickets and processes at rest ----------------------------------------------------------------


def test_paused_tickets_and_retired_records_are_counted(desk):
    add_link(desk, "l1", gone=Side("gone", "g1"))
    link = Link("l2", next(iter(desk.config.syncs)), "ticket", paused=True)
    with desk.ledger.transaction() as tx:
        assert links.create(tx, link, desk.now())
        fence = links.lease(tx, "l2", "me", desk.now(), desk.now() + timedelta(minutes=1))
        links.save(tx, link, "me", fence, desk.now())
    (paused,) = found(desk, Code.PAUSED)
    assert paused.what == "1 ticket is paused"
    (retired,) = found(desk, Code.CONNECTION_RETIRED)
    assert retired.what.startswith("1 record is retired: gone is no member of ")
    assert (paused.note, retired.note) == (False, True)


@pytest.mark.parametrize(
    ("kind", "seconds", "still"),
    [("worker", 41, True), ("worker", 39, False), ("web", 41, True), ("up", 41, False)],
)
def test_a_process_that_runs_and_does_not_say_so_stands_still(world, desk, kind, seconds, still):
    began = desk.now()
    with desk.ledger.transaction() as tx:
        running_processes.started(tx, "host:elsewhere:77:1:x", kind, "", began)
    world.clock.sleep(seconds)
    assert [each.what for each in found(desk, Code.PROCESS_STILL)] == (
        [f"the {kind} 77 on host stands still"] if still else []
    )


def test_a_process_that_says_that_it_is_at_work_does_not_stand_still(world, desk):
    with desk.ledger.transaction() as tx:
        running_processes.started(tx, "host:elsewhere:77:1:x", "worker", "", desk.now())
    world.clock.sleep(61)
    with desk.ledger.transaction() as tx:
        running_processes.seen(tx, "host:elsewhere:77:1:x", desk.now())
    assert found(desk, Code.PROCESS_STILL) == []


def test_workers_log_that_no_clock_is_at_work_and_leave_all_else_to_the_clock(world, desk, caplog):
    caplog.set_level("INFO")
    began = desk.now()
    watch = TroubleLog(lambda: doctor.examine_for_clock(desk, began))
    with desk.ledger.transaction() as tx:
        running_processes.started(tx, "host:elsewhere:77:1:x", "clock", "", desk.now())
        refused_webhooks.add(tx, "helpdesk", "signature", 61, desk.now())
    watch.update()
    assert of_troubles(caplog) == []
    world.clock.sleep(61)
    watch.update()
    (line,) = of_troubles(caplog)
    assert "stands still" in line.getMessage()
    with desk.ledger.transaction() as tx:
        running_processes.seen(tx, "host:elsewhere:77:1:x", desk.now())
    watch.update()
    assert of_troubles(caplog)[-1].getMessage().startswith("trouble over")


def test_a_worker_that_has_just_begun_misses_no_clock(world, desk):
    """Where all begin together, the clock may be the last."""
    with desk.ledger.transaction() as tx:
        running_processes.started(tx, "host:elsewhere:77:1:x", "clock", "", desk.now())
    world.clock.sleep(61)
    began = desk.now()
    assert doctor.examine_for_clock(desk, began) == []
    world.clock.sleep(41)
    codes = [each.code for each in doctor.examine_for_clock(desk, began)]
    assert codes == [Code.PROCESS_STILL]


def test_a_process_that_cannot_be_started_again_is_named_until_it_can(desk):
    def start(trouble):
        upkeep.store_outcome(desk.ledger, "worker 1", desk.now(), trouble, kind=upkeep.START)

    start("it ended with code 2, and the log says why")
    (trouble,) = found(desk, Code.PROCESS_DOWN)
    assert trouble.what == (
        "the start of worker 1 fails: it ended with code 2, and the log says why"
    )
    assert "`bridge check`" in trouble.do
    start("")
    assert found(desk, Code.PROCESS_DOWN) == []


# --- the ledger's database and disk ---------------------------------------------------------------


def take_no_writes(desk, setting):
    with desk.ledger.read() as tx:
        tx.exec_driver_sql(f"PRAGMA {setting}")


def test_a_ledger_that_takes_no_writes_is_the_cause_and_what_stands_still_follows(world, desk):
    with desk.ledger.transaction() as tx:
        running_processes.started(tx, "host:elsewhere:77:1:x", "worker", "", desk.now())
    world.clock.sleep(61)
    assert found(desk, Code.PROCESS_STILL)
    take_no_writes(desk, "query_only = on")
    assert found(desk, Code.PROCESS_STILL) == []
    (trouble,) = found(desk, Code.LEDGER)
    assert "takes no writes" in trouble.what
    assert "replica" in trouble.do
    take_no_writes(desk, "query_only = off")
    assert found(desk, Code.LEDGER) == []


def test_a_ledger_whose_disk_is_full_is_named_with_the_disk(desk, monkeypatch, tmp_path):
    """On another disk than the home, which has room."""
    usage = {desk.config.home: (10**12, 10**12), tmp_path: (10**9, 10**6)}
    monkeypatch.setattr(
        "shutil.disk_usage", lambda path: SimpleNamespace(total=usage[path][0], free=usage[path][1])
    )
    ledger = Ledger(f"sqlite:///{tmp_path / 'bridge.db'}")
    devices = {desk.config.home: 1, tmp_path: 2}
    monkeypatch.setattr(Path, "stat", lambda path: SimpleNamespace(st_dev=devices[path]))
    (trouble,) = symptoms.disk(replace(desk, ledger=ledger))
    assert (trouble.code, trouble.what) == (Code.DISK, f"0 MB are left on the disk of {tmp_path}")


class Faulty:
    """A doorbell of a Redis that answers and is of no use."""

    def __init__(self, code):
        self.code = code

    def fault(self):
        return self.code


@pytest.mark.parametrize("code", [Code.REDIS_READ_ONLY, Code.REDIS_FULL, Code.REDIS_KEYS])
def test_a_redis_that_answers_and_takes_no_ring_is_named(desk, code):
    assert [each.code for each in symptoms.redis(replace(desk, bell=Faulty(code)))] == [code]
    assert list(symptoms.redis(replace(desk, bell=Faulty(None)))) == []


# --- the log --------------------------------------------------------------------------------------


def of_troubles(caplog):
    """Return the lines of the log that this is about: other tests' threads may write some, too."""
    return [line for line in caplog.records if line.name == TroubleLog.__module__]


def test_the_log_has_a_line_when_a_trouble_begins_and_one_when_it_is_over(world, desk, caplog):
    caplog.set_level("INFO", "bridge.operations")
    troubles = TroubleLog(lambda: found(desk, Code.HOOK_SIGNATURE))
    troubles.update()
    refuse(desk)
    troubles.update()
    world.clock.sleep(timedelta(days=2).total_seconds())
    troubles.update()
    assert [(line.getMessage(), line.code, line.connection) for line in of_troubles(caplog)] == [
        ("trouble: wrong signature", "BRG-HOOK-SIGNATURE", "L"),
        ("trouble over: wrong signature", "BRG-HOOK-SIGNATURE", "L"),
    ]


def test_a_note_is_no_line_of_the_log(desk, caplog):
    refuse(desk, 1, "unsigned")
    TroubleLog(lambda: found(desk, Code.HOOK_UNSIGNED)).update()
    assert of_troubles(caplog) == []


def test_what_lasts_is_one_line_at_every_fourth_look(desk, caplog):
    refuse(desk)
    troubles = TroubleLog(lambda: found(desk, Code.HOOK_SIGNATURE))
    for _ in range(9):
        troubles.update()
    said = [line.getMessage() for line in of_troubles(caplog)]
    assert (
        said[1:]
        == ["trouble lasts: L: wrong signature [BRG-HOOK-SIGNATURE]; see `bridge doctor`"] * 2
    )
