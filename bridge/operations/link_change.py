"""Changing one ticket by hand, under its lease like every other change."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import TypeVar

from bridge.core.model.state import Link, Note
from bridge.errors import Busy
from bridge.flow.commit import store_notes
from bridge.ledger import links
from bridge.ledger.database import Tx
from bridge.operations.desk import Desk

LEASE = timedelta(seconds=10)
"""More than one transaction takes. A worker that wants the ticket meanwhile comes back later."""

MAX_TRIES = 50
"""How often an act asks for a ticket that a worker is busy with ..."""
RETRY_SECONDS = 0.2
"""... and how long it waits in between: a worker has a ticket for as long as its calls take."""

Done = TypeVar("Done")
LinkChange = Callable[[Link, datetime], list[Note]]
"""Changes a link in place, at a time, and returns what its timeline is to say of it."""


def change_link(tx: Tx, desk: Desk, link_id: str, change: LinkChange) -> Link:
    """Change a link under its lease, with its timeline and conflicts, and return it as it is then.

    Raises Busy while a worker has it.
    """
    now, owner = desk.now(), f"operator/{desk.context.fresh_id()}"
    # A name of its own: two acts at once must not share a lease.
    fence = links.lease(tx, link_id, owner, now, now + LEASE)
    if fence is None:
        raise Busy(f"a worker has {link_id} just now; ask again in a moment")
    link = desk.context.load(tx, [link_id])[link_id]
    notes = change(link, now)
    links.save(tx, link, owner, fence, now)
    store_notes(tx, link, notes, now, disputed=True)
    links.release(tx, link_id, owner, fence)
    return link


def when_free(desk: Desk, act: Callable[[Tx], Done]) -> Done:
    """Act in one transaction, as soon as no worker is busy with what the act wants to change.

    Raises Busy when that takes more than about ten seconds.
    """
    for _ in range(MAX_TRIES - 1):
        try:
            with desk.ledger.transaction() as tx:
                return act(tx)
        except Busy:
            desk.context.clock.sleep(RETRY_SECONDS)
    with desk.ledger.transaction() as tx:
        return act(tx)
