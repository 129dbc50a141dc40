"""Claims and leases of workers that are dead: freed at once instead of when they run out.

The dead commit nothing, and a lease that is taken anew gets a new fence. But a write that they had
sent may still be on its way: a link with an open attempt or intent keeps its lease until that runs
out, for it is as long as such a call can take.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from sqlalchemy import or_, select, union, update

from bridge.ledger.database import Tx
from bridge.ledger.tables import attempt, connection_health, create_intent, link, work


def release_dead(tx: Tx, now: datetime, is_dead: Callable[[str], bool]) -> int:
    """Free what owners hold that are dead; gives how many claims there were. A lease's owner is `worker/task`."""
    claims = select(work.c.claimed_by).where(work.c.claimed_until > now).distinct()
    leases = select(link.c.lease_owner).where(link.c.lease_until > now)
    held = {owner for owner in tx.execute(leases).scalars() if owner}
    workers = {owner for owner in tx.execute(claims).scalars() if owner} | {
        owner.partition("/")[0] for owner in held
    }
    dead = sorted(owner for owner in workers if is_dead(owner))
    if not dead:
        return 0
    gone = [owner for owner in held if owner.partition("/")[0] in dead]
    sending = union(
        select(attempt.c.link_id).where(attempt.c.closed_at.is_(None)),
        select(create_intent.c.link_id).where(create_intent.c.closed_at.is_(None)),
    )
    free_lease = update(link).where(link.c.lease_owner.in_(gone), link.c.id.not_in(sending))
    tx.execute(free_lease.values(lease_owner=None, lease_until=None))
    idle = or_(work.c.link_id.is_(None), work.c.link_id.not_in(sending))
    freed = update(work).where(work.c.claimed_by.in_(dead), work.c.claimed_until > now, idle)
    names = (
        tx.execute(freed.values(claimed_by=None, claimed_until=None).returning(work.c.connection))
        .scalars()
        .all()
    )
    # Where a connection was being tried, the one that tried it was among them.
    probes = update(connection_health).where(connection_health.c.connection.in_(sorted(set(names))))
    tx.execute(probes.values(probe_until=None))
    return len(names)
