"""What pages show, how large they are, and that whatever a stranger wrote is text."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import quote

import pytest

from bridge.core.model.outcome_codes import Code
from bridge.errors import LedgerError, NotPossible
from bridge.ledger import connection_health
from bridge.operations import status
from bridge.operations.permissions import Role
from bridge.operations.recent_overview import KEPT
from bridge.web.pages import shown_text, styleguide, ticket_pages
from bridge.web.pages.headers import HEADERS, POLICY
from tests.flow.world import born
from tests.operations.desks import desk_of
from tests.web.pages.conftest import Elements, Site

TEMPLATES = Path(styleguide.__file__).parent / "templates"
HOSTILE = (
    *styleguide.HOSTILE,
    "' onmouseover=alert(1) x='",
    "</textarea></title></script>",
    "&lt;b&gt;",
)
OURS = {
    *("a", "bdi", "body", "button", "caption", "circle", "code", "dd", "defs", "div", "dl", "dt"),
    *("figcaption", "figure", "footer", "form", "g", "h1", "h2", "h3", "head", "header", "html"),
    *("img", "input", "label", "li", "link", "main", "marker", "meta", "meter", "nav", "ol"),
    *("option", "p", "path"),
    *("details", "fieldset", "legend", "progress", "summary", "textarea"),
    *("rect", "script", "section", "select", "small", "span", "strong", "svg", "table", "tbody"),
    *("td", "text", "th", "thead", "time", "title", "tr", "ul"),
}
"""The elements that templates are made of."""
LARGEST = 100_000


def inert(page):
    """Say that nothing in a page came to life: known elements, known scripts, no handlers."""
    found = Elements(page).found
    assert {tag for tag, _ in found} <= OURS
    scripts = [attrs for tag, attrs in found if tag == "script"]
    assert all(set(attrs) == {"src", "defer"} for attrs in scripts)
    assert len(scripts) == 2
    names = {name for _, attrs in found for name in attrs}
    assert not {name for name in names if name.startswith(("on", "hx-on"))}
    assert "style" not in names
    for _, attrs in found:
        for name in ("href", "src", "action", "hx-get"):
            assert (attrs.get(name) or "/").startswith(("/", "#", "?")), attrs


@pytest.fixture
def browser(site):
    return site.browser()


def seen(text):
    """The text as a reader of the page finds it."""
    return " ".join(shown_text.shown(text).split())


def test_whatever_stands_in_a_ticket_is_text(world, browser):
    for text in HOSTILE:
        remote_id = world.systems["L"].add(
            subject=text, status="open", priority="high", tags=[text[:40]]
        )
        world.hint("L", remote_id)
    world.settle()
    links = world.links()
    assert len(links) == len(HOSTILE)
    for path in ("/", "/tickets"):
        inert(browser.get(path).text)
    for link in links:
        page = browser.get(f"/tickets/{link.id}").text
        inert(page)
        assert seen(link.state["subject"].value) in Elements(page).text
        inert(browser.get(f"/tickets/{link.id}/why/subject").text)


def test_every_component_shows_text_as_text(monkeypatch, browser):
    monkeypatch.setattr(styleguide, "HOSTILE", HOSTILE)
    page = browser.get("/styleguide").text
    inert(page)
    assert [text for text in HOSTILE if seen(text) not in Elements(page).text] == []


def test_what_somebody_asks_for_comes_back_as_text(browser):
    for text in HOSTILE:
        asked = dict.fromkeys(("text", "state", "email", "tag"), text)
        page = browser.get("/tickets", query_string=asked)
        assert page.status_code == 200
        inert(page.text)
        inert(browser.get(f"/tickets/{quote(text[:60], safe='')}").text)
        inert(browser.get("/tickets", query_string={"sync": text, "after": text}).text)


def test_what_a_browser_would_obey_is_made_visible():
    assert shown_text.shown("a\u202eb\x1b\x00\u2066") == "a⟨U+202E⟩b␛␀⟨U+2066⟩"
    assert shown_text.shown("two\nlines\tand 👩\u200d💻 عربي") == "two\nlines\tand 👩\u200d💻 عربي"
    assert shown_text.shown(7) == 7


def test_what_stands_between_backticks_is_code_and_still_text():
    told = shown_text.with_code("say `bridge check`, then `<b>` \x1b")
    assert told == "say <code>bridge check</code>, then <code>&lt;b&gt;</code> ␛"


def test_all_components_are_in_the_style_guide():
    guide = (TEMPLATES / "styleguide.html").read_text()
    missing = []
    for path in (TEMPLATES / "components").glob("*.html"):
        alias = re.search(rf'import "components/{path.name}" as (\w+)', guide)
        for name in re.findall(r"{% macro (\w+)", path.read_text()):
            used = alias and f"{alias[1]}.{name}(" in guide
            within = len(re.findall(rf"\b{name}\(", path.read_text())) > 1
            if not used and not within and path.name != "map.html":
                missing.append(f"{path.name}:{name}")
    assert missing == []


def test_no_template_turns_escaping_off_or_has_anything_inline():
    for path in TEMPLATES.rglob("*.html"):
        text = path.read_text()
        assert not re.search(r"\|\s*safe|autoescape|Markup|\sstyle=|\son\w+=|hx-on|js:", text), path


# The overview.


def test_nothing_to_do_is_said_plainly(world, browser):
    born(world)
    page = Elements(browser.get("/").text).text
    assert "Nothing to do" in page or "Needs a human" in page


def test_what_needs_a_human_comes_by_tickets_concerned(world, site, browser):
    born(world)
    with site.desk.ledger.transaction() as tx:
        connection_health.refuse(tx, "H", "H: answered 401", site.desk.now())
    page = browser.get("/").text
    first = page.index("BRG-401-KEY")
    others = [match.start() for match in re.finditer(r"<code>BRG-", page)]
    assert first == min(others) + len("<code>")
    assert "stopped" in Elements(page).text


def test_the_living_part_is_sent_again_only_when_something_moved(world, site, browser):
    born(world)
    world.clock.advance(3600)
    first = browser.get("/", headers={"HX-Request": "true"})
    assert "<html" not in first.text
    tag = {"HX-Request": "true", "If-None-Match": first.headers["ETag"]}
    assert browser.get("/", headers=tag).status_code == 304
    with site.desk.ledger.transaction() as tx:
        connection_health.refuse(tx, "H", "H: answered 401", site.desk.now())
    world.clock.advance(KEPT.total_seconds())
    assert browser.get("/", headers=tag).status_code == 200


def test_many_who_look_at_once_cost_what_one_does(monkeypatch, world, site, browser):
    looks = []
    look = status.overview
    monkeypatch.setattr(status, "overview", lambda desk: looks.append(1) or look(desk))
    other = site.browser(Role.VIEWER)
    for _ in range(5):
        assert browser.get("/").status_code == other.get("/").status_code == 200
    assert len(looks) == 1
    world.clock.advance(KEPT.total_seconds())
    browser.get("/")
    assert len(looks) == 2


# Tickets.


def test_a_list_goes_on_by_keys_and_keeps_its_filter(world, browser, monkeypatch):
    for number in range(5):
        remote_id = world.systems["L"].add(
            subject=f"printer {number}", status="open", priority="high", tags=[]
        )
        world.hint("L", remote_id)
        world.clock.advance(1)
        world.settle()
    monkeypatch.setattr(ticket_pages, "PAGE_SIZE", 2)
    found_in_order, address = [], "/tickets?text=printer&state=in+step"
    while address:
        page = browser.get(address).text
        found_in_order += re.findall(r"printer \d", page)
        found = re.search(r'href="([^"]+)" rel="next"', page)
        address = found and found[1].replace("&amp;", "&")
        assert address is None or {"text=printer", "state=in+step"} <= set(
            re.split(r"[?&]", address)
        )
    assert found_in_order == [f"printer {number}" for number in (4, 3, 2, 1, 0)]


def test_a_filter_that_nothing_fits_looks_at_so_many_and_offers_to_go_on(
    world, browser, monkeypatch
):
    for number in range(3):
        remote_id = world.systems["L"].add(
            subject=f"printer {number}", status="open", priority="high", tags=[]
        )
        world.hint("L", remote_id)
        world.clock.advance(1)
        world.settle()
    monkeypatch.setattr(ticket_pages, "LOOKED_AT", 2)
    first = browser.get("/tickets?text=printer+0").text
    assert "None of the 2 looked at fits" in Elements(first).text
    older = re.search(r'href="([^"]+)" rel="next"', first)[1].replace("&amp;", "&")
    assert "printer 0" in browser.get(older).text


def test_the_same_is_there_in_a_terminal(ticket, browser):
    commands = {
        "/": "bridge status",
        "/tickets?text=it's&state=in+step": "bridge tickets 'it'\\''s' --state 'in step'",
        f"/tickets/{ticket}": f"bridge ticket {ticket}",
        f"/tickets/{ticket}/why/status": f"bridge why {ticket} status",
    }
    for path, command in commands.items():
        assert command in Elements(browser.get(path).text).text


def test_a_ticket_shows_each_side_beside_what_was_agreed(world, ticket, browser):
    page = Elements(browser.get(f"/tickets/{ticket}").text)
    assert "It does not print" in page.text
    labels = {attrs.get("data-label") for tag, attrs in page.found if tag == "td"}
    assert {"Agreed", "L", "H"} <= labels
    assert "agrees" in page.text
    assert "The bridge made the record at H" in page.text
    times = [attrs for tag, attrs in page.found if tag == "time"]
    assert all(re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\dZ", each["title"]) for each in times)
    assert world.links()


def test_a_ticket_is_found_by_the_beginning_of_a_vendors_id(world, ticket, browser):
    side = world.links()[0].sides["L"]
    assert browser.get(f"/tickets/L:{side.remote_id}").status_code == 200
    assert ticket


def test_a_vendors_ticket_is_a_link_where_the_files_say_where_it_is(world, ticket):
    desk = desk_of(world)
    own = dict(desk.config.connections)
    own["L"] = replace(own["L"], ticket_url="https://l.example/t/{id}?x=1")
    site = Site(replace(desk, config=replace(desk.config, connections=own)))
    side = world.links()[0].sides["L"]
    for path in ("/tickets", f"/tickets/{ticket}", f"/tickets/{ticket}/why/status"):
        found = Elements(site.browser().get(path).text).found
        away = [attrs for tag, attrs in found if (attrs.get("href") or "").startswith("http")]
        assert away
        for attrs in away:
            assert attrs["href"] == f"https://l.example/t/{quote(side.remote_id, safe='')}?x=1"
            assert attrs["rel"] == "noreferrer noopener"


@pytest.mark.parametrize(
    ("remote_id", "address"),
    [
        ("a/../b?c#d", "https://l.example/t/a%2F..%2Fb%3Fc%23d"),
        ("..", ""),
        ("", ""),
        ("x{id}", "https://l.example/t/x%7Bid%7D"),
    ],
)
def test_an_id_leads_nowhere_else(world, remote_id, address):
    desk = desk_of(world)
    own = {"L": replace(desk.config.connections["L"], ticket_url="https://l.example/t/{id}")}
    desk = replace(desk, config=replace(desk.config, connections=own))
    assert desk.record_url("L", remote_id) == address
    assert desk.record_url("H", remote_id) == ""


def test_pages_stay_small_however_long_the_texts(world, browser):
    born(world, subject="W" * 100_000)
    (link,) = world.links()
    for _ in range(30):
        world.systems["L"].edit(link.sides["L"].remote_id, subject="M" * 50_000)
        world.clock.advance(60)
    for path in ("/", "/tickets", f"/tickets/{link.id}", f"/tickets/{link.id}/why/subject"):
        assert len(browser.get(path).data) < LARGEST, path


# Refusals.


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (NotPossible("not so"), 409, Code.PAGE_NOT_POSSIBLE),
        (LedgerError("the ledger is away"), 503, Code.LEDGER),
        (RuntimeError("s3cret"), 500, Code.DEFECT),
    ],
)
def test_an_error_ends_in_a_page_with_its_code(site, browser, monkeypatch, error, status, code):
    def fail():
        raise error

    fail.needs = site.app.view_functions["overview.page"].needs
    monkeypatch.setitem(site.app.view_functions, "overview.page", fail)
    answer = browser.get("/")
    assert (answer.status_code, answer.headers["X-Outcome-Code"]) == (status, code)
    page = Elements(answer.text).text
    assert code in page
    assert "What to do" in page
    assert "s3cret" not in page


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [("GET", "/nope", 404), ("GET", "/tickets/zzzzz", 404), ("DELETE", "/tickets", 405)],
)
def test_what_is_not_there_is_said_in_a_page(browser, method, path, status):
    answer = browser.open(path, method=method)
    assert answer.status_code == status
    assert answer.headers["X-Outcome-Code"].startswith("BRG-PAGE-")
    inert(answer.text)


@pytest.mark.parametrize("path", ["/", "/nope", "/sign-in", "/static/bridge.css", "/tickets/zzzzz"])
def test_every_answer_has_the_headers(browser, path):
    answer = browser.get(path, buffered=True)
    for name, value in HEADERS:
        assert answer.headers.getlist(name) == [value]
    assert ("no-store" in answer.headers["Cache-Control"]) is not path.startswith("/static")
    assert "unsafe" not in POLICY
    assert "Strict-Transport-Security" not in answer.headers
    by_https = browser.get(path, base_url="https://bridge.example", buffered=True)
    assert by_https.headers["Strict-Transport-Security"] == "max-age=31536000"


def test_no_other_origin_reads_or_embeds_an_answer(browser):
    for path in ("/", "/tickets", "/static/bridge.css"):
        for method in ("GET", "OPTIONS"):
            answer = browser.open(
                path, method=method, headers={"Origin": "https://evil.example"}, buffered=True
            )
            assert not [name for name, _ in answer.headers if name.startswith("Access-")]
            assert answer.headers["Cross-Origin-Resource-Policy"] == "same-origin"
            assert "frame-ancestors 'none'" in answer.headers["Content-Security-Policy"]


def test_a_method_that_echoes_what_was_sent_is_none(browser):
    answer = browser.open("/tickets", method="TRACE", headers={"X-Sent": "secret"})
    assert answer.status_code == 405
    assert "secret" not in answer.text


def test_fields_for_passwords_are_masked_and_open_to_password_managers(site, browser):
    found = []
    for who, path in ((site.nobody(), "/sign-in"), (browser, "/account")):
        for tag, attrs in Elements(who.get(path).text).found:
            if tag == "input" and attrs.get("name") in {"password", "old", "new", "again"}:
                found.append(attrs["name"])
                assert attrs["type"] == "password"
                assert attrs["autocomplete"] in {"current-password", "new-password"}
                assert int(attrs["maxlength"]) >= 64
    assert {"password", "new", "again"} <= set(found)


def test_htmx_may_evaluate_nothing_and_keeps_no_page(browser):
    found = Elements(browser.get("/").text).found
    (given,) = [attrs["content"] for tag, attrs in found if attrs.get("name") == "htmx-config"]
    wanted = {"allowEval": False, "includeIndicatorStyles": False, "historyCacheSize": 0}
    assert wanted.items() <= json.loads(given).items()


def test_moments_are_told_from_now():
    now = datetime(2026, 1, 5, 9, tzinfo=UTC)
    told = {
        seconds: shown_text.ago(now - timedelta(seconds=seconds), now)
        for seconds in (0, 30, 60, 7300, 86400, 3 * 86400, -90)
    }
    assert list(told.values()) == [
        "just now",
        "30 s ago",
        "1 min ago",
        "2 hours ago",
        "1 day ago",
        "3 days ago",
        "in 1 min",
    ]
