"""An act and its audit line are one; a name that nothing has is an error with its own message."""

import pytest

from bridge.errors import BridgeError, UnknownName
from bridge.ledger import audit, connection_health
from bridge.operations import availability, connection


def audited(desk):
    with desk.ledger.read() as tx:
        return [(row["actor"], row["action"], row["subject"]) for row in audit.recent(tx)]


def test_an_act_that_fails_leaves_no_line_in_the_audit(desk):
    def pause_and_fail():
        with desk.acting("connection pause", "L") as tx:
            connection_health.hold(tx, "L", "moving", desk.now())
            raise RuntimeError

    with pytest.raises(RuntimeError):
        pause_and_fail()
    assert audited(desk) == []
    with desk.ledger.read() as tx:
        assert availability.halted(tx, ["L"]) == []


def test_a_connection_is_paused_and_resumed_in_the_name_of_whoever_does_it(desk):
    connection.pause(desk, "L", "they move")
    with desk.ledger.read() as tx:
        assert availability.halted(tx, ["L", "H"]) == ["L"]
        (line,) = availability.shut(tx, ["L", "H"], desk.now()).values()
    assert line.startswith("L is paused until")
    assert line.endswith("because local:me paused it: they move")
    assert availability.resume(["L"]) == "`bridge connection resume L`"
    connection.resume(desk, "L")
    with desk.ledger.read() as tx:
        assert availability.shut(tx, ["L", "H"], desk.now()) == {}
    assert audited(desk) == [
        ("local:me", "connection resume", "L"),
        ("local:me", "connection pause", "L"),
    ]


@pytest.mark.parametrize("act", [connection.pause, connection.resume])
def test_a_connection_that_is_not_there_is_named_with_those_that_are(desk, act):
    with pytest.raises(UnknownName, match="no connection nobody; allowed: L, H"):
        act(desk, "nobody")
    assert issubclass(UnknownName, BridgeError)
    assert audited(desk) == []
