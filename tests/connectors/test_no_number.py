"""A number that JSON does not have, in place of any value: no field reads as emptied by it."""

from __future__ import annotations

from typing import Any

import pytest

from bridge.config.yaml_reader import parse
from bridge.core.mapping.agent_table import AgentTable
from bridge.core.mapping.compiler import compile_entity
from bridge.core.model.values import ABSENT, Ref, Unreadable
from bridge.errors import Refused
from bridge.home import shipped_folder
from tests.connectors.odd_vendor import ODD
from tests.connectors.shipped import shipped_fields
from tests.connectors.test_odd_rows import PLACES, Scene, with_value

SHOWN: dict[str, dict[str, Any]] = {
    "switch ticket": {
        "subject": "Export",
        "priority": "low",
        "tags": ["vip"],
        "assignee": {"id": "usr_1"},
        "assignee.id": "usr_1",
        "customer": {"email": "ana@customer.example"},
        "customer.email": "ana@customer.example",
    },
    "switch customer": {
        "name": "Ana",
        "custom_fields": {"tags": ["vip"]},
        "custom_fields.tags": ["vip"],
    },
    "posthog": {
        "last_message_text": "Export",
        "priority": "low",
        "tags": ["vip"],
        "assignee": {"type": "user", "id": 11},
        "assignee.id": 11,
        "anonymous_traits": {"subject": "Export"},
        "anonymous_traits.subject": "Export",
        "person": {"properties": {"email": "ana@customer.example"}},
    },
    "zaia": {
        "summary": "Export",
        "status": "ongoing",
        "assigneeId": "00000000-0000-4000-8000-000000000004",
        "ownerEmail": "ana@customer.example",
    },
    "scopeai": {"original_text": "Export"},
    "upscope": {
        "tags": ["vip"],
        "identities": ["ana@customer.example"],
        "unique_id": "123",
    },
}


def raw_values(place: str, name: str, value: Any) -> dict[str, Any]:
    """Show a value in a record, and give what the shipped mapping takes from it."""
    scene = Scene(PLACES[place])
    scene.make_odd(with_value(name, value), b"NaN")
    record = scene.read(scene.odd)[scene.odd]
    file = shipped_folder("mappings") / f"{place.split(maxsplit=1)[0]}.yaml"
    declared = parse(file.read_text(), file.name).data[scene.entity]
    known = shipped_fields()[scene.entity]
    return compile_entity(scene.entity, declared, AgentTable(), known).map.extract(record.data)


@pytest.mark.parametrize(
    ("place", "name"), [(place, name) for place, names in SHOWN.items() for name in names]
)
def test_what_is_shown_as_nan_is_not_emptied(place, name):
    usual, odd = raw_values(place, name, SHOWN[place][name]), raw_values(place, name, ODD)
    assert usual != odd
    for field, value in odd.items():
        assert isinstance(value, Unreadable) or value in (ABSENT, usual[field]), field


@pytest.mark.parametrize("name", ["custom_fields", "custom_fields.score"])
def test_a_number_that_is_none_is_not_written_back_beside_a_customers_tags(name):
    scene = Scene(PLACES["switch customer"])
    scene.make_odd(with_value(name, ODD), b"NaN")
    ref = Ref("c", "customer", scene.odd)
    with pytest.raises(Refused, match=f"customer {scene.odd} has a number in custom_fields"):
        scene.connector.update(ref, "patch", {"custom_fields.tags": ["vip"]})
    assert not any(scene.vendor.sent)


@pytest.mark.parametrize("place", ["switch ticket", "posthog", "upscope"])
def test_a_set_with_an_element_that_is_none_is_not_shorter(place):
    assert isinstance(raw_values(place, "tags", ["vip", ODD])["tags"], Unreadable)
