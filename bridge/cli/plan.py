"""`bridge plan`: what would be written, before anything is."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from bridge import home as homes
from bridge import wiring
from bridge.cli.process import lend_redis
from bridge.cli.running_sandbox import follow_sandbox
from bridge.cli.value_text import short_value
from bridge.ledger import parking
from bridge.ledger.parking import Parked
from bridge.preview.dry_run import Preview, preview, summary
from bridge.preview.planned_write import PlannedWrite, write_digest, write_target

HELD = "unsafe"


@click.command()
@click.argument("sync", required=False)
@click.option(
    "--live",
    is_flag=True,
    help="List the systems (reads only); else from what the ledger knows of them.",
)
@click.option("--sample", default=5, show_default=True, help="Show so many writes of each kind.")
@click.option("--json", "as_json", is_flag=True, help="For programs: everything.")
@click.option("--sandbox", is_flag=True, help="Of the running sandbox, or not at all.")
def plan(sync: str | None, live: bool, sample: int, as_json: bool, sandbox: bool) -> None:
    """Say what would be written to each system for SYNC (default: all), and leave no trace.

    It is played through on a copy of the ledger in memory, by the code that would do it. 1 when it
    is not safe.
    """
    engine = opened(sandbox=sandbox)
    found = planned(engine, sync, live=live)
    with engine.ledger.read() as tx:
        held = parking.parked(tx, 10_000, cause=HELD)
    engine.close()
    remember(homes.find_home(), sync, found)
    if as_json:
        click.echo(json.dumps(as_plain(found, held), default=str, ensure_ascii=False))
    else:
        say(found, held, sample)
    if found.unsafe or found.stopped:
        raise SystemExit(1)


def opened(*, sandbox: bool = False) -> wiring.Engine:
    """Give the bridge of this home."""
    home = homes.find_home()
    if not follow_sandbox(home) and sandbox:
        raise click.UsageError(
            "no sandbox runs in this home: start `bridge up --sandbox`, then plan again"
        )
    return wiring.engine(home)


def chosen(engine: wiring.Engine, sync: str | None) -> list[str]:
    """Give the names of the syncs that are meant."""
    if sync is not None and sync not in engine.config.syncs:
        raise click.UsageError(f"no sync {sync}; allowed: {', '.join(engine.config.syncs)}")
    return [sync] if sync is not None else list(engine.config.syncs)


def planned(engine: wiring.Engine, sync: str | None, *, live: bool) -> Preview:
    """Plan for a sync, or for all."""
    names = chosen(engine, sync)
    if live:
        lend_redis(engine.config.settings.redis)
    return preview(
        engine.context,
        engine.ledger,
        engine.connectors,
        names,
        live=live,
        budget=engine.drainer.budget,
    )


def remember(home: Path, sync: str | None, found: Preview) -> None:
    """Keep digests of a plan in the home's `var/`, so that `bridge apply` can say what has moved since."""
    path = kept(home, sync)
    path.parent.mkdir(mode=0o700, exist_ok=True)
    path.write_text(
        json.dumps({write_target(write): write_digest(write) for write in found.writes})
    )


def kept(home: Path, sync: str | None) -> Path:
    """Give where the digests of the last plan are."""
    return homes.var(home) / "plans" / f"{sync or 'all'}.json"


def moved(home: Path, sync: str | None, found: Preview) -> list[str] | None:
    """Say what is different from the last plan; None when there was none."""
    path = kept(home, sync)
    if not path.exists():
        return None
    old, new = (
        json.loads(path.read_text()),
        {write_target(write): write_digest(write) for write in found.writes},
    )
    told = [f"new: {each}" for each in new if each not in old]
    told += [f"gone: {each}" for each in old if each not in new]
    return told + [f"other value: {each}" for each in new if each in old and old[each] != new[each]]


def as_plain(found: Preview, held: Iterable[Parked]) -> dict[str, Any]:
    """Give a plan as plain values."""
    return {
        "live": found.live,
        "summary": summary(found),
        "writes": [asdict(write) for write in found.writes],
        "told": [[*what, number] for what, number in found.notes.items()],
        "unmapped": [[*who, number] for who, number in found.unmapped.items()],
        "parked": [[*what, number] for what, number in found.parked.items()],
        "held": [
            {"id": row.id, "subject": row.subject, "connection": row.connection, "why": row.why}
            for row in held
        ],
        "calls": found.calls,
        "seconds": found.seconds,
        "unsafe": found.unsafe,
        "stopped": found.stopped,
    }


def say(found: Preview, held: list[Parked], sample: int) -> None:
    """Print a plan for people."""
    if not found.writes:
        click.echo("nothing would be written")
    _say_writes(found, sample)
    for (kind, name, field, why), number in found.notes.most_common(20):
        click.echo(f"{number}x {kind}: {name} {field} {why}".rstrip())
    for (name, who), number in found.unmapped.most_common(20):
        click.echo(f"{number}x nobody knows who {who} of {name} is: see `bridge agents`")
    for (name, cause), number in found.parked.items():
        click.echo(f"{number} set aside on {name}: {cause}")
    for row in held[:sample]:
        click.echo(
            f"held: {row.subject} on {row.connection}; `bridge apply --held {row.connection}` lets it through"
        )
    _say_cost(found)
    for why in found.stopped:
        click.echo(f"stopped: {why}", err=True)
    for why in found.unsafe:
        click.echo(f"UNSAFE {why}", err=True)


def _say_writes(found: Preview, sample: int) -> None:
    for name, counts in summary(found).items():
        click.echo(
            f"{name}: {counts['create']} creates, {counts['update']} updates, {counts['delete']} deletes"
        )
        click.echo(
            "    "
            + ", ".join(f"{field} {number}" for field, number in counts["fields"].most_common())
        )
        for kind in ("create", "update", "delete"):
            mine = [write for write in found.writes if (write.connection, write.op) == (name, kind)]
            for write in mine[:sample]:
                click.echo(f"    {line(write)}")
            if len(mine) > sample:
                click.echo(f"    and {len(mine) - sample} more of this kind")


def _say_cost(found: Preview) -> None:
    cost = ", ".join(
        f"{name} {calls}" + (f" (about {found.seconds[name]:.0f} s)" if found.seconds[name] else "")
        for name, calls in found.calls.items()
        if calls
    )
    click.echo(f"calls: {cost or 'none'}")


def line(write: PlannedWrite) -> str:
    """Give a write as a line."""
    values = "  ".join(f"{name} {short_value(raw)}" for name, raw in write.sent.items())
    return f"{write.op} {'from ' if write.op == 'create' else ''}{write.id}  {values}"
