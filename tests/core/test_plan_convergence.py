"""Plan and merge together, over systems in memory that fail at random: they come to rest.

No ledger and no queue here: one link, four sides, and the order of steps is drawn.
"""

from datetime import timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from bridge.core.merge.case import Observation
from bridge.core.merge.equality import same_raw
from bridge.core.merge.observations import absorb, is_believable, open_attempt
from bridge.core.model.state import Attempt, Link, Side
from bridge.core.model.syncs import Connection
from bridge.core.model.values import Ref, Unreadable
from bridge.core.planning.planner import mark_tried, plan
from bridge.errors import NotSent, Unavailable, UnknownOutcome
from tests.core.builders import T0
from tests.core.planning import LIKE, RULES
from tests.memory import MemoryConnector

STATUS = {
    "L": ["new", "open", "pending", "on_hold", "resolved", "closed"],
    "H": ["new", "open", "in_progress", "pending", "resolved", "closed"],
    "P": ["new", "open", "pending", "on_hold", "resolved"],
    "Z": ["pending", "ongoing", "completed"],
}


class Clock:
    def __init__(self):
        self.time = T0

    def now(self):
        return self.time


class World:
    def __init__(self):
        self.clock, self.probed = Clock(), {}
        self.link = Link(id="1", sync="tickets", entity="ticket")
        self.systems, self.ids, self.connectors, self.can = {}, {}, {}, {}
        for name, make in LIKE.items():
            system, self.can[name], _mapped = make(self.clock)
            values = {"subject": "s", "priority": "low", "assignee": None, "tags": ["a"]}
            self.ids[name] = system.add(**values, status=STATUS[name][0])
            self.systems[name] = system
            self.connectors[name] = MemoryConnector(
                Connection(name, "memory", "memory", "memory:", {}), system
            )
            self.link.sides[name] = Side(connection=name, remote_id=self.ids[name])
        for name in LIKE:
            self.observe(name)

    def pass_time(self, seconds=1.0):
        self.clock.time += timedelta(seconds=seconds)

    def observe(self, name):
        """Read a side and absorb it; False when that did not work, or must wait."""
        side = self.link.sides[name]
        if side.attempt is not None and self.clock.time < side.attempt.send_by + timedelta(
            seconds=2
        ):
            return False
        self.pass_time()
        try:
            record = self.connectors[name].read("ticket", [self.ids[name]])[self.ids[name]]
        except Unavailable:
            return False
        return self.take_in(name, record, own=False)

    def take_in(self, name, record, *, own):
        side, entity_map = self.link.sides[name], RULES.maps[name]
        values = entity_map.extract(record.data)
        values |= {key: Unreadable(why) for key, why in record.unreadable.items()}
        seen = Observation(
            name,
            values,
            record.read_at,
            record.changed_before,
            version=entity_map.version(record.data),
            own=own,
        )
        if not is_believable(side, seen, 2.0):
            return False
        absorb(self.link, seen, RULES)
        return True

    def deliver(self, name):
        """Read, absorb, plan, note the attempt, send its first call, absorb the answer."""
        if not self.observe(name):
            return
        side, calls = self.link.sides[name], self.calls(name)
        if not calls:
            return
        call = calls[0]
        mark_tried(self.link, name, call)
        attempt = Attempt(
            id="a",
            verb=call.verb,
            sent=dict(call.sent),
            before=dict(call.before),
            state_values=dict(call.state_values),
            revs=dict(call.revs),
            send_by=self.clock.time + timedelta(seconds=2),
            body=dict(call.body),
            version=side.version,
        )
        open_attempt(side, attempt)
        self.pass_time(0.1)
        try:
            record = self.connectors[name].update(
                Ref(name, "ticket", self.ids[name]), call.verb, call.body
            )
        except UnknownOutcome:
            return
        except NotSent:
            side.attempt = None
            return
        if record is not None:
            self.take_in(name, record, own=True)

    def calls(self, name):
        return plan(self.link, name, RULES, self.can[name], self.probed, leftover_only=True).calls

    def settle(self, rounds=12):
        for _ in range(rounds):
            for name in LIKE:
                self.pass_time(5)
                self.deliver(name)

    def bridge_writes(self):
        return sum(len(system.writes()) for system in self.systems.values())


NAMES = st.sampled_from("LHPZ")
TAGS = st.lists(st.sampled_from(["a", "VIP", "billing", "x"]), unique=True, max_size=3)
PEOPLE = st.sampled_from(["ann", "bob"])


@st.composite
def steps(draw):
    name = draw(NAMES)
    kind = draw(
        st.sampled_from(
            ["observe", "deliver", "deliver", "edit", "edit", "fault", "licence", "step back"]
        )
    )
    if kind == "edit":
        key = draw(st.sampled_from(["status", "assignee", "tags"]))
        values = {"status": st.sampled_from(STATUS[name]), "assignee": PEOPLE, "tags": TAGS}
        return name, kind, {key: draw(values[key])}
    if kind == "fault":
        fault = draw(st.sampled_from(["before", "after", "lost", "late", "not sent"]))
        return name, kind, {"kind": fault, "on": "update"}
    return name, kind, {}


def play(world, history):
    for name, kind, given_values in history:
        system = world.systems[name]
        if kind == "edit":
            world.pass_time(0.5)
            system.edit(world.ids[name], **given_values)
        elif kind == "fault":
            system.fail(**given_values)
        elif kind == "licence":
            (
                world.systems["P"].lapse
                if world.systems["P"].licensed
                else world.systems["P"].renew
            )()
        elif kind == "step back" and name in "LHP":
            system.step_back(world.ids[name])
        elif kind == "deliver":
            world.deliver(name)
        else:
            world.observe(name)
    world.systems["P"].renew()


@settings(deadline=None, max_examples=150)
@given(st.lists(steps(), max_size=30))
def test_after_the_last_edit_every_side_comes_to_rest_and_no_call_is_left(history):
    world = World()
    play(world, history)
    world.settle()
    writes, revs = (
        world.bridge_writes(),
        {name: state.rev for name, state in world.link.state.items()},
    )
    world.settle(rounds=3)
    assert world.bridge_writes() == writes
    assert {name: state.rev for name, state in world.link.state.items()} == revs
    for name in LIKE:
        side, entity_map = world.link.sides[name], RULES.maps[name]
        held = world.systems[name].peek(world.ids[name])
        assert world.calls(name) == []
        for key in entity_map.fields:
            entry = side.fields[key]
            if not entry.unreadable:
                assert same_raw(entity_map.fields[key], entry.shadow, held[key]), (name, key)
                assert entry.level == world.link.state[key].rev, (name, key)


def test_f15_a_call_that_clears_unbelievable_tags_does_not_stop_the_side():
    world = World()
    world.systems["L"].edit(world.ids["L"], tags=[])
    world.settle(2)
    assert world.systems["P"].peek(world.ids["P"])["tags"] == []
    world.systems["L"].edit(world.ids["L"], status="open")
    world.settle(2)
    assert world.systems["P"].peek(world.ids["P"])["status"] == "open"
