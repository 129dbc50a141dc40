"""The real processes of the bridge between healthy vendors and hostile ones, and what is measured.

Two healthy neighbours mirror one another. Beside them stand pairs: a hostile vendor with a partner
that is well. In each round every hostile vendor answers in a way of its own, all at once; then all
become well, and an edit made at each, of which no webhook tells, must arrive at its partner.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, Self

from sqlalchemy import func, select

from bridge import wiring
from bridge.home import fill_home
from bridge.ledger import failing_runs, links, parking
from bridge.ledger.tables import attempt, work
from bridge.ledger.work_kinds import RUN_KINDS
from bridge.queue.embedded_valkey import Embedded, socket_for
from bridge.supervisor.demo_evidence import collect
from bridge.supervisor.processes import child_environ, free_port
from bridge.supervisor.sandbox_client import SandboxClient
from bridge.verify import report
from tests.hostile import setting
from tests.hostile.outcome import Arrivals, Met, Outcome
from tests.hostile.pulse import ARRIVAL_SECONDS, LOOK_SECONDS, Pulse
from tests.hostile.setting import NORTH, PAIRS, SOUTH, partner
from tests.hostile.vendors import PlannedAccount
from tests.hostile.ways import LIES, REFUSALS, WAYS

ROOT = Path(__file__).resolve().parents[2]
TICKETS = 6
"""At each neighbour and each hostile vendor."""
UNEDITED = 2
"""The ticket of a hostile vendor that nobody edits before it is well again."""
WELL = ""
"""The way of a vendor that answers rightly."""
HOSTILE_SECONDS = 4.0
"""A round lasts at least so long, and until each way was met ..."""
MAX_HOSTILE_SECONDS = 15.0
RESUME_SECONDS = 30.0
"""A vendor that is well again must be heard within this."""
QUIET_SECONDS = 60.0
PROCESSES = ("web", "worker", "clock")


class HostileKit:
    """`with HostileKit(folder) as kit: outcome = kit.run()`."""

    def __init__(self, folder: Path, say: Callable[[str], None] = lambda _text: None) -> None:
        self.home = folder / "home"
        self.log = folder / "log.txt"
        self.say = say
        self.port = free_port("127.0.0.1", 18_100 + os.getpid() % 10_000)
        self.hostile = setting.hostile_accounts()
        self.accounts = setting.plan(self.hostile, self.port)
        self.clients: dict[str, SandboxClient] = {}
        self.control: SandboxClient
        self.processes: dict[str, subprocess.Popen[bytes]] = {}
        self.bridge: wiring.Bridge
        self._exits = contextlib.ExitStack()

    # --- setting up

    @property
    def secrets(self) -> list[str]:
        """All that must never be seen: keys, and secrets as they are and decoded."""
        return [
            text
            for account in self.accounts
            for text in (account.key, account.secret, f"secret planted for {account.name}")
        ]

    def __enter__(self) -> Self:
        try:
            self._set_up()
        except BaseException:
            self._exits.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._exits.close()

    def _set_up(self) -> None:
        fill_home(self.home)
        near = [account for account in self.accounts if account.name in (NORTH, SOUTH)]
        far = [account for account in self.accounts if account not in near]
        healthy, told = self._start_vendors(near), self._start_vendors(far)
        accounts = healthy["accounts"] | told["accounts"]
        setting.configure(
            self.home, self.accounts, {name: row["told"] for name, row in accounts.items()}
        )
        self.control = SandboxClient("control", told["control"])
        for account in self.accounts:
            self.clients[account.name] = SandboxClient(
                account.system, accounts[account.name]["direct"]
            )
        for name in (NORTH, *self.hostile):
            self.clients[name].post("populate", n=TICKETS, seed=len(name) + len(self.hostile))
        self._set("BRIDGE_HOME", str(self.home))
        for account in self.accounts:
            for variable, value in setting.variables(account).items():
                self._set(variable, value)
        self._exits.enter_context(Embedded(socket_for(self.home).parent))
        ledger = wiring.Ledger(wiring.load_config(self.home).settings.database)
        ledger.upgrade()
        ledger.close()
        self.bridge = wiring.build_bridge(self.home)
        self._exits.callback(self.bridge.close)
        log = self._exits.enter_context(self.log.open("ab"))
        environ = child_environ(BRIDGE_LOG_LEVEL="info")
        commands = {
            "web": ["web", "--port", str(self.port)],
            "worker": ["worker"],
            "clock": ["clock"],
        }
        for name in PROCESSES:
            self.processes[name] = self._start(
                [sys.executable, "-m", "bridge", *commands[name]], environ, log
            )

    def _start_vendors(self, accounts: Sequence[PlannedAccount]) -> Any:
        """Start a process of vendors; the neighbours' own is slowed by nobody's nonsense."""
        child = self._start(
            [sys.executable, "-m", "tests.hostile.vendors"],
            child_environ() | {"PYTHONPATH": str(ROOT)},
            None,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        assert child.stdin is not None
        assert child.stdout is not None
        plan = json.dumps([asdict(account) for account in accounts])
        child.stdin.write(plan.encode() + b"\n")
        child.stdin.flush()
        return json.loads(child.stdout.readline())

    def _start(
        self, command: list[str], environ: Mapping[str, str], log: Any, **streams: Any
    ) -> subprocess.Popen[bytes]:
        streams = streams or {"stdin": subprocess.DEVNULL, "stdout": log, "stderr": log}
        child = subprocess.Popen(command, env=dict(environ), cwd=ROOT, **streams)
        self._exits.callback(_end, child)
        return child

    def _set(self, name: str, value: str) -> None:
        before = os.environ.get(name)
        os.environ[name] = value
        self._exits.callback(
            lambda: (
                os.environ.pop(name, None) if before is None else os.environ.update({name: before})
            )
        )

    @property
    def pairs(self) -> list[tuple[str, str]]:
        """Who is mirrored with whom."""
        return setting.pairs(self.hostile)

    # --- looking

    def record(self, name: str, remote_id: str) -> dict[str, Any]:
        """Return a ticket, as its vendor has it."""
        rows = self.clients[name].get("tickets")
        return next(row for row in rows if str(row["id"]) == remote_id)

    def wait(self, done: Callable[[], bool], seconds: float, what: str) -> float:
        """Wait until it is so, and return for how long."""
        began = time.monotonic()
        while not done():
            for name, process in self.processes.items():
                assert process.poll() is None, f"the {name} ended with {process.returncode}"
            if time.monotonic() - began > seconds:
                raise AssertionError(f"waited {seconds:.0f} s for {what}")
            time.sleep(LOOK_SECONDS * 2)
        return time.monotonic() - began

    def linked(self, here: str, there: str) -> list[tuple[str, str]]:
        """Return the ids of the tickets that stand at both."""
        with self.bridge.ledger.read() as tx:
            sides_of = [link.live() for link in links.load(tx, links.ids(tx)).values()]
        return sorted(
            (sides[here].remote_id, sides[there].remote_id)
            for sides in sides_of
            if {here, there} <= sides.keys()
        )

    def memory(self) -> dict[str, int]:
        """Return the bytes of each process and its children."""
        return {name: _resident(process.pid) for name, process in self.processes.items()}

    # --- what is tried

    def run(self, ways: Sequence[str] = tuple(WAYS), at_once: int = PAIRS) -> Outcome:
        """Try all ways, so many at a time, and say what came of it."""
        self._wait_until_linked()
        pulse = Pulse(self.clients, self.record, self.linked(NORTH, SOUTH))
        pulse.start()
        self.wait(lambda: len(pulse.arrivals) >= 12, 60, "the neighbours' edits to arrive")
        usual = Arrivals.of([took for _at, took in pulse.arrivals[2:]])
        outcome = Outcome(usual, self._busy(list(self.hostile)[:at_once], pulse))
        self.say(f"baseline {usual}, busy {outcome.busy}")
        before = self.memory()
        for number, batch in enumerate(_batches(ways, at_once)):
            outcome.met += self._round(number, batch, pulse)
        outcome.tried_again = [each.way for each in outcome.harmful()]
        outcome.met = [each for each in outcome.met if each.way not in outcome.tried_again]
        for number, batch in enumerate(_batches(outcome.tried_again, at_once), 100):
            outcome.met += self._round(number, batch, pulse)
        pulse.stop.set()
        pulse.join(ARRIVAL_SECONDS)
        self._finish(outcome)
        outcome.memory = {name: (before[name], now) for name, now in self.memory().items()}
        return outcome

    def _wait_until_linked(self) -> None:
        self.wait(self._answers, 60, "the receiver")
        self.wait(
            lambda: all(len(self.linked(*pair)) == TICKETS for pair in self.pairs),
            90,
            "all to be linked",
        )

    def _answers(self) -> bool:
        try:
            socket.create_connection(("127.0.0.1", self.port), 1).close()
        except OSError:
            return False
        return True

    def _busy(self, names: Sequence[str], pulse: Pulse) -> Arrivals:
        """Have as much edited as in a round while all is well."""
        began = time.monotonic()
        playing = dict.fromkeys(names, WELL)
        self._edits(playing, {name: self.linked(name, partner(name)) for name in playing}, 999)
        time.sleep(HOSTILE_SECONDS)
        return Arrivals.of(pulse.since(began, time.monotonic() - 0.5))

    def _round(self, number: int, ways: Sequence[str], pulse: Pulse) -> list[Met]:
        names = list(self.hostile)
        first = number % len(names)  # one at a time, too, each vendor has its turn
        playing = dict(zip(names[first:] + names[:first], ways, strict=False))
        pairs = {name: self.linked(name, partner(name)) for name in playing}
        began = time.monotonic()
        self.control.post("", **playing)
        self._edits(playing, pairs, number)

        def all_met() -> bool:
            hits = self.control.get("")["hits"]
            late = time.monotonic() - began > MAX_HOSTILE_SECONDS
            return late or all(hits[name] for name in playing)

        self.wait(all_met, MAX_HOSTILE_SECONDS + 5, "all ways to be met")
        while time.monotonic() - began < HOSTILE_SECONDS:
            time.sleep(LOOK_SECONDS)
        hits = self.control.post("")["hits"]
        well = time.monotonic()
        resumed = self._resumed(playing, pairs, number)
        neighbours = Arrivals.of(pulse.since(began, time.monotonic() - 0.5))
        met = [
            Met(way, self.hostile[name], hits[name], neighbours, resumed[name])
            for name, way in playing.items()
        ]
        for each in met:
            self.say(
                f"{each.way:50s} {each.system:8s} {each.calls:5d} calls  "
                f"neighbours {neighbours.median:5.2f} s, at worst {neighbours.worst:5.2f} s  "
                f"resumed {each.resumed:5.2f} s"
            )
        memory = {process: size >> 20 for process, size in self.memory().items()}
        self.say(
            f"  round {number}: {well - began:.1f} s, "
            f"then {time.monotonic() - well:.1f} s, {memory}"
        )
        return met

    def _edits(
        self, names: Mapping[str, str], pairs: Mapping[str, list[tuple[str, str]]], number: int
    ) -> None:
        """Let humans edit on both sides of each pair while the vendor answers wrongly."""
        for name, way in names.items():
            edited = [mine for n, (mine, _its) in enumerate(pairs[name]) if n != UNEDITED]
            for mine in edited:
                self.clients[name].post("edit", id=mine, fields={"add_tags": [f"meant-{number}"]})
            if way not in LIES:  # what is written on top of an untrue reading harms the vendor
                _mine, its = pairs[name][1]
                healthy = self.clients[partner(name)]
                healthy.post("edit", id=its, fields={"add_tags": [f"sent-{number}"]})
                if way not in REFUSALS:  # a refused record waits for a human
                    healthy.post("populate", n=1, seed=1000 + number)

    def _resumed(
        self, names: Mapping[str, str], pairs: Mapping[str, list[tuple[str, str]]], number: int
    ) -> dict[str, float]:
        """Let a human edit at each, of which no webhook tells; return how long each travelled."""
        began, waiting, took = time.monotonic(), {}, dict.fromkeys(names, float("inf"))
        for name in names:
            self.clients[name].post("faults", **{"webhook-lost": 1.0})
            mine, its = pairs[name][UNEDITED]
            tag = f"well-{number}"
            self.clients[name].post("edit", id=mine, fields={"add_tags": [tag]})
            waiting[name] = (its, tag)
        while waiting and time.monotonic() - began < RESUME_SECONDS:
            for name, (its, tag) in list(waiting.items()):
                if tag in self.record(partner(name), its)["tags"]:
                    took[name] = time.monotonic() - began
                    del waiting[name]
            time.sleep(LOOK_SECONDS)
        for name in names:
            self.clients[name].post("faults", none=True)
        return took

    # --- judging

    def _finish(self, outcome: Outcome) -> None:
        for client in self.clients.values():
            client.post("flush", everything=True)
        for name in self.clients:
            self.bridge.start_run(name, "full")
        self.wait(self._is_quiet, QUIET_SECONDS, "quiet")
        with self.bridge.ledger.read() as tx:
            parked = parking.parked(tx)
            outcome.parked_runs = [row.why for row in parked if row.kind in RUN_KINDS]
            outcome.failing = [
                f"{run.kind} {run.connection}: {run.why}"
                for run in failing_runs.by_run(tx).values()
            ]
            for row in parked:
                self.say(f"parked {row.kind} {row.connection} {row.cause}: {row.why[:200]}")
        everything = collect(self.bridge, self.clients, 0, 0.0)
        for here, there in self.pairs:
            outcome.verdicts[here] = report.verify(_about(everything, {here, there}))
        outcome.led_astray = self.control.get("")["led astray"]
        outcome.leaks = list(self._leaks())

    def _is_quiet(self) -> bool:
        with self.bridge.ledger.read() as tx:
            left = select(func.count()).where(work.c.parked_at.is_(None))
            left = left.where(work.c.kind.not_in(RUN_KINDS))
            open_ = select(func.count()).select_from(attempt).where(attempt.c.closed_at.is_(None))
            return not tx.execute(left).scalar_one() and not tx.execute(open_).scalar_one()

    def _leaks(self) -> Iterator[str]:
        """Look for planted secrets in all that the bridge has written or says."""
        places = {"the log": self.log.read_bytes()}
        assert b"answered" in places["the log"], "nothing of all this was logged"
        for path in sorted((self.home / "var").rglob("*")):
            if path.is_file():
                places[path.name] = path.read_bytes()
        for command in (["status", "--json"], ["doctor", "--json"], ["parked", "list", "--json"]):
            done = subprocess.run(
                [sys.executable, "-m", "bridge", *command],
                env=child_environ(),
                cwd=ROOT,
                capture_output=True,
                timeout=60,
                check=False,
            )
            places["bridge " + command[0]] = done.stdout + done.stderr
        for place, content in places.items():
            for secret in self.secrets:
                if secret.encode() in content:
                    at = content.index(secret.encode())
                    yield f"{place}: {secret[:12]}…: {content[max(0, at - 80) : at + 20]!r}"


def _about(everything: report.VerifyInput, names: set[str]) -> report.VerifyInput:
    """Return the evidence about some connections: the judge takes all to mirror one another."""

    def of(rows: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
        return [row for row in rows if _named(row) in {None, *names}]

    return report.VerifyInput(of(everything.journal), of(everything.finals), of(everything.facts))


def _named(row: Mapping[str, Any]) -> Any:
    return row.get("name") if row.get("kind") == "connection" else row.get("connection")


def _batches(ways: Sequence[str], at_once: int) -> Iterator[Sequence[str]]:
    for start in range(0, len(ways), at_once):
        yield ways[start : start + at_once]


def _resident(pid: int) -> int:
    """Return the resident bytes of a process and of all below it."""
    pages = 0
    for entry in Path("/proc").iterdir():
        with contextlib.suppress(OSError, ValueError):
            number = int(entry.name)
            parent = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
            if pid in (number, parent):
                pages += int((entry / "statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def _end(child: subprocess.Popen[bytes]) -> None:
    if child.poll() is None:
        child.send_signal(signal.SIGTERM)
        try:
            child.wait(10)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()
    for stream in (child.stdin, child.stdout):
        if stream is not None:
            stream.close()
