"""Events in the pages: which came, what became of each, and their records read again."""

from __future__ import annotations

import re

import pytest

from bridge.ledger import refused_webhooks
from bridge.operations import audit_trail, inbox
from bridge.operations.permissions import Role
from bridge.web.pages import event_pages
from bridge.web.pages.styleguide import HOSTILE
from tests.flow.world import born
from tests.web.pages.conftest import Elements, came, csrf_of
from tests.web.pages.test_pages import LARGEST, inert, seen


@pytest.fixture
def browser(site):
    return site.browser(Role.OPERATOR)


def text_of(browser, path):
    return Elements(browser.get(path).text).text


def observed(world):
    """The records whose reading is outstanding."""
    return {row["remote_id"] for row in world.outstanding() if row["kind"] == "observe"}


def test_nothing_came_yet_is_said_with_what_to_do(browser):
    text = text_of(browser, "/events")
    assert "No webhook has come yet" in text
    assert "bridge inbox list" in text


def test_whatever_a_vendor_sent_is_text_and_the_pages_stay_small(site, browser):
    for number, text in enumerate(HOSTILE):
        came(
            site,
            "H",
            number,
            event=text,
            remote_id=text,
            projection={text: text, "list": [text]},
            headers={"user-agent": text},
            verdict="quarantined",
            why=text,
            body=text * 200,
        )
    for number in range(60):
        came(site, "L", 100 + number, event="W" * 9_000, why="M" * 9_000, remote_id="I" * 9_000)
    listed = browser.get("/events")
    inert(listed.text)
    assert len(listed.data) < LARGEST
    for number, text in enumerate(HOSTILE, start=1):
        page = browser.get(f"/events/{number}")
        inert(page.text)
        assert seen(text) in Elements(page.text).text
        assert len(page.data) < LARGEST
    assert len(browser.get("/events/60").data) < LARGEST


def test_the_list_goes_on_by_keys_and_keeps_its_filter(site, browser, monkeypatch):
    monkeypatch.setattr(event_pages, "PAGE_SIZE", 2)
    for number in range(1, 8):
        came(site, "H" if number % 2 else "L", number, verdict="ignored", why="not wanted")
    shown, address = [], "/events?verdict=ignored&connection=H"
    while address:
        page = browser.get(address).text
        shown += [int(number) for number in re.findall(r'href="/events/(\d+)"', page)]
        following = re.search(r'href="([^"]+)" rel="next"', page)
        address = following and following[1].replace("&amp;", "&")
        assert address is None or "verdict=ignored" in address
    assert shown == [7, 5, 3, 1]
    assert "bridge inbox list --verdict ignored --connection H" in text_of(
        browser, "/events?verdict=ignored&connection=H"
    )


def test_a_filter_that_nothing_fits_looks_at_so_many_and_offers_to_go_on(
    site, browser, monkeypatch
):
    monkeypatch.setattr(inbox, "LOOKED_AT", 2)
    came(site, "H", 1, verdict="quarantined", why="no JSON")
    for number in range(2, 7):
        came(site, "H", number)
    page = browser.get("/events?verdict=quarantined").text
    assert "None of the 2 looked at fits" in Elements(page).text
    for _ in range(2):
        page = browser.get(
            re.search(r'href="([^"]+)" rel="next"', page)[1].replace("&amp;", "&")
        ).text
    assert re.findall(r'href="/events/(\d+)"', page) == ["1"]


def test_one_webhook_tells_what_became_of_its_record(world, site, browser):
    born(world)
    (link,) = world.links()
    number = came(site, "L", remote_id=link.sides["L"].remote_id, verdict="applied")
    page = browser.get(f"/events/{number}").text
    assert f'href="/tickets/{link.id}"' in page
    assert "applied" in Elements(page).text
    gone = came(site, "L", 2, remote_id="tkt_gone")
    assert "the bridge has none of it" in text_of(browser, f"/events/{gone}")
    assert browser.get("/events/999").status_code == 404
    assert browser.get(f"/events/{2**70}").status_code == 404


def test_a_body_is_shown_to_who_may_see_personal_values(site, browser):
    number = came(site, "H", verdict="quarantined", why="no JSON", body="ana@example.com")
    assert "ana@example.com" in browser.get(f"/events/{number}").text
    seen_by_viewer = site.browser(Role.VIEWER).get(f"/events/{number}").text
    assert "ana@example.com" not in seen_by_viewer
    assert "an operator sees it" in seen_by_viewer


def test_the_record_of_one_is_read_again(world, site, browser):
    number = came(site, "H", verdict="ignored")
    page = browser.get(f"/events/{number}").text
    assert observed(world) == set()
    form = {"csrf_token": csrf_of(page)}
    assert browser.post(f"/events/{number}").status_code == 400
    done = browser.post(f"/events/{number}", data=form, follow_redirects=True)
    assert "Its record is read again now" in Elements(done.text).text
    assert observed(world) == {"tkt_1"}
    nameless = came(site, "H", 2, remote_id=None, entity=None)
    assert "Read it again" not in text_of(browser, f"/events/{nameless}")
    assert browser.post(f"/events/{nameless}", data=form).status_code == 409
    viewer = site.browser(Role.VIEWER).get(f"/events/{number}").text
    assert "Read it again" not in viewer


def test_all_that_fit_are_read_again_just_as_the_look_before_says(world, site, browser):
    for number in range(1, 4):
        came(site, "H", number, verdict="parked", why="of another time")
    came(site, "H", 4, verdict="parked", entity=None, remote_id=None)
    came(site, "H", 5, verdict="applied")
    came(site, "H", 6, verdict="parked", remote_id="tkt_3")
    assert "/events/reprocess?verdict=parked" in browser.get("/events?verdict=parked").text
    look = browser.get("/events/reprocess?verdict=parked").text
    text = Elements(look).text
    assert "Read 3 records again" in text
    assert "Webhooks 4" in text
    assert "1 webhook that fits names no record and is left out" in text
    came(site, "H", 7, verdict="parked")  # after the look: it is not among what was confirmed
    numbers = re.search(r'name="numbers" value="([^"]+)"', look)[1]
    form = {"csrf_token": csrf_of(look), "numbers": numbers, "verdict": "parked"}
    done = browser.post("/events/reprocess", data=form, follow_redirects=True)
    assert "The records of 4 webhooks are read again now" in Elements(done.text).text
    assert observed(world) == {"tkt_1", "tkt_2", "tkt_3"}
    (act,) = audit_trail.acts(site.desk, limit=9, action="inbox")
    assert (act.actor, act.subject) == ("user:the-operator", "6, 3, 2, 1")


@pytest.mark.parametrize("numbers", ["", "x", "1 -2", "9" * 30])
def test_what_names_no_webhooks_is_refused(site, browser, numbers):
    came(site, "H")
    form = {"csrf_token": csrf_of(browser.get("/events").text), "numbers": numbers}
    assert browser.post("/events/reprocess", data=form).status_code == 409


def test_more_than_a_few_are_named_shortly_in_the_audit(site):
    numbers = [came(site, "H", number) for number in range(1, 24)]
    inbox.reprocess(site.desk, numbers)
    (act,) = audit_trail.acts(site.desk, limit=9, action="inbox")
    assert act.subject.endswith("19, 20 and 3 more")


def test_refused_deliveries_are_counts_with_the_reason_and_the_last_time(world, site, browser):
    with site.desk.ledger.transaction() as tx:
        refused_webhooks.add(tx, "H", "BadSignature", 61, site.desk.now())
        refused_webhooks.add(tx, "", "UnknownConnection", 4, site.desk.now())
    world.clock.advance(3600)
    page = browser.get("/events").text
    inert(page)
    text = Elements(page).text
    assert "Refused within a day" in text
    assert "BRG-HOOK-SIGNATURE 1 hour ago 1 hour ago" in text
    assert "no connection of ours 4" in text
    world.clock.advance(24 * 3600)
    assert "Refused within a day" not in text_of(browser, "/events")


def test_whatever_is_asked_for_comes_back_as_text(browser):
    for text in HOSTILE:
        asked = dict.fromkeys(("verdict", "connection", "remote_id", "before"), text)
        for path in ("/events", "/events/reprocess"):
            page = browser.get(path, query_string=asked)
            assert page.status_code == 200
            inert(page.text)
