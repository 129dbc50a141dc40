"""Reconciliation: what it finds and why, its cost when nothing has changed, endless listings."""

from datetime import timedelta
from itertools import pairwise

import pytest
from sqlalchemy import event

from bridge.connectors.contract import Page
from bridge.core.model.state import SideField
from bridge.core.model.syncs import Webhook
from bridge.errors import Unavailable
from bridge.flow import differences
from bridge.ledger import (
    connection_health,
    drift_findings,
    links,
    run_records,
    tables,
    webhook_inbox,
    work,
)
from bridge.runs import reconcile, schedule
from bridge.runs.plain_rows import PlainRows
from tests.flow.world import StepWorker, born
from tests.memory import MemoryConnector


class Odd(MemoryConnector):
    """A vendor whose listing goes astray."""

    habit = ""
    calls = 0

    def scan(self, entity, cursor):
        self.calls += 1
        if self.habit == "stuck":
            page = super().scan(entity, None)
            return Page(page.records, {"at": "the same"})
        if self.habit == "round":
            page = super().scan(entity, None)
            return Page(page.records, {"at": self.calls % 7})
        if self.habit == "deaf":
            return Page(super().scan(entity, None).records, {"offset": self.calls})
        return super().scan(entity, cursor)


def odd(world, name, habit):
    connector = Odd(world.connectors[name].connection, world.systems[name])
    connector.habit = habit
    world.connectors[name] = connector
    return connector


def run(world, name, kind="full", **changes):
    with world.ledger.transaction() as tx:
        run_id = reconcile.start(tx, name, "ticket", kind, world.clock.now(), **changes)
    world.settle()
    with world.ledger.read() as tx:
        return run_records.get(tx, run_id)


def found(world, run_):
    with world.ledger.transaction() as tx:
        drift_findings.mark_healed(tx)
        return {each.remote_id: each for each in drift_findings.recent(tx, runs=[run_.id])}


def with_webhooks(world, name):
    able = Webhook(scheme="hmac-sha256", secrets=())
    object.__setattr__(world.context.connections[name], "webhook", able)


def accepted(world, name, remote_id, verdict="pending", why=""):
    now = world.clock.now()
    with world.ledger.transaction() as tx:
        webhook_inbox.accept(
            tx,
            connection=name,
            delivery_key=f"{now}",
            received_at=now,
            headers={},
            projection={},
            digest="",
            event="changed",
            entity="ticket",
            remote_id=remote_id,
            verdict=verdict,
            why=why,
        )


@pytest.mark.parametrize("kind", reconcile.KINDS)
def test_what_no_webhook_told_is_found_explained_and_healed(world, kind):
    ids = born(world)
    with_webhooks(world, "L")
    run(world, "L", kind)
    world.clock.advance(60)
    world.systems["L"].edit(ids["L"], priority="low")
    done = run(world, "L", kind)
    assert done.finished_at
    assert not done.error
    each = found(world, done)[ids["L"]]
    assert (each.kind, each.fields, each.why) == ("changed", ["priority"], drift_findings.SILENT)
    assert each.since < each.found_at <= each.healed_at
    assert world.unsettled() == []
    with world.ledger.read() as tx:
        assert drift_findings.counts(tx, done.id) == {"found": 1, "missed": 1, "healed": 1}
        (rate,) = drift_findings.rates(tx, world.clock.now() - timedelta(days=1))
    assert (rate.connection, rate.found, rate.missed, rate.healed) == ("L", 1, 1, 1)


def test_what_the_first_listing_shows_was_missed_by_nobody(world):
    with_webhooks(world, "L")
    for subject in ("one", "two"):
        world.systems["L"].add(subject=subject)
    first = run(world, "L", "poll")
    assert {each.why for each in found(world, first).values()} == {drift_findings.UNSEEN}
    world.clock.advance(60)
    late = world.systems["L"].add(subject="three")
    assert found(world, run(world, "L", "poll"))[late].why == drift_findings.SILENT
    with world.ledger.read() as tx:
        assert drift_findings.counts(tx, first.id)["missed"] == 0


@pytest.mark.parametrize(
    ("map_rev", "why"), [("", differences.NEVER_READ), ("another", differences.REMAPPED)]
)
def test_a_field_that_was_never_read_is_told_from_one_that_is_mapped_anew(world, map_rev, why):
    ids = born(world)
    with_webhooks(world, "L")
    now = world.clock.now()
    with world.ledger.transaction() as tx:
        (link_id,) = links.ids(tx)
        link = links.load(tx, [link_id])[link_id]
        link.sides["L"].fields["priority"] = SideField(shadow="low", map_rev=map_rev)
        fence = links.lease(tx, link_id, "me", now, now + timedelta(minutes=1))
        links.save(tx, link, "me", fence, now, last=True)
    done = run(world, "L", "full")
    each = found(world, done)[ids["L"]]
    assert (each.fields, each.why) == (["priority"], why)
    with world.ledger.read() as tx:
        assert drift_findings.counts(tx, done.id)["missed"] == 0


def test_a_webhook_that_came_and_was_dropped_is_told_apart_from_one_that_never_came(world):
    ids = born(world)
    with_webhooks(world, "L")
    world.clock.advance(60)
    accepted(world, "L", ids["L"], "out of scope", "outside `only`")
    world.systems["L"].edit(ids["L"], priority="low")
    each = found(world, run(world, "L"))[ids["L"]]
    assert each.why == "a webhook came and was dropped as out of scope: outside `only`"


def test_work_that_was_parked_is_named_as_the_reason_and_freed(world):
    ids = born(world)
    world.hint("L", ids["L"])
    with world.ledger.transaction() as tx:
        now = world.clock.now()
        (row,) = work.claim(tx, "w", now, now + timedelta(seconds=30), 1)
        assert work.park(tx, row, "w", "no mapping reads it", "Unreadable", now)
    world.systems["L"].edit(ids["L"], priority="low")
    each = found(world, run(world, "L"))[ids["L"]]
    assert each.why == "parked: no mapping reads it"
    assert each.healed_at is not None
    assert world.unsettled() == []


def test_a_report_finds_the_same_and_asks_for_nothing(world):
    ids = born(world)
    run(world, "L")
    world.systems["L"].edit(ids["L"], priority="low")
    stranger = world.systems["L"].add(subject="unknown", status="open", priority="low", tags=[])
    before = world.links()
    done = run(world, "L", report=True)
    assert {each["remote_id"]: each["kind"] for each in done.figures["found"]} == {
        ids["L"]: "changed",
        stranger: "new",
    }
    assert done.hinted == 0
    assert world.outstanding() == []
    assert found(world, done) == {}
    assert world.links() == before
    # What was only looked at is found again by the run that heals.
    assert set(found(world, run(world, "L"))) == {ids["L"], stranger}
    assert world.unsettled() == []


def test_a_report_never_moves_the_watermark(world):
    born(world)
    run(world, "L", "poll")
    with world.ledger.read() as tx:
        before = run_records.watermark(tx, "L", "ticket")
    world.systems["L"].add(subject="later", status="open", priority="low", tags=[])
    run(world, "L", "poll", report=True)
    with world.ledger.read() as tx:
        assert run_records.watermark(tx, "L", "ticket") == before
    assert run(world, "L", "poll").hinted == 1


def test_an_unchanged_account_is_not_compared_again_until_something_moves(world, monkeypatch):
    ids = born(world)
    run(world, "L")
    compared = []
    need_nothing = PlainRows.need_nothing
    monkeypatch.setattr(
        PlainRows,
        "need_nothing",
        lambda rows, outline, record: (
            compared.append(record.ref.id) or need_nothing(rows, outline, record)
        ),
    )
    done = run(world, "L")
    assert compared == []
    assert done.figures["unchanged"] == 1
    # The other side's link moves: the row is the same, but what is owed may not be.
    world.systems["H"].edit(ids["H"], subject="Another")
    world.hint("H", ids["H"])
    world.settle()
    run(world, "L")
    assert compared
    compared.clear()
    world.clock.advance(timedelta(days=8).total_seconds())
    run(world, "L")
    assert compared == [ids["L"]]


def test_a_lost_delivery_is_found_though_every_side_reads_as_its_shadow(world):
    ids = born(world)
    run(world, "L")
    world.systems["L"].edit(ids["L"], priority="low")
    world.hint("L", ids["L"])
    with world.ledger.transaction() as tx:
        connection_health.hold(tx, "H", "in the meantime", world.clock.now())
    world.drain().run()
    with world.ledger.transaction() as tx:  # the row is lost with everything that it knew
        assert tx.execute(tables.work.delete()).rowcount == 1
        connection_health.resume(tx, "H")
    world.clock.advance(120)
    run(world, "L")
    run(world, "H")
    assert world.unsettled() == []


@pytest.mark.parametrize("habit", ["stuck", "round", "deaf"])
def test_a_listing_that_leads_nowhere_ends_with_an_error(world, habit):
    born(world)
    connector = odd(world, "H", habit)
    done = run(world, "H")
    assert done.finished_at is not None
    assert "again and again" in done.error or "came back" in done.error
    assert connector.calls < 100
    (link,) = world.links()
    assert not link.sides["H"].tombstone
    assert link.sides["H"].missing_since is None
    # The next run, with the vendor mended, is as good as any.
    connector.habit = ""
    assert not run(world, "H").error


def test_a_poll_whose_cursor_sticks_leaves_the_last_good_watermark(world):
    born(world)
    run(world, "L", "poll")
    with world.ledger.read() as tx:
        good = run_records.watermark(tx, "L", "ticket")
    connector = world.connectors["L"]
    rows = connector.scan("ticket", None).records

    class Stuck(MemoryConnector):
        def changed(self, entity, cursor):  # noqa: ARG002
            return Page(rows, 10**9)

    world.connectors["L"] = Stuck(connector.connection, world.systems["L"])
    assert run(world, "L", "poll").error
    with world.ledger.read() as tx:
        assert run_records.watermark(tx, "L", "ticket") == good


def test_a_run_killed_between_pages_is_gone_on_with_and_finds_everything(world):
    for number in range(30):
        world.systems["L"].add(subject=f"ticket {number}", status="open", priority="low", tags=[])
    with world.ledger.transaction() as tx:
        run_id = reconcile.start(tx, "L", "ticket", "full", world.clock.now())
    killed = 0
    for number in range(12):
        worker = StepWorker(world, f"w{number}")
        for _ in range(2 + number % 3):
            worker.step()
        if worker.task is not None:
            killed += 1
        worker.die(after=bool(number % 2))
        world.clock.advance(120)
    world.settle()
    with world.ledger.read() as tx:
        done = run_records.get(tx, run_id)
    assert killed
    assert done.finished_at
    assert not done.error
    assert len(world.links()) == 30
    assert len(world.systems["H"].ids) == 30
    assert world.unsettled() == []


def test_pages_without_rows_are_kept_when_a_later_call_fails(world):
    """A sweep of tags gives no rows until it is through: begun anew, it never would be."""
    born(world)
    asked = []

    class Sweeping(MemoryConnector):
        def scan(self, entity, cursor):
            place = cursor or 0
            asked.append(place)
            if place and not place % 4 and asked.count(place) == 1:
                raise Unavailable(self.connection.name, "answers 500")
            return Page([], place + 1) if place < 20 else super().scan(entity, None)

    world.connectors["L"] = Sweeping(world.connectors["L"].connection, world.systems["L"])
    began = world.clock.now()
    assert not run(world, "L", "full").error
    assert asked == [
        place for place in range(21) for _ in range(2 if place and not place % 4 else 1)
    ]
    assert world.clock.now() - began < timedelta(minutes=1), (
        "a failure after progress is no repeated one"
    )


def test_a_run_that_another_worker_has_taken_over_changes_nothing_more(world):
    born(world)
    with world.ledger.transaction() as tx:
        run_id = reconcile.start(tx, "L", "ticket", "full", world.clock.now())
    slow, quick = StepWorker(world, "slow"), StepWorker(world, "quick")
    slow.step()
    slow.step()  # it has fetched, and has not yet written
    world.clock.advance(timedelta(minutes=5).total_seconds())
    while quick.step():
        pass
    with world.ledger.read() as tx:
        before = run_records.get(tx, run_id)
    while slow.task is not None:
        slow.step()
    with world.ledger.read() as tx:
        assert run_records.get(tx, run_id) == before
    assert before.finished_at is not None


def test_runs_are_scheduled_from_the_ledger_once_however_many_clocks_there_are(world):
    object.__setattr__(world.context.connections["L"], "poll", timedelta(minutes=5))
    assert len(schedule.start_due_runs(world.context, world.ledger)) == 1
    assert schedule.start_due_runs(world.context, world.ledger) == []
    world.settle()
    with world.ledger.read() as tx:
        (planned,) = schedule.next_runs(tx, world.context, world.clock.now())
    assert timedelta(minutes=4) < planned.due - planned.last.started_at < timedelta(minutes=6)
    # Three hours of outage are caught up once.
    world.clock.advance(timedelta(hours=3).total_seconds())
    assert len(schedule.start_due_runs(world.context, world.ledger)) == 1
    world.settle()
    assert schedule.start_due_runs(world.context, world.ledger) == []


def test_a_daily_run_comes_once_a_day_and_not_straight_after_the_first_poll(world):
    connection = world.context.connections["L"]
    object.__setattr__(connection, "poll", timedelta(hours=1))
    object.__setattr__(connection, "full", (world.clock.now() + timedelta(hours=2)).time())
    started = []
    for _ in range(3 * 24):
        started += schedule.start_due_runs(world.context, world.ledger)
        world.settle()
        world.clock.advance(3600)
    with world.ledger.read() as tx:
        full = [each for each in run_records.recent(tx, 200) if each.kind == "full"]
    assert len(full) == 3
    assert all(a.started_at - b.started_at > timedelta(hours=22) for a, b in pairwise(full))


def test_rows_of_links_are_marked_in_pages_not_one_by_one(world):
    for number in range(40):
        world.systems["L"].add(subject=f"ticket {number}", status="open", priority="low", tags=[])
    run(world, "L")
    run(world, "L")
    statements = []
    with world.ledger.transaction() as tx:
        reconcile.start(tx, "L", "ticket", "full", world.clock.now())

    def count(_connection, _cursor, statement, *_rest):
        statements.append(statement)

    event.listen(world.ledger.engine, "before_cursor_execute", count)
    world.settle()
    event.remove(world.ledger.engine, "before_cursor_execute", count)
    assert sum("sighting" in each for each in statements) < 20
    with world.ledger.read() as tx:
        assert len(links.ids(tx)) == 40
