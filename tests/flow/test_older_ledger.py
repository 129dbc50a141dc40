"""A ledger that was put back by hand is noticed at the next start."""

import pytest

from bridge.core.model.values import Ref
from bridge.errors import Unavailable
from bridge.ledger import catch_up, hints
from bridge.ledger.database import Ledger
from bridge.runs import older_ledger, schedule
from tests.flow.pair import pair


@pytest.fixture
def estate(tmp_path):
    return pair(tmp_path / "home")


@pytest.fixture
def file(tmp_path):
    return tmp_path / "home" / "var" / older_ledger.FILE


def made(estate):
    remote_id = estate.apps["helpdesk"].create({"subject": "Help"})["id"]
    estate.hint("helpdesk", remote_id)
    return remote_id


def behind(ledger):
    with ledger.read() as tx:
        return {name: state.why for name, state in catch_up.by_connection(tx).items()}


def start(estate, file, ledger=None):
    return older_ledger.notice(ledger or estate.ledger, estate.context, file)


def test_a_first_start_is_careful_and_the_next_one_knows(estate, file):
    made(estate)
    assert start(estate, file)
    assert set(behind(estate.ledger)) == set(estate.context.connections)
    with estate.ledger.transaction() as tx:
        catch_up.end(tx, estate.context.connections)
    assert not start(estate, file)
    assert behind(estate.ledger) == {}


def test_what_is_made_later_is_noted_and_an_older_ledger_noticed(estate, file):
    start(estate, file)
    with estate.ledger.transaction() as tx:
        catch_up.end(tx, estate.context.connections)
    made(estate)
    older_ledger.note(estate.ledger, file)
    assert not start(estate, file)
    old = Ledger("sqlite://")
    old.upgrade()
    assert start(estate, file, old)
    assert set(behind(old).values()) == {older_ledger.WHY_OLDER}
    assert not start(estate, file, old)  # once is enough: the ledger itself remembers


@pytest.mark.parametrize("text", ["", "no number", "9" * 400, "\N{SNOWMAN}"])
def test_a_file_that_says_nothing_makes_it_careful(estate, file, text):
    file.parent.mkdir(parents=True)
    file.write_text(text)
    start(estate, file)
    assert file.read_text().strip() == "0"
    assert set(behind(estate.ledger)) == set(estate.context.connections)


def test_where_the_file_cannot_be_written_the_bridge_goes_on(estate, tmp_path):
    (tmp_path / "blocked").write_text("")
    assert start(estate, tmp_path / "blocked" / "var" / older_ledger.FILE)


def test_a_poll_ends_it_and_creates_go_on(estate, file):
    start(estate, file)
    waiting = estate.apps["helpdesk"].create({"subject": "Help"})["id"]
    for _ in range(60):
        schedule.start_due_runs(estate.context, estate.ledger)
        estate.drain.run()
        estate.clock.advance(5)
    assert set(estate.refs("helpdesk", waiting)) == {"helpdesk", "product"}
    assert set(behind(estate.ledger)) <= set(estate.context.connections) - {"helpdesk", "product"}


def test_a_dead_connection_holds_up_only_its_own_creates(estate, file):

    start(estate, file)
    waiting = estate.apps["product"].create({"anonymous_traits": {"subject": "Hi"}})["id"]

    def dead(*_arguments):
        raise Unavailable("desk", "is down")

    estate.connectors["product"].changed = estate.connectors["product"].scan = dead
    estate.clock.advance(1)

    with estate.ledger.transaction() as tx:
        hints.give(tx, Ref("product", "ticket", waiting), estate.clock.now())
    for _ in range(60):
        schedule.start_due_runs(estate.context, estate.ledger)
        estate.drain.run()
        estate.clock.advance(5)
    assert set(estate.refs("product", waiting)) == {"helpdesk", "product"}
    mine = estate.apps["helpdesk"].create({"subject": "Mine"})["id"]
    with estate.ledger.transaction() as tx:
        hints.give(tx, Ref("helpdesk", "ticket", mine), estate.clock.now())
    for _ in range(20):
        estate.drain.run()
        estate.clock.advance(5)
    assert set(estate.refs("helpdesk", mine)) == {"helpdesk"}
