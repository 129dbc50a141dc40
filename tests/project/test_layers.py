"""Imports go one way. A room that is entered through the wall fails here.

A room is a folder of `bridge/`, or a file directly in it; `core` has four rooms of its own, and the
pages and the API are two within `web`.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PURE = {"__future__", "collections", "dataclasses", "datetime", "enum", "functools", "hashlib"} | {
    *("json", "math", "re", "typing", "unicodedata", "jmespath", "decimal", "html"),
    *("nh3", "markdownify", "markdown_it"),
}
"""All that the core may import: nothing that asks a clock, throws dice, or does anything."""
CORE = {"core/model", "core/mapping", "core/merge", "core/planning"}

GROUND = {"errors", "clock"}
"""What everybody may use: names and time."""

ALLOWED: dict[str, set[str]] = {
    "errors": set(),
    "clock": set(),
    "home": {"errors"},
    "foreign_json": {"core/model"},
    "core/model": {"errors"},
    "core/mapping": {"errors", "core/model"},
    "core/merge": {"errors", "core/model", "core/mapping"},
    "core/planning": {"errors", "core/model", "core/mapping", "core/merge"},
    "scrubber": {"core"},
    "http": GROUND | {"core", "foreign_json", "scrubber"},
    "openid": GROUND | {"core", "foreign_json", "http"},
    "connectors": GROUND | {"core", "http", "foreign_json", "scrubber"},
    "config": GROUND | {"core", "connectors", "home"},
    "ledger": GROUND | {"core", "scrubber"},
    "queue": GROUND | {"core", "home"},
    "engine": GROUND | {"core", "connectors", "http", "ledger"},
    "flow": GROUND | {"core", "connectors", "ledger", "engine"},
    "runs": GROUND | {"core", "connectors", "ledger", "engine", "flow"},
    "notices": GROUND | {"core", "config", "connectors", "http", "ledger", "runs"},
    "procedures": {"engine", "flow", "ledger", "runs"},
    "preview": GROUND | {"core", "connectors", "ledger", "engine", "flow", "runs", "procedures"},
    "observability": {"core", "errors", "scrubber"},
    "wiring": GROUND
    | {"core", "config", "connectors", "home", "http", "ledger", "queue", "engine"}
    | {"home_configuration", "openid", "procedures", "observability", "runs"},
    "home_configuration": GROUND
    | {"core", "config", "connectors", "engine", "ledger", "workbench"},
    "clock_loop": {"errors", "notices", "wiring"},
    "receiver_loop": {"web", "wiring"},
    "admin_loop": {"core/model", "errors", "home", "operations", "supervisor", "wiring"}
    | {"web", "web/api", "web/pages"},
    "workbench": {"core", "engine", "errors"},
    "operations": GROUND
    | {"core", "config", "connectors", "home", "ledger", "queue", "engine", "flow", "runs"}
    | {"foreign_json", "home_configuration", "openid", "preview", "workbench", "wiring"},
    "web": GROUND
    | {
        "foreign_json",
        "core",
        "config",
        "connectors",
        "home",
        "ledger",
        "queue",
        "observability",
        "scrubber",
        "wiring",
    }
    | {"operations"},
    "web/api": {"errors", "core/model", "observability", "operations", "workbench"},
    "web/pages": {"errors", "core/model", "observability", "operations", "workbench"},
    "verify": set(),
    "sandbox": GROUND | {"core", "connectors"},
    "simulate": GROUND
    | {"core", "config", "connectors", "home", "http", "ledger", "queue", "engine", "flow", "runs"}
    | {"procedures", "preview", "operations", "sandbox", "verify", "web"},
    "supervisor": GROUND
    | {"core", "config", "home", "queue", "ledger", "operations", "sandbox", "verify", "wiring"},
    "cli": GROUND
    | {"core", "config", "connectors", "home", "observability", "queue", "runs", "preview"}
    | {"operations", "sandbox", "simulate", "supervisor", "verify", "wiring", "clock_loop"}
    | {"receiver_loop", "admin_loop", "workbench", "home_configuration"},
    "__main__": {"cli"},
    "jobs": {"wiring"},
}
"""Room -> the rooms that it may enter (its own is always open). `core` stands for its four rooms.

What is left out is forbidden, above all: `cli` and the pages have no queries of their own (no
`ledger`), `web` and `cli` never meet, `verify` knows nothing of what it judges, and the engine
knows no procedure.
"""

ONLY_USER = {
    "requests": {"http", "sandbox", "simulate"},
    "sqlalchemy": {"ledger"},
    "sqlite3": {"ledger", "simulate"},
    "psycopg": {"ledger"},
    "alembic": {"ledger"},
    "redis": {"queue"},
    "rq": {"queue"},
    "flask": {"web", "web/api", "web/pages", "admin_loop", "simulate"},
    "flask_wtf": {"web/pages"},
    "flask_smorest": {"web/api"},
    "webargs": {"web/api"},
    "jinja2": {"web/pages"},
    "markupsafe": {"web/pages"},
    "argon2": {"operations"},
    "authlib": {"openid"},
    "joserfc": {"openid"},
    "yaml": {"config"},
    "apispec": {"config"},
    "ruamel": {"workbench"},
    "click": {"cli"},
    "rich": {"cli"},
}
"""Foreign package -> the rooms that may use it. (The sandbox has a transport for requests.)"""


def room_of(parts: tuple[str, ...]) -> str:
    """Give the room of a module (`("bridge", "core", "merge", "sets")` is in `core/merge`)."""
    if parts[0] == "jobs":
        return "jobs"
    if parts[1:3] in {("web", "pages"), ("web", "api")}:
        return "/".join(parts[1:3])
    return "/".join(parts[1:3]) if parts[1] == "core" and len(parts) > 2 else parts[1]


@cache
def rooms(root: Path = ROOT) -> Sequence[tuple[str, Path, set[str], set[str]]]:
    """Return of every source file: room, path, rooms that it enters, foreign packages it uses."""
    return tuple(_rooms(root))


def _rooms(root: Path) -> Iterator[tuple[str, Path, set[str], set[str]]]:
    for path in sorted([*(root / "bridge").rglob("*.py"), *(root / "jobs").rglob("*.py")]):
        parts = path.relative_to(root).with_suffix("").parts
        if parts in {("bridge", "__init__"), ("bridge", "core", "__init__")}:
            continue
        room = room_of(parts)
        entered: set[str] = set()
        foreign: set[str] = set()
        for name in imported(ast.parse(path.read_text()), parts):
            head, *rest = name.split(".")
            if head in {"bridge", "jobs"}:
                if rest != ["__version__"]:
                    entered.add(room_of((head, *rest)) if rest or head == "jobs" else "bridge")
            else:
                foreign.add(head)
        yield room, path, entered - {room, "bridge", "core"}, foreign


def walls(root: Path = ROOT) -> list[str]:
    """Give every import that goes through a wall."""
    through = []
    for room, path, entered, _ in rooms(root):
        allowed = ALLOWED.get(room, set())
        wide = {"core"} if "core" in allowed else set()
        strange = {
            each for each in entered if each not in allowed and each.split("/")[0] not in wide
        }
        through += [f"{path.relative_to(root)} enters {each}" for each in sorted(strange)]
    return through


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
            yield from (
                f"{base}.{alias.name}" for alias in node.names if base in {"bridge", "bridge.core"}
            )


def test_every_room_is_entered_through_its_door():
    assert walls() == []


@pytest.mark.parametrize(
    ("file", "line", "said"),
    [
        ("bridge/core/model/values.py", "from bridge.core.merge import sets", "core/merge"),
        ("bridge/cli/status.py", "from bridge.ledger import summary", "ledger"),
        ("bridge/web/health.py", "from bridge.cli import status", "cli"),
        ("bridge/web/pages/overview.py", "from bridge.ledger import summary", "ledger"),
        ("bridge/web/pages/overview.py", "from bridge.web import health", "web"),
        ("bridge/web/health.py", "from bridge.web.pages import overview", "web/pages"),
        ("bridge/web/api/ticket.py", "from bridge.web.pages import overview", "web/pages"),
        ("bridge/engine/worker.py", "from bridge.flow.observe import observe", "flow"),
        ("bridge/verify/report.py", "from bridge.sandbox import population", "sandbox"),
    ],
)
def test_a_planted_violation_is_found(tmp_path, file, line, said):
    path = tmp_path / file
    path.parent.mkdir(parents=True)
    path.write_text(f"{line}\n")
    assert walls(tmp_path) == [f"{file} enters {said}"]


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
    strays = {
        str(path.relative_to(ROOT)): sorted(foreign - PURE)
        for room, path, _, foreign in rooms()
        if room.startswith("core") and foreign - PURE
    }
    assert strays == {}
    assert {room for room, *_ in rooms() if room.startswith("core")} == CORE


IMPURE = {
    "datetime.now",
    "time.time",
    "time.monotonic",
    "time.sleep",
    "random.random",
    "uuid.uuid4",
    "date.today",
}


@pytest.mark.parametrize(
    "room", ["core", "engine", "flow", "runs", "preview", "ledger", "connectors"]
)
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
