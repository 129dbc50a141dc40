"""Who did what through the bridge, and when."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypedDict, Unpack

from bridge.ledger import audit
from bridge.ledger.audit import AuditChain, AuditFilter
from bridge.operations.desk import Desk

__all__ = ["Act", "ActPage", "AuditChain", "AuditFilter", "acts", "page", "verify", "verify_newest"]


@dataclass(frozen=True, slots=True)
class Act:
    """An act of an operator. Its fields are the keys of `bridge audit --json`."""

    id: int
    at: datetime
    actor: str
    """`local:` and this machine's account, `user:` and who was signed in, `token:` and its name."""
    action: str
    subject: str
    """What it was done to."""
    detail: Mapping[str, Any]


class WantedActs(TypedDict, total=False):
    """The fields of AuditFilter, for whoever gives only some."""

    actor: str
    action: str
    subject: str
    since: datetime | None
    until: datetime | None


@dataclass(frozen=True, slots=True)
class ActPage:
    """A part of the list of acts."""

    acts: list[Act]
    before: int | None
    """The act before which the next part begins; None: this is the end."""


def acts(
    desk: Desk, *, limit: int, before: int | None = None, **wanted: Unpack[WantedActs]
) -> list[Act]:
    """Return the newest acts that fit, newest first, those before one.

    `wanted`: the fields of AuditFilter.
    """
    return page(desk, AuditFilter(**wanted), limit=limit, before=before).acts


def page(
    desk: Desk,
    wanted: AuditFilter,
    *,
    limit: int,
    before: int | None = None,
    within: int | None = None,
) -> ActPage:
    """Return what `acts` does, and where the next part begins.

    `within`: so many acts are looked at and no more, for whoever cannot wait for all of them; then
    the part may have fewer rows, or none.
    """
    with desk.ledger.read() as tx:
        rows, next_before = audit.page(tx, limit, before=before, wanted=wanted, within=within)
    return ActPage([Act(**row) for row in rows], next_before)


def verify_newest(desk: Desk, limit: int) -> AuditChain:
    """Say whether the newest acts fit one another, so many of them, and no older one is read."""
    with desk.ledger.snapshot() as tx:
        return audit.verify_newest(tx, limit)


def verify(desk: Desk) -> AuditChain:
    """Go through all acts, and say whether each fits those before it."""
    with desk.ledger.snapshot() as tx:
        return audit.verify(tx)
