"""Plays a script on a stage: one method a kind of step."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Mapping
from datetime import timedelta
from functools import partial
from typing import Any

from bridge.core.model.counting import counted
from bridge.ledger import connection_health, webhook_inbox
from bridge.queue.redis_budget import MemoryBudget
from bridge.runs import account_metrics, backfill, comparison, schedule
from bridge.sandbox import population
from bridge.sandbox.exchange import Problem
from bridge.sandbox.store import Record
from bridge.sandbox.vendor_app import Sandbox
from bridge.simulate import changed_files, put_back, second_requests
from bridge.simulate.changed_files import MIN_MEMBERS
from bridge.simulate.quiet import (
    PromiseBroken,
    fair_weather,
    put_files_back,
    rename_connection,
    run_drain,
)
from bridge.simulate.second_requests import SecondRequest
from bridge.simulate.stage import RECEIVER, TICKET, Stage, unsigned
from bridge.simulate.turns import Turns
from bridge.simulate.vendor_line import Fault

UNREAD_SHARE = 0.25
"""Of the tickets that begin at a system, so many begin with a value that has no reading."""


class Player:
    """Does what the script says, on one stage."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        self.drafts = population.tickets(5, stage.script.seed)
        self.turns = Turns(stage, self._by_hand)
        self.clock_looks_at = stage.clock.now()
        self.second_requests: list[SecondRequest] = []
        self.twins = any(
            sync.match for sync in stage.context.syncs.values() if sync.entity == TICKET
        )
        """Whether tickets that exist on two systems already are matched with each other."""

    def play(self) -> None:
        """Do all steps."""
        for number, step in enumerate(self.stage.script.steps):
            self.stage.tell(f"-- {step}")
            method: Callable[..., None] = getattr(self, f"_{step.kind}")
            method(*((step.where, *step.args) if step.where else step.args))
            self.stage.counts["steps"] += 1
            self.stage.counts["faults"] += step.fault
            self.stage.clock.sleep(0.2)
            self.notice()
            if number % 8 == 0:
                self.count()

    def count(self) -> None:
        """Check that every accepted webhook has one row, and that the ledger's account adds up."""
        with self.stage.ledger.read() as tx:
            account = webhook_inbox.account(tx)
        if not account.balanced:
            raise PromiseBroken(f"the account of webhooks does not add up: {account}")
        if account.accepted != self.stage.accepted:
            accepted = f"{counted(self.stage.accepted, 'webhook was', 'webhooks were')} accepted"
            raise PromiseBroken(f"{accepted}, {account.accepted} are in the ledger")

    # Each step of a script is done by the method of its kind.

    # Humans.

    def _ticket(self, where: str, number: int, twin: bool) -> None:
        if not 0 < number <= len(self.drafts):
            return
        draft = self.drafts[number - 1]
        everywhere = [connection.name for connection in self.stage.home.drawn_connections()]
        for name in everywhere if twin and self.twins else [where]:
            app = self.stage.apps[name]
            fields = {**app.seeded(draft, number, len(self.drafts)), **self._unread(app, number)}
            self._by_hand(app, partial(app.create, fields))

    def _unread(self, app: Sandbox, number: int) -> Mapping[str, Any]:
        """Let some tickets begin with what nobody can read: an edit of it is an edit all the same.

        Drawn apart from the script, so that its steps stay as they are.
        """
        rng = random.Random(f"unread {self.stage.script.seed} {app.name} {number}")
        return rng.choice(app.UNREAD) if app.UNREAD and rng.random() < UNREAD_SHARE else {}

    def _edit(self, where: str, ticket: int, fields: Mapping[str, Any]) -> None:
        app = self.stage.apps[where]
        record = self._find(app, ticket)
        if record is not None:
            self._by_hand(app, lambda: app.edit(str(record["id"]), fields))

    def _message(self, where: str, ticket: int, ago: float) -> None:
        app = self.stage.apps[where]
        record = self._find(app, ticket)
        if record is not None:
            self._by_hand(
                app, lambda: app.message(str(record["id"]), f"Any news on {ticket}?", ago)
            )

    def _remove(self, where: str, ticket: int) -> None:
        app = self.stage.apps[where]
        record = self._find(app, ticket) if ticket < len(self.drafts) else None
        if record is not None:
            self._by_hand(app, lambda: app.delete(str(record["id"])))

    def _again(self, where: str, ticket: int) -> None:
        """Let a customer write again, under the same subject, whose first request has ended."""
        again = second_requests.write_again(self.stage, self._by_hand, where, self._draft(ticket))
        self.second_requests += again

    def _draft(self, ticket: int) -> population.TicketDraft:
        return self.drafts[ticket % len(self.drafts)]

    def _find(self, app: Sandbox, ticket: int) -> Record | None:
        """Find a ticket in a system, as a human does: by who asked."""
        wanted = self._draft(ticket).customer
        return next(
            (record for record in app.tickets() if app.customer_email(record) == wanted), None
        )

    def _by_hand(self, app: Sandbox, act: Callable[[], object]) -> None:
        before = len(app.journal.since())
        try:
            act()
        except Problem as problem:
            self.stage.tell(f"{app.name}: a human is refused: {problem}")
            return
        for entry in app.journal.since()[before:]:
            self.stage.counts["edits"] += 1
            change = dict(entry.after) if entry.kind == "edit" else ""
            self.stage.tell(f"{app.name}: a human {entry.kind}s {entry.id}: {change}")

    def look(self, where: str) -> None:
        """Let an operator ask for a look at whatever was deleted there."""
        app, called = self.stage.apps[where], self.stage.called.get(where)
        if called is None:
            return
        gone = sorted({entry.id for entry in app.journal.since() if entry.kind == "delete"})
        with self.stage.ledger.transaction() as tx:
            comparison.queue_observes(
                tx, self.stage.context, called, TICKET, gone, self.stage.clock.now()
            )
        self.stage.bell.rung = True

    _look = look

    # Webhooks.

    def _mail(self, where: str, count: int) -> None:
        for _ in range(count):
            if self.stage.mails[where].waiting:
                self._deliver(where, 0)

    def _shuffle(self, where: str, number: int) -> None:
        self._deliver(where, number)

    def _repeat(self, where: str, number: int) -> None:
        self._deliver(where, number, keep=True)
        self._deliver(where, number)

    def _unheard(self, where: str, number: int) -> None:
        """Let the receiver commit and die before it answers: the vendor will send it again."""
        self._deliver(where, number, keep=True)

    def _lose(self, where: str, number: int) -> None:
        mail = self.stage.mails[where]
        if mail.waiting:
            webhook = mail.queued[number % mail.waiting]
            self.stage.tell(f"{where}: the webhook for {webhook.record_id} is lost")
            mail.lose(number)

    def _deliver(self, where: str, number: int, *, keep: bool = False) -> None:
        mail = self.stage.mails[where]
        if not mail.waiting:
            return
        webhook = mail.queued[number % mail.waiting]
        status = mail.deliver(number, keep=keep)
        self.stage.tell(f"{where}: webhook {webhook.event} {webhook.record_id} -> {status}")
        self.stage.counts["webhooks"] += 1

    def _forge(self, where: str, how: str, number: int) -> None:
        """Send a webhook about a record that does not exist, or without knowing the secret."""
        stage = self.stage
        if stage.mails[where].target is None:
            return
        if how == "signed":
            self._forge_signed(where, number)
            return
        body = json.dumps({"event": "ticket.updated", "data": {"id": str(number)}}).encode()
        raw = body if how == "unsigned" else body[:20]
        status = stage.post(f"{RECEIVER}/webhooks/{where}", unsigned(raw), raw)
        if status < 400:
            raise PromiseBroken(f"{where}: a webhook that nobody signed was answered {status}")

    def _forge_signed(self, where: str, number: int) -> None:
        """Send a signed webhook about a record that does not exist, like one that does."""
        app, mail = self.stage.apps[where], self.stage.mails[where]
        records = app.tickets()
        if not records:
            return
        unknown = {**records[0], "id": f"{number:08d}-0000-4000-8000-{number:012d}"}
        for event in app.events("create", unknown, {}, {})[:1]:
            body, headers = app.envelope(event, f"forged-{number}")
            mail.emit(event.name, event.record_id, body, headers, f"forged-{number}")
        self._deliver(where, -1)

    # Workers.

    def _work(self, who: str) -> None:
        for digit in who:
            self.turns.take(self.stage.workers[int(digit)])

    def _crash(self, place: str, position: str) -> None:
        self.turns.armed.add((place, position))

    def _die(self, number: int, position: str) -> None:
        self.turns.kill(self.stage.workers[number], position)

    def _drain(self) -> None:
        self.stage.tell("a drain runs")
        run_drain(self.stage.drain(), 2.0)

    def _wait(self, seconds: float) -> None:
        self.stage.clock.sleep(seconds)

    def _fair(self) -> None:
        """Let nothing go wrong for once, until all sides are level."""
        fair_weather(self.stage)

    def _clock(self) -> None:
        """Let the clock start what is due."""
        stage = self.stage
        for run_id in schedule.start_due_runs(stage.context, stage.ledger):
            stage.tell(f"clock: starts {run_id}")
        with stage.ledger.transaction() as tx:
            connections = account_metrics.queue_due_fetches(tx, stage.connectors, stage.clock.now())
        stage.tell(f"clock: asks {', '.join(connections) or 'nobody'} for account metrics")

    def _backfill(self, where: str) -> None:
        """Let an operator import what a connection has."""
        stage = self.stage
        if where in stage.called:
            with stage.ledger.transaction() as tx:
                backfill.start(tx, stage.called[where], TICKET, stage.clock.now())

    def notice(self) -> None:
        """Let the clock ring for what waits, once a second: a lost doorbell rings again."""
        stage = self.stage
        if stage.bell.rung or stage.clock.now() < self.clock_looks_at:
            return
        self.clock_looks_at = stage.clock.now() + timedelta(seconds=1)
        with stage.ledger.read() as tx:
            stage.bell.rung = schedule.due_work(tx, stage.clock.now())

    def _empty(self) -> None:
        """Empty Redis: the doorbell, and the budget with every Retry-After."""
        self.stage.bell.rung = False
        self.stage.budget = MemoryBudget()
        for line in self.stage.lines.values():
            line.held_until = None

    def _resume(self, where: str) -> None:
        """Let an operator mend a connection's key."""
        stage = self.stage
        if stage.lines[where].refusing and where in stage.called:
            stage.lines[where].refusing = False
            stage.lines[where].forget_refusals()
            with stage.ledger.transaction() as tx:
                connection_health.resume(tx, stage.called[where])

    def _unname(self, where: str) -> None:
        """Let an admin take a connection out of the files, and start the bridge anew."""
        stage = self.stage
        if where in stage.called and len(stage.called) > MIN_MEMBERS:
            called = {account: name for account, name in stage.called.items() if account != where}
            stage.start(changed_files.without(stage.context, stage.called[where]), called)

    def _rename(self, where: str) -> None:
        """Let an admin call a connection otherwise, in the files and in the stopped ledger."""
        stage = self.stage
        if where in stage.called:
            rename_connection(stage, where, f"{stage.called[where]}-2")

    def _rewrite(self) -> None:
        """Let an admin put the files back as they were at first."""
        put_files_back(self.stage)

    def _keep(self) -> None:
        """Let an operator back the ledger up."""
        put_back.keep(self.stage)

    def _putback(self) -> None:
        """Let the ledger be put back from the newest backup; without one, it is empty."""
        put_back.put_back(self.stage)

    # Vendors.

    def _fault(self, where: str, kind: str, on: str, seconds: float, spares: int) -> None:
        self.stage.lines[where].faults.append(Fault(kind, on, seconds, spares))

    def _down(self, where: str, seconds: float) -> None:
        self.stage.lines[where].down_until = self.stage.clock.now() + timedelta(seconds=seconds)

    def _revoke(self, where: str) -> None:
        self.stage.lines[where].refusing = True

    def _skew(self, where: str, seconds: float) -> None:
        wrong = self.stage.script.clocks.get(where, 0.0)
        self.stage.lines[where].theirs.seconds = wrong + seconds
        self.stage.mails[where].clock.seconds = seconds

    def _lag(self, where: str, seconds: float) -> None:
        self.stage.lines[where].lag = seconds

    def _license(self, where: str, licensed: bool = True) -> None:
        if "tags_licensed" in self.stage.apps[where].options:
            self.stage.apps[where].options["tags_licensed"] = licensed

    def _restrict(self, where: str, ticket: int = 0, restricted: bool | None = None) -> None:
        """Let an admin take a ticket out of the bridge's reach, or give all of them back."""
        app = self.stage.apps[where]
        record = self._find(app, ticket) if restricted else None
        if record is not None:
            app.restrict(str(record["id"]))
            # No listing shows it from now on: whoever has not seen it yet cannot know of it.
            left_out = self.stage.lines[where].left_out
            left_out.setdefault(str(record["id"]), self.stage.clock.now())
            self.stage.tell(f"{where}: an admin restricts {record['id']}")
        elif restricted is False:
            app.restricted.clear()

    def _poison(self, where: str, ticket: int, poison: str) -> None:
        """Let a vendor show a ticket oddly from now on."""
        record = self._find(self.stage.apps[where], ticket)
        if record is not None:
            self.stage.lines[where].spoil(str(record["id"]), poison)
            self.stage.tell(f"{where}: shows {record['id']} with {poison}")

    def _cure(self, where: str) -> None:
        """Let a vendor show all its tickets as they are."""
        self.stage.lines[where].cure()

    def _intrude(self, where: str, ticket: int, fields: Mapping[str, Any]) -> None:
        """Let a human save between our read and our write."""
        self.stage.lines[where].intruders.append(lambda: self._edit(where, ticket, fields))

    def _meddle(self, where: str, kind: str, fields: Mapping[str, Any]) -> None:
        """Let a human save when a worker has decided on a record and is about to read it again."""
        self.turns.meddlers.append((kind, where, fields))

    def _fight(self, where: str, ticket: int, fields: Mapping[str, Any]) -> None:
        """Let an automation of the vendor's set a field back after each write."""

        def react() -> None:
            app = self.stage.apps[where]
            record = self._find(app, ticket)
            if record is not None and any(
                record.get(name) != value for name, value in fields.items()
            ):
                self._edit(where, ticket, fields)

        self.stage.lines[where].reactions.append(react)
