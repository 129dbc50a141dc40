"""Replies whose webhooks were all lost: a poll brings each of them, once."""

from __future__ import annotations

from tests.flow.estate import Estate

REPLIES = """\
tickets:
  entity: ticket
  members: {helpdesk: {create: true}, feedback: {create: true}}
  match: [[customer, subject]]
  precedence: [helpdesk, feedback]
  fields: {"*": latest}
replies:
  entity: message
  members:
    helpdesk: {only: "type == 'reply' && internal == `false`"}
    feedback: {create: true}
  fields: {"*": first}
"""


def test_replies_made_while_webhooks_are_lost_arrive_by_poll(tmp_path):
    estate = Estate(tmp_path, files={"mappings/syncs.yaml": REPLIES})
    helpdesk, feedback = estate.apps["helpdesk"], estate.apps["feedback"]
    tickets = [
        helpdesk.create(
            {
                "subject": f"Help {number}",
                "customer_email": f"c{number}@customer.example",
                "description": f"All of {number}",
            }
        )["id"]
        for number in range(3)
    ]
    estate.reconcile("full")
    said = [
        helpdesk.message(ticket, f"Reply {number}")["id"]
        for number in range(8)
        for ticket in tickets
    ]
    estate.reconcile("poll")
    assert len(estate.links("message")) == len(said) == 24
    texts = sorted(
        row["original_text"] for row in feedback.store if "Reply" in row["original_text"]
    )
    assert texts == sorted(f"Reply {number}" for number in range(8) for _ in tickets)
    estate.reconcile("poll", "full")
    assert len(estate.links("message")) == 24
    assert estate.parked() == []
