"""An undo says what is in the way, and never waits for a connection that nobody resumes."""

import pytest

from bridge.ledger import connection_health, run_records, run_writes, timeline
from bridge.operations import undos
from bridge.operations.undos import Standing
from bridge.runs import backfill, reconcile, undo
from tests.flow.estate import Estate
from tests.flow.pair import pair
from tests.operations.desks import bridge_of, desk_of


@pytest.fixture
def estate(tmp_path):
    found = pair(tmp_path)
    found.apps["product"].populate(3, 1)
    return found


def hold(estate, name):
    with estate.ledger.transaction() as tx:
        connection_health.hold(tx, name, "moving", estate.clock.now())


def resume(estate, name):
    with estate.ledger.transaction() as tx:
        connection_health.resume(tx, name)


def begin(estate):
    with estate.ledger.transaction() as tx:
        return backfill.start(tx, "product", "ticket", estate.clock.now())


def standing(estate, run):
    with estate.ledger.read() as tx:
        return undos.standing(tx, run_records.get(tx, run), estate.clock.now())


def test_a_run_that_goes_on_by_itself_is_waited_for_and_it_is_said_what_it_waits_for(estate):
    run = begin(estate)
    why = "the run is not over yet (its part on product has not ended): let it end first"
    assert standing(estate, run) == Standing(refused=why)
    estate.settle()
    assert standing(estate, run) == Standing()


def test_work_of_a_stopped_connection_is_no_obstacle_but_named(estate):
    hold(estate, "helpdesk")
    run = begin(estate)
    estate.drain.run()
    found = standing(estate, run)
    assert found.refused == ""
    assert (
        "3 pieces of work wait for helpdesk; "
        "helpdesk is paused until `bridge connection resume helpdesk`" in found.later
    )


def test_what_was_written_to_a_stopped_connection_is_taken_back_after_it_is_resumed(estate):
    run = begin(estate)
    estate.settle()
    hold(estate, "helpdesk")
    assert (
        "because moving. What the run wrote there can be taken back after `bridge connection resume"
        in standing(estate, run).refused
    )


def test_an_undo_whose_connection_is_stopped_ends_and_the_rest_is_done_later(estate):
    run = begin(estate)
    estate.settle()
    estate.clock.advance(60)
    with estate.ledger.transaction() as tx:
        mine, _count = undo.start(tx, run, estate.clock.now(), delete_created=True)
    hold(estate, "helpdesk")
    bridge = bridge_of(estate)
    assert undos.work_off(bridge, mine).waiting == 3
    resume(estate, "helpdesk")
    assert undos.work_off(bridge, mine) == run_writes.LeftToDo(0, {})
    assert estate.apps["helpdesk"].tickets() == []


def test_what_waited_is_not_made_for_a_ticket_that_was_taken_back_meanwhile(tmp_path):
    estate = Estate(tmp_path)
    estate.apps["product"].populate(3, 1)
    hold(estate, "feedback")
    run = begin(estate)
    for _ in range(5):
        estate.drain.run()
        estate.clock.advance(60)
    with estate.ledger.transaction() as tx:
        assert run_writes.waits_for(tx, [run]) == {"feedback": 3}
        assert undos.standing(tx, run_records.get(tx, run), estate.clock.now()).refused == ""
        _mine, count = undo.start(tx, run, estate.clock.now(), delete_created=True)
    assert count == 3
    estate.drain.run()
    resume(estate, "feedback")
    estate.settle()
    assert (estate.apps["helpdesk"].tickets(), estate.apps["feedback"].tickets()) == ([], [])


def test_the_run_to_undo_is_found_in_the_status_and_in_a_ticket(tmp_path):
    estate = Estate.on_disk(tmp_path / "home")
    estate.apps["product"].populate(2, 1)
    run = begin(estate)
    estate.settle()
    with estate.ledger.transaction() as tx:
        for found in (3, 0) * 8:  # polls that found nothing, or what needed nothing
            now = estate.clock.now()
            last = run_records.begin(
                tx, kind="poll", connection="helpdesk", entity="ticket", due=now, now=now
            )
            run_records.progress(tx, last, cursor=None, seen=found, hinted=found, now=now)
            run_records.finish(tx, last, now)
    writes = sum(len(estate.journal(name, "create", "write")) for name in estate.apps)
    shown = " ".join(estate.command("status").split())
    assert (
        f"run {run} backfill product ticket 2 seen, 2 to look at, {writes} written, done" in shown
    )
    assert f"run {last} poll helpdesk ticket 0 seen" in shown  # the newest, whatever it did
    assert f"run {int(last) - 1} poll helpdesk ticket 3 seen, 3 to look at, 0 written" in shown
    assert f"run {int(last) - 2}, " not in shown
    told = estate.command("ticket", estate.links()[0].id).splitlines()
    (made,) = (line for line in told if "created " in line and " helpdesk:" in line)
    assert f"run {run}" in made


def test_what_a_run_writes_to_a_record_bears_its_number_in_the_timeline(estate):
    begin(estate)
    estate.settle()
    link = estate.links()[0]
    estate.apps["product"].edit(link.sides["product"].remote_id, {"priority": "high"})
    with estate.ledger.transaction() as tx:
        run = reconcile.start(tx, "product", "ticket", "full", estate.clock.now())
    estate.settle()
    with estate.ledger.read() as tx:
        lines = [line for line in timeline.timeline(tx, link.id) if line.kind == "wrote"]
        assert [line.detail["run"] for line in lines[-1:]] == [run]
        assert run_writes.count(tx, [run]) == {run: 1}


def test_what_would_be_put_back_is_told_with_what_was_there_before(estate):
    estate.reconcile()
    ticket = estate.apps["helpdesk"].tickets()[0]
    after = "low" if ticket["priority"] != "low" else "high"
    twin = estate.refs("helpdesk", ticket["id"])["product"]
    estate.apps["product"].edit(twin, {"priority": after})
    estate.reconcile()
    with estate.ledger.read() as tx:
        runs = [row.id for row in run_records.recent(tx, 100)]
    planned = [undos.plan_undo(desk_of(estate), run) for run in runs]
    (record,) = (each for plan in planned for each in plan.records if "priority" in each.before)
    assert (record.ref, record.made) == (f"helpdesk:{ticket['id']}", False)
    assert (record.before["priority"], record.written["priority"]) == (ticket["priority"], after)
