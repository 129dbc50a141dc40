"""docs/adding-a-system.md says all: the made-up systems have what it asks for, and no more."""

from __future__ import annotations

import importlib
import pkgutil
import re
from pathlib import Path

import pytest

import bridge
from bridge.connectors import CONNECTORS
from tests.made_up import REGISTRY, SYSTEMS
from tests.project.test_systems import HEADINGS

ROOT = Path(__file__).resolve().parents[2]
STEPS = (ROOT / "docs" / "adding-a-system.md").read_text().partition("\n## ")[0]
PLACES = set(re.findall(r"`((?:bridge|mappings|config|tests|docs)/[\w<>./-]+)`", STEPS))


def added(system):
    """Return the files of a made-up system, but for the test that they are enough."""
    files = (path for path in system.folder.rglob("*") if path.is_file() and is_kept(path))
    extra = f"test_{system.folder.name}_system.py"
    return {str(path.relative_to(system.folder)) for path in files} - {extra}


def is_kept(path):
    return "__pycache__" not in path.parts and path.name != "__init__.py"


def asked(system):
    """Return the places that are the system's own."""
    return {place.replace("<system>", system.name) for place in PLACES if "<system>" in place}


@pytest.mark.parametrize("system", SYSTEMS, ids=lambda system: system.name)
def test_every_file_of_a_made_up_system_is_asked_for_by_a_step(system):
    places = asked(system)
    whole = {name if name in places else f"{Path(name).parent}/" for name in added(system)}
    assert whole == places


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


@pytest.mark.parametrize("system", SYSTEMS, ids=lambda system: system.name)
def test_the_page_of_a_made_up_system_answers_the_same_questions(system):
    lines = (system.folder / "docs" / "systems" / f"{system.name}.md").read_text().splitlines()
    assert [line.removeprefix("## ") for line in lines if line.startswith("## ")] == list(HEADINGS)
