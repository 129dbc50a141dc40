"""A ledger that is put back from a copy or lost, over two sandboxes."""

import sqlite3

from bridge.engine import earlier_markers
from bridge.ledger import catch_up
from bridge.ledger.database import Ledger
from bridge.runs import schedule
from tests.flow.pair import NAMES

NOTHING_SAID = {"subject": "It does not print"}
SOMEBODY = {"subject": "The export stops", "customer_email": "ana@customer.example"}


def copy_of(estate):
    """What a backup of the ledger holds."""
    kept, raw = sqlite3.connect(":memory:"), estate.ledger.engine.raw_connection()
    raw.driver_connection.backup(kept)
    raw.close()
    return kept


def put_back(estate, kept=None, *, why="the ledger was put back"):
    """Work with another ledger from now on: the copy, or an empty one."""
    estate.ledger = Ledger("sqlite://")
    if kept is None:
        estate.ledger.upgrade()
    else:
        raw = estate.ledger.engine.raw_connection()
        kept.backup(raw.driver_connection)
        raw.close()
    earlier_markers.recognise(estate.connectors, estate.ledger)
    estate.drain.ledger = estate.ledger
    with estate.ledger.transaction() as tx:
        names = [name for sync in estate.context.syncs.values() for name in sync.members]
        catch_up.begin(tx, set(names), "full", why, estate.clock.now())


def catch_up_with_all(estate):
    """What the clock does: it starts what is due, until there is nothing left to catch up with."""
    for _ in range(60):
        schedule.start_due_runs(estate.context, estate.ledger)
        estate.drain.run()
        with estate.ledger.read() as tx:
            if not catch_up.by_connection(tx):
                break
        estate.clock.advance(5)
    else:
        raise AssertionError("never catches up")
    estate.settle()


def the_afternoon(estate):
    """Four tickets that are mirrored after the backup: at each system, with an address or not."""
    helpdesk, product = estate.apps["helpdesk"], estate.apps["product"]
    made = [("helpdesk", helpdesk.create(fields)["id"]) for fields in (NOTHING_SAID, SOMEBODY)]
    traits = ({"subject": "Hi"}, {"subject": "Bill", "email": "bo@customer.example"})
    made += [("product", product.create({"anonymous_traits": each})["id"]) for each in traits]
    for name, remote_id in made:
        estate.hint(name, remote_id)
    return [estate.refs(name, remote_id) for name, remote_id in made]


def tickets(estate):
    return {name: {row["id"] for row in estate.apps[name].tickets()} for name in NAMES}


def joined(estate):
    return sorted(
        [{name: side.remote_id for name, side in link.live().items()} for link in estate.links()],
        key=str,
    )
