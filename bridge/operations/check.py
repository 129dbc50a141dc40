"""Every problem of a home's files at once, and what they change for what the ledger knows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from bridge.clock import SystemClock
from bridge.config import Config, SandboxAccount
from bridge.errors import LedgerError, NoLedger
from bridge.home_configuration import context_of
from bridge.ledger.database import Ledger
from bridge.operations import mapping_folders, mapping_proof
from bridge.runs import adoption
from bridge.runs.configuration_changes import ConfigurationChange
from bridge.workbench.proof import Proof


@dataclass(frozen=True, slots=True)
class ConnectionAnswer:
    """What a connection answered."""

    ping: str
    probe: Mapping[str, Any]
    """What reads alone showed of what this deployment can do; None where it could not be told."""

    def seen(self) -> str:
        """Return in words what the probe showed."""
        words = {"True": "yes", "False": "no", "None": "cannot be told"}
        shown = []
        for name, value in self.probe.items():
            said = ", ".join(map(str, value)) if isinstance(value, list) else str(value)
            shown.append(f"{name.replace('_', ' ')}: {words.get(said, said)}")
        return "; ".join(shown) or "nothing more"


@dataclass(frozen=True, slots=True)
class Check:
    """What a check found."""

    problems: list[str]
    config: Config | None = None
    """The files as compiled; None when there are problems in them."""
    proof: Proof = field(default_factory=Proof)
    """What was proved of the mappings; of its findings, those refused are among the problems."""
    live: Mapping[str, ConnectionAnswer] = field(default_factory=dict)
    """By connection: those that were called and answered well."""
    sign_in: str = ""
    """What the provider answered by which users sign in, and where it is to send them back."""
    changes: list[ConfigurationChange] = field(default_factory=list)
    """What the files change against those that the bridge last ran by."""
    retired: Mapping[str, int] = field(default_factory=dict)
    """Connections that the files don't name (any more), and how many records of each are known."""

    outdated: bool = False
    """The bridge last ran by other files."""
    ledger_error: str = ""
    """Why it is not known what the files change: there is a ledger, and it cannot be read."""

    @property
    def doubtful(self) -> bool:
        """Return whether a start is refused until the changes are accepted."""
        return any(change.doubtful for change in self.changes)

    def as_json(self) -> dict[str, object]:
        """Return what programs are told."""
        return {
            "ok": not self.problems,
            "problems": self.problems,
            "warnings": self.warnings,
            "changes": [asdict(change) for change in self.changes],
            "retired": dict(self.retired),
            "sign_in": self.sign_in,
            "live": {name: asdict(answer) for name, answer in self.live.items()},
        }

    @property
    def warnings(self) -> tuple[str, ...]:
        """Return what works, but should be looked at."""
        of_files = self.config.warnings if self.config is not None else ()
        differs = mapping_folders.notice(self.config) if self.config is not None else ""
        of_proof = (finding.line for finding in self.proof.warnings)
        found = (*of_files, *([differs] if differs else ()), *of_proof)
        unknown = f"what the files change is not known: {self.ledger_error}"
        return (*found, unknown) if self.ledger_error else found


def check(home: Path, accounts: Mapping[str, SandboxAccount] | None) -> Check:
    """Check a home's files, run the mappings' examples, and look what the ledger knows of both.

    Nobody is called (`live_check` does that), and nothing is loaded that calls.
    `accounts`: a sandbox's, in place of the addresses and secrets of the files; None: those count.
    """
    proved = mapping_proof.proved(home, accounts)
    compiled = proved.config
    if compiled is None or proved.proof.refused:
        return Check([finding.line for finding in proved.proof.refused], proof=proved.proof)
    checked = Check([], compiled, proof=proved.proof)
    # A sandbox has a ledger of its own, which begins empty.
    return checked if accounts is not None else _compare(checked, compiled)


def _compare(checked: Check, compiled: Config) -> Check:
    """Add what the files change for what the ledger knows; nothing when there is none yet."""
    ledger = Ledger(compiled.settings.database)
    context = context_of(compiled, SystemClock())
    try:
        ledger.check()
        with ledger.read() as tx:
            known = adoption.count_known(tx)
            changes = adoption.compare(tx, context, known)
            outdated = adoption.is_outdated(tx, context)
    except NoLedger:
        return checked
    except LedgerError as error:
        return replace(checked, ledger_error=str(error))
    finally:
        ledger.close()
    gone = sorted(known.connections - compiled.connections.keys())
    retired = {name: known.of(name) for name in gone}
    return replace(checked, changes=changes, retired=retired, outdated=outdated)
