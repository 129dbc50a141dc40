"""`bridge check`: every problem of the files at once, before anything runs."""

from __future__ import annotations

import click

from bridge.cli.actor import actor
from bridge.cli.running_sandbox import accounts_of, follow_sandbox
from bridge.cli.screen import say, say_json
from bridge.config import Config
from bridge.config.substitution import is_lacking
from bridge.core.model.counting import counted
from bridge.home import find_home
from bridge.operations import check
from bridge.operations.check import Check


@click.command("check")
@click.option(
    "--live", is_flag=True, help="Also call every connection and provider, and see what they say."
)
@click.option(
    "--sandbox", is_flag=True, help="As if every connection led to its sandbox; needs no keys."
)
@click.option(
    "--accept", is_flag=True, help="What changed is meant so: the next start does not ask again."
)
@click.option("--json", "as_json", is_flag=True, help="For programs.")
def command(live: bool, sandbox: bool, accept: bool, as_json: bool) -> None:
    """Check the configuration and the mappings, and run the mappings' own examples.

    Also say what changed files mean for the tickets that the bridge knows. 1 when there are
    problems, or a start would be refused.
    """
    home = find_home()
    if live and not sandbox:
        follow_sandbox(home)
    accounts = accounts_of(home, sandbox=sandbox)
    if not as_json:
        say(f"home: {home}")
    result = check.check(home, accounts)
    if live or accept:
        from bridge.operations import live_check  # noqa: PLC0415 - loads all that calls and works
    if live:
        result = live_check.called(result, own_credentials=accounts is None)
    if as_json:
        say_json(result.as_json())
    else:
        if result.config is not None:
            _print_connections(result.config, result, live=live)
        _complain(result)
        _print_changes(result, accepted=accept and not result.problems)
    if result.problems or (result.doubtful and not accept):
        raise SystemExit(1)
    if accept:
        live_check.accept(home, actor())


def _print_connections(config: Config, result: Check, *, live: bool) -> None:
    """Say what is in order, and which connection did not answer well."""
    for name, connection in config.connections.items():
        mapped = ", ".join(
            f"{entity} ({counted(len(mapping.fields), 'field')})"
            for entity, mapping in config.maps.get(name, {}).items()
        )
        mark = "no" if live and name not in result.live else "ok"
        say(f"{mark}  {name:<12} {connection.system:<10} {mapped}")
        if name in result.live:
            say(f"    ping: {result.live[name].ping}")
            say(f"    seen: {result.live[name].seen()}")
    if result.sign_in:
        say(f"ok  sign-in: {result.sign_in}")
    for sync in config.syncs.values():
        say(f"ok  {sync.name}: {', '.join(sync.members)}")
    notes = counted(len(result.proof.notes), "note")
    say(f"ok  proof: {notes} on limits, `bridge mappings check` lists them")


def _print_changes(result: Check, *, accepted: bool) -> None:
    """Say what the files change for the tickets that the bridge knows."""
    for change in result.changes:
        say(f"{'doubtful' if change.doubtful else 'change'}: {change.text}", err=True)
    if result.outdated and not result.changes:
        say("change: in none of connections, syncs, mappings; a restart brings it in", err=True)
    for name, count in result.retired.items():
        if any(f"`{name}`" in change.text for change in result.changes):
            continue  # what its absence means was just said
        say(
            f"retired: `{name}` is not in the files; "
            f"its {counted(count, 'record is', 'records are')} kept and left alone. "
            "Put it back to go on, or say under which name it goes on: `bridge connection rename`",
            err=True,
        )
    if accepted:
        say("accepted; restart the bridge, so that all of it works by these files", err=True)
    elif result.doubtful:
        say("a start is refused until it says --accept, or `bridge check` does", err=True)


def _complain(result: Check) -> None:
    """Write to standard error what is doubtful and what is wrong."""
    for warning in result.warnings:
        say(f"warning: {warning}", err=True)
    for problem in result.problems:
        say(problem, err=True)
    if result.problems:
        say(counted(len(result.problems), "problem"), err=True)
    if any(map(is_lacking, result.problems)):
        say("note: `bridge check --sandbox` needs no keys, like `bridge up --sandbox`", err=True)
