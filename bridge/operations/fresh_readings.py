"""Reading records for a plan: what the ledger does not know of them, at the pace of an import."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from bridge.connectors.contract import Connector, Record
from bridge.core.model.values import Ref
from bridge.engine.budget import Budget
from bridge.engine.context import Context
from bridge.errors import BridgeError

LANE: Final = "backfill"


@dataclass(frozen=True, slots=True)
class FreshReadings:
    """Reads records in batches; one that fails is left out, and so is its connection from then on.

    No call is repeated: what could not be read is counted as not known, and a plan can be made
    again.
    """

    context: Context
    connectors: Mapping[str, Connector]
    budget: Budget
    failed: dict[str, str] = field(default_factory=dict)
    """Connection -> why nothing more of it was read."""

    def __call__(self, refs: Sequence[Ref]) -> dict[Ref, Record]:
        """Return what these records show now, without those that are gone or cannot be read."""
        groups: defaultdict[tuple[str, str], list[str]] = defaultdict(list)
        for ref in refs:
            groups[ref.connection, ref.entity].append(ref.id)
        found: dict[Ref, Record] = {}
        for (connection, entity), ids in groups.items():
            size = self.context.capabilities[connection][entity].read_batch
            for start in range(0, len(ids), size):
                found |= self._read(connection, entity, ids[start : start + size])
        return found

    def _read(self, connection: str, entity: str, ids: Sequence[str]) -> dict[Ref, Record]:
        if connection in self.failed:
            return {}
        holder = self.context.fresh_id()
        self._await_grant(connection, holder)
        try:
            records = self.connectors[connection].read(entity, ids)
        except BridgeError as error:
            self.failed[connection] = str(error)
            return {}
        finally:
            self.budget.release(connection, holder)
        return {
            Ref(connection, entity, remote_id): record
            for remote_id, record in records.items()
            if record is not None
        }

    def _await_grant(self, connection: str, holder: str) -> None:
        account, clock = self.context.connections[connection], self.context.clock
        while wait := self.budget.acquire(account, holder, clock.now(), account.timeout, lane=LANE):
            clock.sleep(wait)
