"""`bridge conflicts`: what waits for a human's word, and the word."""

from __future__ import annotations

import json
from typing import Any

import click

from bridge import home as homes
from bridge import wiring
from bridge.cli.operator import actor, looking, show, the_one, write_down
from bridge.cli.running_sandbox import follow_sandbox
from bridge.errors import Busy
from bridge.ledger import conflict_log as rows
from bridge.ledger import links
from bridge.ledger.database import Tx
from bridge.operations import conflicts as operate
from bridge.operations.times import when

TRIES = 50
"""Times, a fifth of a second apart, that we ask for a ticket that a worker is busy with."""


@click.group()
def conflicts() -> None:
    """List fields that were edited on several sides and wait for a human, and decide one."""


@conflicts.command("list")
@click.option("--json", "as_json", is_flag=True, help="For programs.")
def list_(as_json: bool) -> None:
    """List open conflicts, the oldest first, with what each side says."""
    with looking() as (tx, _config, _now):
        found = [_described(tx, row) for row in rows.list_open(tx)]
    if as_json:
        show(found)
        return
    for row in found:
        says = ", ".join(
            f"{name} {json.dumps(value, ensure_ascii=False)}"
            for name, value in row["candidates"].items()
        )
        click.echo(
            f"{row['ref']}  {row['field']}  since {when(row['opened_at'])}  {says}  ({row['why']})"
        )
    if not found:
        click.echo("no conflict is open")


@conflicts.command()
@click.argument("ref")
@click.argument("field")
@click.argument("value", required=False)
@click.option("--take", metavar="CONNECTION", help="What this connection says.")
def resolve(ref: str, field: str, value: str | None, take: str | None) -> None:
    """Decide FIELD of ticket REF: a VALUE (`null` for none, a set with commas), or what --take says.

    It becomes the newest edit there is, and is written wherever something else is shown.
    """
    if (value is None) == (take is None):
        raise click.UsageError("give either a VALUE or --take CONNECTION")
    home = homes.find_home()
    follow_sandbox(home)
    engine = wiring.engine(home)
    for left in reversed(range(TRIES)):
        try:
            with engine.ledger.transaction() as tx:
                link = links.load(tx, [the_one(tx, ref)]).popitem()[1]
                if take is not None:
                    wanted = operate.taken(engine.context, link, field, take)
                else:
                    operate.opened(link, field)
                    wanted = operate.spoken(link.entity, field, str(value))
                now = engine.clock.now()
                decided = operate.resolve(tx, engine.context, link.id, field, wanted, actor())
                write_down(tx, "conflict resolved", f"{link.id} {field}", now, {"take": take or ""})
            break
        except Busy:
            if not left:
                raise
            engine.clock.sleep(0.2)
    engine.doorbell.ring()
    engine.close()
    click.echo(
        f"{field} of {link.id} is {json.dumps(decided, default=str, ensure_ascii=False)}; it is being written"
    )


def _described(tx: Tx, row: dict[str, Any]) -> dict[str, Any]:
    link = links.load(tx, [row["link_id"]])[row["link_id"]]
    ref = next((f"{name}:{side.remote_id}" for name, side in sorted(link.live().items())), link.id)
    return {
        "ref": ref,
        "link": link.id,
        "field": row["field"],
        "opened_at": row["opened_at"],
        "why": row["why"],
        "candidates": row["detail"].get("candidates") or {},
    }
