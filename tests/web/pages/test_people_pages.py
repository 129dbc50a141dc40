"""People: who is known, who is not, and the row by which somebody becomes known."""

from __future__ import annotations

import re

import pytest

from bridge.ledger import directory, mapping_revisions
from bridge.operations import audit_trail
from bridge.operations.desk import opened
from bridge.operations.permissions import Role
from bridge.web.pages import people_pages
from tests.cli.conftest import KEYS
from tests.cli.test_files_differ import NOWHERE
from tests.flow.estate import SWITCH_AND_POSTHOG, Estate
from tests.operations.desks import desk_of
from tests.web.pages.conftest import Elements, Site, csrf_of

TOMAS = {"type": "user", "id": 14}
WITHOUT_TOMAS = """\
agents:
  - {email: mary@support.example, helpdesk: usr_1, product: "user:11"}   # leads
  - {email: tomas@support.example, product: "user:14"}
"""


@pytest.fixture
def estate(tmp_path, monkeypatch):
    """A ticket that Tomas is in charge of at one side; at the other he has no name."""
    for name, value in {**KEYS, **NOWHERE}.items():
        monkeypatch.setenv(name, value)
    files = {"mappings/syncs.yaml": SWITCH_AND_POSTHOG, "mappings/agents.yaml": WITHOUT_TOMAS}
    made = Estate.on_disk(tmp_path / "home", files=files)
    record = made.apps["helpdesk"].create(
        {"subject": "one", "customer_email": "ana@customer.example", "assignee_id": "usr_1"}
    )
    made.hint("helpdesk", record["id"])
    refs = made.refs("helpdesk", record["id"])
    made.apps["product"].edit(refs["product"], {"assignee": TOMAS})
    made.clock.advance(1)
    made.hint("product", refs["product"])
    yield made
    made.ledger.close()


def way_to(browser):
    return re.search(r'href="(/people/unmapped[^"]+)"', browser.get("/people").text)[1].replace(
        "&amp;", "&"
    )


def test_whom_nobody_knows_is_shown_with_the_tickets_that_wait(estate):
    browser = Site(desk_of(estate)).browser(Role.OPERATOR)
    page = Elements(browser.get("/people").text).text
    assert "tomas@support.example" in page
    assert "mary@support.example" in page
    one = Elements(browser.get(way_to(browser)).text)
    assert any("/tickets/" in (attrs.get("href") or "") for _, attrs in one.found)
    assert "Look at the row" not in one.text


def test_where_files_decide_the_line_is_shown_and_nothing_is_written(estate):
    browser = Site(desk_of(estate)).browser(Role.MAPPER)
    before = (estate.folder / "mappings/agents.yaml").read_text()
    address = way_to(browser)
    shown = browser.get(f"{address}&email=tomas@support.example&name=usr_4").text
    text = Elements(shown).text
    assert "helpdesk: usr_4" in text
    assert "mappings/agents.yaml:3" in text
    assert "bridge agents add tomas@support.example helpdesk usr_4" in text
    assert "Publish the row" not in text
    form = {"csrf_token": csrf_of(shown), "connection": "helpdesk"}
    form |= {"who": "tomas@support.example", "email": "tomas@support.example", "name": "usr_4"}
    assert browser.post("/people/unmapped", data=form).status_code == 409
    assert (estate.folder / "mappings/agents.yaml").read_text() == before


def test_a_published_row_makes_somebody_known_and_the_ticket_follows(estate):
    settings = estate.folder / "config" / "bridge.yaml"
    settings.write_text(f"mappings: ledger\n{settings.read_text()}")
    estate.command("mappings", "publish", "--yes")
    with opened(estate.folder, "local:me") as desk:
        site = Site(desk)
        browser = site.browser(Role.MAPPER)
        asked = f"{way_to(browser)}&email=tomas@support.example&name=usr_4"
        look = browser.get(asked).text
        shown = look[: look.index("Publish the row")]
        form = dict(re.findall(r'type="hidden" name="(\w+)" value="([^"]*)"', shown))
        done = browser.post("/people/unmapped", data=form, follow_redirects=True)
        assert "is known at helpdesk" in Elements(done.text).text
        with desk.ledger.read() as tx:
            files = mapping_revisions.newest(tx).files
        (act,) = audit_trail.acts(desk, limit=1, action="person added")
    assert act.actor == "user:the-mapper"
    row = 'tomas@support.example, product: "user:14"'
    assert files["agents.yaml"] == WITHOUT_TOMAS.replace(row, f"{row}, helpdesk: usr_4")
    estate.start({f"mappings/{name}": text for name, text in files.items()})
    estate.settle()
    (ticket,) = estate.apps["helpdesk"].tickets()
    assert ticket["assignee"]["id"] == "usr_4"
    after = Site(desk_of(estate)).browser().get("/people").text
    assert "Everybody is known" in Elements(after).text


@pytest.mark.parametrize(
    ("email", "name", "said"),
    [
        ("nobody", "usr_4", "is no e-mail address"),
        ("tomas@support.example", "usr_1", "is mary@support.example by"),
        ("mary@support.example", "usr_9", "calls mary@support.example"),
    ],
)
def test_a_row_that_cannot_be_is_refused_with_why(estate, email, name, said):
    browser = Site(desk_of(estate)).browser(Role.MAPPER)
    asked = {"connection": "helpdesk", "who": "x", "email": email, "name": name}
    answer = browser.get("/people/unmapped", query_string=asked)
    assert answer.status_code == 409
    assert said in Elements(answer.text).text


def test_the_command_adds_the_row_to_the_file(estate):
    said = estate.command("agents", "add", "Zoe@support.example", "helpdesk", "usr_9")
    assert '- {email: "zoe@support.example", helpdesk: usr_9}' in said
    assert "restart the bridge" in said
    text = (estate.folder / "mappings/agents.yaml").read_text()
    assert text == f'{WITHOUT_TOMAS}  - {{email: "zoe@support.example", helpdesk: usr_9}}\n'


def test_who_is_known_is_listed_by_parts_and_found_by_a_part(estate, monkeypatch):
    monkeypatch.setattr(people_pages, "PAGE_SIZE", 2)
    desk = desk_of(estate)
    with desk.ledger.transaction() as tx:
        for number in range(3):
            directory.learn(
                tx, "helpdesk", f"l{number}", f"learned{number}@x.example", "", desk.now()
            )
    browser, seen, address = Site(desk).browser(), [], "/people?text=example"
    while address:
        page = browser.get(address).text
        seen += re.findall(r'scope="row"><bdi class="foreign">([^<]+)</bdi>', page)
        found = re.search(r'href="([^"]+)" rel="next"', page)
        address = found and found[1].replace("&amp;", "&")
    known = ["mary@support.example", "tomas@support.example"]
    assert seen == [*(f"learned{number}@x.example" for number in range(3)), *known]
    page = Elements(browser.get("/people?text=LEARNED1").text).text
    assert "learned1@x.example" in page
    assert "Nobody fits" in Elements(browser.get("/people?text=zzz").text).text
