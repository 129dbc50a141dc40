import json

import pytest

from bridge.sandbox.outbox import WebhookTarget
from bridge.sandbox.switch import SwitchSandbox
from tests.sandbox.conftest import hmac_webhook
from tests.sandbox.played import SWITCH


@pytest.fixture
def ticket(switch):
    return switch.create({"subject": "Help", "customer_email": "ann@example.com"})["id"]


def say(to_switch, ticket, **fields):
    return to_switch.post(
        f"{SWITCH}/conversations", json={"ticket_id": ticket, "content": "Hello", **fields}
    )


def last(switch):
    return switch.journal.since()[-1]


def test_who_says_nothing_of_it_writes_to_the_customer(switch, to_switch, ticket):
    made = say(to_switch, ticket).json()["data"]
    assert (made["type"], made["internal"]) == ("reply", False)
    assert last(switch).note == "reply: went to the customer"
    say(to_switch, ticket, type="note", internal=True)
    assert (last(switch).note, last(switch).entity, last(switch).kind) == ("", "session", "create")
    switch.configure({"notes": "message"})
    say(to_switch, ticket, type="note", internal=True)
    assert last(switch).entity == "message"


@pytest.mark.parametrize(
    "body",
    [
        {"content": " "},
        {"content": None},
        {"type": "sms"},
        {"internal": "yes"},
        {"ticket_id": "nobody"},
    ],
)
def test_bad_conversations_are_refused(switch, to_switch, ticket, body):
    assert say(to_switch, ticket, **body).status_code in {400, 404}
    assert switch.records("message") == []


def test_conversations_are_neither_changed_nor_deleted(switch, to_switch, ticket):
    remote_id = switch.note(ticket, "Called her")["id"]
    for method in ("PATCH", "DELETE"):
        assert (
            to_switch.request(method, f"{SWITCH}/conversations/{remote_id}", json={}).status_code
            == 405
        )
    assert [row["id"] for row in switch.records("session")] == [remote_id]


def test_a_customer_replies_without_being_named(switch, to_switch, ticket):
    switch.message(ticket, "Any news?", seconds_ago=60)
    (row,) = to_switch.get(
        f"{SWITCH}/conversations", params={"ticket_id": ticket, "type": "reply"}
    ).json()["data"]
    assert set(row) == {"id", "ticket_id", "type", "internal", "content_text", "created_at"}
    assert row["created_at"] == "2026-03-01T11:59:00Z"
    assert switch.records("session") == []


@pytest.mark.usefixtures("ticket")
def test_customers_are_made_found_and_changed(switch, to_switch):
    made = to_switch.post(
        f"{SWITCH}/customers", json={"email": "ben@example.com", "name": "Ben", "role": "x"}
    )
    assert made.status_code == 201
    row = made.json()["data"]
    assert (row["custom_fields"], row["ticket_count"], row["phone"]) == ({}, 0, None)
    assert "updated_at" not in row
    url = f"{SWITCH}/customers/{row['id']}"
    changed = to_switch.patch(
        url, json={"phone": "1", "custom_fields": {"plan": "gold"}, "ticket_count": 9}
    )
    assert changed.json()["data"]["custom_fields"] == {"plan": "gold"}
    assert (last(switch).entity, last(switch).ignored) == ("customer", ("ticket_count",))
    switch.configure({"patch_custom_fields": False, "customers_dated": True})
    changed = to_switch.patch(url, json={"custom_fields": {}}).json()["data"]
    assert changed["custom_fields"] == {"plan": "gold"}
    assert changed["updated_at"] == row["created_at"]
    listed = to_switch.get(f"{SWITCH}/customers", params={"search": "ANN@"}).json()["data"]
    assert [each["ticket_count"] for each in listed] == [1]


@pytest.mark.usefixtures("ticket")
def test_a_second_customer_of_one_address_is_refused(switch, to_switch):
    body = {"email": "ann@example.com"}
    assert to_switch.post(f"{SWITCH}/customers", json=body).status_code == 400
    switch.configure({"customer_again": 409})
    assert to_switch.post(f"{SWITCH}/customers", json=body).status_code == 409
    assert to_switch.post(f"{SWITCH}/customers", json={"name": "Ann"}).status_code == 400
    assert len(switch.records("customer")) == 1


@pytest.mark.provokes
@pytest.mark.usefixtures("ticket")
def test_what_the_bridge_must_not_do_is_journalled_as_forbidden(switch, to_switch):
    customer = switch.records("customer")[0]["id"]
    to_switch.delete(f"{SWITCH}/customers/{customer}")
    tag = to_switch.post(f"{SWITCH}/tags", json={"name": "billing", "color": "#ff0000"}).json()[
        "data"
    ]["id"]
    to_switch.patch(f"{SWITCH}/tags/{tag}", json={"name": "money"})
    to_switch.delete(f"{SWITCH}/tags/{tag}")
    to_switch.post(f"{SWITCH}/articles", json={"title": "How to"})
    assert [entry.note for entry in switch.journal.since() if entry.note] == [
        "forbidden: a customer deleted",
        "forbidden: a tag written",
        "forbidden: a tag written",
        "forbidden: a tag deleted",
        "forbidden: a article written",
    ]
    assert switch.records("customer") == []


def test_webhooks_tell_of_conversations_and_customers(clock):
    heard = []

    def send(_url, _headers, body):
        heard.append(json.loads(body))
        return 202

    box = SwitchSandbox(
        clock,
        1,
        webhook=WebhookTarget("http://bridge.test/webhooks/helpdesk", hmac_webhook()),
        send=send,
    )
    ticket = box.create({"subject": "Help", "customer_email": "ann@example.com"})
    box.message(ticket["id"], "Any news?")
    box.edit_customer(ticket["customer"]["id"], {"phone": "1"})
    box.outbox.flush(everything=True)
    assert [each["event"] for each in heard] == [
        "ticket.created",
        "conversation.created",
        "customer.updated",
    ]
    assert [each["data"]["id"] for each in heard][2] == ticket["customer"]["id"]
