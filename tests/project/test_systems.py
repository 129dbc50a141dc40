"""A system is there when all of it is there: connector, mapping, sandbox, fixtures and a page."""

from __future__ import annotations

from pathlib import Path

import pytest

from bridge.connectors import CONNECTORS
from bridge.sandbox import registry

ROOT = Path(__file__).resolve().parents[2]
HEADINGS = (
    "What is mirrored",
    "What cannot be, and why",
    "Credentials",
    "Webhooks",
    "Limits",
    "Oddities",
)


def stems(folder, pattern):
    return {path.stem for path in (ROOT / folder).glob(pattern)}


def test_every_system_has_all_of_its_parts():
    systems = set(CONNECTORS)
    assert stems("mappings", "*.yaml") - {"syncs", "agents", "fields"} == systems
    assert set(registry.systems()) == systems
    assert {
        path.name for path in (ROOT / "tests" / "fixtures").iterdir() if path.is_dir()
    } == systems
    assert stems("docs/systems", "*.md") == systems


@pytest.mark.parametrize("system", sorted(CONNECTORS))
def test_every_page_answers_the_same_questions(system):
    lines = (ROOT / "docs" / "systems" / f"{system}.md").read_text().splitlines()
    assert [line.removeprefix("## ") for line in lines if line.startswith("## ")][
        : len(HEADINGS)
    ] == list(HEADINGS)


@pytest.mark.parametrize("system", sorted(CONNECTORS))
def test_every_system_has_fixtures(system):
    assert any((ROOT / "tests" / "fixtures" / system).iterdir())
