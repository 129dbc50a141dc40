"""`bridge db`: the revision of the ledger, and its upgrade."""

from __future__ import annotations

from dataclasses import asdict

import click

from bridge.cli.running_sandbox import follow_sandbox
from bridge.cli.screen import say, say_json
from bridge.home import find_home
from bridge.operations import ledger_schema


@click.group("db")
def group() -> None:
    """Look after the ledger."""


@group.command()
def upgrade() -> None:
    """Bring the ledger's tables to this version. Safe to run again, also from several machines."""
    upgraded = ledger_schema.upgrade(find_home())
    say(f"{upgraded.ledger}: at revision {upgraded.revision}")


@group.command()
@click.option("--json", "as_json", is_flag=True, help="For programs.")
def status(as_json: bool) -> None:
    """Say at which revision the ledger is; 1 when it is not this version's."""
    home = find_home()
    follow_sandbox(home)
    ledger = ledger_schema.revision(home)
    if as_json:
        say_json(asdict(ledger))
    else:
        has = f"at {ledger.revision}" if ledger.revision else "no tables yet"
        say(f"{ledger.ledger}: {has}, needs {ledger.needed}")
    if ledger.revision != ledger.needed:
        say("run `bridge db upgrade`", err=True)
        raise SystemExit(1)
