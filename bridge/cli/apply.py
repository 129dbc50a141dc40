"""`bridge apply`: plan again, show it, ask, and do exactly that."""

from __future__ import annotations

import click

from bridge import home as homes
from bridge.cli.operator import actor
from bridge.cli.plan import HELD, chosen, moved, opened, planned, remember, say
from bridge.ledger import audit, parking
from bridge.preview.apply import apply_plan
from bridge.preview.dry_run import Preview
from bridge.wiring import Engine

SHOWN = 20


@click.command()
@click.argument("sync", required=False)
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option(
    "--override-unsafe", is_flag=True, help="Also when it would delete, close or empty too much."
)
@click.option(
    "--held",
    metavar="CONNECTION",
    help="Only let the writes through that are held as unsafe there.",
)
@click.option("--sandbox", is_flag=True, help="In the running sandbox, or not at all.")
def apply(
    sync: str | None, yes: bool, override_unsafe: bool, held: str | None, sandbox: bool
) -> None:
    """Write what `bridge plan --live` shows for SYNC (default: all), and nothing else.

    It plans again first and says what has moved since the last plan. What changes meanwhile is left
    to the workers.
    """
    engine = opened(sandbox=sandbox)
    try:
        if held is not None:
            release(engine, held, yes=yes)
            return
        found = look(engine, sync, override_unsafe=override_unsafe)
        if found.writes:
            if not yes:
                click.confirm(f"Make these {len(found.writes)} writes?", abort=True)
            write(engine, chosen(engine, sync), found, override_unsafe=override_unsafe)
    finally:
        engine.close()


def look(engine: Engine, sync: str | None, *, override_unsafe: bool) -> Preview:
    """Plan again, show it beside the last plan, and refuse what is not safe."""
    home, found = homes.find_home(), planned(engine, sync, live=True)
    say(found, [], 5)
    since = moved(home, sync, found)
    if since is not None:
        click.echo(
            f"{len(since)} writes differ from the last plan" if since else "as in the last plan"
        )
        for each in since[:SHOWN]:
            click.echo(f"  {each}")
    remember(home, sync, found)
    if found.stopped:
        raise click.ClickException(
            "a listing was not believed; mend that first (see above), then plan again"
        )
    if found.unsafe and not override_unsafe:
        raise click.ClickException(
            "the plan is unsafe and nothing was written; --override-unsafe does it anyway"
        )
    return found


def write(engine: Engine, names: list[str], found: Preview, *, override_unsafe: bool) -> None:
    """Make the writes and say what became of them; exit with 1 unless all were made."""
    with engine.ledger.transaction() as tx:
        detail = {
            "writes": len(found.writes),
            "override_unsafe": override_unsafe,
            "unsafe": found.unsafe,
        }
        audit.add(
            tx,
            actor=actor(),
            action="apply",
            subject=", ".join(names),
            at=engine.clock.now(),
            detail=detail,
        )
    around = (engine.context, engine.ledger, engine.connectors)
    told = apply_plan(*around, names, found.writes, engine.drainer.budget, override=override_unsafe)
    click.echo(f"{told.done} of {len(found.writes)} writes made, by runs {', '.join(told.runs)}")
    if told.left:
        click.echo(f"{told.left} were not needed or not possible any more")
    for each in told.unplanned[:SHOWN]:
        click.echo(f"left to the workers: {each}")
    for cause, number in told.parked.items():
        click.echo(f"{number} set aside: {cause}; see `bridge parked list`")
    for error in told.errors:
        click.echo(error, err=True)
    if told.left or told.errors or told.parked:
        raise SystemExit(1)


def release(engine: Engine, connection: str, *, yes: bool) -> None:
    """Let the writes through that are held as unsafe on a connection, once."""
    if connection not in engine.config.connections:
        raise click.UsageError(
            f"no connection {connection}; allowed: {', '.join(engine.config.connections)}"
        )
    with engine.ledger.read() as tx:
        rows = parking.parked(tx, 10_000, cause=HELD, connection=connection)
    if not rows:
        click.echo(f"nothing is held on {connection}")
        return
    for row in rows[:SHOWN]:
        click.echo(f"  {row.subject}  {row.why}")
    if not yes:
        click.confirm(f"Let these {len(rows)} writes through?", abort=True)
    now = engine.clock.now()
    with engine.ledger.transaction() as tx:
        freed = parking.unpark(tx, now, ids=[row.id for row in rows], payload={"approved": True})
        audit.add(
            tx,
            actor=actor(),
            action="apply held",
            subject=connection,
            at=now,
            detail={"writes": freed},
        )
    engine.announce()
    click.echo(f"{freed} freed")
