"""Compiles declared mappings, plain data as YAML gives it, into what the merge and the planner ask of a field.

Pure: what the declaration says goes in, an `EntityMap` comes out, or `MappingError` with every
problem at once.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from bridge.core.mapping.as_chain import Chain, compile_chain
from bridge.core.mapping.field_functions import (
    Table,
    make_extractor,
    make_reader,
    make_writer,
    read_parent,
    typed_key,
)
from bridge.core.mapping.fieldmap import EntityMap, FieldMap
from bridge.core.mapping.paths import PLAIN, BadPath, Path, compile_path
from bridge.core.mapping.transforms import AGENT, TRANSFORMS, AgentTable, shown
from bridge.core.model.entities import ENTITIES, Field
from bridge.core.model.values import Canonical
from bridge.errors import BridgeError

Where = tuple[str | int | float | bool | None, ...]
"""Keys from the top of a declaration down to the value that a problem is about."""

FIELD_KEYS = (
    "path",
    "read",
    "write",
    "as",
    "only_on",
    "not_carried",
    "unless_null",
    "default",
    "max_length",
)
ENTITY_KEYS = ("id", "version", "fields", "examples")


class MappingError(BridgeError):
    """A mapping cannot be compiled; `problems` has all reasons, each with the place it is about."""

    def __init__(self, problems: list[tuple[Where, str]]) -> None:
        super().__init__(
            "\n".join(f"{'.'.join(map(str, where))}: {what}" for where, what in problems)
        )
        self.problems = problems


@dataclass(frozen=True, slots=True)
class CompiledField:
    """A field as declared and compiled: what `bridge check` needs to prove things about it."""

    field: Field
    map: FieldMap
    roots: frozenset[str]
    source: str
    """The plain top-level name that is read; empty for anything more than that."""
    only_on: str = ""
    not_carried: tuple[Canonical, ...] = ()
    tabled: bool = False
    max_length: int | None = None


@dataclass(frozen=True, slots=True)
class CompiledEntity:
    """All fields of one entity."""

    map: EntityMap
    fields: Mapping[str, CompiledField]
    id: Path
    version: Path | None = None


def compile_entity(entity: str, declared: Any, agents: AgentTable) -> CompiledEntity:
    """Compile all fields of one entity for one connection. Raises MappingError with every problem."""
    problems: list[tuple[Where, str]] = []
    known = ENTITIES[entity]
    if not isinstance(declared, Mapping):
        raise MappingError([((), f"must be a mapping; allowed keys {', '.join(ENTITY_KEYS)}")])
    problems += [
        ((key,), f"unknown key; allowed {', '.join(ENTITY_KEYS)}")
        for key in declared
        if key not in ENTITY_KEYS
    ]
    rows = declared.get("fields")
    if not isinstance(rows, Mapping) or not rows:
        problems.append((("fields",), f"must map at least one field; allowed {', '.join(known)}"))
        rows = {}
    fields: dict[str, CompiledField] = {}
    for name, row in rows.items():
        if name not in known:
            problems.append(
                (("fields", name), f"no {entity} has this field; allowed {', '.join(known)}")
            )
            continue
        try:
            fields[name] = compile_field(known[name], row, agents)
        except MappingError as error:
            problems += [(("fields", name, *where), what) for where, what in error.problems]
    identity, version = _plain(declared, "id", problems), _plain(declared, "version", problems)
    if identity is None and "id" not in declared:
        problems.append((("id",), "is missing; allowed the plain path of the record's id"))
    if problems or identity is None:
        raise MappingError(problems)
    made = EntityMap(entity, {name: each.map for name, each in fields.items()}, _versioner(version))
    return CompiledEntity(made, fields, identity, version)


def _plain(declared: Mapping[str, Any], key: str, problems: list[tuple[Where, str]]) -> Path | None:
    value = declared.get(key)
    if key not in declared:
        return None
    if isinstance(value, str) and PLAIN.fullmatch(value):
        return compile_path(value)
    problems.append(((key,), f"is {shown(value)}; allowed a plain path"))
    return None


def _versioner(path: Path | None) -> Callable[[Mapping[str, Any]], str | None]:
    if path is None:
        return lambda _record: None

    moment = TRANSFORMS["datetime"].read

    def version(record: Mapping[str, Any]) -> str | None:
        raw = path.get(record)
        if isinstance(raw, int) and not isinstance(raw, bool) and raw >= 0:
            return f"{raw:020d}"
        read = moment(raw)
        return read if isinstance(read, str) else None

    return version


# --- one field
# -----------------------------------------------------------------------------------------------------


def compile_field(known: Field, declared: Any, agents: AgentTable) -> CompiledField:
    """Compile one field's declaration: a plain path for both directions, or a mapping of the keys in `KEYS`."""
    row = {"path": declared} if isinstance(declared, str) else declared
    if not isinstance(row, Mapping) or not row:
        raise MappingError(
            [((), f"must be a path or a mapping; allowed keys {', '.join(FIELD_KEYS)}")]
        )
    return _FieldCompiler(known, row, agents).compiled()


class _FieldCompiler:
    """Gathers the parts of one declaration, and all that is wrong with them."""

    def __init__(self, known: Field, row: Mapping[str, Any], agents: AgentTable) -> None:
        self.known, self.row, self.agents = known, row, agents
        self.problems: list[tuple[Where, str]] = []

    def compiled(self) -> CompiledField:
        row = self.row
        for key in row:
            if key not in FIELD_KEYS:
                self.wrong((key,), f"unknown key; allowed {', '.join(FIELD_KEYS)}")
        not_carried = self.not_carried()
        reads, writes = self.table("read"), self.table("write")
        reads, writes = self.inverses(reads, writes, not_carried)
        paths, write_key = self.paths(), self.write_key()
        chain = self.chain(
            tabled=reads is not None or writes is not None,
            several=isinstance(row.get("read"), list),
        )
        if (
            write_key is not None
            and chain.transform is not None
            and chain.transform.elements is not None
        ):
            self.wrong(("as",), "tags with options are only read; allowed read in place of path")
        default, longest = self.default(), self.max_length()
        unless_null = self.flag("unless_null")
        only_on = self.only_on()
        if self.problems:
            raise MappingError(self.problems)
        source = (
            paths[0].source
            if len(paths) == 1 and paths[0].plain and "." not in paths[0].source
            else ""
        )
        made = FieldMap(
            name=self.known.name,
            revision=self.revision(chain),
            extract=make_extractor(self.known, paths, chain),
            read=read_parent
            if self.known.kind == "parent"
            else make_reader(self.known, reads, chain, default),
            write=make_writer(
                self.known,
                writes,
                chain,
                not_carried=not_carried,
                longest=longest,
                unless_null=unless_null,
            ),
            write_key=write_key,
            source=source,
            is_set=self.known.kind == "set",
            on_create=only_on in ("", "create"),
            on_update=only_on in ("", "update"),
            parent=chain.transform.name if self.known.kind == "parent" and chain.transform else "",
            stranger=chain.transform.stranger
            if self.known.kind == "agent" and chain.transform
            else None,
        )
        return CompiledField(
            field=self.known,
            map=made,
            roots=frozenset().union(*(path.roots for path in paths)),
            source=source,
            only_on=only_on,
            not_carried=not_carried,
            tabled=writes is not None,
            max_length=longest,
        )

    def wrong(self, where: Where, what: str) -> None:
        """Note a problem."""
        self.problems.append((where, what))

    def paths(self) -> list[Path]:
        """Compile what is read: `read` unless it is a table, else `path`."""
        row, found = self.row, []
        given = row.get("read")
        key = "read" if isinstance(given, str | list) else "path"
        if key == "path" and "path" not in row:
            self.wrong(
                ("read",),
                "nothing says where the value is read; allowed path, or read with an expression",
            )
            return []
        if key == "read" and "path" in row:
            self.wrong(
                ("read",),
                "path says already where the value is read; allowed a value table beside path",
            )
        sources = row[key] if isinstance(row[key], list) else [row[key]]
        if not sources:
            self.wrong((key,), "is an empty list; allowed one path or more")
        for number, source in enumerate(sources):
            try:
                found.append(compile_path(source))
            except BadPath as error:
                self.wrong((key, number) if isinstance(row[key], list) else (key,), str(error))
        if key == "path" and found and not found[0].plain:
            self.wrong(
                ("path",),
                f"is {shown(row[key])}; allowed a plain path (use read for an expression)",
            )
        return found

    def write_key(self) -> str | None:
        """Find where the value is sent."""
        given = self.row.get("write")
        if isinstance(given, str) and "path" in self.row:
            self.wrong(
                ("write",),
                "path says already where the value is sent; allowed a value table beside path",
            )
        elif isinstance(given, str) and not PLAIN.fullmatch(given):
            self.wrong(("write",), f"is {shown(given)}; allowed a plain path or a value table")
        elif isinstance(given, Mapping) and "path" not in self.row:
            self.wrong(("write",), "a table says what is sent, not where; add path")
        elif given is not None and not isinstance(given, str | Mapping):
            self.wrong(("write",), f"is {shown(given)}; allowed a plain path or a value table")
        key = given if isinstance(given, str) else self.row.get("path")
        if key is None:
            for name in ("only_on", "unless_null", "max_length", "not_carried"):
                if name in self.row:
                    self.wrong(
                        (name,), "means nothing here: the field is only read; add path or write"
                    )
        return key if isinstance(key, str) else None

    def table(self, key: str) -> Table | None:
        """Read a value table; `read` has raw keys and canonical values, `write` the other way round."""
        given = self.row.get(key)
        if not isinstance(given, Mapping):
            return None
        made = Table()
        if not given:
            self.wrong((key,), "is an empty table; allowed one row or more")
        if self.known.kind in ("set", "agent", "parent"):
            self.wrong(
                (key,), f"a {self.known.kind} takes no value table; allowed a path, with `as`"
            )
            return made
        for left, right in given.items():
            canonical, raw = (right, left) if key == "read" else (left, right)
            if not self.fits(canonical):
                self.wrong(
                    (key, left),
                    f"{shown(canonical)} is no {self.known.name}; allowed {self.allowed()}",
                )
            elif isinstance(raw, Mapping | list):
                self.wrong((key, left), f"is {shown(raw)}; allowed a single value")
            else:
                made.rows[typed_key(left)] = right
        return made

    def fits(self, value: Any) -> bool:
        """Tell whether a canonical value is one that the field can have."""
        if value is None:
            return True
        if self.known.kind == "choice":
            return isinstance(value, str) and value in self.known.choices
        return isinstance(value, bool) if self.known.kind == "boolean" else isinstance(value, str)

    def allowed(self) -> str:
        """Name the canonical values of the field."""
        if self.known.kind == "choice":
            return ", ".join((*self.known.choices, "null"))
        return "true, false, null" if self.known.kind == "boolean" else "text, null"

    def not_carried(self) -> tuple[Canonical, ...]:
        """Read the canonical values that are declared to have no writing."""
        given = self.row.get("not_carried", [])
        if "not_carried" not in self.row:
            return ()
        if not isinstance(given, list) or self.known.kind not in ("choice", "boolean"):
            self.wrong(("not_carried",), "is for choices; allowed a list of canonical values")
            return ()
        for number, value in enumerate(given):
            if not self.fits(value):
                self.wrong(
                    ("not_carried", number),
                    f"{shown(value)} is no {self.known.name}; allowed {self.allowed()}",
                )
        return tuple(value for value in given if self.fits(value))

    def inverses(
        self, reads: Table | None, writes: Table | None, not_carried: tuple[Canonical, ...]
    ) -> tuple[Table | None, Table | None]:
        """Where only one table is given and the field goes both ways, the other is its inverse, if it has one."""
        for value in not_carried:
            if writes is not None and writes.get(value)[0]:
                self.wrong(
                    ("write", value), "is declared as not carried as well; leave one of the two out"
                )
        if "path" not in self.row or (reads is None) == (writes is None):
            return reads, writes
        key, other, given = (
            ("read", "write", reads) if writes is None else ("write", "read", writes)
        )
        inverse = Table()
        for (_kind, left), right in (given or Table()).rows.items():
            if typed_key(right) in inverse.rows:
                twice = inverse.rows[typed_key(right)]
                what = f"{shown(twice)} and {shown(left)} both stand for {shown(right)}; add a `{other}` table"
                self.wrong((key, left), what)
            inverse.rows[typed_key(right)] = left
        return (inverse, writes) if other == "read" else (reads, inverse)

    def chain(self, *, tabled: bool, several: bool) -> Chain:
        """Compile `as`."""
        found, problems = compile_chain(
            self.known, self.row.get("as"), self.agents, tabled=tabled, several=several
        )
        self.problems += problems
        return found

    def default(self) -> Canonical:
        """Read what stands in for null."""
        given = self.row.get("default")
        if given is not None and (self.known.kind == "set" or not self.fits(given)):
            self.wrong(
                ("default",), f"{shown(given)} is no {self.known.name}; allowed {self.allowed()}"
            )
        return given

    def max_length(self) -> int | None:
        """Read the length at which what is written is cut."""
        given = self.row.get("max_length")
        if "max_length" not in self.row:
            return None
        if (
            not isinstance(given, int)
            or isinstance(given, bool)
            or given < 1
            or self.known.kind != "text"
        ):
            self.wrong(
                ("max_length",), f"is {shown(given)}; allowed a number of characters, on a text"
            )
            return None
        return given

    def only_on(self) -> str:
        """Read which kind of call alone carries the field."""
        given = self.row.get("only_on")
        if given in ("create", "update"):
            return str(given)
        if "only_on" in self.row:
            self.wrong(("only_on",), f"is {shown(given)}; allowed create, update")
        return ""

    def flag(self, key: str) -> bool:
        """Read true or false."""
        given = self.row.get(key, False)
        if not isinstance(given, bool):
            self.wrong((key,), f"is {shown(given)}; allowed true, false")
        return given is True

    def revision(self, chain: Chain) -> str:
        """Hash what the meaning of a raw value depends on, agents included where they are looked up."""
        edition = chain.transform.edition if chain.transform else 0
        declared = {str(key): _stable(value) for key, value in self.row.items() if key != "only_on"}
        made = _hashed([self.known.name, declared, edition])
        if chain.transform is None or chain.transform.name != AGENT:
            return made
        return f"{made}/{_hashed([self.agents.unmapped, sorted([k, v] for k, v in self.agents.people.items())])}"


def _hashed(told: Any) -> str:
    text = json.dumps(told, sort_keys=True, default=str)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:12]


def _stable(value: Any) -> Any:
    """Bring a declaration into a form whose JSON does not depend on the order of a table's rows."""
    if isinstance(value, Mapping):
        return sorted(
            ([json.dumps(key), _stable(row)] for key, row in value.items()),
            key=lambda pair: str(pair[0]),
        )
    return [_stable(each) for each in value] if isinstance(value, list) else value
