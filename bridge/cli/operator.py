"""What an operator's commands share: the desk of this home, and the printing of values for programs."""

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
from bridge.errors import UnknownName
from bridge.ledger import audit
from bridge.ledger.database import Ledger, Tx
from bridge.operations import desk, find
from bridge.operations.desk import Desk


@contextmanager
def at_desk(*, check_ledger: bool = True) -> Iterator[Desk]:
    """Open the bridge of this home for one command. A name that nothing has is wrong usage."""
    home = homes.find_home()
    follow_sandbox(home)
    try:
        with desk.opened(home, actor(), check_ledger=check_ledger) as here:
            yield here
    except UnknownName as error:
        raise click.UsageError(str(error)) from error


def named(here: Desk, ref: str) -> str:
    """Return the id of the one ticket that REF names; when REF was cut short, say which record that is."""
    match = find.named(here, ref)
    if match.records:
        click.echo(f"({match.records})", err=True)
    return match.link_id


def actor() -> str:
    """Return the name of whoever sits at this machine, for the audit."""
    try:
        return f"local:{getpass.getuser()}"
    except (KeyError, OSError):  # a container's user may have a number and no name
        return "local:unknown"


def show(rows: Iterable[Any]) -> None:
    """Print each row as one line of JSON, for programs."""
    for row in rows:
        values = asdict(row) if is_dataclass(row) and not isinstance(row, type) else row
        click.echo(json.dumps(values, default=plain, ensure_ascii=False))


def plain(value: Any) -> str:
    """Return a value that JSON has no form for as text."""
    return value.isoformat() if isinstance(value, datetime) else str(value)


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


def known(name: str) -> None:
    """Raise UsageError unless there is a connection of that name."""
    home = homes.find_home()
    follow_sandbox(home)
    names = wiring.load_config(home).connections
    if name not in names:
        raise click.UsageError(f"no connection {name}; allowed: {', '.join(names)}")


def the_one(tx: Tx, ref: str) -> str:
    """Return the id of the one ticket that REF names. Raises UsageError, saying what it could be."""
    try:
        match = find.the_one(tx, ref)
    except UnknownName as error:
        raise click.UsageError(str(error)) from error
    if match.records:
        click.echo(f"({match.records})", err=True)
    return match.link_id
