"""The literal list of systems, and what holds for each of them."""

from __future__ import annotations

from pathlib import Path

import pytest

import bridge.connectors
from bridge.connectors import CONNECTORS, build, capabilities, connector_class
from bridge.core.model.entities import ENTITIES
from bridge.core.model.values import Marker
from bridge.errors import ConfigError
from bridge.http.client import Http
from tests.connectors.bench import StillClock, connection

FOLDERS = Path(bridge.connectors.__file__).parent
SHARED_NAMES = {"__init__.py", "connector.py", "capabilities.py", "records.py", "listing.py"}
"""The files that every system has."""


@pytest.mark.parametrize("system", sorted(CONNECTORS))
def test_every_system_is_built_and_its_facts_agree_with_each_other(system):
    kind = connector_class(system)
    assert system == kind.NAME
    assert not kind.IGNORED & set(kind.EVENTS)
    assert set(kind.EVENTS.values()) <= set(kind.CAPABILITIES) <= set(ENTITIES)
    assert set(kind.OPTIONS) >= kind.REQUIRED_OPTIONS
    assert kind.SIGNING is None or kind.SIGNING.secrets == ()
    for entity in kind.CAPABILITIES.values():
        assert {key for verb in entity.verbs for key in (*verb.writes, *verb.also)} <= set(
            entity.writable
        )
        assert set(entity.values) <= entity.readable
        for key, writable in entity.writable.items():
            if key in entity.values and not isinstance(writable.default, Marker):
                assert writable.default in entity.values[key]
    http = Http(connection(system), clock=StillClock())
    assert type(build(connection(system), http)) is kind
    http.close()


def test_an_unknown_system_is_named_with_those_there_are():
    with pytest.raises(ConfigError, match=r"'jira' does not exist; allowed: posthog, .*switch"):
        connector_class("jira")


def test_capabilities_of_all_systems():
    assert set(capabilities()) == set(CONNECTORS)


@pytest.mark.parametrize("system", sorted(CONNECTORS))
def test_every_folder_has_the_same_files(system):
    assert {path.name for path in (FOLDERS / system).glob("*.py")} >= SHARED_NAMES


def test_no_other_file_of_a_folder_takes_a_name_that_is_used_elsewhere():
    """Whoever reads `tag_sweep` must not have to ask whose."""
    names = [path.name for path in FOLDERS.parent.rglob("*.py") if path.name not in SHARED_NAMES]
    own = {path.name for system in CONNECTORS for path in (FOLDERS / system).glob("*.py")}
    assert [name for name in sorted(own - SHARED_NAMES) if names.count(name) > 1] == []
