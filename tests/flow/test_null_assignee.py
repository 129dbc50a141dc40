"""A Switch that lets nobody be unassigned: found out once, and left alone on every other ticket."""

from __future__ import annotations

from bridge.sandbox.exchange import Problem
from tests.flow.estate import SWITCH_AND_POSTHOG, Estate


def test_that_nobody_can_be_unassigned_is_learned_once(tmp_path):
    estate = Estate(tmp_path, files={"mappings/syncs.yaml": SWITCH_AND_POSTHOG})
    helpdesk, product = estate.apps["helpdesk"], estate.apps["product"]
    patch, refused = helpdesk.update_ticket, []

    def update_ticket(call, ticket_id):
        if call.body().get("assignee_id", "") is None:
            refused.append(ticket_id)
            raise Problem(400, "BAD_REQUEST", "assignee_id is required", "assignee_id")
        return patch(call, ticket_id)

    helpdesk.update_ticket = update_ticket
    pairs = []
    for number in range(3):
        made = {
            "subject": f"Help {number}",
            "customer_email": f"c{number}@customer.example",
            "assignee_id": "usr_1",
        }
        remote_id = helpdesk.create(made)["id"]
        estate.hint("helpdesk", remote_id)
        pairs.append(estate.refs("helpdesk", remote_id))
    for refs in pairs:
        estate.clock.advance(60)
        product.edit(refs["product"], {"assignee": None, "status": "pending"})
        estate.hint("product", refs["product"])
    assert [helpdesk.store.get(refs["helpdesk"])["status"] for refs in pairs] == ["pending"] * 3
    assert len(set(refused)) == 1
