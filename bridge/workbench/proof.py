"""The proof of the mappings: every law on every field and sync, before any record is met.

What is wrong with one mapping by itself is found where it is compiled (`core/mapping/checks.py`);
here is what shows when mappings, syncs, people and what was seen are looked at together. The time
it takes is linear in the files: in rows of tables times members, in fields times members.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from bridge.core.model.syncs import Sync
from bridge.workbench import carry_matrix, member_laws, sync_laws, text_laws, value_laws
from bridge.workbench.carriers import Carrier, carriers
from bridge.workbench.carry_matrix import MatrixRow
from bridge.workbench.proof_findings import SEVERITIES, ProofFinding, ProofSubject

MAX_FINDINGS: Final = 1_000
"""More are counted and not shown: whoever mends the first sees the next."""


@dataclass(frozen=True, slots=True)
class Proof:
    """What was found, the gravest first, and what travels where."""

    findings: tuple[ProofFinding, ...] = ()
    matrix: tuple[MatrixRow, ...] = ()
    left_out: int = 0
    """Findings past the thousand that are listed."""

    @property
    def refused(self) -> list[ProofFinding]:
        """Return the findings with which no start goes on."""
        return [each for each in self.findings if each.severity == "refused"]

    @property
    def warnings(self) -> list[ProofFinding]:
        """Return the findings that deserve a look."""
        return [each for each in self.findings if each.severity == "warning"]

    @property
    def notes(self) -> list[ProofFinding]:
        """Return the findings of limits that are declared or cannot be helped."""
        return [each for each in self.findings if each.severity == "note"]


def prove(subject: ProofSubject) -> Proof:
    """Prove all syncs. Nothing is read or written, and nothing is raised."""
    found: list[ProofFinding] = []
    matrix: list[MatrixRow] = []
    for sync in subject.syncs.values():
        of_sync, rows = _prove_sync(subject, sync)
        found += of_sync
        matrix += rows
    found += sync_laws.check_accounts(subject)
    found += sync_laws.check_circles(subject)
    ordered = _ordered(found)
    return Proof(ordered[:MAX_FINDINGS], tuple(matrix), max(0, len(ordered) - MAX_FINDINGS))


def _prove_sync(subject: ProofSubject, sync: Sync) -> tuple[list[ProofFinding], list[MatrixRow]]:
    by_field = dict(carriers(subject, sync))
    found: list[ProofFinding] = []
    rows: list[MatrixRow] = []
    by_member: dict[str, list[Carrier]] = {}
    for of_field in by_field.values():
        lossy = _prove_field(subject, sync, of_field, found)
        rows.append(carry_matrix.row(subject, sync, of_field, lossy))
        for carrier in of_field:
            by_member.setdefault(carrier.connection, []).append(carrier)
    for of_member in by_member.values():
        found += member_laws.check_keys(subject, of_member)
    found += member_laws.check_required(subject, sync, by_field)
    found += member_laws.check_only(subject, sync)
    found += member_laws.check_idle(subject, sync, by_field)
    found += sync_laws.check_match(subject, sync, by_field)
    return found, rows


def _prove_field(
    subject: ProofSubject, sync: Sync, of_field: Sequence[Carrier], found: list[ProofFinding]
) -> dict[str, bool]:
    """Prove one field of a sync; return at which members it is lossy."""
    for carrier in of_field:
        found += member_laws.check_carrier(subject, carrier)
        found += text_laws.check_written(subject, carrier)
        found += value_laws.check_seen(subject, carrier)
        found += value_laws.check_null(subject, carrier)
        found += value_laws.check_rows(subject, carrier)
    known = value_laws.known_values(of_field)
    reaches = value_laws.reaches_of(of_field, known)
    if known.sources:
        found += value_laws.check_values(subject, of_field, known, reaches)
    found += value_laws.check_passed(subject, of_field)
    found += text_laws.check_texts(subject, of_field)
    found += sync_laws.check_policy(subject, sync, of_field)
    found += sync_laws.check_people(subject, of_field)
    return {name: bool(reach.changed or reach.uncarried) for name, reach in reaches.items()}


def _ordered(found: Iterable[ProofFinding]) -> tuple[ProofFinding, ...]:
    """Return findings each once, the gravest first and then as the files go."""
    rank = {severity: number for number, severity in enumerate(SEVERITIES)}

    def order(each: ProofFinding) -> tuple[int, str, int, str]:
        file, _, line = each.at.rpartition(":")
        return rank[each.severity], file, int(line) if line.isdigit() else 0, each.path

    once = {(each.law, each.at, each.path, each.what): each for each in found}
    return tuple(sorted(once.values(), key=order))
