"""What a full listing lacks: confirmed by reads, or not believed."""

from datetime import timedelta

import pytest

from bridge.connectors.contract import Page
from bridge.errors import Unavailable
from bridge.ledger import run_records
from bridge.runs import reconcile
from tests.flow.test_reconcile import found, run
from tests.flow.world import StepWorker
from tests.memory import MemoryConnector


class Cut(MemoryConnector):
    """A vendor whose listing leaves records out, or fails in the middle."""

    hidden = frozenset()
    fail_at = 0
    pages = 0

    def scan(self, entity, cursor):
        self.pages += 1
        if self.pages == self.fail_at:
            raise Unavailable(self.connection.name, "busy")
        page = super().scan(entity, cursor)
        return Page([each for each in page.records if each.ref.id not in self.hidden], page.cursor)


def known_on_both(world, count):
    """So many tickets on both systems, and one listing that can be made to hide them."""
    for number in range(count):
        world.systems["L"].add(subject=f"ticket {number}", status="open", priority="low", tags=[])
    run(world, "L")
    run(world, "H")
    cut = Cut(world.connectors["L"].connection, world.systems["L"])
    world.connectors["L"] = cut
    return cut


@pytest.fixture
def many(world):
    return known_on_both(world, 30)


def gone(world, name="L"):
    return sorted(
        link.sides[name].remote_id for link in world.links() if link.sides[name].tombstone
    )


@pytest.mark.usefixtures("many")
def test_a_deleted_record_is_found_read_twice_and_buried_and_no_other(world):
    victim = world.systems["L"].ids[3]
    world.systems["L"].remove(victim)
    done = run(world, "L")
    assert not done.error
    assert gone(world) == [victim]
    each = found(world, done)[victim]
    assert each.kind == "absent"
    assert each.healed_at is not None
    # The next run has nothing to find.
    again = run(world, "L")
    assert again.hinted == 0
    assert not again.error


def test_a_record_that_only_the_listing_lacks_stays(world, many):
    many.hidden = frozenset(world.systems["L"].ids[:3])
    done = run(world, "L")
    assert done.figures["absent"] == 3
    assert gone(world) == []
    assert all(link.sides["L"].missing_since is None for link in world.links())


def test_a_half_returned_listing_concludes_nothing_and_says_how_to_go_on(world, many):
    half = world.systems["L"].ids[::2]
    many.hidden = frozenset(half)
    done = run(world, "L")
    assert "lacks 15 of 30" in done.error
    assert "bridge reconcile L --full --accept-absences" in done.error
    assert gone(world) == []
    assert world.outstanding() == []
    for remote_id in half:
        world.systems["L"].remove(remote_id)
    assert not run(world, "L", accept=True).error
    assert gone(world) == sorted(half)


def test_an_emptied_source_concludes_nothing(world, many):
    many.hidden = frozenset(world.systems["L"].ids)
    done = run(world, "L")
    assert "lists no records" in done.error
    assert "--accept-absences" in done.error
    assert gone(world) == []


@pytest.fixture
def few(world):
    return known_on_both(world, 10)


@pytest.mark.usefixtures("few")
def test_an_emptied_source_that_had_few_is_settled_by_reading_them(world):
    every = sorted(world.systems["L"].ids)
    for remote_id in every:
        world.systems["L"].remove(remote_id)
    doubted = run(world, "L")
    assert "lists no records at all, yet 10 are known: each is read by itself" in doubted.error
    assert gone(world) == every
    assert not run(world, "L").error


def test_an_empty_listing_of_few_records_that_are_there_is_never_believed(world, few):
    few.hidden = frozenset(world.systems["L"].ids)
    for _ in range(3):
        assert "lists no records" in run(world, "L").error
        assert gone(world) == []
    few.hidden = frozenset()
    assert not run(world, "L").error


@pytest.mark.usefixtures("many")
def test_a_poll_never_takes_silence_for_absence(world):
    victim = world.systems["L"].ids[0]
    run(world, "L", "poll")
    world.systems["L"].remove(victim)
    done = run(world, "L", "poll")
    assert not done.error
    assert gone(world) == []


def test_a_listing_that_rested_too_long_in_the_middle_proves_no_absence(world, many):
    victim = world.systems["L"].ids[3]
    world.systems["L"].remove(victim)
    with world.ledger.transaction() as tx:
        run_id = reconcile.start(tx, "L", "ticket", "full", world.clock.now())
    many.fail_at = many.pages + 2
    drain = world.drain()
    drain.run()
    world.clock.advance(timedelta(hours=2).total_seconds())
    world.settle()
    with world.ledger.read() as tx:
        done = run_records.get(tx, run_id)
    assert done.finished_at
    assert not done.error
    if many.pages > 2:
        assert "interrupted" in done.figures["absences"]
        assert gone(world) == []
    assert not run(world, "L").error
    assert gone(world) == [victim]


@pytest.mark.usefixtures("many")
def test_a_listing_that_is_not_complete_by_nature_proves_no_absence(world):
    able = world.context.capabilities["L"]["ticket"]
    object.__setattr__(able, "complete", False)
    victim = world.systems["L"].ids[3]
    world.systems["L"].remove(victim)
    done = run(world, "L")
    assert "don't show everything" in done.figures["absences"]
    assert gone(world) == []


def test_what_is_made_while_the_listing_runs_is_not_missed_by_it(world, many):
    many.hidden = frozenset()
    with world.ledger.transaction() as tx:
        run_id = reconcile.start(tx, "L", "ticket", "full", world.clock.now())
    worker = StepWorker(world, "w")
    worker.step()
    late = world.systems["L"].add(subject="late", status="open", priority="low", tags=[])
    many.hidden = frozenset({late})
    world.hint("L", late)
    world.settle()
    with world.ledger.read() as tx:
        done = run_records.get(tx, run_id)
    assert not done.error
    assert "absent" not in done.figures
