"""Compiles mappings/<system>.yaml for a connection, proves it, and runs its own examples."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from bridge.config.one_account import Classes
from bridge.config.schemas import ExampleSchema, load
from bridge.config.yaml_reader import Document, Problem
from bridge.core.mapping.agent_table import AgentTable
from bridge.core.mapping.checks import prove
from bridge.core.mapping.compiler import NO_POLICIES, CompiledEntity, MappingError, compile_entity
from bridge.core.mapping.examples import ExampleDifference, differences
from bridge.core.mapping.value_tables import Where
from bridge.core.model.entities import BUILT_IN, ENTITIES, FieldTable
from bridge.core.model.syncs import UnknownPolicy
from bridge.core.model.values import shown


def check_shape(document: Document, connectors: Classes) -> tuple[str, list[Problem]]:
    """Check the outer shape of a mapping file; return its system (empty: unusable)."""
    allowed = ", ".join(("system", *ENTITIES))
    if not isinstance(document.data, Mapping):
        return "", [
            document.problem((), f"must have rows such as key: value; allowed keys {allowed}")
        ]
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
    unknown: Mapping[str, UnknownPolicy] = NO_POLICIES,
) -> tuple[dict[str, CompiledEntity], list[Problem]]:
    """Compile and prove all entities of a mapping file for one connection.

    `unknown`: what becomes there of values without a reading, by field.
    """
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
                entity, document.data[entity], agents, fields[entity], able.doors, unknown
            )
        except MappingError as error:
            problems += [document.problem((entity, *where), what) for where, what in error.problems]
            continue
        problems += [
            document.problem((entity, *where), what)
            for where, what in prove(system, made[entity], able)
        ]
    return made, problems


NOT_MET: Final = (
    "not met by the mapping as it is now. Where the mapping is right, change what they expect, or "
    "take them out: `bridge mappings test` shows what differs, and `bridge mappings record "
    "CONNECTION:ID --write` makes an example of a record"
)
"""What is said of an entity's examples of which one is not met."""


def run_examples(
    document: Document, system: str, connectors: Classes, fields: FieldTable = BUILT_IN
) -> list[Problem]:
    """Run the examples of a mapping that compiles; where one is not met, also say what to do."""
    problems: list[Problem] = []
    not_met: dict[str, None] = {}
    for each in tried_examples(document, system, connectors, fields):
        problems += each.problems
        if each.differences:
            not_met[each.entity] = None
    return [*problems, *(document.problem((entity, "examples"), NOT_MET) for entity in not_met)]


@dataclass(frozen=True, slots=True)
class TriedExample:
    """One example of a mapping file, and how it went."""

    entity: str
    number: int
    """From 1, among those of its entity."""
    at: str
    """Where it stands: `mappings/switch.yaml:32`."""
    record: str
    """The id of its record, as far as it shows one."""
    problems: list[Problem]
    differences: list[ExampleDifference]
    lines: list[str]
    """Of each difference, where the mapping of its field stands; empty: of none."""


def tried_examples(
    document: Document, system: str, connectors: Classes, fields: FieldTable = BUILT_IN
) -> Iterator[TriedExample]:
    """Run the examples of a mapping that compiles, one after the other.

    An `examples` that is no list counts as one example, which has a problem.
    """
    capabilities = connectors[system].CAPABILITIES
    for entity in ENTITIES:
        declared = document.data.get(entity)
        doors = capabilities[entity].doors if entity in capabilities else ()
        examples = declared.get("examples", []) if isinstance(declared, Mapping) else []
        if not isinstance(examples, list):
            problem = document.problem((entity, "examples"), "must be a list")
            yield TriedExample(
                entity, 1, document.place((entity, "examples")), "", [problem], [], []
            )
            continue
        for number, example in enumerate(examples):
            at: Where = (entity, "examples", number)
            row, problems = load(ExampleSchema(), example, document, at)
            found = (
                list(differences(entity, declared, row, fields[entity], doors))
                if not problems
                else []
            )
            yield TriedExample(
                entity,
                number + 1,
                document.place(at),
                _id_of(declared, row.get("given")),
                [*problems, *(document.problem((*at, *each.where), each.what) for each in found)],
                found,
                [
                    document.place((entity, "fields", each.field)) if each.field else ""
                    for each in found
                ],
            )


def _id_of(declared: Mapping[str, Any], given: Any) -> str:
    """Return the id of an example's record, where it stands right in it; else empty text."""
    found = given.get(declared.get("id")) if isinstance(given, Mapping) else None
    return str(found) if isinstance(found, str | int) else ""
