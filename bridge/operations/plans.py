"""Plans: what would be written, what has changed since the last plan, and writing just that."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from bridge.core.planning.planned_write import write_digest, write_target
from bridge.home import var_folder, write_private
from bridge.ledger import parking
from bridge.operations.desk import Desk
from bridge.preview.apply import Applied, apply_plan
from bridge.preview.dry_run import Preview, preview
from bridge.preview.plan_parts import Look
from bridge.wiring import Bridge

HELD_CAUSE: Final = "unsafe"
MAX_HELD: Final = 10_000


@dataclass(frozen=True, slots=True)
class HeldWrite:
    """A write that is held as unsafe."""

    id: int
    subject: str
    """The record, or the bridge's own ticket."""
    connection: str
    why: str


def make_plan(
    bridge: Bridge,
    desk: Desk,
    sync: str | None,
    *,
    live: bool,
    look: Look = lambda _seen: None,
) -> Preview:
    """Plan for a sync, or for all, and leave no trace. Raises UnknownName.

    `live`: list the systems, by reads only; else from what the ledger knows of them, where `look`
    hears how many links were looked at so far.
    """
    return preview(
        desk.context,
        desk.ledger,
        desk.connectors,
        sync_names(desk, sync),
        live=live,
        budget=bridge.worker.budget,
        look=look,
    )


def sync_names(desk: Desk, sync: str | None) -> list[str]:
    """Return the one sync that is meant, or all. Raises UnknownName."""
    return list(desk.config.syncs) if sync is None else [desk.sync(sync).name]


def carry_out(
    bridge: Bridge, desk: Desk, sync: str | None, plan: Preview, *, override_unsafe: bool
) -> Applied:
    """Make the writes of a plan, in the name of the desk's actor, and return what became of them.

    `override_unsafe`: also what is held as unsafe.
    """
    names = sync_names(desk, sync)
    detail = {
        "writes": len(plan.writes),
        "override_unsafe": override_unsafe,
        "unsafe": plan.unsafe,
    }
    # First, on its own: if it is killed in between, there must be no write that nobody ordered.
    with desk.ledger.transaction() as tx:
        desk.write_down(tx, "apply", ", ".join(names), detail)
    return apply_plan(
        desk.context,
        desk.ledger,
        desk.connectors,
        names,
        plan.writes,
        bridge.worker.budget,
        override=override_unsafe,
    )


def held_writes(desk: Desk, connection: str | None = None) -> list[HeldWrite]:
    """Return what is held as unsafe, on a connection or on all. Raises UnknownName."""
    if connection is not None:
        desk.connection(connection)
    with desk.ledger.read() as tx:
        rows = parking.parked(tx, MAX_HELD, cause=HELD_CAUSE, connection=connection)
    return [HeldWrite(row.id, row.subject, row.connection, row.why) for row in rows]


def release_held(desk: Desk, connection: str, held: Sequence[HeldWrite]) -> int:
    """Let these writes to a connection through once; return how many were still held."""
    ids = [write.id for write in held]
    with desk.ledger.transaction() as tx:
        freed = parking.unpark(tx, desk.now(), ids=ids, payload={"approved": True})
        desk.write_down(tx, "apply held", connection, {"writes": freed})
    desk.announce()
    return freed


# The last plan is kept in the home, so that `bridge apply` can say what has changed since. Only
# digests of the values are: nobody's data is to lie about there.


def remember(home: Path, sync: str | None, plan: Preview) -> None:
    """Keep the digests of a plan."""
    write_private(_path(home, sync), json.dumps(_digests(plan)))


def changes_since_last(home: Path, sync: str | None, plan: Preview) -> list[str] | None:
    """Return in words how a plan differs from the last one; None when there was none."""
    path = _path(home, sync)
    if not path.exists():
        return None
    old: Mapping[str, str] = json.loads(path.read_text())
    new = _digests(plan)
    changed = [target for target in new if target in old and old[target] != new[target]]
    return [
        *(f"new: {target}" for target in new if target not in old),
        *(f"gone: {target}" for target in old if target not in new),
        *(f"other value: {target}" for target in changed),
    ]


def _path(home: Path, sync: str | None) -> Path:
    return var_folder(home) / "plans" / f"{sync or 'all'}.json"


def _digests(plan: Preview) -> dict[str, str]:
    """Return a digest of what is written, by where it is written."""
    return {write_target(write): write_digest(write) for write in plan.writes}
