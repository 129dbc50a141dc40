"""A demo: the whole bridge between sandboxes, with made-up humans at work, judged from outside."""

from __future__ import annotations

import json
import re
import secrets
import shutil
import tempfile
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from bridge.core.model.counting import counted
from bridge.core.model.outcome_codes import Code
from bridge.home import fill_home
from bridge.ledger import parking, summary, work
from bridge.operations.evidence import all_links, connections
from bridge.sandbox import human_edits
from bridge.sandbox.deployments import Deployment
from bridge.supervisor.demo_evidence import collect, timelines
from bridge.supervisor.seed import populate, ticket_origins
from bridge.supervisor.stack import Stack, StackSettings
from bridge.verify.report import Report, VerifyInput, verify, write

FIRST_PORTS: Final = range(18_080, 28_080, 50)
"""Where a demo begins to look for a free port: at random, as several may start at once."""
RUN_SECONDS: Final = 600.0
"""A demo gives up after so long, whatever happens."""
EDITS_PER_SECOND: Final = 8.0
"""Over all systems."""
MAX_BACKLOG: Final = 6
"""The humans wait while more work is due: latency is measured of a bridge that keeps up."""
LOOK_SECONDS: Final = 0.1
FAULTS_END_SECONDS: Final = 10.0
"""The faults end after so long without any progress."""
STUCK_SECONDS: Final = 45.0
"""After so long without any progress a demo gives up ..."""
STUCK_SECONDS_WITH_FAULTS: Final = 200.0
"""... but not while vendors fail: this is longer than most backoffs and pauses ..."""
STUCK_SECONDS_INCOMPLETE: Final = 4.0
"""... and sooner where a process was left out, because then it is sure to get stuck."""
MAX_RECONCILIATIONS: Final = 4
"""After the last edit. One is promised to be enough; more show whether it only came too early."""

Ticket = tuple[str, str]
"""Connection and remote id."""
Refs = dict[str, str]
"""Connection -> remote id: the records that are one ticket."""


@dataclass(frozen=True, slots=True)
class DemoSettings:
    """What a demo is to do."""

    tickets: int
    edits: int
    seed: int = 1
    faults: Mapping[str, float] = field(default_factory=dict)
    """Kind of fault -> its share."""
    without: Collection[str] = ()
    """Processes that are left out: `worker`, `web`."""
    rate: float = EDITS_PER_SECOND
    journals: Path | None = None
    """A folder for everything that the verdict rests on."""
    deployment: Deployment = field(default_factory=dict)
    """How the vendors' deployments differ from the usual ones."""


@dataclass(frozen=True, slots=True)
class DemoResult:
    """How a demo ended."""

    report: Report
    seconds: float
    gave_up: bool
    """It got stuck or took too long."""

    @property
    def ok(self) -> bool:
        """Return whether all sides agree and every promise was kept."""
        return self.report.ok and not self.gave_up


def run_demo(settings: DemoSettings, say: Callable[[str], None]) -> DemoResult:
    """Run a demo in a home of its own and judge it. Raises Stopped after a signal."""
    with _throw_away_home() as home:
        stack_settings = StackSettings(
            home,
            say,
            sandbox=True,
            port=secrets.choice(FIRST_PORTS),
            seed=settings.seed,
            port_base=0,
            faults=settings.faults,
            deployment=settings.deployment,
            without=settings.without,
        )
        with Stack(stack_settings) as stack:
            demo = DemoRun(stack, settings.tickets, settings.edits, settings.rate)
            evidence = demo.run()
            if settings.journals is not None:
                _keep(settings.journals, evidence, stack)
    return DemoResult(verify(evidence), demo.seconds, demo.gave_up)


@contextmanager
def _throw_away_home() -> Iterator[Path]:
    home = Path(tempfile.mkdtemp(prefix="bridge-demo-"))
    try:
        fill_home(home)
        lift_rate_limits(home)
        yield home
    finally:
        shutil.rmtree(home, ignore_errors=True)


def lift_rate_limits(home: Path) -> None:
    """Raise the rate limits in a home's configuration: its sandboxes have none to respect."""
    file = home / "config" / "bridge.yaml"
    file.write_text(re.sub(r"(?m)^(\s+rate_limit:).*$", r"\1 1000/second", file.read_text()))


def _keep(folder: Path, evidence: VerifyInput, stack: Stack) -> None:
    write(folder, evidence)
    with (folder / "timelines.jsonl").open("w", encoding="utf-8") as file:
        for row in timelines(stack.bridge):
            file.write(json.dumps(row, ensure_ascii=False) + "\n")


class DemoRun:
    """One demo on a stack that is up."""

    def __init__(self, stack: Stack, tickets: int, edits: int, rate: float) -> None:
        self.stack = stack
        self.tickets = tickets
        self.edits = edits
        self.rate = rate
        self.seconds = 0.0
        self.gave_up = False
        self.stuck_seconds = _stuck_seconds(stack.settings)
        self._began = time.monotonic()

    def run(self) -> VerifyInput:
        """Load, edit and wait; return what is to be judged."""
        say = self.stack.settings.say
        say(f"loading {counted(self.tickets, 'ticket')}")
        origins = self.load()
        self.wait_until_quiet()
        self.reconcile_until_linked(origins)
        # Some of a record shows in full listings only; a bridge that has run for a day knows it.
        self.reconcile()
        say(f"{counted(self.edits, 'edit')} by humans")
        self.edit(origins)
        for sandbox in self.stack.sandboxes.values():
            sandbox.post("flush", everything=True)
        if self.stack.settings.faults:
            self._end_faults()
        else:
            self.wait_until_quiet()
        return self._judged_after_reconciliations()

    def _end_faults(self) -> None:
        wait_until(self.is_quiet, self.pending, FAULTS_END_SECONDS, self._look_after)
        self.stack.settings.say("faults heal: one reconciliation")
        # Where every webhook was to be lost, that goes on: reconciliation alone must heal it.
        no_webhooks = self.stack.settings.faults.get("webhook-lost") == 1
        for sandbox in self.stack.sandboxes.values():
            sandbox.post("faults", **({"webhook-lost": 1.0} if no_webhooks else {"none": True}))
        self._retry_creates()
        self.reconcile()

    def _retry_creates(self) -> None:
        """Try again, as an operator would, what two errors have given up: the vendors are well."""
        bridge = self.stack.bridge
        with bridge.ledger.transaction() as tx:
            parking.unpark(tx, bridge.clock.now(), code=Code.CREATE_REFUSED)

    def _judged_after_reconciliations(self) -> VerifyInput:
        evidence = self.evidence()
        for _ in range(MAX_RECONCILIATIONS):
            if self.gave_up or verify(evidence).ok:
                break
            self.reconcile()
            evidence = self.evidence()
        return evidence

    def evidence(self) -> VerifyInput:
        """Return what is to be judged."""
        self.seconds = time.monotonic() - self._began
        seed = self.stack.settings.seed
        return collect(self.stack.bridge, self.stack.sandboxes, seed, self.seconds)

    def load(self) -> list[Ticket]:
        """Make the tickets, each on one system, and the visitors; return where each began."""
        names = ticket_origins(self.stack.sandboxes)
        share, rest = divmod(self.tickets, len(names))
        counts = {name: share + (number < rest) for number, name in enumerate(names)}
        return populate(self.stack.sandboxes, counts, self.stack.settings.seed)

    def refs_of_tickets(self) -> dict[Ticket, Refs]:
        """Return the records of every linked ticket, by each of them."""
        with self.stack.bridge.ledger.read() as tx:
            tickets = [
                {name: side.remote_id for name, side in link.live().items()}
                for link in all_links(self.stack.bridge.context, tx)
                if link.entity == "ticket"
            ]
        return {record: refs for refs in tickets for record in refs.items()}

    def reconcile_until_linked(self, origins: list[Ticket]) -> None:
        """Find the tickets whose webhooks were lost, so that each can be edited everywhere."""
        bridge = self.stack.bridge
        with bridge.ledger.read() as tx:
            creating = {row["name"] for row in connections(bridge.context, tx) if row["creates"]}
        for _ in range(MAX_RECONCILIATIONS):
            linked = self.refs_of_tickets()
            if self.gave_up or all(creating <= linked.get(o, {}).keys() for o in origins):
                return
            self.reconcile()

    def reconcile(self) -> None:
        """Compare everything once."""
        for name in self.stack.sandboxes:
            self.stack.bridge.start_run(name, "full")
        self.wait_until_quiet()

    def edit(self, origins: list[Ticket]) -> None:
        """Let the humans edit at a steady rate; the edits of one burst follow without a pause."""
        sandboxes = self.stack.sandboxes
        linked = self.refs_of_tickets()
        # A ticket without counterparts is edited where it began.
        tickets = [linked.get(origin, dict([origin])) for origin in origins]
        name_of = {sandboxes[name].system: name for name in ticket_origins(sandboxes)}
        holders = [[system for system, name in name_of.items() if name in refs] for refs in tickets]
        due = time.monotonic()
        burst = 0
        for edit in human_edits.edits(self.edits, self.stack.settings.seed, holders):
            if edit.burst != burst:
                burst = edit.burst
                self._pause(due)
            # A pause that took long is not made up for by a crowd of edits.
            due = max(due, time.monotonic() - 1.0)
            if not self.gave_up:
                due += 1.0 / self.rate
            name = name_of[edit.system]
            remote_id = tickets[edit.ticket][name]
            sandboxes[name].post("edit", id=remote_id, fields=dict(edit.fields))

    def _pause(self, until: float) -> None:
        """Wait until then, and longer while the bridge does not keep up."""
        while True:
            self.stack.look_after()
            remaining = until - time.monotonic()
            if remaining > 0:
                self.stack.stop.wait(min(remaining, LOOK_SECONDS))
            elif self.gave_up or self.work_counts()["due"] < MAX_BACKLOG or self._out_of_time():
                return
            else:
                self.stack.stop.wait(LOOK_SECONDS)

    def wait_until_quiet(self) -> None:
        """Poll every system once more, then wait until no webhook is under way and no work is left.

        Gives up when there is no progress any more. Meanwhile the stack does not poll: it would
        never be quiet.
        """
        self.stack.polling = False
        for name in self.stack.sandboxes:
            self.stack.bridge.start_run(name, "poll")
        if not wait_until(self.is_quiet, self.pending, self.stuck_seconds, self._look_after):
            self.gave_up = True
            self.stack.settings.say(f"no progress any more; still under way: {self.pending()}")
        self.stack.polling = True

    def _look_after(self) -> bool:
        """Look after the processes for a moment; return whether there is time left."""
        self.stack.look_after()
        self.stack.stop.wait(LOOK_SECONDS)
        return not self._out_of_time()

    def _out_of_time(self) -> bool:
        """Return whether the demo has given up, which it does here once it has taken too long."""
        if time.monotonic() - self._began > RUN_SECONDS:
            self.gave_up = True
        return self.gave_up

    def is_quiet(self) -> bool:
        """Return whether nothing is under way any more."""
        return not any(self.pending().values())

    def pending(self) -> dict[str, int]:
        """Count what is still under way, by kind."""
        waiting = (int(sandbox.get("waiting")) for sandbox in self.stack.sandboxes.values())
        return {"webhooks": sum(waiting)} | self.work_counts()

    def work_counts(self) -> dict[str, int]:
        """Count the work that is due, claimed or later, and the creates of unknown outcome.

        An open write has its piece of work too; an open create may wait for a full listing.
        """
        bridge = self.stack.bridge
        with bridge.ledger.read() as tx:
            backlog = work.backlog(tx, bridge.clock.now())
            creates = summary.open_creates(tx)
        return {name: backlog[name] for name in ("due", "claimed", "later")} | {"creates": creates}


def _stuck_seconds(settings: StackSettings) -> float:
    if settings.without:
        return STUCK_SECONDS_INCOMPLETE
    return STUCK_SECONDS_WITH_FAULTS if settings.faults else STUCK_SECONDS


def wait_until(
    done: Callable[[], bool],
    progress: Callable[[], object],
    stuck_seconds: float,
    pause: Callable[[], bool],
) -> bool:
    """Wait until it is done; return False when `pause` returns False, or without progress for long.

    There was progress when what `progress` returns has changed. `done` is believed the first time
    that it says so: a scheduled poll may begin the moment after.
    """
    last, since = progress(), time.monotonic()
    while not done():
        if not pause():
            return False
        now = progress()
        if now != last:
            last, since = now, time.monotonic()
        elif time.monotonic() - since > stuck_seconds:
            return False
    return True
