"""A whole bridge in one process: memory systems, virtual time, no threads, all else real."""

import random
from datetime import UTC, datetime, timedelta

from bridge.core.merge.equality import agrees, decision_holds, same_raw
from bridge.core.model.capabilities import Support
from bridge.core.model.syncs import Connection, FieldPolicy, MatchTerm, Member, Sync
from bridge.core.model.values import NO_BASE
from bridge.engine.context import Context
from bridge.engine.inline import InlineExecutor
from bridge.engine.worker import Drain
from bridge.ledger import links, tables, work
from bridge.ledger.database import Ledger
from bridge.preview.rehearsal import FreeBudget
from bridge.procedures import PROCEDURES
from bridge.runs import reconcile
from bridge.simulate.virtual_worker import StepWorker
from tests.memory import MemoryConnector, helpdesk_like, lossless, posthog_like, zaia_like

__all__ = ["FreeBudget", "ManualClock", "StepWorker", "TickingClock", "World", "born"]


class ManualClock:
    """Time that passes only when told to."""

    def __init__(self, start=datetime(2026, 1, 5, 9, 0, tzinfo=UTC)):
        self.time = start

    def now(self):
        return self.time

    def sleep(self, seconds):
        self.time += timedelta(seconds=seconds)

    advance = sleep


class TickingClock(ManualClock):
    """Time that passes a little whenever somebody looks."""

    def now(self):
        self.time += timedelta(milliseconds=20)
        return self.time


NAMES = ("subject", "status", "priority", "assignee", "tags")
LIKE = {"L": lossless, "H": helpdesk_like, "P": posthog_like, "Z": zaia_like}


def tickets(names, **policies):
    return Sync(
        name="tickets",
        entity="ticket",
        members={name: Member(name, create=Support.YES) for name in names},
        policies={name: policies.get(name, FieldPolicy()) for name in NAMES},
        precedence=tuple(names),
        match=((MatchTerm("subject"),),),
    )


class World:
    """Memory systems, a ledger, and the context that the flow works in."""

    def __init__(self, ledger=None, names="LHPZ", **policies):
        self.clock = ManualClock()
        self.limits = FreeBudget()
        self.ledger = ledger or Ledger("sqlite://")
        if ledger is None:
            self.ledger.upgrade()
        made = {name: LIKE[name](self.clock) for name in names}
        self.systems = {name: system for name, (system, _can, _map) in made.items()}
        connections = {
            name: Connection(name, "memory", "memory", "memory:", {}, timeout=2.0) for name in names
        }
        self.connectors = {
            name: MemoryConnector(connections[name], self.systems[name]) for name in names
        }
        self.context = Context(
            connections=connections,
            syncs={"tickets": tickets(names, **policies)},
            maps={
                name: {"ticket": entity_map} for name, (_system, _can, entity_map) in made.items()
            },
            capabilities={name: {"ticket": can} for name, (_system, can, _map) in made.items()},
            clock=self.clock,
            rng=random.Random(7),
        )

    def drain(self, owner="drain", budget=None):
        pool = InlineExecutor(self.clock)
        return Drain(
            self.context,
            self.ledger,
            self.connectors,
            budget or FreeBudget(),
            owner,
            PROCEDURES,
            pool=pool,
        )

    def hint(self, name, remote_id, lane="live"):
        """What the receiver does for an accepted webhook, but for the inbox row."""
        with self.ledger.transaction() as tx:
            work.enqueue(
                tx,
                kind="observe",
                key=f"observe:{name}:ticket:{remote_id}",
                connection=name,
                entity="ticket",
                remote_id=remote_id,
                lane=lane,
                due_at=self.clock.now(),
                now=self.clock.now(),
            )

    def settle(self):
        """Let time pass and work be done until nothing is left that time alone would bring."""
        drain = self.drain()
        for _ in range(60):
            drain.run()
            with self.ledger.read() as tx:
                due = work.next_due(tx, self.clock.now())
            if due is None:
                return
            self.clock.advance(max(0.0, (due - self.clock.now()).total_seconds()) + 0.001)
        raise AssertionError(f"never comes to rest: {self.outstanding()}")

    def reconcile(self):
        """One full reconciliation of every system."""
        for name in self.systems:
            with self.ledger.transaction() as tx:
                reconcile.start(tx, name, "ticket", "full", self.clock.now())
        self.settle()

    def outstanding(self):
        with self.ledger.read() as tx:
            return [dict(row._mapping) for row in tx.execute(tables.work.select())]

    def links(self):
        with self.ledger.read() as tx:
            return list(links.load(tx, links.ids(tx)).values())

    def knows(self, name, field):
        """Whether a side's value of the field has ever been read."""
        entries = [
            link.sides[name].fields.get(field) for link in self.links() if name in link.sides
        ]
        return any(entry is not None and entry.shadow is not NO_BASE for entry in entries)

    def has_noted(self, kind):
        """Whether the timeline of any ticket has an entry of that kind."""
        kinds = tables.journal.select().where(tables.journal.c.kind == kind)
        with self.ledger.read() as tx:
            return tx.execute(kinds).first() is not None

    def bridge_writes(self):
        return sum(len(system.writes("bridge")) for system in self.systems.values())

    def unsettled(self):
        """Say which side of which link does not agree with the state, without a recorded reason."""
        rules, found = self.context.rules(self.context.syncs["tickets"]), []
        for link in self.links():
            for name, side in link.live().items():
                record = self.systems[name].record(name, side.remote_id)
                shown = self.context.maps[name]["ticket"].extract(record.data)
                for field, field_map in rules.maps[name].fields.items():
                    state, entry = link.state[field], side.fields[field]
                    if state.rev == 0 or state.candidates is not None or entry.unreadable:
                        continue
                    if not same_raw(field_map, entry.shadow, shown[field]):
                        found.append((name, field, "shadow", entry.shadow, shown[field]))
                    elif not agrees(field_map, entry, entry.shadow, state) and not decision_holds(
                        entry, link.state
                    ):
                        found.append((name, field, "state", state.value, entry.shadow))
        return found


def born(world, on="L", **values):
    usual = {"subject": "It does not print", "status": "open", "priority": "high", "tags": []}
    remote_id = world.systems[on].add(**(usual | values))
    world.hint(on, remote_id)
    world.settle()
    (link,) = world.links()
    return {name: side.remote_id for name, side in link.sides.items()}
