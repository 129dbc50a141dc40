"""A seventh system, added as the sixth was, whose traits no other system has together."""

from __future__ import annotations

import json

import pytest

from bridge.connectors.signing import sign, verify
from bridge.core.model.syncs import Secret
from bridge.errors import BadSignature
from bridge.sandbox import population
from bridge.sandbox.outbox import WebhookTarget
from tests.made_up import PARCELDESK
from tests.mirroring import MirroringContract
from tests.seventh.bridge.sandbox import parceldesk


class TestParcelDeskBesideSwitch(MirroringContract):
    system = PARCELDESK

    def asked(self, subject, email):
        return {"title": subject, "requester": email}

    def edited(self):
        return {"status": "doing", "title": "Help, please"}

    def test_labels_travel_one_call_each(self, estate):
        desk, other = estate.apps["helpdesk"], estate.apps["other"]
        began = desk.create(
            {"subject": "Help", "customer_email": "ana@example.com", "tags": ["a", "b"]}
        )
        estate.hint("helpdesk", began["id"])
        number = estate.refs("helpdesk", began["id"])["other"]
        assert sorted(other.store.get(number)["tags"]) == ["a", "b"]
        desk.edit(began["id"], {"add_tags": ["c/d"], "remove_tags": ["a"]})
        estate.hint("helpdesk", began["id"])
        assert sorted(other.store.get(number)["tags"]) == ["b", "c/d"]

    def test_a_label_whose_webhook_was_lost_is_seen_by_the_next_poll(self, estate):
        desk, other = estate.apps["helpdesk"], estate.apps["other"]
        began = desk.create({"subject": "Help", "customer_email": "ana@example.com"})
        estate.hint("helpdesk", began["id"])
        other.edit(estate.refs("helpdesk", began["id"])["other"], {"add_tags": ["VIP"]})
        estate.reconcile("poll")
        assert [tag.casefold() for tag in desk.store.get(began["id"])["tags"]] == ["vip"]

    def test_what_is_closed_elsewhere_is_done_for_a_reason(self, estate):
        desk, other = estate.apps["helpdesk"], estate.apps["other"]
        began = desk.create({"subject": "Help", "customer_email": "ana@example.com"})
        estate.hint("helpdesk", began["id"])
        desk.edit(began["id"], {"status": "closed", "priority": "urgent"})
        estate.hint("helpdesk", began["id"])
        shown = other.store.get(estate.refs("helpdesk", began["id"])["other"])
        assert (shown["status"], shown["reason"], shown["priority"]) == ("done", "solved", "1")
        assert desk.store.get(began["id"])["status"] == "closed"
        assert estate.parked() == []

    def test_a_person_who_is_refused_keeps_nothing_else_back(self, estate, monkeypatch):
        """The answer 422 names the field by its write key: that field alone is parked."""
        monkeypatch.setattr(parceldesk, "STAFF", set())
        desk, other = estate.apps["helpdesk"], estate.apps["other"]
        began = desk.create({"subject": "Help", "customer_email": "ana@example.com"})
        estate.hint("helpdesk", began["id"])
        desk.edit(began["id"], {"priority": "high", **desk.assignment(population.AGENTS[0])})
        estate.hint("helpdesk", began["id"])
        shown = other.store.get(estate.refs("helpdesk", began["id"])["other"])
        assert (shown["priority"], shown["assignee"]) == ("1", None)
        assert len(estate.parked()) == 1

    def test_its_webhooks_are_signed_and_dated_in_the_body(self, estate):
        other, connector = estate.apps["other"], estate.connectors["other"]
        sent = []
        webhook = estate.config.connections["other"].webhook
        other.outbox.target = WebhookTarget("https://bridge.example", webhook)
        other.outbox._send = lambda _url, headers, body: sent.append((headers, body)) or 202
        made = other.create(self.asked("Help", "ana@example.com"))
        other.outbox.flush(everything=True)
        ((headers, body),) = sent
        lower = {name.lower(): value for name, value in headers.items()}
        verify(webhook, lower, body, estate.clock.now())
        parsed = connector.parse(lower, json.loads(body))
        assert [hint.id for hint in parsed.hints] == [str(made["id"])]
        assert parsed.delivery == f"ticket.opened:{made['id']}:1"
        forged = sign(_with_secret(webhook, "y" * 16), body, estate.clock.now(), "")
        with pytest.raises(BadSignature):
            verify(webhook, forged, body, estate.clock.now())


def _with_secret(webhook, secret):
    kept = {name: getattr(webhook, name) for name in ("scheme", "header", "event", "id")}
    return type(webhook)(secrets=(Secret(secret),), **kept)
