"""The ledger is put back from yesterday's copy, or lost: nothing is made a second time."""

import pytest

from bridge.core.model.values import Ref
from bridge.flow.catching_up import is_behind
from bridge.ledger import catch_up, hints, parking, run_records, stray_copies
from bridge.ledger.database import Ledger
from bridge.runs import reconcile
from tests.flow.estate import Estate
from tests.flow.pair import NAMES, SYNC, pair
from tests.flow.restored import (
    NOTHING_SAID,
    SOMEBODY,
    catch_up_with_all,
    copy_of,
    joined,
    put_back,
    the_afternoon,
    tickets,
)
from tests.flow.world import StepWorker, TickingClock

ASKED = {"subject": "The export stops", "email": "ana@customer.example"}


@pytest.fixture
def estate(tmp_path):
    return pair(tmp_path)


@pytest.mark.parametrize("empty", [False, True])
@pytest.mark.parametrize("hours", [6, 48])
def test_every_copy_is_joined_to_its_original(estate, empty, hours):
    morning = estate.apps["helpdesk"].create({"subject": "Before noon"})["id"]
    estate.hint("helpdesk", morning)
    old = None if empty else copy_of(estate)
    refs = the_afternoon(estate)
    before, all_refs = tickets(estate), [*refs, estate.refs("helpdesk", morning)]
    estate.clock.advance(hours * 3600)
    put_back(estate, old)
    catch_up_with_all(estate)
    assert tickets(estate) == before
    assert joined(estate) == sorted(all_refs, key=str)
    assert estate.parked() == []


def test_a_copy_whose_subject_was_edited_since_is_still_that_copy(estate):
    old = copy_of(estate)
    refs = the_afternoon(estate)
    copy = refs[2]["helpdesk"]
    estate.apps["helpdesk"].edit(copy, {"subject": "Something else entirely"})
    estate.clock.advance(60)
    estate.hint("helpdesk", copy)
    before = tickets(estate)
    put_back(estate, old)
    catch_up_with_all(estate)
    assert tickets(estate) == before
    assert refs[2] in joined(estate)


def test_a_copy_that_was_deleted_since_is_made_anew_and_nothing_else(estate):
    old = copy_of(estate)
    refs = the_afternoon(estate)
    estate.apps["product"].delete(refs[0]["product"])
    put_back(estate, old)
    catch_up_with_all(estate)
    now = tickets(estate)
    assert len(now["helpdesk"]) == len(now["product"]) == 4
    assert [each["helpdesk"] for each in joined(estate)].count(refs[0]["helpdesk"]) == 1


def test_creates_go_on_where_all_that_the_ledger_knew_was_deleted_since(estate):
    """The listing shows nothing, which is not believed by itself: the records are read."""
    known = estate.apps["product"].create({"anonymous_traits": {"subject": "Before noon"}})
    estate.hint("product", known["id"])
    old = copy_of(estate)
    estate.apps["product"].delete(known["id"])
    estate.apps["helpdesk"].create(SOMEBODY)
    put_back(estate, old)
    catch_up_with_all(estate)
    subjects = [row["anonymous_traits"]["subject"] for row in estate.apps["product"].tickets()]
    assert subjects == [SOMEBODY["subject"]]


@pytest.mark.parametrize("original", ["helpdesk", "product"])
def test_a_copy_whose_original_was_deleted_since_is_no_new_request(estate, original):
    old = copy_of(estate)
    refs = the_afternoon(estate)
    gone = refs[0 if original == "helpdesk" else 2]
    other = "product" if original == "helpdesk" else "helpdesk"
    estate.apps[original].delete(gone[original])
    before = tickets(estate)
    put_back(estate, old)
    catch_up_with_all(estate)
    assert tickets(estate) == before
    (waiting,) = estate.parked()
    assert (waiting.cause, waiting.remote_id) == ("ambiguous match", gone[other])
    assert "is a copy that the bridge made" in waiting.why


def test_an_admin_joins_a_copy_by_the_command_that_its_line_names(tmp_path):
    estate = Estate.on_disk(tmp_path / "home")
    helpdesk, product = estate.apps["helpdesk"], estate.apps["product"]
    made = helpdesk.create(NOTHING_SAID)["id"]
    estate.hint("helpdesk", made)
    copy = estate.refs("helpdesk", made)["product"]
    helpdesk.delete(made)
    again = helpdesk.create({"subject": "It does not print, again"})["id"]
    fresh = Ledger(f"sqlite:///{tmp_path}/fresh.db")
    fresh.upgrade()
    estate.ledger.close()
    for part in ("bridge.db", "bridge.db-wal", "bridge.db-shm"):
        (tmp_path / "home" / "var" / part).unlink(missing_ok=True)
    fresh.close()
    (tmp_path / "fresh.db").rename(tmp_path / "home" / "var" / "bridge.db")
    estate.ledger = Ledger(f"sqlite:///{tmp_path}/home/var/bridge.db")
    estate.drain.ledger = estate.ledger
    estate.hint("product", copy)
    (waiting,) = estate.parked()
    assert f"`bridge link relink product:{copy} --to TICKET` joins it" in waiting.why
    estate.command("connection", "pause", "product")  # so that the ticket gets no other one first
    with estate.ledger.transaction() as tx:
        hints.give(tx, Ref("helpdesk", "ticket", again), estate.clock.now())
    estate.drain.run()
    estate.command("link", "relink", f"product:{copy}", "--to", f"helpdesk:{again}", "--yes")
    estate.command("connection", "resume", "product")
    estate.settle()
    assert {"helpdesk": again, "product": copy}.items() <= estate.refs("helpdesk", again).items()
    assert len(product.tickets()) == 1
    with estate.ledger.read() as tx:
        assert not stray_copies.any_at(tx, "product")


def test_nothing_is_created_before_the_target_was_listed(estate):
    """The original is seen first, by a webhook; its copy only by the listing."""
    old = copy_of(estate)
    refs = the_afternoon(estate)
    before = tickets(estate)
    put_back(estate, old)
    with estate.ledger.transaction() as tx:
        for each in refs[:2]:
            hints.give(tx, Ref("helpdesk", "ticket", each["helpdesk"]), estate.clock.now())
    for _ in range(40):
        estate.drain.run()
        estate.clock.advance(1)
    assert tickets(estate) == before
    catch_up_with_all(estate)
    assert tickets(estate) == before
    assert estate.parked() == []


def test_without_any_sign_of_it_a_copy_that_is_seen_first_waits_for_its_original(estate):
    old = copy_of(estate)
    refs = the_afternoon(estate)
    before = tickets(estate)
    put_back(estate, old)
    with estate.ledger.transaction() as tx:
        catch_up.end(tx, ["helpdesk", "product"])
    for each in refs[:2]:
        estate.hint("product", each["product"])
    assert len(estate.parked()) == 2
    for each in refs[:2]:
        estate.hint("helpdesk", each["helpdesk"])
    assert tickets(estate) == before
    assert estate.parked() == []
    assert [each for each in joined(estate) if each in refs[:2]] == sorted(refs[:2], key=str)


def test_a_second_copy_of_one_record_is_set_aside(estate):
    old = copy_of(estate)
    refs = the_afternoon(estate)
    put_back(estate, old)
    with estate.ledger.transaction() as tx:
        catch_up.end(tx, ["helpdesk", "product"])
    estate.hint("helpdesk", refs[0]["helpdesk"])  # nobody knows better: it is made once more
    estate.hint("product", refs[0]["product"])
    (waiting,) = estate.parked()
    second, first = refs[0]["product"], estate.refs("helpdesk", refs[0]["helpdesk"])["product"]
    assert (waiting.remote_id, first != second) == (second, True)
    assert f"product:{first} has its place" in waiting.why
    assert f"delete product:{second} there" in waiting.why
    assert len(tickets(estate)["helpdesk"]) == 4


def test_the_whole_estate_of_five_systems_with_an_empty_ledger(tmp_path):
    estate = Estate(tmp_path)
    for name in ("helpdesk", "product", "desk"):
        estate.apps[name].populate(4, 1)
    estate.reconcile("poll", "full")
    message = estate.apps["helpdesk"].message(
        estate.apps["helpdesk"].tickets()[0]["id"], "It still does not print."
    )
    estate.hint("helpdesk", message["id"], "message")
    before = {name: len(app.tickets()) for name, app in estate.apps.items()}
    put_back(estate)
    catch_up_with_all(estate)
    assert {name: len(app.tickets()) for name, app in estate.apps.items()} == before
    with estate.ledger.read() as tx:
        assert [row.why for row in parking.parked(tx)] == []


@pytest.mark.parametrize("renamed", [False, True])
def test_a_copy_whose_marker_was_taken_off_and_that_no_rule_matches_is_for_a_human(estate, renamed):
    """Its tags were written since: nothing proves what it is. Perhaps it was renamed as well."""
    traits = {"email": "known@customer.example", "subject": "Known"}
    known = estate.apps["product"].create({"anonymous_traits": traits, "tags": ["old"]})["id"]
    estate.hint("product", known)
    traits = {"subject": "Hi", "description": "It stops half way."}
    made = estate.apps["product"].create({"anonymous_traits": traits, "tags": ["a"]})["id"]
    estate.hint("product", made)
    copy = estate.refs("product", made)["helpdesk"]
    estate.apps["product"].edit(made, {"add_tags": ["b"]})
    estate.clock.advance(1)
    estate.hint("product", made)
    assert set(estate.connectors["helpdesk"].read("ticket", [copy])[copy].data["tags"]) == {
        "a",
        "b",
    }
    assert estate.connectors["helpdesk"].read("ticket", [copy])[copy].marker is None
    if renamed:
        estate.apps["helpdesk"].edit(copy, {"subject": "Slow export"})
    before = tickets(estate)
    estate.clock.advance(3600)
    put_back(estate)
    catch_up_with_all(estate)
    assert tickets(estate) == before
    waiting = estate.parked()
    assert {row.cause for row in waiting} == {"ambiguous match"}
    assert {row.connection for row in waiting} == {"helpdesk", "product"}
    assert any(f"helpdesk:{copy}: the ledger is new" in row.why for row in waiting)
    with estate.ledger.transaction() as tx:  # an admin says that they are not
        parking.unpark(tx, estate.clock.now(), payload={"approved": True})
    estate.settle()
    assert {name: len(ids) for name, ids in tickets(estate).items()} == {
        name: len(ids) + 1 for name, ids in before.items()
    }


def request_that_had_ended(estate, description):
    """At the product, mirrored only after its end; the marker was taken off its copy since."""
    traits = {**ASKED, "description": description}
    product = estate.apps["product"]
    made = product.create({"anonymous_traits": traits, "tags": ["a"]})["id"]
    estate.clock.advance(3600)
    product.edit(made, {"status": "resolved"})
    estate.clock.advance(3600)
    estate.hint("product", made)
    copy = estate.refs("product", made)["helpdesk"]
    estate.apps["helpdesk"].edit(copy, {"tags": ["a"]})
    estate.clock.advance(1)
    estate.hint("helpdesk", copy)
    assert estate.connectors["helpdesk"].read("ticket", [copy])[copy].marker is None
    return made, copy


def test_the_copy_of_what_had_ended_before_it_was_made_is_for_a_human(estate):
    """It was made after the end, as a new request under the same subject would be."""
    old = copy_of(estate)
    made, copy = request_that_had_ended(estate, "It stops half way.")
    before = tickets(estate)
    put_back(estate, old)
    catch_up_with_all(estate)
    assert tickets(estate) == before
    waiting = estate.parked()
    assert {row.cause for row in waiting} == {"ambiguous match"}
    assert any("their texts are the same, and the ledger was lost" in row.why for row in waiting)
    assert {row.remote_id for row in waiting} & {made, copy}


def test_another_request_under_the_subject_of_one_that_had_ended_is_mirrored(estate):
    old = copy_of(estate)
    traits = {**ASKED, "description": "It stops half way."}
    made = estate.apps["product"].create({"anonymous_traits": traits, "status": "resolved"})["id"]
    estate.clock.advance(3600)
    again = estate.apps["helpdesk"].create(
        {"subject": ASKED["subject"], "customer_email": ASKED["email"], "description": "Once more."}
    )["id"]
    estate.clock.advance(60)
    put_back(estate, old)
    catch_up_with_all(estate)
    assert estate.parked() == []
    assert estate.refs("product", made)["helpdesk"] != again
    assert len(tickets(estate)["helpdesk"]) == len(tickets(estate)["product"]) == 2


def test_a_new_home_asks_nobody_about_customers_who_wrote_twice(estate):
    """Each system has one of the two requests, and nobody has ever mirrored anything."""
    product, helpdesk = estate.apps["product"], estate.apps["helpdesk"]
    for number in range(3):
        who = {"subject": "Help", "email": f"c{number}@customer.example"}
        product.create({"anonymous_traits": who, "status": "resolved"})
    estate.clock.advance(40 * 86400)
    for number in range(3):
        helpdesk.create({"subject": "Help", "customer_email": f"c{number}@customer.example"})
    estate.clock.advance(60)
    put_back(estate, why=catch_up.WHY_NEW)
    catch_up_with_all(estate)
    assert estate.parked() == []
    assert len(tickets(estate)["helpdesk"]) == len(tickets(estate)["product"]) == 6


def test_what_is_made_after_the_ledger_was_put_back_is_no_twin_of_anything(estate):
    put_back(estate)
    catch_up_with_all(estate)
    estate.clock.advance(60)
    for name in NAMES:
        subject = {"subject": "Hi"}
        given = subject if name == "helpdesk" else {"anonymous_traits": subject}
        estate.hint(name, estate.apps[name].create(given)["id"])
    assert estate.parked() == []
    assert len(tickets(estate)["helpdesk"]) == 2


def test_notes_about_screen_shares_are_found_again_by_what_they_say(tmp_path):
    estate = Estate(tmp_path)
    estate.apps["helpdesk"].populate(12, 1)
    estate.reconcile("poll", "full")
    estate.apps["screens"].populate(12, 1)
    for row in estate.apps["screens"].records("session"):
        estate.hint("screens", row["id"], "session")
    notes = [row.sent for row in estate.journal("helpdesk", "create") if row.entity != "ticket"]
    assert notes
    estate.clock.advance(3600)
    put_back(estate)
    catch_up_with_all(estate)
    again = [row.sent for row in estate.journal("helpdesk", "create") if row.entity != "ticket"]
    assert len(again) == len(notes)


def test_what_a_listing_shows_is_waited_for_on_a_clock_that_goes_on(estate):
    """Its records are queued a moment after its last page has come, and read later."""
    the_afternoon(estate)
    for other in estate.context.syncs.keys() - {SYNC}:
        del estate.context.syncs[other]
    estate.clock.__class__ = TickingClock
    began = estate.clock.now()
    put_back(estate)
    with estate.ledger.transaction() as tx:
        for name in NAMES:
            reconcile.start(tx, name, "ticket", "full", estate.clock.now())
    worker, behind = StepWorker(estate, "w"), {}
    while len(behind) < len(NAMES):
        assert worker.step()
        with estate.ledger.read() as tx:
            for name in NAMES:
                listings = {"kinds": ("full",), "connection": name, "entity": "ticket"}
                if run_records.first_whole(tx, since=began, **listings):
                    behind.setdefault(name, is_behind(tx, estate.context, name))
    assert behind == dict.fromkeys(NAMES, True)
    estate.settle()
    with estate.ledger.read() as tx:
        assert not any(is_behind(tx, estate.context, name) for name in NAMES)
