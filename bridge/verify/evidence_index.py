"""A finished run, indexed for the checker: what humans did, what the bridge did, what belongs together."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from bridge.verify.expectations import FIELDS, canonical

Row = Mapping[str, Any]
Ref = tuple[str, str]
TICKET = "ticket"
WINDOW = 2.0
"""Seconds that may lie between a read and the write onto it, if the run does not say."""


@dataclass(frozen=True, slots=True)
class HumanEdit:
    """One field (or one element of a set, `tags:<element>`) that a human changed."""

    seq: int
    at: datetime
    link: int
    ref: Ref
    name: str
    old: Any
    new: Any
    raw: Any
    announced: bool = False
    """The system sends a webhook for it."""


class EvidenceIndex:
    """The input, indexed. Refs are those of tickets unless said otherwise."""

    def __init__(self, journal: Sequence[Row], finals: Sequence[Row], facts: Sequence[Row]) -> None:
        self.journal = sorted(journal, key=lambda row: row["seq"])
        self.facts: dict[str, list[Row]] = defaultdict(list)
        for row in facts:
            self.facts[row["kind"]].append(row)
        self.system = {row["connection"]: row["system"] for row in self.journal}
        self.system |= {row["name"]: row["system"] for row in self.facts["connection"]}
        self.carries = {name: FIELDS.get(system, ()) for name, system in self.system.items()}
        for row in self.facts["connection"]:
            if "fields" in row:
                self.carries[row["name"]] = tuple(
                    f for f in self.carries[row["name"]] if f in row["fields"]
                )
        apart = {row["name"] for row in self.facts["connection"] if row.get("fields") == []}
        refusing = {row["name"] for row in self.facts["connection"] if row.get("creates") is False}
        self.mirrored = set(self.system) - apart
        """Connections whose tickets are kept in step at all."""
        self.creating = self.mirrored - refusing
        self.finals: dict[Ref, Row] = {
            (row["connection"], str(row["record"]["id"])): row["record"]
            for row in finals
            if about_ticket(row)
        }
        self.window = timedelta(
            seconds=next((row["window"] for row in self.facts["run"] if "window" in row), WINDOW)
        )
        links = [row for row in self.facts["link"] if about_ticket(row)]
        self.met = {
            number: datetime.fromisoformat(row["met"])
            for number, row in enumerate(links)
            if row.get("met")
        }
        """By link: when all its sides had been read for the first time; before, `on_link` has the last word."""
        self.met_later = {
            (number, each["connection"], each["field"]): datetime.fromisoformat(each["at"])
            for number, row in enumerate(links)
            for each in row.get("met_later", ())
        }
        """By link, connection and field, where a side did not show a field at once."""
        self.landed = {
            (
                (each["connection"], str(dict(row["refs"]).get(each["connection"]))),
                each["field"],
            ): each["value"]
            for row in links
            for each in row.get("landed", ())
        }
        """By record and field: a value that was taken for a write of the bridge's whose answer it never heard."""
        self.links: list[dict[str, str]] = [dict(row["refs"]) for row in links]
        self.link_of: dict[Ref, int] = {}
        for number, refs in enumerate(self.links):
            for ref in refs.items():
                self.link_of.setdefault(ref, number)
        self.exceptions = {
            (kind, ref_of(row), row.get("field"))
            for kind in ("not_carried", "out_of_scope", "ambiguous")
            for row in self.facts[kind]
            if about_ticket(row)
        }
        self.left_out, self.listed = (
            {ref_of(row): datetime.fromisoformat(row["at"]) for row in self.facts[kind]}
            for kind in ("left_out", "listed")
        )
        """By record of any kind: when a listing first left it out because it was new, and when one first showed it."""
        self.conflicts: dict[tuple[int, str], list[Row]] = defaultdict(list)
        for row in self.facts["conflict"]:
            if about_ticket(row):
                self.conflicts[self.link_of.get(ref_of(row), -1), row["field"]].append(row)
        tickets = [row for row in self.journal if about_ticket(row)]
        by_hand = {
            ref_of(row): row["seq"]
            for row in tickets
            if row["kind"] == "delete" and row["actor"] == "human"
        }
        self.ended = {self.link_of[ref]: seq for ref, seq in by_hand.items() if ref in self.link_of}
        """By link: when a human has deleted a record of it."""
        carried_on = [
            ref_of(row) for row in tickets if row["kind"] == "delete" and row["actor"] == "bridge"
        ]
        self.deleted = by_hand.keys() | {
            ref for ref in carried_on if self.link_of.get(ref) in self.ended
        }
        self.made_by = {ref_of(row): row["actor"] for row in tickets if row["kind"] == "create"}
        self.edits = list(self._edits())
        self.carried = self._carried()

    def sides(self, link: int, ref: Ref) -> list[Ref]:
        """Give all sides of a link, or the record alone."""
        return (
            [one for one in self.links[link].items() if one[0] in self.system]
            if link >= 0
            else [ref]
        )

    def excepted(self, kind: str, ref: Ref, name: str | None) -> bool:
        """Tell whether the run declared this."""
        return (kind, ref, name) in self.exceptions

    def _edits(self) -> Iterator[HumanEdit]:
        for row in self.journal:
            if row["kind"] != "edit" or row["actor"] != "human" or not about_ticket(row):
                continue
            ref = ref_of(row)
            link = self.link_of.get(ref, -1 - row["seq"])
            system = row["system"]
            base, told = (
                (row["seq"], datetime.fromisoformat(row["at"]), link, ref),
                bool(row.get("event")),
            )
            for name in sorted(set(row["after"]) & set(self.carries[ref[0]])):
                old, new = (
                    canonical(system, name, row[when][name]) for when in ("before", "after")
                )
                if name != "tags":
                    yield HumanEdit(*base, name, old, new, row["after"][name], told)
                    continue
                for element in sorted(old ^ new):
                    yield HumanEdit(
                        *base, f"tags:{element}", element in old, element in new, None, told
                    )

    def _carried(self) -> dict[tuple[Ref, str], list[tuple[int, datetime, Row]]]:
        """Give what the bridge wrote, by record and field."""
        carried: dict[tuple[Ref, str], list[tuple[int, datetime, Row]]] = defaultdict(list)
        for row in self.journal:
            if (
                row["actor"] == "bridge"
                and row["kind"] in {"write", "create"}
                and about_ticket(row)
            ):
                for name in row["after"]:
                    at = datetime.fromisoformat(row["at"])
                    carried[ref_of(row), name].append((row["seq"], at, row["after"]))
        return carried


def ref_of(row: Row) -> Ref:
    """Give the connection and id that a row is about."""
    return str(row["connection"]), str(row["id"])


def about_ticket(row: Row) -> bool:
    """Tell whether a row is about a ticket."""
    return bool(row.get("entity", TICKET) == TICKET)
