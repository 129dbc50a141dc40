"""Compiles mappings/<system>.yaml for a connection, proves it, and runs its own examples."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any

from bridge.config.schemas import ExampleSchema, load
from bridge.config.settings import Classes
from bridge.config.yaml_reader import Document, Problem
from bridge.core.mapping.agent_table import AgentTable
from bridge.core.mapping.checks import prove
from bridge.core.mapping.compiler import CompiledEntity, MappingError, compile_entity
from bridge.core.mapping.given_values import value_of_yaml
from bridge.core.mapping.value_tables import Where
from bridge.core.model.entities import BUILT_IN, ENTITIES, Field, FieldTable
from bridge.core.model.values import Marker, NotCarried, Unreadable, same_json, shown

ExampleProblem = tuple[Where, str]


def check_shape(document: Document, connectors: Classes) -> tuple[str, list[Problem]]:
    """Check the outer shape of a mapping file; return its system (empty: unusable)."""
    allowed = ", ".join(("system", *ENTITIES))
    if not isinstance(document.data, Mapping):
        return "", [document.problem((), f"must be a mapping; allowed keys {allowed}")]
    problems = [
        document.problem((key,), f"unknown key; allowed {allowed}")
        for key in document.data
        if key != "system" and key not in ENTITIES
    ]
    system = document.data.get("system")
    if not isinstance(system, str) or system not in connectors:
        what = f"is {shown(system)}; allowed {', '.join(sorted(connectors))}"
        return "", [*problems, document.problem(("system",), what)]
    if not any(entity in document.data for entity in ENTITIES):
        problems.append(document.problem((), f"maps nothing; allowed {', '.join(ENTITIES)}"))
    return system, problems


def compile_mapping(
    document: Document,
    system: str,
    agents: AgentTable,
    connectors: Classes,
    fields: FieldTable = BUILT_IN,
) -> tuple[dict[str, CompiledEntity], list[Problem]]:
    """Compile and prove all entities of a mapping file for one connection."""
    made: dict[str, CompiledEntity] = {}
    problems: list[Problem] = []
    capabilities = connectors[system].CAPABILITIES
    for entity in ENTITIES:
        if entity not in document.data:
            continue
        if entity not in capabilities:
            what = f"{system} has no {entity}; allowed {', '.join(sorted(capabilities))}"
            problems.append(document.problem((entity,), what))
            continue
        try:
            able = capabilities[entity]
            made[entity] = compile_entity(
                entity, document.data[entity], agents, fields[entity], able.doors
            )
        except MappingError as error:
            problems += [document.problem((entity, *where), what) for where, what in error.problems]
            continue
        problems += [
            document.problem((entity, *where), what)
            for where, what in prove(system, made[entity], able)
        ]
    return made, problems


def run_examples(
    document: Document, system: str, connectors: Classes, fields: FieldTable = BUILT_IN
) -> list[Problem]:
    """Run the examples of a mapping that compiles."""
    capabilities = connectors[system].CAPABILITIES
    problems: list[Problem] = []
    for entity in ENTITIES:
        declared = document.data.get(entity)
        doors = capabilities[entity].doors if entity in capabilities else ()
        examples = declared.get("examples", []) if isinstance(declared, Mapping) else []
        if not isinstance(examples, list):
            problems.append(document.problem((entity, "examples"), "must be a list"))
            continue
        for number, example in enumerate(examples):
            at: Where = (entity, "examples", number)
            row, wrong = load(ExampleSchema(), example, document, at)
            problems += wrong
            if not wrong:
                problems += [
                    document.problem((*at, *where), what)
                    for where, what in _run(entity, declared, row, fields[entity], doors)
                ]
    return problems


def _run(
    entity: str,
    declared: Any,
    row: Mapping[str, Any],
    known: Mapping[str, Field],
    doors: Collection[str],
) -> Iterator[ExampleProblem]:
    """Run one example: read its record, then write its canonical values."""
    parts = {key: row.get(key, {}) for key in ("given", "agents", "canonical", "written")}
    for key, part in parts.items():
        if not isinstance(part, Mapping):
            yield (key,), "must be a mapping"
            return
    try:
        people = {email: raw for raw, email in parts["agents"].items()}
        mapped = compile_entity(entity, declared, AgentTable(people), known, doors).map
    except (MappingError, TypeError):
        yield (), "cannot be tried: the mapping does not compile with its agents"
        return
    read = mapped.canonical(parts["given"])
    canonical = {
        name: value_of_yaml(known[name], given) if name in known else given
        for name, given in parts["canonical"].items()
    }
    for name, expected in canonical.items():
        if name not in mapped.fields:
            yield ("canonical", name), f"is not mapped; allowed {', '.join(mapped.fields)}"
        elif not _reads_as(read, name, expected):
            actual = _read_as_text(read, name)
            given = shown(parts["canonical"][name])
            yield ("canonical", name), f"expected {given}, the mapping reads {actual}"
    for name in row.get("unreadable", ()):
        if not isinstance(read.get(name), Unreadable):
            actual = _read_as_text(read, name)
            what = f"expected {name} to have no reading, the mapping reads {actual}"
            yield ("unreadable",), what
    yield from _check_written(mapped.fields, canonical, parts["written"])


def _reads_as(read: Mapping[str, Any], name: str, expected: Any) -> bool:
    return name in read and same_json(read[name], expected)


def _read_as_text(read: Mapping[str, Any], name: str) -> str:
    if name not in read:
        return "nothing: the record does not show it"
    value = read[name]
    return f"nothing: {value.why}" if isinstance(value, Unreadable) else shown(value)


def _check_written(
    fields: Mapping[str, Any], canonical: Mapping[str, Any], written: Mapping[str, Any]
) -> Iterator[ExampleProblem]:
    """Compare what the mapping writes for the canonical values with what the example expects."""
    sent = {
        mapped.write_key: mapped.write(canonical[name])
        for name, mapped in fields.items()
        if mapped.write_key is not None and name in canonical and not mapped.is_set
    }
    for key, expected in written.items():
        if key not in sent:
            allowed = ", ".join(sorted(sent)) or "nothing: there is no canonical value to write"
            yield ("written", key), f"is not written by these values; allowed {allowed}"
        elif isinstance(sent[key], NotCarried | Marker) or sent[key] != expected:
            value = sent[key]
            actual = f"nothing: {value.why}" if isinstance(value, NotCarried) else shown(value)
            yield ("written", key), f"expected {shown(expected)}, the mapping writes {actual}"
