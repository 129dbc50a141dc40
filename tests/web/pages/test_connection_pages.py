"""Connections in the pages: what is shown of each, of however many, and pause and resume."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import timedelta

import pytest

from bridge.core.model.syncs import Rate, Secret, Webhook
from bridge.ledger import connection_health, probes, refused_webhooks
from bridge.operations import audit_trail
from bridge.operations.permissions import Role
from bridge.web.pages.styleguide import HOSTILE
from tests.flow.world import born
from tests.operations.desks import desk_of
from tests.web.pages.conftest import Elements, Site, came, csrf_of
from tests.web.pages.test_pages import LARGEST, inert, seen

SECRET = "s3cret-of-the-vendor"


def with_connections(world, **changes):
    """Give all connections of a world other settings."""
    connections = world.context.connections
    connections.update({name: replace(each, **changes) for name, each in connections.items()})


@pytest.fixture
def site(world):
    with_connections(
        world,
        credentials={"api_key": Secret(SECRET)},
        webhook=Webhook("hmac-sha256", (Secret(SECRET),), "X-Signature"),
        rates=(Rate(10, 60.0),),
    )
    return Site(desk_of(world), receiver="https://hooks.example.com/")


@pytest.fixture
def browser(site):
    return site.browser(Role.OPERATOR)


def text_of(browser, path):
    return Elements(browser.get(path).text).text


def test_a_connection_shows_how_it_is_set_up_and_no_secret(world, browser):
    born(world)
    page = browser.get("/connections/H").text
    text = Elements(page).text
    assert "https://hooks.example.com/webhooks/H" in text
    assert "hmac-sha256 in X-Signature , 1 secret taken" in text
    assert "api_key •••" in text
    assert SECRET not in page
    assert SECRET not in browser.get("/connections").text
    assert "bridge connection show H" in text


def test_the_budget_shows_what_is_used_and_takes_nothing(site, browser):
    held = site.desk.config.connections["H"]
    site.desk.budget.acquire(held, "a worker", site.desk.now(), 30.0)
    for _ in range(3):
        text = text_of(browser, "/connections/H")
    assert "1 of 10/minute 9 left" in text
    assert "1 calls in flight" in text
    assert "0 of 10/minute" in text_of(browser, "/connections/L")


def test_without_redis_nobody_knows_the_budget_and_the_page_is_there(site):
    desk = site.desk
    asked = []

    class Away:
        def use(self, connection, _now):
            asked.append(connection.name)

    site.desk = replace(desk, budget=Away())
    site.app = Site(site.desk).app
    assert "? of 10/minute" in text_of(site.browser(), "/connections")
    assert asked == ["H"]  # the others are not waited for


def test_what_was_found_out_by_trying_stands_beside_what_is_declared(site, browser):
    with site.desk.ledger.transaction() as tx:
        probes.record(tx, "H", "create ticket", False, HOSTILE[0], site.desk.now())
        probes.record(tx, "H", "ticket appears after 12", True, "it was late", site.desk.now())
    page = browser.get("/connections/H").text
    inert(page)
    text = Elements(page).text
    assert f"no tried just now : {seen(HOSTILE[0])}" in text
    assert "Also found out ticket appears after 12 yes" in text


def test_webhooks_say_whether_the_signature_is_right(world, site, browser):
    assert "not seen" in text_of(browser, "/connections/H")
    with site.desk.ledger.transaction() as tx:
        refused_webhooks.add(tx, "H", "BadSignature", 61, site.desk.now())
    text = text_of(browser, "/connections/H")
    assert "61" in text
    assert "BRG-HOOK-SIGNATURE" in text
    assert "Signature wrong" in text
    assert "nothing: a genuine one came since" not in text
    world.clock.advance(60)
    came(site, "H")
    assert "Signature some are wrong" in text_of(browser, "/connections/H")
    world.clock.advance(timedelta(minutes=11).total_seconds())
    came(site, "H", 2)
    text = text_of(browser, "/connections/H")
    assert "Signature right the last that was taken came just now" in text
    assert "nothing: a genuine one came since" in text


def test_what_is_wrong_at_a_connection_leads_from_the_overview_to_its_page(world, site, browser):
    born(world)
    with site.desk.ledger.transaction() as tx:
        refused_webhooks.add(tx, "H", "BadSignature", 61, site.desk.now())
    page = browser.get("/").text
    assert re.search(r'<a href="/connections/H"><bdi>61 deliveries for H refused', page)


def test_a_breaker_shows_that_it_is_open_and_until_when(site, browser):
    assert "closed" in text_of(browser, "/connections/H")
    until = site.desk.now() + timedelta(seconds=30)
    with site.desk.ledger.transaction() as tx:
        connection_health.pause(tx, "H", until, HOSTILE[1], now=site.desk.now())
    page = browser.get("/connections/H").text
    inert(page)
    assert "open since just now paused until 2026-01-05 09:00:30Z" in Elements(page).text


def test_a_connection_is_paused_and_resumed_as_the_look_before_says(world, site, browser):
    born(world)
    with site.desk.ledger.transaction() as tx:
        probes.record(tx, "H", "tags", False, "refused once", site.desk.now())
    look = browser.get("/connections/H/pause").text
    assert "Nothing is read from it or written to it" in Elements(look).text
    form = {"csrf_token": csrf_of(look), "why": "they move house"}
    assert browser.post("/connections/H/pause", data={"why": "x"}).status_code == 400
    done = browser.post("/connections/H/pause", data=form, follow_redirects=True)
    text = Elements(done.text).text
    assert "H is paused" in text
    assert "they move house" in text
    assert "Resume …" in text

    look = browser.get("/connections/H/resume").text
    assert "is tried again: tags" in Elements(look).text
    form = {"csrf_token": csrf_of(look)}
    text = Elements(
        browser.post("/connections/H/resume", data=form, follow_redirects=True).text
    ).text
    assert "H is in use again" in text
    assert "Pause …" in text
    with site.desk.ledger.read() as tx:
        assert probes.by_name(tx, "H") == {}
    acts = audit_trail.acts(site.desk, limit=9, action="connection")
    assert [(act.actor, act.action) for act in acts] == [
        ("user:the-operator", "connection resume"),
        ("user:the-operator", "connection pause"),
    ]


def test_a_viewer_sees_no_way_to_pause(site):
    page = site.browser(Role.VIEWER).get("/connections/H").text
    assert "/connections/H/pause" not in page


def test_what_is_no_act_or_no_connection_is_said(browser):
    assert browser.get("/connections/H/rename").status_code == 404
    assert browser.get("/connections/nobody").status_code == 404


def test_five_hundred_connections_are_paged_and_found(world):
    names = [f"account-{number:03}" for number in range(500)]
    like = world.context.connections["H"]
    world.context.connections.update({name: replace(like, name=name) for name in names})
    site = Site(desk_of(world))
    with site.desk.ledger.transaction() as tx:
        for name in names[::2]:
            connection_health.refuse(tx, name, "W" * 5_000, site.desk.now())
    browser, shown, address = site.browser(), [], "/connections"
    while address:
        answer = browser.get(address)
        assert len(answer.data) < LARGEST, address
        shown += re.findall(r'href="/connections/(account-\d+|H|L)"', answer.text)
        following = re.search(r'href="([^"]+)" rel="next"', answer.text)
        address = following and following[1].replace("&amp;", "&")
    assert shown == sorted([*names, "H", "L"])
    found = browser.get("/connections?health=stopped&text=account-49").text
    assert re.findall(r'href="/connections/(account-\d+)"', found) == names[490::2]
    assert "No connection fits" in text_of(browser, "/connections?text=nobody")
    overview = browser.get("/")
    assert len(overview.data) < LARGEST
    text = Elements(overview.text).text
    assert "478 more among them" in text.replace(",", "")
    assert "more, for which fewer tickets wait" in text
    listed = re.findall(r'class="name" href="/connections/(account-\d+)"', overview.text)
    assert set(listed) <= set(names[::2])  # those in trouble


def test_the_living_part_comes_again_only_when_it_moved(browser):
    first = browser.get("/connections?text=H", headers={"HX-Request": "true"})
    assert "<html" not in first.text
    tag = {"HX-Request": "true", "If-None-Match": first.headers["ETag"]}
    assert browser.get("/connections?text=H", headers=tag).status_code == 304
    assert 'hx-get="/connections?text=H"' in browser.get("/connections?text=H").text


def test_whatever_is_asked_for_comes_back_as_text(browser):
    for text in HOSTILE:
        asked = dict.fromkeys(("text", "health", "after"), text)
        page = browser.get("/connections", query_string=asked)
        assert page.status_code == 200
        inert(page.text)
