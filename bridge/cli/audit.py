"""`bridge audit`: who did what through the bridge, and whether the record of it is whole."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final

import click

from bridge.cli.operator import at_desk
from bridge.cli.screen import say, say_rows
from bridge.core.model.counting import counted
from bridge.operations import audit_trail
from bridge.operations.times import when

DAY: Final = click.DateTime(["%Y-%m-%d"])


@click.group("audit", invoke_without_command=True)
@click.option("--by", "actor", default="", metavar="WHO", help="Acts of this person: local:ana.")
@click.option("--action", default="", metavar="NAME", help="Acts whose name begins so: parked.")
@click.option("--about", "subject", default="", metavar="TEXT", help="Acts on what is called so.")
@click.option("--since", type=DAY, metavar="DATE", help="Acts from this day on (UTC).")
@click.option("--until", type=DAY, metavar="DATE", help="Acts before this day (UTC).")
@click.option("--limit", default=50, show_default=True, type=click.IntRange(1, 10_000))
@click.option("--before", type=int, metavar="ID", help="Acts before this one.")
@click.option("--json", "as_json", is_flag=True, help="For programs.")
@click.pass_context
def command(
    context: click.Context,
    actor: str,
    action: str,
    subject: str,
    since: datetime | None,
    until: datetime | None,
    limit: int,
    before: int | None,
    as_json: bool,
) -> None:
    """List what was done through the bridge and by whom, the newest first."""
    if context.invoked_subcommand is not None:
        return
    with at_desk() as desk:
        acts = audit_trail.acts(
            desk,
            limit=limit,
            before=before,
            actor=actor,
            action=action,
            subject=subject,
            since=_in_utc(since),
            until=_in_utc(until),
        )
    if as_json:
        say_rows(acts)
        return
    for act in acts:
        detail = "  ".join(f"{name} {value}" for name, value in act.detail.items() if value)
        say(
            f"{act.id}  {when(act.at)}  {act.actor}  {act.action}  {act.subject}  {detail}".rstrip()
        )
    if not acts:
        say("nothing of this kind was done")
    elif len(acts) == limit:
        say(f"earlier ones: --before {acts[-1].id}", err=True)


def _in_utc(day: datetime | None) -> datetime | None:
    return None if day is None else day.replace(tzinfo=UTC)


@command.command()
def verify() -> None:
    """Say whether any act was changed, taken out or put in since; 1 when one was.

    The digest that it ends with stands for all acts so far. Whoever keeps it elsewhere can tell
    later whether the newest ones were taken away.
    """
    with at_desk() as desk:
        chain = audit_trail.verify(desk)
    if chain.broken_at is not None:
        say(f"act {chain.broken_at} does not fit the {counted(chain.acts, 'act')} before it:")
        say("the ledger was changed by other ways than the bridge; compare with a backup")
        raise SystemExit(1)
    say(f"{counted(chain.acts, 'act')} hang together; newest digest {chain.head or '(none)'}")
    if chain.earlier:
        say(f"{counted(chain.earlier, 'act')} before them, of an older version, have no digest")
