"""`bridge notices`: who is told what happens, how that goes, and telling once more."""

from __future__ import annotations

from datetime import datetime

import click

from bridge.cli.operator import at_desk
from bridge.cli.screen import say, say_json, say_rows
from bridge.core.model.counting import counted
from bridge.operations import notices
from bridge.operations.notices import EndpointState, NoticeSending
from bridge.operations.times import when


@click.group("notices")
def group() -> None:
    """Show who is told what happens and how that goes, send again, or send a test."""


@group.command("list")
@click.option("--json", "as_json", is_flag=True, help="For programs.")
def list_endpoints(as_json: bool) -> None:
    """List the endpoints: how each is, what waits for it, and what was given up."""
    with at_desk() as desk:
        rows = notices.endpoints(desk)
    if as_json:
        say_rows(rows)
        return
    for row in rows:
        say(_endpoint_line(row))
    if not rows:
        say("nobody is told: config/bridge.yaml declares no `notices`")


@group.command("show")
@click.argument("name")
@click.option("--state", type=click.Choice(notices.STATES), help="Only those.")
@click.option("--limit", default=20, show_default=True, type=click.IntRange(1, 1000))
@click.option("--before", type=int, help="Only those with a smaller number: the next page.")
@click.option("--json", "as_json", is_flag=True, help="For programs.")
def show(name: str, state: str | None, limit: int, before: int | None, as_json: bool) -> None:
    """Show what was and is to be sent to endpoint NAME, the newest first."""
    with at_desk() as desk:
        rows = notices.sendings(desk, name, state=state, before=before, limit=limit)
    if as_json:
        say_rows(rows)
        return
    for row in rows:
        say(_sending_line(row))
    if not rows:
        say("nothing")


@group.command("test")
@click.argument("name")
@click.option("--json", "as_json", is_flag=True, help="For programs.")
def send_test(name: str, as_json: bool) -> None:
    """Send endpoint NAME a test, whatever it asked for."""
    with at_desk() as desk:
        notice = notices.send_test(desk, name)
    if as_json:
        say_json({"endpoint": name, "notice": notice})
    else:
        say(f"{notice} is sent within seconds; `bridge notices show {name}` says how that went")


@group.command("send-again")
@click.argument("name")
@click.argument("numbers", nargs=-1, type=int)
@click.option(
    "--since",
    type=click.DateTime(["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S%z"]),
    help="Of what was given up, only what was written since then (UTC).",
)
@click.option("--dry-run", is_flag=True, help="Only say what would be sent.")
@click.option("--json", "as_json", is_flag=True, help="For programs.")
def send_again(
    name: str, numbers: tuple[int, ...], since: datetime | None, dry_run: bool, as_json: bool
) -> None:
    """Send endpoint NAME the notices NUMBERS again, or all that was given up.

    Each keeps its id, so that a receiver can drop what it has already.
    """
    with at_desk() as desk:
        if since is not None and since.tzinfo is None:
            since = since.replace(tzinfo=desk.now().tzinfo)
        plan = notices.plan_again(desk, name, numbers, since)
        sent = notices.send_again(desk, name, plan.ids) if plan.ids and not dry_run else 0
    if as_json:
        say_json({"endpoint": name, "numbers": plan.ids, "more": plan.more, "sent": sent})
        return
    many = counted(len(plan.ids), "notice")
    say(f"{many} would be sent" if dry_run else f"{many} to be sent again")
    if plan.more:
        say("more were given up: these are the newest; say it once more for the others")


def _endpoint_line(row: EndpointState) -> str:
    last = f"last taken {when(row.succeeded_at)}" if row.succeeded_at else "none taken yet"
    why = f"  {counted(row.failures, 'failure')} in a row: {row.why}" if row.why else ""
    numbers = f"{row.waiting} waiting, {row.given_up} given up"
    return f"{row.name}  {row.host}  {row.health}  {numbers}  {last}{why}"


def _sending_line(row: NoticeSending) -> str:
    tries = f"{counted(row.attempts, 'try', 'tries')}" if row.attempts else "not tried yet"
    status = f", answered {row.status}" if row.status and not row.outcome else ""
    why = f", {row.outcome}" if row.outcome else ""
    again = f", next {when(row.next_at)}" if row.next_at and row.attempts else ""
    return f"{row.id}  {when(row.at)}  {row.kind}  {row.state}  {tries}{status}{why}{again}"
