"""Vendors' values without a reading: which there are, and giving one a row in its mapping."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from bridge.config import SandboxAccount, yaml_edit
from bridge.core.mapping.given_values import value_of_words
from bridge.core.mapping.value_tables import allowed_values
from bridge.core.model.entities import Field
from bridge.core.model.values import Unreadable, shown
from bridge.errors import UnknownName
from bridge.ledger import unread_values
from bridge.operations import mapping_edits
from bridge.operations.desk import Desk
from bridge.operations.mapping_edits import FileEdit


@dataclass(frozen=True, slots=True)
class UnknownValue:
    """A value that a system shows and its mapping cannot read."""

    connection: str
    entity: str
    field: str
    value: Any
    records: int
    """At least so many: only some of a large ledger's are looked at."""
    first_seen: datetime | None
    last_seen: datetime | None
    examples: list[str]
    """A few of the records, as `connection:remote-id`."""
    at: str
    """The line of the mapping that lacks it."""
    allowed: str
    """What it may read as, in words."""
    proposed: str
    """The likeliest of them; empty: none is like it."""


@dataclass(frozen=True, slots=True)
class AcceptedValue:
    """A row that a mapping was given."""

    at: str
    row: str
    records: int
    """Records that it makes readable."""


def unknown(desk: Desk) -> list[UnknownValue]:
    """Return the values without a reading, the most frequent first."""
    with desk.ledger.read() as tx:
        found = unread_values.unread_values(tx)
    listed = []
    for each in found:
        field = desk.context.fields.get(each.entity, {}).get(each.field)
        if field is None or each.connection not in desk.config.connections:
            continue
        listed.append(
            UnknownValue(
                connection=each.connection,
                entity=each.entity,
                field=each.field,
                value=each.value,
                records=each.records,
                first_seen=each.since,
                last_seen=each.until,
                examples=[f"{each.connection}:{remote_id}" for remote_id in each.examples],
                at=desk.config.places.get((each.connection, each.entity, each.field), ""),
                allowed=allowed_values(field),
                proposed=_likeliest(field, each.value),
            )
        )
    return listed


def accept(
    desk: Desk,
    accounts: Mapping[str, SandboxAccount] | None,
    place: tuple[str, str, str],
    value: str,
    ours: str,
) -> AcceptedValue:
    """Let a value that was seen read as one of ours: its mapping gets a row, and nothing else.

    `place`: connection, entity and field. It is in force once the bridge was started anew, and the
    records that show it are read again. Raises UnknownName for a value that nobody has seen and for
    what the field cannot be, NotPossible where the mapping cannot take the row, or would not hold
    with it; then the file is as it was.
    """
    seen = _seen(unknown(desk), place, value)
    connection, entity, name = place
    meant = value_of_words(desk.context.fields[entity][name], ours)
    if isinstance(meant, Unreadable):
        raise UnknownName(meant.why)
    file = seen.at.rpartition(":")[0]
    before = mapping_edits.read(desk.config.home, file)
    after = yaml_edit.with_row(before, file, (entity, "fields", name, "read"), seen.value, meant)
    row = f"{shown(seen.value)}: {shown(meant)}"
    edit = FileEdit(file, before, after, "value accepted", f"{connection} {name}", {"row": row})
    mapping_edits.make(desk, accounts, edit)
    return AcceptedValue(seen.at, row, seen.records)


def _seen(found: list[UnknownValue], place: tuple[str, str, str], value: str) -> UnknownValue:
    here = [each for each in found if (each.connection, each.entity, each.field) == place]
    for each in here:
        if value in (str(each.value), shown(each.value)):
            return each
    connection, entity, name = place
    seen = ", ".join(str(each.value) for each in here) or "none"
    what = f"{connection} shows no {value} in {name} that has no reading"
    raise UnknownName(f"{what}; those of {entity}s: {seen}")


def _likeliest(field: Field, value: Any) -> str:
    words = [choice for choice in field.choices if choice is not None]
    like = difflib.get_close_matches(str(value).casefold(), words, n=1, cutoff=0.5)
    return like[0] if like else ""
