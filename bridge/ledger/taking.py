"""Taking links in hand: leasing them, and loading all that work on them needs to know.

In five statements, however many links are asked for; with records of one connection and entity, two
more find the links, and the webhooks that reading a record will answer.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import BindParameter, bindparam, func, select, text

from bridge.core.model.state import Link
from bridge.core.model.values import Ref
from bridge.ledger import link_leases, links
from bridge.ledger.database import Tx
from bridge.ledger.link_leases import Known
from bridge.ledger.tables import inbox, work


@dataclass(frozen=True, slots=True)
class Asked:
    """A link that is asked for, by its id or by a record of it."""

    owner: str
    """The lease's owner."""
    lasts: timedelta
    """For so long the lease is taken."""
    link_id: str = ""
    ref: Ref | None = None


@dataclass(frozen=True, slots=True)
class LinkWork:
    """Work of a link that is in the ledger, whether it waits, is under way or is parked."""

    id: int
    key: str
    connection: str
    payload: Mapping[str, Any]
    is_parked: bool


@dataclass(frozen=True, slots=True)
class Taken:
    """A link in hand, and what is known of it."""

    link_id: str | None
    """None: no link has the record."""
    link: Link | None = None
    """None: it has none, or somebody else holds it."""
    fence: int = 0
    until: datetime | None = None
    """When the lease runs out."""
    known: Known = field(default_factory=dict)
    work: Sequence[LinkWork] = ()
    webhooks_upto: int = 0
    """The newest webhook for the record: known before it is read, it is answered by that."""


def take(tx: Tx, asked: Sequence[Asked], now: datetime) -> list[Taken]:
    """Lease and load what is asked for. Where it is asked for twice, the first one gets it."""
    webhooks = _pending_webhooks(tx, asked)
    found = links.of_refs(tx, [each.ref for each in asked if each.ref is not None])
    ids = [each.link_id or (found.get(each.ref) if each.ref else None) for each in asked]
    first: dict[str, Asked] = {}
    for link_id, each in zip(ids, asked, strict=True):
        if link_id is not None:
            first.setdefault(link_id, each)
    fences = _lease(tx, first, now)
    loaded = links.load_known(tx, list(fences))
    work_of = of_links(tx, list(fences))
    taken = []
    for link_id, each in zip(ids, asked, strict=True):
        upto = webhooks.get(each.ref, 0) if each.ref is not None else 0
        if link_id is None or link_id not in loaded or first[link_id] is not each:
            taken.append(Taken(link_id, webhooks_upto=upto))
            continue
        link, known = loaded[link_id]
        rows = work_of.get(link_id, ())
        until = now + each.lasts
        taken.append(Taken(link_id, link, fences[link_id], until, known, rows, upto))
    return taken


def _lease(tx: Tx, first: Mapping[str, Asked], now: datetime) -> dict[str, int]:
    """Lease the links that can be leased; return the fence of each."""
    fences: dict[str, int] = {}
    for lasts in {each.lasts for each in first.values()}:  # all of a worker's last the same time
        owners = {link_id: each.owner for link_id, each in first.items() if each.lasts == lasts}
        fences |= link_leases.take(tx, owners, now, now + lasts)
    return fences


def of_links(tx: Tx, link_ids: Sequence[str]) -> dict[str, list[LinkWork]]:
    """Return all work of these links, by link."""
    found: defaultdict[str, list[LinkWork]] = defaultdict(list)
    if link_ids:
        for row in tx.execute(_WORK, {"ids": list(link_ids)}):
            found[row.link_id].append(
                LinkWork(
                    row.id, row.key, row.connection, row.payload or {}, row.parked_at is not None
                )
            )
    return found


def _pending_webhooks(tx: Tx, asked: Sequence[Asked]) -> dict[Ref, int]:
    groups: defaultdict[tuple[str, str], list[str]] = defaultdict(list)
    for each in asked:
        if each.ref is not None:
            groups[each.ref.connection, each.ref.entity].append(each.ref.id)
    newest = {}
    for (connection, entity), remote_ids in groups.items():
        these = {"of": connection, "kind": entity, "ids": remote_ids}
        for row in tx.execute(_PENDING, these):
            newest[Ref(connection, entity, row.remote_id)] = row.newest
    return newest


_IDS: BindParameter[list[str]] = bindparam("ids", expanding=True)
_WORK = select(
    work.c.id, work.c.link_id, work.c.key, work.c.connection, work.c.payload, work.c.parked_at
).where(work.c.link_id.in_(_IDS))
_PENDING = (
    select(inbox.c.remote_id, func.max(inbox.c.id).label("newest"))
    .where(
        inbox.c.connection == bindparam("of"),
        inbox.c.entity == bindparam("kind"),
        inbox.c.remote_id.in_(_IDS),
        # A literal, so that both databases can use the partial index.
        inbox.c.verdict == text("'pending'"),
    )
    .group_by(inbox.c.remote_id)
)
