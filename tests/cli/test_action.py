from __future__ import annotations

import getpass
import logging

import pytest

from bridge.ledger import audit
from tests.cli.hand import JO, Hand


@pytest.fixture
def hand(run, tmp_path):
    made = Hand(run, tmp_path / "home")
    yield made
    made.close()


def wish(visitor):
    return (f"visitor={visitor}", "agent.id=12", "agent.name=Mary Bishop")


def test_the_link_is_shown_once_and_kept_nowhere(hand, caplog):
    caplog.set_level(logging.DEBUG)
    visitor = hand.box.create({"identities": [JO]})["id"]
    done = hand("action", "screens", "watch_url", *wish(visitor))
    assert done.exit_code == 0, done.output
    link = done.output.strip()
    assert link.startswith("https://o.upscope.io?")
    secret = link.partition("?")[2]
    assert len(secret) > 10
    assert secret not in caplog.text
    assert secret not in hand.kept()
    assert len(hand.calls("create")) == 1
    with hand.ledger.read() as tx:
        (entry,) = audit.recent(tx)
    assert entry["actor"] == f"local:{getpass.getuser()}"
    assert (entry["action"], entry["subject"]) == ("action", "screens watch_url")
    assert entry["detail"]["visitor"] == visitor
    assert "Mary" not in str(entry)


@pytest.mark.parametrize("fault", ["error-after", "reset-after", "timeout-after"])
def test_what_may_have_happened_is_said_and_audited(hand, fault):
    visitor = hand.box.create({})["id"]
    hand.box.faults.set({fault: 1})
    done = hand("action", "screens", "watch_url", *wish(visitor))
    assert done.exit_code == 1
    assert "look in Upscope before you ask again" in done.output
    assert len(hand.calls("create")) == 1
    with hand.ledger.read() as tx:
        assert [entry["action"] for entry in audit.recent(tx)] == ["action"]


def test_limits_and_each_refusal_are_explained(hand):
    visitor = hand.box.create({})["id"]
    hand.box.configure({"over_limits": True})
    done = hand("action", "screens", "watch_url", *wish(visitor))
    assert (done.exit_code, "nothing was opened" in done.output) == (1, True)
    hand.box.configure({"refusal": "api_not_enabled"})
    assert "Enterprise" in hand("action", "screens", "watch_url", *wish(visitor)).output
    assert (
        len(hand.box.journal.since()) == 3
    )  # the visit and the two calls: nothing was tried again


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("nobody", "watch_url"), "allowed: screens, helpdesk, product"),
        (("screens", "dance"), "allowed: watch_url: open a screen share"),
        (("helpdesk", "watch_url"), "none (switch has none)"),
        (("screens", "watch_url", "visitor"), "'visitor' must be given once"),
        (("screens", "watch_url", "visitor=A", "visitor=B"), "'visitor' must be given once"),
    ],
)
def test_wrong_usage_calls_nobody(hand, arguments, message):
    done = hand("action", *arguments)
    assert done.exit_code == 2
    assert message in " ".join(done.output.split())
    assert hand.box.journal.since() == []
    with hand.ledger.read() as tx:
        assert audit.recent(tx) == []


def test_a_wish_without_an_agent_is_not_sent(hand):
    done = hand("action", "screens", "watch_url", "visitor=ABCD1234")
    assert done.exit_code == 1
    assert "agent.id, agent.name must be given" in done.output
    assert hand.box.journal.since() == []
