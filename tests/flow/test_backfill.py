"""The first import: everything once, in the order asked for, never more than allowed."""

import itertools
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import select

from bridge.core.model.capabilities import Support
from bridge.core.model.outcome_codes import Code
from bridge.engine.context import Task
from bridge.ledger import drift_findings, run_records, run_writes, tables, work
from bridge.operations import doctor
from bridge.runs import backfill, forecast
from tests.flow.pair import pair
from tests.flow.world import StepWorker
from tests.operations.desks import desk_of


@pytest.fixture
def estate(tmp_path):
    return pair(tmp_path)


def begin(estate, max_creates=None, **options):
    sync = estate.context.syncs["support-tickets"]
    with estate.ledger.transaction() as tx:
        ids = [
            backfill.start(tx, name, sync.entity, estate.clock.now(), **options)
            for name in sync.members
        ]
        if max_creates is not None:
            backfill.limit(tx, ids, max_creates)
    estate.settle()
    return ids


def take_a_batch(estate, row, seconds=0):
    """Fetch a page, which takes so long, look at it and queue its rows; True: the turn goes on."""
    procedure = backfill.list_and_queue(estate.context, Task(row, "me", "token"))
    next(procedure).act(estate.connectors[row.connection])
    estate.clock.advance(seconds)
    with estate.ledger.read() as tx:
        found = procedure.send(None).act(tx)
    with estate.ledger.transaction() as tx:
        return procedure.send(found).act(tx)


def cost(estate, name):
    with estate.ledger.read() as tx:
        found = forecast.forecast(tx, estate.context, estate.context.syncs["support-tickets"])
    return next(each for each in found if each.connection == name)


def subjects(estate, name):
    return sorted(str(each["subject"]) for each in estate.apps[name].tickets())


class TestBackfill:
    def test_everything_is_there_once_and_a_second_import_does_nothing(self, estate):
        estate.apps["product"].populate(25, 1)
        begin(estate)
        assert len(estate.apps["helpdesk"].tickets()) == 25
        writes = len(estate.journal("helpdesk", "create", "write"))
        begin(estate)
        assert len(estate.journal("helpdesk", "create", "write")) == writes
        assert len(estate.links()) == 25

    def test_what_it_wrote_bears_its_number(self, estate):
        estate.apps["product"].populate(7, 1)
        ids = begin(estate)
        with estate.ledger.read() as tx:
            assert sum(len(run_writes.made(tx, each)) for each in ids) == 7
            assert all(run_records.get(tx, each).finished_at for each in ids)

    def test_its_cost_is_told_before_it_begins(self, estate):
        estate.apps["product"].populate(25, 1)
        assert cost(estate, "product").records is None
        begin(estate, max_creates=0)  # lists everything, and makes nothing
        told = cost(estate, "helpdesk")
        assert (cost(estate, "product").records, told.records, told.creates) == (25, 0, 25)
        begin(estate)
        assert len(estate.journal("helpdesk", "create")) == 25
        assert told.calls == 1 + 2 * 25  # a page; each is looked for, then made
        assert cost(estate, "helpdesk").creates == 0

    def test_it_makes_no_more_than_it_may_and_goes_on_the_next_time(self, estate):
        estate.apps["product"].populate(12, 1)
        ids = begin(estate, max_creates=5)
        assert len(estate.apps["helpdesk"].tickets()) == 5
        with estate.ledger.read() as tx:
            assert run_writes.left(tx, ids).parked == {Code.CREATE_BUDGET: 7}
        begin(estate, max_creates=5)
        assert len(estate.apps["helpdesk"].tickets()) == 10
        begin(estate)
        assert len(estate.apps["helpdesk"].tickets()) == 12

    def test_the_limit_is_one_for_all_that_the_import_lists(self, estate):
        sync = estate.context.syncs["support-tickets"]
        both = {name: replace(each, create=Support.YES) for name, each in sync.members.items()}
        estate.context.syncs["support-tickets"] = replace(sync, members=both)
        estate.apps["product"].populate(6, 1)
        estate.apps["helpdesk"].populate(6, 2)
        begin(estate, max_creates=5)
        made = [*estate.journal("helpdesk", "create"), *estate.journal("product", "create")]
        assert len(made) == 5

    def test_what_a_limit_left_out_is_made_by_the_next_poll_and_raises_no_alarm(self, estate):
        estate.apps["product"].populate(6, 1)
        begin(estate, max_creates=2)
        troubles = doctor.check_ledger(desk_of(estate))
        assert [each.what for each in troubles if "import" in each.what] == []
        assert [each.what for each in troubles if "parked" in each.what] == []
        estate.clock.advance(3600)
        estate.reconcile("poll")
        assert len(estate.apps["helpdesk"].tickets()) == 6
        with estate.ledger.read() as tx:
            drifted = drift_findings.recent(tx)
            polls = tx.scalars(select(tables.run.c.id).where(tables.run.c.kind == "poll")).all()
            made = [each for poll in polls for each in run_writes.made(tx, poll)]
        assert [each.why for each in drifted if each.entity == "ticket"] == []
        assert len(made) == 4, "an undo of the polls would not take them back"

    def test_what_a_limit_left_out_is_made_by_a_poll_that_lists_only_what_changed(self, estate):
        sync = estate.context.syncs["support-tickets"]
        makes_none = replace(sync.members["helpdesk"], create=Support.NO)
        members = {**sync.members, "helpdesk": makes_none}
        estate.context.syncs["support-tickets"] = replace(sync, members=members)
        for number in (5, 1):  # later polls go on from the last one
            estate.apps["product"].populate(number, number)
            estate.clock.advance(36000)
            estate.reconcile("poll")
        estate.context.syncs["support-tickets"] = sync
        estate.context._rules.clear()  # as in a new process
        estate.clock.advance(3600)
        begin(estate, max_creates=2)
        assert len(estate.apps["helpdesk"].tickets()) == 2
        assert "the next poll" in estate.parked()[0].why
        estate.clock.advance(3600)
        estate.reconcile("poll")
        assert len(estate.apps["helpdesk"].tickets()) == 6
        assert estate.parked() == []

    def test_what_a_killed_import_had_queued_is_the_next_ones_to_wait_for(self, estate):
        estate.apps["product"].populate(8, 1)
        with estate.ledger.transaction() as tx:
            first = backfill.start(tx, "product", "ticket", estate.clock.now())
        worker = StepWorker(estate, "doomed")
        for _ in range(50):
            worker.step()
            with estate.ledger.read() as tx:
                if run_records.get(tx, first).finished_at and worker.busy:
                    break
        worker.die(after=False)
        with estate.ledger.transaction() as tx:
            second = backfill.start(tx, "product", "ticket", estate.clock.now())
            # The one included that the dead worker holds.
            assert run_writes.left(tx, [second]).waiting == 8
        estate.settle()
        with estate.ledger.read() as tx:
            assert run_writes.left(tx, [second]).waiting == 0
            assert len(run_writes.made(tx, second)) == 8
        assert len(estate.apps["helpdesk"].tickets()) == 8

    def test_one_record_is_seen_through_before_the_next_is_read(self, estate):
        """So that an import that is killed and started again has read little for nothing."""
        estate.apps["product"].populate(60, 1)
        with estate.ledger.transaction() as tx:
            backfill.start(tx, "product", "ticket", estate.clock.now())
        worker = StepWorker(estate, "doomed")
        while len(estate.apps["helpdesk"].tickets()) < 5:
            worker.step()
        assert len(estate.links()) <= 6
        worker.die(after=False)
        reads = len(estate.journal("product", "read"))
        estate.clock.advance(600)
        with estate.ledger.transaction() as tx:
            backfill.start(tx, "product", "ticket", estate.clock.now())
        estate.settle()
        assert len(estate.apps["helpdesk"].tickets()) == 60
        assert reads < 20

    def test_what_waits_to_be_made_is_not_read_again_by_the_next_import(self, estate):
        estate.apps["product"].populate(20, 1)
        begin(estate, max_creates=3)
        now = estate.clock.now()
        with estate.ledger.transaction() as tx:
            second = backfill.start(tx, "product", "ticket", now)
            (row,) = work.claim(tx, "me", now, now + timedelta(minutes=5), 1, kinds=["backfill"])
        take_a_batch(estate, row)
        with estate.ledger.read() as tx:
            assert run_records.get(tx, second).hinted == 0
            assert run_records.get(tx, second).figures["carried over"] == 17
            assert run_writes.left(tx, [int(second)]).waiting >= 17

    def test_a_listing_goes_back_to_its_lane_when_its_turn_is_over(self, estate):
        estate.apps["product"].populate(120, 1)
        now = estate.clock.now()
        with estate.ledger.transaction() as tx:
            backfill.start(tx, "product", "ticket", now)
            (row,) = work.claim(tx, "me", now, now + timedelta(minutes=5), 1)
        listing = estate.connectors["product"].scan("ticket", None)
        assert listing.cursor is not None
        assert not take_a_batch(estate, row, seconds=3)
        with estate.ledger.read() as tx:
            (left,) = tx.execute(select(tables.work).where(tables.work.c.kind == "backfill")).all()
        assert (left.claimed_by, left.payload["cursor"]) == (None, listing.cursor)

    def test_one_at_a_time(self, estate):
        now = estate.clock.now()
        with estate.ledger.transaction() as tx:
            assert backfill.start(tx, "product", "ticket", now)
            assert backfill.start(tx, "product", "ticket", now) is None

    @pytest.mark.parametrize("newest_first", [True, False])
    def test_what_is_listed_waits_in_the_order_that_was_asked_for(self, estate, newest_first):
        now = estate.clock.now()
        estate.apps["product"].populate(30, 1)
        with estate.ledger.transaction() as tx:
            backfill.start(tx, "product", "ticket", now, newest_first=newest_first)
            (row,) = work.claim(tx, "me", now, now + timedelta(minutes=5), 1)
        listing = estate.connectors["product"].scan("ticket", None)
        take_a_batch(estate, row)
        with estate.ledger.read() as tx:
            rows = tx.execute(select(tables.work).where(tables.work.c.kind == "observe")).all()
        changed = {each.ref.id: each.changed_before for each in listing.records}
        queued = [changed[each.remote_id] for each in sorted(rows, key=lambda each: each.due_at)]
        assert len(queued) == 30
        gap = timedelta(minutes=2)  # what is nearer than that counts as equally old
        assert all(
            a >= b - gap if newest_first else a <= b + gap for a, b in itertools.pairwise(queued)
        )
        assert max(each.due_at for each in rows) <= now
