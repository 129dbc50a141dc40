"""What an operator's commands share: the ledger of this home, to read or to change, with each change in the audit."""

from __future__ import annotations

import getpass
import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, is_dataclass
from datetime import datetime
from typing import Any

import click

from bridge import home as homes
from bridge import wiring
from bridge.cli.running_sandbox import follow_sandbox
from bridge.clock import SystemClock
from bridge.config import Config
from bridge.ledger import audit, links
from bridge.ledger.database import Ledger, Tx

SHORTEST = 4
"""Characters of a remote id that name its ticket, if no other begins so; fewer are enough with a `…` after them."""


@contextmanager
def looking() -> Iterator[tuple[Tx, Config, datetime]]:
    """Open the ledger to read."""
    home = homes.find_home()
    follow_sandbox(home)
    config = wiring.load_config(home)
    ledger = Ledger(config.settings.database)
    ledger.check()
    try:
        with ledger.read() as tx:
            yield tx, config, SystemClock().now()
    finally:
        ledger.close()


@contextmanager
def changing(
    action: str, subject: str, detail: Mapping[str, Any] | None = None
) -> Iterator[tuple[Tx, datetime]]:
    """Open the ledger for one audited action."""
    home = homes.find_home()
    follow_sandbox(home)
    ledger = Ledger(wiring.load_config(home).settings.database)
    ledger.check()
    now = SystemClock().now()
    try:
        with ledger.transaction() as tx:
            yield tx, now
            write_down(tx, action, subject, now, detail)
    finally:
        ledger.close()


def write_down(
    tx: Tx, action: str, subject: str, now: datetime, detail: Mapping[str, Any] | None = None
) -> None:
    """Put an action of whoever sits at this machine into the audit."""
    audit.add(tx, actor=actor(), action=action, subject=subject, at=now, detail=detail)


def actor() -> str:
    """Name who sits at this machine."""
    try:
        return f"local:{getpass.getuser()}"
    except (KeyError, OSError):  # a container's user may have a number and no name
        return "local:unknown"


def show(rows: Iterable[Any]) -> None:
    """Print each row as one line of JSON, for programs."""
    for row in rows:
        given = asdict(row) if is_dataclass(row) and not isinstance(row, type) else row
        click.echo(json.dumps(given, default=plain, ensure_ascii=False))


def plain(value: Any) -> Any:
    """Give a value that JSON does not know as text."""
    return value.isoformat() if isinstance(value, datetime) else str(value)


def the_one(tx: Tx, ref: str) -> str:
    """Give the id of the one ticket that REF names, be it by the beginning of a remote id.

    Raises UsageError, naming what it could be.
    """
    ids = links.find(tx, ref)
    if len(ids) > 1:
        raise click.UsageError(f"several tickets are called {ref}: {', '.join(ids)}")
    if ids:
        return ids[0]
    begins = ref.removesuffix("…").removesuffix("...")
    enough = begins != ref or len(begins.rpartition(":")[2]) >= SHORTEST
    if begins != ref and len(ids := links.find(tx, begins)) == 1:
        return ids[0]
    found = links.beginning(tx, begins) if enough else []
    if not found:
        near = ", ".join(closest(tx, begins))
        raise click.UsageError(
            f"no ticket is called {ref}" + (f"; close to it: {near}" if near else "")
        )
    records = ", ".join(f"{connection}:{remote_id}" for _link, connection, remote_id in found)
    if len({link_id for link_id, _connection, _remote_id in found}) > 1:
        raise click.UsageError(f"several tickets begin with {begins}: {records}")
    click.echo(f"({records})", err=True)
    return found[0][0]


def closest(tx: Tx, ref: str) -> list[str]:
    """Give a few records whose id shares most with what was asked for, on whatever connection; at least half of it."""
    remote_id = ref.rpartition(":")[2]
    for length in range(len(remote_id), max(2, len(remote_id) // 2) - 1, -1):
        if found := links.beginning(tx, remote_id[:length], limit=3):
            return [f"{connection}:{each}" for _link, connection, each in found]
    return []


def known(name: str) -> None:
    """Raise UsageError unless there is a connection of that name."""
    home = homes.find_home()
    follow_sandbox(home)
    names = wiring.load_config(home).connections
    if name not in names:
        raise click.UsageError(f"no connection {name}; allowed: {', '.join(names)}")
