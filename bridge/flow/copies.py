"""Copies that the bridge made and the ledger does not know, because it was lost or put back.

Their marker says so, and names the original by a key (core/model/markers.py). Such a record is
never mirrored as a new request. What is done, the first row that fits:

| situation                            | what is done                                          |
| ------------------------------------ | ----------------------------------------------------- |
| its original has a ticket            | it joins that, whatever it shows by now               |
| the ticket has another record there  | set aside: it is one too many. When the other one is  |
|                                      | deleted, it takes its place, and nothing travels      |
| a match rule finds one ticket        | it joins that, as ever (match.py)                     |
| its original may still be listed     | it waits                                              |
| otherwise                            | set aside, with tickets that may be its original's    |

A copy without a marker (its tags were written since, or its system has no place for one) is told by
match rules alone. Where these do not tell, and a ticket that was just met has a likely twin, it is
set aside before another one is made. So it is where a rule finds a ticket that had ended before it
was made, and both show the same texts: a copy is made after the end, too.

The original, on its side, is not copied to a connection while a copy of it waits there, or while
the ledger has to catch up with the connection.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice
from typing import Any

from bridge.connectors.contract import Record
from bridge.core.merge.making import state_made
from bridge.core.model.clocks import TimeSpan
from bridge.core.model.markers import ORIGINAL_CHARS, SHORT_ORIGINAL_CHARS, Markers, original_key
from bridge.core.model.state import Link
from bridge.core.model.values import Canonical, Ref, Unreadable
from bridge.engine.context import Context
from bridge.flow import catching_up
from bridge.ledger import catch_up, connection_health, hints, intents, links, matching, stray_copies
from bridge.ledger.database import Tx
from bridge.ledger.matching import Key

WAIT = timedelta(seconds=5)
"""How long to leave a copy whose original may still be listed, and a create that waits for one."""
MAX_CANDIDATES = 5
MAX_STRAYS = 50
TWIN_WINDOW = timedelta(minutes=15)
"""A copy is made so soon after its original, or a little later where a vendor was down."""
TOLD_BY = ("subject", "description")
"""Fields whose texts tell that two records may be one, where nothing else does."""


@dataclass(frozen=True, slots=True)
class PlaceOfCopy:
    """Where a copy belongs."""

    link: Link | None = None
    """The ticket of its original, where it has its place."""
    is_known: bool = False
    """It is in its place already, as another entity of the same connection."""
    why_not: str = ""
    """Why it cannot join its original's ticket."""


def key_of(ref: Ref) -> Key:
    """Return the key by which copies of a record find it."""
    return (matching.ORIGINAL, original_key(ref), None)


def original_of(tx: Tx, context: Context, record: Record) -> str:
    """Return the key of what a record is a copy of; empty when it is none that is unknown.

    A marker that is on record for another record was copied by a human, together with the rest.
    """
    original = Markers.of(context.connections[record.ref.connection]).original(record.marker)
    if original and record.marker and intents.made_another(tx, record.marker, record.ref.id):
        return ""
    return original


def lock_names(ref: Ref, original: str) -> set[str]:
    """Return what to lock so that a copy and its original do not miss one another."""
    return {key[:SHORT_ORIGINAL_CHARS] for key in (original_key(ref), original) if key}


def place_of(tx: Tx, context: Context, ref: Ref, original: str) -> PlaceOfCopy | None:
    """Return where a copy belongs; None when its original has no ticket, or more than one does."""
    found = {
        link_id
        for sync in context.syncs.values()
        if ref.connection in sync.members
        for link_id in matching.originals(tx, sync.name, original, ORIGINAL_CHARS)
    }
    if len(found) != 1:
        return None
    (link,) = context.load(tx, found).values()
    present = link.sides.get(ref.connection)
    if present is None:
        return PlaceOfCopy(link)
    if present.remote_id == ref.id:
        return PlaceOfCopy(link, is_known=True)
    if not link.live():
        why = f"{ref} is a copy of a record that was deleted, as all of its ticket; delete it there"
        return PlaceOfCopy(link, why_not=why)
    if present.tombstone:
        return PlaceOfCopy(link)
    other = Ref(ref.connection, link.entity, present.remote_id)
    return PlaceOfCopy(
        link,
        why_not=f"{ref} and {other} are copies of the same record, and {other} has its place in "
        f"the ticket; delete {ref} there",
    )


def may_still_come(tx: Tx, context: Context, connection: str) -> bool:
    """Return whether the original of a copy may be in what the ledger has not caught up with.

    A connection that nobody may call until an operator resumes it holds up nothing.
    """
    others = {
        name
        for sync in context.syncs.values()
        if connection in sync.members
        for name in sync.members
        if name != connection
    }
    health = connection_health.by_name(tx)
    return any(
        catching_up.is_behind(tx, context, name)
        for name in sorted(others)
        if name not in health or not health[name].halted
    )


def stray(
    tx: Tx,
    context: Context,
    record: Record,
    original: str,
    keys: list[Key],
    sync: str,
    now: datetime,
) -> str:
    """Store a copy whose original is not known, and return what an admin should know about it."""
    ref = record.ref
    stray_copies.put(tx, ref, original, now)
    found = sorted({link_id for key in keys for link_id in matching.find(tx, sync, *key[:2])})
    likely = [
        str(Ref(side.connection, link.entity, side.remote_id))
        for link in context.load(tx, found[:MAX_CANDIDATES]).values()
        for side in list(link.live().values())[:1]
    ]
    return (
        f"{ref} is a copy that the bridge made, of a record that the ledger does not know; "
        f"likely originals: {', '.join(likely) or 'none is known'}; "
        f"`bridge link relink {ref} --to TICKET` joins it, or delete it there and discard this"
    )


def alike_keys(
    values: Mapping[str, Canonical | Unreadable], made: TimeSpan | None, *, is_late: bool
) -> list[Key]:
    """Return the keys by which a record is found that may be the same thing, or may be another.

    Only of a record that is older than the ledger's knowledge of its connection (`is_late`).
    """
    texts = [text for name in TOLD_BY if isinstance(text := values.get(name), str) and text]
    if made is None or not texts or not is_late:
        return []
    digests = [
        hashlib.sha256(text.casefold().encode("utf-8", "surrogatepass")).hexdigest()
        for text in texts
    ]
    return [(matching.ALIKE, digest, made.middle) for digest in dict.fromkeys(digests)]


def doubtful_twins(tx: Tx, context: Context, link: Link, connection: str) -> dict[str, str]:
    """Return records on a connection that may be copies of a ticket, or its original, and why.

    They have its subject or description, were made about when it was, and have no record where it
    has one; match rules do not tell, and neither does a marker. Or they are copies of what is gone:
    the ticket may be another copy of it, whose marker was taken off.
    """
    made = state_made(link)
    keys = twin_keys(tx, link)
    found = {
        link_id
        for rule, digest, at in keys
        for link_id in matching.find(tx, link.sync, rule, digest, at=at, within=TWIN_WINDOW)
    }
    why = "the ledger is new, or was put back; subject or description, and time, are the same"
    strays = _unclaimed(tx, context, link, connection, made)
    unknown = "it is a copy of a record that the ledger does not know"
    return dict.fromkeys(map(str, strays), unknown) | {
        str(Ref(connection, other.entity, other.live()[connection].remote_id)): why
        for other in context.load(tx, sorted(found - {link.id})).values()
        if connection in other.live() and not set(link.live()) & set(other.live())
    }


def twin_keys(tx: Tx, link: Link) -> list[Key]:
    """Return the keys by which a ticket's doubtful twins are found."""
    return alike_keys(canonical_state(link), state_made(link), is_late=is_late(tx, link))


def canonical_state(link: Link) -> dict[str, Canonical]:
    """Return the link's agreed values, by which it is matched."""
    return {name: state.value for name, state in link.state.items() if state.rev}


def is_late(tx: Tx, link: Link) -> bool:
    """Return whether a ticket may be older than the ledger's knowledge of where it is."""
    made = state_made(link)
    return any(catching_up.is_late(tx, name, made) for name in link.live())


def may_be_forgotten(
    tx: Tx,
    link: Link,
    connection: str,
    values: Mapping[str, Canonical | Unreadable],
    made: TimeSpan | None,
) -> bool:
    """Return whether a record may be a copy of a ticket, or its original, that nobody knows of.

    So it is where both are older than the ledger, and show the same texts; but not in a new home,
    which would have to ask about each customer who wrote twice.
    """
    return (
        catch_up.was_another(tx, connection)
        and catching_up.is_late(tx, connection, made)
        and is_late(tx, link)
        and have_same_texts(canonical_state(link), values)
    )


def have_same_texts(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Return whether two records show the same subject and description, as far as both show any."""
    both = [
        (one[name], other[name])
        for name in TOLD_BY
        if all(isinstance(each.get(name), str) and each[name] for each in (one, other))
    ]
    return bool(both) and all(_folded(text) == _folded(same) for text, same in both)


def _folded(text: str) -> str:
    return " ".join(text.casefold().split())


def _unclaimed(
    tx: Tx, context: Context, link: Link, connection: str, made: TimeSpan | None
) -> list[Ref]:
    """Return stray copies on a connection that may be copies of what a ticket is a copy of."""
    if not catching_up.is_late(tx, connection, made):
        return []
    strays = stray_copies.some_at(tx, connection, link.entity, MAX_STRAYS)
    linked = links.of_refs(tx, strays)
    unclaimed = (
        ref
        for ref, original in strays.items()
        if ref not in linked and place_of(tx, context, ref, original) is None
    )
    return list(islice(unclaimed, MAX_CANDIDATES))


def without_place(tx: Tx, link: Link, connection: str) -> list[Ref]:
    """Return the copies of a ticket's records on a connection that are in no ticket."""
    keys = {
        original_key(Ref(side.connection, link.entity, side.remote_id))
        for side in link.sides.values()
    }
    short = {key[:SHORT_ORIGINAL_CHARS] for key in keys}
    strays = stray_copies.of(tx, connection, keys | short)
    linked = links.of_refs(tx, strays)
    return [ref for ref in strays if ref not in linked]


def is_awaited(tx: Tx, context: Context, link: Link, connection: str, now: datetime) -> bool:
    """Return whether a copy of a ticket may be on a connection already, so that none is made yet.

    One that waits there, or was set aside, is looked at again: its original is known now.
    """
    if catching_up.is_behind(tx, context, connection):
        return True
    if not stray_copies.any_at(tx, connection):
        return False
    strays = without_place(tx, link, connection)
    for ref in strays:
        hints.give(tx, ref, now, lane="operator")
    # The original of another one there may turn out to be a record of this very ticket.
    return bool(strays) or may_still_come(tx, context, connection)
