"""One field at each member of a sync: what comes in from there, and what goes out to it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from bridge.core.mapping.compiler import CompiledField
from bridge.core.mapping.fieldmap import FieldMap
from bridge.core.merge.case import DEFAULT_POLICY
from bridge.core.model.capabilities import EntityCapabilities, Support, Writable
from bridge.core.model.entities import Field
from bridge.core.model.syncs import FieldPolicy, Sync
from bridge.core.model.values import Canonical, NotCarried, Raw, Unreadable, shown
from bridge.core.planning.calls import value_to_write
from bridge.workbench.proof_findings import At, ProofFinding, ProofSubject, Severity, of_sync

FULLY = Writable()


@dataclass(frozen=True, slots=True)
class Carrier:
    """A field of one member, with all that decides whether and how it travels."""

    sync: Sync
    connection: str
    declared: CompiledField
    able: EntityCapabilities

    @property
    def map(self) -> FieldMap:
        """Return the field as merge and planner know it."""
        return self.declared.map

    @property
    def field(self) -> Field:
        """Return the canonical field."""
        return self.declared.field

    @property
    def policy(self) -> FieldPolicy:
        """Return how two values of the field are settled."""
        return self.sync.policies.get(self.field.name, DEFAULT_POLICY)

    @property
    def writable(self) -> Writable:
        """Return what the system can do with the key that is written."""
        return self.able.writable.get(self.map.write_key or "", FULLY)

    @property
    def counts(self) -> bool:
        """Return whether an edit there is an edit for all others."""
        policy = self.policy
        if policy.policy == "first":
            return False
        return policy.policy != "owner" or policy.owner == self.connection

    @property
    def receives(self) -> bool:
        """Return whether the sync sends the field there, and the mapping says where it goes."""
        to = self.policy.to
        return self.map.write_key is not None and (to is None or self.connection in to)

    @property
    def made_here(self) -> bool:
        """Return whether the bridge makes such records there."""
        return Support.NO not in (self.sync.members[self.connection].create, self.able.creates)

    @property
    def on_create(self) -> bool:
        """Return whether a new record is made with the field."""
        sent = self.receives and self.map.on_create and self.writable.on_create
        return sent and self.made_here

    @property
    def on_update(self) -> bool:
        """Return whether the field of a record that exists is written."""
        able = self.writable.on_update is not Support.NO
        return self.receives and self.map.on_update and able

    @property
    def writes(self) -> bool:
        """Return whether the field is ever written there."""
        return self.on_create or self.on_update

    @property
    def alike(self) -> tuple[object, ...]:
        """Return what is the same for members at which all values of the field fare alike."""
        return (self.map.revision, self.map.write_key, self.writable, self.writes)

    def write(self, value: Canonical) -> Raw | NotCarried:
        """Return how the system would hold a value of ours; of a set, an element."""
        raw = value_to_write(self.map, value, self.writable)
        if raw is None and not self.writable.clears:
            return NotCarried("cannot be emptied")
        return raw

    def known_values(self) -> list[Raw]:
        """Return the values that the system is known to send, as far as they are declared.

        That is by its connector, else by the field's own value table. Of a choice in our own words
        these are all values; of any other field without a table nothing is known.
        """
        parts = self.declared.parts
        declared = self.able.values.get(self.declared.source, ())
        listed = parts.read_table.rows if parts.read_table is not None else {}
        if parts.read_table is None and not declared and self.field.kind == "choice":
            return list(self.field.choices)
        known = dict.fromkeys([(type(raw), raw) for raw in declared])
        known |= dict.fromkeys((type(key[1]), key[1]) for key in listed)
        return [raw for _type, raw in known]

    def at(self, subject: ProofSubject, *below: object) -> At:
        """Return the place of the field's declaration, or of a part of it that it has."""
        return subject.places.in_mapping(
            self.connection, self.sync.entity, "fields", self.field.name, *below
        )

    def finding(
        self,
        law: str,
        severity: Severity,
        at: At,
        what: str,
        *,
        others: Iterable[str] = (),
        example: str = "",
        proposed: str = "",
    ) -> ProofFinding:
        """Return a finding about the field at this member."""
        return of_sync(
            self.sync,
            law,
            severity,
            at,
            what,
            tuple(dict.fromkeys((self.connection, *others))),
            field=self.field.name,
            example=example,
            proposed=proposed,
        )


def carriers(subject: ProofSubject, sync: Sync) -> Iterator[tuple[str, list[Carrier]]]:
    """Yield each field that a member of a sync maps, with the members that map it."""
    found: dict[str, list[Carrier]] = {}
    for name in sync.members:
        compiled = subject.compiled.get(name, {}).get(sync.entity)
        able = subject.capabilities.get(name, {}).get(sync.entity)
        if compiled is None or able is None:
            continue
        for field, declared in compiled.fields.items():
            found.setdefault(field, []).append(Carrier(sync, name, declared, able))
    yield from found.items()


def as_yaml(value: Canonical) -> str:
    """Return a single value as one would write it in YAML, so that it is read as just that."""
    if isinstance(value, str):
        is_word = _WORD.fullmatch(value) and value.lower() not in ("null", "true", "false")
        quoted = json.dumps(value, ensure_ascii=False)
        return value if is_word else "".join(map(_printable, quoted))
    return {None: "null", True: "true", False: "false"}.get(value, str(value))


def _printable(char: str) -> str:
    return char if char.isprintable() else f"\\U{ord(char):08x}"


_WORD: Final = re.compile(r"[^\W\d][\w-]*( [\w-]*\w)*")
"""Text that needs no quotes."""


def read_words(value: Canonical | Unreadable) -> str:
    """Return a canonical value as a counter-example names it."""
    if isinstance(value, Unreadable):
        return "nothing that can be read"
    return as_yaml(value) if value is None or isinstance(value, bool) else str(value)


def some(values: Iterable[Canonical | Raw], *, most: int = 3) -> str:
    """Return the first few of some values, and how many more there are."""
    listed = [value if isinstance(value, str) else as_yaml(value) for value in values]
    more = f" and {len(listed) - most} more" if len(listed) > most else ""
    return ", ".join(listed[:most]) + more


def raw_words(raw: Raw) -> str:
    """Return a raw value as a counter-example names it."""
    return "null" if raw is None else shown(raw)
