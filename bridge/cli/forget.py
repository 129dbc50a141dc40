"""`bridge forget EMAIL`: erases a person from the ledger and, when told so twice, from systems that can do it."""

from __future__ import annotations

import getpass
import hashlib

import click

from bridge import home as homes
from bridge import wiring
from bridge.cli.running_sandbox import follow_sandbox
from bridge.clock import SystemClock
from bridge.config import Config
from bridge.connectors import build, connector_class
from bridge.connectors.contract import Connector
from bridge.core.model.values import Ref
from bridge.errors import BridgeError
from bridge.http.client import Http
from bridge.ledger import audit, erasure
from bridge.ledger.database import Ledger

WRONG = "that is something else; nothing was erased"


@click.command()
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
def forget(email: str, connections: tuple[str, ...], yes_delete: bool) -> None:
    """Erase a person's values from the ledger: states, timelines, conflicts, writes and kept webhooks.

    Asks for the address again, and for the name of each connection under --from. The links stay, so
    nothing is made twice. Whatever the other systems still hold is read again when it changes
    there: delete it there as well.
    """
    home = homes.find_home()
    follow_sandbox(home)
    config = wiring.load_config(home)
    address = email.strip().casefold()
    if "@" not in address:
        raise click.UsageError("EMAIL is no e-mail address")
    _allowed(config, connections, yes_delete=yes_delete)
    ledger = Ledger(config.settings.database)
    ledger.check()
    try:
        with ledger.read() as tx:
            found = erasure.find(tx, address)
        _tell(found)
        if found.under_way:
            raise click.ClickException(
                f"{found.under_way} writes about this person are under way; ask again later"
            )
        if not found.links and not connections:
            click.echo("kept webhooks and timelines of others are looked through all the same")
        if (
            click.prompt("Type the address again to erase it", prompt_suffix=": ")
            .strip()
            .casefold()
            != address
        ):
            raise click.ClickException(WRONG)
        gone = {name: _delete(config, ledger, name, address, found) for name in connections}
        now = SystemClock().now()
        with ledger.transaction() as tx:
            counts = erasure.erase(tx, address, now)
            detail = {"erased": counts, "deleted": gone}
            audit.add(
                tx, actor=_actor(), action="forget", subject=_digest(address), at=now, detail=detail
            )
    finally:
        ledger.close()
    click.echo("erased: " + ", ".join(f"{count} {what}" for what, count in counts.items()))
    _warn(found, connections)


def _actor() -> str:
    return f"local:{getpass.getuser()}"


def _digest(address: str) -> str:
    """Name the person without saying who it is: whoever has the address can find the entry."""
    return "sha256:" + hashlib.sha256(address.encode()).hexdigest()


def _allowed(config: Config, names: tuple[str, ...], *, yes_delete: bool) -> None:
    for name in names:
        if name not in config.connections:
            raise click.UsageError(
                f"no connection {name}; allowed: {', '.join(config.connections)}"
            )
        system = config.connections[name].system
        if not connector_class(system).ERASES:
            raise click.UsageError(
                f"{name} ({system}) documents no erasure of a person; delete it there by hand"
            )
    if names and not yes_delete:
        raise click.UsageError(
            "--from deletes for good at the system itself; add --yes-delete if that is meant"
        )


def _tell(found: erasure.PersonalData) -> None:
    what = ", ".join(
        f"{count} of entity {entity}" for entity, count in sorted(found.entities.items())
    )
    click.echo(
        f"the ledger holds {len(found.links)} links of this person{': ' + what if what else ''}"
    )
    if found.elsewhere:
        told = ", ".join(each[:8] for each in found.elsewhere[:20])
        click.echo(
            f"{len(found.elsewhere)} links of others mention the address in a text and are left alone: {told}"
        )


def _delete(
    config: Config, ledger: Ledger, name: str, address: str, found: erasure.PersonalData
) -> int:
    """Delete the person's records at one system, after its name was typed; gives how many there were."""
    connection = config.connections[name]
    http = Http(connection, clock=SystemClock())
    connector = build(connection, http)
    try:
        refs = _records(config, connector, address, found)
        click.echo(f"{name} has {len(refs)} records that are this person's and nobody else's")
        if not refs:
            return 0
        asked = f"Type {name} to delete {'it' if len(refs) == 1 else 'them'} there for good"
        if click.prompt(asked, prompt_suffix=": ").strip() != name:
            raise click.ClickException(WRONG)
        now = SystemClock().now()
        with (
            ledger.transaction() as tx
        ):  # before it is done: what was begun must not be missing from the audit
            detail = {"person": _digest(address), "records": len(refs)}
            audit.add(
                tx, actor=_actor(), action="forget: delete", subject=name, at=now, detail=detail
            )
        for number, ref in enumerate(refs):
            try:
                connector.delete(ref)
            except BridgeError as error:
                said = f"{error}\n{number} of {len(refs)} were deleted at {name}; nothing was erased from the ledger"
                raise click.ClickException(
                    f"{said}. Ask again: what is gone counts as done"
                ) from error
        return len(refs)
    finally:
        http.close()


def _records(
    config: Config, connector: Connector, address: str, found: erasure.PersonalData
) -> list[Ref]:
    """Find the records that show this address now: those that the system finds, and those that the ledger knows."""
    name = connector.connection.name
    refs: dict[Ref, None] = {}
    for entity in sorted(connector.ERASES):
        refs |= dict.fromkeys(record.ref for record in connector.find_person(entity, address))
        mapped = config.maps.get(name, {}).get(entity)
        for ref in found.refs:
            if mapped is None or ref in refs or (ref.connection, ref.entity) != (name, entity):
                continue
            record = connector.read(entity, [ref.id])[ref.id]
            shown = mapped.canonical(record.data).get("email") if record is not None else None
            if shown == address:
                refs[ref] = None
            elif record is not None:
                click.echo(f"{ref} shows another address by now and is left alone")
    return list(refs)


def _warn(found: erasure.PersonalData, connections: tuple[str, ...]) -> None:
    left = [str(ref) for ref in found.refs if ref.connection not in connections]
    if left:
        click.echo(f"still at the systems themselves: {', '.join(left)}")
        click.echo(
            "what they show is read again at the latest by the next full reconciliation: delete it there, too"
        )
    click.echo("backups of the ledger keep what they hold until you throw them away")
