"""Carrying out a plan and nothing else: between the flow and each system stands a gate that knows the plan."""

from __future__ import annotations

import json
import threading
from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any, Final

from bridge.connectors.contract import Connector, Draft, Record
from bridge.connectors.forwarding import ForwardingConnector
from bridge.core.model.values import Raw, Ref
from bridge.engine.context import Context
from bridge.engine.worker import Drain
from bridge.errors import Resting
from bridge.ledger import parking, run_records, run_writes, work
from bridge.ledger.database import Ledger
from bridge.preview.rehearsal import UNBORN, PlannedWrite
from bridge.procedures import PROCEDURES
from bridge.runs import reconcile

IDLE: Final = timedelta(seconds=20)
"""Nothing of the plan was done for so long: what is left of it does not come any more."""


class NotPlanned(Resting):
    """The write is not in the plan that was agreed to; nothing was sent, and the normal flow decides about it."""


@dataclass(slots=True)
class Permit:
    """What may still be written."""

    planned: Counter[str] = field(default_factory=Counter)
    loose: list[tuple[str, PlannedWrite]] = field(default_factory=list)
    """Creates that name a record which did not exist when they were planned."""
    unplanned: dict[str, str] = field(default_factory=dict)
    """What was asked for and is not in the plan."""
    done: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    @classmethod
    def of(cls, writes: Iterable[PlannedWrite]) -> Permit:
        """Permit these writes, once each."""
        permit = cls()
        for write in writes:
            for one in _single(write):
                if any(str(raw).startswith(UNBORN) for raw in (write.id, *one.values.values())):
                    permit.loose.append((write.connection, one))
                else:
                    permit.planned[
                        _name(one.op, one.connection, one.entity, one.id, one.values)
                    ] += 1
        return permit

    @property
    def left(self) -> int:
        """Count what has not been written yet."""
        return sum(self.planned.values()) + len(self.loose)

    def use(self, op: str, ref: Ref, verb: str, values: Mapping[str, Raw]) -> None:
        """Use a write up. Raises NotPlanned when it is none of the planned ones."""
        asked = _single(PlannedWrite(op, ref.connection, ref.entity, ref.id, verb, values))
        with self.lock:
            planned, loose = self.planned.copy(), list(self.loose)
            if all(_taken(one, planned, loose) for one in asked):
                self.planned, self.loose = planned, loose
                self.done += 1
                return
            what = (
                f"{op} {ref.connection}:{ref.id or ref.entity} {', '.join(sorted(values))}".strip()
            )
            self.unplanned[what] = what
        raise NotPlanned(ref.connection, f"not in the plan: {what}; left to the normal flow")


class GatedConnector(ForwardingConnector):
    """Lets reads through, and the writes of a plan."""

    NAME = "gate"

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


@dataclass(frozen=True, slots=True)
class Applied:
    """What became of a plan."""

    runs: list[str]
    done: int
    left: int
    """Planned, and not needed or not possible any more."""
    unplanned: list[str]
    """Wanted by now, and not in the plan."""
    parked: dict[str, int]
    errors: list[str]


def apply_plan(
    context: Context,
    ledger: Ledger,
    connectors: Mapping[str, Connector],
    syncs: Collection[str],
    writes: Collection[PlannedWrite],
    budget: Any,
    *,
    override: bool = False,
    pool: Any = None,
) -> Applied:
    """List everything again and write what was planned. `override`: also what the brakes would hold."""
    permit = Permit.of(writes)
    gates: dict[str, Connector] = {
        name: GatedConnector(real, permit) for name, real in connectors.items()
    }
    named = {"pool": pool} if pool is not None else {}
    drain = Drain(
        context, ledger, gates, budget, f"apply/{context.fresh_id()[:12]}", PROCEDURES, **named
    )
    now = context.clock.now()
    with ledger.transaction() as tx:
        pairs = [
            (member, context.syncs[name].entity)
            for name in syncs
            for member in context.syncs[name].members
        ]
        begun = [reconcile.start(tx, member, entity, "full", now) for member, entity in pairs]
    ids = [run_id for run_id in begun if run_id is not None]
    _until_done(context, ledger, drain, permit, ids, override=override)
    with ledger.read() as tx:
        errors = [
            f"{run.connection}: {run.error}"
            for each in ids
            if (run := run_records.get(tx, each)) and run.error
        ]
        parked = run_writes.left(tx, [int(each) for each in ids]).parked
    return Applied(ids, permit.done, permit.left, sorted(permit.unplanned.values()), parked, errors)


def _until_done(
    context: Context,
    ledger: Ledger,
    drain: Drain,
    permit: Permit,
    ids: list[str],
    *,
    override: bool,
) -> None:
    mine, at, mark = [int(each) for each in ids], context.clock.now(), (-1, -1)
    while True:
        drain.run(1.0)
        now = context.clock.now()
        with ledger.transaction() as tx:
            if override:
                held = [row["id"] for row in run_writes.review(tx, mine, ["unsafe"])]
                parking.unpark(tx, now, ids=held, payload={"approved": True}) if held else None
            left = run_writes.left(tx, mine)
            listed = all(
                (run := run_records.get(tx, each)) is None or run.finished_at for each in ids
            )
            due = work.next_due(tx, now)
        if listed and (not left.waiting or not permit.left):
            return
        if (now_at := (permit.done, left.waiting)) != mark or not listed:
            at, mark = now, now_at
        if now - at > IDLE:
            return
        if due is not None and due > now:
            context.clock.sleep(min(1.0, (due - now).total_seconds() + 0.001))


def _single(write: PlannedWrite) -> list[PlannedWrite]:
    """Give an update field by field: which of them share a call depends on what is known of the system by then."""
    if write.op != "update":
        return [write]
    return [replace(write, verb="", values={name: raw}) for name, raw in write.values.items()]


def _taken(one: PlannedWrite, planned: Counter[str], loose: list[tuple[str, PlannedWrite]]) -> bool:
    """Use a planned write up; False when there is none such."""
    name = _name(one.op, one.connection, one.entity, one.id, one.values)
    if planned[name] > 0:
        planned[name] -= 1
        return True
    for number, (connection, write) in enumerate(loose):
        if connection == one.connection and _fits(write, one):
            del loose[number]
            return True
    return False


def _name(op: str, connection: str, entity: str, remote_id: str, values: Mapping[str, Raw]) -> str:
    told = [op, connection, entity, "" if op == "create" else remote_id, dict(values)]
    return json.dumps(told, sort_keys=True, default=str)


def _fits(write: PlannedWrite, one: PlannedWrite) -> bool:
    """Tell whether a write is one that was planned with made-up ids in place of real ones."""
    if (write.op, write.entity) != (one.op, one.entity) or write.values.keys() != one.values.keys():
        return False
    return all(
        str(raw).startswith(UNBORN) or raw == one.values[name] for name, raw in write.values.items()
    )
