from __future__ import annotations

import hashlib

import pytest

from bridge.clock import SystemClock
from bridge.core.model.state import FieldState, Link, Side
from bridge.ledger import audit, links
from tests.cli.hand import JO, Hand

NOW = SystemClock().now()


@pytest.fixture
def hand(run, tmp_path):
    made = Hand(run, tmp_path / "home")
    yield made
    made.close()


def link(hand, visitor=None, email=JO):
    """A customer as two systems know them."""
    sides = {"helpdesk": Side("helpdesk", "cus_7" if email == JO else "cus_8")} | (
        {"screens": Side("screens", visitor)} if visitor else {}
    )
    state = {"email": FieldState(value=email, rev=1), "name": FieldState(value="Jo Hand", rev=1)}
    made = Link(
        hashlib.sha256(email.encode()).hexdigest()[:32],
        "people",
        "customer",
        state=state,
        sides=sides,
    )
    with hand.ledger.transaction() as tx:
        assert links.create(tx, made, NOW)
    return made.id


def state(hand, link_id):
    with hand.ledger.read() as tx:
        return links.load(tx, [link_id])[link_id].state


def entries(hand):
    with hand.ledger.read() as tx:
        return audit.recent(tx)


def test_a_person_is_erased_after_the_address_was_typed_again(hand):
    link_id, visitor = (
        link(hand, hand.box.create({"identities": [JO]})["id"]),
        hand.box.visitors()[0]["id"],
    )
    done = hand("forget", JO.title(), keys=f"{JO.upper()}\n")
    assert done.exit_code == 0, done.output
    assert "1 of entity customer" in done.output
    assert "Jo Hand" not in done.output
    assert f"still at the systems themselves: helpdesk:cus_7, screens:{visitor}" in done.output
    assert state(hand, link_id) == {}
    assert [row["id"] for row in hand.box.visitors()] == [visitor]
    (entry,) = entries(hand)
    assert (entry["action"], entry["subject"]) == (
        "forget",
        "sha256:" + hashlib.sha256(JO.encode()).hexdigest(),
    )
    assert JO not in str(entry).casefold()
    assert entry["detail"]["erased"]["links"] == 1


def test_another_word_erases_nothing(hand):
    link_id = link(hand)
    for keys in ("yes\n", "\n\n", ""):
        done = hand("forget", JO, keys=keys)
        assert done.exit_code == 1
    assert state(hand, link_id)["email"].value == JO
    assert entries(hand) == []


@pytest.mark.provokes
def test_deleting_elsewhere_wants_a_flag_and_two_words(hand):
    linked = hand.box.create({"identities": [JO]})["id"]
    unknown = hand.box.create({"identities": [f" {JO.upper()} "]})["id"]
    both = hand.box.create({"identities": [JO, "ann@customer.example"]})["id"]
    near = hand.box.create({"identities": [f"{JO}.example"]})["id"]
    link_id = link(hand, linked)
    refused = hand("forget", JO, "--from", "screens", keys=f"{JO}\nscreens\n")
    assert (refused.exit_code, "--yes-delete" in refused.output) == (2, True)
    halted = hand("forget", JO, "--from", "screens", "--yes-delete", keys=f"{JO}\nyes\n")
    assert (halted.exit_code, "nothing was erased" in halted.output) == (1, True)
    assert len(hand.box.visitors()) == 4
    assert state(hand, link_id)["email"].value == JO
    done = hand("forget", JO, "--from", "screens", "--yes-delete", keys=f"{JO}\nscreens\n")
    assert done.exit_code == 0, done.output
    assert {row["id"] for row in hand.box.visitors()} == {both, near}
    assert {entry.id for entry in hand.calls("delete")} == {linked, unknown}
    assert not [entry for entry in hand.box.journal.since() if "everybody" in entry.note]
    assert "still at the systems themselves: helpdesk:cus_7\n" in done.output
    last, before = entries(hand)
    assert last["detail"]["deleted"] == {"screens": 2}
    assert (before["action"], before["subject"], before["detail"]["records"]) == (
        "forget: delete",
        "screens",
        2,
    )
    assert JO not in str(entries(hand))
    assert state(hand, link_id) == {}


@pytest.mark.provokes
def test_a_linked_visitor_whom_the_list_does_not_show_is_found_and_one_who_changed_is_left(hand):
    old = hand.box.create({"identities": [JO], "last_seen_at": "2020-01-01T00:00:00.000Z"})["id"]
    hand.box.configure({"listed": 0})
    link(hand, old)
    other = hand.box.create({"identities": ["someone.else@customer.example"]})["id"]
    done = hand("forget", JO, "--from", "screens", "--yes-delete", keys=f"{JO}\nscreens\n")
    assert done.exit_code == 0, done.output
    assert [row["id"] for row in hand.box.visitors()] == [other]
    link(hand, other, email="jo.two@customer.example")
    done = hand(
        "forget",
        "jo.two@customer.example",
        "--from",
        "screens",
        "--yes-delete",
        keys="jo.two@customer.example\n",
    )
    assert done.exit_code == 0, done.output
    assert f"screens:{other} shows another address by now and is left alone" in done.output
    assert [row["id"] for row in hand.box.visitors()] == [other]


@pytest.mark.provokes
def test_a_deletion_that_fails_leaves_the_ledger_as_it_was(hand):
    link_id = link(hand, hand.box.create({"identities": [JO]})["id"])
    hand.box.faults.set({"error-after": 1})
    done = hand("forget", JO, "--from", "screens", "--yes-delete", keys=f"{JO}\nscreens\n")
    assert done.exit_code == 1
    assert "0 of 1 were deleted at screens; nothing was erased from the ledger" in done.output
    assert state(hand, link_id)["email"].value == JO
    hand.box.faults.set({})
    again = hand("forget", JO, "--from", "screens", "--yes-delete", keys=f"{JO}\nscreens\n")
    assert again.exit_code == 0, again.output
    assert state(hand, link_id) == {}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("jo",), "no e-mail address"),
        ((JO, "--from", "nobody", "--yes-delete"), "allowed: screens, helpdesk, product"),
        ((JO, "--from", "helpdesk", "--yes-delete"), "documents no erasure"),
    ],
)
def test_wrong_usage_does_nothing(hand, arguments, message):
    link_id = link(hand)
    done = hand("forget", *arguments, keys=f"{JO}\n")
    assert done.exit_code == 2
    assert message in " ".join(done.output.split())
    assert state(hand, link_id)["email"].value == JO
    assert hand.box.journal.since() == []
