"""What no document settles, in use: PATCH at Switch, and what PostHog keeps besides a ticket."""

from __future__ import annotations

import pytest

from bridge.core.model.outcome_codes import Code
from bridge.ledger import parking, probes, timeline
from bridge.operations.evidence import facts
from tests.flow.estate import Estate

SWITCHES = """\
connections:
  helpdesk: {system: switch, base_url: "https://one.example/api/v1",
             credentials: {api_key: x}, poll: 5m}
  branch: {system: switch, base_url: "https://two.example/api/v1",
           credentials: {api_key: x}, poll: 5m}
"""
POSTHOGS = """\
connections:
  product: {system: posthog, base_url: "https://one.example", project_id: "1",
            credentials: {api_key: x}, poll: 5m}
  labs: {system: posthog, base_url: "https://two.example", project_id: "1",
         credentials: {api_key: x}, poll: 5m}
"""
BOTH = """\
connections:
  helpdesk: {system: switch, base_url: "https://one.example/api/v1",
             credentials: {api_key: x}, poll: 5m}
  product: {system: posthog, base_url: "https://one.example", project_id: "1",
            credentials: {api_key: x}, poll: 5m}
"""
SYNC = """\
tickets:
  entity: ticket
  members: {%s: {create: true}, %s: {create: %s}}
  match: [[customer, subject]]
  precedence: [%s, %s]
"""


@pytest.fixture
def estate(tmp_path):
    def make(connections, one, other, create="true", **options):
        agents = "agents:\n  - {email: mary@support.example, helpdesk: usr_1, branch: usr_1}\n"
        files = {
            "config/bridge.yaml": connections,
            "mappings/syncs.yaml": SYNC % (one, other, create, one, other),
            "mappings/agents.yaml": agents
            if one == "helpdesk" and other == "branch"
            else "agents: []\n",
        }
        return Estate(tmp_path / "home", files=files, options=options)

    return make


def edit(estate, name, refs, fields):
    estate.clock.advance(1)
    estate.apps[name].edit(refs[name], fields)
    estate.hint(name, refs[name])


def shown(estate, name, refs):
    return estate.apps[name].store.get(refs[name])


def begun(estate, name, fields):
    remote_id = estate.apps[name].create(fields)["id"]
    estate.hint(name, remote_id)
    return estate.refs(name, remote_id)


def lines(estate, kind, field):
    known = estate.links()
    with estate.ledger.read() as tx:
        found = [line for link in known for line in timeline.timeline(tx, link.id)]
    return [line for line in found if (line.kind, line.field) == (kind, field)]


@pytest.mark.parametrize("honoured", [True, False])
@pytest.mark.parametrize(
    ("option", "key", "first", "then"),
    [
        ("patch_subject", "subject", {"subject": "Other"}, {"subject": "Third"}),
        ("patch_tags", "tags", {"add_tags": ["vip"]}, {"add_tags": ["beta"]}),
        ("null_assignee", "assignee", {"assignee_id": None}, {"priority": "low"}),
    ],
)
def test_what_patch_may_ignore_is_written_once_and_what_is_ignored_said_once(
    estate, option, key, first, then, honoured
):
    """A key is known for all tickets once it was tried; an empty value only for its own."""
    estate = estate(SWITCHES, "helpdesk", "branch", helpdesk={option: honoured})
    people = {"customer_email": "ann@customer.example", "assignee_id": "usr_1"}
    one, two = (begun(estate, "branch", {"subject": each, **people}) for each in ("Help", "Please"))
    before = len(estate.journal("helpdesk", "write"))

    def sent():
        rows = estate.journal("helpdesk", "write")[before:]
        return [row.sent[name] for row in rows for name in (key, f"{key}_id") if name in row.sent]

    edit(estate, "branch", one, first)
    edit(estate, "branch", one, then)
    for _ in range(2):
        estate.reconcile("poll", "full")
    assert len(sent()) == (2 if honoured and key != "assignee" else 1)
    assert (shown(estate, "helpdesk", one)[key] == shown(estate, "branch", one)[key]) is honoured
    told = [
        line.detail.get("why", "")
        for line in lines(estate, "not carried", key)
        if "rev" not in line.detail
    ]
    told += [line.kind for line in lines(estate, "not taken", key) if key == "assignee"]
    ignored = "not taken" if key == "assignee" else f"{key} was ignored when first written"
    assert told == ([] if honoured else [ignored])
    edits = [
        line.detail["why"]
        for line in lines(estate, "not carried", key)
        if "element" not in line.detail
    ]
    assert set(edits) <= {ignored, f"this deployment ignores {key}"}
    edit(estate, "branch", two, first)
    assert len(sent()) == (2 if key == "assignee" else 3 if honoured else 1)
    with estate.ledger.read() as tx:
        assert probes.findings(tx, "helpdesk") == ({} if key == "assignee" else {key: honoured})


@pytest.mark.parametrize(
    ("option", "key", "fields"),
    [
        ("patch_tags", "tags", {"add_tags": ["vip"]}),
        ("patch_subject", "subject", {"subject": "Other"}),
    ],
)
def test_what_patch_refuses_is_said_and_never_parked_also_of_tickets_in_flight_at_once(
    estate, option, key, fields
):
    estate = estate(SWITCHES, "helpdesk", "branch", helpdesk={option: "refuse"})
    people = {"customer_email": "ann@customer.example"}
    tickets = [begun(estate, "branch", {"subject": f"Help {n}", **people}) for n in range(4)]
    estate.clock.advance(1)
    for refs in tickets:
        estate.apps["branch"].edit(refs["branch"], fields)
    for _ in range(2):
        estate.reconcile("poll", "full")
    assert parked(estate) == []
    refused = [row for row in estate.journal("helpdesk", "error") if key in row.sent]
    assert refused
    assert {line.detail.get("code") for line in lines(estate, "not carried", key)} >= {
        Code.SYSTEM_IGNORES
    }
    with estate.ledger.read() as tx:
        assert probes.findings(tx, "helpdesk") == {key: False}


def parked(estate):
    with estate.ledger.read() as tx:
        return [(row.key, row.why) for row in parking.parked(tx)]


def test_tags_that_are_ignored_stay_on_record_when_a_human_adds_one_there(estate):
    estate = estate(SWITCHES, "helpdesk", "branch", helpdesk={"patch_tags": False})
    refs = begun(estate, "branch", {"subject": "Help", "customer_email": "ann@customer.example"})
    for tag in ("vip", "beta"):
        edit(estate, "branch", refs, {"add_tags": [tag]})
    estate.hint("helpdesk", refs["helpdesk"])  # read as it is left alone: level
    edit(estate, "helpdesk", refs, {"add_tags": ["eu"]})
    estate.reconcile()
    assert set(shown(estate, "branch", refs)["tags"]) >= {"vip", "beta", "eu"}
    with estate.ledger.read() as tx:
        rows = facts(estate.context, tx)
    assert [
        (row["connection"], row["why"])
        for row in rows
        if (row["kind"], row.get("field")) == ("not_carried", "tags")
    ] == [("helpdesk", "this deployment ignores tags")]


def test_what_an_ai_agent_says_of_a_ticket_travels_both_ways(estate):
    estate = estate(POSTHOGS, "product", "labs", "when-supported")
    refs = begun(estate, "product", {"anonymous_traits": {"email": "ann@customer.example"}})
    edit(estate, "product", refs, {"escalation_reason": "asks for a human", "ai_resolved": True})
    assert shown(estate, "labs", refs)["escalation_reason"] == "asks for a human"
    assert shown(estate, "labs", refs)["ai_resolved"] is True
    edit(estate, "labs", refs, {"escalation_reason": None, "ai_resolved": False})
    assert shown(estate, "product", refs)["escalation_reason"] is None
    assert shown(estate, "product", refs)["ai_resolved"] is False
    assert lines(estate, "conflict", "ai_resolved") == []


def test_a_snoozed_ticket_is_on_hold_elsewhere_and_its_alarm_is_nobody_elses(estate):
    estate = estate(BOTH, "helpdesk", "product", "when-supported")
    refs = begun(
        estate,
        "helpdesk",
        {"subject": "Help", "customer_email": "ann@customer.example", "status": "open"},
    )
    edit(estate, "product", refs, {"snoozed_until": "2026-02-01T00:00:00Z"})
    assert shown(estate, "product", refs)["status"] == "on_hold"
    assert shown(estate, "helpdesk", refs)["status"] == "pending"  # the nearest that it has
    estate.reconcile("poll", "full")
    assert shown(estate, "product", refs)["status"] == "on_hold"
    edit(estate, "helpdesk", refs, {"status": "resolved"})
    assert shown(estate, "product", refs)["status"] == "resolved"
    assert shown(estate, "product", refs)["snoozed_until"] == "2026-02-01T00:00:00Z"
    edit(estate, "product", refs, {"snoozed_until": None})  # the alarm rings
    assert shown(estate, "helpdesk", refs)["status"] == "open"
    sent = {name for row in estate.journal("product", "write", "create") for name in row.sent}
    assert not {"snoozed_until", "sla_due_at"} & sent
