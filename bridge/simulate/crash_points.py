"""Every place at which a worker can die, read from the source: so none can be forgotten.

A procedure hands out effects with `yield`; between two of them nothing happens that anybody could
notice. So the places are each effect of each procedure (with those of the functions that it
delegates to), *before* it is done and *after* it; a remote one also *unanswered*: the vendor has
done what it was asked, and we died before we heard of it.
"""

from __future__ import annotations

import ast
import inspect
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import GeneratorType
from typing import Any

from bridge.engine import effects
from bridge.procedures import PROCEDURES

PLAYED = (
    *("observe", "deliver", "create", "reconcile", "remove", "figures", "backfill", "survey"),
)
"""What starts by itself, and imports. Not an undo: to bring old values back is its purpose."""
EFFECTS = {
    "take": "TakeLink",
    "store": "StoreChanges",
    "consult": "Consult",
    "transact": "Transact",
    "look": "Transact",
    "read_record": "Read",
    "await_grant": "Grant",
    "call_vendor": "Call",
    "search_vendor": "Call",
}
"""The function with which a procedure asks for an effect -> the effect."""
ROOMS = ("flow", "runs", "engine")
NEW = "new"
"""Instead of a place: any that this seed has not passed yet, so that rare ones are hit as well."""
POSITIONS = dict.fromkeys(
    ("TakeLink", "StoreChanges", "Consult", "Transact", "Grant"), ("before", "after")
)
REMOTE_POSITIONS = ("before", "unanswered", "after")


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """One `yield` of an effect, within one procedure."""

    procedure: str
    function: str
    effect: str
    number: int

    def __str__(self) -> str:
        """Name it for people: `deliver/send_attempt.Call1`."""
        return f"{self.procedure}/{self.function}.{self.effect}{self.number}"


@dataclass(frozen=True, slots=True)
class _Yield:
    first: int
    last: int
    effect: str
    number: int


@dataclass(slots=True)
class _Source:
    """What one function of the flow yields, and to whom it delegates."""

    yields: list[_Yield]
    delegates: set[str]


@cache
def _sources() -> dict[tuple[str, str], _Source]:
    """Return every function of the flow, by file and name."""
    sources = {}
    bridge = Path(inspect.getfile(effects)).parents[1]
    for path in sorted(path for room in ROOMS for path in (bridge / room).glob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef):
                sources[str(path), node.name] = _read(node)
    return sources


def _read(function: ast.FunctionDef) -> _Source:
    source = _Source([], set())
    counts: dict[str, int] = {}
    for node in sorted(_own(function), key=_position):
        if not isinstance(node, ast.YieldFrom) or not (called := _called(node.value)):
            continue
        if (name := EFFECTS.get(called, "")) == "":
            source.delegates.add(called)
        else:
            counts[name] = counts.get(name, 0) + 1
            source.yields.append(
                _Yield(node.lineno, node.end_lineno or node.lineno, name, counts[name])
            )
    return source


def _position(node: ast.AST) -> tuple[int, int]:
    return getattr(node, "lineno", 0), getattr(node, "col_offset", 0)


def _own(function: ast.FunctionDef) -> Iterator[ast.AST]:
    """Walk a function without the functions in it."""
    waiting: list[ast.AST] = list(function.body)
    while waiting:
        node = waiting.pop()
        yield node
        waiting += [
            child
            for child in ast.iter_child_nodes(node)
            if not isinstance(child, ast.FunctionDef | ast.Lambda)
        ]


def _called(node: ast.AST | None) -> str:
    if not isinstance(node, ast.Call):
        return ""
    if isinstance(node.func, ast.Name):
        return node.func.id
    return node.func.attr if isinstance(node.func, ast.Attribute) else ""


@cache
def places() -> tuple[Place, ...]:
    """Return every place, in order."""
    found = [
        Place(procedure, function, asked.effect, asked.number)
        for procedure in PLAYED
        for function, source in _reached(procedure)
        for asked in source.yields
    ]
    return tuple(sorted(set(found)))


def _reached(procedure: str) -> Iterator[tuple[str, _Source]]:
    """Yield the functions through which a procedure comes, by name."""
    sources = {
        where: source for where, source in _sources().items() if source.yields or source.delegates
    }
    elsewhere = {name: (path, name) for path, name in sources}
    begin = PROCEDURES.by_kind[procedure]
    waiting, seen = [(inspect.getfile(begin), begin.__name__)], set()
    while waiting:
        path, name = waiting.pop()
        where = (path, name) if (path, name) in sources else elsewhere.get(name)
        if where is None or where in seen:
            continue
        seen.add(where)
        waiting += [(where[0], delegate) for delegate in sorted(sources[where].delegates)]
        yield name, sources[where]


def positions(place: Place) -> tuple[str, ...]:
    """Return the ways of dying at a place."""
    return POSITIONS.get(place.effect, REMOTE_POSITIONS)


def not_played() -> list[str]:
    """Return the names of the procedures at whose steps nobody dies."""
    return sorted(set(PROCEDURES.by_kind) - set(PLAYED))


@cache
def crash_points() -> tuple[tuple[str, str], ...]:
    """Return every crash point: the place's name and the position."""
    return tuple((str(place), position) for place in places() for position in positions(place))


def place_of(kind: str, procedure: Any) -> str:
    """Return the name of the place at which a suspended procedure stands."""
    inner = procedure
    while isinstance(inner, GeneratorType) and isinstance(inner.gi_yieldfrom, GeneratorType):
        if inner.gi_yieldfrom.gi_code.co_filename == effects.__file__:
            break  # it asks for an effect here
        inner = inner.gi_yieldfrom
    frame = inner.gi_frame
    code = frame.f_code
    source = _sources().get((code.co_filename, code.co_name))
    for asked in source.yields if source else ():
        if asked.first <= frame.f_lineno <= asked.last:
            return str(Place(kind, code.co_name, asked.effect, asked.number))
    raise RuntimeError(
        f"{code.co_filename}:{frame.f_lineno} yields no effect that the source shows"
    )
