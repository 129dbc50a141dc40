"""The effect of changed mappings, over the whole ledger, before they are in force.

Nobody is asked, nothing is stored, and no transaction lasts longer than a page: a bridge at work
does not notice. What has moved before the change is published shows when it is carried out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final

from bridge.connectors.contract import Record
from bridge.core.merge import guard
from bridge.core.merge.rereading import FreshValues
from bridge.core.model.state import Link
from bridge.core.model.values import Marker, Raw, Ref, Unreadable
from bridge.core.planning.calls import PlannedCall
from bridge.engine.context import Context
from bridge.flow import call_parts
from bridge.ledger import attempts, link_outlines, links, taking
from bridge.ledger.database import Ledger, Tx
from bridge.ledger.link_outlines import LinkOutline
from bridge.preview.dry_run import CALLS_PER_WRITE
from bridge.runs import forecast
from bridge.runs.plain_links import PlainLinks
from bridge.runs.steady_links import SteadyLinks
from bridge.workbench.effect import LinkEffect, MappingChange, effect_on
from bridge.workbench.effect_summary import EffectSummary

PAGE: Final = 500
"""Links looked at in one transaction."""
LANE: Final = "backfill"
"""The lane in which a change is carried out."""

Look = Callable[[int], None]
"""Hears how many links have been looked at."""
Take = Callable[[LinkEffect], None]
"""Is handed each link of which anything is another than before."""
Read = Callable[[Sequence[Ref]], Mapping[Ref, Record]]
"""Reads records; what cannot be read is left out."""
PageEnds = Callable[[str], None]
"""Hears the last id of a page of links."""


@dataclass(frozen=True, slots=True)
class _Lacking:
    """A record of which some fields are not known."""

    link: str
    ref: Ref
    fields: set[str]


@dataclass(frozen=True, slots=True)
class _Walk:
    """A look at all links, page by page."""

    change: MappingChange
    ledger: Ledger
    summary: EffectSummary
    take: Take
    read: Read | None
    steady: dict[str, SteadyLinks] = field(default_factory=dict)
    plain: dict[str, PlainLinks] = field(default_factory=dict)

    def __post_init__(self) -> None:
        old, new = self.change.old, self.change.new
        for name, sync in new.syncs.items():
            self.steady[name] = SteadyLinks.of(
                new, sync, self.change.known(name), self.change.changed(name)
            )
        for name, sync in old.syncs.items():
            self.plain[name] = PlainLinks.of(old, sync)

    def page(self, after: str) -> str:
        """Look at the links after this one; return the last; empty when there are none left."""
        with self.ledger.read() as tx:
            ids = links.ids(tx, after, PAGE)
            outlines = link_outlines.of(tx, ids)
            needing = [each for each in ids if not self._is_steady(outlines.get(each))]
            lacking = self._lacking(tx, needing) if self.read is not None else []
        # Outside of the transaction: vendors take their time.
        fresh = self._read(lacking)
        with self.ledger.read() as tx:
            effects = list(self._effects(tx, needing, outlines, fresh))
        for entity, effect in effects:
            self.summary.add(effect, entity)
            if effect or effect.fresh:
                self.take(effect)
        self.summary.looked_at += len(ids)
        self.summary.entities.update(each.entity for each in outlines.values())
        return ids[-1] if ids else ""

    def _is_steady(self, outline: LinkOutline | None) -> bool:
        if outline is None or outline.sync not in self.steady:
            return False
        unread = self.steady[outline.sync].unread_of(outline)
        if unread and self.read is not None:
            return False
        self.summary.unread.update(unread or ())
        return unread is not None

    def _lacking(self, tx: Tx, ids: Sequence[str]) -> list[_Lacking]:
        """Return the records of which something is not known before they are read."""
        lacking: list[_Lacking] = []
        for link_id, link in self.change.new.load(tx, ids).items():
            places: dict[str, set[str]] = {}
            for connection, name in self.change.unread(link):
                places.setdefault(connection, set()).add(name)
            lacking += [
                _Lacking(link_id, Ref(name, link.entity, link.sides[name].remote_id), fields)
                for name, fields in places.items()
            ]
        return lacking

    def _read(self, lacking: Sequence[_Lacking]) -> dict[str, dict[str, dict[str, Raw]]]:
        """Return what records show of what is not known of them: by link, connection and field."""
        fresh: dict[str, dict[str, dict[str, Raw]]] = {}
        if self.read is None:
            return fresh
        by_ref = {each.ref: each for each in lacking}
        for ref, record in self.read(list(by_ref)).items():
            values = self.change.new.maps[ref.connection][ref.entity].extract(record.data)
            each = by_ref[ref]
            known = {
                name: raw
                for name, raw in values.items()
                if name in each.fields and not isinstance(raw, Marker | Unreadable)
            }
            if known:
                fresh.setdefault(each.link, {})[ref.connection] = known
        return fresh

    def _effects(
        self,
        tx: Tx,
        ids: Sequence[str],
        outlines: Mapping[str, LinkOutline],
        fresh: Mapping[str, FreshValues],
    ) -> Iterable[tuple[str, LinkEffect]]:
        old, new = self.change.old, self.change.new
        loaded, rows_of = new.load(tx, ids), taking.of_links(tx, ids)
        owing = [each for each in ids if self._may_be_owed(outlines.get(each))]
        as_they_are = old.load(tx, owing)
        for link_id, link in loaded.items():
            rows = rows_of.get(link_id, ())

            def leave_out(
                link: Link,
                name: str,
                calls: Sequence[PlannedCall],
                rows: Sequence[taking.LinkWork] = rows,
            ) -> Sequence[PlannedCall]:
                return call_parts.without_refused(new, link, name, calls, rows)

            effect = effect_on(
                self.change,
                link,
                as_they_are.get(link_id),
                fresh=fresh.get(link_id),
                leave_out=leave_out,
            )
            yield link.entity, effect

    def _may_be_owed(self, outline: LinkOutline | None) -> bool:
        """Return whether anything may be due to a link without the change."""
        if outline is None or outline.sync not in self.plain:
            return True
        link = link_outlines.parsed(outline)
        return link is None or not self.plain[outline.sync].owe_nothing(link)


def effect_of(
    ledger: Ledger,
    old: Context,
    new: Context,
    *,
    take: Take = lambda _effect: None,
    look: Look = lambda _seen: None,
    page_ends: PageEnds = lambda _link_id: None,
    read: Read | None = None,
) -> EffectSummary:
    """Return what the new files do to all that the ledger knows, against the old ones.

    `take` is handed each link that is concerned, in the order of their ids, and keeps what it
    likes: in the summary only counts and a few samples are kept. `page_ends` hears the last id of
    each page, after its links. `read` asks the systems for what the ledger does not know; without
    it that is counted as not known.
    """
    summary = EffectSummary(new.fields)
    walk = _Walk(MappingChange(old, new), ledger, summary, take, read)
    after = walk.page("")
    while after:
        look(summary.looked_at)
        page_ends(after)
        after = walk.page(after)
    _estimate_cost(new, summary)
    summary.unsafe = list(_held(ledger, new, summary))
    return summary


def _estimate_cost(context: Context, summary: EffectSummary) -> None:
    for name in context.connections:
        calls = sum(
            CALLS_PER_WRITE[op] * count
            for (connection, op), count in summary.writes.items()
            if connection == name
        )
        if calls:
            summary.calls[name] = calls
            summary.seconds[name] = forecast.seconds_for_calls(context, name, calls, LANE)


def _held(ledger: Ledger, context: Context, summary: EffectSummary) -> Iterable[str]:
    """Return what the brake says: about what is destroyed, and about how much is changed."""
    an_hour_ago = context.clock.now() - timedelta(hours=1)
    for name, entity in sorted({*summary.updates, *summary.destructive}):
        sync = context.sync_of(name, entity)
        if sync is None:
            continue
        with ledger.read() as tx:
            records = links.count_sides(tx, name, entity)
            recent = attempts.count_destructive(tx, name, an_hour_ago)
        more = summary.destructive[name, entity]
        destroys = guard.destructive_held(recent, more, records, sync.guard)
        if destroys is not None:
            yield f"{name}: {destroys.partition('; ')[0].removeprefix('held as unsafe: ')}"
        changes = guard.change_held(summary.updates[name, entity], records, sync.guard)
        if changes is not None:
            yield f"{name}: {changes}"
