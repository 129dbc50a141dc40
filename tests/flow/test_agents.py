"""People whom nobody knows: their field, the worklist, and what happens once they have a row."""

from __future__ import annotations

import json

import pytest

from tests.flow.estate import Estate

TICKETS = """\
tickets:
  entity: ticket
  members: {helpdesk: {create: true}, product: {create: when-supported}}
  match: [[customer, subject]]
  precedence: [helpdesk, product]
"""
KNOWN = """\
agents:
  - {email: mary@support.example, helpdesk: usr_1, product: "user:11"}
  - {email: jonas@support.example, helpdesk: usr_2, product: "user:12"}
"""
ROW = '  - {email: tomas@support.example, helpdesk: usr_4, product: "user:14"}\n'
TOMAS, JONAS = {"type": "user", "id": 14}, {"type": "user", "id": 12}


@pytest.fixture
def bridge(tmp_path):
    def make(unmapped="leave"):
        files = {
            "mappings/syncs.yaml": TICKETS,
            "mappings/agents.yaml": f"{KNOWN}unmapped: {unmapped}\n",
        }
        return Estate.on_disk(tmp_path / "home", files=files)

    return make


def met(estate, subject, **fields):
    given = {
        "subject": subject,
        "customer_email": f"{subject}@customer.example",
        "assignee_id": "usr_1",
        **fields,
    }
    remote_id = estate.apps["helpdesk"].create(given)["id"]
    estate.hint("helpdesk", remote_id)
    return estate.refs("helpdesk", remote_id)


def assign(estate, refs, who, **more):
    estate.apps["product"].edit(refs["product"], {"assignee": who, **more})
    estate.clock.advance(1)
    estate.hint("product", refs["product"])


def hide(estate, refs):
    """Have PostHog show the number of a ticket's user, and nothing else of the person."""
    store = estate.apps["product"].store
    record = store.get(refs["product"])
    store.put({**record, "assignee": {**record["assignee"], "user": None}})


def owner(estate, refs):
    return (estate.apps["helpdesk"].store.get(refs["helpdesk"])["assignee"] or {}).get("id")


def worklist(estate):
    rows = json.loads(estate.command("agents", "--json"))["unmapped"]
    return [(row["connection"], row["who"], row["field"], row["tickets"]) for row in rows]


def later(estate, files):
    """Start again with other files; give what was written since."""
    before = {name: len(app.journal.since()) for name, app in estate.apps.items()}
    estate.start({"mappings/agents.yaml": files})
    estate.settle()
    return [
        (name, row.id, dict(row.sent))
        for name, app in estate.apps.items()
        for row in app.journal.since()[before[name] :]
        if row.kind == "write"
    ]


def test_the_worklist_counts_tickets_and_a_row_syncs_their_field_and_no_other(bridge):
    estate = bridge()
    first, second, third = (met(estate, name) for name in ("one", "two", "three"))
    assign(estate, first, TOMAS, priority="low")
    assign(estate, second, TOMAS)
    assign(estate, third, JONAS)
    assert [owner(estate, refs) for refs in (first, second, third)] == ["usr_1", "usr_1", "usr_2"]
    assert estate.apps["helpdesk"].store.get(first["helpdesk"])["priority"] == "low"
    assert worklist(estate) == [("helpdesk", "tomas@support.example", "assignee", 2)]
    told = estate.command("agents")
    assert "1 unmapped: add a row to mappings/agents.yaml, then restart" in told
    assert "helpdesk: tomas@support.example (assignee), 2 tickets, since 2026-01-05" in told
    written = later(estate, KNOWN + ROW)
    assert sorted(written) == sorted(
        ("helpdesk", refs["helpdesk"], {"assignee_id": "usr_4"}) for refs in (first, second)
    )
    assert "everybody is known" in estate.command("agents")


@pytest.mark.parametrize(
    ("unmapped", "becomes"),
    [("leave", "usr_1"), ("unassign", None), ("{assign: jonas@support.example}", "usr_2")],
)
def test_an_address_without_a_name_there_becomes_what_is_declared_until_it_has_one(
    bridge, unmapped, becomes
):
    estate = bridge(unmapped)
    refs = met(estate, "one")
    assign(estate, refs, TOMAS)
    assert owner(estate, refs) == becomes
    estate.reconcile()
    assert owner(estate, refs) == becomes
    assert estate.apps["product"].store.get(refs["product"])["assignee"]["id"] == 14
    assert worklist(estate) == [("helpdesk", "tomas@support.example", "assignee", 1)]
    written = later(estate, f"{KNOWN}{ROW}unmapped: {unmapped}\n")
    assert written == [("helpdesk", refs["helpdesk"], {"assignee_id": "usr_4"})]
    assert worklist(estate) == []


@pytest.mark.parametrize(
    ("unmapped", "becomes"),
    [("leave", "usr_1"), ("unassign", None), ("{assign: jonas@support.example}", "usr_2")],
)
def test_a_name_that_nobody_knows_becomes_what_is_declared_until_it_is_known(
    bridge, unmapped, becomes
):
    estate = bridge(unmapped)
    refs = met(estate, "one")
    estate.apps["product"].edit(refs["product"], {"assignee": TOMAS})
    hide(estate, refs)
    estate.hint("product", refs["product"])
    assert owner(estate, refs) == becomes
    estate.reconcile()
    assert owner(estate, refs) == becomes
    assert estate.apps["product"].store.get(refs["product"])["assignee"]["id"] == 14
    assert worklist(estate) == [("product", "user:14", "assignee", 1)]
    written = later(estate, f"{KNOWN}{ROW}unmapped: {unmapped}\n")
    assert written == [("helpdesk", refs["helpdesk"], {"assignee_id": "usr_4"})]
    assert worklist(estate) == []


@pytest.mark.parametrize(
    ("unmapped", "becomes"), [("unassign", None), ("{assign: jonas@support.example}", "usr_2")]
)
def test_somebody_who_is_met_later_on_another_ticket_is_known_on_all(bridge, unmapped, becomes):
    estate = bridge(unmapped)
    half = "  - {email: tomas@support.example, helpdesk: usr_4}\n"
    estate.start({"mappings/agents.yaml": f"{KNOWN}{half}unmapped: {unmapped}\n"})
    one, two = met(estate, "one"), met(estate, "two")
    estate.apps["product"].edit(one["product"], {"assignee": TOMAS})
    hide(estate, one)
    estate.hint("product", one["product"])
    assert (owner(estate, one), worklist(estate)) == (
        becomes,
        [("product", "user:14", "assignee", 1)],
    )
    assign(estate, two, TOMAS)
    assert (owner(estate, one), owner(estate, two), worklist(estate)) == ("usr_4", "usr_4", [])
    assert estate.apps["product"].store.get(one["product"])["assignee"]["id"] == 14
