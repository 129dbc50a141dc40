"""The whole bridge as real processes between sandboxes, with humans at work and parts that break.

What `bridge up --sandbox` starts, with a switchboard between the bridge and its vendors. It waits
for conditions, never for a time; when one does not come about, or the verdict is bad, the error
says everything that is known.
"""

from __future__ import annotations

import contextlib
import json
import os
import resource
import secrets
import signal
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from redis import Redis
from sqlalchemy import func, select

from bridge.home import fill_home, var_folder
from bridge.ledger import connection_health, webhook_inbox
from bridge.ledger.tables import attempt, work
from bridge.ledger.tables import inbox as inbox_table
from bridge.queue.embedded_valkey import socket_for, url_for
from bridge.sandbox.human_edits import PlannedEdit, edits
from bridge.sandbox.registry import sandbox_class
from bridge.supervisor.demo import FIRST_PORTS, DemoRun, lift_rate_limits
from bridge.supervisor.demo_evidence import collect, timelines
from bridge.supervisor.sandbox_accounts import DATABASE, FILE, REDIS
from bridge.supervisor.sandbox_client import SandboxClient
from bridge.supervisor.stack import Stack, StackSettings
from bridge.verify import report
from tests.processes.outcome import Outcome, is_taken, lost_of
from tests.processes.switchboard import HOST, Line, Switchboard

STUCK_SECONDS = 120.0
"""After so long without any progress something is stuck, on however slow a machine."""
LOOK_SECONDS = 0.05
ENDLESS_EDITS = 100_000
"""More edits than any run makes."""
UNEDITED = 5
"""Tickets that nobody edits at work: what is done to them has no rival."""
FULL_DISK_BYTES = 4096
"""Bytes that a file may have on the full disk: less than any ledger or its log has already."""


class Stuck(AssertionError):
    """What was waited for did not come about."""


class DemoRunWithVisits(DemoRun):
    """A demo that does not wait for visits: where no ticket follows, their work stays for later."""

    def work_counts(self) -> dict[str, int]:
        bridge = self.stack.bridge
        with bridge.ledger.read() as tx:
            found = super().work_counts()
            wanting = select(func.count()).where(
                work.c.parked_at.is_(None), work.c.due_at > bridge.clock.now()
            )
            wanting = wanting.where(work.c.claimed_by.is_(None), work.c.entity == "session")
            return found | {"later": max(0, found["later"] - tx.execute(wanting).scalar_one())}


class Kit(Stack):
    """`with Kit(folder) as kit: kit.begin(20); kit.work(9); kit.kill("web"); kit.check()`."""

    def __init__(
        self,
        folder: Path,
        *,
        database: str = "",
        seed: int = 1,
        workers: int = 0,
        rate: float = 6.0,
    ) -> None:
        home = folder / "home"
        fill_home(home)
        lift_rate_limits(home)
        super().__init__(
            StackSettings(
                home,
                _say,
                sandbox=True,
                port=secrets.choice(FIRST_PORTS),
                port_base=0,
                seed=seed,
                workers=workers,
            )
        )
        self.poll_every = (
            3.0  # what is tried here takes long, and the machine has other tests to run
        )
        self.board = Switchboard()
        self.rate = rate
        self.struck: Counter[str] = Counter()
        """How often what was done to it, by kind."""
        self.worked = 0
        self.opened = 0
        self.run: DemoRun
        self.origins: list[tuple[str, str]] = []
        self._database = database
        self._began = time.monotonic()
        self._refs: dict[tuple[str, str], dict[str, str]] = {}
        self._stream: Iterator[PlannedEdit] = iter(())

    # Setting up.

    def _set_up(self) -> None:
        self._exits.callback(self.board.close)
        self._set(DATABASE, self._database or None)
        self._set(REDIS, None)
        super()._set_up()

    def _start_sandbox(self, systems: Mapping[str, str]) -> None:
        super()._start_sandbox(systems)
        file = var_folder(self.settings.home) / FILE
        stored = json.loads(file.read_text())
        for name, system in systems.items():
            port = int(self.sandboxes[name].url.rpartition(":")[2])
            line = self.board.connect(name, port)
            told = stored[system]["base_url"]
            stored[system]["base_url"] = told.replace(f"{HOST}:{port}", f"{HOST}:{line.port}")
        file.write_text(json.dumps(stored))

    @property
    def holders(self) -> list[str]:
        """The connections whose systems hold tickets."""
        return [
            name
            for name, sandbox in self.sandboxes.items()
            if "status" in sandbox_class(sandbox.system).CHOICES
        ]

    # Humans.

    def begin(self, tickets: int) -> None:
        """Load tickets, and wait until each stands wherever it belongs."""
        self.run = self._new_run(tickets)
        self.origins = self.run.load()
        self.wait_until_quiet()
        self.run.reconcile_until_linked(self.origins)
        self._refs = self.run.refs_of_tickets()
        known = [
            self._refs.get(origin, dict([origin])) for origin in self.origins[: tickets - UNEDITED]
        ]
        where = [
            [self.sandboxes[name].system for name in self.holders if name in held] for held in known
        ]
        self._stream = iter(edits(ENDLESS_EDITS, self.settings.seed, where))

    def work(self, edits: int) -> None:
        """Let humans make that many edits at a steady rate, and open a new ticket now and then."""
        for _ in range(edits):
            until = time.monotonic() + 1 / self.rate
            self.one_edit()
            while time.monotonic() < until:
                self.look()

    def one_edit(self) -> None:
        """Let a human do something."""
        self.worked += 1
        if self.worked % 6 == 0:
            self.opened += 1
            name = self.holders[self.opened % len(self.holders)]
            self.sandboxes[name].post(
                "populate", n=1, seed=1000 * self.settings.seed + 100 + self.opened
            )
            return
        edit = next(self._stream)
        name = next(name for name in self.holders if self.sandboxes[name].system == edit.system)
        origin = self.origins[edit.ticket]
        remote_id = self._refs.get(origin, dict([origin]))[name]
        self.sandboxes[name].post("edit", id=remote_id, fields=dict(edit.fields))

    def arrives(self, here: str, there: str) -> None:
        """Let a human resolve a ticket here, and wait until it is resolved there.

        Every system has a word for that status.
        """

        def resolved(name: str, remote_id: str) -> bool:
            status = self.record(name, remote_id)["status"]
            return status == self.word_for_resolved(name)

        alone = [self._refs.get(origin, {}) for origin in self.origins[-UNEDITED:]]
        both = [(refs[here], refs[there]) for refs in alone if {here, there} <= refs.keys()]
        open_ = [
            (mine, its)
            for mine, its in both
            if not resolved(here, mine) and not resolved(there, its)
        ]
        assert open_, f"no open ticket stands in {here} and in {there}"
        mine, its = open_[0]
        fields = {"status": self.word_for_resolved(here)}
        self.sandboxes[here].post("edit", id=mine, fields=fields)
        try:
            self.wait(
                lambda: resolved(there, its),
                f"a ticket that was resolved in {here} to be so in {there}",
            )
        except Stuck as stuck:
            raise Stuck(f"{stuck}\n{self.story(there, its)}") from None

    def any_ticket(self, system: str) -> tuple[SandboxClient, str]:
        """Return a sandbox of a system, and the id of a ticket there."""
        held = (name_and_id for refs in self._refs.values() for name_and_id in refs.items())
        here = ((self.sandboxes[name], remote_id) for name, remote_id in held)
        return next((box, remote_id) for box, remote_id in here if box.system == system)

    def word_for_resolved(self, name: str) -> str:
        return sandbox_class(self.sandboxes[name].system).CHOICES["status"]["resolved"]

    def record(self, name: str, remote_id: str) -> Mapping[str, Any]:
        """Return a ticket as its system has it."""
        return next(
            one for one in self.sandboxes[name].get("tickets") if str(one["id"]) == remote_id
        )

    def story(self, name: str, remote_id: str) -> str:
        """Return the last entries of a ticket's timeline, as lines."""
        rows = [
            row
            for row in timelines(self.bridge)
            if row["refs"].get(name) == remote_id and "kind" in row
        ]
        lines = (
            f"{row['at']} {row['kind']} {row['connection']} {row['field']} {row['detail']}"
            for row in rows[-20:]
        )
        return "\n".join(line[:300] for line in lines)

    # What is done to it.

    def kill(self, *names: str) -> None:
        """Kill -9 processes and their descendants at once, and wait until they are replaced."""
        victims = [child for child in self.children.running if child.name in names]
        self.wait(
            lambda: all(child.process is not None for child in victims), f"{names} to be running"
        )
        gone = {child.process.pid: child for child in victims}
        for number, child in gone.items():
            os.killpg(number, signal.SIGKILL)
            self.struck[f"kill {child.name}"] += 1
        for number, child in gone.items():
            self.wait(
                lambda child=child, number=number: (
                    child.process is not None and child.process.pid != number
                ),
                f"another {child.name}",
            )
        if "web" in names:
            self.wait(self._answers, "the receiver")

    def kill_valkey(self) -> None:
        """Kill -9 the Valkey; the next one knows nothing."""
        gone = self._valkey._process.pid
        os.kill(gone, signal.SIGKILL)
        self.struck["kill valkey"] += 1
        self.wait(
            lambda: self._valkey._process.pid != gone and bool(url_for(self.settings.home)),
            "another Valkey",
        )

    def empty_valkey(self) -> None:
        """Take everything out of the Valkey, under everybody's feet."""
        with contextlib.closing(
            Redis(unix_socket_path=str(socket_for(self.settings.home)))
        ) as client:
            client.flushall()
        self.struck["empty valkey"] += 1

    def cut(self, name: str) -> Line:
        """Let a vendor refuse connections."""
        self.board.lines[name].cut()
        self.struck["vendor stops"] += 1
        return self.board.lines[name]

    def hang(self, name: str) -> Line:
        """Let a vendor take calls and never answer."""
        self.board.lines[name].hang()
        self.struck["vendor hangs"] += 1
        return self.board.lines[name]

    @contextlib.contextmanager
    def full_disk(self) -> Iterator[None]:
        """Let every write of the bridge's processes that would make a file longer fail.

        A limit of the kernel's for these processes, which needs no rights; a device's end would say
        ENOSPC.
        """
        limited = [
            number
            for child in self.children.running
            if child.name != "sandbox"
            for number in self.family(child)
        ]
        before = {number: resource.prlimit(number, resource.RLIMIT_FSIZE) for number in limited}
        self.struck["disk full"] += 1
        try:
            for number, (_, hard) in before.items():
                resource.prlimit(number, resource.RLIMIT_FSIZE, (FULL_DISK_BYTES, hard))
            yield
        finally:
            for number, limits in before.items():
                with contextlib.suppress(ProcessLookupError):  # it ended, and another has no limit
                    resource.prlimit(number, resource.RLIMIT_FSIZE, limits)

    def family(self, child: Any) -> list[int]:
        """Return the process ids of a child and its descendants."""
        parents: dict[int, int] = {}
        for entry in Path("/proc").iterdir():
            with contextlib.suppress(OSError, ValueError):
                parents[int(entry.name)] = int(
                    (entry / "stat").read_text().rpartition(")")[2].split()[1]
                )
        found = [child.process.pid] if child.process is not None else []
        for number in found:
            found += [pid for pid, parent in parents.items() if parent == number]
        return found

    # Waiting and judging.

    def look(self) -> None:
        """Look after the processes, and wait for a moment."""
        self.look_after()
        self.stop.wait(LOOK_SECONDS)

    def wait(self, done: Callable[[], bool], what: str) -> None:
        """Wait until it is so."""
        until = time.monotonic() + STUCK_SECONDS
        while not done():
            if time.monotonic() > until:
                raise Stuck(f"waited {STUCK_SECONDS:.0f} s for {what}; {self.standing()}")
            self.look()

    def wait_until_quiet(self) -> None:
        """Wait until no webhook is on its way and no work is left."""
        self.run = self._new_run(self.run.tickets)
        for sandbox in self.sandboxes.values():
            sandbox.post("flush", everything=True)
        self.run.wait_until_quiet()
        if self.run.gave_up:
            raise Stuck(f"nothing goes forward any more; {self.standing()}")

    def finish(self) -> Outcome:
        """Everything is healed: wait for quiet, reconcile once, and judge."""
        self.wait_until_quiet()
        self.run.reconcile()
        self.polling = False
        self.wait(self.run.is_quiet, "quiet after the reconciliation")
        left = self.open_attempts()  # a scheduled poll may begin now; a write has no reason to
        with self.bridge.ledger.read() as tx:
            account = webhook_inbox.account(tx)
            rows = tx.execute(
                select(
                    inbox_table.c.connection,
                    inbox_table.c.headers,
                    inbox_table.c.verdict,
                    inbox_table.c.deliveries,
                )
            ).all()
        given = collect(
            self.bridge, self.sandboxes, self.settings.seed, time.monotonic() - self._began
        )
        webhooks = [row for row in given.journal if row["kind"] == "webhook"]
        taken = sum(is_taken(row["status"]) for row in webhooks)
        lost = lost_of(webhooks, rows)
        return Outcome(report.verify(given), taken, lost, str(account), account.balanced, left)

    def check(self) -> Outcome:
        """Finish; raise AssertionError, saying all that is known, unless every promise was kept."""
        outcome = self.finish()
        if outcome.faults:
            raise AssertionError(
                "\n".join([*outcome.faults, f"done to it: {dict(self.struck)}", self.standing()])
            )
        assert outcome.accepted, "no webhook was accepted: nothing was tried"
        return outcome

    def refused(self) -> int:
        """Count the deliveries of webhooks that the receiver did not take."""
        rows = [
            row
            for sandbox in self.sandboxes.values()
            for row in sandbox.get("journal")
            if row["kind"] == "webhook"
        ]
        return sum(row["status"] >= 500 for row in rows)

    def troubles(self) -> dict[str, str]:
        """Return why connections are not well, by name."""
        with self.bridge.ledger.read() as tx:
            return {
                name: found.why
                for name, found in connection_health.by_name(tx).items()
                if found.why
            }

    def standing(self) -> str:
        """Return what is under way, for an error."""
        running = {
            child.name: child.ended() if child.process else "down"
            for child in self.children.running
        }
        signs = f"signs {self.run.pending()}, open attempts {self.open_attempts()}"
        return f"{signs}, exit codes {running}, troubles {self.troubles()}"

    def open_attempts(self) -> list[tuple[str, str]]:
        """Return the connection and the fields of each write whose fate is not known."""
        with self.bridge.ledger.read() as tx:
            rows = tx.execute(
                select(attempt.c.connection, attempt.c.remaining).where(
                    attempt.c.closed_at.is_(None)
                )
            )
            return [(row.connection, str(row.remaining)) for row in rows]

    def _new_run(self, tickets: int) -> DemoRun:
        run = DemoRunWithVisits(self, tickets, 0, self.rate)
        run.stuck_seconds = STUCK_SECONDS
        return run


def _say(text: str) -> None:
    sys.stderr.write(f"{time.strftime('%H:%M:%S')} {text}\n")
