"""What a shipped file's own comments propose instead: it checks, and a bridge runs with it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import pytest

from bridge import config as configuration
from bridge.connectors import CONNECTORS, connector_class
from tests.flow.estate import Estate

ROOT = Path(__file__).resolve().parents[2]
CLASSES = {system: connector_class(system) for system in CONNECTORS}


@dataclass(frozen=True)
class Proposal:
    """A change that a comment of a shipped file speaks of."""

    file: str
    says: str
    """What the comment says of it, word by word; line breaks aside."""
    old: str
    new: str


PROPOSALS = {
    "zaia's customers by their identifier": Proposal(
        "mappings/zaia.yaml",
        "use {read: [ownerEmail, ownerIdentifier], as: [first-non-empty, email]}",
        "customer: {read: ownerEmail, as: email}",
        "customer: {read: [ownerEmail, ownerIdentifier], as: [first-non-empty, email]}",
    ),
    "switch's replies to customers": Proposal(
        "mappings/switch.yaml",
        "With {path: internal, only_on: create}",
        "internal: {read: internal}",
        "internal: {path: internal, only_on: create}",
    ),
    "nobody for strangers": Proposal(
        "mappings/agents.yaml",
        "leave (the field is left alone and the record says why), unassign, or",
        "unmapped: leave",
        "unmapped: unassign",
    ),
    "somebody for strangers": Proposal(
        "mappings/agents.yaml",
        "or {assign: <e-mail>}",
        "unmapped: leave",
        "unmapped: {assign: mary@support.example}",
    ),
    "zaia's tags by hand": Proposal(
        "config/bridge.yaml",
        "false where GET /api/v1/tags is not offered; then list them under `tags`",
        "tag_listing: true",
        "tag_listing: false\n      tags: {vip: 5f0e7a52-31c4-4d0b-9a54-0c2f7b1d8e01}",
    ),
    "scopeai's subjects, more of them": Proposal(
        "mappings/syncs.yaml",
        "text goes in, the tags found there come back",
        'tags: {prefix: "scope:", min_salience: 0.3}',
        'tags: {prefix: "found:", min_salience: 0.1}',
    ),
}


def changed(proposal):
    text = (ROOT / proposal.file).read_text()
    said = " ".join(text.replace("\n", " ").replace("#", " ").split())
    assert " ".join(proposal.says.split()) in said
    assert text.count(proposal.old) == 1
    return text.replace(proposal.old, proposal.new)


@pytest.fixture(params=sorted(PROPOSALS))
def estate(request, tmp_path):
    proposal = PROPOSALS[request.param]
    return Estate(tmp_path, files={proposal.file: changed(proposal)})


def test_it_checks(estate):
    accounts = estate._accounts
    assert (
        configuration.check(estate.folder, environ={}, sandbox=accounts, connectors=CLASSES) == []
    )


def test_a_bridge_runs_with_it(estate):
    helpdesk, desk = estate.apps["helpdesk"], estate.apps["desk"]
    made = {"subject": "Help", "customer_email": "ann@customer.example", "description": "All"}
    ticket = helpdesk.create(made)["id"]
    desk.create(
        {"summary": "It stops.", "ownerEmail": None, "ownerIdentifier": "bo@customer.example"}
    )
    estate.reconcile("full", "poll")
    estate.reconcile("full")
    assert {"helpdesk", "product", "feedback"} <= set(estate.refs("helpdesk", ticket))
    assert len(estate.links()) == 2
    assert estate.parked() == []


def test_customers_by_identifier_are_read_and_telephone_numbers_are_not(tmp_path):
    proposal = PROPOSALS["zaia's customers by their identifier"]
    estate = Estate(tmp_path, files={proposal.file: changed(proposal)})
    desk = estate.apps["desk"]
    for identifier in ("Bo@Customer.example", "+49 171 5551234", None):
        desk.create({"summary": f"From {identifier}", "ownerIdentifier": identifier})
    estate.reconcile("full")
    customers = {link.state["subject"].value: link.state["customer"] for link in estate.links()}
    assert customers["From Bo@Customer.example"].value == "bo@customer.example"
    assert customers["From +49 171 5551234"].value is None
    assert customers["From None"].value is None


@pytest.mark.parametrize("path", sorted(ROOT.glob("mappings/*.yaml")), ids=lambda path: path.name)
def test_every_mapping_that_a_comment_writes_down_is_tried(path):
    comments = [line.partition("#")[2] for line in path.read_text().splitlines()]
    proposed = re.findall(r"\{[^{}]*\}", " ".join(" ".join(comments).split()))
    tried = " ".join(each.says for each in PROPOSALS.values() if each.file.endswith(path.name))
    assert [each for each in proposed if each not in tried] == []
