"""The page is the whole truth: the sixth system is at the places that it names, nowhere else."""

from __future__ import annotations

import importlib
import pkgutil
import re
from pathlib import Path

import pytest

import bridge
from bridge.connectors import CONNECTORS
from tests.project.test_systems import HEADINGS
from tests.sixth.tables import NAME, REGISTRY

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
OURS = {"tables.py", "test_sixth_system.py", "test_the_page.py"}
"""What the page does not ask for: the line to add, and the tests that it is enough."""
STEPS = (ROOT / "docs" / "adding-a-system.md").read_text().partition("\n## ")[0]
PLACES = set(re.findall(r"`((?:bridge|mappings|config|tests|docs)/[\w<>./-]+)`", STEPS))


def added():
    files = (path for path in HERE.rglob("*") if path.is_file() and "__pycache__" not in path.parts)
    return {str(path.relative_to(HERE)) for path in files if path.name != "__init__.py"} - OURS


def asked():
    """The places that are the system's own."""
    return {place.replace("<system>", NAME) for place in PLACES if "<system>" in place}


def test_every_file_of_it_is_asked_for_by_a_step():
    whole = {name if name in asked() else f"{Path(name).parent}/" for name in added()}
    assert whole == asked()


@pytest.mark.parametrize("place", sorted(PLACES))
def test_every_place_is_there_for_the_systems_that_ship(place):
    for system in sorted(CONNECTORS):
        assert (ROOT / place.replace("<system>", system)).exists(), system


def test_the_registry_is_the_only_shared_file_that_is_touched():
    row = next(line for line in STEPS.splitlines() if "shared file to touch" in line)
    assert re.findall(r"`([\w/.]+\.\w+)`", row) == [REGISTRY]


def test_no_table_of_the_bridge_knows_systems_by_name_but_the_registry():
    knowing = {
        f"{module.name}.{name}"
        for module in pkgutil.walk_packages(bridge.__path__, "bridge.")
        if not re.search(r"__main__|\.migrations\.", module.name)
        for name, value in vars(importlib.import_module(module.name)).items()
        if isinstance(value, dict) and set(value) & set(CONNECTORS) and value is not CONNECTORS
    }
    assert knowing == set()


def test_its_own_page_answers_the_same_questions():
    lines = (HERE / "docs" / "systems" / f"{NAME}.md").read_text().splitlines()
    assert [line.removeprefix("## ") for line in lines if line.startswith("## ")] == list(HEADINGS)
