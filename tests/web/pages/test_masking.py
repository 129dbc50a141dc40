"""Whoever need not see personal values sees a mark instead, on every page and by every search."""

from __future__ import annotations

import json
import re
from dataclasses import replace

import pytest

from bridge.core.model.entities import BUILT_IN
from bridge.core.model.state import Note
from bridge.errors import NotPossible
from bridge.ledger import directory, parking, timeline
from bridge.operations import agents, conflicts, parked, status, ticket, tickets, why
from bridge.operations.masking import MASK, Mask
from bridge.operations.permissions import Role
from bridge.operations.tickets import Wanted
from tests.flow.estate import SWITCH_AND_POSTHOG, Estate
from tests.operations.desks import desk_of
from tests.web.pages.conftest import Elements, Site

MARKED = {
    "subject": "Zq-subject of somebody",
    "description": "Zq-description: my number is +49 30 1234567",
    "customer_email": "zq-customer@private.example",
    "customer_name": "Zq-name",
}
SECRET = re.compile(r"(?i)zq-|1234567")
STRANGER = "zq-agent@private.example"
GIVEN = {
    "code": "BRG-X",
    "act": "retry",
    "token": "t" * 43,
    "filename": "bridge.css",
    "name": "the-viewer",
    "connection": "helpdesk",
}


@pytest.fixture(scope="module")
def estate(tmp_path_factory):
    """A ticket full of marked personal values, in conflict, parked, and with a stranger."""
    syncs = SWITCH_AND_POSTHOG.replace("customer: first", "customer: manual")
    home = tmp_path_factory.mktemp("masked") / "home"
    made = Estate.on_disk(home, files={"mappings/syncs.yaml": syncs})
    record = made.apps["helpdesk"].create(MARKED)
    made.hint("helpdesk", record["id"])
    made.apps["helpdesk"].edit(record["id"], {"subject": "Zq-subject, changed"})
    made.hint("helpdesk", record["id"])
    (link,) = made.links()
    now = made.clock.now()
    said = 'helpdesk: 422 {"message": "Zq-description: my num… is too long"}'
    with made.ledger.transaction() as tx:
        parking.set_aside(
            tx,
            kind="deliver",
            key=f"deliver:{link.id}:helpdesk",
            connection="helpdesk",
            entity="ticket",
            link_id=link.id,
            payload={},
            why=said,
            cause="Refused",
            now=now,
        )
        told = [
            Note("refused", "helpdesk", "subject", {"why": said, "value": "Zq-refused"}),
            Note("wrote", "helpdesk", "", {"sent": {"subject": "Zq-sent", "odd": "Zq-odd"}}),
            Note("changed", "helpdesk", "status", {"before": "open", "why": "zq-x@y.example said"}),
        ]
        timeline.add(tx, link.id, now, told)
        directory.store_strangers(tx, link.id, [("helpdesk", "assignee", STRANGER)], now)
    yield made
    made.ledger.close()


@pytest.fixture
def desk(estate):
    found = desk_of(estate)
    settings = replace(found.config.settings, mask_personal=True)
    return replace(found, config=replace(found.config, settings=settings))


@pytest.fixture
def viewers(desk):
    return desk.seen_by("user:v", personal=False)


def addresses(site, link):
    """Every address that answers a GET, with this ticket where one is named."""
    for rule in site.app.url_map.iter_rules():
        if "GET" not in rule.methods or rule.endpoint in {"static", "styleguide.page"}:
            continue
        fields = sorted(link.state) if "field" in rule.arguments else [""]
        for field in fields:
            given = {"ref": link.id, "field": field, **GIVEN}
            known = {name: given.get(name, "1") for name in rule.arguments}
            with site.app.test_request_context():
                yield site.app.url_for(rule.endpoint, **known)


def test_no_page_shows_a_viewer_what_is_personal(estate, desk):
    (link,) = estate.links()
    site = Site(desk)
    viewer, operator = site.browser(Role.VIEWER), site.browser(Role.OPERATOR)
    shown, seen_by_operator = {}, 0
    for address in addresses(site, link):
        page = viewer.get(address).text
        if found := SECRET.search(page):
            shown[address] = page[max(0, found.start() - 80) : found.end() + 40]
        seen_by_operator += bool(SECRET.search(operator.get(address).text))
    assert shown == {}
    assert seen_by_operator >= 5  # that there is something to hide
    for part in ("/", "/tickets"):
        assert not SECRET.search(viewer.get(part, headers={"HX-Request": "true"}).text)


def test_where_nothing_says_so_a_viewer_sees_all(estate):
    (link,) = estate.links()
    page = Site(desk_of(estate)).browser(Role.VIEWER).get(f"/tickets/{link.id}").text
    assert "zq-customer@private.example" in page


def test_a_viewer_still_sees_how_a_ticket_stands(estate, desk):
    (link,) = estate.links()
    page = Elements(Site(desk).browser(Role.VIEWER).get(f"/tickets/{link.id}").text).text
    assert MASK in page
    assert {"helpdesk", "status", "open", "agrees"} <= set(page.split())


@pytest.mark.parametrize(
    ("asked", "status"),
    [
        ("text=zq-subject", 200),
        ("text=private.example", 200),
        ("email=zq-customer", 409),
        ("email=nobody", 409),
    ],
)
def test_nothing_is_found_by_what_is_hidden(estate, desk, asked, status):
    (link,) = estate.links()
    site = Site(desk)
    answer = site.browser(Role.VIEWER).get(f"/tickets?{asked}")
    assert answer.status_code == status
    assert link.id not in answer.text
    found = site.browser(Role.OPERATOR).get(f"/tickets?{asked}")
    assert (link.id in found.text) is ("nobody" not in asked)


def test_people_are_found_by_nobody_from_whom_they_are_hidden(desk):
    viewer = Site(desk).browser(Role.VIEWER)
    assert viewer.get("/people?text=mary").status_code == 409
    assert viewer.get("/people?after=m").status_code == 409
    assert viewer.get(f"/people/unmapped?connection=helpdesk&who={STRANGER}").status_code == 403
    assert "@support.example" not in viewer.get("/people").text


def test_a_record_is_found_by_its_id_all_the_same(estate, viewers):
    (link,) = estate.links()
    remote_id = link.sides["helpdesk"].remote_id
    (line,) = tickets.listed(viewers, Wanted(text=remote_id), limit=9).rows
    assert (line.id, line.subject, line.customer) == (link.id, MASK, MASK)


def test_every_operation_that_gives_values_away_hides_them(estate, viewers):
    """What an API would answer, too."""
    (link,) = estate.links()
    answers = [
        ticket.as_json(ticket.show(viewers, link.id)),
        tickets.listed(viewers, Wanted(), limit=9).rows,
        *(why.explain(viewers, link.id, field) for field in link.state),
        conflicts.list_open(viewers),
        parked.groups(viewers),
        parked.rows(viewers),
        agents.list_agents(viewers),
        status.seen_from(viewers, status.overview(viewers)),
    ]
    for answer in answers:
        assert not SECRET.search(json.dumps(answer, default=str) + repr(answer)), answer


def test_what_says_nothing_of_people_stays_and_what_nobody_declares_does_not():
    mask = Mask(BUILT_IN["ticket"], ["Ana"])
    assert mask.value("status", "open") == "open"
    assert mask.value("status", None) is None
    assert mask.value("tags", ["vip", "ana@x.example"]) == ["vip", MASK]
    assert mask.value("assignee", "ana@x.example") == MASK
    assert mask.value("a field of nobody", 7) == MASK
    assert mask.text("Ana wrote from <ana@x.example>") == f"{MASK} wrote from <{MASK}>"


def test_who_has_nothing_to_look_for_is_not_refused(viewers):
    with pytest.raises(NotPossible, match="ask an admin"):
        tickets.listed(viewers, Wanted(email="a"), limit=1)
    assert tickets.listed(viewers, Wanted(tag="vip"), limit=1).rows == []
