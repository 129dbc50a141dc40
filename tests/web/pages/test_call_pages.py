"""Calls in the pages: which were made, how they ended, and what of them may be seen by whom."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from bridge.core.model.vendor_call import KeptBodies
from bridge.ledger import vendor_calls
from bridge.operations.permissions import Role
from bridge.web.pages import call_pages
from bridge.web.pages.styleguide import HOSTILE
from tests.ledger.test_vendor_calls import a_call
from tests.web.pages.conftest import Elements, Site
from tests.web.pages.test_pages import LARGEST, inert, seen

KEPT = KeptBodies("/x?email=ana@example.com", '{"to":"ana@example.com"}', '{"for":"Ana"}')


@pytest.fixture
def browser(site):
    return site.browser(Role.OPERATOR)


def made(site, *changes):
    """Put calls into the ledger, as workers do; the newest is the last."""
    now = site.desk.now()
    with site.desk.ledger.transaction() as tx:
        calls = [a_call(now, n, **{"connection": "H", **each}) for n, each in enumerate(changes)]
        vendor_calls.add_all(tx, calls)


def text_of(browser, path):
    return Elements(browser.get(path).text).text


def test_nothing_called_yet_is_said_with_what_may_be_the_reason(browser):
    text = text_of(browser, "/calls")
    assert "No call is kept" in text
    assert "calls: false" in text
    assert "bridge calls" in text


def test_the_list_goes_on_by_keys_and_keeps_its_filter(site, browser, monkeypatch):
    monkeypatch.setattr(call_pages, "PAGE_SIZE", 2)
    made(site, *({"connection": "H" if n % 2 else "L", "status": 500, "code": "BRG-CONN-FAILING"}
                 for n in range(8)), {"connection": "H"})  # fmt: skip
    shown, address = [], "/calls?connection=H&outcome=5xx&slower_than=11"
    while address:
        page = browser.get(address).text
        shown += re.findall(r"GET <bdi>/tickets/(\d+)<", page)
        following = re.search(r'href="([^"]+)" rel="next"', page)
        address = following and following[1].replace("&amp;", "&")
        assert address is None or "outcome=5xx" in address
    assert shown == ["7", "5", "3"]
    assert "bridge calls --connection H --outcome 5xx --slower-than 11" in text_of(
        browser, "/calls?connection=H&outcome=5xx&slower_than=11"
    )
    assert browser.get("/calls?connection=nobody").status_code == 404
    assert browser.get("/calls?outcome=odd&method=ODD&slower_than=x&before=9999999999999").text


def test_a_ticket_leads_to_its_calls_and_back(site, ticket, browser):
    made(site, {"link_id": ticket}, {}, {"link_id": ticket, "connection": "L"})
    page = browser.get(f"/tickets/{ticket}").text
    assert f'href="/calls?ticket={ticket}"' in page
    assert f'href="/calls?ticket={ticket}&amp;connection=' in page
    listed = browser.get(f"/calls?ticket={ticket}").text
    assert re.findall(r"GET <bdi>/tickets/(\d+)<", listed) == ["2", "0"]
    assert f'href="/tickets/{ticket}"' in listed
    assert 'href="/calls?connection=H"' in browser.get("/connections/H").text


def test_one_call_tells_all_that_was_kept(site, browser):
    answer = {"status": 429, "code": "BRG-CONN-PAUSED", "error": "answered 429"}
    more = {"retry_after": 30.0, "request_id": "req-7", "sent": {"a.b": "text of 3"}}
    made(site, answer | more | {"attempt": 3})
    text = text_of(browser, "/calls/1")
    for part in ("429", "BRG-CONN-PAUSED", "try 3", "30 s", "req-7", "a.b", "text of 3"):
        assert part in text
    assert browser.get("/calls/2").status_code == 404
    assert browser.get(f"/calls/{2**70}").status_code == 404


def test_whatever_a_vendor_sent_is_text_and_the_pages_stay_small(site, browser):
    made(site, *({"path": text, "error": text, "code": "BRG-OTHER", "request_id": text,
                  "answered": {text: text}, "kept": KeptBodies(text, text, text * 200)}
                 for text in HOSTILE))  # fmt: skip
    made(site, *({"path": "W" * 9_000, "error": "M" * 9_000, "code": "BRG-OTHER"},) * 60)
    listed = browser.get("/calls")
    inert(listed.text)
    assert len(listed.data) < LARGEST
    for number, text in enumerate(HOSTILE, start=1):
        page = browser.get(f"/calls/{number}")
        inert(page.text)
        assert seen(text) in Elements(page.text).text
        assert len(page.data) < LARGEST


def test_bodies_are_shown_to_who_may_see_personal_values(site, browser):
    made(site, {"kept": KEPT})
    for word in ("/x?email=ana@example.com", '"for":"Ana"'):
        assert word in text_of(browser, "/calls/1")
    seen_by_viewer = site.browser(Role.VIEWER).get("/calls/1").text
    assert "ana@example.com" not in seen_by_viewer
    assert "Ana" not in seen_by_viewer
    assert "an operator sees them" in seen_by_viewer


def test_where_personal_values_are_masked_a_viewer_sees_no_words_of_the_vendors(site):
    settings = replace(site.desk.config.settings, mask_personal=True)
    masked = Site(replace(site.desk, config=replace(site.desk.config, settings=settings)))
    made(site, {"code": "BRG-WRITE-REFUSED", "error": "no Ana", "status": 422, "kept": KEPT})
    for path in ("/calls", "/calls/1"):
        assert "Ana" not in masked.browser(Role.VIEWER).get(path).text
    assert "no Ana" in masked.browser(Role.OPERATOR).get("/calls/1").text
