"""`bridge doctor`: what is wrong, since when, and what to do about it, in words."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

import click

from bridge import home as homes
from bridge import wiring
from bridge.cli.operator import show
from bridge.cli.running_sandbox import follow_sandbox
from bridge.clock import SystemClock
from bridge.config import Config
from bridge.engine.outcomes import remedy
from bridge.errors import BridgeError
from bridge.ledger import summary as figures
from bridge.ledger.database import Ledger
from bridge.ledger.summary import Status
from bridge.operations.times import when
from bridge.queue import Doorbell, socket_for, url_for
from bridge.runs.schedule import NextRun, next_runs

LATE = timedelta(minutes=2)
"""Due work that nobody has begun for so long, though its connection may be called, means that no worker works."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong."""

    what: str
    since: datetime | None
    do: str


@click.command()
@click.option("--json", "as_json", is_flag=True, help="For programs.")
def doctor(as_json: bool) -> None:
    """Say what is wrong, since when, and what to do; 1 when something is."""
    home = homes.find_home()
    follow_sandbox(home)
    config = wiring.load_config(home)
    findings = list(examine(config, Ledger(config.settings.database)))
    findings += redis(config)
    if as_json:
        show(findings)
    for finding in [] if as_json else findings:
        since = f" (since {when(finding.since)})" if finding.since else ""
        click.echo(f"{finding.what}{since}\n   -> {finding.do}")
    if findings:
        raise SystemExit(1)
    if not as_json:
        click.echo("nothing is wrong")


def examine(config: Config, ledger: Ledger) -> Iterator[Finding]:
    """Look into the ledger."""
    now = SystemClock().now()
    try:
        ledger.check()
        with ledger.read() as tx:
            found = figures.summary(tx, now)
            schedule = next_runs(tx, config, now)
    except BridgeError as error:
        yield Finding("the ledger cannot be used", None, str(error))
        return
    finally:
        ledger.close()
    yield from connections(config, found, now)
    yield from work(found, now)
    yield from overdue(schedule, now)
    if not found.account.balanced:
        yield Finding(
            f"the account of webhooks does not add up: {found.account}",
            None,
            "rows were lost or put in by hand: compare with a backup, then `bridge reconcile --full`",
        )
    if found.conflicts_open:
        what = f"{found.conflicts_open} fields are in conflict and wait for a human"
        yield Finding(
            what, None, "`bridge conflicts list`, then `bridge conflicts resolve REF FIELD VALUE`"
        )


def connections(config: Config, found: Status, now: datetime) -> Iterator[Finding]:
    """Look at each connection's health."""
    for name in config.connections:
        health = found.health.get(name)
        if health is None or health.state(now) == "ok":
            continue
        if health.state(now) == "stopped" or health.held_at is not None:
            do = f"`bridge check --live` shows whether its key works; `bridge connection resume {name}` goes on"
        else:
            do = "nothing: it is tried again by itself, and its work waits. If it lasts, ask the vendor"
        yield Finding(f"{name} is {health.words(now)}", health.since, do)


def work(found: Status, now: datetime) -> Iterator[Finding]:
    """Look at what is set aside, and at what nobody does."""
    for group in found.parked:
        names = ", ".join(row.subject for row in group.samples[:3])
        yield Finding(
            f"{group.count} pieces of work for {group.connection} are parked, {group.cause}: "
            f"{group.samples[0].why} ({names})",
            group.oldest,
            f"{remedy(group.cause)}: `bridge parked retry {group.samples[0].id}`, or --cause {group.cause!r} for all",
        )
    idle = {
        name: since
        for name, since in found.waiting.items()
        if since + LATE < now
        and (name not in found.health or found.health[name].state(now) in {"ok", "failing"})
    }
    if idle and not found.backlog["claimed"]:
        yield Finding(
            f"work for {', '.join(sorted(idle))} is due and nobody does it",
            min(idle.values()),
            "is a worker running? Start `bridge worker` and `bridge clock`, or `bridge up`",
        )
    for run in found.runs:
        newest = next(
            each
            for each in found.runs
            if (each.kind, each.connection) == (run.kind, run.connection)
        )
        if run is newest and run.error:
            yield Finding(
                f"the last {run.kind} of {run.connection} failed: {run.error}",
                run.finished_at,
                "look there",
            )


def overdue(schedule: list[NextRun], now: datetime) -> Iterator[Finding]:
    """See whether scheduled runs begin when it is time, which is what a clock is for."""
    begun = [each.last.started_at for each in schedule if each.last]
    latest = now - LATE if begun else now  # what never ran is due at any time that one asks for
    late = [each for each in schedule if each.due and not each.waits and each.due <= latest]
    if not late:
        return
    runs = ", ".join(sorted({f"{each.kind} of {each.connection}" for each in late}))
    yield Finding(
        f"no run has begun{'' if begun else ' yet'}, though it was time for some: {runs}",
        max(begun, default=None),
        "is `bridge clock` running? Start it, or `bridge up`",
    )


def redis(config: Config) -> Iterator[Finding]:
    """See whether Redis answers; without it work is done late, none is lost."""
    home = homes.find_home()
    if config.settings.redis == "embedded" and not url_for(home):
        yield Finding(
            "no embedded Valkey runs for this home",
            None,
            "start `bridge up`, or set BRIDGE_REDIS_URL",
        )
        return
    bell = Doorbell(
        socket_for(home) if config.settings.redis == "embedded" else config.settings.redis
    )
    if not bell.ping():
        yield Finding(
            "Redis does not answer",
            None,
            "start it; webhooks are taken meanwhile, and their work waits",
        )
