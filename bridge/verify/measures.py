"""What the judge measures: latencies, edits against each other, counts for each connection."""

from __future__ import annotations

import sys
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence

from bridge.verify.evidence_index import EvidenceIndex, HumanEdit, Ref


def conflicting(index: EvidenceIndex) -> set[int]:
    """Return the edits (`seq`) that stand against each other.

    Two edits of one field on two sides, to different values, of which the later could not have seen
    the earlier.
    """
    against: set[int] = set()
    latest: dict[tuple[int, str], dict[str, HumanEdit]] = defaultdict(dict)
    for edit in index.edits:
        if edit.link < 0 or edit.name.startswith("tags:"):
            continue
        for connection, other in latest[edit.link, edit.name].items():
            differ = connection != edit.ref[0] and other.new != edit.new
            if differ and not _could_see(index, edit, other):
                against |= {edit.seq, other.seq}
        latest[edit.link, edit.name][edit.ref[0]] = edit
    return against


def _could_see(index: EvidenceIndex, edit: HumanEdit, earlier: HumanEdit) -> bool:
    written = index.carried[edit.ref, edit.name]
    return any(earlier.seq < seq < edit.seq for seq, _, _ in written)


def latency(index: EvidenceIndex, *, announced: bool) -> dict[str, float | None]:
    """Return the percentiles of the time from a human's edit to its arrival, in milliseconds.

    `announced`: of edits of which a webhook told, or of those that only polling finds.
    """
    waits = sorted(wait for edit, wait in _latencies(index) if edit.announced == announced)
    return {"p50": _percentile(waits, 50), "p95": _percentile(waits, 95)}


def _latencies(index: EvidenceIndex) -> Iterator[tuple[HumanEdit, float]]:
    """Yield the time from each human edit to each write that brought it to another side."""
    following: dict[tuple[int, str], int] = {}
    # Backwards, for an edit's arrival counts only until the next edit of the same field.
    for edit in reversed(index.edits):
        until = following.get((edit.link, edit.name), sys.maxsize)
        following[edit.link, edit.name] = edit.seq
        if edit.old == edit.new:
            continue
        for ref in index.sides(edit.link, edit.ref):
            wait = _milliseconds(index, edit, ref, until) if ref != edit.ref else None
            if wait is not None:
                yield edit, wait


def _milliseconds(index: EvidenceIndex, edit: HumanEdit, ref: Ref, until: int) -> float | None:
    """Return when an edit reached a side, unless another one (`until`) came before that."""
    reading = index.connections.reading[ref[0]]
    for seq, at, after in index.carried[ref, edit.field]:
        if edit.seq < seq < until and reading.agrees(edit.name, edit.new, after):
            return (at - edit.at).total_seconds() * 1000
    return None


def by_connection(index: EvidenceIndex) -> dict[str, dict[str, int]]:
    """Return what happened at each connection, by kind.

    `mirrored` counts its records of any entity that have a counterpart.
    """
    mirrored: Counter[str] = Counter()
    for row in index.facts["link"]:
        refs = dict(row["refs"])
        if len(refs) > 1:
            mirrored.update(refs.keys())
    counts: dict[str, dict[str, int]] = {}
    for name in sorted(index.connections.system):
        kinds = Counter(row["kind"] for row in index.journal if row["connection"] == name)
        held = sum(connection == name for connection, _ in index.finals)
        counts[name] = {"tickets": held, "mirrored": mirrored[name], **dict(sorted(kinds.items()))}
    return counts


def _percentile(values: Sequence[float], share: int) -> float | None:
    return round(values[min(len(values) - 1, len(values) * share // 100)], 1) if values else None
