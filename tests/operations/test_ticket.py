"""A ticket, and why its fields are as they are, as values."""

import json
from dataclasses import asdict
from datetime import timedelta

import pytest

from bridge.errors import UnknownName
from bridge.ledger import links, parking
from bridge.operations import evidence, find, ticket, why
from tests.flow.world import born


def test_a_ticket_is_a_value_with_its_state_sides_and_timeline(world, desk):
    ids = born(world)
    (link,) = world.links()
    shown = ticket.show(desk, f"H:{ids['H']}")
    assert (shown.id, shown.sync, shown.paused, shown.open) == (link.id, "tickets", False, [])
    assert shown.state["subject"].value == "It does not print"
    assert {name: side.id for name, side in shown.sides.items()} == ids
    assert shown.timeline[0].link_id == link.id
    assert {write["connection"] for write in shown.writes} <= {"L", "H"}


def test_its_json_has_the_promised_keys(world, desk):
    born(world)
    (link,) = world.links()
    values = json.loads(json.dumps(ticket.as_json(ticket.show(desk, link.id)), default=str))
    assert list(values) == [
        "id", "sync", "state", "open", "sides", "timeline", "writes", "conflicts",
    ]  # fmt: skip
    assert set(values["sides"]["H"]) == {
        *("id", "deleted", "detached", "retired", "read_at", "fields", "notes"),
    }
    assert set(values["state"]["subject"]) == {"value", "rev", "by"}
    assert {"at", "kind", "connection", "field"} <= set(values["timeline"][0])


def test_why_is_a_value_with_the_promised_keys(world, desk):
    ids = born(world)
    explanation = why.explain(desk, f"L:{ids['L']}", "status")
    assert explanation.sides["H"].because == "as agreed"
    values = asdict(explanation)
    assert list(values) == ["link", "field", "state", "policy", "policy_at", "history", "sides"]
    assert set(values["state"]) == {"value", "rev", "set_by", "in_conflict", "candidates"}
    assert set(values["sides"]["H"]) == {
        "id", "shows", "level", "seen", "because", "code", "last_write", "at", "unknown",
    }  # fmt: skip


def test_a_decision_is_a_reason_only_for_as_long_as_it_holds(world, desk):
    ids = born(world)
    (link,) = world.links()
    as_agreed = link.sides["H"].fields["status"].shadow

    def decide_and_ask(assignee_rev, shown="pending"):
        now = world.clock.now()
        with world.ledger.transaction() as tx:
            fence = links.lease(tx, link.id, "w", now, now + timedelta(seconds=9))
            loaded = links.load(tx, [link.id])[link.id]
            entry = loaded.sides["H"].fields["status"]
            entry.shadow, entry.level = shown, loaded.state["status"].rev
            entry.decided = {"status": loaded.state["status"].rev, "assignee": assignee_rev}
            entry.decided_why = "needs an assignee"
            links.save(tx, loaded, "w", fence, now)
            links.release(tx, link.id, "w", fence)
            rows = evidence.facts(world.context, tx)
        told = [row["why"] for row in rows if row["kind"] == "not_carried"]
        return told, why.explain(desk, f"L:{ids['L']}", "status").sides["H"].because

    rev = link.state["assignee"].rev
    assert decide_and_ask(rev) == (["needs an assignee"], "not carried: needs an assignee")
    assert decide_and_ask(rev + 1)[0] == []
    assert decide_and_ask(rev, shown=as_agreed)[1] == "as agreed"


def changed(world, change):
    """Store what a test makes of the one link."""
    now = world.clock.now()
    (link,) = world.links()
    with world.ledger.transaction() as tx:
        fence = links.lease(tx, link.id, "w", now, now + timedelta(seconds=9))
        loaded = links.load(tx, [link.id])[link.id]
        change(loaded)
        links.save(tx, loaded, "w", fence, now)
        links.release(tx, link.id, "w", fence)


def because(desk, ids, field):
    return why.explain(desk, f"L:{ids['L']}", field).sides["H"].because


def test_why_owes_a_write_when_the_decision_not_to_make_it_has_fallen(world, desk):
    ids = born(world)

    def fall(link):
        entry = link.sides["H"].fields["status"]
        entry.shadow, entry.level = "pending", link.state["status"].rev
        entry.decided = {"status": link.state["status"].rev, "assignee": 99}
        entry.decided_why = "needs an assignee"

    changed(world, fall)
    assert because(desk, ids, "status") == "a write is owed"
    (link,) = world.links()
    with world.ledger.transaction() as tx:
        parking.set_aside(
            tx,
            kind="deliver",
            key=f"deliver:H:{link.id}",
            connection="H",
            entity="ticket",
            link_id=link.id,
            payload={},
            why="the vendor says no",
            cause="Refused",
            now=world.clock.now(),
        )
    assert "its write is set aside: the vendor says no; `bridge parked retry " in because(
        desk, ids, "status"
    )


def test_why_owes_no_write_where_none_would_be_made(world, desk):
    ids = born(world)

    def behind(link):
        link.sides["H"].fields["status"].level = -1

    changed(world, behind)
    assert "a write is owed" not in because(desk, ids, "status")
    changed(world, lambda link: setattr(link, "paused", True))
    assert f"`bridge link resume L:{ids['L']}`" in because(desk, ids, "status")

    def missed(link):
        link.paused, link.sides["H"].missing_since = False, world.clock.now()
        link.sides["H"].fields["status"].shadow = "pending"

    changed(world, missed)
    assert "read once more" in because(desk, ids, "status")


def test_what_a_system_lacks_is_named_only_for_as_long_as_it_holds(world):
    born(world, tags=["a", "b"])

    def lack(link):
        elements = link.state["tags"].elements
        link.sides["H"].fields["tags"].lacks = {"a": elements["a"].rev, "b": elements["b"].rev + 9}

    changed(world, lack)
    with world.ledger.read() as tx:
        told = [row["why"] for row in evidence.facts(world.context, tx) if "why" in row]
    assert told == ["does not take a"]


def test_what_nothing_is_called_is_an_error_that_names_what_could_be_meant(world, desk):
    ids = born(world)
    (link,) = world.links()
    for ask in (
        lambda: ticket.show(desk, "H:none"),
        lambda: why.explain(desk, "H:none", "status"),
        lambda: find.named(desk, "H:none"),
    ):
        with pytest.raises(UnknownName, match="no ticket is called H:none"):
            ask()
    with pytest.raises(UnknownName, match="has no colour; allowed: subject"):
        why.explain(desk, link.id, "colour")
    with pytest.raises(UnknownName, match=f"L:{ids['L']} has no colour"):
        why.explain(desk, f"L:{ids['L']}", "colour")
    assert find.named(desk, link.id) == find.TicketMatch(link.id)
    assert find.named(desk, f"{ids['L']}") == find.TicketMatch(link.id)
