"""Drift in the pages: how much webhooks missed, day by day and source by source, and why."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest

from bridge.ledger import drift_findings
from bridge.operations import drift
from bridge.operations.permissions import Role
from bridge.web.pages import drift_pages, spark_drawing
from bridge.web.pages.styleguide import HOSTILE
from tests.flow.world import born
from tests.web.pages.conftest import Elements
from tests.web.pages.test_pages import LARGEST, inert, seen


@pytest.fixture
def browser(site):
    return site.browser(Role.VIEWER)


def text_of(browser, path):
    return Elements(browser.get(path).text).text


def found(site, number=1, *, days_ago=0, healed=False, **changes):
    """Store a finding, as a comparison does."""
    at = site.desk.now() - timedelta(days=days_ago)
    values = {
        "run_id": 7,
        "connection": "H",
        "entity": "ticket",
        "remote_id": f"tkt_{number}",
        "kind": "changed",
        "fields": ["status"],
        "since": at - timedelta(hours=1),
        "why": drift_findings.SILENT,
        "found_at": at,
        "healed_at": at if healed else None,
    }
    with site.desk.ledger.transaction() as tx:
        drift_findings.add(tx, [values | changes])


def test_no_drift_is_good_news(browser):
    text = text_of(browser, "/drift")
    assert "Nothing has drifted" in text
    assert "bridge drift --days 7" in text


def test_the_rate_of_each_source_and_day_and_the_reasons(site, browser):
    found(site, 1, healed=True)
    found(site, 2, days_ago=2)
    found(site, 3, days_ago=2, why="a webhook came and waits its turn", healed=True)
    found(site, 4, connection="L", healed=True)
    found(site, 5, days_ago=9)
    text = text_of(browser, "/drift")
    assert "2026-01-03: 2 found, 1 missed" in text
    assert "2026-01-05: 1 found, 1 missed" in text
    assert "3 2 (67 %) 2" in text
    assert "1 1 (100 %) 1" in text
    assert "no webhook came H 2" in text
    assert "a webhook came and waits its turn H 1" in text
    assert "2025-12-27" not in text
    assert "2025-12-27: 1 found, 1 missed" in text_of(browser, "/drift?days=14")
    assert "bridge drift H --days 14" in text_of(browser, "/drift?days=14&connection=H")


def test_the_rates_are_counted_once_in_a_while_for_all_who_look(world, site, browser):
    found(site, 1)
    assert "2026-01-05: 1 found" in text_of(browser, "/drift")
    found(site, 2)
    assert "2026-01-05: 1 found" in text_of(browser, "/drift")
    assert 'href="/tickets/H:tkt_2"' in browser.get("/drift").text  # findings are never kept
    world.clock.advance(drift.KEPT.total_seconds())
    assert "2026-01-05: 2 found" in text_of(browser, "/drift")


def test_findings_go_on_by_keys_and_can_be_of_what_no_webhook_told(site, browser, monkeypatch):
    monkeypatch.setattr(drift_pages, "PAGE_SIZE", 2)
    for number in range(1, 8):
        found(site, number, why=drift_findings.SILENT if number % 2 else "a webhook waits")
    shown, address = [], "/drift?which=no+webhook+told"
    while address:
        page = browser.get(address).text
        shown += [int(number) for number in re.findall(r'href="/tickets/H:tkt_(\d+)"', page)]
        following = re.search(r'href="([^"]+)" rel="next"', page)
        address = following and following[1].replace("&amp;", "&")
    assert shown == [7, 5, 3, 1]


def test_a_filter_that_nothing_fits_looks_at_so_many_and_offers_to_go_on(
    site, browser, monkeypatch
):
    monkeypatch.setattr("bridge.operations.drift.LOOKED_AT", 3)
    found(site, 1, connection="L")
    for number in range(2, 8):
        found(site, number)
    page = browser.get("/drift?connection=L").text
    assert "None of the 3 looked at fits" in Elements(page).text
    for _ in range(2):
        following = re.search(r'href="([^"]+)" rel="next"', page)[1].replace("&amp;", "&")
        page = browser.get(following).text
    assert 'href="/tickets/L:tkt_1"' in page


def test_whatever_a_vendor_calls_its_records_is_text_and_the_page_stays_small(site, browser):
    for text in HOSTILE:
        found(site, remote_id=text, fields=[text], why=text, kind=text)
    for number in range(60):
        found(site, number, remote_id="I" * 3_000, fields=["F" * 3_000], why=f"{number}" * 3_000)
    page = browser.get("/drift")
    inert(page.text)
    assert len(page.data) < LARGEST
    older = browser.get(re.search(r'href="([^"]+)" rel="next"', page.text)[1]).text
    inert(older)
    for text in HOSTILE[:3]:
        assert seen(text) in Elements(older).text
    for text in HOSTILE:
        asked = dict.fromkeys(("connection", "days", "which", "before"), text)
        inert(browser.get("/drift", query_string=asked).text)


def test_what_a_comparison_of_systems_finds_is_there(world, browser):
    born(world)
    (link,) = world.links()
    world.clock.advance(60)
    world.systems["L"].edit(link.sides["L"].remote_id, priority="low")
    world.clock.advance(60)
    world.reconcile()
    text = text_of(browser, "/drift")
    assert "it had changed: priority" in text


def test_bars_fill_the_height_and_what_is_not_nothing_is_seen():
    drawing = spark_drawing.draw([("a", 0, 0), ("b", 1000, 1), ("c", 500, 500)], "words")
    heights = [(bar.whole, bar.part) for bar in drawing.bars]
    assert heights == [(0, 0), (spark_drawing.HEIGHT, spark_drawing.LEAST), (14, 14)]
    assert drawing.width == drawing.bars[-1].x + spark_drawing.BAR
    assert spark_drawing.draw([], "none").bars == []
