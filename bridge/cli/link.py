"""`bridge link`: take a record out of its ticket, put it back or elsewhere, stop a ticket, let it go on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import click

from bridge import home as homes
from bridge import wiring
from bridge.cli.operator import actor, the_one, write_down
from bridge.cli.running_sandbox import follow_sandbox
from bridge.core.model.state import Link
from bridge.core.model.values import Ref
from bridge.ledger import links
from bridge.ledger.database import Tx
from bridge.operations import link as surgery
from bridge.wiring import Engine

YES = click.option("--yes", is_flag=True, help="Do not ask.")


@click.group("link")
def link() -> None:
    """Change by hand which records are one ticket. REF is `connection:remote-id`, or our own id of a ticket."""


@link.command()
@click.argument("ref", metavar="CONNECTION:REMOTE-ID")
@YES
def detach(ref: str, yes: bool) -> None:
    """Take a record out of its ticket. It is left as it is, remembered, and not matched again until `relink`."""
    with _engine() as engine:
        held, connection = _look(engine, ref, side=True)
        _preview(
            held,
            [
                f"{ref} leaves this ticket: nothing goes to it or comes from it, and no other is made for it"
            ],
        )
        _ask(yes)
        who = actor()
        _do(
            engine,
            "link detach",
            ref,
            lambda tx: surgery.detach(tx, engine.context, held.id, connection, who),
        )
        click.echo(f"detached; `bridge link relink {ref}` puts it back")


@link.command()
@click.argument("ref", metavar="CONNECTION:REMOTE-ID")
@click.option(
    "--to", "to", metavar="REF", help="The ticket to put it into. [default: where it was]"
)
@YES
def relink(ref: str, to: str | None, yes: bool) -> None:
    """Put a detached record back, or a record into another ticket; it is met there as if for the first time.

    A record that is in no ticket yet can be joined to one (`--to`) if it was set aside as an
    ambiguous match.
    """
    with _engine() as engine:
        connection, _, remote_id = ref.partition(":")
        if to is not None and _in_no_ticket(engine, ref):
            held, target = None, _look(engine, to)[0]
        else:
            held = _look(engine, ref, side=True)[0]
            target = _look(engine, to)[0] if to is not None else held
        told = [f"{ref} is read and merged: where the two differ, the sync's `on_link` decides"]
        if held is not None and target.id != held.id:
            told.append(f"the ticket it leaves ({held.id}) may get a new record on {connection}")
        _preview(target, told)
        _ask(yes)
        who, goal = actor(), target.id

        def act(tx: Tx) -> Link:
            if held is None:
                return surgery.join(
                    tx, engine.context, Ref(connection, target.entity, remote_id), goal, who
                )
            return surgery.relink(tx, engine.context, held.id, connection, who, to=goal)

        _do(engine, "link relink", ref, act)
        click.echo(f"linked to {target.id}; it is read next")


@link.command()
@click.argument("ref")
@YES
def pause(ref: str, yes: bool) -> None:
    """Stop a ticket: its records are still read, and nothing is written to them."""
    with _engine() as engine:
        held, _connection = _look(engine, ref)
        _preview(held, ["nothing is written to its records until `bridge link resume`"])
        _ask(yes)
        who = actor()
        _do(engine, "link pause", ref, lambda tx: surgery.pause(tx, engine.context, held.id, who))
        click.echo("paused")


@link.command()
@click.argument("ref")
@YES
def resume(ref: str, yes: bool) -> None:
    """Let a paused ticket go on, also one that was paused by `bridge undo`."""
    with _engine() as engine:
        held, _connection = _look(engine, ref)
        told = surgery.would_write(engine.context, held) or [
            "as far as is known, nothing needs to be written"
        ]
        _preview(held, ["its records are read again", *told])
        _ask(yes)
        who = actor()
        _do(engine, "link resume", ref, lambda tx: surgery.resume(tx, engine.context, held.id, who))
        click.echo("resumed; its records are read next")


@dataclass(slots=True)
class _engine:  # noqa: N801 - reads as a word where it is used
    """The bridge of this home, closed at the end."""

    built: Engine | None = None

    def __enter__(self) -> Engine:
        home = homes.find_home()
        follow_sandbox(home)
        self.built = wiring.engine(home)
        return self.built

    def __exit__(self, *_raised: object) -> None:
        if self.built is not None:
            self.built.close()


def _look(engine: Engine, ref: str, *, side: bool = False) -> tuple[Link, str]:
    connection, _, remote_id = ref.partition(":")
    with engine.ledger.read() as tx:
        found = the_one(tx, ref)
        held = links.load(tx, [found])[found]
    if side and (connection not in held.sides or held.sides[connection].remote_id != remote_id):
        raise click.UsageError(
            f"name the record as connection:remote-id; this ticket has {_sides(held)}"
        )
    return held, connection


def _in_no_ticket(engine: Engine, ref: str) -> bool:
    with engine.ledger.read() as tx:
        return not links.find(tx, ref)


def _sides(held: Link) -> str:
    return ", ".join(
        f"{name}:{side.remote_id}{' (detached)' if side.detached else ' (deleted)' if side.tombstone else ''}"
        for name, side in held.sides.items()
    )


def _preview(held: Link, told: list[str]) -> None:
    click.echo(f"{held.id}  {held.sync}{'  paused' if held.paused else ''}: {_sides(held)}")
    for line in told:
        click.echo(f"  - {line}")


def _ask(yes: bool) -> None:
    if not yes:
        click.confirm("Go on?", abort=True)


def _do(engine: Engine, action: str, ref: str, act: Callable[[Tx], Link]) -> None:
    now = engine.clock.now()
    with engine.ledger.transaction() as tx:
        changed = act(tx)
        write_down(tx, action, ref, now, {"ticket": changed.id})
    engine.announce()
