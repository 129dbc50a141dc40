from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Barrier

from bridge.core.model.state import Attempt, Link, Side
from bridge.errors import LeaseLost
from bridge.ledger import attempts, intents, links, work
from bridge.ledger.intents import NewIntent

LONG = timedelta(seconds=30)


def at_once(ledger, act, count=8):
    """Run `act(tx, number)` in that many concurrent transactions; return the results in order."""
    barrier = Barrier(count)

    def one(number):
        barrier.wait()
        with ledger.transaction() as tx:
            return act(tx, number)

    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(one, range(count)))


def hint(tx, now, remote_id="1", **changes):
    fields = {
        "kind": "observe",
        "key": f"observe:helpdesk:ticket:{remote_id}",
        "connection": "helpdesk",
        "entity": "ticket",
        "remote_id": remote_id,
        "due_at": now,
        "now": now,
    }
    work.enqueue(tx, **{**fields, **changes})


def claim_one(tx, now, owner="w1", **changes):
    rows = work.claim(tx, owner, now, now + LONG, 10, **changes)
    assert len(rows) == 1
    return rows[0]


def make_link(tx, now, link_id="a", **remote_ids):
    sides = {
        name: Side(name, remote_id) for name, remote_id in (remote_ids or {"helpdesk": "1"}).items()
    }
    assert links.create(tx, Link(link_id, "tickets", "ticket", sides=sides), now)
    return links.load(tx, [link_id])[link_id]


def begin_intent(tx, *, now, run_id=None, **what):
    """Write a create down; return whether it was."""
    try:
        intents.begin_all(tx, [NewIntent(**what, opened_at=now, run_id=run_id)])
    except LeaseLost:
        return False
    return True


def make_attempt(now, attempt_id="t1", **changes):
    fields = {
        "id": attempt_id,
        "verb": "patch",
        "sent": {"status": "open", "tags": ["a"]},
        "before": {"status": None, "tags": []},
        "state_values": {"status": "open", "tags": ("a",)},
        "revs": {"status": 3, "tags": 1},
        "send_by": now + timedelta(seconds=5),
    }
    return Attempt(**{**fields, **changes})


def begin(tx, link_id, side, now, **options):
    attempts.begin(tx, [attempts.new(link_id, side, now, **options)])


def close(tx, attempt_id, outcome, now, **details):
    return attempts.close(tx, [attempts.ClosedAttempt(attempt_id, now, outcome, **details)])


def fill_the_disk(tx):
    """Store more than SQLite has room for: it rolls the whole transaction back by itself.

    A limit of the database's own takes the place of the disk's end; afterwards there is room again.
    """
    driver = tx.connection.dbapi_connection
    (pages,) = driver.execute("PRAGMA page_count").fetchone()
    driver.execute(f"PRAGMA max_page_count={pages + 2}").close()
    try:
        tx.exec_driver_sql("INSERT INTO tally VALUES (hex(zeroblob(2000000)), 1)")
    finally:
        driver.execute("PRAGMA max_page_count=1000000000").close()
