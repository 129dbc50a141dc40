"""Reads the declaration of one field of a mapping: checks and compiles each of its parts."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from bridge.core.mapping.agent_table import AgentTable
from bridge.core.mapping.as_chain import Chain, compile_chain
from bridge.core.mapping.paths import PLAIN, PLAIN_PATH, BadPath, Path, compile_path
from bridge.core.mapping.read_helpers import is_mark, named_in
from bridge.core.mapping.transforms import AGENT
from bridge.core.mapping.value_tables import (
    NOT_TABLED,
    Problem,
    Table,
    Where,
    allowed_values,
    compile_table,
    fits,
    inverse,
    typed_key,
)
from bridge.core.model.entities import Field
from bridge.core.model.syncs import QUARANTINE, UnknownPolicy
from bridge.core.model.values import Canonical, shown

FIELD_KEYS = (
    "path",
    "read",
    "write",
    "values",
    "as",
    "only_on",
    "not_carried",
    "unless_null",
    "default",
    "max_length",
    "cut_mark",
    "create_from",
)
"""What `path`, `read` and `write` mean depends on what stands beside them and on their form:

- `path`: a plain path, where the value is read and sent.
- `read`: a value table beside `path`; else a path, an expression, or a list of them, only read.
- `write`: a value table beside `path`; else the plain path to which the value is sent.
- `values`: both tables in one, beside `path`: ours, and theirs; of several the first is sent.
"""


READ_ONLY_WITHOUT = (
    "only_on",
    "unless_null",
    "max_length",
    "cut_mark",
    "create_from",
    "not_carried",
)
"""Keys that mean nothing where a field is only read."""
MAX_TEMPLATE_CHARS = 500


@dataclass(frozen=True, slots=True)
class FieldParts:
    """What a field's declaration consists of, each part checked and compiled."""

    read_table: Table | None
    write_table: Table | None
    not_carried: tuple[Canonical, ...]
    paths: list[Path]
    write_key: str | None
    chain: Chain
    default: Canonical
    max_length: int | None
    cut_mark: str
    unless_null: bool
    only_on: str
    create_from: str

    @property
    def source(self) -> str:
        """Return the plain top-level name that is read; empty for anything more than that."""
        path = self.paths[0]
        only_a_name = len(self.paths) == 1 and path.plain and "." not in path.source
        return path.source if only_a_name else ""


class FieldDeclaration:
    """One field's declaration, and all that is wrong with it so far."""

    def __init__(
        self, field: Field, row: Mapping[str, Any], agents: AgentTable, doors: Collection[str]
    ) -> None:
        self.field, self.row, self.agents, self.doors = field, row, agents, doors
        self.problems: list[Problem] = []

    def parts(self) -> FieldParts:
        """Return all parts. They can be used only if no problem was found."""
        for key in self.row:
            if key not in FIELD_KEYS:
                self.wrong((key,), f"unknown key; allowed {', '.join(FIELD_KEYS)}")
        not_carried = self.not_carried()
        read_table, write_table = self.tables(not_carried)
        paths, write_key = self.paths(), self.write_key()
        return FieldParts(
            read_table=read_table,
            write_table=write_table,
            not_carried=not_carried,
            paths=paths,
            write_key=write_key,
            chain=self.chain(
                tabled=read_table is not None or write_table is not None, write_key=write_key
            ),
            default=self.default(),
            max_length=self.max_length(),
            cut_mark=self.cut_mark(),
            unless_null=self.flag("unless_null"),
            only_on=self.only_on(),
            create_from=self.create_from(),
        )

    def wrong(self, where: Where, what: str) -> None:
        """Note a problem."""
        self.problems.append((where, what))

    def paths(self) -> list[Path]:
        """Return the paths that are read: `read` unless it is a table, else `path`."""
        row = self.row
        key = "read" if isinstance(row.get("read"), str | list) else "path"
        if key == "path" and "path" not in row:
            what = "nothing says where the value is read; allowed path, or read with an expression"
            self.wrong(("read",), what)
            return []
        if key == "read" and "path" in row:
            what = "path says already where the value is read; allowed a value table beside path"
            self.wrong(("read",), what)
        several = key == "read" and isinstance(row[key], list)
        sources = row[key] if several else [row[key]]
        if not sources:
            self.wrong((key,), "is an empty list; allowed one path or more")
        paths: list[Path] = []
        for number, source in enumerate(sources):
            if key == "path" and not (isinstance(source, str) and PLAIN.fullmatch(source)):
                what = f"is {shown(source)}; allowed {PLAIN_PATH} (use read for an expression)"
                self.wrong(("path",), what)
                continue
            try:
                paths.append(compile_path(source, self.doors))
            except BadPath as error:
                self.wrong((key, number) if several else (key,), str(error))
        return paths

    def write_key(self) -> str | None:
        """Return where the value is sent; None for a field that is only read."""
        given = self.row.get("write")
        why = self._why_no_place("path" in self.row, given)
        if why:
            self.wrong(("write",), why)
        key = given if isinstance(given, str) else self.row.get("path")
        if key is None:
            for name in READ_ONLY_WITHOUT:
                if name in self.row:
                    what = "means nothing here: the field is only read; add path or write"
                    self.wrong((name,), what)
        return key if isinstance(key, str) else None

    @staticmethod
    def _why_no_place(has_path: bool, given: Any) -> str:
        """Return why what stands under `write` is no place to send a value to; empty if it may."""
        if isinstance(given, str) and has_path:
            return "path says already where the value is sent; allowed a value table beside path"
        if isinstance(given, str) and not PLAIN.fullmatch(given):
            return f"is {shown(given)}; allowed {PLAIN_PATH}, or a value table"
        if isinstance(given, Mapping) and not has_path:
            return "a table says what is sent, not where; add path"
        if given is not None and not isinstance(given, str | Mapping):
            return f"is {shown(given)}; allowed {PLAIN_PATH}, or a value table"
        return ""

    def tables(self, not_carried: tuple[Canonical, ...]) -> tuple[Table | None, Table | None]:
        """Return the tables for reading and writing.

        Where only one is given and the field goes both ways, the other is its inverse, if it has
        one.
        """
        if "values" in self.row:
            read_table, write_table = self.groups()
        else:
            read_table, write_table = self.table("read"), self.table("write")
        for value in not_carried:
            if write_table is not None and write_table.get(value)[0]:
                what = "is declared as not carried as well; leave one of the two out"
                self.wrong(("write", value), what)
        if "path" not in self.row:
            return read_table, write_table
        if read_table is not None and write_table is None:
            write_table, problems = inverse(read_table, "read", "write")
            self.problems += problems
        elif write_table is not None and read_table is None:
            read_table, problems = inverse(write_table, "write", "read")
            self.problems += problems
        return read_table, write_table

    def groups(self) -> tuple[Table | None, Table | None]:
        """Return both tables of `values`, where each of our values has one of theirs or several."""
        given = self.row["values"]
        if (
            "path" not in self.row
            or isinstance(self.row.get("read"), Mapping)
            or (isinstance(self.row.get("write"), Mapping))
        ):
            self.wrong(("values",), "is both tables in one; allowed beside path, without the two")
            return None, None
        if not isinstance(given, Mapping) or not given:
            self.wrong(("values",), "must be a table of ours: theirs, or ours: [theirs, …]")
            return None, None
        theirs = {ours: raws if isinstance(raws, list) else [raws] for ours, raws in given.items()}
        rows = [(raw, ours) for ours, raws in theirs.items() for raw in raws]
        read_table, write_table = Table(), Table()
        for ours, raws in theirs.items():
            if not raws:
                self.wrong(("values", ours), "is an empty list; allowed one of theirs or more")
        for raw, ours in rows:
            why = self._why_no_row(raw, ours, read_table)
            if why:
                self.wrong(("values", ours), why)
                continue
            read_table.rows[typed_key(raw)] = ours
            write_table.rows.setdefault(typed_key(ours), raw)
        return read_table, write_table

    def _why_no_row(self, raw: Any, ours: Any, so_far: Table) -> str:
        """Return why one of our values cannot have this one of theirs; empty if it can."""
        if not fits(self.field, ours) or self.field.kind in NOT_TABLED:
            return self._is_none(ours)
        if isinstance(raw, Mapping | list):
            return f"is {shown(raw)}; allowed a single value"
        known, other = so_far.get(raw)
        return f"{shown(raw)} stands in the row of {shown(other)} already" if known else ""

    def table(self, key: str) -> Table | None:
        """Return the value table under `read` or `write`; None if there is none."""
        rows = self.row.get(key)
        if not isinstance(rows, Mapping):
            return None
        table, problems = compile_table(self.field, key, rows)
        self.problems += problems
        return table

    def not_carried(self) -> tuple[Canonical, ...]:
        """Return the canonical values that are declared to have no writing."""
        given = self.row.get("not_carried", [])
        if "not_carried" not in self.row:
            return ()
        if not isinstance(given, list) or self.field.kind not in ("choice", "boolean"):
            self.wrong(("not_carried",), "is for choices; allowed a list of our values")
            return ()
        for number, value in enumerate(given):
            if not fits(self.field, value):
                self.wrong(("not_carried", number), self._is_none(value))
        return tuple(value for value in given if fits(self.field, value))

    def _is_none(self, value: Any) -> str:
        """Return the message that a value is none of the field's."""
        return f"{shown(value)} is no {self.field.name}; allowed {allowed_values(self.field)}"

    def chain(self, *, tabled: bool, write_key: str | None) -> Chain:
        """Return what stands under `as`."""
        several = isinstance(self.row.get("read"), list)
        chain, problems = compile_chain(
            self.field, self.row.get("as"), self.agents, tabled=tabled, several=several
        )
        self.problems += problems
        only_reads = chain.transform is not None and chain.transform.elements is not None
        if write_key is not None and only_reads:
            self.wrong(("as",), "tags with options are only read; allowed read in place of path")
        return chain

    def default(self) -> Canonical:
        """Return what stands in for null."""
        given = self.row.get("default")
        if given is not None and not fits(self.field, given):
            self.wrong(("default",), self._is_none(given))
        return given

    def max_length(self) -> int | None:
        """Return the length at which what is written is cut."""
        given = self.row.get("max_length")
        if "max_length" not in self.row:
            return None
        is_count = isinstance(given, int) and not isinstance(given, bool) and given >= 1
        if not is_count or self.field.kind != "text":
            what = f"is {shown(given)}; allowed a number of characters, without quotes, on a text"
            self.wrong(("max_length",), what)
            return None
        return given

    def cut_mark(self) -> str:
        """Return what shows that what is written was cut; empty: nothing does."""
        given = self.row.get("cut_mark")
        if "cut_mark" not in self.row:
            return ""
        length = self.row.get("max_length")
        mark = given if isinstance(given, str) and is_mark(given) else ""
        if not mark or not isinstance(length, int) or length <= len(mark):
            what = "allowed a few characters such as …, beside a max_length with room for them"
            self.wrong(("cut_mark",), f"is {shown(given)}; {what}")
            return ""
        return mark

    def only_on(self) -> str:
        """Return the only kind of call that carries the field; empty: both do."""
        given = self.row.get("only_on")
        if given in ("create", "update"):
            return str(given)
        if "only_on" in self.row:
            self.wrong(("only_on",), f"is {shown(given)}; allowed create, update")
        return ""

    def create_from(self) -> str:
        """Return the text that a new record gets where the field has no value; empty: none."""
        given = self.row.get("create_from")
        if "create_from" not in self.row:
            return ""
        is_text = isinstance(given, str) and 0 < len(given) <= MAX_TEMPLATE_CHARS
        if not is_text or self.field.kind != "text" or not named_in(str(given)):
            what = "allowed text with the names of our fields, such as {subject}, on a text"
            self.wrong(("create_from",), f"is {shown(given)}; {what}")
            return ""
        if self.only_on() == "update":
            self.wrong(("create_from",), "means nothing here: only updates carry the field")
        return str(given)

    def flag(self, key: str) -> bool:
        """Return a declared true or false; false if there is none."""
        given = self.row.get(key, False)
        if not isinstance(given, bool):
            self.wrong((key,), f"is {shown(given)}; allowed true, false")
        return given is True

    def taken_from(self, parts: FieldParts) -> str:
        """Name the way in which the raw value is taken out of a record, in a few letters."""
        chain = parts.chain
        picks = chain.transform is not None and chain.transform.elements is not None
        shaped_by = self.row.get("as") if picks or chain.combine is not None else None
        return _hashed([[path.source for path in parts.paths], _stable(shaped_by)])[:6]

    def revision(self, chain: Chain, unknown: UnknownPolicy = QUARANTINE) -> str:
        """Return a hash of all that the meaning of a raw value depends on (rule F19).

        Agents included where they are looked up: behind a `/`, so that the two can be told apart.
        """
        # `only_on` says when a value is sent, and nothing of what it means.
        edition = chain.transform.edition if chain.transform else 0
        declared = {str(key): _stable(value) for key, value in self.row.items() if key != "only_on"}
        said = [self.field.name, declared, edition, *self.field.declared]
        of_declaration = _hashed(said if unknown == QUARANTINE else [*said, unknown])
        if chain.transform is None or chain.transform.name != AGENT:
            return of_declaration
        people = sorted([email, raw] for email, raw in self.agents.people.items())
        return f"{of_declaration}/{_hashed([self.agents.unmapped, people])}"


def _hashed(value: Any) -> str:
    """Return a short hash of plain data."""
    text = json.dumps(value, sort_keys=True, default=str)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:12]


def _stable(value: Any) -> Any:
    """Return a declaration in a form whose JSON does not depend on the order of a table's rows."""
    if isinstance(value, Mapping):
        rows = ([json.dumps(key), _stable(row)] for key, row in value.items())
        return sorted(rows, key=lambda pair: str(pair[0]))
    return [_stable(element) for element in value] if isinstance(value, list) else value
