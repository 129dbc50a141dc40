"""A deletion that nobody contradicts travels; one that is taken back is as if it never was."""

from dataclasses import replace

import pytest

from bridge.core.model.values import Ref
from bridge.ledger import conflict_log, hints
from tests.flow.pair import SYNC, pair

HOUR, DAY = 3600, 86400


@pytest.fixture
def make(tmp_path):
    def made(*, allow=(), **changes):
        estate = pair(tmp_path / "home")
        sync = estate.context.syncs[SYNC]
        members = {
            name: replace(member, allow_delete=name in allow)
            for name, member in sync.members.items()
        }
        estate.context.syncs[SYNC] = replace(sync, members=members, **changes)
        asked = {"subject": "Help", "customer_email": "ann@customer.example", "tags": ["billing"]}
        began = estate.apps["helpdesk"].create({**asked, "status": "open"})["id"]
        estate.hint("helpdesk", began)
        refs = estate.refs("helpdesk", began)
        assert set(refs) == {"helpdesk", "product"}
        return estate, refs

    return made


def status(estate, name, refs):
    (row,) = [row for row in estate.apps[name].tickets() if row["id"] == refs[name]]
    return row["status"]


def see(estate, name, refs, seconds=1):
    estate.clock.advance(seconds)
    estate.hint(name, refs[name])


def conflicts(estate):
    with estate.ledger.read() as tx:
        return [row for row in conflict_log.export(tx) if row["closed_at"] is None]


def leave(estate, refs, *, out=True):
    """Take PostHog's ticket out of the member's scope, or back into it."""
    store = estate.apps["product"].store
    channel = "github" if out else "widget"
    store.put({**store.get(refs["product"]), "channel_source": channel})


@pytest.mark.parametrize("later", [1, DAY])
@pytest.mark.parametrize("declared", ["close", "delete"])
def test_where_nobody_edited_the_other_side_ends_too(make, later, declared):
    estate, refs = make(delete=declared, allow=("helpdesk",) if declared == "delete" else ())
    estate.clock.advance(later)
    estate.apps["product"].delete(refs["product"])
    see(estate, "product", refs)
    assert conflicts(estate) == []
    left = [row for row in estate.apps["helpdesk"].tickets() if not row.get("deleted_at")]
    assert [row["status"] for row in left] == (["closed"] if declared == "close" else [])


def test_leaving_the_scope_closes_what_nobody_edited(make):
    estate, refs = make(leave_scope="close")
    estate.clock.advance(DAY)
    leave(estate, refs)
    see(estate, "product", refs)
    assert (status(estate, "helpdesk", refs), conflicts(estate)) == ("closed", [])
    leave(estate, refs, out=False)  # and the other way round: coming back takes it back
    see(estate, "product", refs, HOUR)
    assert (status(estate, "helpdesk", refs), conflicts(estate)) == ("open", [])


@pytest.mark.parametrize("origin", ["helpdesk", "product"])
@pytest.mark.parametrize("gone", ["helpdesk", "product"])
def test_it_does_not_matter_where_the_ticket_began_and_where_it_is_deleted(tmp_path, origin, gone):
    estate = pair(tmp_path / "home")
    asked = {
        "helpdesk": {"subject": "Help", "customer_email": "ann@customer.example"},
        "product": {"anonymous_traits": {"email": "ann@customer.example"}, "email_subject": "Help"},
    }
    began = estate.apps[origin].create({**asked[origin], "status": "open"})["id"]
    estate.hint(origin, began)
    refs = estate.refs(origin, began)
    (other,) = set(refs) - {gone}
    estate.clock.advance(HOUR)
    estate.apps[gone].delete(refs[gone])
    see(estate, gone, refs)
    assert status(estate, other, refs) in {"closed", "resolved"}
    assert conflicts(estate) == []


@pytest.mark.parametrize("declared", ["close", "delete"])
@pytest.mark.parametrize(
    ("field", "edit"),
    [
        ("subject", {"subject": "Help me"}),
        ("status", {"status": "pending"}),
        ("tags", {"add_tags": ["vip"]}),
        ("assignee", {"assignee_id": "usr_2"}),
    ],
)
def test_a_real_edit_between_the_two_reads_speaks_against_it(make, declared, field, edit):
    estate, refs = make(delete=declared, allow=("helpdesk",) if declared == "delete" else ())
    estate.clock.advance(HOUR)
    estate.apps["product"].delete(refs["product"])
    now = estate.clock.now
    give(estate, "product", refs)
    estate.drain.run()  # the first of the two reads
    missed = now()
    estate.clock.advance(1.2)
    estate.apps["helpdesk"].edit(refs["helpdesk"], edit)
    estate.settle()
    assert now() > missed
    (row,) = conflicts(estate)
    assert row["field"] == "status"
    assert estate.apps["helpdesk"].store.get(refs["helpdesk"])["deleted_at"] is None
    (link,) = estate.links()
    assert field in link.state["status"].why_open


def give(estate, name, refs):
    with estate.ledger.transaction() as tx:
        hints.give(tx, Ref(name, "ticket", refs[name]), estate.clock.now())


def restore(estate, refs):
    store = estate.apps["helpdesk"].store
    store.put({**store.get(refs["helpdesk"]), "deleted_at": None})


def deleted_at_switch(make, declared, **more):
    estate, refs = make(delete=declared, **more)
    estate.clock.advance(HOUR)
    estate.apps["helpdesk"].delete(refs["helpdesk"])
    see(estate, "helpdesk", refs)
    return estate, refs


def test_a_restored_ticket_is_open_on_both_sides_again(make):
    estate, refs = deleted_at_switch(make, "close")
    assert status(estate, "product", refs) == "resolved"
    estate.clock.advance(HOUR)
    restore(estate, refs)
    see(estate, "helpdesk", refs)
    assert (status(estate, "helpdesk", refs), status(estate, "product", refs)) == ("open", "open")
    assert conflicts(estate) == []
    writes = estate.journal("helpdesk", "write") + estate.journal("product", "write")
    estate.reconcile()
    assert estate.journal("helpdesk", "write") + estate.journal("product", "write") == writes


def test_what_somebody_decided_about_the_status_in_between_stands(make):
    estate, refs = deleted_at_switch(make, "close")
    estate.clock.advance(HOUR)
    estate.apps["product"].edit(refs["product"], {"status": "pending"})
    see(estate, "product", refs)
    restore(estate, refs)
    see(estate, "helpdesk", refs, HOUR)
    assert [status(estate, name, refs) for name in refs] == ["pending", "pending"]


def test_a_decision_that_was_not_seen_yet_stands_too(make):
    estate, refs = deleted_at_switch(make, "close")
    estate.clock.advance(HOUR)
    estate.apps["product"].edit(refs["product"], {"status": "pending"})
    estate.clock.advance(HOUR)
    restore(estate, refs)
    give(estate, "helpdesk", refs)
    estate.settle()
    assert [status(estate, name, refs) for name in refs] == ["pending", "pending"]
    see(estate, "product", refs)
    assert [status(estate, name, refs) for name in refs] == ["pending", "pending"]


def test_an_edit_of_the_restored_status_itself_is_an_edit(make):
    estate, refs = deleted_at_switch(make, "close")
    restore(estate, refs)
    estate.apps["helpdesk"].edit(refs["helpdesk"], {"status": "pending"})
    see(estate, "helpdesk", refs, HOUR)
    assert [status(estate, name, refs) for name in refs] == ["pending", "pending"]


def deleted_while_it_was_edited(make):
    """A ticket whose end at one system is in conflict with an edit at the other."""
    estate, refs = make(delete="close")
    estate.clock.advance(HOUR)
    estate.apps["helpdesk"].delete(refs["helpdesk"])
    give(estate, "helpdesk", refs)
    estate.drain.run()
    estate.clock.advance(1.2)
    estate.apps["product"].edit(refs["product"], {"status": "pending"})
    estate.settle()
    assert len(conflicts(estate)) == 1
    return estate, refs


def test_a_return_lifts_the_conflict_that_the_deletion_had_opened(make):
    estate, refs = deleted_while_it_was_edited(make)
    restore(estate, refs)
    see(estate, "helpdesk", refs, HOUR)
    assert conflicts(estate) == []
    assert [status(estate, name, refs) for name in refs] == ["pending", "pending"]


def test_an_edit_made_while_that_conflict_waited_stands_when_the_ticket_is_restored(make):
    estate, refs = deleted_while_it_was_edited(make)
    estate.apps["product"].edit(refs["product"], {"status": "resolved"})
    see(estate, "product", refs)
    restore(estate, refs)
    see(estate, "helpdesk", refs, HOUR)
    shown = {name: status(estate, name, refs) for name in refs}
    assert (shown, conflicts(estate)) == ({"helpdesk": "closed", "product": "resolved"}, [])


def test_where_ends_are_ignored_a_restored_ticket_goes_on(make):
    estate, refs = deleted_at_switch(make, "ignore")
    assert status(estate, "product", refs) == "open"
    restore(estate, refs)
    see(estate, "helpdesk", refs, HOUR)
    estate.apps["product"].edit(refs["product"], {"status": "pending"})
    see(estate, "product", refs)
    assert status(estate, "helpdesk", refs) == "pending"


def test_where_ends_delete_a_restored_ticket_stays_open_and_alone(make):
    estate, refs = deleted_at_switch(make, "delete", allow=("product",))
    restore(estate, refs)
    see(estate, "helpdesk", refs, HOUR)
    estate.reconcile()
    assert status(estate, "helpdesk", refs) == "open"


def unreadable_at(make, gone, **declared):
    """Give a pair of tickets of which one shows a status that has no reading, so takes none."""
    estate, refs = make(**declared)
    store = estate.apps[gone].store
    store.put({**store.get(refs[gone]), "status": "escalated"})
    see(estate, gone, refs)
    estate.clock.advance(DAY)
    return estate, refs


EDITS = {"helpdesk": {"status": "pending"}, "product": {"status": "on_hold"}}


@pytest.mark.parametrize("gone", ["helpdesk", "product"])
@pytest.mark.parametrize("end", ["close", "delete", "leave_scope"])
def test_an_edit_a_moment_after_the_end_that_the_record_could_not_take_is_not_lost(make, gone, end):
    (kept,) = {"helpdesk", "product"} - {gone}
    if end == "leave_scope" and gone == "helpdesk":
        gone, kept = kept, gone  # the scope is declared for PostHog's alone
    declared = {end: "close"} if end == "leave_scope" else {"delete": end, "allow": (kept,)}
    estate, refs = unreadable_at(make, gone, **declared)
    if end == "leave_scope":
        leave(estate, refs)
    else:
        estate.apps[gone].delete(refs[gone])
    estate.clock.advance(0.2)
    estate.apps[kept].edit(refs[kept], EDITS[kept])
    see(estate, kept, refs)
    see(estate, gone, refs)
    estate.reconcile()
    (row,) = conflicts(estate)
    assert row["field"] == "status"
    assert status(estate, kept, refs) == EDITS[kept]["status"]


@pytest.mark.parametrize("gone", ["helpdesk", "product"])
def test_an_edit_that_a_later_listing_of_the_record_followed_does_not_speak_against_its_end(
    make, gone
):
    (kept,) = {"helpdesk", "product"} - {gone}
    estate, refs = unreadable_at(make, gone, delete="close")
    estate.apps[kept].edit(refs[kept], EDITS[kept])
    see(estate, kept, refs)
    estate.clock.advance(HOUR)
    estate.reconcile()
    estate.clock.advance(DAY)
    estate.apps[gone].delete(refs[gone])
    see(estate, gone, refs)
    assert (status(estate, kept, refs) in {"closed", "resolved"}, conflicts(estate)) == (True, [])
