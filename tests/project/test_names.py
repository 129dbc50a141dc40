"""The border rule: nobody but its connector, mapping, sandbox and fixtures names a system."""

from __future__ import annotations

import ast
from functools import cache
from pathlib import Path

import pytest

from bridge.connectors import CONNECTORS

ROOT = Path(__file__).resolve().parents[2]


def sources():
    for path in sorted([*(ROOT / "bridge").rglob("*.py"), *(ROOT / "jobs").rglob("*.py")]):
        if not at_home(path.relative_to(ROOT)):
            yield path


def at_home(path):
    """The connectors, and the sandboxes' files that are named after a vendor."""
    room, *rest = path.parts[1:]
    return room == "connectors" or (room == "sandbox" and rest[-1].startswith(tuple(CONNECTORS)))


@cache
def texts():
    """Return where the sources have a text that is no docstring: (place, text)."""
    found = []
    for path in sources():
        nodes = list(ast.walk(ast.parse(path.read_text())))
        docstrings = {
            id(node.value)
            for node in nodes
            if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
        }
        found += [
            (f"{path.relative_to(ROOT)}:{node.lineno}", node.value)
            for node in nodes
            if isinstance(node, ast.Constant)
            and isinstance(node.value, str)
            and id(node) not in docstrings
        ]
    return found


@pytest.mark.parametrize("system", sorted(CONNECTORS))
def test_no_code_outside_its_room_asks_for_a_system_by_name(system):
    assert [place for place, text in texts() if text == system] == []


def test_every_connector_has_its_mapping_and_every_mapping_its_connector():
    mappings = {path.stem for path in (ROOT / "mappings").glob("*.yaml")} - {
        "syncs",
        "agents",
        "fields",
    }
    assert mappings == set(CONNECTORS)


def test_every_connector_is_named_as_its_file_and_its_class():
    from bridge.connectors import connector_class

    for system, dotted in CONNECTORS.items():
        assert system in dotted.lower()
        assert system == connector_class(system).NAME
