"""The proof of a home's mappings, with what its ledger says that vendors were seen to send."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from bridge.config import Config, HomeLoader, SandboxAccount, all_problems
from bridge.config.mapping_texts import Published
from bridge.config.published_mappings import check_mappings, with_mappings
from bridge.errors import LedgerError
from bridge.home_configuration import connector_classes, proof_of, published_in
from bridge.ledger import unread_values
from bridge.ledger.database import Ledger, Tx
from bridge.workbench.proof import Proof
from bridge.workbench.proof_findings import ProofFinding, Seen, SeenValue

if TYPE_CHECKING:  # a check of a home's files opens no desk
    from bridge.operations.desk import Desk


@dataclass(frozen=True, slots=True)
class ProvedHome:
    """A home's files and their proof."""

    proof: Proof
    config: Config | None = None
    """None: there are problems in the files, which are among the findings."""
    ledger_seen: bool = False
    """The ledger was asked what the vendors were seen to send."""


def proved(home: Path, accounts: Mapping[str, SandboxAccount] | None) -> ProvedHome:
    """Prove a home's mappings; `accounts`: a sandbox's, in place of what the files say."""
    # A sandbox has a ledger of its own.
    in_ledger = published_in if accounts is None else None
    loader = HomeLoader(home, os.environ, accounts, connector_classes(), in_ledger)
    compiled = loader.all()
    can_be_proved = not loader.problems
    problems = tuple(map(_as_finding, all_problems(loader)))
    if not can_be_proved:
        return ProvedHome(Proof(problems))
    seen = _seen_values(compiled) if accounts is None else None
    proof = proof_of(compiled, seen)
    if problems:  # in examples, or in a mapping that no connection uses
        return ProvedHome(replace(proof, findings=(*problems, *proof.findings)))
    return ProvedHome(proof, compiled, ledger_seen=seen is not None)


def proved_files(desk: Desk, files: Mapping[str, str]) -> ProvedHome:
    """Prove mappings as if they were published at this desk; nothing is changed by that."""
    published, classes = Published(desk.config.number, files), connector_classes()
    problems = check_mappings(desk.config, published, classes)
    if problems:
        return ProvedHome(Proof(tuple(map(_as_finding, problems))))
    compiled = with_mappings(desk.config, published, classes)
    with desk.ledger.read() as tx:
        seen = seen_values(tx)
    return ProvedHome(proof_of(compiled, seen), compiled, ledger_seen=True)


def seen_values(tx: Tx) -> Seen:
    """Return the values that the ledger has without a reading, by connection, entity and field."""
    found: dict[tuple[str, str, str], list[SeenValue]] = {}
    for each in unread_values.unread_values(tx):
        key = (each.connection, each.entity, each.field)
        found.setdefault(key, []).append(SeenValue(each.value, each.records))
    return found


def _seen_values(compiled: Config) -> Seen | None:
    """Return what vendors were seen to send; None where there is no ledger to ask."""
    ledger = Ledger(compiled.settings.database)
    try:
        ledger.check()
        with ledger.read() as tx:
            return seen_values(tx)
    except LedgerError:
        return None
    finally:
        ledger.close()


def _as_finding(problem: str) -> ProofFinding:
    """Return a problem that was found before anything could be proved."""
    file, line, what = problem.split(":", 2)
    path, colon, said = what.strip().partition(": ")
    if not colon or " " in path:
        path, said = "", what.strip()
    return ProofFinding("files", "refused", f"{file}:{line}", path, said)
