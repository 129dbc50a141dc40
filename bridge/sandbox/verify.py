"""Checks the bridge's promises from the outside: from what the sandboxes journalled and how their records ended.

Nothing of the ledger or the flow is believed here, and the few tables below are this file's own on purpose: a mistake
in a mapping must not hide itself. What the run itself has to say comes as *facts*, rows of these kinds:

    {"kind": "connection", "name", "system", "creates": true, "fields": [...]}   an account; fields it carries
    {"kind": "link", "refs": {connection: id}}                                   the same ticket
    {"kind": "conflict", "connection", "id", "field", "open", "values": [...]}   a recorded conflict (values optional)
    {"kind": "not_carried", "connection", "id", "field"}                         declared: this side cannot hold it
    {"kind": "out_of_scope", "connection", "id"}                                 declared: this record is not mirrored
    {"kind": "run", "seed", "seconds"}

`python -m bridge.sandbox.verify DIR` checks the files that `write` made.
"""

from __future__ import annotations

import json
import sys
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from bridge.sandbox.reading import FIELDS, LOSSY, agrees, canonical, customer, marker

Row = Mapping[str, Any]
Ref = tuple[str, str]

_DONE = ("error-after", "reset-after", "timeout-after")
_FILES = ("journal.jsonl", "finals.jsonl", "facts.jsonl")


@dataclass(frozen=True, slots=True)
class VerifyInput:
    """Everything that a verdict rests on."""

    journal: Sequence[Row]
    finals: Sequence[Row]
    """`{"connection", "record"}` of every record that is still there."""
    facts: Sequence[Row] = ()


@dataclass(slots=True)
class Report:
    """The verdict, and every case behind its figures in `details`."""

    converged: bool = False
    duplicates: int = 0
    lost_edits: int = 0
    echo_writes: int = 0
    conflicts_open: int = 0
    tickets: int = 0
    edits_applied: int = 0
    conflicting_edits: int = 0
    writes: int = 0
    faults: dict[str, int] = field(default_factory=dict)
    latency_ms: dict[str, float | None] = field(default_factory=dict)
    systems: dict[str, dict[str, int]] = field(default_factory=dict)
    forbidden_calls: int = 0
    details: dict[str, list[Any]] = field(default_factory=dict)

    @property
    def ok(self) -> bool:
        """Converged, and nothing duplicated, lost or echoed."""
        return self.converged and not (self.duplicates or self.lost_edits or self.echo_writes)

    def as_dict(self) -> dict[str, Any]:
        """Give the report as JSON values."""
        return {name: getattr(self, name) for name in self.__slots__}


@dataclass(frozen=True, slots=True)
class _Edit:
    seq: int
    at: datetime
    link: int
    ref: Ref
    name: str
    old: Any
    new: Any
    raw: Any


def verify(given: VerifyInput) -> Report:
    """Judge a finished run. Pure: the same input gives the same report."""
    return _Case(given).report()


def write(directory: Path, given: VerifyInput) -> None:
    """Write the whole input as JSON lines, so that anybody can check again."""
    directory.mkdir(parents=True, exist_ok=True)
    for name, rows in zip(_FILES, (given.journal, given.finals, given.facts), strict=True):
        with (directory / name).open("w", encoding="utf-8") as file:
            file.writelines(json.dumps(row, ensure_ascii=False, sort_keys=True) + "\n" for row in rows)


def load(directory: Path) -> VerifyInput:
    """Read what `write` wrote."""
    parts = []
    for name in _FILES:
        with (directory / name).open(encoding="utf-8") as file:
            parts.append([json.loads(line) for line in file])
    return VerifyInput(*parts)


class _Case:
    """The input, indexed."""

    def __init__(self, given: VerifyInput) -> None:
        self.journal = sorted(given.journal, key=lambda row: (row["at"], row["seq"]))
        self.facts: dict[str, list[Row]] = defaultdict(list)
        for row in given.facts:
            self.facts[row["kind"]].append(row)
        self.system = {row["connection"]: row["system"] for row in self.journal}
        self.system |= {row["name"]: row["system"] for row in self.facts["connection"]}
        self.carries = {name: FIELDS[system] for name, system in self.system.items()}
        self.carries |= {row["name"]: tuple(row["fields"]) for row in self.facts["connection"] if "fields" in row}
        refusing = {row["name"] for row in self.facts["connection"] if row.get("creates") is False}
        self.creating = set(self.system) - refusing
        self.finals: dict[Ref, Row] = {
            (row["connection"], str(row["record"]["id"])): row["record"] for row in given.finals
        }
        self.links: list[dict[str, str]] = [dict(row["refs"]) for row in self.facts["link"]]
        self.link_of: dict[Ref, int] = {}
        for number, refs in enumerate(self.links):
            for ref in refs.items():
                self.link_of.setdefault(ref, number)
        self.exceptions = {
            (kind, _ref(row), row.get("field")) for kind in ("not_carried", "out_of_scope") for row in self.facts[kind]
        }
        self.conflicts: dict[tuple[int, str], list[Row]] = defaultdict(list)
        for row in self.facts["conflict"]:
            self.conflicts[self.link_of.get(_ref(row), -1), row["field"]].append(row)
        self.deleted = {_ref(row) for row in self.journal if row["kind"] == "delete" and row["actor"] == "human"}
        self.made_by = {_ref(row): row["actor"] for row in self.journal if row["kind"] == "create"}
        self.details: dict[str, list[Any]] = defaultdict(list)
        self.edits = list(self._edits())

    def report(self) -> Report:
        self._find_duplicates()
        self._find_lost()
        self._find_echoes()
        self._find_drift()
        waits = sorted(self._latencies())
        bridge, details = [row for row in self.journal if row["actor"] == "bridge"], self.details
        return Report(
            converged=not details["drifted"] and not details["unlinked"],
            duplicates=len(details["duplicates"]),
            lost_edits=len(details["lost_edits"]),
            echo_writes=len(details["echo_writes"]),
            conflicts_open=sum(bool(row.get("open")) for row in self.facts["conflict"]),
            tickets=sum(actor == "human" for actor in self.made_by.values()),
            edits_applied=len({edit.seq for edit in self.edits}),
            conflicting_edits=len(self._conflicting()),
            writes=sum(row["kind"] in {"write", "create", "delete"} for row in bridge),
            faults=dict(sorted(Counter(row["fault"] for row in self.journal if row["fault"]).items())),
            latency_ms={"p50": _percentile(waits, 50), "p95": _percentile(waits, 95)},
            systems=self._figures(),
            forbidden_calls=sum(row["note"].startswith("forbidden") for row in bridge),
            details={name: rows for name, rows in sorted(details.items()) if rows},
        )

    def _edits(self) -> Iterator[_Edit]:
        """Give every field that a human changed; a set gives one row an element, named `tags:<element>`."""
        for row in self.journal:
            if row["kind"] != "edit" or row["actor"] != "human":
                continue
            ref = _ref(row)
            link = self.link_of.get(ref, -1 - row["seq"])
            system = row["system"]
            base = (row["seq"], datetime.fromisoformat(row["at"]), link, ref)
            for name in set(row["after"]) & set(self.carries[ref[0]]):
                old, new = (canonical(system, name, row[when][name]) for when in ("before", "after"))
                if name != "tags":
                    yield _Edit(*base, name, old, new, row["after"][name])
                    continue
                for element in sorted(old ^ new):
                    yield _Edit(*base, f"tags:{element}", element in old, element in new, None)

    def _find_lost(self) -> None:
        """The last human word on each field of a ticket must be what all its sides ended with, unless recorded."""
        last: dict[tuple[int | Ref, str], _Edit] = {}
        for edit in self.edits:
            last[edit.link if edit.link >= 0 else edit.ref, edit.name] = edit
        for edit in last.values():
            if edit.ref in self.deleted or self._recorded(edit):
                continue
            wrong = [ref for ref in self._sides(edit.link, edit.ref) if not self._shows(ref, edit)]
            if wrong:
                self.details["lost_edits"].append(
                    {"seq": edit.seq, "ref": list(edit.ref), "field": edit.name, "value": edit.new, "not_at": wrong}
                )

    def _shows(self, ref: Ref, edit: _Edit) -> bool:
        record = self.finals.get(ref)
        name = edit.name.partition(":")[0]
        if ref in self.deleted or self._excepted("not_carried", ref, name) or name not in self.carries[ref[0]]:
            return True
        if record is None:
            return False
        if ref == edit.ref and edit.raw is not None and name != "assignee":
            return bool(record[name] == edit.raw)  # not only its class: in_progress must not be flattened to open
        return agrees(self.system[ref[0]], edit.name, edit.new, record, cleared=True)

    def _recorded(self, edit: _Edit) -> bool:
        name = edit.name.partition(":")[0]
        values = [row.get("values") for row in self.conflicts[edit.link, name]]
        return any(name == "tags" or told is None or edit.new in told or edit.raw in told for told in values)

    def _find_drift(self) -> None:
        cleared = {edit.link: edit.new is None for edit in self.edits if edit.name == "priority"}
        for number, refs in enumerate(self.links):
            present = [ref for ref in refs.items() if ref[0] in self.system]
            if any(ref in self.deleted for ref in present):
                continue
            for ref in present:
                if ref not in self.finals:
                    self.details["drifted"].append({"ref": list(ref), "field": "id", "why": "the record is gone"})
            sides = [(ref, self.finals[ref]) for ref in present if ref in self.finals]
            for name in ("subject", "status", "priority", "assignee", "tags"):
                if any(row.get("open") for row in self.conflicts[number, name]):
                    continue
                holding = [
                    (self.system[ref[0]], record, ref)
                    for ref, record in sides
                    if name in self.carries[ref[0]] and not self._excepted("not_carried", ref, name)
                ]
                wanted = [canonical(system, name, record.get(name)) for system, record, _ in holding]
                wanted += [None, *{value for side in LOSSY.values() for value in side.get(name, {})}]
                if not any(
                    all(
                        agrees(system, name, value, record, cleared=cleared.get(number, False))
                        for system, record, _ in holding
                    )
                    for value in wanted
                ):
                    values = {ref[0]: record.get(name) for _, record, ref in holding}
                    self.details["drifted"].append({"refs": dict(refs), "field": name, "values": values})
        for ref, actor in self.made_by.items():
            linked = set(self.links[self.link_of[ref]]) if ref in self.link_of else {ref[0]}
            missing = self.creating - linked
            dead = ref in self.deleted or ref not in self.finals or self._excepted("out_of_scope", ref, None)
            if actor == "human" and missing and not dead:
                self.details["unlinked"].append({"ref": list(ref), "missing_at": sorted(missing)})

    def _find_duplicates(self) -> None:
        """A second counterpart shows as a record that no link knows, a marker used twice, or one copy too many."""
        created = [row for row in self.journal if row["kind"] == "create" and row["record"]]
        known = Counter(ref for refs in self.links for ref in refs.items())
        origins = Counter(customer(row["record"]) for row in created if row["actor"] == "human")
        found: set[Ref] = set()
        same: dict[tuple[str, str, str], list[Ref]] = defaultdict(list)
        for row in created:
            if row["actor"] == "human":
                continue
            ref = _ref(row)
            found.update(set() if known[ref] else {ref})
            same[ref[0], "marker", marker(row["record"])].append(ref)
            same[ref[0], "customer", customer(row["record"])].append(ref)
        for (_, by, key), refs in same.items():
            allowed = 1 if by == "marker" else origins[key]
            surplus = len(refs) - allowed - len(found & set(refs))
            if key and surplus > 0:
                found.update([ref for ref in reversed(refs) if ref not in found][:surplus])
        shared = [{"ref": list(ref), "why": f"in {times} links"} for ref, times in known.items() if times > 1]
        self.details["duplicates"] += shared
        self.details["duplicates"] += [{"ref": list(ref), "why": "one counterpart too many"} for ref in sorted(found)]

    def _find_echoes(self) -> None:
        for row in self.journal:
            done = row["status"] < 400 or row["fault"] in _DONE
            if row["actor"] == "bridge" and row["kind"] == "write" and done and not row["after"]:
                kind = "ignored_writes" if row["ignored"] else "echo_writes"
                self.details[kind].append({"seq": row["seq"], "ref": list(_ref(row)), "sent": row["sent"]})

    def _conflicting(self) -> set[int]:
        """Edits of one field on two sides, to different values, of which the later could not have seen the earlier."""
        carried = self._carried()
        found: set[int] = set()
        latest: dict[tuple[int, str], dict[str, _Edit]] = defaultdict(dict)
        for edit in self.edits:
            if edit.link < 0 or edit.name.startswith("tags:"):
                continue
            for connection, other in latest[edit.link, edit.name].items():
                seen = any(other.seq < seq < edit.seq for seq, _, _ in carried[edit.ref, edit.name])
                if connection != edit.ref[0] and other.new != edit.new and not seen:
                    found |= {edit.seq, other.seq}
            latest[edit.link, edit.name][edit.ref[0]] = edit
        return found

    def _carried(self) -> dict[tuple[Ref, str], list[tuple[int, datetime, Row]]]:
        carried: dict[tuple[Ref, str], list[tuple[int, datetime, Row]]] = defaultdict(list)
        for row in self.journal:
            if row["actor"] == "bridge" and row["kind"] in {"write", "create"}:
                for name in row["after"]:
                    at = datetime.fromisoformat(row["at"])
                    carried[_ref(row), name].append((row["seq"], at, row["after"]))
        return carried

    def _latencies(self) -> Iterator[float]:
        """From a human's edit to each write that brought it to another side, in milliseconds."""
        carried = self._carried()
        following: dict[tuple[int, str], int] = {}
        for edit in reversed(self.edits):
            until = following.get((edit.link, edit.name), sys.maxsize)
            following[edit.link, edit.name] = edit.seq
            for ref in self._sides(edit.link, edit.ref) if edit.old != edit.new else ():
                if ref == edit.ref:
                    continue
                for seq, at, after in carried[ref, edit.name.partition(":")[0]]:
                    if edit.seq < seq < until and agrees(self.system[ref[0]], edit.name, edit.new, after):
                        yield (at - edit.at).total_seconds() * 1000
                        break

    def _sides(self, link: int, ref: Ref) -> list[Ref]:
        return [one for one in self.links[link].items() if one[0] in self.system] if link >= 0 else [ref]

    def _excepted(self, kind: str, ref: Ref, name: str | None) -> bool:
        return (kind, ref, name) in self.exceptions

    def _figures(self) -> dict[str, dict[str, int]]:
        figures: dict[str, dict[str, int]] = {}
        for name in sorted(self.system):
            kinds = Counter(row["kind"] for row in self.journal if row["connection"] == name)
            held = sum(connection == name for connection, _ in self.finals)
            figures[name] = {"tickets": held, **dict(sorted(kinds.items()))}
        return figures


def _ref(row: Row) -> Ref:
    return str(row["connection"]), str(row["id"])


def _percentile(values: Sequence[float], share: int) -> float | None:
    return round(values[min(len(values) - 1, len(values) * share // 100)], 1) if values else None


def main(arguments: Iterable[str]) -> int:
    """Check the directories given; 1 when a promise is broken."""
    reports = [verify(load(Path(name))) for name in arguments]
    for report in reports:
        sys.stdout.write(json.dumps(report.as_dict(), ensure_ascii=False, indent=2) + "\n")
    return 0 if reports and all(report.ok for report in reports) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
