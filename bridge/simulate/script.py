"""The script of one seed, as data: drawn beforehand, so that `--shrink` can leave steps out."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from bridge.sandbox import deployments, population
from bridge.sandbox.vendor_app import Sandbox
from bridge.simulate.crash_points import NEW, REMOTE_POSITIONS, crash_points
from bridge.simulate.poison import POISONS
from bridge.simulate.vendor_line import KINDS

WORKERS: Final = 3
DAY_SECONDS: Final = 86400.0


@dataclass(frozen=True, slots=True)
class ScriptStep:
    """One thing that happens; `where` is a connection, for those that happen at one."""

    kind: str
    where: str = ""
    args: tuple[Any, ...] = ()

    @property
    def fault(self) -> bool:
        """Return whether something goes wrong in it."""
        return self.kind in FAULTS

    def __str__(self) -> str:
        """Write it for people."""
        words = " ".join([self.kind, self.where, *(str(arg) for arg in self.args)])
        return words.replace("  ", " ")


@dataclass(frozen=True, slots=True)
class DrawnConnection:
    """A connection on which people work on tickets, for whoever draws a script."""

    name: str
    sandbox: type[Sandbox]
    settle: float = 2.0


@dataclass(frozen=True, slots=True)
class Script:
    """All that happens in one seed."""

    seed: int
    options: Mapping[str, Mapping[str, Any]]
    """By connection: behaviour of its sandbox where the vendor's documents leave it open."""
    steps: tuple[ScriptStep, ...]
    deletes: bool = False
    """Delete a record on all sides when it is deleted on one, whatever the home says."""
    clocks: Mapping[str, float] = field(default_factory=dict)
    """By connection: for how many seconds its vendor's clock is wrong all the while."""


SHARE_DEPLOYED: Final = 0.3
"""Of the options by which deployments differ, so many are drawn for a seed."""

SHARE_WRONG_CLOCKS: Final = 0.3
"""Of the seeds, so many have vendors whose clocks are wrong by far more than one that is set."""
WRONG_BY: Final = (-14400.0, 0.0, 14400.0)
MAX_RARE: Final = 4
"""Steps of one rare kind in a seed."""
_FAULTS: Mapping[str, int] = {
    "fault": 12,
    "crash": 14,
    "die": 5,
    "lose": 3,
    "repeat": 2,
    "unheard": 2,
    "shuffle": 3,
    "forge": 2,
    "intrude": 3,
    "meddle": 1,
    "down": 2,
    "empty": 2,
    "skew": 1,
    "fight": 1,
    "revoke": 1,
    "license": 1,
    "lag": 1,
    "restrict": 1,
}
_USUAL: Mapping[str, int] = {
    "edit": 22,
    "mail": 12,
    "work": 34,
    "drain": 2,
    "wait": 7,
    "clock": 5,
    "ticket": 1,
    "message": 1,
    "remove": 1,
    "resume": 2,
    "backfill": 1,
}
RARE: Mapping[str, tuple[float, tuple[str, ...]]] = {
    "files": (0.2, ("unname", "rename", "rewrite")),
    "poison": (0.15, ("poison", "poison", "poison", "cure")),
    "ledger": (0.12, ("keep", "keep", "putback")),
}
"""What most seeds have none of: its share of the seeds, and the steps that there may be of it."""
_NO_FAULT: Mapping[str, tuple[float, tuple[str, ...]]] = {"again": (0.25, ("again",))}
"""The same, of what is nobody's fault."""
FAULTS: Final = frozenset({*_FAULTS, *(kind for _share, kinds in RARE.values() for kind in kinds)})


def draw(seed: int, connections: Sequence[DrawnConnection]) -> Script:
    """Draw one seed's script. The same seed and connections give the same."""
    rng = random.Random(f"simulate {seed}")
    options = {
        connection.name: deployments.draw(rng, connection.sandbox, SHARE_DEPLOYED)
        for connection in connections
    }
    drawn = _Drawn(rng, connections)
    steps = [drawn.step("ticket") for _ in range(rng.randint(1, 3))]
    steps.append(drawn.step("mail"))
    weights = {**_FAULTS, **_USUAL}
    kinds, shares = list(weights), list(weights.values())
    steps += [drawn.step(kind) for kind in rng.choices(kinds, shares, k=rng.randint(45, 75))]
    deletes = rng.random() < 0.25
    if deletes:
        steps[rng.randint(len(steps) // 3, len(steps)) :] = drawn.removal()
    _add_rare_steps(seed, connections, steps)
    return Script(seed, options, tuple(steps), deletes, _draw_clocks(seed, connections))


def _draw_clocks(seed: int, connections: Sequence[DrawnConnection]) -> Mapping[str, float]:
    """Draw whose clocks are wrong, apart from the steps, which stay as they are."""
    rng = random.Random(f"clocks {seed}")
    if rng.random() >= SHARE_WRONG_CLOCKS:
        return {}
    return {connection.name: rng.choice(WRONG_BY) for connection in connections}


def _add_rare_steps(
    seed: int, connections: Sequence[DrawnConnection], steps: list[ScriptStep]
) -> None:
    """Put steps of rare kinds between the others, which stay as they are."""
    for name, (share, kinds) in {**RARE, **_NO_FAULT}.items():
        rng = random.Random(f"{name} {seed}")
        drawn = _Drawn(rng, connections)
        if rng.random() < share:
            for _ in range(rng.randint(1, MAX_RARE)):
                steps.insert(rng.randint(0, len(steps)), drawn.step(rng.choice(kinds)))


class _Drawn:
    """Draws steps."""

    def __init__(self, rng: random.Random, connections: Sequence[DrawnConnection]) -> None:
        self._rng = rng
        self._connections = list(connections)
        self._tickets = 0

    def removal(self) -> list[ScriptStep]:
        """Draw the end of a ticket, deleted on one side and edited on others meanwhile."""
        rng, gone = self._rng, self._rng.choice(self._connections).name
        steps = [ScriptStep("fair"), ScriptStep("remove", gone, (0,))]
        for _ in range(2):
            if rng.random() < 0.4:  # what is written there then finds nothing
                other = rng.choice(self._connections)
                steps += [
                    ScriptStep("edit", other.name, (0, change(rng, other))),
                    ScriptStep("mail", other.name, (4,)),
                ]
                steps += [self.step("work") for _ in range(3)]
            steps += [ScriptStep("look", gone), *self._disturbed()]
            steps += [self.step(kind) for kind in rng.choices(("work", "crash"), k=4)]
        return [
            *steps,
            *(self.step(kind) for kind in rng.choices(("fault", "crash", "work", "intrude"), k=8)),
        ]

    def _disturbed(self) -> Iterator[ScriptStep]:
        """Let some deletions of ours fail, or come upon an edit."""
        for connection in self._connections:
            if self._rng.random() < 0.3:
                yield ScriptStep(
                    "meddle", connection.name, ("remove", change(self._rng, connection))
                )
            elif self._rng.random() < 0.4:
                yield ScriptStep(
                    "fault", connection.name, (self._rng.choice(KINDS), "delete", 1.0, 0)
                )

    def step(self, kind: str) -> ScriptStep:
        """Draw one step of a kind."""
        rng = self._rng
        connection = rng.choice(self._connections)
        make: Callable[[DrawnConnection], tuple[Any, ...]] = getattr(self, f"_{kind}", lambda _: ())
        return (
            ScriptStep(kind, connection.name, make(connection))
            if kind not in _NOWHERE
            else ScriptStep(kind, "", make(connection))
        )

    def _ticket(self, _connection: DrawnConnection) -> tuple[Any, ...]:
        if self._tickets >= 4:
            return (self._tickets, False)
        self._tickets += 1
        return (self._tickets, self._rng.random() < 0.2)

    def _edit(self, connection: DrawnConnection) -> tuple[Any, ...]:
        return (self._rng.randint(0, 3), change(self._rng, connection))

    def _intrude(self, connection: DrawnConnection) -> tuple[Any, ...]:
        return self._edit(connection)

    def _meddle(self, connection: DrawnConnection) -> tuple[Any, ...]:
        return (self._rng.choice(("observe", "deliver")), change(self._rng, connection))

    def _fight(self, connection: DrawnConnection) -> tuple[Any, ...]:
        return (self._rng.randint(0, 3), change(self._rng, connection, ("status", "priority")))

    def _message(self, _connection: DrawnConnection) -> tuple[Any, ...]:
        return (self._rng.randint(0, 3), self._rng.choice((0.0, 5.0, 3600.0)))

    def _again(self, _connection: DrawnConnection) -> tuple[Any, ...]:
        return (self._rng.randint(0, 3),)

    def _remove(self, _connection: DrawnConnection) -> tuple[Any, ...]:
        # Rarely: what was deleted has little more to teach.
        return (self._rng.randint(0, 3) if self._rng.random() < 0.25 else 99,)

    def _mail(self, _connection: DrawnConnection) -> tuple[Any, ...]:
        return (self._rng.randint(1, 4),)

    def _lose(self, _connection: DrawnConnection) -> tuple[Any, ...]:
        return (self._rng.randint(0, 9),)

    _repeat = _unheard = _shuffle = _lose

    def _forge(self, _connection: DrawnConnection) -> tuple[Any, ...]:
        return (self._rng.choice(("signed", "unsigned", "garbage")), self._rng.randint(0, 99))

    def _work(self, _connection: DrawnConnection) -> tuple[Any, ...]:
        # Who does the next effect: mostly long runs of one, sometimes all three in turns.
        rng = self._rng
        if rng.random() < 0.5:
            return (str(rng.randrange(WORKERS)) * rng.randint(4, 14),)
        return ("".join(str(rng.randrange(WORKERS)) for _ in range(rng.randint(4, 14))),)

    def _wait(self, _connection: DrawnConnection) -> tuple[Any, ...]:
        return (
            self._rng.choice(
                (0.2, 1.0, 3.0, 10.0, 40.0, 40.0, 400.0, DAY_SECONDS, 3 * DAY_SECONDS)
            ),
        )

    def _fault(self, connection: DrawnConnection) -> tuple[Any, ...]:
        rng = self._rng
        kind, on = rng.choice(KINDS), rng.choice(("read", "write", "any", "any"))
        seconds = {
            "throttle": float(rng.choice((1, 2, 30, 121))),
            "late": connection.settle * 0.4,
        }.get(kind, 0.0)
        return (kind, on, seconds, rng.choice((0, 0, 0, 1, 2)))

    def _crash(self, _connection: DrawnConnection) -> tuple[Any, ...]:
        if self._rng.random() < 0.5:
            return (NEW, self._rng.choice(REMOTE_POSITIONS))
        return self._rng.choice(crash_points())

    def _die(self, _connection: DrawnConnection) -> tuple[Any, ...]:
        return (self._rng.randrange(WORKERS), self._rng.choice(("before", "unanswered", "after")))

    def _down(self, _connection: DrawnConnection) -> tuple[Any, ...]:
        return (self._rng.choice((2.0, 20.0, 200.0)),)

    def _skew(self, _connection: DrawnConnection) -> tuple[Any, ...]:
        return (self._rng.choice((-90.0, -3.0, 0.7, 5.0, 90.0)),)

    def _license(self, connection: DrawnConnection) -> tuple[Any, ...]:
        return (
            (self._rng.choice((True, False)),)
            if "tags_licensed" in connection.sandbox.OPTIONS
            else ()
        )

    def _restrict(self, connection: DrawnConnection) -> tuple[Any, ...]:
        if not connection.sandbox.RESTRICTS:
            return ()
        return (self._rng.randint(0, 3), self._rng.choice((True, True, False)))

    def _poison(self, _connection: DrawnConnection) -> tuple[Any, ...]:
        return (self._rng.randint(0, 3), self._rng.choice(POISONS))

    def _lag(self, connection: DrawnConnection) -> tuple[Any, ...]:
        return (self._rng.choice((0.2, 0.5)) * connection.settle,)


_NOWHERE = frozenset(
    {"work", "drain", "fair", "wait", "clock", "crash", "die", "empty"}
    | {"rewrite", "keep", "putback"}
)


def change(
    rng: random.Random, connection: DrawnConnection, names: Sequence[str] = ()
) -> dict[str, Any]:
    """Draw what a human changes, in the system's own words; its form may refuse some of them."""
    usual = ("status", "status", "priority", "assignee", "tags", "tags", "subject", "team")
    name = rng.choice(
        [name for name in names or usual if name in connection.sandbox.CARRIES] or ["status"]
    )
    if name == "tags":
        return {
            rng.choice(("add_tags", "add_tags", "remove_tags")): [
                rng.choice(("VIP", "beta", "#EU", "export", "a b"))
            ]
        }
    if name == "subject":
        return {"subject": f"Changed {rng.randint(1, 99)}"}
    if name == "assignee":
        return connection.sandbox.assignment(rng.choice(population.AGENTS))
    if name == "team":
        words = sorted(connection.sandbox.CHOICES[name].values())
        return connection.sandbox.choice(name, rng.choice([None, *words]))
    known = [
        *sorted(connection.sandbox.CHOICES.get(name, {}).values()),
        *(("in_progress", "closed") if name == "status" else ()),
    ]
    return {name: rng.choice(known)}
