"""What is done by hand at a system: actions, and the deletion of a person."""

import pytest

from bridge.errors import NotPossible, UnknownName
from bridge.ledger import audit
from bridge.operations import action, forget
from bridge.operations.forget import DeletionFailed
from tests.operations.desks import desk_of

JO = "jo@customer.example"


@pytest.fixture
def desk(estate):
    return desk_of(estate)


def audited(desk):
    with desk.ledger.read() as tx:
        return [(row["action"], row["subject"], row["detail"]) for row in audit.recent(tx)]


def test_an_action_is_audited_without_what_may_be_about_a_person(estate, desk):
    visitor = estate.apps["screens"].create({"identities": [JO]})["id"]
    wish = {"visitor": visitor, "agent.id": "12", "agent.name": "Mary"}
    assert action.act(desk, "screens", "watch_url", wish).startswith("https://")
    ((what, subject, detail),) = audited(desk)
    assert (what, subject) == ("action", "screens watch_url")
    assert detail == {
        "action": "watch_url",
        "given": ["agent.id", "agent.name", "visitor"],
        "visitor": visitor,
    }


@pytest.mark.parametrize(
    ("connection", "name", "words"),
    [
        ("nobody", "watch_url", "no connection nobody; allowed: helpdesk"),
        ("screens", "dance", "no action dance; allowed: watch_url: "),
        ("helpdesk", "watch_url", r"none \(switch has none\)"),
    ],
)
def test_an_action_that_is_not_there_is_neither_done_nor_audited(desk, connection, name, words):
    with pytest.raises(UnknownName, match=words):
        action.act(desk, connection, name, {})
    assert audited(desk) == []


@pytest.mark.provokes
def test_a_person_is_found_deleted_and_erased_step_by_step(estate, desk):
    screens = estate.apps["screens"]
    visitor = screens.create({"identities": [JO]})["id"]
    other = screens.create({"identities": ["ann@customer.example"]})["id"]
    address = forget.address_of(f" {JO.upper()} ")
    forget.check_connections(desk, ["screens"])
    known = forget.look(desk, address)
    forget.check_at_rest(known)
    there = forget.records_there(desk, "screens", address, known)
    assert ([ref.id for ref in there.refs], there.others) == ([visitor], [])
    assert forget.delete_there(desk, there, address) == 1
    assert [row["id"] for row in screens.visitors()] == [other]
    counts = forget.erase(desk, address, {"screens": 1})
    assert counts["links"] == 0
    (last, subject, detail), (first, *_rest) = audited(desk)
    assert (first, last, detail["deleted"]) == ("forget: delete", "forget", {"screens": 1})
    assert subject.startswith("sha256:")
    assert JO not in str(audited(desk))


def test_a_deletion_that_fails_says_how_far_it_came(estate, desk):
    screens = estate.apps["screens"]
    screens.create({"identities": [JO]})
    there = forget.records_there(desk, "screens", JO, forget.look(desk, JO))
    screens.faults.set({"error-before": 1})
    with pytest.raises(DeletionFailed, match="0 of 1 were deleted at screens; nothing was erased"):
        forget.delete_there(desk, there, JO)


def test_what_cannot_be_erased_is_refused_before_anything_is_done(desk):
    with pytest.raises(NotPossible, match="no e-mail address"):
        forget.address_of("jo")
    with pytest.raises(UnknownName, match="no connection nobody"):
        forget.check_connections(desk, ["nobody"])
    with pytest.raises(NotPossible, match="documents no erasure of a person"):
        forget.check_connections(desk, ["helpdesk"])
    assert audited(desk) == []
