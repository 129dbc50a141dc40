"""All pages: one of each kind, found as somebody finds them who follows every link."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import urlsplit

from playwright.sync_api import Page
from werkzeug.exceptions import HTTPException
from werkzeug.routing import MapAdapter

from bridge.supervisor.played_people import PlayedPeople
from bridge.web.pages.site import SiteSettings, create_site

NO_PAGES = {"static", "drafts.download", "sign_in.by_link", "sign_in.form"}
"""What answers a GET and is no page for whoever is signed in."""


def routes() -> MapAdapter:
    """Return the routes of the pages as a home with sandboxes has them."""

    def nobody():
        raise AssertionError("no page is asked for")

    app = create_site(nobody, SiteSettings("k" * 32), stage=PlayedPeople({}))
    return app.url_map.bind("")


def kinds() -> set[str]:
    """Return the endpoints of all pages."""
    found = routes().map.iter_rules()
    return {rule.endpoint for rule in found if "GET" in rule.methods} - NO_PAGES


def crawl(page: Page, *begin: str) -> Iterator[str]:
    """Go to one page of each kind, and yield its endpoint while the browser is there."""
    known = routes()
    waiting, seen = list(begin), {""}
    while waiting:
        address = waiting.pop(0)
        endpoint = _endpoint(known, address)
        if endpoint in seen:
            continue
        seen.add(endpoint)
        answer = page.goto(address)
        assert answer is not None
        assert answer.ok, f"{address}: {answer.status}"
        links = page.locator("a[href]").evaluate_all("all => all.map(one => one.href)")
        for link in links:
            parts = urlsplit(link)
            way = f"{parts.path}?{parts.query}" if parts.query else parts.path
            if parts.netloc == urlsplit(page.url).netloc and _endpoint(known, way) not in seen:
                waiting.append(way)
        yield endpoint


def _endpoint(known: MapAdapter, address: str) -> str:
    """Return the endpoint of an address; empty: it is none of the pages."""
    try:
        endpoint, _ = known.match(urlsplit(address).path, method="GET")
    except HTTPException:
        return ""
    return "" if endpoint in NO_PAGES else str(endpoint)
