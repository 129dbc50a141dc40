"""Imports go one way. A room that is entered through the wall fails here."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PURE_THIRD_PARTY = {"jmespath"}

GROUND = {"errors", "clock"}
"""What everybody may use: names and time."""

ALLOWED = {
    "errors": set(),
    "clock": set(),
    "skew": GROUND,
    "tally": set(),
    "core": {"errors"},
    "home": {"errors"},
    "owners": set(),
    "log": {"core", "errors"},
    "http": GROUND | {"core", "skew", "tally"},
    "connectors": GROUND | {"core", "http", "skew"},
    "config": GROUND | {"core", "connectors", "home"},
    "ledger": GROUND | {"core"},
    "queue": GROUND | {"core"},
    "flow": GROUND | {"core", "connectors", "ledger", "tally"},
    "sandbox": GROUND | {"core", "connectors"},
    "simulate": GROUND
    | {"core", "config", "connectors", "flow", "home", "http", "ledger", "queue", "sandbox", "web"},
    "wiring": GROUND
    | {"core", "config", "connectors", "flow", "home", "http", "ledger", "log", "owners", "queue"},
    "web": GROUND
    | {"core", "config", "connectors", "flow", "home", "ledger", "log", "queue", "wiring"},
    "cli": GROUND
    | {
        "core",
        "config",
        "connectors",
        "flow",
        "home",
        "http",
        "ledger",
        "log",
        "queue",
        "sandbox",
        "simulate",
        "web",
        "wiring",
    },
    "__main__": {"cli"},
    "jobs": {"wiring"},
}
"""Room -> the rooms that it may enter (its own is always open)."""

ONLY_USER = {
    "requests": {"http", "sandbox", "simulate"},
    "sqlalchemy": {"ledger"},
    "alembic": {"ledger"},
    "redis": {"queue"},
    "rq": {"queue"},
    "flask": {"web", "simulate"},
    "yaml": {"config"},
    "click": {"cli"},
}
"""Foreign package -> the rooms that may use it. (The sandbox offers a transport adapter for requests.)"""


def rooms() -> Iterator[tuple[str, Path, set[str], set[str]]]:
    """Give every source file: its room, path, the rooms that it enters and the foreign packages that it uses."""
    for path in sorted([*(ROOT / "bridge").rglob("*.py"), *(ROOT / "jobs").rglob("*.py")]):
        parts = path.relative_to(ROOT).with_suffix("").parts
        if parts == ("bridge", "__init__"):
            continue
        room = "jobs" if parts[0] == "jobs" else parts[1]
        entered: set[str] = set()
        foreign: set[str] = set()
        for name in imported(ast.parse(path.read_text()), parts):
            head, *rest = name.split(".")
            if head == "bridge":
                entered.add(rest[0] if rest else "bridge")
            elif head == "jobs":
                entered.add("jobs")
            else:
                foreign.add(head)
        yield room, path, entered - {room, "bridge", "__version__"}, foreign


def imported(tree: ast.Module, parts: tuple[str, ...]) -> Iterator[str]:
    """Give the dotted names that a module imports, wherever in it."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                base = ".".join([*parts[: len(parts) - node.level], *filter(None, [node.module])])
            yield base
            # `from bridge import wiring` enters a room too.
            yield from (f"{base}.{alias.name}" for alias in node.names if base == "bridge")


def test_every_room_is_entered_through_its_door():
    walls = [
        f"{path.relative_to(ROOT)} enters {', '.join(sorted(entered - ALLOWED[room]))}"
        for room, path, entered, _ in rooms()
        if entered - ALLOWED[room]
    ]
    assert walls == []


def test_every_room_has_a_rule():
    assert {room for room, *_ in rooms()} <= ALLOWED.keys()


@pytest.mark.parametrize("package", sorted(ONLY_USER))
def test_a_foreign_package_stays_where_it_belongs(package):
    strays = [
        str(path.relative_to(ROOT))
        for room, path, _, foreign in rooms()
        if package in foreign - belonging_to(room)
    ]
    assert strays == []


def belonging_to(room: str) -> set[str]:
    """The table above, turned round."""
    return {package for package, users in ONLY_USER.items() if room in users}


def test_the_core_is_pure():
    import sys

    strays = {
        str(path.relative_to(ROOT)): sorted(
            foreign - set(sys.stdlib_module_names) - PURE_THIRD_PARTY
        )
        for room, path, _, foreign in rooms()
        if room == "core" and foreign - set(sys.stdlib_module_names) - PURE_THIRD_PARTY
    }
    assert strays == {}


IMPURE = {
    "datetime.now",
    "time.time",
    "time.monotonic",
    "time.sleep",
    "random.random",
    "uuid.uuid4",
    "date.today",
}


@pytest.mark.parametrize("room", ["core", "flow", "ledger", "connectors"])
def test_time_and_chance_are_handed_in(room):
    calls = []
    for path in sorted((ROOT / "bridge" / room).rglob("*.py")):
        calls += [
            f"{path.name}:{node.lineno}: {ast.unparse(node.func)}"
            for node in ast.walk(ast.parse(path.read_text()))
            if isinstance(node, ast.Call) and ast.unparse(node.func) in IMPURE
        ]
    assert calls == []


def test_the_reader_of_imports_sees_all_forms():
    source = (
        "import a.b\nfrom bridge import wiring\nfrom . import x\n"
        "from ..ledger import y\ndef f():\n    import late\n"
    )
    names = set(imported(ast.parse(source), ("bridge", "flow", "drain")))
    assert {"a.b", "bridge.wiring", "bridge.flow", "bridge.ledger", "late"} <= names
