"""Examples of a mapping: a record, and what is expected of it; run by reading and writing."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from bridge.core.mapping.agent_table import AgentTable
from bridge.core.mapping.compiler import MappingError, compile_entity
from bridge.core.mapping.fieldmap import EntityMap
from bridge.core.mapping.given_values import value_of_yaml
from bridge.core.mapping.value_tables import Where
from bridge.core.model.entities import Field
from bridge.core.model.values import Canonical, Marker, NotCarried, Unreadable, same_json, shown

PARTS = ("given", "agents", "canonical", "written")
"""The parts of an example that are mappings; `unreadable` is a list."""


@dataclass(frozen=True, slots=True)
class ExampleDifference:
    """One thing in which an example is not met."""

    where: Where
    """From the example down: `("canonical", "status")`."""
    what: str
    """In words, as `bridge check` says it."""
    field: str = ""
    """Our field that it is about; empty: it is about none."""
    expected: str = ""
    got: str = ""


def differences(
    entity: str,
    declared: Any,
    example: Mapping[str, Any],
    known: Mapping[str, Field],
    doors: Collection[str],
) -> Iterator[ExampleDifference]:
    """Run one example: read its record, then write its canonical values; yield what differs.

    `declared`: the entity's mapping as the file has it; `known`: the fields that there are.
    """
    parts = {key: example.get(key, {}) for key in PARTS}
    for key, part in parts.items():
        if not isinstance(part, Mapping):
            yield ExampleDifference((key,), "must have rows such as key: value")
            return
    try:
        mapped = mapped_with(entity, declared, parts["agents"], known, doors)
    except (MappingError, TypeError):
        what = "cannot be tried: the mapping does not compile with its agents"
        yield ExampleDifference((), what)
        return
    read = mapped.canonical(parts["given"])
    canonical = {
        name: value_of_yaml(known[name], given) if name in known else given
        for name, given in parts["canonical"].items()
    }
    for name, expected in canonical.items():
        if name not in mapped.fields:
            what = f"is not mapped; allowed {', '.join(mapped.fields)}"
            yield ExampleDifference(("canonical", name), what, name)
        elif not _reads_as(read, name, expected):
            got, given = _read_as_text(read, name), shown(parts["canonical"][name])
            what = f"expected {given}, the mapping reads {got}"
            yield ExampleDifference(("canonical", name), what, name, given, got)
    for name in example.get("unreadable", ()):
        if not isinstance(read.get(name), Unreadable):
            got = _read_as_text(read, name)
            what = f"expected {name} to have no reading, the mapping reads {got}"
            yield ExampleDifference(("unreadable",), what, name, "no reading", got)
    yield from _written_otherwise(mapped, canonical, parts["written"])


def mapped_with(
    entity: str,
    declared: Any,
    agents: Mapping[Any, str],
    known: Mapping[str, Field],
    doors: Collection[str],
) -> EntityMap:
    """Return an entity's mapping for people given as in an example: their name to an address.

    Raises MappingError where it cannot be compiled.
    """
    people = {email: raw for raw, email in agents.items()}
    return compile_entity(entity, declared, AgentTable(people), known, doors).map


def written(mapped: EntityMap, canonical: Mapping[str, Canonical]) -> dict[str, Any]:
    """Return what these values are sent as, by the key; `NotCarried` where they cannot be.

    Sets are left out: their elements are sent one by one.
    """
    return {
        field_map.write_key: field_map.write(canonical[name])
        for name, field_map in mapped.fields.items()
        if field_map.write_key is not None and name in canonical and not field_map.is_set
    }


def _reads_as(read: Mapping[str, Any], name: str, expected: Any) -> bool:
    return name in read and same_json(read[name], expected)


def _read_as_text(read: Mapping[str, Any], name: str) -> str:
    if name not in read:
        return "nothing: the record does not show it"
    value = read[name]
    return f"nothing: {value.why}" if isinstance(value, Unreadable) else shown(value)


def _written_otherwise(
    mapped: EntityMap, canonical: Mapping[str, Any], expected_by_key: Mapping[str, Any]
) -> Iterator[ExampleDifference]:
    """Compare what the mapping writes for the canonical values with what the example expects."""
    sent = written(mapped, canonical)
    fields = {field_map.write_key: name for name, field_map in mapped.fields.items()}
    for key, expected in expected_by_key.items():
        field = fields.get(key, "")
        if key not in sent:
            allowed = ", ".join(sorted(sent)) or "nothing: there is no canonical value to write"
            what = f"is not what the mapping writes; allowed {allowed}"
            yield ExampleDifference(("written", key), what, field, shown(expected), "nothing")
        elif isinstance(sent[key], NotCarried | Marker) or sent[key] != expected:
            value = sent[key]
            got = f"nothing: {value.why}" if isinstance(value, NotCarried) else shown(value)
            what = f"expected {shown(expected)}, the mapping writes {got}"
            yield ExampleDifference(("written", key), what, field, shown(expected), got)
