"""What there is to catch up with is read once a transaction, and never read wrong for that."""

import pytest

from bridge.ledger import catch_up
from bridge.ledger.database import savepoint


def begin_in_vain(tx, now):
    with savepoint(tx):
        catch_up.begin(tx, ["L"], "full", "why", now)
        assert catch_up.get(tx, "L") is not None
        raise LookupError


def test_a_transaction_sees_what_it_has_changed(ledger, now):
    with ledger.transaction() as tx:
        assert catch_up.get(tx, "L") is None
        catch_up.begin(tx, ["L"], "full", "why", now)
        assert catch_up.get(tx, "L").kind == "full"
        catch_up.end(tx, ["L"])
        assert catch_up.get(tx, "L") is None
        assert catch_up.knows_since(tx, "L") == now
    with ledger.transaction() as tx:
        assert catch_up.knows_since(tx, "L") == now


def test_a_change_that_is_taken_back_was_never_made(ledger, now):
    with ledger.transaction() as tx:
        assert catch_up.get(tx, "L") is None
        with pytest.raises(LookupError):
            begin_in_vain(tx, now)
        assert catch_up.get(tx, "L") is None


def test_the_next_transaction_reads_anew(ledger, now):
    with ledger.read() as tx:
        assert catch_up.by_connection(tx) == {}
    with ledger.transaction() as tx:
        catch_up.begin(tx, ["L", "H"], "poll", "why", now)
    with ledger.read() as tx:
        assert set(catch_up.by_connection(tx)) == {"L", "H"}
