"""Frees the claims and leases of dead workers at once, instead of when they run out.

Dead is a process that has ended, and a drain that the ledger failed in the middle: neither commits
anything more of what it had begun. But a write that it sent may still be on its way: a link with
an open attempt or intent keeps its lease until that runs out, which is as long as a call can take.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from sqlalchemy import or_, select, union, update

from bridge.ledger.database import Tx
from bridge.ledger.tables import attempt, connection_health, create_intent, link, work


def release_dead(tx: Tx, now: datetime, is_dead: Callable[[str], bool]) -> int:
    """Free the claims and leases of dead workers; return the number of claims."""
    claims = select(work.c.claimed_by).where(work.c.claimed_until > now).distinct()
    leases = select(link.c.lease_owner).where(link.c.lease_until > now)
    lease_owners = {owner for owner in tx.execute(leases).scalars() if owner}
    # A lease's owner is `worker/task`, a claim's owner is the worker.
    workers = {owner for owner in tx.execute(claims).scalars() if owner} | {
        owner.partition("/")[0] for owner in lease_owners
    }
    dead = sorted(owner for owner in workers if is_dead(owner))
    if not dead:
        return 0
    dead_owners = [owner for owner in lease_owners if owner.partition("/")[0] in dead]
    sending = union(
        select(attempt.c.link_id).where(attempt.c.closed_at.is_(None)),
        select(create_intent.c.link_id).where(create_intent.c.closed_at.is_(None)),
    )
    free_leases = update(link).where(link.c.lease_owner.in_(dead_owners), link.c.id.not_in(sending))
    tx.execute(free_leases.values(lease_owner=None, lease_until=None))
    not_sending = or_(work.c.link_id.is_(None), work.c.link_id.not_in(sending))
    freed = update(work).where(work.c.claimed_by.in_(dead), work.c.claimed_until > now, not_sending)
    freed = freed.values(claimed_by=None, claimed_until=None)
    connections = tx.execute(freed.returning(work.c.connection)).scalars().all()
    # A connection's probe was among the freed work.
    probes = update(connection_health).where(
        connection_health.c.connection.in_(sorted(set(connections)))
    )
    tx.execute(probes.values(probe_until=None))
    return len(connections)
