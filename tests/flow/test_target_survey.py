"""An import asks a listing what is there already, and never makes what somebody else has made."""

from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import func, select

from bridge.connectors import left_out
from bridge.connectors.contract import Page
from bridge.ledger import surveys, tables
from bridge.ledger.erasure import erase
from bridge.ledger.survey_tables import surveyed_key
from bridge.runs import backfill, retention
from tests.flow.pair import pair
from tests.flow.world import StepWorker, World
from tests.memory import MemoryConnector

TICKET = {"status": "open", "priority": "low", "assignee": None, "tags": []}


WAITS = ("create/create.Grant1", "observe/is_granted.Grant1")
"""Where a create waits for the budget, with a row of its own or straight from the first sight."""


class Lister(MemoryConnector):
    """Counts what it is asked; what humans do while an import is under way can be slipped in."""

    searches = 0
    news = 0
    """How often what was made since was listed."""

    def find(self, intent):
        self.searches += intent.sent_at is None
        return super().find(intent)

    def made_since(self, entity, since):
        self.news += 1
        return super().made_since(entity, since)


@pytest.fixture
def world():
    world = World(names="LH")
    for name, system in world.systems.items():
        world.connectors[name] = Lister(world.connectors[name].connection, system)
    return world


def write(world, name, *numbers):
    return [world.systems[name].add(subject=f"Help {number}", **TICKET) for number in numbers]


def begin(world, *names):
    with world.ledger.transaction() as tx:
        for name in names or ("H", "L"):
            backfill.start(tx, name, "ticket", world.clock.now())


def subjects(world, name):
    return sorted(world.systems[name].peek(each)["subject"] for each in world.systems[name].ids)


def of_kind(world, connector_class):
    """Reach H by a connector of this class."""
    connector = connector_class(world.connectors["H"].connection, world.systems["H"])
    world.connectors["H"] = connector
    return connector


def until(world, happened, worker=None, each=0.0):
    """Let a worker do one thing after another until something has happened."""
    worker = worker or StepWorker(world, "steps")
    for _ in range(3000):
        if happened():
            return worker
        world.clock.advance(each if worker.step() else 0.05)
    raise AssertionError("it never happened")


def state_of(world):
    with world.ledger.read() as tx:
        return surveys.state(tx, "H", "ticket")


def listed_whole(world):
    state = state_of(world)
    return state is not None and state.as_of is not None


def intents_of(world):
    with world.ledger.read() as tx:
        rows = select(tables.create_intent).order_by(tables.create_intent.c.number)
        return list(tx.execute(rows))


def keys(world):
    of = surveyed_key.c.connection == "H"
    with world.ledger.read() as tx:
        return tx.execute(select(func.count()).where(of)).scalar_one()


def once_everywhere(world, *numbers):
    world.settle()
    wanted = sorted(f"Help {number}" for number in numbers)
    assert subjects(world, "L") == wanted
    assert subjects(world, "H") == wanted
    assert len(world.links()) == len(numbers)


class TestTheSearchIsSpared:
    def test_an_import_into_an_empty_account_searches_for_nothing(self, world):
        write(world, "L", *range(40))
        begin(world)
        once_everywhere(world, *range(40))
        assert world.connectors["H"].searches == 0

    def test_what_is_there_already_is_joined_and_the_rest_made_without_a_search(self, world):
        write(world, "H", *range(100, 110), *range(30, 40))
        write(world, "L", *range(40))
        begin(world)
        once_everywhere(world, *range(40), *range(100, 110))
        # Of those that both have, some may be made up with before H's are looked at.
        assert world.connectors["H"].searches <= 10

    def test_what_comes_in_one_at_a_time_is_searched_for(self, world):
        write(world, "L", *range(3))
        begin(world)
        world.settle()
        world.connectors["H"].searches = 0
        (new,) = write(world, "L", 7)
        world.hint("L", new)
        world.settle()
        assert world.connectors["H"].searches == 1

    def test_a_ticket_without_what_match_rules_ask_for_is_not_searched_for(self, world):
        remote_id = world.systems["L"].add(**TICKET | {"subject": None})
        world.hint("L", remote_id)
        world.settle()
        assert world.connectors["H"].searches == 0


class TestNothingIsMadeTwice:
    @pytest.mark.parametrize("seen_by", ["refresh", "poll"])
    def test_a_ticket_that_appears_on_both_sides_in_the_middle_of_an_import(self, world, seen_by):
        write(world, "L", *range(20))
        begin(world)
        worker = until(world, lambda: len(world.systems["H"].ids) > 5)
        assert listed_whole(world)
        write(world, "H", 77)
        (twin,) = write(world, "L", 77)
        world.clock.advance(world.context.timing.send_within + 0.1)
        if seen_by == "poll":
            world.hint("H", world.systems["H"].ids[-1])
        world.hint("L", twin, lane="backfill")
        for _ in range(400):
            worker.step()
        once_everywhere(world, *range(20), 77)

    def test_what_was_there_before_is_found_however_late_its_own_turn_comes(self, world):
        """The rows of H wait to be looked at: what L has is created before that."""
        write(world, "H", *range(60, 120))
        begin(world, "H")
        until(world, lambda: listed_whole(world))
        with world.ledger.transaction() as tx:
            tx.execute(tables.work.delete().where(tables.work.c.connection == "H"))
        write(world, "L", *range(100, 120))
        begin(world, "L")
        world.settle()
        assert subjects(world, "H") == sorted(f"Help {number}" for number in range(60, 120))
        assert world.connectors["H"].searches == 20

    def test_a_survey_that_has_become_too_old_while_a_create_waited_is_no_excuse(self, world):
        """The budget may hold a create up for longer than the survey is fresh."""
        write(world, "L", 1)
        begin(world)
        worker = until(world, lambda: listed_whole(world))
        until(world, lambda: worker.place() in WAITS, worker)
        world.clock.advance(1)  # longer than what goes straight on waits: it gets its own row
        until(world, lambda: worker.place() == WAITS[0], worker)
        assert world.connectors["H"].searches == 0
        write(world, "H", 1)
        world.clock.advance(world.context.timing.send_within + 0.1)
        while worker.busy:
            worker.step()
        once_everywhere(world, 1)

    @pytest.mark.parametrize("surveyed", [True, False])
    def test_a_twin_of_the_last_moment_ends_as_it_does_after_a_search(self, world, surveyed):
        """Nobody can see it then: it is a request of its own, on both sides, and stays one."""
        can = world.context.capabilities["H"]["ticket"]
        world.context.capabilities["H"]["ticket"] = replace(can, lists_newest=surveyed)
        write(world, "L", 1)
        begin(world)
        worker = StepWorker(world, "steps")
        until(world, lambda: worker.place() in WAITS, worker)
        assert world.connectors["H"].searches == (not surveyed)
        write(world, "H", 1)
        while worker.busy:
            worker.step()
        world.settle()
        world.reconcile()
        world.reconcile()
        assert subjects(world, "L") == subjects(world, "H") == ["Help 1", "Help 1"]
        assert [sorted(link.live()) for link in world.links()] == [["H", "L"]] * 2

    def test_no_more_than_the_time_to_send_a_create_lies_between_listing_and_intent(self, world):
        write(world, "L", *range(60))
        begin(world)
        worker = until(world, lambda: world.connectors["H"].news > 0, each=0.08)
        gaps, searches = [], world.connectors["H"].searches
        while len(world.systems["H"].ids) < 60:
            state, before = state_of(world), len(intents_of(world))
            worker.step()
            world.clock.advance(0.08)
            gaps += [each.opened_at - state.as_of for each in intents_of(world)[before:]]
        assert world.connectors["H"].searches == searches
        assert world.connectors["H"].news > 3
        assert len(gaps) > 50
        assert max(gaps) <= timedelta(seconds=world.context.timing.send_within)

    def test_a_vendor_that_shows_new_tickets_late(self, world):
        """What was made since is listed from as long before as a new record may be hidden."""
        hidden = []

        class Lagging(Lister):
            def _shown(self, ids):
                return super()._shown([each for each in ids if each not in hidden])

        connector = of_kind(world, Lagging)
        write(world, "L", *range(60))
        begin(world)
        worker = until(world, lambda: connector.news > 1, each=0.08)
        hidden += write(world, "H", 77)
        until(world, lambda: connector.news > 2, worker, each=0.08)
        hidden.clear()
        shown = world.clock.now()
        until(world, lambda: state_of(world).as_of > shown, worker, each=0.08)
        (twin,) = write(world, "L", 77)
        world.hint("L", twin, lane="backfill")
        once_everywhere(world, *range(60), 77)

    @pytest.mark.parametrize("after", [True, False])
    def test_a_worker_that_is_killed_between_listing_and_create(self, world, after):
        write(world, "L", *range(5))
        begin(world)
        worker = until(world, lambda: listed_whole(world))
        until(world, lambda: worker.place() in WAITS, worker)
        worker.die(after=after)
        write(world, "H", 0, 1, 2, 3, 4)
        world.clock.advance(600)
        once_everywhere(world, *range(5))


class TestWhereInDoubtItIsSearchedFor:
    def test_a_listing_that_skips_a_page_of_what_the_ledger_knows(self, world):
        write(world, "H", *range(120))
        begin(world)
        world.settle()
        world.clock.advance(3600)

        class Skipping(Lister):
            def scan(self, entity, cursor):
                page = super().scan(entity, cursor)
                return super().scan(entity, page.cursor) if page.cursor and not cursor else page

        of_kind(world, Skipping)
        write(world, "L", *range(200, 210))
        begin(world)
        world.settle()
        assert world.connectors["H"].searches == 10

    def test_a_listing_with_rows_that_cannot_be_read(self, world):
        class Torn(Lister):
            def scan(self, entity, cursor):
                left_out.leave_out(3, None)
                return super().scan(entity, cursor)

        of_kind(world, Torn)
        write(world, "L", *range(5))
        begin(world)
        once_everywhere(world, *range(5))
        assert world.connectors["H"].searches == 5

    def test_news_with_rows_that_cannot_be_read(self, world):
        class Torn(Lister):
            def made_since(self, entity, since):
                left_out.leave_out(3, None)
                return super().made_since(entity, since)

        of_kind(world, Torn)
        write(world, "L", *range(5))
        begin(world, "H")
        world.settle()
        world.clock.advance(4)
        begin(world, "L")
        until(world, lambda: world.connectors["H"].searches > 0)
        once_everywhere(world, *range(5))
        assert not listed_whole(world)

    def test_a_listing_that_goes_round(self, world):
        class Round(Lister):
            calls = 0

            def scan(self, entity, cursor):  # noqa: ARG002
                self.calls += 1
                return Page(super().scan(entity, None).records, {"at": self.calls % 7})

        of_kind(world, Round)
        write(world, "L", *range(5))
        begin(world)
        once_everywhere(world, *range(5))
        assert world.connectors["H"].searches == 5

    @pytest.mark.parametrize("lacks", ["lists_newest", "complete"])
    def test_a_system_that_declares_no_such_listing(self, world, lacks):
        can = world.context.capabilities["H"]["ticket"]
        world.context.capabilities["H"]["ticket"] = replace(can, **{lacks: False})
        write(world, "L", *range(5))
        begin(world)
        once_everywhere(world, *range(5))
        assert (world.connectors["H"].searches, keys(world)) == (5, 0)

    def test_rows_that_show_too_little(self, world):
        """A row that lacks what a match rule names may be any ticket."""

        class Reticent(Lister):
            def scan(self, entity, cursor):
                page = super().scan(entity, cursor)
                rows = [
                    each._replace(data={k: v for k, v in each.data.items() if k != "subject"})
                    for each in page.records
                ]
                return Page(rows, page.cursor)

        of_kind(world, Reticent)
        write(world, "H", 99)
        write(world, "L", *range(5))
        begin(world)
        once_everywhere(world, *range(5), 99)
        assert world.connectors["H"].searches == 5

    def test_a_survey_that_was_left_alone(self, world):
        write(world, "L", *range(5))
        begin(world, "H")
        world.settle()
        assert listed_whole(world)
        world.clock.advance(3600)
        begin(world, "L")
        once_everywhere(world, *range(5))
        assert world.connectors["H"].searches == 5
        assert not listed_whole(world)

    def test_news_that_cannot_be_had(self, world):
        write(world, "L", *range(5))
        begin(world)
        until(world, lambda: listed_whole(world))
        world.systems["H"].fail("before", on="list", times=2)
        once_everywhere(world, *range(5))


class TestWhatIsKept:
    def test_a_person_is_forgotten_by_surveys_too(self, world):
        write(world, "H", *range(5))
        begin(world, "H")
        world.settle()
        assert keys(world) == 5
        with world.ledger.transaction() as tx:
            erase(tx, "ann@customer.example", world.clock.now(), world.context.fields)
        assert (keys(world), listed_whole(world)) == (0, False)

    def test_a_survey_is_kept_for_a_day(self, world):
        write(world, "H", *range(5))
        begin(world, "H")
        world.settle()
        retention.prune(world.ledger, world.clock.now(), timedelta(days=30))
        assert keys(world) == 5
        world.clock.advance(90_000)
        retention.prune(world.ledger, world.clock.now(), timedelta(days=30))
        assert (keys(world), listed_whole(world)) == (0, False)


def test_a_ticket_on_both_sandboxes_in_the_middle_of_an_import(tmp_path):
    """With the shipped connectors, mappings and match rules."""
    estate = pair(tmp_path)
    estate.apps["product"].populate(30, 1)
    sync = estate.context.syncs["support-tickets"]
    with estate.ledger.transaction() as tx:
        for name in sync.members:
            backfill.start(tx, name, "ticket", estate.clock.now())
    worker = StepWorker(estate, "steps")
    while len(estate.apps["helpdesk"].tickets()) < 10:
        worker.step()
    asked = {"subject": "Both", "customer_email": "ann@customer.example"}
    estate.apps["helpdesk"].create(asked)
    asked = {"email_subject": "Both", "anonymous_traits": {"email": "ann@customer.example"}}
    estate.apps["product"].create(asked)
    estate.settle()
    estate.reconcile("poll")
    estate.reconcile("poll")
    assert len(estate.apps["helpdesk"].tickets()) == 31
    assert len(estate.apps["product"].tickets()) == 31
    assert len(estate.links()) == 31
