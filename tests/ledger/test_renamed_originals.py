"""Copies find their originals by the connection's name: under the new one as under the old."""

from bridge.core.model.markers import ORIGINAL_CHARS, original_key
from bridge.core.model.values import Ref
from bridge.ledger import matching, renaming
from tests.ledger.helpers import make_link


def found(tx, connection, remote_id="1"):
    key = original_key(Ref(connection, "ticket", remote_id))
    return matching.originals(tx, "tickets", key, ORIGINAL_CHARS)


def test_copies_made_before_and_after_a_rename_find_their_original(tx, now, monkeypatch):
    monkeypatch.setattr(renaming, "PAGE", 2)
    for number in range(3):
        make_link(tx, now, f"link{number}", helpdesk=str(number))
        key = (matching.ORIGINAL, original_key(Ref("helpdesk", "ticket", str(number))), None)
        matching.put(tx, "tickets", f"link{number}", "helpdesk", [key])
    renaming.rename_connection(tx, "helpdesk", "desk")
    for number in range(3):
        for name in ("helpdesk", "desk"):
            assert found(tx, name, str(number)) == [f"link{number}"]
    renaming.rename_connection(tx, "desk", "helpdesk")
    assert found(tx, "helpdesk") == found(tx, "desk") == ["link1"]
