"""Acts in the pages: seen before they are done, done once, under the name of who did them."""

from __future__ import annotations

import re

import pytest

from bridge.core.model.syncs import FieldPolicy
from bridge.ledger import parking
from bridge.operations import audit_trail, conflicts, parked
from bridge.operations.permissions import Role
from tests.flow.world import World
from tests.operations.desks import desk_of
from tests.web.pages.conftest import Elements, Site, csrf_of


@pytest.fixture
def set_aside(site):
    """Three pieces of work that one vendor refused."""
    with site.desk.ledger.transaction() as tx:
        for number in range(3):
            parking.set_aside(
                tx,
                kind="deliver",
                key=f"deliver:{number}",
                connection="H",
                entity="ticket",
                link_id=f"link-{number}",
                payload={},
                why="H: <b>refused</b>",
                cause="Refused",
                now=site.desk.now(),
            )
    return site


def test_what_is_set_aside_is_freed_at_once_after_a_look(set_aside):
    browser = set_aside.browser(Role.OPERATOR)
    page = browser.get("/problems").text
    assert "<b>refused</b>" in Elements(page).text
    address = re.search(r'href="(/problems/[^"]+/retry)"', page)[1]
    look = browser.get(address).text
    assert "Free 3 pieces of work" in Elements(look).text
    assert len(parked.rows(set_aside.desk)) == 3
    done = browser.post(address, data={"csrf_token": csrf_of(look)}, follow_redirects=True)
    assert "3 pieces of work are under way again" in Elements(done.text).text
    assert "Nothing is set aside" in Elements(done.text).text
    assert parked.rows(set_aside.desk) == []
    again = browser.post(address, data={"csrf_token": csrf_of(look)})
    assert again.status_code == 404
    (act,) = audit_trail.acts(set_aside.desk, limit=9, action="parked")
    assert (act.actor, act.action) == ("user:the-operator", "parked retry")


def test_a_viewer_sees_problems_and_no_way_to_act(set_aside):
    page = set_aside.browser(Role.VIEWER).get("/problems").text
    assert "BRG-WRITE-REFUSED" in page
    assert "/retry" not in page


def edited_on_both(ledger, subjects):
    """A site on which the priority of each ticket was edited on both sides."""
    world = World(ledger=ledger, names="LH", priority=FieldPolicy("manual"))
    for subject in subjects:
        fields = {"subject": subject, "status": "open", "priority": "high", "tags": []}
        world.hint("L", world.systems["L"].add(**fields))
    world.settle()
    for link in world.links():
        world.systems["L"].edit(link.sides["L"].remote_id, priority="low")
        world.systems["H"].edit(link.sides["H"].remote_id, priority="urgent")
        for name, side in link.sides.items():
            world.hint(name, side.remote_id)
    world.settle()
    return Site(desk_of(world))


@pytest.fixture
def in_conflict(sqlite_ledger):
    return edited_on_both(sqlite_ledger, ["printer"])


def test_a_conflict_is_decided_for_a_side_by_who_may(in_conflict):
    (conflict,) = conflicts.list_open(in_conflict.desk)
    viewer, operator = in_conflict.browser(Role.VIEWER), in_conflict.browser(Role.OPERATOR)
    assert "Take this" not in viewer.get("/conflicts").text
    page = operator.get("/conflicts").text
    assert page.count("Take this") == 2
    decided = {"link": conflict.link, "field": "priority", "take": "H"}
    assert viewer.post("/conflicts", data=decided).status_code == 403
    assert operator.post("/conflicts", data=decided).status_code == 400  # without its token
    form = decided | {"csrf_token": csrf_of(page)}
    done = operator.post("/conflicts", data=form, follow_redirects=True)
    assert "priority is urgent, as H says" in Elements(done.text).text
    assert conflicts.list_open(in_conflict.desk) == []
    again = operator.post("/conflicts", data=form)
    assert (again.status_code, again.headers["X-Outcome-Code"]) == (409, "BRG-PAGE-NOT-POSSIBLE")


def test_several_conflicts_are_decided_at_once_and_what_cannot_be_is_said(sqlite_ledger):
    site = edited_on_both(sqlite_ledger, ["printer", "scanner", "screen"])
    browser = site.browser(Role.OPERATOR)
    page = browser.get("/conflicts").text
    assert "chosen" not in site.browser(Role.VIEWER).get("/conflicts").text
    first, *others = re.findall(r'name="chosen" value="([^"]+)"', page)
    form = {"csrf_token": csrf_of(page), "take": "H", "shown": [first, *others]}
    nothing = browser.post("/conflicts/several", data=form, follow_redirects=True)
    assert "nothing is decided" in Elements(nothing.text).text
    one = browser.post("/conflicts/several", data=form | {"chosen": first}, follow_redirects=True)
    assert "1 conflict is decided as H says" in Elements(one.text).text
    rest = browser.post("/conflicts/several", data=form | {"all": "1"}, follow_redirects=True)
    said = Elements(rest.text).text
    assert "2 conflicts are decided as H says" in said
    assert "Not decided: " in said
    assert conflicts.list_open(site.desk) == []
