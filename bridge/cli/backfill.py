"""`bridge backfill SYNC`: the first import."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from typing import Any

import click
from rich.console import Console
from rich.live import Live
from rich.text import Text

from bridge import home as homes
from bridge import wiring
from bridge.cli.operator import actor
from bridge.cli.process import begin, lend_redis
from bridge.cli.running_sandbox import follow_sandbox
from bridge.core.model.lanes import SHARES
from bridge.core.model.syncs import Connection
from bridge.flow.create import CREATION_BUDGET
from bridge.ledger import audit, run_records, run_writes
from bridge.ledger.database import Tx
from bridge.ledger.run_records import RunRow
from bridge.operations import availability
from bridge.runs import backfill as importing
from bridge.runs import forecast

AMBIGUOUS = "ambiguous match"
EVERY = 5.0
"""Seconds between lines where nobody watches, besides one for each page."""


@click.command()
@click.argument("sync")
@click.option(
    "--since",
    type=click.DateTime(["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S"]),
    help="Leave out what is older (UTC).",
)
@click.option(
    "--newest-first/--oldest-first",
    default=False,
    help="What is taken up first of all that was listed.",
)
@click.option(
    "--limit",
    "--max-creates",
    "limit",
    type=click.IntRange(0),
    help="Make at most so many records this time.",
)
@click.option("--json", "as_json", is_flag=True, help="For programs: one object at the end.")
def backfill(
    sync: str, since: datetime | None, newest_first: bool, limit: int | None, as_json: bool
) -> None:
    """Import everything that SYNC mirrors: match first, then link, then make what is missing.

    It goes in the lowest lane, and may be stopped and started again at any time: nothing is made
    twice.
    """
    follow_sandbox(homes.find_home())
    lend_redis(wiring.load_config(homes.find_home()).settings.redis)
    engine = begin("backfill")
    engine.take_over()  # an import that was killed may have held what this one goes on with
    if sync not in engine.config.syncs:
        raise click.UsageError(f"no sync {sync}; allowed: {', '.join(engine.config.syncs)}")
    with engine.ledger.read() as tx:
        costs = forecast.forecast(tx, engine.context, engine.config.syncs[sync])
    if not as_json:
        foretell(costs)
    ids = start(
        engine,
        sync,
        since.replace(tzinfo=UTC) if since else None,
        newest_first=newest_first,
        limit=limit,
    )
    progress = follow(engine, ids, quiet=as_json)
    with engine.ledger.read() as tx:
        review = run_writes.review(tx, ids, [AMBIGUOUS])
        left, made = run_writes.left(tx, ids), sum(len(run_writes.made(tx, each)) for each in ids)
    engine.close()
    wrong = [f"{run.connection}: {run.error}" for run in progress.runs if run.error]
    if as_json:
        told = {
            "forecast": [asdict(cost) for cost in costs],
            "runs": ids,
            "listed": progress.listed,
            "created": made,
            "waiting": left.waiting,
            "parked": left.parked,
            "stopped": progress.shut,
        }
        click.echo(json.dumps(told | {"review": review, "errors": wrong}))
    else:
        click.echo(
            f"runs {', '.join(map(str, ids))}: {progress.listed} records listed, {made} made"
        )
        report(left, review, wrong)
        if progress.halted:
            click.echo(
                f"the rest ({progress.undone}) waits for {', '.join(progress.halted)}: after "
                f"{availability.resume(progress.halted)} the workers go on with it by themselves, or start it again",
                err=True,
            )
    if left.waiting or wrong or progress.halted:
        raise SystemExit(1)


def foretell(costs: list[forecast.ImportCost]) -> None:
    """Say what it will cost, as far as the ledger can tell."""
    for cost in costs:
        seen = (
            "never listed, so not all is counted"
            if cost.records is None
            else f"{cost.records} records last time"
        )
        time_ = f", about {cost.seconds:.0f} s at its declared rate" if cost.seconds else ""
        click.echo(
            f"{cost.connection}: {seen}; about {cost.calls} calls, at most {cost.creates} creates{time_}",
            err=True,
        )
    if any(cost.records is None for cost in costs):
        click.echo(
            "`bridge plan --live` lists the systems and counts everything before anything is written",
            err=True,
        )


def report(left: run_writes.LeftToDo, review: list[dict[str, Any]], wrong: list[str]) -> None:
    """Say what is left to a human, and what to do about it."""
    for line in wrong:
        click.echo(line, err=True)
    if spent := left.parked.get(CREATION_BUDGET):
        click.echo(
            f"{spent} records were not made: this was all that it may make; start it again to go on"
        )
    if review:
        click.echo(
            f"{len(review)} match more than one ticket; join each with `bridge link relink REF --to TICKET`:"
        )
        for row in review:
            click.echo(f"  {row['parked_why']}")
    others = {
        cause: n for cause, n in left.parked.items() if cause not in {CREATION_BUDGET, AMBIGUOUS}
    }
    if others:
        click.echo(
            f"set aside: {', '.join(f'{n} {cause}' for cause, n in others.items())}; see `bridge parked list`"
        )


def start(
    engine: wiring.Engine,
    sync: str,
    since: datetime | None,
    *,
    newest_first: bool,
    limit: int | None,
) -> list[int]:
    """Begin a run for every member, or go on with the one that was interrupted."""
    now, entity, ids = engine.clock.now(), engine.config.syncs[sync].entity, []
    with engine.ledger.transaction() as tx:
        for name in engine.config.syncs[sync].members:
            run_id = importing.start(
                tx, name, entity, now, since=since, newest_first=newest_first, max_creates=limit
            )
            if run_id is None:
                under_way = run_records.last(
                    tx, kind=importing.KIND, connection=name, entity=entity
                )
                run_id = under_way.id if under_way else None
            if run_id is not None:
                ids.append(int(run_id))
        audit.add(tx, actor=actor(), action="backfill", subject=sync, at=now, detail={"runs": ids})
    engine.doorbell.ring()
    return ids


@dataclass(slots=True)
class Progress:
    """How far an import is."""

    runs: list[RunRow] = field(default_factory=list)
    waiting: int = 0
    made: int = 0
    calls: int = 0
    shut: dict[str, str] = field(default_factory=dict)
    """Members that are stopped or paused just now: what there is to say of each."""
    halted: list[str] = field(default_factory=list)
    """Connections for which all that is left waits, and that nobody but an operator sets going again."""
    undone: str = ""
    """What waits for them."""
    began: float = field(default_factory=time.monotonic)

    @property
    def listed(self) -> int:
        """Records on the pages so far."""
        return sum(run.seen for run in self.runs)

    @property
    def queued(self) -> int:
        """Pieces of work: records that had to be looked at, and what earlier imports had left undone."""
        return sum(run.hinted + run.figures.get(importing.CARRIED_OVER, 0) for run in self.runs)

    def line(self, budget: str) -> str:
        """Say it in one line: how much, how fast, how long still, what it cost."""
        seconds = max(0.001, time.monotonic() - self.began)
        done = max(0, self.queued - self.waiting)
        rate = done / seconds
        over = all(run.finished_at for run in self.runs)
        eta = (
            f"{self.waiting / rate:.0f} s left"
            if rate and over
            else "still listing"
            if not over
            else ""
        )
        pages = sum(run.figures.get("pages", 0) for run in self.runs)
        return (
            f"{pages} pages, {self.listed} listed, {done} of {self.queued} done, {self.made} made, "
            f"{rate:.1f}/s {eta}, {self.calls} calls{budget}"
        )


def follow(engine: wiring.Engine, ids: list[int], *, quiet: bool) -> Progress:
    """Work, beside the workers if there are any, until the runs are over and nothing of theirs waits.

    It ends before, with `halted` set, when all that is left waits for connections that an operator
    must resume.
    """
    progress, said, at = Progress(), (-1, -1), 0.0
    budget = _budget(list(engine.config.connections.values()))
    with _display(quiet=quiet) as (show, tell):
        while True:
            engine.drainer.run(1.0)
            progress.calls += engine.drainer.counts.calls
            with engine.ledger.read() as tx:
                progress.runs = [
                    run for each in ids if (run := run_records.get(tx, str(each))) is not None
                ]
                progress.waiting = run_writes.left(tx, ids).waiting
                progress.made = sum(run_writes.creates(tx, each) for each in ids)
                known = progress.shut
                _look(tx, engine, ids, progress)
            for name, words in progress.shut.items():
                if known.get(name) != words:
                    tell(words)
            mark = (sum(run.figures.get("pages", 0) for run in progress.runs), progress.waiting)
            if mark[0] != said[0] or (mark != said and time.monotonic() - at > EVERY):
                said, at = mark, time.monotonic()
                show(progress.line(budget), True)
            show(progress.line(budget), False)
            if progress.halted or (
                all(run.finished_at for run in progress.runs) and not progress.waiting
            ):
                if mark != said:
                    show(progress.line(budget), True)
                return progress
            if not engine.drainer.counts.claimed:
                engine.clock.sleep(0.1)


def _look(tx: Tx, engine: wiring.Engine, ids: list[int], progress: Progress) -> None:
    """See which members are not called for now, and whether nothing is left but what waits for an operator."""
    unlisted = sorted(run.connection for run in progress.runs if run.finished_at is None)
    waits = {*run_writes.waits_for(tx, ids), *unlisted}
    progress.shut = availability.shut(
        tx, {*waits, *(run.connection for run in progress.runs)}, engine.clock.now()
    )
    stopped = availability.halted(tx, waits)
    progress.halted = stopped if waits and set(stopped) == waits else []
    listings = [f"the listing of {name}" for name in unlisted]
    queued = [f"{progress.waiting} pieces of work"] if progress.waiting else []
    progress.undone = ", ".join(listings + queued)


@contextmanager
def _display(*, quiet: bool) -> Iterator[tuple[Callable[[str, bool], Any], Callable[[str], Any]]]:
    """Give what shows a line of progress (over the last one on a terminal, else under it, now and then), and news."""
    console = Console(stderr=True)
    if quiet:
        yield lambda _line, _due: None, lambda _news: None
    elif console.is_terminal:
        with Live(console=console, transient=True) as live:
            yield (
                lambda line, _due: live.update(Text(line)),
                lambda news: console.print(Text(news), soft_wrap=True),
            )
    else:
        yield (
            lambda line, due: click.echo(line, err=True) if due else None,
            lambda news: click.echo(news, err=True),
        )


def _budget(connections: list[Connection]) -> str:
    """Say what the declared rates leave to this lane."""
    told = [
        f"{each.name} {rate.calls * SHARES['backfill']:.0f} in {rate.seconds:.0f} s"
        for each in connections
        for rate in each.rates
    ]
    return f" (allowed: {', '.join(told)})" if told else ""
