"""The gate before each system while a plan is applied: it lets planned writes through, once."""

from __future__ import annotations

import json
import threading
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import ClassVar

from bridge.connectors.contract import Connector, Draft, Record
from bridge.connectors.forwarding import ForwardingConnector
from bridge.core.model.values import Raw, Ref
from bridge.core.planning.planned_write import PlannedWrite, is_made_up
from bridge.errors import Resting


class NotPlanned(Resting):
    """The write is not in the plan. Nothing was sent; it is left to the normal flow."""


@dataclass(slots=True)
class Permit:
    """What may still be written, each write once."""

    planned: Counter[str] = field(default_factory=Counter)
    with_made_up_ids: list[PlannedWrite] = field(default_factory=list)
    """Writes that name a record which did not exist when they were planned."""
    unplanned: dict[str, str] = field(default_factory=dict)
    """What was asked for and is not in the plan."""
    done: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    @classmethod
    def of(cls, writes: Iterable[PlannedWrite]) -> Permit:
        """Permit these writes, once each."""
        permit = cls()
        for single in (single for write in writes for single in write.by_field()):
            if single.has_made_up_ids():
                permit.with_made_up_ids.append(single)
            else:
                permit.planned[_identity(single)] += 1
        return permit

    @property
    def left(self) -> int:
        """Return how much has not been written yet."""
        return sum(self.planned.values()) + len(self.with_made_up_ids)

    def use(self, op: str, ref: Ref, verb: str, values: Mapping[str, Raw]) -> None:
        """Use a write up. Raises NotPlanned, and uses nothing, when it is not in the plan."""
        asked = PlannedWrite(op, ref.connection, ref.entity, ref.id, verb, values)
        with self.lock:
            # On copies: a call with one field that was not planned uses up none of its fields.
            planned, made_up = self.planned.copy(), list(self.with_made_up_ids)
            if all(_take(single, planned, made_up) for single in asked.by_field()):
                self.planned, self.with_made_up_ids = planned, made_up
                self.done += 1
                return
            target = f"{ref.connection}:{ref.id or ref.entity}"
            what = f"{op} {target} {', '.join(sorted(values))}".strip()
            self.unplanned[what] = what
        raise NotPlanned(ref.connection, f"not in the plan: {what}; left to the normal flow")


class GatedConnector(ForwardingConnector):
    """Lets reads through, and the writes of a plan."""

    NAME: ClassVar[str] = "gate"

    def __init__(self, real: Connector, permit: Permit) -> None:
        super().__init__(real)
        self.permit = permit

    def create(self, draft: Draft) -> Record | None:
        """Create what was planned."""
        self.permit.use("create", Ref(self.connection.name, draft.entity, ""), "", draft.values)
        return super().create(draft)

    def update(self, ref: Ref, verb: str, values: Mapping[str, Raw]) -> Record | None:
        """Change what was planned."""
        self.permit.use("update", ref, verb, values)
        return super().update(ref, verb, values)

    def delete(self, ref: Ref) -> None:
        """Delete what was planned."""
        self.permit.use("delete", ref, "", {})
        super().delete(ref)

    def perform_action(self, action: str, arguments: Mapping[str, str]) -> str:  # noqa: ARG002
        """Refuse: no plan holds an operator's action."""
        raise NotPlanned(self.connection.name, f"not in the plan: the action {action}")


def _take(asked: PlannedWrite, planned: Counter[str], with_made_up_ids: list[PlannedWrite]) -> bool:
    """Use a planned write up; False when there is none such."""
    identity = _identity(asked)
    if planned[identity] > 0:
        planned[identity] -= 1
        return True
    for number, write in enumerate(with_made_up_ids):
        if _fits(write, asked):
            del with_made_up_ids[number]
            return True
    return False


def _identity(write: PlannedWrite) -> str:
    # A create has no id yet; its `id` in a plan names the records that it is made from.
    remote_id = "" if write.op == "create" else write.id
    parts = [write.op, write.connection, write.entity, remote_id, dict(write.values)]
    return json.dumps(parts, sort_keys=True, default=str)


def _fits(planned: PlannedWrite, asked: PlannedWrite) -> bool:
    """Return whether a write is the planned one, with real ids in place of made-up ones."""
    same_place = (planned.op, planned.connection, planned.entity) == (
        asked.op,
        asked.connection,
        asked.entity,
    )
    return (
        same_place
        and planned.values.keys() == asked.values.keys()
        and all(
            is_made_up(raw) or raw == asked.values[name] for name, raw in planned.values.items()
        )
    )
