"""Switch and PostHog with the whole bridge between them: refusals, and a licence that lapses."""

from __future__ import annotations

import json

import pytest

from bridge.core.model.values import Ref
from bridge.errors import UnknownOutcome
from bridge.ledger import conflict_log, connection_health, hints, probes, timeline
from bridge.sandbox import population
from bridge.sandbox.exchange import Problem, answer
from bridge.sandbox.posthog import PostHogSandbox
from bridge.sandbox.switch import SwitchSandbox
from tests.flow.estate import SWITCH_AND_POSTHOG, Estate

SESSIONS = """
customers:
  entity: customer
  members: {helpdesk: {create: false}, screens: {create: false}}
  match: [[email]]
  precedence: [helpdesk, screens]
  fields:
    "*": {owner: helpdesk, revert: false}
    tags: {policy: merge, to: [helpdesk]}
screen-shares:
  entity: session
  members: {screens: {}, helpdesk: {create: true}}
  fields: {"*": first}
"""


@pytest.fixture
def estate(tmp_path):
    def make(syncs=SWITCH_AND_POSTHOG, **options):
        return Estate(tmp_path, files={"mappings/syncs.yaml": syncs}, options=options)

    return make


def met(estate, **fields):
    """A ticket that both sides have; give its ids."""
    made = {
        "subject": "Help",
        "customer_email": "ann@customer.example",
        "tags": ["billing"],
        **fields,
    }
    remote_id = estate.apps["helpdesk"].create(made)["id"]
    estate.hint("helpdesk", remote_id)
    refs = estate.refs("helpdesk", remote_id)
    assert set(refs) == {"helpdesk", "product"}
    return refs


def edit(estate, name, refs, fields):
    estate.apps[name].edit(refs[name], fields)
    estate.clock.advance(1)
    estate.hint(name, refs[name])


def shown(estate, name, refs):
    return next(row for row in estate.apps[name].tickets() if row["id"] == refs[name])


@pytest.mark.parametrize(
    ("option", "key", "fields", "sent"),
    [
        ("patch_tags", "tags", ({"add_tags": ["vip"]}, {"add_tags": ["beta"]}), "tags"),
        ("null_assignee", "assignee_id", ({"assignee": None}, {"priority": "low"}), "assignee_id"),
    ],
)
@pytest.mark.parametrize("honoured", [True, False])
def test_what_patch_does_not_document_is_tried_once_and_remembered(
    estate, option, key, fields, sent, honoured
):
    estate = estate(helpdesk={option: honoured})
    refs = met(estate, assignee_id="usr_1")
    for each in fields:
        edit(estate, "product", refs, each)
    tried = [row for row in estate.journal("helpdesk", "write") if sent in row.sent]
    with estate.ledger.read() as tx:
        known = probes.findings(tx, "helpdesk")
    if key == "tags":
        assert known == {"tags": honoured}
        assert len(tried) == (2 if honoured else 1)
        assert ("beta" in shown(estate, "helpdesk", refs)["tags"]) is honoured
        assert {"billing", "vip", "beta"} <= set(shown(estate, "product", refs)["tags"])
    else:
        assert (shown(estate, "helpdesk", refs)["assignee"] is None) is honoured
    before = len(estate.journal("helpdesk", "write"))
    estate.reconcile()
    assert len(estate.journal("helpdesk", "write")) == before


def test_a_licence_that_lapses_in_the_middle_removes_nobodys_tags(estate):
    """Tags were shown a moment before: by a webhook's read, a poll, and a full comparison."""
    estate = estate()
    known = {
        "anonymous_traits": {"email": "bo@customer.example", "subject": "Known"},
        "tags": ["old"],
    }
    estate.hint(
        "product", estate.apps["product"].create(known)["id"]
    )  # without one, no set is ever believed
    several = [
        met(estate, subject=f"Help {number}", tags=["billing", f"t{number}"]) for number in range(4)
    ]
    product = estate.apps["product"]
    assert [set(shown(estate, "product", refs)["tags"]) for refs in several] == [
        {"billing", f"t{number}"} for number in range(4)
    ]
    product.configure({"tags_licensed": False})
    edit(estate, "product", several[0], {"status": "pending"})
    edit(estate, "helpdesk", several[1], {"add_tags": ["urgent"]})
    for _ in range(3):
        estate.reconcile("poll")
        estate.clock.advance(1200)
        estate.reconcile("full")
    for number, refs in enumerate(several):
        assert {"billing", f"t{number}"} <= set(shown(estate, "helpdesk", refs)["tags"])
    product.configure({"tags_licensed": True})
    estate.clock.advance(1200)
    estate.hint("product", several[1]["product"])
    assert set(shown(estate, "product", several[1])["tags"]) == {"billing", "t1", "urgent"}
    edit(estate, "product", several[2], {"remove_tags": ["billing"]})
    assert shown(estate, "helpdesk", several[2])["tags"] == ["t2"]


def test_a_set_that_has_become_doubtful_is_looked_at_once_and_stands_on_the_timeline(estate):
    estate = estate()
    known = {
        "anonymous_traits": {"email": "bo@customer.example", "subject": "Known"},
        "tags": ["old"],
    }
    known = estate.apps["product"].create(known)["id"]
    estate.hint("product", known)
    refs = met(estate, tags=["billing"])
    for each in (known, refs["product"]):  # now nothing shows a tag there
        estate.apps["product"].edit(each, {"tags": []})
    for _ in range(3):
        estate.clock.advance(1200)
        estate.reconcile("full")
    link = next(
        each for each in estate.links() if each.sides["product"].remote_id == refs["product"]
    )
    with estate.ledger.read() as tx:
        lines = [line for line in timeline.timeline(tx, link.id) if line.kind == "unreadable"]
    assert [(line.connection, line.field) for line in lines] == [("product", "tags")]
    assert shown(estate, "helpdesk", refs)["tags"] == ["billing"]


def test_a_finished_screen_share_becomes_one_note_also_when_its_create_is_not_answered(estate):
    estate = estate(SWITCH_AND_POSTHOG + SESSIONS)
    refs = met(estate)
    screens, helpdesk = estate.apps["screens"], estate.connectors["helpdesk"]
    visitor = screens.create({"identities": ["ann@customer.example"], "tags": ["#VIP"]})["id"]
    number = screens.edit(visitor, {"start_session": True})["sessions"][0]["id"]
    estate.clock.advance(60)
    screens.edit(visitor, {"finish_session": number})
    create, lost = helpdesk.create, []

    def unanswered(draft):
        made = create(draft)
        if draft.entity == "session" and not lost:
            lost.append(made)
            raise UnknownOutcome("helpdesk", "no answer came")
        return made

    helpdesk.create = unanswered
    for _ in range(2):
        estate.reconcile("poll", "full")
    (note,) = estate.apps["helpdesk"].records("session")
    assert len(lost) == 1
    assert note["ticket_id"] == refs["helpdesk"]
    assert note["internal"] is True
    assert note["content_text"].startswith("Screen shared with")
    (customer,) = estate.apps["helpdesk"].records("customer")
    assert customer["custom_fields"] == {"tags": ["vip"]}
    assert not [
        row.note
        for app in estate.apps.values()
        for row in app.journal.since()
        if "forbidden" in row.note
    ]


DELETING = SWITCH_AND_POSTHOG.replace("  match:", "  delete: delete\n  match:").replace(
    "product: {create: when-supported}", "product: {create: when-supported, allow_delete: true}"
)


def test_deleting_that_no_personal_key_may_do_is_tried_once_and_stops_nothing(estate):
    made = estate(DELETING)
    product, helpdesk = made.apps["product"], made.apps["helpdesk"]

    asked = 0

    def refuse(call, project_id, ticket_id):  # noqa: ARG001
        nonlocal asked
        asked += 1
        said = "This action does not support Personal API Key access"
        raise Problem(403, "permission_denied", said)

    product.delete_ticket = refuse
    for number in range(2):
        refs = met(made, subject=f"Help {number}", customer_email=f"c{number}@customer.example")
        helpdesk.delete(refs["helpdesk"])
        made.hint("helpdesk", refs["helpdesk"])
        made.settle()
        assert product.store.get(refs["product"]) is not None
    assert asked == 1
    with made.ledger.read() as tx:
        assert "Personal API Key" in probes.reasons(tx, "product")["delete"]
        health = connection_health.get(tx, "product")
        assert health is None or health.refused_at is None
    assert made.parked() == []


def hide(made, hidden):
    """Keep tickets from the key's user, as PostHog does: out of lists, and 403 by name."""
    product = made.apps["product"]
    listed, found = product.list_tickets, product._found

    def list_tickets(call, project_id):
        shown = json.loads(listed(call, project_id).get_data())
        shown["results"] = [row for row in shown["results"] if row["id"] not in hidden]
        return answer(shown)

    def find(ticket_id):
        if ticket_id in hidden:
            said = "You do not have editor access to this resource."
            raise Problem(403, "permission_denied", said)
        return found(ticket_id)

    product.list_tickets, product._found = list_tickets, find


def test_a_hidden_ticket_is_set_aside_alone_and_goes_on_when_it_is_shown_again(estate):
    made = estate(DELETING)
    product, helpdesk = made.apps["product"], made.apps["helpdesk"]
    pairs = [
        met(made, subject=f"Help {number}", customer_email=f"c{number}@customer.example")
        for number in range(4)
    ]
    hidden = {pairs[0]["product"], pairs[1]["product"]}
    hide(made, hidden)
    for refs in pairs:
        product.edit(refs["product"], {"status": "pending"})
    with made.ledger.transaction() as tx:
        for refs in pairs:
            hints.give(tx, Ref("product", "ticket", refs["product"]), made.clock.now())
    made.settle()
    made.reconcile("full")
    states = [helpdesk.store.get(refs["helpdesk"])["status"] for refs in pairs]
    assert states == ["new", "new", "pending", "pending"]
    assert {row.cause for row in made.parked()} == {"Withheld"}
    assert len(made.parked()) == 2
    with made.ledger.read() as tx:
        health = connection_health.get(tx, "product")
        assert health is None or health.refused_at is None
    assert not any(side.tombstone for link in made.links() for side in link.sides.values())
    # One that is shown again as it was is looked at again, too.
    hidden.discard(pairs[1]["product"])
    product.edit(pairs[1]["product"], {"status": "new"})
    made.reconcile("full")
    assert len(made.parked()) == 1
    product.edit(pairs[1]["product"], {"status": "pending"})
    # A write to one of them is set aside, too, and the connection goes on.
    helpdesk.edit(pairs[0]["helpdesk"], {"priority": "urgent"})
    made.hint("helpdesk", pairs[0]["helpdesk"])
    assert {row.cause for row in made.parked()} == {"Withheld"}
    hidden.clear()
    made.reconcile("poll", "full")
    states = [helpdesk.store.get(refs["helpdesk"])["status"] for refs in pairs]
    assert states == ["pending"] * 4
    assert product.store.get(pairs[0]["product"])["priority"] == "critical"
    assert made.parked() == []


@pytest.mark.parametrize("later", ["helpdesk", "product"])
def test_from_a_group_to_a_person_while_somebody_chooses_another_is_settled_by_time_and_recorded(
    estate, later
):
    estate = estate()
    role = {"type": "role", "id": "018f3a6e-0000-7000-8000-0000000000aa"}
    asked = {"anonymous_traits": {"email": "ann@customer.example"}, "email_subject": "Help"}
    began = estate.apps["product"].create({**asked, "assignee": role})["id"]
    estate.hint("product", began)
    refs = estate.refs("product", began)
    somebody, another = population.AGENTS[:2]
    edits = {
        "helpdesk": {"assignee_id": SwitchSandbox.agent_id(somebody)},
        "product": PostHogSandbox.assignment(another),
    }
    for name in sorted(edits, key=lambda name: name == later):
        estate.clock.advance(60)
        estate.apps[name].edit(refs[name], edits[name])
    for name in refs:
        estate.hint(name, refs[name])
    shown_by = shown(estate, "helpdesk", refs)["assignee"]["id"]
    wanted = somebody if later == "helpdesk" else another
    assert shown_by == SwitchSandbox.agent_id(wanted)
    assert shown(estate, "product", refs)["assignee"]["id"] == 10 + wanted.number
    with estate.ledger.read() as tx:
        (row,) = [row for row in conflict_log.export(tx) if row["field"] == "assignee"]
    both = {row["detail"][who]["value"] for who in ("mine", "theirs")}
    assert both == {somebody.email, another.email}


@pytest.mark.parametrize("post", [405, 500, 403])
def test_where_no_ticket_can_be_made_that_is_found_out_once(estate, post):
    made = estate(product={"post": 405 if post == 403 else post})
    product, helpdesk = made.apps["product"], made.apps["helpdesk"]
    refuse, asked = product.create_ticket, []

    def create_ticket(call, project_id):
        asked.append(made.clock.now())
        if post == 403:
            said = "This action does not support Personal API Key access"
            raise Problem(403, "permission_denied", said)
        return refuse(call, project_id)

    product.create_ticket = create_ticket
    for number in range(4):
        ticket = {"subject": f"Help {number}", "customer_email": f"c{number}@customer.example"}
        made.hint("helpdesk", helpdesk.create(ticket)["id"])
        made.clock.advance(60)
    with made.ledger.read() as tx:
        assert probes.findings(tx, "product")["create ticket"] is False
        health = connection_health.get(tx, "product")
        assert health is None or health.refused_at is None
    assert len(asked) <= 2
    assert made.parked() == []
