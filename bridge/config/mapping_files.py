"""mappings/<system>.yaml: read, compiled for each connection, proved, and tried on their own examples."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from bridge.config.schemas import ExampleSchema, load
from bridge.config.settings import Classes
from bridge.config.yaml_reader import Document, Problem
from bridge.core.mapping.agent_table import AgentTable
from bridge.core.mapping.checks import prove
from bridge.core.mapping.compiler import CompiledEntity, MappingError, compile_entity
from bridge.core.mapping.transforms import shown
from bridge.core.mapping.value_tables import Where
from bridge.core.model.entities import ENTITIES
from bridge.core.model.values import Marker, NotCarried, Unreadable

Finding = tuple[Where, str]


def check_shape(document: Document, connectors: Classes) -> tuple[str, list[Problem]]:
    """Check the outer shape of a mapping file; gives its system (empty: unusable)."""
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
    document: Document, system: str, agents: AgentTable, connectors: Classes
) -> tuple[dict[str, CompiledEntity], list[Problem]]:
    """Compile and prove all entities of a mapping file for one connection."""
    made: dict[str, CompiledEntity] = {}
    problems: list[Problem] = []
    able = connectors[system].CAPABILITIES
    for entity in ENTITIES:
        if entity not in document.data:
            continue
        if entity not in able:
            what = f"{system} has no {entity}; allowed {', '.join(sorted(able))}"
            problems.append(document.problem((entity,), what))
            continue
        try:
            made[entity] = compile_entity(entity, document.data[entity], agents)
        except MappingError as error:
            problems += [document.problem((entity, *where), what) for where, what in error.problems]
            continue
        problems += [
            document.problem((entity, *where), what)
            for where, what in prove(system, made[entity], able[entity])
        ]
    return made, problems


def run_examples(document: Document) -> list[Problem]:
    """Try a mapping that compiles on its own examples."""
    problems: list[Problem] = []
    for entity in ENTITIES:
        declared = document.data.get(entity)
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
                    for where, what in _run(entity, declared, row)
                ]
    return problems


def _run(entity: str, declared: Any, row: Mapping[str, Any]) -> Iterator[Finding]:
    parts = {key: row.get(key, {}) for key in ("given", "agents", "canonical", "written")}
    for key, part in parts.items():
        if not isinstance(part, Mapping):
            yield (key,), "must be a mapping"
            return
    try:
        people = {email: raw for raw, email in parts["agents"].items()}
        mapped = compile_entity(entity, declared, AgentTable(people)).map
    except (MappingError, TypeError):
        yield (), "cannot be tried: the mapping does not compile with its agents"
        return
    shows = mapped.canonical(parts["given"])
    for name, wanted in parts["canonical"].items():
        if name not in mapped.fields:
            yield ("canonical", name), f"is not mapped; allowed {', '.join(mapped.fields)}"
            continue
        wish = tuple(wanted) if isinstance(wanted, list) else wanted
        if name not in shows or isinstance(shows[name], Unreadable) or shows[name] != wish:
            yield (
                ("canonical", name),
                f"expected {shown(wanted)}, the mapping reads {_told(shows, name)}",
            )
    for name in row.get("unreadable", ()):
        if not isinstance(shows.get(name), Unreadable):
            yield (
                ("unreadable",),
                f"expected {name} to have no reading, the mapping reads {_told(shows, name)}",
            )
    yield from _written(mapped.fields, parts["canonical"], parts["written"])


def _told(shows: Mapping[str, Any], name: str) -> str:
    if name not in shows:
        return "nothing: the record does not show it"
    value = shows[name]
    return f"nothing: {value.why}" if isinstance(value, Unreadable) else shown(value)


def _written(
    fields: Mapping[str, Any], canonical: Mapping[str, Any], written: Mapping[str, Any]
) -> Iterator[Finding]:
    """Compare what the canonical values are sent as."""
    sent = {
        mapped.write_key: mapped.write(canonical[name])
        for name, mapped in fields.items()
        if mapped.write_key is not None and name in canonical and not mapped.is_set
    }
    for key, wanted in written.items():
        if key not in sent:
            allowed = ", ".join(sorted(sent)) or "nothing: there is no canonical value to write"
            yield ("written", key), f"is not written by these values; allowed {allowed}"
        elif isinstance(sent[key], NotCarried | Marker) or sent[key] != wanted:
            told = (
                f"nothing: {sent[key].why}"
                if isinstance(sent[key], NotCarried)
                else shown(sent[key])
            )
            yield ("written", key), f"expected {shown(wanted)}, the mapping writes {told}"
