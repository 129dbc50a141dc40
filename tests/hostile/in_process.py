"""One hostile vendor of any system in a whole bridge of one process: real calls, virtual time.

The shipped connections and syncs. All vendors are sandboxes that are called in process, but for the
hostile one: it is called over sockets, by the connector's own HTTP client. Each call is over at
both ends before anything else happens, so that nothing hangs on which thread is the faster one.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

from click.testing import CliRunner

from bridge.cli import main
from bridge.clock import Clock
from bridge.connectors import build
from bridge.core.model.syncs import Connection
from bridge.engine.inline import InlineExecutor
from bridge.engine.worker import Drain
from bridge.http.bounded_sockets import BoundedAdapter
from bridge.http.caller import Answer
from bridge.http.client import Http
from bridge.ledger import failing_runs, parking, run_records, work
from bridge.ledger.work_kinds import RUN_KINDS
from bridge.procedures import PROCEDURES
from bridge.runs import schedule
from bridge.sandbox.population import AGENTS
from bridge.sandbox.registry import sandbox_class
from tests.cli.conftest import KEYS
from tests.flow.estate import Estate
from tests.flow.world import FreeBudget
from tests.hostile.front import Canary, HostileFront
from tests.hostile.ways import LATE

CALL_SECONDS = 0.15
"""Of real time: what a vendor that never comes to an end costs the tests."""
PATIENCE_SECONDS = 120.0
"""Of real time for all others: an answer that comes is waited for, however busy the machine is."""
POLL_SECONDS = 20
STEP_SECONDS = 4.0
ILL_SECONDS = 24.0
"""Of virtual time in which a vendor answers wrongly: a poll, and what is tried again."""
RESUME_SECONDS = 60.0
"""A poll that failed twice is as early as ever; then comes what it found."""


@dataclass(frozen=True, slots=True)
class Ailment:
    """What came of one way."""

    way: str
    calls: int
    neighbour: float | None
    """Virtual seconds from a neighbour's edit to its arrival; None: it has not come."""
    resumed: float | None
    """The same of an edit at the vendor when it was well again."""
    left_out: int
    """Rows that runs have set aside meanwhile."""

    @property
    def harm(self) -> str:
        """Return what is not as promised; empty: nothing."""
        broken = {
            "it was not met": not self.calls,
            "a neighbour's edit did not arrive": self.neighbour is None,
            "it was not heard when it was well again": self.resumed is None,
        }
        return ", ".join(what for what, so in broken.items() if so)


class HttpInTurn(Http):
    """A client that goes on only when the vendor is through with the call, too.

    Else one that has given up goes on while its call is still being done, and sends its next one on
    a connection of which it has not yet noticed that the vendor hung up.
    """

    def __init__(self, connection: Connection, front: HostileFront, clock: Clock) -> None:
        self.front, self._adapter = front, BoundedAdapter(connections=1)
        super().__init__(connection, clock=clock, adapter=self._adapter)

    def request(self, *arguments: Any, **options: Any) -> Answer:
        """Make one call."""
        seconds = CALL_SECONDS if self.front.way in LATE else PATIENCE_SECONDS
        self.connection = replace(self.connection, timeout=seconds)
        try:
            return super().request(*arguments, **options)
        finally:
            self._hang_up()
            self.front.finish()

    def _hang_up(self) -> None:
        """Close the connections now, not when the last answer is forgotten."""
        pools = self._adapter.poolmanager.pools
        for key in pools.keys():  # noqa: SIM118 - it is no mapping that can be walked through
            pools[key].close()
        pools.clear()


class HostileEstate(Estate):
    """A bridge of one process, of which the vendor behind `name` can be made to answer wrongly."""

    def __init__(self, folder: Path, name: str) -> None:
        (folder / "var").mkdir(parents=True)
        super().__init__(folder, ledger=f"sqlite:///{folder}/var/bridge.db")
        self.name = name
        self.canary = Canary()
        self.canary.start()
        self.front = HostileFront(self.apps[name], self.canary.url, in_turn=True)
        self.front.start()
        self._number = itertools.count(1)
        self._rewire()
        self._begin()

    def _rewire(self) -> None:
        connections: dict[str, Any] = self.config.connections
        for name, connection in connections.items():
            polled = timedelta(seconds=POLL_SECONDS) if name == self.name else None
            connections[name] = replace(connection, poll=polled, full=None, rates=())
        prefix = sandbox_class(connections[self.name].system).PREFIX
        hostile = replace(
            connections[self.name], base_url=self.front.url + prefix, timeout=CALL_SECONDS
        )
        connections[self.name] = hostile
        self.connectors[self.name] = build(hostile, HttpInTurn(hostile, self.front, self.clock))
        self.drain = Drain(
            self.context,
            self.ledger,
            self.connectors,
            FreeBudget(),
            "drain",
            PROCEDURES,
            pool=InlineExecutor(self.clock),
        )

    def _begin(self) -> None:
        self.edited = self.apps["helpdesk"].populate(3, seed=3)[0]
        if self.name != "feedback":  # that is given tickets by us
            self.apps[self.name].populate(3, seed=3 if self.name == "screens" else 4)
        for _ in range(2):
            self.reconcile("full")
        self.live(2 * POLL_SECONDS)

    def close(self) -> None:
        """Let nothing of it go on."""
        self.front.close()
        self.canary.close()
        self.ledger.close()

    # --- time passes

    def live(self, seconds: float, until: Callable[[], bool] = lambda: False) -> float | None:
        """Let clock and worker go on; return after how long `until` held, None if it never did."""
        began = self.clock.now()
        while (passed := (self.clock.now() - began).total_seconds()) <= seconds:
            schedule.start_due_runs(self.context, self.ledger)
            self.drain.run()
            if until():
                return passed
            self.clock.advance(STEP_SECONDS)
        return None

    def told(self, name: str, remote_id: str) -> None:
        """Do what the receiver does for a webhook."""
        now = self.clock.now()
        with self.ledger.transaction() as tx:
            work.enqueue(
                tx,
                kind="observe",
                key=f"observe:{name}:ticket:{remote_id}",
                connection=name,
                entity="ticket",
                remote_id=remote_id,
                due_at=now,
                now=now,
            )

    # --- what people do

    def ail(self, way: str) -> Ailment:
        """Let the vendor answer in a way while people go on, then let it be well again."""
        number = next(self._number)
        before = self._left_out()
        self.front.answer_in(way)
        self._ask_something_of(number)
        neighbour = self._neighbours(number)
        self.live(ILL_SECONDS)
        calls = self.front.hits
        self.front.answer_in("")
        arrived = self._edit_at_vendor(number)
        resumed = self.live(RESUME_SECONDS, arrived)
        return Ailment(way, calls, neighbour, resumed, self._left_out() - before)

    def _neighbours(self, number: int) -> float | None:
        status = ("pending", "open")[number % 2]
        product = self.refs("helpdesk", self.edited)["product"]
        self.apps["helpdesk"].edit(self.edited, {"status": status})
        self.told("helpdesk", self.edited)
        store = self.apps["product"].store
        return self.live(ILL_SECONDS, lambda: store.get(product)["status"] == status)

    def _ask_something_of(self, number: int) -> None:
        """Do what leads to a call beside the polls: something to be written, or to be made."""
        helpdesk = self.apps["helpdesk"]
        if self.name == "feedback":
            self.told("helpdesk", helpdesk.populate(1, seed=100 + number)[0])
        elif self.name == "desk":
            for row in self.apps["desk"].tickets()[1:]:
                theirs = self.refs("desk", row["id"])["helpdesk"]
                helpdesk.edit(theirs, {"add_tags": [f"sent{number}"]})
                self.told("helpdesk", theirs)

    def _edit_at_vendor(self, number: int) -> Callable[[], bool]:
        """Let somebody edit at the vendor; return what tells whether that has arrived."""
        app, helpdesk, tag = self.apps[self.name], self.apps["helpdesk"], f"well{number}"
        if self.name == "screens":
            visitor = app.visitors()[0]
            app.edit(visitor["id"], {"seen": True, "tags": [f"#{tag}"]})
            return lambda: any(tag in str(row) for row in helpdesk.records("customer"))
        if self.name == "feedback":
            its, mine = self.edited, self.refs("helpdesk", self.edited)["feedback"]
            app.edit(mine, {"add_tag": {"name": tag}})
            return lambda: any(tag in each for each in helpdesk.store.get(its)["tags"])
        mine, agent = str(app.tickets()[0]["id"]), AGENTS[number % 2]
        its = self.refs("desk", mine)["helpdesk"]
        app.edit(mine, app.assignment(agent))
        return lambda: (
            (helpdesk.store.get(its)["assignee"] or {}).get("id") == helpdesk.agent_id(agent)
        )

    # --- what is left of it

    def written_or_said(self) -> Iterator[tuple[str, bytes]]:
        """Yield all that the bridge has written or says, each with its place."""
        for path in (self.folder / "var").iterdir():
            yield path.name, path.read_bytes()
        for words in (["status", "--json"], ["doctor", "--json"], ["parked", "list", "--json"]):
            done = CliRunner().invoke(
                main, ["--home", str(self.folder), *words], env=KEYS, prog_name="bridge"
            )
            yield " ".join(words), done.output.encode()

    def leaks(self, log: str) -> list[str]:
        """Return where a key stands that nobody may see."""
        keys = [account.credentials["api_key"].encode() for account in self._accounts.values()]
        places = [("the log", log.encode()), *self.written_or_said()]
        return [place for place, text in places for key in keys if key in text]

    def _left_out(self) -> int:
        with self.ledger.read() as tx:
            runs = run_records.recent(tx, 10_000)
        return sum(run.figures.get("unreadable", 0) for run in runs)

    def troubles(self) -> list[str]:
        """Return what still waits for a human, or fails, of all that runs by itself."""
        with self.ledger.read() as tx:
            runs = [row.why for row in parking.parked(tx) if row.kind in RUN_KINDS]
            failing = failing_runs.by_run(tx).values()
        return runs + [f"{run.kind} {run.connection}: {run.why}" for run in failing]
