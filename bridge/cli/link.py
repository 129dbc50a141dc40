"""`bridge link`: take a record out of its ticket, put it back or elsewhere; pause a ticket."""

from __future__ import annotations

import click

from bridge.cli.operator import at_desk, named
from bridge.cli.screen import say
from bridge.operations import link
from bridge.operations.link import LinkPreview

YES = click.option("--yes", is_flag=True, help="Do not ask.")


@click.group("link")
def group() -> None:
    """Change by hand which records are one ticket.

    REF is `connection:remote-id`, or our own id of a ticket.
    """


@group.command()
@click.argument("ref", metavar="CONNECTION:REMOTE-ID")
@YES
def detach(ref: str, yes: bool) -> None:
    """Take a record out of its ticket.

    It is left as it is, remembered, and not matched again until `relink`.
    """
    with at_desk() as desk:
        named(desk, ref)
        _confirm(link.preview_detach(desk, ref), yes=yes)
        link.detach(desk, ref)
    say(f"detached; `bridge link relink {ref}` puts it back")


@group.command()
@click.argument("ref", metavar="CONNECTION:REMOTE-ID")
@click.option(
    "--to", "to", metavar="REF", help="The ticket to put it into. [default: where it was]"
)
@YES
def relink(ref: str, to: str | None, yes: bool) -> None:
    """Put a detached record back, or a record into another ticket, as if it were seen there first.

    A record that is in no ticket yet can be joined to one (`--to`) if it was set aside as an
    ambiguous match.
    """
    with at_desk() as desk:
        goal = named(desk, to) if to is not None else None
        _confirm(link.preview_relink(desk, ref, goal), yes=yes)
        target = link.relink(desk, ref, goal)
    say(f"linked to {target}; it is read next")


@group.command()
@click.argument("ref")
@YES
def pause(ref: str, yes: bool) -> None:
    """Stop a ticket: its records are still read, and nothing is written to them."""
    with at_desk() as desk:
        named(desk, ref)
        _confirm(link.preview_pause(desk, ref), yes=yes)
        link.pause(desk, ref)
    say("paused")


@group.command()
@click.argument("ref")
@YES
def resume(ref: str, yes: bool) -> None:
    """Let a paused ticket go on, also one that was paused by `bridge undo`."""
    with at_desk() as desk:
        named(desk, ref)
        _confirm(link.preview_resume(desk, ref), yes=yes)
        link.resume(desk, ref)
    say("resumed; its records are read next")


def _confirm(preview: LinkPreview, *, yes: bool) -> None:
    """Show what would happen, and ask whether it should, unless told not to."""
    paused = "  paused" if preview.paused else ""
    records = ", ".join(map(str, preview.records))
    say(f"{preview.link_id}  {preview.sync}{paused}: {records}")
    for consequence in preview.consequences:
        say(f"  - {consequence}")
    if not yes:
        click.confirm("Go on?", abort=True)
