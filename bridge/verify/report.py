"""The judge of the bridge's promises, from the outside.

It looks at what the sandboxes journalled and at how their records ended. Nothing of the ledger is
believed, and nothing of the bridge is imported. How a system's records read is said by its sandbox,
not by a mapping, so that a mistake in a mapping cannot hide itself. Everything else that must be
known comes as *facts*, rows of these kinds:

    {"kind": "system", "system", ...}                      how the records of a system read:
        "fields": [...]                                    canonical fields that a ticket has there
        "places": {field: [object, name]}                  where it stands elsewhere than by name
        "reads": {field: {word: value}}                    the system's word -> canonical value
        "lossy": {field: {value: word}}                    values that it can only hold as less
        "never_empty": {field: value}                      what it shows where nobody has decided
        "bridge_account": ""                               who has this e-mail address is nobody
        "probes": [...]                                    undocumented calls that may be tried
    {"kind": "connection", "name", "system"}               an account;
        "creates": true, "fields": [...]                   fields that are kept in step there
    {"kind": "link", "entity", "refs": {connection: id}}   the same ticket (or message, ...);
        "met"                                              when all sides had been read;
        "met_later": [{connection, field, at}]             what a side showed later than that;
        "landed": [{connection, field, value}]             taken for a write without an answer
    {"kind": "conflict", "connection", "id", "field", "open", "values": [...]}
                                                           a recorded conflict (values optional)
    {"kind": "not_carried", "connection", "id", "field"}   declared: this side cannot hold it
    {"kind": "never_read", "connection", "id", "field"}    declared: this side has never shown it
    {"kind": "out_of_scope", "connection", "id"}           declared: this record is not mirrored
    {"kind": "ambiguous", "connection", "id"}              it matches several: a human must say
    {"kind": "left_out", "connection", "id", "at"}         a listing left it out then: too new
    {"kind": "listed", "connection", "id", "at"}           a listing first showed it then
    {"kind": "illegible", "connection", "id", "at", "until"}
                                                           answers showed none in its place
    {"kind": "known", "connection", "id"}                  a ledger that was lost since knew it
    {"kind": "run", "seed", "seconds", "window"}           window: seconds that a read and the
                                                           write onto it may be apart

A row without "entity" is about a ticket. Only tickets have edits, fields and sides to agree;
duplicates, echoes and forbidden calls are counted for every entity.

This file has the verdict. The evidence is indexed in evidence_index.py, looked through in
findings.py and measured in measures.py. `python -m bridge.verify DIR` judges the files that `write`
made.
"""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bridge.verify import findings, measures
from bridge.verify.evidence_index import EvidenceIndex, Row

_FILES = ("journal.jsonl", "finals.jsonl", "facts.jsonl")


@dataclass(frozen=True, slots=True)
class VerifyInput:
    """All evidence that the judge goes by."""

    journal: Sequence[Row]
    finals: Sequence[Row]
    """`{"connection", "record"}` of every record that is still there."""
    facts: Sequence[Row] = ()


@dataclass(slots=True)
class Report:
    """The verdict, and every finding behind its numbers in `details`."""

    converged: bool = False
    duplicates: int = 0
    lost_edits: int = 0
    echo_writes: int = 0
    window_edits: int = 0
    """Edits between a read of ours and the write onto it: a documented limit, not called lost."""
    unseen_edits: int = 0
    """Edits that put a value back before a read could show that it was gone: the other limit."""
    conflicts_open: int = 0
    tickets: int = 0
    edits_applied: int = 0
    conflicting_edits: int = 0
    writes: int = 0
    faults: dict[str, int] = field(default_factory=dict)
    latency_ms: dict[str, float | None] = field(default_factory=dict)
    """From an edit of which a webhook told (also a lost one) to each write that brought it on."""
    latency_polled_ms: dict[str, float | None] = field(default_factory=dict)
    """The same for edits that their system tells nobody of."""
    systems: dict[str, dict[str, int]] = field(default_factory=dict)
    forbidden_calls: int = 0
    undocumented_calls: int = 0
    """Those that neither a document of the vendor's nor a probe of the connector's explains."""
    details: dict[str, list[Any]] = field(default_factory=dict)

    @property
    def ok(self) -> bool:
        """Converged; nothing duplicated, lost or echoed; no call made that may not be."""
        harm = self.duplicates or self.lost_edits or self.echo_writes
        return self.converged and not (harm or self.forbidden_calls or self.undocumented_calls)

    def as_dict(self) -> dict[str, Any]:
        """Return the report as JSON values."""
        return {name: getattr(self, name) for name in self.__slots__}


def verify(given: VerifyInput) -> Report:
    """Judge a finished run. Pure: the same input gives the same report."""
    index = EvidenceIndex(given.journal, given.finals, given.facts)
    details = findings.all_of(index)
    bridge = [row for row in index.journal if row["actor"] == "bridge"]
    return Report(
        converged=not details["drifted"] and not details["unlinked"],
        duplicates=len(details["duplicates"]),
        lost_edits=len(details["lost_edits"]),
        echo_writes=len(details["echo_writes"]),
        window_edits=len(details["window_edits"]),
        unseen_edits=len(details["unseen_edits"]),
        conflicts_open=sum(bool(row.get("open")) for row in index.facts["conflict"]),
        tickets=sum(actor == "human" for actor in index.made_by.values()),
        edits_applied=len({edit.seq for edit in index.edits}),
        conflicting_edits=len(measures.conflicting(index)),
        writes=sum(row["kind"] in {"write", "create", "delete"} for row in bridge),
        faults=dict(sorted(Counter(row["fault"] for row in index.journal if row["fault"]).items())),
        latency_ms=measures.latency(index, announced=True),
        latency_polled_ms=measures.latency(index, announced=False),
        systems=measures.by_connection(index),
        undocumented_calls=sum(row["times"] for row in details["undocumented_calls"]),
        forbidden_calls=len(details["forbidden_calls"]),
        details={name: rows for name, rows in sorted(details.items()) if rows},
    )


def write(directory: Path, given: VerifyInput) -> None:
    """Write all evidence as JSON lines, so that anybody can judge it again."""
    directory.mkdir(parents=True, exist_ok=True)
    for name, rows in zip(_FILES, (given.journal, given.finals, given.facts), strict=True):
        with (directory / name).open("w", encoding="utf-8") as file:
            file.writelines(
                json.dumps(row, ensure_ascii=False, sort_keys=True) + "\n" for row in rows
            )


def load(directory: Path) -> VerifyInput:
    """Read what `write` wrote."""
    parts = []
    for name in _FILES:
        with (directory / name).open(encoding="utf-8") as file:
            parts.append([json.loads(line) for line in file])
    return VerifyInput(*parts)


def main(arguments: Iterable[str]) -> int:
    """Judge the evidence in directories.

    Return 1 when a promise is broken, and 2 when there is nothing that could be judged.
    """
    try:
        reports = [verify(load(Path(name))) for name in arguments]
    except (OSError, ValueError) as error:
        sys.stderr.write(f"this cannot be judged: {error}\n")
        return 2
    for report in reports:
        sys.stdout.write(json.dumps(report.as_dict(), indent=2) + "\n")
    if not reports:
        sys.stderr.write("name the directories that `bridge demo --journals` has written\n")
        return 2
    return 0 if all(report.ok for report in reports) else 1
