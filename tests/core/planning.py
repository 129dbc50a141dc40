"""A link of the four systems in memory, and plans for it."""

from dataclasses import replace

from bridge.core.merge.case import Rules
from bridge.core.merge.lifecycle import resolve
from bridge.core.merge.observations import absorb
from bridge.core.model.capabilities import Support
from bridge.core.model.state import Link, Side
from bridge.core.model.syncs import FieldPolicy, Member, Sync
from bridge.core.planning.planner import plan
from tests.core.builders import T0, at, seen
from tests.memory import helpdesk_like, lossless, posthog_like, zaia_like


class Still:
    def now(self):
        return T0

    def sleep(self, seconds):
        raise AssertionError(seconds)


LIKE = {"L": lossless, "H": helpdesk_like, "P": posthog_like, "Z": zaia_like}
CAN = {name: make(Still())[1] for name, make in LIKE.items()}
MAPS = {name: make(Still())[2] for name, make in LIKE.items()}
NAMES = ("subject", "status", "priority", "assignee", "tags")
SAME = {"subject": "s", "priority": "low", "assignee": "ann", "tags": ["a"]}
FIRST = {
    "L": {**SAME, "status": "new"},
    "H": {**SAME, "status": "new"},
    "P": {**SAME, "status": "new"},
    "Z": {"subject": "s", "assignee": "ann", "tags": ["a"], "status": "pending"},
}


def given_rules(*, maps=MAPS, can=CAN, create=Support.YES, **policies):
    sync = Sync(
        name="tickets",
        entity="ticket",
        members={name: Member(name, create=create) for name in maps},
        policies={name: policies.get(name, FieldPolicy()) for name in NAMES},
        precedence=tuple("LHPZ"),
    )
    return Rules(sync=sync, maps=maps, writable={name: each.writable for name, each in can.items()})


RULES = given_rules()


class Scene:
    """A link whose sides have all shown the same ticket at 0 s; then things happen."""

    def __init__(self, sides="LHPZ", *, rules=RULES, can=CAN, **first):
        self.rules, self.can, self.seconds = rules, dict(can), 0
        self.probed = {}
        self.link = Link(id="1", sync="tickets", entity="ticket")
        for name in sides:
            self.link.sides[name] = Side(connection=name, remote_id=name)
            self.show(name, **{**FIRST[name], **first.get(name, {})})

    def show(self, connection, *, own=False, **values):
        """Take one read, or answer, of a side at the next second."""
        self.seconds += 1
        return absorb(self.link, seen(connection, self.seconds, own=own, **values), self.rules)

    def decide(self, field, value):
        """Set a new state of a field, which every side is behind."""
        self.seconds += 1
        return resolve(self.link, field, value, at(self.seconds))

    def set_capability(self, connection, key, **flags):
        """Change what a connection can do with a key."""
        can = self.can[connection]
        writable = {**can.writable, key: replace(can.writable[key], **flags)}
        self.can[connection] = replace(can, writable=writable)

    def plan(self, connection, *, probed=None, **more):
        return plan(
            self.link, connection, self.rules, self.can[connection], probed or self.probed, **more
        )

    def calls(self, connection, **more):
        return [(call.verb, call.body) for call in self.plan(connection, **more).calls]

    def entry(self, connection, name):
        return self.link.sides[connection].fields[name]
