"""What a change comes to over all tickets: counts, and bounded samples, however many there are."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Final

from bridge.core.model.entities import FieldTable
from bridge.core.model.values import Canonical, Raw
from bridge.core.planning.planned_write import PlannedWrite
from bridge.workbench.effect import LinkEffect, LossyCell

MAX_SAMPLES: Final = 5
"""Writes of each connection, kind and set of fields that are kept whole."""
MAX_SAMPLE_KINDS: Final = 40
MAX_KINDS: Final = 200
"""Different rows of a count that are kept; what comes beyond is counted as `OTHERS`."""
OTHERS: Final = "others"
PLAIN_KINDS: Final = frozenset({"choice", "boolean"})
"""Kinds of fields whose values are few: unless personal, they are counted one by one."""


@dataclass(slots=True)
class EffectSummary:
    """What a change comes to."""

    fields: FieldTable
    looked_at: int = 0
    """Tickets and other links of the syncs."""
    entities: Counter[str] = field(default_factory=Counter)
    """The same by entity."""
    concerned: Counter[str] = field(default_factory=Counter)
    """Those with a write, another agreed value or a loss, by entity."""
    tickets: int = 0
    """Links with a write, another agreed value or a loss."""
    written: int = 0
    """Links with a write."""
    writes: Counter[tuple[str, str]] = field(default_factory=Counter)
    """By connection and kind: create, update, delete."""
    written_fields: Counter[tuple[str, str]] = field(default_factory=Counter)
    """By connection and canonical field."""
    values: Counter[tuple[str, str, str, str]] = field(default_factory=Counter)
    """Connection, field, raw value of before, and of after; of PLAIN_KINDS alone."""
    moved: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    """Field, agreed value of before, and of after; of other kinds both are empty."""
    lossy: Counter[LossyCell] = field(default_factory=Counter)
    unread: Counter[tuple[str, str]] = field(default_factory=Counter)
    """Connection and field: records whose value is not known until they are read."""
    destructive: Counter[tuple[str, str]] = field(default_factory=Counter)
    """Connection and entity: what is lost, as the guard counts it."""
    updates: Counter[tuple[str, str]] = field(default_factory=Counter)
    """Connection and entity."""
    owed: int = 0
    """Writes that are due without the change as well."""
    open_attempts: int = 0
    """Concerned links of which a write is under way or of unknown fate."""
    samples: dict[tuple[str, str, str], list[PlannedWrite]] = field(default_factory=dict)
    """By connection, kind and fields."""
    calls: dict[str, int] = field(default_factory=dict)
    """What it will cost, by connection."""
    seconds: dict[str, float] = field(default_factory=dict)
    """How long that takes at the declared rates, by connection; 0 where none is declared."""
    unsafe: list[str] = field(default_factory=list)
    """Why it is not let through without more."""

    def add(self, effect: LinkEffect, entity: str) -> None:
        """Count what becomes of one link."""
        self.owed += effect.owed
        self.unread.update(effect.unread)
        if not effect:
            return
        self.tickets += 1
        self.concerned[entity] += 1
        self.written += bool(effect.writes)
        self.open_attempts += effect.open_attempt
        for write in effect.writes:
            self._add_write(write)
        for each in effect.moved:
            told = (self._told(entity, each.field, each.before, each.after)) or ("", "")
            _count(self.moved, (each.field, *told), (each.field, OTHERS, OTHERS))
        for loss in effect.lossy:
            others = LossyCell(loss.connection, loss.field, loss.kind, OTHERS)
            _count(self.lossy, loss, others)

    def _add_write(self, write: PlannedWrite) -> None:
        place = (write.connection, write.entity)
        self.writes[write.connection, write.op] += 1
        self.written_fields.update((write.connection, name) for name in write.sent)
        self.destructive[place] += write.destructive
        self.updates[place] += write.op == "update"
        for name, after in write.sent.items():
            told = self._told(write.entity, name, write.before.get(name), after)
            if told is not None and write.op == "update":
                others = (write.connection, name, OTHERS, OTHERS)
                _count(self.values, (write.connection, name, *told), others)
        kind = (write.connection, write.op, ", ".join(sorted(write.sent)))
        if kind in self.samples or len(self.samples) < MAX_SAMPLE_KINDS:
            kept = self.samples.setdefault(kind, [])
            if len(kept) < MAX_SAMPLES:
                kept.append(write)

    def _told(
        self, entity: str, name: str, before: Raw | Canonical, after: Raw | Canonical
    ) -> tuple[str, str] | None:
        known = self.fields.get(entity, {}).get(name)
        if known is None or known.kind not in PLAIN_KINDS or known.personal:
            return None
        return _in_words(before), _in_words(after)

    def as_data(self, *, samples: bool = True) -> dict[str, Any]:
        """Return it as plain data.

        Without `samples` nobody's values are in it: what is kept for good is kept so.
        """
        cells = [(loss, count) for loss, count in self.lossy.most_common()]
        data: dict[str, Any] = {
            "looked_at": self.looked_at,
            "looked_at_by_entity": dict(self.entities),
            "tickets": self.tickets,
            "written": self.written,
            "writes": _rows(self.writes, "connection", "op"),
            "fields": _rows(self.written_fields, "connection", "field"),
            "values": _rows(self.values, "connection", "field", "before", "after"),
            "moved": _rows(self.moved, "field", "before", "after"),
            "lossy": _losses(cells) if samples else _losses_by_kind(cells),
            "unread": _rows(self.unread, "connection", "field"),
            "destructive": _rows(self.destructive, "connection", "entity"),
            "owed": self.owed,
            "open_attempts": self.open_attempts,
            "calls": self.calls,
            "seconds": self.seconds,
            "unsafe": self.unsafe,
        }
        if samples:
            data["samples"] = [asdict(each) for kept in self.samples.values() for each in kept]
        return data


def _count(counter: Counter[Any], key: Any, others: Any) -> None:
    counter[key if key in counter or len(counter) < MAX_KINDS else others] += 1


def _in_words(value: Raw | Canonical) -> str:
    return "none" if value is None else str(value)[:80]


def _rows(counted: Mapping[Any, int], *names: str) -> list[dict[str, Any]]:
    rows = sorted(counted.items(), key=lambda row: -row[1])
    return [
        dict(zip(names, key, strict=True)) | {"count": number} for key, number in rows if number
    ]


def _losses(cells: list[tuple[LossyCell, int]]) -> list[dict[str, Any]]:
    return [
        {
            "connection": loss.connection,
            "field": loss.field,
            "kind": loss.kind,
            "why": loss.why,
            "count": count,
        }
        for loss, count in cells
    ]


def _losses_by_kind(cells: list[tuple[LossyCell, int]]) -> list[dict[str, Any]]:
    counted = Counter[tuple[str, str, str]]()
    for loss, count in cells:
        counted[loss.connection, loss.field, loss.kind] += count
    return _rows(counted, "connection", "field", "kind")
