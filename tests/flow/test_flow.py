"""One ticket through the whole engine, told step by step. The random version is test_machine.py."""

import pytest

from bridge.ledger import (
    attempts,
    conflict_log,
    connection_health,
    parking,
    timeline,
    webhook_inbox,
    work,
)
from tests.flow.world import StepWorker, World, born


def test_a_new_ticket_gets_exactly_one_counterpart_that_says_the_same(world):
    ids = born(world)
    assert world.systems["H"].ids == [ids["H"]]
    shown = world.systems["H"].peek(ids["H"])
    assert (shown["subject"], shown["status"], shown["priority"]) == (
        "It does not print",
        "open",
        "high",
    )
    assert world.unsettled() == []


def test_an_edit_travels_and_its_echo_writes_nothing(world):
    ids = born(world)
    before = world.bridge_writes()
    world.systems["H"].edit(ids["H"], status="resolved")
    world.hint("H", ids["H"])
    world.settle()
    assert world.systems["L"].peek(ids["L"])["status"] == "resolved"
    assert world.bridge_writes() == before + 1
    world.hint("L", ids["L"])
    world.hint("H", ids["H"])
    world.settle()
    world.reconcile()
    assert world.bridge_writes() == before + 1


def test_ten_edits_in_a_burst_cost_one_write(world):
    ids = born(world)
    before = len(world.systems["H"].writes())
    for number in range(10):
        world.systems["L"].edit(ids["L"], subject=f"It does not print {number}")
        world.hint("L", ids["L"])
    world.settle()
    assert world.systems["H"].peek(ids["H"])["subject"] == "It does not print 9"
    assert len(world.systems["H"].writes()) == before + 1


def test_a_lost_webhook_is_healed_by_one_reconciliation(world):
    ids = born(world)
    world.systems["L"].edit(ids["L"], priority="urgent")
    world.settle()
    assert world.systems["H"].peek(ids["H"])["priority"] == "high"
    world.reconcile()
    assert world.systems["H"].peek(ids["H"])["priority"] == "urgent"


@pytest.mark.parametrize("fault", ["after", "lost", "before", "late"])
def test_a_create_of_unknown_outcome_is_looked_up_never_repeated_blindly(world, fault):
    world.systems["H"].fail(fault, on="create")
    ids = born(world)
    assert world.systems["H"].ids == [ids["H"]]
    assert world.unsettled() == []


@pytest.mark.parametrize("fault", ["after", "lost", "before", "late"])
def test_f03_a_write_of_unknown_outcome_is_closed_by_a_read(world, fault):
    ids = born(world)
    world.systems["H"].fail(fault, on="update")
    world.systems["L"].edit(ids["L"], status="pending")
    world.hint("L", ids["L"])
    world.settle()
    assert world.systems["H"].peek(ids["H"])["status"] == "pending"
    moved = [
        event for event in world.systems["H"].writes() if event.after.get("status") == "pending"
    ]
    assert len(moved) == 1
    assert world.systems["L"].peek(ids["L"])["status"] == "pending"


def test_f02_an_edit_that_the_read_before_a_write_shows_is_not_overwritten(world):
    ids = born(world)
    world.systems["H"].edit(ids["H"], status="resolved")  # its webhook is lost
    world.clock.advance(5)
    world.systems["L"].edit(ids["L"], priority="low")
    world.hint("L", ids["L"])
    world.settle()
    assert world.systems["H"].peek(ids["H"])["status"] == "resolved"
    assert world.systems["L"].peek(ids["L"])["status"] == "resolved"


def recorded(world):
    (link,) = world.links()
    with world.ledger.read() as tx:
        return [(row["field"], row["kind"]) for row in conflict_log.of_link(tx, link.id)]


def test_f02_an_unseen_edit_of_the_same_field_is_a_conflict_on_record_not_an_overwrite(world):
    ids = born(world)
    world.systems["H"].edit(ids["H"], status="resolved")  # its webhook is lost
    world.clock.advance(5)
    world.systems["L"].edit(ids["L"], status="pending")
    world.hint("L", ids["L"])
    world.settle()
    assert (
        world.systems["H"].peek(ids["H"])["status"]
        == world.systems["L"].peek(ids["L"])["status"]
        == "pending"
    )
    assert [field for field, _kind in recorded(world)] == ["status"]


def test_f03_our_own_write_of_unknown_outcome_is_never_taken_for_a_human_edit(world):
    ids = born(world)
    world.systems["H"].fail("after", on="update")
    world.systems["L"].edit(ids["L"], status="pending")
    world.hint("L", ids["L"])
    world.drain().run()
    world.clock.advance(1)
    world.systems["L"].edit(ids["L"], status="resolved")
    world.hint("L", ids["L"])
    world.settle()
    assert (
        world.systems["H"].peek(ids["H"])["status"]
        == world.systems["L"].peek(ids["L"])["status"]
        == "resolved"
    )
    assert recorded(world) == []


def test_f04_a_worker_that_was_held_up_past_its_deadline_sends_nothing(world):
    ids = born(world)
    world.systems["L"].edit(ids["L"], status="pending")
    world.hint("L", ids["L"])
    slow = StepWorker(world, "slow")
    while slow.step():
        if slow.about_to_write() and slow.task.link and slow.task.link.sides["H"].attempt:
            break
    before = len(world.systems["H"].writes())
    world.clock.advance(60)
    slow.step()
    assert len(world.systems["H"].writes()) == before
    world.settle()
    assert world.systems["H"].peek(ids["H"])["status"] == "pending"


def test_f04_a_worker_whose_lease_passed_on_commits_nothing(world):
    ids = born(world)
    world.systems["L"].edit(ids["L"], status="pending")
    world.hint("L", ids["L"])
    slow = StepWorker(world, "slow")
    for _ in range(3):  # claimed, leased, read
        slow.step()
    world.clock.advance(120)
    world.systems["L"].edit(ids["L"], status="resolved")
    world.hint("L", ids["L"])
    world.settle()
    before = world.links()
    while slow.busy:
        slow.step()
    assert world.links() == before
    world.settle()
    assert world.systems["H"].peek(ids["H"])["status"] == "resolved"
    assert world.unsettled() == []


def test_f11_two_sides_of_one_ticket_seen_at_once_become_one_link(world):
    here = world.systems["L"].add(subject="Same thing", status="open", tags=["a"])
    there = world.systems["H"].add(subject="Same thing", status="open", tags=["b"])
    world.hint("L", here)
    world.hint("H", there)
    one, two = StepWorker(world, "one"), StepWorker(world, "two")
    while one.step() | two.step():
        pass
    world.settle()
    (link,) = world.links()
    assert {name: side.remote_id for name, side in link.sides.items()} == {"L": here, "H": there}
    assert sorted(world.systems["L"].peek(here)["tags"]) == ["a", "b"]


def test_f11_a_reading_from_before_the_link_got_another_record_there_starts_no_link(world):
    here = world.systems["L"].add(subject="Same thing", status="open", tags=[])
    world.hint("L", here)
    slow, quick = StepWorker(world, "slow"), StepWorker(world, "quick")
    while slow.place() != "observe/start.Consult1":
        slow.step()
    world.systems["L"].remove(here)
    world.clock.advance(1)
    there = world.systems["H"].add(subject="Same thing", status="open", tags=[])
    world.hint("H", there)
    while quick.step():
        pass
    assert slow.step()
    world.settle()
    (link,) = world.links()
    (made,) = world.systems["L"].ids
    assert {name: side.remote_id for name, side in link.sides.items()} == {"L": made, "H": there}
    assert world.systems["H"].ids == [there]


def test_f08_a_version_that_steps_back_is_believed_after_a_second_look(world):
    ids = born(world)
    world.systems["L"].edit(ids["L"], status="pending")
    world.systems["L"].step_back(ids["L"], 3600)
    world.hint("L", ids["L"])
    world.settle()
    assert world.systems["H"].peek(ids["H"])["status"] == "pending"


def test_f09_a_delivery_that_was_thrown_away_is_found_again_by_reconciliation(world):
    ids = born(world)
    world.systems["H"].fail("refused", on="update")
    world.systems["L"].edit(ids["L"], status="pending")
    world.hint("L", ids["L"])
    world.settle()
    with world.ledger.transaction() as tx:
        stuck = [row.id for row in parking.parked(tx)]
        assert stuck
        parking.discard(tx, stuck)
    world.reconcile()
    assert world.systems["H"].peek(ids["H"])["status"] == "pending"


def test_f21_a_deleted_record_is_not_made_again_until_it_returns(world):
    ids = born(world)
    world.systems["H"].remove(ids["H"])
    world.hint("H", ids["H"])
    world.settle()
    world.reconcile()
    (link,) = world.links()
    assert link.sides["H"].tombstone
    assert world.systems["H"].ids == []


def test_a_dead_workers_ticket_is_taken_over(world):
    ids = born(world)
    world.systems["L"].edit(ids["L"], status="pending")
    world.hint("L", ids["L"])
    victim = StepWorker(world, "victim")
    for _ in range(3):
        victim.step()
    victim.die(after=True)
    world.settle()
    assert world.systems["H"].peek(ids["H"])["status"] == "pending"


def test_a_hint_that_comes_while_its_record_is_read_is_not_swallowed(world):
    ids = born(world)
    world.systems["L"].edit(ids["L"], status="pending")
    world.hint("L", ids["L"])
    busy = StepWorker(world, "busy")
    for _ in range(3):  # claimed, leased, read: the commit is still to come
        busy.step()
    world.systems["L"].edit(ids["L"], status="resolved")
    world.hint("L", ids["L"])
    while busy.busy:
        busy.step()
    world.settle()
    assert world.systems["H"].peek(ids["H"])["status"] == "resolved"


def test_refused_credentials_stop_the_connection_once_and_lose_nothing(world):
    ids = born(world)
    world.systems["H"].fail("unauthorised", on="read")
    world.systems["L"].edit(ids["L"], status="pending")
    world.hint("L", ids["L"])
    world.drain().run()
    with world.ledger.read() as tx:
        assert "H" in connection_health.closed(tx, world.clock.now())
        assert work.backlog(tx, world.clock.now())["parked"] == 0
    with world.ledger.transaction() as tx:
        connection_health.resume(tx, "H")
    world.settle()
    assert world.systems["H"].peek(ids["H"])["status"] == "pending"


def test_an_ignored_field_is_written_once_and_then_not_carried(ledger):
    world = World(ledger, names="LP")
    ids = born(world)
    world.systems["L"].edit(ids["L"], subject="Another subject")
    world.hint("L", ids["L"])
    world.settle()
    world.reconcile()
    assert world.systems["P"].peek(ids["P"])["subject"] == "It does not print"
    (link,) = world.links()
    assert link.sides["P"].fields["subject"].decided_why


def test_a_webhook_ends_in_exactly_one_verdict(world):
    ids = born(world)
    now = world.clock.now()
    with world.ledger.transaction() as tx:
        for number in range(3):
            webhook_inbox.accept(
                tx,
                connection="L",
                delivery_key=f"d{number}",
                received_at=now,
                headers={},
                projection={},
                digest="0",
                event="changed",
                entity="ticket",
                remote_id=ids["L"],
            )
    world.systems["L"].edit(ids["L"], status="pending")
    world.hint("L", ids["L"])
    world.settle()
    with world.ledger.read() as tx:
        assert webhook_inbox.counts(tx) == {"applied": 3}


def test_every_write_is_on_the_timeline_with_what_was_there_before(world):
    ids = born(world)
    world.systems["L"].edit(ids["L"], status="pending")
    world.hint("L", ids["L"])
    world.settle()
    (link,) = world.links()
    with world.ledger.read() as tx:
        history = [
            row for row in attempts.history(tx, link.id) if "status" in row["detail"]["sent"]
        ]
        kinds = {line.kind for line in timeline.timeline(tx, link.id)}
    last = history[-1]["detail"]
    assert (last["before"]["status"], last["sent"]["status"]) == ("open", "pending")
    assert {"linked", "created", "changed", "wrote"} <= kinds


def test_a_vendor_that_is_down_does_not_hold_up_the_others(ledger):
    world = World(ledger, names="LHP")
    ids = born(world)
    world.systems["H"].fail("before", on="read", times=1000)
    world.systems["L"].edit(ids["L"], status="pending")
    world.hint("L", ids["L"])
    drain = world.drain()
    for _ in range(5):
        drain.run()
        world.clock.advance(1)
    assert world.systems["P"].peek(ids["P"])["status"] == "pending"
