"""Four systems with different value spaces, two workers, and all that can go wrong, in any order.

Humans edit while our workers are in the middle of things, hints are lost and doubled, reads and
writes fail before and after they are done, workers die between any two effects. Afterwards, when
faults have healed, one reconciliation must bring every side to rest, a second one must write
nothing, and no edit may have vanished without a record.
"""

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from bridge.ledger import conflict_log, connection_health
from tests.flow.world import StepWorker, World

STATUS = {
    "L": ["new", "open", "pending", "on_hold", "resolved", "closed"],
    "H": ["new", "open", "in_progress", "pending", "resolved", "closed"],
    "P": ["new", "open", "pending", "on_hold", "resolved"],
    "Z": ["pending", "ongoing", "completed"],
}
EDITS = {
    "status": None,
    "priority": ["low", "normal", "high", "urgent"],
    "assignee": ["ann", "bob", "cat"],
    "tags": [["a"], ["a", "b"], ["b", "c"], ["a", "VIP"], ["c"]],
}
FAULTS = st.sampled_from(["before", "after", "lost", "late", "not sent", "limited"])
NAMES = st.sampled_from("LHPZ")


class Bridge(RuleBasedStateMachine):
    @initialize(where=st.sampled_from("LHP"), both=st.booleans())
    def begin(self, where, both):
        self.world = World()
        self.workers = [StepWorker(self.world, "one"), StepWorker(self.world, "two")]
        self.unsafe = set()
        self.edits = []
        self.begun = sorted({where, "L"} if both else {where})
        for name in self.begun:
            remote_id = self.world.systems[name].add(
                subject="A", status="new", priority="low", tags=["a"]
            )
            self.world.hint(name, remote_id)

    @rule(
        name=NAMES,
        field=st.sampled_from(sorted(EDITS)),
        pick=st.integers(0, 5),
        told=st.integers(0, 2),
    )
    def edit(self, name, field, pick, told):
        """A human changes something; the hint comes once, twice or never."""
        system = self.world.systems[name]
        if not system.ids or (name == "Z" and field == "priority"):
            return
        remote_id = system.ids[0]
        values = EDITS[field] or STATUS[name]
        before = system.peek(remote_id)[field]
        based = all(self.world.knows(each, field) for each in {name, *self.begun})
        self.world.clock.advance(1.5)
        system.edit(remote_id, **{field: values[pick % len(values)]})
        if based and system.peek(remote_id)[field] != before:
            self.edits.append((name, field, system.peek(remote_id)[field]))
        for _ in range(told):
            self.world.hint(name, remote_id)

    @rule(name=NAMES, kind=FAULTS, on=st.sampled_from(["read", "update", "create", "list"]))
    def fault(self, name, kind, on):
        self.world.systems[name].fail(kind, on=on)

    @rule(which=st.integers(0, 1), steps=st.integers(1, 12))
    def work(self, which, steps):
        for _ in range(steps):
            if not self.workers[which].step():
                return

    @rule(which=st.integers(0, 1), after=st.booleans())
    def die(self, which, after):
        self.workers[which].die(after=after)

    @rule(seconds=st.sampled_from([0.1, 3.0, 40.0]))
    def wait(self, seconds):
        self.world.clock.advance(seconds)

    @rule(name=NAMES)
    def licence(self, name):
        system = self.world.systems[name]
        (system.lapse if system.licensed else system.renew)()
        self.unsafe.add("tags")

    def teardown(self):
        if not hasattr(self, "world"):
            return
        world = self.world
        for worker in self.workers:
            worker.die(after=False)
        for system in world.systems.values():
            system._faults.clear()
            system.renew()
        world.clock.advance(120)
        with world.ledger.transaction() as tx:
            for name in world.systems:
                connection_health.resume(tx, name)
        world.reconcile()
        assert world.unsettled() == []
        assert all(len(system.ids) <= 1 for system in world.systems.values()), "a duplicate"
        assert len(world.links()) == 1
        if world.has_noted("ambiguous"):  # what can be told apart by now is joined by the next
            world.reconcile()
        writes = world.bridge_writes()
        world.reconcile()
        assert world.bridge_writes() == writes, "a second reconciliation wrote something"
        self.check_edits()

    def check_edits(self):
        """The last edit of a field stands, or it is on record why not; none before they met."""
        (link,) = self.world.links()
        with self.world.ledger.read() as tx:
            recorded = {row["field"] for row in conflict_log.of_link(tx, link.id)}
        last = {field: (name, value) for name, field, value in self.edits if field != "tags"}
        for field, (name, value) in last.items():
            if field in self.unsafe or field in recorded:
                continue
            shown = self.world.systems[name].peek(link.sides[name].remote_id)[field]
            mapped = self.world.context.maps[name]["ticket"].fields[field]
            assert mapped.read(shown) == mapped.read(value), f"{name}.{field}: {value!r} was lost"


Bridge.TestCase.settings = settings(
    max_examples=30, stateful_step_count=25, deadline=None, suppress_health_check=list(HealthCheck)
)
TestMachine = Bridge.TestCase
