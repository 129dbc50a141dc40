import json

import pytest

from bridge.connectors.signing import verify
from bridge.errors import BadSignature
from bridge.sandbox.outbox import WebhookTarget
from bridge.sandbox.posthog import PostHogSandbox
from bridge.sandbox.switch import SwitchSandbox
from tests.sandbox.conftest import hmac_webhook, session_for, standard_webhook
from tests.sandbox.played import POSTHOG, SWITCH


class Receiver:
    def __init__(self):
        self.status = 202
        self.arrived = []

    def __call__(self, _url, headers, body):
        self.arrived.append(({name.lower(): value for name, value in headers.items()}, body))
        return self.status

    @property
    def ids(self):
        return [
            headers.get("webhook-id") or headers["x-webhook-delivery"]
            for headers, _ in self.arrived
        ]

    @property
    def bodies(self):
        return [json.loads(body) for _, body in self.arrived]


@pytest.fixture
def receiver():
    return Receiver()


@pytest.fixture
def switch(clock, receiver):
    return SwitchSandbox(
        clock, 1, webhook=WebhookTarget("http://bridge.test/w", hmac_webhook()), send=receiver
    )


@pytest.fixture
def posthog(clock, receiver):
    return PostHogSandbox(
        clock, 1, webhook=WebhookTarget("http://bridge.test/w", standard_webhook()), send=receiver
    )


def test_switch_signs_and_tells_of_everything(switch, receiver, clock):
    ticket = switch.create({"subject": "Help"})["id"]
    switch.edit(ticket, {"status": "open"})
    switch.delete(ticket)
    assert switch.outbox.flush() == 3
    assert [body["event"] for body in receiver.bodies] == [
        "ticket.created",
        "ticket.updated",
        "ticket.deleted",
    ]
    assert {body["data"]["id"] for body in receiver.bodies} == {ticket}
    for headers, body in receiver.arrived:
        verify(hmac_webhook(), headers, body, clock.now())
        with pytest.raises(BadSignature):
            verify(hmac_webhook(), headers, body + b" ", clock.now())


def test_the_bridges_own_writes_come_back(switch, receiver):
    ticket = switch.create({"subject": "Help"})["id"]
    switch.outbox.flush()
    session_for(switch).patch(f"{SWITCH}/tickets/{ticket}", json={"status": "pending"})
    switch.outbox.flush()
    assert receiver.bodies[-1]["data"]["status"] == "pending"


def test_posthog_tells_of_status_priority_and_assignee_and_of_nothing_else(
    posthog, receiver, clock
):
    ticket = posthog.create({"priority": "low"})["id"]
    posthog.edit(ticket, {"tags": ["a"]})
    posthog.edit(ticket, {"status": "open", "priority": "high"})
    session_for(posthog).patch(
        f"{POSTHOG}/{ticket}/", json={"assignee": {"type": "user", "id": 12}}
    )
    session_for(posthog).patch(
        f"{POSTHOG}/{ticket}/", json={"assignee": {"type": "user", "id": 12}}
    )
    posthog.delete(ticket)
    posthog.outbox.flush()
    events = [body["event"] for body in receiver.bodies]
    assert [event["event"].removeprefix("$conversation_ticket_") for event in events] == [
        "created",
        "status_changed",
        "priority_changed",
        "assigned",
    ]
    assert {event["properties"]["ticket_id"] for event in events} == {ticket}
    assert events[3]["properties"]["assignee_id"] == "12"
    assert (events[1]["properties"]["old_status"], events[1]["properties"]["new_status"]) == (
        "new",
        "open",
    )
    for headers, body in receiver.arrived:
        verify(standard_webhook(), headers, body, clock.now())


def test_lost_deliveries_are_journalled_and_never_sent(switch, receiver):
    switch.faults.set({"webhook-lost": 1})
    switch.create({"subject": "Help"})
    switch.outbox.flush(everything=True)
    assert receiver.arrived == []
    assert [(e.kind, e.fault) for e in switch.journal.since()] == [
        ("create", ""),
        ("webhook", "webhook-lost"),
    ]


def test_doubled_deliveries_have_one_id(switch, receiver, clock):
    switch.faults.set({"webhook-duplicated": 1})
    switch.create({"subject": "Help"})
    clock.sleep(1)
    assert switch.outbox.flush() == 2
    assert len(set(receiver.ids)) == 1


def test_a_reordered_delivery_is_overtaken(switch, receiver):
    switch.faults.set({"webhook-reordered": 1})
    ticket = switch.create({"subject": "Help"})["id"]
    switch.faults.set({})
    switch.edit(ticket, {"status": "open"})
    switch.outbox.flush(everything=True)
    assert [body["event"] for body in receiver.bodies] == ["ticket.updated", "ticket.created"]


def test_a_delayed_delivery_comes_later(switch, clock):
    switch.faults.set({"webhook-delayed": 1})
    switch.create({"subject": "Help"})
    assert switch.outbox.flush() == 0
    clock.sleep(5)
    assert switch.outbox.flush() == 1


def test_a_failing_receiver_is_tried_again_with_the_same_id_and_then_given_up(
    switch, receiver, clock
):
    receiver.status = 503
    switch.create({"subject": "Help"})
    for _ in range(10):
        switch.outbox.flush()
        clock.sleep(60)
    assert len(receiver.arrived) == 4
    assert len(set(receiver.ids)) == 1
    assert switch.outbox.waiting == 0


def test_a_refusal_is_final(switch, receiver):
    receiver.status = 401
    switch.create({"subject": "Help"})
    switch.outbox.flush(everything=True)
    assert len(receiver.arrived) == 1
