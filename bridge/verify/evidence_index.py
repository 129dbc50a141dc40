"""The evidence of a finished run, indexed: connections, links, edits of people, our writes."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from bridge.verify.system_reading import SystemReading

Row = Mapping[str, Any]
Ref = tuple[str, str]
"""Connection and id of a record."""
Facts = Mapping[str, Sequence[Row]]
"""What the run itself has to say, by kind."""
TICKET: Final = "ticket"
WINDOW_SECONDS: Final = 2.0
"""Between a read and the write onto it at most, if the run does not say."""
NO_LINK: Final = -1


@dataclass(frozen=True, slots=True)
class HumanEdit:
    """One field (or one element of a set, `tags:<element>`) that a human changed."""

    seq: int
    at: datetime
    link: int
    """Number of the link; negative: the record has none."""
    ref: Ref
    name: str
    old: Any
    new: Any
    raw: Any
    """The new value in the system's own words; None for an element of a set."""
    announced: bool = False
    """The system sends a webhook for it."""

    @property
    def field(self) -> str:
        """Return the field, also of an edit of one element."""
        return self.name.partition(":")[0]


@dataclass(frozen=True, slots=True)
class RunConnections:
    """The accounts of a run."""

    system: Mapping[str, str]
    reading: Mapping[str, SystemReading]
    carries: Mapping[str, tuple[str, ...]]
    """Fields that are kept in step there."""
    mirrored: frozenset[str]
    """Those whose tickets are kept in step at all."""
    creating: frozenset[str]
    """Those of them on which tickets get a counterpart."""

    @classmethod
    def of(cls, journal: Sequence[Row], facts: Facts) -> RunConnections:
        """Index them. Raises ValueError where nothing says how to read a system's records."""
        declared = facts["connection"]
        system = {row["connection"]: row["system"] for row in journal}
        system |= {row["name"]: row["system"] for row in declared}
        described = {row["system"]: SystemReading.of(row) for row in facts["system"]}
        unknown = sorted({row["system"] for row in journal} - described.keys())
        if unknown:
            raise ValueError(f"the facts have no row of the kind 'system' for {', '.join(unknown)}")
        reading = {name: described.get(kind, SystemReading()) for name, kind in system.items()}
        carries = _carried_fields(reading, declared)
        # No fields: nothing is kept in step there, it only takes part in other entities.
        mirrored = system.keys() - {row["name"] for row in declared if row.get("fields") == []}
        refusing = {row["name"] for row in declared if row.get("creates") is False}
        return cls(system, reading, carries, frozenset(mirrored), frozenset(mirrored - refusing))


@dataclass(frozen=True, slots=True)
class TicketLinks:
    """Which records are the same ticket. A link is known by its number."""

    refs: Sequence[Mapping[str, str]]
    """By number: the records, connection -> id."""
    number_of: Mapping[Ref, int]
    """By record: its link, the first one if it is in several."""
    met: Mapping[int, datetime]
    """When all sides had been read for the first time; before, `on_link` has the last word."""
    met_later: Mapping[tuple[int, str, str], datetime]
    """By link, connection and field, where a side did not show a field at once."""
    landed: Mapping[tuple[Ref, str], Any]
    """By record and field: a value that was taken for that of a write without an answer."""

    @classmethod
    def of(cls, rows: Sequence[Row]) -> TicketLinks:
        """Index the rows of the links of tickets."""
        refs = [dict(row["refs"]) for row in rows]
        number_of: dict[Ref, int] = {}
        for number, sides in enumerate(refs):
            for ref in sides.items():
                number_of.setdefault(ref, number)
        return cls(
            refs,
            number_of,
            met={n: _time(row["met"]) for n, row in enumerate(rows) if row.get("met")},
            met_later={
                (number, later["connection"], later["field"]): _time(later["at"])
                for number, row in enumerate(rows)
                for later in row.get("met_later", ())
            },
            landed={
                ((value["connection"], str(sides.get(value["connection"]))), value["field"]): (
                    value["value"]
                )
                for sides, row in zip(refs, rows, strict=True)
                for value in row.get("landed", ())
            },
        )


def _carried_fields(
    reading: Mapping[str, SystemReading], declared: Sequence[Row]
) -> dict[str, tuple[str, ...]]:
    """Return by connection which of the fields that its system holds are kept in step there."""
    kept = {row["name"]: row["fields"] for row in declared if "fields" in row}
    return {
        name: tuple(field for field in system.fields if field in kept.get(name, system.fields))
        for name, system in reading.items()
    }


class EvidenceIndex:
    """The evidence, indexed. Refs are those of tickets unless said otherwise."""

    def __init__(self, journal: Sequence[Row], finals: Sequence[Row], facts: Sequence[Row]) -> None:
        self.journal = sorted(journal, key=lambda row: row["seq"])
        self.facts: dict[str, list[Row]] = defaultdict(list)
        for row in facts:
            self.facts[row["kind"]].append(row)
        self.connections = RunConnections.of(self.journal, self.facts)
        self.journal = [self._levelled(row) for row in self.journal]
        self.links = TicketLinks.of([row for row in self.facts["link"] if about_ticket(row)])
        self.window = self._window()
        self.finals: dict[Ref, Row] = {
            (row["connection"], str(row["record"]["id"])): (
                self.connections.reading[row["connection"]].levelled(row["record"])
            )
            for row in finals
            if about_ticket(row)
        }
        self._exceptions = self._declared_exceptions()
        self.known = {ref_of(row) for row in self.facts["known"]}
        """Records of any kind of which a ledger knew that was lost since."""
        self.left_out = self._times("left_out")
        """By record of any kind: when a listing first left it out because it was new."""
        self.listed = self._times("listed")
        """By record of any kind: when a listing first showed it."""
        self.illegible = self._spells("illegible")
        """By record of any kind: the times in which answers showed none in its place."""
        self.conflicts = self._conflicts()
        """By link and field."""
        self.made_by = {ref_of(row): row["actor"] for row in self._tickets("create")}
        self.ended = self._ended()
        """By link: when a human deleted a record of it (`seq`)."""
        self.deleted = self._deleted()
        self.edits = list(self._edits())
        self.carried = self._carried()
        """What the bridge wrote, by record and field: `seq`, time, and all that it changed."""

    def _levelled(self, row: Row) -> Row:
        """Return a row of the journal with what changed under canonical names, as far as it did."""
        reading = self.connections.reading[row["connection"]]
        if not reading.places or not row["after"].keys() & {
            at for at, _ in reading.places.values()
        }:
            return row
        before, after = (reading.levelled(row[when]) for when in ("before", "after"))
        same = {name for name in reading.places if before.get(name) == after.get(name)}
        return {
            **row,
            "before": {name: value for name, value in before.items() if name not in same},
            "after": {name: value for name, value in after.items() if name not in same},
        }

    def sides(self, link: int, ref: Ref) -> list[Ref]:
        """Return all sides of a link, or the record alone."""
        if link < 0:
            return [ref]
        return [
            side for side in self.links.refs[link].items() if side[0] in self.connections.system
        ]

    def is_illegible(self, ref: Ref, at: datetime) -> bool:
        """Return whether no answer of that time showed that a record is there."""
        return any(since <= at < until for since, until in self.illegible.get(ref, ()))

    def excepted(self, kind: str, ref: Ref, name: str | None) -> bool:
        """Return whether the run declared this of a record (and field)."""
        return (kind, ref, name) in self._exceptions

    def last_read(self, ref: Ref, before: int) -> Row | None:
        """Return the bridge's last read that showed a record, before a row of the journal."""
        last = None
        for row in self.journal:
            if row["seq"] >= before:
                break
            if row["actor"] == "bridge" and row["kind"] == "read" and shows(row, ref):
                last = row
        return last

    def _window(self) -> timedelta:
        declared = (row["window"] for row in self.facts["run"] if "window" in row)
        return timedelta(seconds=next(declared, WINDOW_SECONDS))

    def _declared_exceptions(self) -> set[tuple[str, Ref, str | None]]:
        return {
            (kind, ref_of(row), row.get("field"))
            for kind in ("not_carried", "never_read", "out_of_scope", "ambiguous")
            for row in self.facts[kind]
            if about_ticket(row)
        }

    def _times(self, kind: str) -> dict[Ref, datetime]:
        return {ref_of(row): _time(row["at"]) for row in self.facts[kind]}

    def _spells(self, kind: str) -> dict[Ref, list[tuple[datetime, datetime]]]:
        spells: dict[Ref, list[tuple[datetime, datetime]]] = defaultdict(list)
        for row in self.facts[kind]:
            spells[ref_of(row)].append((_time(row["at"]), _time(row["until"])))
        return spells

    def _conflicts(self) -> dict[tuple[int, str], list[Row]]:
        conflicts: dict[tuple[int, str], list[Row]] = defaultdict(list)
        for row in self.facts["conflict"]:
            if about_ticket(row):
                link = self.links.number_of.get(ref_of(row), NO_LINK)
                conflicts[link, row["field"]].append(row)
        return conflicts

    def _tickets(self, *kinds: str) -> Iterator[Row]:
        """Yield what happened to tickets."""
        return (row for row in self.journal if row["kind"] in kinds and about_ticket(row))

    def _ended(self) -> dict[int, int]:
        return {
            self.links.number_of[ref_of(row)]: row["seq"]
            for row in self._tickets("delete")
            if row["actor"] == "human" and ref_of(row) in self.links.number_of
        }

    def _deleted(self) -> set[Ref]:
        """Return the records that a human deleted, and those that the bridge then deleted.

        What it deleted of a ledger that was lost since, no link tells any more: then it counts.
        """
        deleted = set()
        for row in self._tickets("delete"):
            ref = ref_of(row)
            forgotten = ref in self.known and ref not in self.links.number_of
            if row["actor"] == "human" or self.links.number_of.get(ref) in self.ended or forgotten:
                deleted.add(ref)
        return deleted

    def _edits(self) -> Iterator[HumanEdit]:
        for row in self._tickets("edit"):
            if row["actor"] == "human":
                for name in sorted(
                    set(row["after"]) & set(self.connections.carries[ref_of(row)[0]])
                ):
                    yield from self._edits_of(row, name)

    def _edits_of(self, row: Row, name: str) -> Iterator[HumanEdit]:
        """Yield one edit of a field, or one for each element that came or went."""
        ref, announced = ref_of(row), bool(row.get("event"))
        link = self.links.number_of.get(ref, NO_LINK - row["seq"])
        base = (row["seq"], _time(row["at"]), link, ref)
        reading = self.connections.reading[ref[0]]
        old, new = (reading.canonical(name, row[when][name]) for when in ("before", "after"))
        if name != "tags":
            yield HumanEdit(*base, name, old, new, row["after"][name], announced)
            return
        for element in sorted(old ^ new):
            had, has = element in old, element in new
            yield HumanEdit(*base, f"tags:{element}", had, has, None, announced)

    def _carried(self) -> dict[tuple[Ref, str], list[tuple[int, datetime, Row]]]:
        carried: dict[tuple[Ref, str], list[tuple[int, datetime, Row]]] = defaultdict(list)
        for row in self._tickets("write", "create"):
            if row["actor"] == "bridge":
                for name in row["after"]:
                    written = (row["seq"], _time(row["at"]), row["after"])
                    carried[ref_of(row), name].append(written)
        return carried


def shown_at(read: Row) -> datetime:
    """Return of which time a read showed its records: a listing may lag behind."""
    return _time(read["at"]) - timedelta(seconds=read.get("behind", 0.0))


def could_show(read: Row, edit: HumanEdit) -> bool:
    """Return whether a read came late enough to show an edit."""
    return edit.seq < read["seq"] and edit.at <= shown_at(read)


def ref_of(row: Row) -> Ref:
    """Return the connection and id that a row is about."""
    return str(row["connection"]), str(row["id"])


def about_ticket(row: Row) -> bool:
    """Return whether a row is about a ticket."""
    return bool(row.get("entity", TICKET) == TICKET)


def shows(row: Row, ref: Ref) -> bool:
    """Return whether a call's answer showed a record: asked for by id, or in a listing that may."""
    if row["connection"] != ref[0]:
        return False
    by_ids = "ids=" in row["path"]
    return ref[1] in row["path"] if by_ids else bool(row["id"] in {ref[1], ""})


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text)
