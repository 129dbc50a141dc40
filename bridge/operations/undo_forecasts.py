"""What taking a run back will do, by what the ledger knows: what goes back, and what is left.

Each record is read once more before it is written to, so an edit that nobody has seen yet can still
leave one more alone.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

from bridge.core.model.state import Link, Side
from bridge.core.model.values import Marker, Raw, Ref
from bridge.ledger import run_writes
from bridge.ledger.run_writes import CarriedOutWrite, CreatedRecord
from bridge.operations.desk import Desk
from bridge.runs import undo
from bridge.runs.written_by_run import put_together

PAGE: Final = 500
"""Links loaded in one go."""

RunWrite = CreatedRecord | CarriedOutWrite


@dataclass(frozen=True, slots=True)
class LeftRecord:
    """A record that an undo leaves as it is, in whole or in part."""

    link: str
    ref: str
    why: str
    fields: list[str] = field(default_factory=list)
    """Those that somebody has changed since."""


@dataclass(frozen=True, slots=True)
class UndoForecast:
    """What taking a run back will do."""

    back: dict[str, set[tuple[str, str]]]
    """By link: connection and field that get the value of before; no field: a whole record."""
    left: list[LeftRecord]
    entities: Counter[str] = field(default_factory=Counter)
    """Of how many of each entity something goes back."""

    @property
    def is_over(self) -> bool:
        """Return whether there is nothing to take back any more, nor was there anything else."""
        return not self.back and all(each.why == undo.AS_BEFORE for each in self.left)


def forecast(desk: Desk, run_id: int, *, delete_created: bool = False) -> UndoForecast:
    """Return what taking a run back will do. `delete_created`: as for `undos.start_undo`."""
    found = UndoForecast({}, [])
    with desk.ledger.read() as tx:
        by_link = defaultdict[str, list[RunWrite]](list)
        writes: list[RunWrite] = [*run_writes.made(tx, run_id), *run_writes.changed(tx, run_id)]
        for write in writes:
            by_link[write.link_id].append(write)
        ids = list(by_link)
        for start in range(0, len(ids), PAGE):
            page = ids[start : start + PAGE]
            links = desk.context.load(tx, page)
            for link_id in page:
                _add(desk, links.get(link_id), by_link[link_id], found, told=delete_created)
    return found


def _add(
    desk: Desk, link: Link | None, writes: Sequence[RunWrite], found: UndoForecast, *, told: bool
) -> None:
    """Add what becomes of one ticket."""
    if link is None:
        return
    live = link.live()
    for connection, remote_id in dict.fromkeys((x.connection, x.remote_id) for x in writes):
        ref, side = Ref(connection, link.entity, remote_id), live.get(connection)
        if side is None or side.remote_id != remote_id:
            found.left.append(
                LeftRecord(link.id, f"{connection}:{remote_id}", "the record is gone")
            )
            continue
        back, why, edited = _of_record(desk, link, side, ref, writes, told=told)
        if back:
            found.entities[link.entity] += link.id not in found.back
            found.back.setdefault(link.id, set()).update((connection, name) for name in back)
        if why:
            found.left.append(LeftRecord(link.id, f"{connection}:{remote_id}", why, edited))


def _of_record(
    desk: Desk, link: Link, side: Side, ref: Ref, writes: Sequence[RunWrite], *, told: bool
) -> tuple[list[str], str, list[str]]:
    """Return what of a record goes back, why something does not, and which fields were edited."""
    context = desk.context
    made = [write for write in writes if isinstance(write, CreatedRecord)]
    changed = [write for write in writes if isinstance(write, CarriedOutWrite)]
    did, now_shown = put_together(made, changed, side), dict(_known(desk, link, side))
    if did.created:
        edited = undo.touched(context, link, side, now_shown, did)
        why = f"{', '.join(edited)} changed there since" if edited else ""
        why = why or undo.may_not_be_deleted(context, link, ref, told=told)
        return [] if why else [""], why, edited
    as_before, ours = undo.as_before_and_ours(context, link, side, did, now_shown)
    edited = sorted(did.before.keys() - as_before - ours)
    if edited:
        return sorted(ours), f"{', '.join(edited)} changed there since", edited
    return sorted(ours), "" if ours else undo.AS_BEFORE, []


def _known(desk: Desk, link: Link, side: Side) -> Iterator[tuple[str, Raw]]:
    """Yield what the side showed last, without what cannot be read."""
    mapped = desk.context.maps.get(side.connection, {}).get(link.entity)
    for name, entry in side.fields.items():
        known = mapped is not None and name in mapped.fields
        if known and not entry.unreadable and not isinstance(entry.shadow, Marker):
            yield name, entry.shadow
