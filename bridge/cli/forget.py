"""`bridge forget EMAIL`: erases a person from the ledger and, where asked to, from systems."""

from __future__ import annotations

from collections.abc import Collection

import click

from bridge.cli.operator import at_desk
from bridge.cli.screen import say
from bridge.core.model.counting import counted
from bridge.errors import NotPossible
from bridge.observability.visible_text import visible
from bridge.operations import forget
from bridge.operations.desk import Desk
from bridge.operations.forget import PersonalData

ID_START = 8
"""Characters of a ticket's id that are shown."""
MAX_SHOWN = 20


@click.command("forget")
@click.argument("email")
@click.option(
    "--from",
    "connections",
    multiple=True,
    metavar="CONNECTION",
    help="Also delete the person there.",
)
@click.option(
    "--yes-delete",
    is_flag=True,
    help="What --from needs besides: what is deleted there is gone for good.",
)
def command(email: str, connections: tuple[str, ...], yes_delete: bool) -> None:
    """Erase a person's values from the ledger: state, history, conflicts, writes and webhooks.

    Asks for the address again, and for the name of each connection under --from. The links stay, so
    nothing is made twice. Whatever the other systems still hold is read again when it changes
    there: delete it there as well.
    """
    with at_desk() as desk:
        address = _checked(desk, email, connections, yes_delete=yes_delete)
        known = forget.look(desk, address)
        _print_known(known)
        forget.check_at_rest(known)
        if not known.links and not connections:
            say("kept webhooks and timelines of others are looked through all the same")
        _confirm(_typed("Type the address again to erase it").casefold() == address)
        deleted = {name: _delete(desk, name, address, known) for name in connections}
        counts = forget.erase(desk, address, deleted)
    say("erased: " + ", ".join(f"{count} {kind}" for kind, count in counts.items()))
    _warn(known, connections)


def _checked(desk: Desk, email: str, connections: Collection[str], *, yes_delete: bool) -> str:
    try:
        address = forget.address_of(email)
        forget.check_connections(desk, connections)
    except NotPossible as error:
        raise click.UsageError(visible(str(error))) from error
    if connections and not yes_delete:
        raise click.UsageError(
            "--from deletes for good at the system itself; add --yes-delete if that is meant"
        )
    return address


def _typed(question: str) -> str:
    return str(click.prompt(question, prompt_suffix=": ")).strip()


def _confirm(as_asked: bool) -> None:
    if not as_asked:
        raise click.ClickException("that is something else; nothing was erased")


def _print_known(known: PersonalData) -> None:
    by_entity = ", ".join(
        f"{count} of entity {entity}" for entity, count in sorted(known.entities.items())
    )
    say(
        f"the ledger holds {counted(len(known.links), 'link')} of this person"
        f"{': ' + by_entity if by_entity else ''}"
    )
    if known.elsewhere:
        ids = ", ".join(link_id[:ID_START] for link_id in known.elsewhere[:MAX_SHOWN])
        say(
            f"{counted(len(known.elsewhere), 'link')} of others with the address in a text, "
            f"left alone: {ids}"
        )


def _delete(desk: Desk, name: str, address: str, known: PersonalData) -> int:
    """Delete the person's records at one system, after its name was typed; return how many."""
    there = forget.records_there(desk, name, address, known)
    for ref in there.others:
        say(f"{ref} shows another address by now and is left alone")
    say(f"{name} has {counted(len(there.refs), 'record')} of this person's and nobody else's")
    if not there.refs:
        return 0
    what = "it" if len(there.refs) == 1 else "them"
    _confirm(_typed(f"Type {name} to delete {what} there for good") == name)
    return forget.delete_there(desk, there, address)


def _warn(known: PersonalData, connections: Collection[str]) -> None:
    left = [str(ref) for ref in known.refs if ref.connection not in connections]
    if left:
        say(f"still at the systems themselves: {', '.join(left)}")
        say(
            "what they show is read again at the latest by the next full reconciliation: "
            "delete it there, too"
        )
    say("backups of the ledger keep what they hold until you throw them away")
