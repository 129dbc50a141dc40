"""`bridge audit`: who did what through the bridge."""

from __future__ import annotations

import click

from bridge.cli.operator import at_desk
from bridge.cli.screen import say, say_rows
from bridge.operations import audit_trail
from bridge.operations.times import when


@click.command("audit")
@click.option("--by", "actor", default="", metavar="WHO", help="Acts of this person: local:ana.")
@click.option("--action", default="", metavar="NAME", help="Acts whose name begins so: parked.")
@click.option("--about", "subject", default="", metavar="TEXT", help="Acts on what is called so.")
@click.option("--limit", default=50, show_default=True, type=click.IntRange(1, 10_000))
@click.option("--before", type=int, metavar="ID", help="Acts before this one.")
@click.option("--json", "as_json", is_flag=True, help="For programs.")
def command(
    actor: str, action: str, subject: str, limit: int, before: int | None, as_json: bool
) -> None:
    """List what was done through the bridge and by whom, the newest first."""
    with at_desk() as desk:
        acts = audit_trail.acts(
            desk, limit=limit, before=before, actor=actor, action=action, subject=subject
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
