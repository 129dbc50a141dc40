"""Four lossy stores, edited at random and brought up by the simplest planner, come to rest."""

from hypothesis import given as drawn
from hypothesis import settings
from hypothesis import strategies as st

from bridge.core.merge.equality import (
    decision_holds,
    elements_of,
    lack_holds,
    present_elements,
    read_set,
)
from bridge.core.merge.observations import open_attempt
from bridge.core.model.values import NO_BASE, NotCarried
from tests.core.builders import RULES, attempt, link, look

FIELDS = ("subject", "status", "tags")
HABITS = {
    "L": lambda _name, raw, _old: raw,
    "H": lambda name, raw, _old: (
        [each[:4] for each in raw] if name == "tags" else raw[:3] if name == "subject" else raw
    ),
    "P": lambda name, raw, _old: [each.upper() for each in raw] if name == "tags" else raw,
    "Z": lambda name, raw, old: sorted({*old, *raw}) if name == "tags" else raw,
}
EDITS = {
    "L": {"status": ["new", "open", "on_hold", "resolved", "closed"]},
    "H": {"status": ["new", "open", "in_progress", "closed"]},
    "P": {"status": ["new", "open", "on_hold"]},
    "Z": {"status": ["waiting", "ongoing", "done"]},
}


class World:
    """Four records, the link between them, and a clock that moves with every call."""

    def __init__(self):
        self.link, self.now, self.writes = link(*"LHPZ"), 0, 0
        self.stores = {
            name: {"subject": "s", "status": EDITS[name]["status"][0], "tags": ["a"]}
            for name in "LHPZ"
        }

    def read(self, name, *, own=False):
        self.now += 1
        shown = {
            field: list(raw) if isinstance(raw, list) else raw
            for field, raw in self.stores[name].items()
        }
        look(self.link, name, self.now, own=own, **shown)

    def edit(self, name, field, raw):
        self.now += 1
        self.stores[name][field] = raw

    def deliver(self, name, *, answered):
        self.read(name)
        due = {field: raw for field in FIELDS if (raw := self.due(name, field)) is not None}
        if not due:
            return
        self.writes += 1
        self.now += 1
        side = self.link.sides[name]
        older, newer = side.attempt, attempt(self.link, name, at_seconds=self.now, **due)
        side.attempt = older
        open_attempt(side, newer)
        for field, raw in due.items():
            self.stores[name][field] = HABITS[name](field, raw, self.stores[name][field])
        if answered:
            self.read(name, own=True)

    def due(self, name, field):
        """What would be sent, None if nothing is to do."""
        entry, state, field_map = (
            self.link.sides[name].fields[field],
            self.link.state[field],
            RULES.maps[name].fields[field],
        )
        if (
            entry.shadow is NO_BASE
            or not state.rev
            or entry.level >= state.rev
            or entry.unreadable
            or state.candidates
        ):
            return None
        if not field_map.is_set:
            raw = field_map.write(state.value)
            if isinstance(raw, NotCarried) and not decision_holds(entry, self.link.state):
                entry.decided = {field: state.rev}
            return None if isinstance(raw, NotCarried) or self.settled(name, field) else raw
        here = read_set(field_map, entry, entry.shadow, present_elements(state))
        kept = [
            raw
            for element, raw in here.items()
            if element in present_elements(state) or lack_holds(entry, state, element)
        ]
        fresh = [
            each
            for each in sorted(present_elements(state) - here.keys())
            if not lack_holds(entry, state, each)
        ]
        wanted = [*dict.fromkeys(kept), *fresh]
        return None if sorted(wanted) == sorted(set(elements_of(entry.shadow))) else wanted

    def settled(self, name, field):
        entry, state, field_map = (
            self.link.sides[name].fields[field],
            self.link.state[field],
            RULES.maps[name].fields[field],
        )
        raw, value = entry.shadow, state.value
        return (
            field_map.read(raw) == value
            or field_map.write(value) == raw
            or entry.remembered_answer == (value, raw)
        )


SIDES = st.sampled_from("LHPZ")
TAGS = st.lists(st.sampled_from(["a", "vip", "billing", "bill"]), unique=True, max_size=3)


@st.composite
def steps(draw):
    name, kind = draw(SIDES), draw(st.sampled_from(["read", "deliver", "lost answer", *FIELDS]))
    raws = {
        "subject": st.sampled_from(["s", "hello", "hel"]),
        "status": st.sampled_from(EDITS[name]["status"]),
        "tags": TAGS,
    }
    return name, kind, draw(raws[kind]) if kind in FIELDS else None


@settings(deadline=None)
@drawn(st.lists(steps(), max_size=25))
def test_when_edits_stop_every_side_comes_to_rest_and_nothing_more_is_written(history):
    world = World()
    for name in "LHPZ":
        world.read(name)
    for name, kind, raw in history:
        if kind == "read":
            world.read(name)
        elif kind in FIELDS:
            world.edit(name, kind, raw)
        else:
            world.deliver(name, answered=kind == "deliver")
    for _round in range(6):
        for name in "LHPZ":
            world.deliver(name, answered=True)
    writes, state = world.writes, {field: world.link.state[field].rev for field in FIELDS}
    for name in "LHPZ":
        world.deliver(name, answered=True)
    assert world.writes == writes
    assert {field: world.link.state[field].rev for field in FIELDS} == state
    for name in "LHPZ":
        for field in FIELDS:
            entry = world.link.sides[name].fields[field]
            assert entry.unreadable or entry.level == world.link.state[field].rev, (name, field)
