"""The view of operators: account metrics, and records that only a human can tell apart."""

from __future__ import annotations

import json

import pytest

from bridge.ledger import drift_findings, webhook_inbox
from bridge.runs import account_metrics
from bridge.web.app import create_app
from tests.flow.estate import Estate
from tests.web.receiver import Rung


@pytest.fixture
def estate(tmp_path):
    return Estate.on_disk(tmp_path / "home")


def test_usage_and_unread_messages_are_in_the_status_and_the_metrics(estate):
    screens = estate.apps["screens"]
    visitor = screens.create({"identities": ["ann@customer.example"]})["id"]
    screens.edit(visitor, {"start_session": True})
    ticket = {"anonymous_traits": {"email": "bo@customer.example"}, "unread_team_count": 2}
    estate.apps["product"].create(ticket)
    with estate.ledger.transaction() as tx:
        assert set(
            account_metrics.queue_due_fetches(tx, estate.connectors, estate.clock.now())
        ) == {
            "screens",
            "product",
        }
    estate.settle()
    rows = {
        row["connection"]: row["figures"]
        for row in json.loads(estate.command("status", "--json"))["connections"]
    }
    assert (rows["screens"]["sessions_now"], rows["product"]) == (1, {"unread_tickets": 2})
    assert rows["helpdesk"] == {}
    assert "screens: sessions now 1" in estate.command("status")
    app = create_app(
        estate.config, estate.ledger, Rung(estate.ledger), estate.clock, estate.connectors
    )
    lines = app.test_client().get("/metrics").text.splitlines()
    assert 'bridge_figure{connection="screens",name="sessions_now"} 1' in lines
    assert 'bridge_figure{connection="product",name="unread_tickets"} 2' in lines


def test_what_belongs_to_no_open_ticket_is_told_once_and_why(estate):
    screens = estate.apps["screens"]
    visitor = screens.create({"identities": ["ann@customer.example"]})["id"]
    number = screens.edit(visitor, {"start_session": True})["sessions"][0]["id"]
    screens.edit(visitor, {"finish_session": number})
    for _ in range(3):
        estate.clock.advance(3600)
        estate.reconcile("poll", "full")
    with estate.ledger.read() as tx:
        (row,) = [each for each in drift_findings.recent(tx) if each.entity == "session"]
    assert (row.kind, row.why, row.healed_at) == (
        "new",
        "not mirrored: its customer has no open ticket",
        None,
    )


PAIR = """\
tickets:
  entity: ticket
  members: {product: {create: false}, desk: {create: false}}
  match: [[customer, created_at ± 2m]]
  precedence: [product, desk]
  fields: {description: {owner: desk, revert: false}, tags: merge}
"""


def webhook_comes(estate, remote_id):
    """Let the webhook come that names a ticket of PostHog, and work on it."""
    with estate.ledger.transaction() as tx:
        webhook_inbox.accept(
            tx,
            connection="product",
            delivery_key=remote_id,
            received_at=estate.clock.now(),
            headers={},
            projection={},
            digest="0",
            event="conversation_ticket_created",
            entity="ticket",
            remote_id=remote_id,
        )
    estate.hint("product", remote_id)


def test_a_first_contact_that_fits_two_tickets_is_left_to_a_human(tmp_path):
    """PostHog and Zaia have no subject: customer and creation time must do, and fit twice here."""
    estate = Estate.on_disk(tmp_path / "home", files={"mappings/syncs.yaml": PAIR})
    desk, product = estate.apps["desk"], estate.apps["product"]
    several = [
        desk.create({"summary": each, "ownerEmail": "ana@customer.example"})["id"]
        for each in ("One", "Two")
    ]
    for remote_id in several:
        estate.hint("desk", remote_id)
    estate.clock.advance(30)
    odd = product.create(
        {"anonymous_traits": {"email": "Ana@customer.example"}, "status": "pending"}
    )["id"]
    webhook_comes(estate, odd)
    for _ in range(2):
        estate.reconcile("poll", "full")
    assert sorted(len(link.sides) for link in estate.links()) == [1, 1]
    assert (
        estate.journal("desk", "write", "create")
        == estate.journal("product", "write", "create")
        == []
    )
    (group,) = [
        json.loads(line) for line in estate.command("parked", "list", "--json").splitlines()
    ]
    assert (group["code"], group["count"], group["connection"]) == (
        "BRG-MATCH-AMBIGUOUS",
        1,
        "product",
    )
    assert "matches 2 tickets equally well; join it to one of them" in estate.command(
        "parked", "list"
    )
    (row,) = [json.loads(line) for line in estate.command("inbox", "list", "--json").splitlines()]
    assert (row["verdict"], row["remote_id"]) == ("quarantined", odd)
    with pytest.raises(AssertionError, match="was not set aside"):
        estate.command("link", "relink", "product:nobody", "--to", estate.links()[0].id, "--yes")
    first = estate.links()[0]
    assert "linked to" in estate.command(
        "link", "relink", f"product:{odd}", "--to", first.id, "--yes"
    )
    estate.settle()
    assert estate.refs("product", odd).keys() == {"product", "desk"}
    assert "nothing is parked" in estate.command("parked", "list")
    far = product.create(
        {
            "anonymous_traits": {"email": "ana@customer.example"},
            "created_at": "2026-01-05T08:00:00Z",
        }
    )["id"]
    webhook_comes(estate, far)
    assert set(estate.refs("product", far)) == {"product"}  # out of the window it is nobody's
