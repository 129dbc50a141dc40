"""All findings of the judge, by kind, and the simplest of them.

Those are writes that changed nothing, calls that no document of the vendor's describes, and calls
that a sync must never make.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from typing import Any, Final

from bridge.verify import drifted_tickets, duplicate_records, lost_edits
from bridge.verify.evidence_index import EvidenceIndex, HumanEdit, Row, could_show, ref_of

DONE_UNHEARD: Final = ("error-after", "reset-after", "timeout-after")
"""Faults of calls that were done all the same."""


FORBIDDEN_IN_STATE: Final = "forbidden in this state: "
"""How the note begins of a call that is forbidden only by how its record stands."""


def all_of(index: EvidenceIndex) -> dict[str, list[Any]]:
    """Return every finding, by kind."""
    details: dict[str, list[Any]] = defaultdict(list)
    for look in (
        duplicate_records.duplicates,
        lost_edits.lost,
        echoes,
        drifted_tickets.drifted,
        drifted_tickets.unlinked,
        undocumented,
        forbidden,
    ):
        for kind, finding in look(index):
            details[kind].append(finding)
    return details


def echoes(index: EvidenceIndex) -> Iterator[tuple[str, Row]]:
    """Yield writes that changed nothing: echoes, unless the system ignored what was sent."""
    for row in index.journal:
        done = row["status"] < 400 or row["fault"] in DONE_UNHEARD
        written = row["actor"] == "bridge" and row["kind"] == "write" and done
        if written and not row["after"] and not _met_an_edit(index, row):
            kind = "ignored_writes" if row["ignored"] else "echo_writes"
            yield kind, {"seq": row["seq"], "ref": list(ref_of(row)), "sent": row["sent"]}


def undocumented(index: EvidenceIndex) -> Iterator[tuple[str, Row]]:
    """Yield calls, or parts of them, that neither a document nor a declared probe explains."""
    probes = {row["system"]: set(row.get("probes", ())) for row in index.facts["system"]}
    times: Counter[tuple[str, str]] = Counter()
    for row in index.journal:
        unexplained = set(row.get("undocumented", ())) - probes.get(row["system"], set())
        times.update((row["connection"], call) for call in unexplained)
    for (connection, call), count in sorted(times.items()):
        yield "undocumented_calls", {"connection": connection, "call": call, "times": count}


def forbidden(index: EvidenceIndex) -> Iterator[tuple[str, Row]]:
    """Yield calls that a sync must never make.

    What is forbidden only by how a record stands, and an edit after our last read made it stand so,
    could not be known: no vendor takes a condition with a write.
    """
    for row in index.journal:
        if row["actor"] != "bridge" or not row["note"].startswith("forbidden"):
            continue
        by_state = row["note"].startswith(FORBIDDEN_IN_STATE)
        if not (by_state and any(_edits_since_read(index, row))):
            yield (
                "forbidden_calls",
                {"seq": row["seq"], "ref": list(ref_of(row)), "why": row["note"]},
            )


def _met_an_edit(index: EvidenceIndex, write: Row) -> bool:
    """Return whether a human changed a field of a write after what our last read before showed."""
    places = index.connections.reading[ref_of(write)[0]].places
    # Calls name a field as records do, or by a longer word: `tagId`, `assignee_id`.
    stems = tuple(
        places.get(edit.field, (edit.field,))[0].removesuffix("s")
        for edit in _edits_since_read(index, write)
    )
    return any(name.startswith(stems) for name in write["sent"])


def _edits_since_read(index: EvidenceIndex, call: Row) -> Iterator[HumanEdit]:
    """Yield the edits before a call that our last read of its record before could not show."""
    ref = ref_of(call)
    last_read = index.last_read(ref, call["seq"])
    for edit in index.edits:
        unread = last_read is None or not could_show(last_read, edit)
        if edit.ref == ref and edit.seq < call["seq"] and unread:
            yield edit
