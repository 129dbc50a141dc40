"""Two copies of one record at one system: one is in the ticket, the other is set aside."""

import pytest

from bridge.core.model.values import Ref
from bridge.ledger import catch_up, parking, stray_copies
from bridge.operations import link
from tests.flow.pair import pair
from tests.flow.restored import catch_up_with_all, copy_of, put_back, the_afternoon
from tests.operations.desks import desk_of


@pytest.fixture
def estate(tmp_path):
    return pair(tmp_path)


def two_copies(estate):
    """One original with two copies: gives the original, the linked copy and the one set aside."""
    old = copy_of(estate)
    refs = the_afternoon(estate)
    put_back(estate, old)
    with estate.ledger.transaction() as tx:
        catch_up.end(tx, ["helpdesk", "product"])
    estate.hint("helpdesk", refs[0]["helpdesk"])
    estate.hint("product", refs[0]["product"])
    original = refs[0]["helpdesk"]
    linked, aside = estate.refs("helpdesk", original)["product"], refs[0]["product"]
    assert linked != aside
    return original, linked, aside


def status_of(estate, original):
    return estate.connectors["helpdesk"].read("ticket", [original])[original].data["status"]


def test_when_the_linked_one_of_two_copies_is_deleted_the_other_takes_its_place(estate):
    original, linked, aside = two_copies(estate)
    before = status_of(estate, original)
    estate.apps["product"].delete(linked)
    estate.reconcile("full")
    assert status_of(estate, original) == before
    assert estate.refs("helpdesk", original) == {"helpdesk": original, "product": aside}
    assert estate.parked() == []
    estate.apps["helpdesk"].edit(original, {"priority": "urgent"})
    estate.hint("helpdesk", original)
    shown = estate.connectors["product"].read("ticket", [aside])[aside].data
    assert shown["priority"] == "critical"
    estate.hint("product", linked)  # a late webhook of the one that is gone says nothing
    assert estate.refs("helpdesk", original) == {"helpdesk": original, "product": aside}
    assert status_of(estate, original) == before
    with estate.ledger.read() as tx:
        assert not stray_copies.any_at(tx, "product")


def test_when_both_copies_are_deleted_the_deletion_travels(estate):
    original, linked, aside = two_copies(estate)
    estate.apps["product"].delete(linked)
    estate.apps["product"].delete(aside)
    estate.reconcile("full")
    assert status_of(estate, original) in ("closed", "resolved", "solved")
    assert estate.parked() == []


def test_a_copy_of_what_was_deleted_everywhere_is_for_a_human(estate):
    original, linked, aside = two_copies(estate)
    estate.apps["helpdesk"].delete(original)
    estate.hint("helpdesk", original)
    estate.apps["product"].delete(linked)
    estate.hint("product", linked)
    with estate.ledger.transaction() as tx:
        parking.unpark(tx, estate.clock.now())
    estate.settle()
    (waiting,) = estate.parked()
    assert waiting.remote_id == aside
    assert "is a copy of a record that was deleted" in waiting.why
    assert estate.refs("helpdesk", original) == {}


def test_when_the_copy_that_was_set_aside_is_deleted_nothing_else_happens(estate):
    original, linked, aside = two_copies(estate)
    before = status_of(estate, original)
    estate.apps["product"].delete(aside)
    estate.hint("product", aside)
    assert estate.parked() == []
    assert estate.refs("helpdesk", original)["product"] == linked
    assert status_of(estate, original) == before


def test_a_copy_that_turns_up_after_the_deletion_has_travelled_takes_it_back(estate):
    original, linked, aside = two_copies(estate)
    before = status_of(estate, original)
    with estate.ledger.transaction() as tx:  # an earlier version kept no note of such a copy
        stray_copies.forget(tx, Ref("product", "ticket", aside))
    estate.apps["product"].delete(linked)
    estate.hint("product", linked)
    assert status_of(estate, original) != before
    with estate.ledger.transaction() as tx:
        parking.unpark(tx, estate.clock.now())
    estate.settle()
    assert estate.refs("helpdesk", original) == {"helpdesk": original, "product": aside}
    assert status_of(estate, original) == before
    assert estate.parked() == []


def test_an_admin_puts_the_copy_that_is_left_where_the_other_was_deleted(estate):
    original, linked, aside = two_copies(estate)
    before = status_of(estate, original)
    with estate.ledger.transaction() as tx:  # an earlier version kept no note of such a copy
        stray_copies.forget(tx, Ref("product", "ticket", aside))
    estate.apps["product"].delete(linked)
    estate.hint("product", linked)
    link.relink(desk_of(estate), f"product:{aside}", f"helpdesk:{original}")
    estate.settle()
    assert estate.refs("helpdesk", original) == {"helpdesk": original, "product": aside}
    assert status_of(estate, original) == before
    assert estate.parked() == []


def test_a_second_copy_of_a_known_record_is_no_twin_of_what_is_met_later(estate):
    two_copies(estate)
    late = estate.apps["helpdesk"].create({"subject": "Nothing to do with it"})["id"]
    estate.clock.advance(1)
    with estate.ledger.transaction() as tx:
        catch_up.begin(tx, {"product", "helpdesk"}, "full", "put back", estate.clock.now())
    catch_up_with_all(estate)
    (waiting,) = estate.parked()
    assert "has its place" in waiting.why
    assert estate.refs("helpdesk", late).keys() == {"helpdesk", "product"}
