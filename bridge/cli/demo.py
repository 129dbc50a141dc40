"""`bridge demo`: the whole bridge on made-up tickets, judged from outside."""

from __future__ import annotations

import json
import re
import secrets
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import click
from rich.console import Console
from rich.table import Table

from bridge import home as homes
from bridge.ledger import summary, work
from bridge.operations.evidence import all_links, connections
from bridge.sandbox import population
from bridge.sandbox.faults import parse
from bridge.supervisor import seed as crowd
from bridge.supervisor.demo_evidence import collect, timelines
from bridge.supervisor.stack import Stack, StackSettings, Stopped
from bridge.verify import report as verify

PORTS: Final = range(18_080, 28_080, 50)
"""Where a demo begins to look for a free port: not all at one place, for several may start at the same moment."""
MOST: Final = 600.0
"""Seconds after which a demo gives up, whatever happens."""
RATE: Final = 8.0
"""Human edits a second, over all systems."""
CROWD: Final = 6
"""Pieces of work that may wait before the humans hold their breath: figures are of a bridge at work, not of a jam."""
POLL: Final = 0.1
SETTLING: Final = 10.0
"""Seconds without any progress after which the faults heal."""
RESTS: Final = 200.0
"""How long work may rest where vendors fail: longer than most backoffs and pauses."""
ROUNDS: Final = 4
"""Reconciliations after the last edit, at most; one is promised to be enough."""


@click.command()
@click.option(
    "--tickets",
    default=50,
    show_default=True,
    type=click.IntRange(1, 100_000),
    help="Tickets to begin with.",
)
@click.option(
    "--edits",
    default=100,
    show_default=True,
    type=click.IntRange(0, 1_000_000),
    help="Edits by humans.",
)
@click.option("--seed", default=1, show_default=True, help="Decides everything random.")
@click.option(
    "--faults",
    default=None,
    is_flag=False,
    flag_value="",
    metavar="[KIND=SHARE,…]",
    help="Let vendors and webhooks fail.",
)
@click.option(
    "--journals",
    type=click.Path(path_type=Path, file_okay=False),
    help="Where to keep what was judged.",
)
@click.option(
    "--without", multiple=True, type=click.Choice(["worker", "web"]), help="Leave a process out."
)
@click.option(
    "--rate",
    default=RATE,
    show_default=True,
    type=click.FloatRange(0.1, 1000),
    help="Edits a second.",
)
@click.option("--json", "as_json", is_flag=True, help="For programs.")
def demo(
    tickets: int,
    edits: int,
    seed: int,
    faults: str | None,
    journals: Path | None,
    without: tuple[str, ...],
    rate: float,
    as_json: bool,
) -> None:
    """Load sandboxes with tickets, let humans edit them on all systems at once, and check what became of it.

    Every figure comes from the sandboxes' own journals and records. Exits with 0 only when all
    sides agree and no edit was lost, no ticket doubled and nothing written twice.
    """
    errors = Console(stderr=True)

    def say(text: str) -> None:
        errors.print(f"bridge: {text}", style="dim", highlight=False, markup=False)

    try:
        shares = parse(faults) if faults is not None else {}
    except ValueError as error:
        raise click.UsageError(f"--faults: {error}") from error
    home = Path(tempfile.mkdtemp(prefix="bridge-demo-"))
    try:
        homes.fill(home)
        loosen(home)
        settings = StackSettings(
            home,
            say,
            sandbox=True,
            port=secrets.choice(PORTS),
            seed=seed,
            port_base=0,
            faults=shares,
            without=without,
        )
        with Stack(settings) as stack:
            run = DemoRun(stack, tickets, edits, rate)
            given = run.all()
            if journals is not None:
                verify.write(journals, given)
                with (journals / "timelines.jsonl").open("w", encoding="utf-8") as file:
                    file.writelines(
                        json.dumps(row, ensure_ascii=False) + "\n"
                        for row in timelines(stack.engine)
                    )
    except Stopped:
        raise click.Abort from None
    finally:
        shutil.rmtree(home, ignore_errors=True)
    if journals is not None:
        say(
            f"what was judged is in {journals}; check it again: python -m bridge.verify.report {journals}"
        )
    report = verify.verify(given)
    ok = report.ok and not run.gave_up and not report.forbidden_calls
    shown = report.as_dict() | {"seed": seed, "seconds": round(run.seconds, 2)}
    if as_json:
        click.echo(json.dumps(shown, ensure_ascii=False))
    else:
        print_report(Console(), shown, ok=ok)
    sys.exit(0 if ok else 1)


def loosen(home: Path) -> None:
    """Lift the usual rates in a home that is about to be thrown away: the sandboxes have none to respect."""
    file = home / "config" / "bridge.yaml"
    file.write_text(re.sub(r"(?m)^(\s+rate_limit:).*$", r"\1 1000/second", file.read_text()))


class DemoRun:
    """One run of the demo."""

    def __init__(self, stack: Stack, tickets: int, edits: int, rate: float) -> None:
        self.stack = stack
        self.tickets = tickets
        self.edits = edits
        self.rate = rate
        self.seconds = 0.0
        self.gave_up = False
        self._began = time.monotonic()
        missing = bool(stack.settings.without)
        self._patience = 4.0 if missing else RESTS if stack.settings.faults else 45.0
        """Seconds without any progress after which we stop waiting."""

    def all(self) -> verify.VerifyInput:
        """Load, edit, wait, and gather what is to be judged."""
        say, stack = self.stack.settings.say, self.stack
        say(f"loading {self.tickets} tickets")
        origins = self.load()
        self.wait_until_quiet()
        self.reconcile_until_linked(origins)
        self.reconcile()  # what only a full listing shows is known now, as it is in a bridge that has run for a day
        say(f"{self.edits} edits by humans")
        self.edit(origins)
        for sandbox in stack.sandboxes.values():
            sandbox.post("flush", everything=True)
        if stack.settings.faults:
            wait_until(self._is_quiet, self._signs, SETTLING, self._tick)
            say("faults heal: one reconciliation")
            # Where no webhook is to arrive none does at the end either: then it is reconciliation
            # alone that heals.
            deaf = stack.settings.faults.get("webhook-lost") == 1
            for sandbox in stack.sandboxes.values():
                sandbox.post("faults", **({"webhook-lost": 1.0} if deaf else {"none": True}))
            self.reconcile()
        else:
            self.wait_until_quiet()
        given = self.judge()
        for _ in range(ROUNDS):
            if verify.verify(given).ok or self.gave_up:
                break
            self.reconcile()
            given = self.judge()
        return given

    def judge(self) -> verify.VerifyInput:
        """Gather what is to be judged."""
        self.seconds = time.monotonic() - self._began
        return collect(
            self.stack.engine, self.stack.sandboxes, self.stack.settings.seed, self.seconds
        )

    def load(self) -> list[tuple[str, str]]:
        """Make the tickets, each on one system, and those who visit; gives where each ticket began."""
        names = crowd.origins(self.stack.sandboxes)
        share, rest = divmod(self.tickets, len(names))
        counts = {name: share + (1 if number < rest else 0) for number, name in enumerate(names)}
        return crowd.fill(self.stack.sandboxes, counts, self.stack.settings.seed)

    def known(self) -> dict[tuple[str, str], dict[str, str]]:
        """Give the refs of every link, by each of them."""
        with self.stack.engine.ledger.read() as tx:
            found = [
                {name: side.remote_id for name, side in link.live().items()}
                for link in all_links(tx)
                if link.entity == "ticket"
            ]
        return {ref: refs for refs in found for ref in refs.items()}

    def reconcile_until_linked(self, origins: list[tuple[str, str]]) -> None:
        """Find by reconciliation the tickets whose webhooks were lost: there must be something to edit everywhere."""
        with self.stack.engine.ledger.read() as tx:
            creating = {
                row["name"] for row in connections(self.stack.engine.context, tx) if row["creates"]
            }
        for _ in range(ROUNDS):
            known = self.known()
            if self.gave_up or all(creating <= known.get(ref, {}).keys() for ref in origins):
                return
            self.reconcile()

    def reconcile(self) -> None:
        """Compare everything once."""
        for name in self.stack.sandboxes:
            self.stack.engine.start_run(name, "full")
        self.wait_until_quiet()

    def edit(self, origins: list[tuple[str, str]]) -> None:
        """Let the humans work, at a steady rate; those of one burst act without waiting in between."""
        stack = self.stack
        refs = self.known()
        names = {stack.sandboxes[name].system: name for name in crowd.origins(stack.sandboxes)}
        # Where a ticket has no counterpart, its humans work where it began.
        stands = [refs.get(origin, dict([origin])) for origin in origins]
        where = [[system for system, name in names.items() if name in held] for held in stands]
        stream = population.edits(self.edits, stack.settings.seed, where)
        next_at = time.monotonic()
        burst = 0
        for edit in stream:
            if edit.burst != burst:
                burst = edit.burst
                self._breathe(next_at)
            next_at = max(next_at, time.monotonic() - 1.0) + (
                0.0 if self.gave_up else 1.0 / self.rate
            )
            name = names[edit.system]
            stack.sandboxes[name].post(
                "edit", id=stands[edit.ticket][name], fields=dict(edit.fields)
            )

    def _breathe(self, until: float) -> None:
        while True:
            self.stack.tend()
            late = until - time.monotonic()
            if late > 0:
                self.stack.stop.wait(min(late, POLL))
            elif self.gave_up or self._waiting() < CROWD or not self._hopeful():
                return
            else:
                self.stack.stop.wait(POLL)

    def _waiting(self) -> int:
        return int(self._figures()["due"])

    def _hopeful(self) -> bool:
        """Say whether it makes sense to wait on; False once too long has passed."""
        if time.monotonic() - self._began > MOST:
            self.gave_up = True
        return not self.gave_up

    def wait_until_quiet(self) -> None:
        """Ask everybody once more, then wait until no webhook is on its way and no work is left.

        Gives up when nothing goes forward any more. Nobody is asked meanwhile: it would never be
        quiet.
        """
        stack = self.stack
        stack.asking = False
        for name in stack.sandboxes:
            stack.engine.start_run(name, "poll")
        if not wait_until(self._is_quiet, self._signs, self._patience, self._tick):
            self.gave_up = True
            stack.settings.say(f"nothing goes forward any more: {self._signs()}")
        stack.asking = True

    def _tick(self) -> bool:
        self.stack.tend()
        self.stack.stop.wait(POLL)
        return self._hopeful()

    def _is_quiet(self) -> bool:
        return not any(self._signs().values())

    def _signs(self) -> dict[str, int]:
        """Give what is still under way, by kind.

        An attempt that is open has its piece of work, unless only a full listing can tell what
        became of it.
        """
        webhooks = sum(int(sandbox.get("waiting")) for sandbox in self.stack.sandboxes.values())
        return {"webhooks": webhooks} | self._figures()

    def _figures(self) -> dict[str, int]:
        engine = self.stack.engine
        with engine.ledger.read() as tx:
            backlog, creates = work.backlog(tx, engine.clock.now()), summary.open_creates(tx)
        return {name: backlog[name] for name in ("due", "claimed", "later")} | {"creates": creates}


def wait_until(
    done: Callable[[], bool], signs: Callable[[], Any], patience: float, tick: Callable[[], bool]
) -> bool:
    """Wait until it is done; False when the signs did not change for as long as our patience, or the tick says stop.

    The answer is that of one look: a scheduled poll may begin the moment after.
    """
    last, since = signs(), time.monotonic()
    while not done():
        if not tick():
            return False
        now = signs()
        if now != last:
            last, since = now, time.monotonic()
        elif time.monotonic() - since > patience:
            return False
    return True


def print_report(console: Console, report: dict[str, Any], *, ok: bool) -> None:
    """Print the figures for people."""
    table = Table(box=None, show_header=False, pad_edge=False)
    for name in ("converged", "duplicates", "lost_edits", "echo_writes", "conflicts_open"):
        value = report[name]
        good = value is True if name == "converged" else not value
        style = "green" if good else "yellow" if name == "conflicts_open" else "bold red"
        table.add_row(name.replace("_", " "), f"[{style}]{value}[/{style}]")
    for name in ("tickets", "edits_applied", "conflicting_edits", "writes", "seconds", "seed"):
        table.add_row(name.replace("_", " "), str(report[name]))
    for title, name in (("latency", "latency_ms"), ("of what is polled", "latency_polled_ms")):
        latency = report[name]
        table.add_row(title, f"p50 {latency['p50']} ms, p95 {latency['p95']} ms")
    for kind, count in report["faults"].items():
        table.add_row(f"fault {kind}", str(count))
    for name, counts in report["systems"].items():
        table.add_row(name, "  ".join(f"{kind} {count}" for kind, count in counts.items()))
    console.print(table)
    for kind, rows in report["details"].items():
        for row in rows[:5]:
            console.print(f"{kind}: {row}", style="dim", markup=False, highlight=False)
    console.print(
        "[bold green]all sides agree[/]"
        if ok
        else "[bold red]not converged, or a promise is broken[/]"
    )
