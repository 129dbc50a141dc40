"""Compiles declared mappings into what the merge and the planner ask of a field.

Pure: plain data goes in, as YAML gives it; an `EntityMap` comes out, or `MappingError` with every
problem at once.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from bridge.core.mapping.agent_table import AgentTable
from bridge.core.mapping.field_declaration import FIELD_KEYS, FieldDeclaration, FieldParts
from bridge.core.mapping.field_functions import (
    Write,
    make_extractor,
    make_reader,
    make_writer,
    read_parent,
)
from bridge.core.mapping.fieldmap import EntityMap, FieldMap
from bridge.core.mapping.paths import PLAIN, PLAIN_PATH, Path, compile_path
from bridge.core.mapping.read_helpers import filled, named_in
from bridge.core.mapping.transforms import TRANSFORMS, Transform
from bridge.core.mapping.unknown_policy import reader, writer
from bridge.core.mapping.value_tables import Problem
from bridge.core.model.capabilities import JsonKind
from bridge.core.model.entities import BUILT_IN, Field
from bridge.core.model.syncs import QUARANTINE, UnknownPolicy, policy_of
from bridge.core.model.values import Canonical, NotCarried, Raw, shown
from bridge.errors import BridgeError

NO_POLICIES: Mapping[str, UnknownPolicy] = {}
ENTITY_KEYS = ("id", "version", "also_sends", "fields", "examples")
MAX_ALSO_SENT = 100
"""Names that a mapping may add to those of the connector's document."""


class MappingError(BridgeError):
    """A mapping cannot be compiled; `problems` has all reasons, each with its place."""

    def __init__(self, problems: list[Problem]) -> None:
        super().__init__(
            "\n".join(f"{'.'.join(map(str, where))}: {what}" for where, what in problems)
        )
        self.problems = problems


@dataclass(frozen=True, slots=True)
class CompiledField:
    """A field as declared and compiled: what `bridge check` needs to prove things about it.

    Merge and planner know its `map` alone (`Context.maps`).
    """

    field: Field
    map: FieldMap
    roots: frozenset[str]
    """The top-level names of a record that are looked at."""
    source: str
    """The plain top-level name that is read; empty for anything more than that."""
    parts: FieldParts
    """All that was declared, each part compiled."""
    only_on: str = ""
    not_carried: tuple[Canonical, ...] = ()
    sends: tuple[JsonKind, ...] = ()
    """The kinds of JSON that are written, besides null."""
    max_length: int | None = None


@dataclass(frozen=True, slots=True)
class CompiledEntity:
    """All fields of one entity."""

    map: EntityMap
    fields: Mapping[str, CompiledField]
    id: Path
    version: Path | None = None
    also_sends: frozenset[str] = frozenset()
    """Names at the top of a record that the connector's document does not list."""


# --- an entity ------------------------------------------------------------------------------------


def compile_entity(
    entity: str,
    declared: Any,
    agents: AgentTable,
    known: Mapping[str, Field] | None = None,
    doors: Collection[str] = (),
    unknown: Mapping[str, UnknownPolicy] = NO_POLICIES,
) -> CompiledEntity:
    """Return all fields of one entity, compiled for one connection.

    `known`: the fields that there are, the built-in ones unless told so. `doors`: objects of its
    records that are always shown whole. `unknown`: what becomes of values without a reading, by
    field. Raises MappingError with every problem.
    """
    if not isinstance(declared, Mapping):
        raise MappingError(
            [((), f"must have rows such as key: value; allowed keys {', '.join(ENTITY_KEYS)}")]
        )
    problems: list[Problem] = [
        ((key,), f"unknown key; allowed {', '.join(ENTITY_KEYS)}")
        for key in declared
        if key not in ENTITY_KEYS
    ]
    compiling = _FieldCompiler(
        entity, BUILT_IN[entity] if known is None else known, agents, doors, unknown
    )
    fields = compiling.all(declared.get("fields"))
    problems += compiling.problems
    identity, version = _plain(declared, "id", problems), _plain(declared, "version", problems)
    if identity is None and "id" not in declared:
        problems.append((("id",), "is missing; allowed the plain path of the record's id"))
    also_sends = _also_sent(declared, problems)
    if problems or identity is None:
        raise MappingError(problems)
    maps = {name: compiled.map for name, compiled in fields.items()}
    made = EntityMap(entity, maps, _versioner(version), also_sends)
    return CompiledEntity(made, fields, identity, version, also_sends)


@dataclass(slots=True)
class _FieldCompiler:
    """Compiles the fields of one entity, and collects their problems."""

    entity: str
    known: Mapping[str, Field]
    agents: AgentTable
    doors: Collection[str]
    unknown: Mapping[str, UnknownPolicy]
    problems: list[Problem] = field(default_factory=list)

    def all(self, rows: Any) -> dict[str, CompiledField]:
        """Return the fields that can be compiled."""
        allowed = ", ".join(self.known)
        if not isinstance(rows, Mapping) or not rows:
            self.problems.append((("fields",), f"must map at least one field; allowed {allowed}"))
            return {}
        fields: dict[str, CompiledField] = {}
        for name, row in rows.items():
            if name not in self.known:
                own = "or one that mappings/fields.yaml declares"
                what = f"no {self.entity} has this field; allowed {allowed}, {own}"
                self.problems.append((("fields", name), what))
                continue
            self.check_template(name, row)
            try:
                fields[name] = compile_field(
                    self.known[name], row, self.agents, self.doors, policy_of(self.unknown, name)
                )
            except MappingError as error:
                at = ("fields", name)
                self.problems += [((*at, *where), what) for where, what in error.problems]
        return fields

    def check_template(self, name: str, row: Any) -> None:
        """Refuse a template that names fields that there are not."""
        pattern = row.get("create_from") if isinstance(row, Mapping) else None
        for each in named_in(pattern) if isinstance(pattern, str) else ():
            if each not in self.known:
                what = f"names {each}, which no {self.entity} has; allowed {', '.join(self.known)}"
                self.problems.append((("fields", name, "create_from"), what))


def _also_sent(declared: Mapping[str, Any], problems: list[Problem]) -> frozenset[str]:
    """Return the names that the system sends though its document does not say so."""
    given = declared.get("also_sends", [])
    names = given if isinstance(given, list) and len(given) <= MAX_ALSO_SENT else [None]
    if all(isinstance(name, str) and "." not in name and PLAIN.fullmatch(name) for name in names):
        return frozenset(names)
    what = f"is {shown(given)}; allowed a list of names at the top of the system's records"
    problems.append((("also_sends",), what))
    return frozenset()


def _plain(declared: Mapping[str, Any], key: str, problems: list[Problem]) -> Path | None:
    """Return a plain path that the entity declares; None if it declares none, or another one."""
    value = declared.get(key)
    if key not in declared:
        return None
    if isinstance(value, str) and PLAIN.fullmatch(value):
        return compile_path(value)
    problems.append(((key,), f"is {shown(value)}; allowed {PLAIN_PATH}"))
    return None


def _versioner(path: Path | None) -> Callable[[Mapping[str, Any]], str | None]:
    """Return the function that takes a record's version: a number or a time, as text that sorts."""
    if path is None:
        return lambda _record: None

    read_time = TRANSFORMS["datetime"].read

    def version(record: Mapping[str, Any]) -> str | None:
        raw = path.get(record)
        if isinstance(raw, int) and not isinstance(raw, bool) and raw >= 0:
            return f"{raw:020d}"  # padded: numbers sort as text
        time = read_time(raw)
        return time if isinstance(time, str) else None

    return version


# --- a field --------------------------------------------------------------------------------------


def compile_field(
    field: Field,
    declared: Any,
    agents: AgentTable,
    doors: Collection[str] = (),
    unknown: UnknownPolicy = QUARANTINE,
) -> CompiledField:
    """Return one field, compiled.

    Declared is a plain path for both directions, or a mapping of the keys in `FIELD_KEYS`. `doors`:
    objects of the record that are always shown whole. `unknown`: what becomes of values that have
    no reading. Raises MappingError with every problem.
    """
    row = {"path": declared} if isinstance(declared, str) else declared
    if not isinstance(row, Mapping) or not row:
        allowed = ", ".join(FIELD_KEYS)
        what = "must be a path, or have rows such as key: value"
        raise MappingError([((), f"{what}; allowed keys {allowed}")])
    declaration = FieldDeclaration(field, row, agents, doors)
    parts = declaration.parts()
    if declaration.problems:
        raise MappingError(declaration.problems)
    revision = declaration.revision(parts.chain, unknown)
    return _assemble(field, parts, revision, declaration.taken_from(parts), unknown)


def _assemble(
    field: Field, parts: FieldParts, revision: str, taken_from: str, unknown: UnknownPolicy
) -> CompiledField:
    """Return the compiled field that the parts make."""
    transform = parts.chain.transform
    tabled = parts.read_table is not None
    known = make_reader(field, parts.read_table, parts.chain, parts.default)
    read = reader(known, unknown, tabled=tabled)
    write = make_writer(
        field,
        parts.write_table,
        parts.chain,
        not_carried=parts.not_carried,
        max_length=parts.max_length,
        cut_mark=parts.cut_mark,
        unless_null=parts.unless_null,
    )
    write = writer(read, write, unknown, tabled=tabled)
    compiled = FieldMap(
        name=field.name,
        revision=revision,
        extract=make_extractor(field, parts.paths, parts.chain),
        read=read_parent if field.kind == "parent" else read,
        write=write,
        write_key=parts.write_key,
        source=parts.source,
        sources=tuple(path.source for path in parts.paths),
        taken_from=taken_from,
        is_set=field.kind == "set",
        on_create=parts.only_on in ("", "create"),
        on_update=parts.only_on in ("", "update"),
        create_from=_composer(parts.create_from, write) if parts.create_from else None,
        parent=transform.name if transform is not None and field.kind == "parent" else "",
        tabled=tabled,
        unknown=unknown,
        loses=transform.loses if transform is not None else None,
        stranger=transform.stranger if transform is not None and field.kind == "agent" else None,
    )
    return CompiledField(
        field=field,
        map=compiled,
        roots=frozenset().union(*(path.roots for path in parts.paths)),
        source=parts.source,
        only_on=parts.only_on,
        not_carried=parts.not_carried,
        sends=_sent_kinds(parts, transform),
        max_length=parts.max_length,
        parts=parts,
    )


def _composer(pattern: str, write: Write) -> Callable[[Mapping[str, Any]], Raw | NotCarried]:
    """Return the function that fills a template in and writes it as the field is written."""

    def compose(values: Mapping[str, Any]) -> Raw | NotCarried:
        text = filled(pattern, values)
        return None if text is None else write(text)

    return compose


def _sent_kinds(parts: FieldParts, transform: Transform | None) -> tuple[JsonKind, ...]:
    """Return the kinds of JSON that a field sends; our own words are text."""
    if transform is not None:
        return transform.sends
    raws = parts.write_table.rows.values() if parts.write_table is not None else ("",)
    kinds: dict[type, JsonKind] = {str: "text", bool: "boolean", int: "number", float: "number"}
    return tuple(sorted({kinds[type(raw)] for raw in raws if type(raw) in kinds}))
