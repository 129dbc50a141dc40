"""What the checker measures: latencies, edits against each other, figures of each connection."""

from __future__ import annotations

import sys
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence

from bridge.verify.evidence_index import EvidenceIndex, HumanEdit
from bridge.verify.expectations import agrees


def conflicting(index: EvidenceIndex) -> set[int]:
    """Edits of one field on two sides, to different values, of which the later could not have seen the earlier."""
    found: set[int] = set()
    latest: dict[tuple[int, str], dict[str, HumanEdit]] = defaultdict(dict)
    for edit in index.edits:
        if edit.link < 0 or edit.name.startswith("tags:"):
            continue
        for connection, other in latest[edit.link, edit.name].items():
            seen = any(
                other.seq < seq < edit.seq for seq, _, _ in index.carried[edit.ref, edit.name]
            )
            if connection != edit.ref[0] and other.new != edit.new and not seen:
                found |= {edit.seq, other.seq}
        latest[edit.link, edit.name][edit.ref[0]] = edit
    return found


def latency(index: EvidenceIndex, *, announced: bool) -> dict[str, float | None]:
    """Give the percentiles of the time from a human's edit to its arrival, in milliseconds.

    `announced`: of edits of which a webhook told, or of those that only polling finds.
    """
    waits = sorted(wait for edit, wait in _latencies(index) if edit.announced == announced)
    return {"p50": _percentile(waits, 50), "p95": _percentile(waits, 95)}


def _latencies(index: EvidenceIndex) -> Iterator[tuple[HumanEdit, float]]:
    """From each human edit to each write that brought it to another side."""
    following: dict[tuple[int, str], int] = {}
    for edit in reversed(index.edits):
        until = following.get((edit.link, edit.name), sys.maxsize)
        following[edit.link, edit.name] = edit.seq
        for ref in index.sides(edit.link, edit.ref) if edit.old != edit.new else ():
            if ref == edit.ref:
                continue
            for seq, at, after in index.carried[ref, edit.name.partition(":")[0]]:
                if edit.seq < seq < until and agrees(
                    index.system[ref[0]], edit.name, edit.new, after
                ):
                    yield edit, (at - edit.at).total_seconds() * 1000
                    break


def by_connection(index: EvidenceIndex) -> dict[str, dict[str, int]]:
    """Count what happened at each connection, by kind, and its records of any entity that are mirrored elsewhere."""
    figures: dict[str, dict[str, int]] = {}
    mirrored = Counter(
        name for row in index.facts["link"] if len(refs := dict(row["refs"])) > 1 for name in refs
    )
    for name in sorted(index.system):
        kinds = Counter(row["kind"] for row in index.journal if row["connection"] == name)
        held = sum(connection == name for connection, _ in index.finals)
        figures[name] = {"tickets": held, "mirrored": mirrored[name], **dict(sorted(kinds.items()))}
    return figures


def _percentile(values: Sequence[float], share: int) -> float | None:
    return round(values[min(len(values) - 1, len(values) * share // 100)], 1) if values else None
