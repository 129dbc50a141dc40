"""A field of one's own by form: what is typed there becomes lines of the mappings' files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from bridge.config import fields_file, yaml_edit, yaml_text
from bridge.config.fields_file import KINDS
from bridge.core.mapping.paths import PLAIN
from bridge.errors import NotPossible
from bridge.operations import mapping_sheet, vendor_fields
from bridge.operations.desk import Desk
from bridge.operations.vendor_fields import FIELDS_FILE

__all__ = ["KINDS", "FieldPlace", "NewField", "lines_for", "ways_to_keep"]

MAX_PLACES: Final = 5
NULL: Final = "null"


@dataclass(frozen=True, slots=True)
class FieldPlace:
    """Where one connection keeps the field."""

    connection: str
    path: str
    """A plain path: `custom_fields.region`."""
    words: Mapping[str, str]
    """Their words -> ours; empty: they use ours."""
    writes: bool = True
    """It is written there as well, where the system can."""


@dataclass(frozen=True, slots=True)
class NewField:
    """A field as somebody describes it."""

    entity: str
    name: str
    kind: str
    label: str
    values: Sequence[str]
    """Of a choice: what it can be, in our words."""
    personal: bool
    places: Sequence[FieldPlace]


def ways_to_keep(desk: Desk) -> dict[str, list[str]]:
    """Return by connection under which names its tickets can keep fields of one's own."""
    able = desk.context.capabilities
    return {
        name: sorted(f"{place}." for place in able[name]["ticket"].doors)
        for name in desk.config.connections
        if "ticket" in able.get(name, {})
    }


def lines_for(desk: Desk, new: NewField) -> dict[str, str]:
    """Return the files that change, as texts, by their names below mappings/.

    They are not checked as a whole: a draft of them is. Raises NotPossible, with what to type in
    place of it, for what can be no field at all.
    """
    _refuse(desk, new)
    texts = dict(mapping_sheet.sheet(desk).texts)
    changed: dict[str, str] = {}
    for place in new.places:
        name = vendor_fields.mapping_file(desk, place.connection).removeprefix("mappings/")
        text = changed.get(name, texts.get(name, ""))
        where = (new.entity, "fields")
        changed[name] = yaml_edit.with_row(
            text, f"mappings/{name}", where, new.name, _row(desk, new, place)
        )
    fields = FIELDS_FILE.removeprefix("mappings/")
    changed[fields] = _declared(texts.get(fields, ""), new)
    return changed


def _refuse(desk: Desk, new: NewField) -> None:
    if new.entity not in desk.context.fields:
        raise NotPossible(f"entity: one of {', '.join(desk.context.fields)}")
    why = fields_file.why_no_name(new.name)
    if why:
        raise NotPossible(f"name: {why}")
    if new.name in desk.context.fields[new.entity]:
        raise NotPossible(f"name: there is a field {new.name} already")
    if new.kind not in KINDS:
        raise NotPossible(f"kind: one of {', '.join(KINDS)}")
    if new.kind == "choice" and not new.values:
        raise NotPossible("choices: a choice has at least one value, such as: high, low")
    if not new.places:
        raise NotPossible("where: name at least one connection, and where it keeps the field")
    for place in new.places:
        _refuse_place(desk, new, place)


def _refuse_place(desk: Desk, new: NewField, place: FieldPlace) -> None:
    at = place.connection
    if new.entity not in desk.context.maps.get(at, {}):
        raise NotPossible(f"where: {at or 'no connection'} has no {new.entity}s")
    if [other.connection for other in new.places].count(at) > 1:
        raise NotPossible(f"where: {at} is named twice")
    if not PLAIN.fullmatch(place.path):
        raise NotPossible(f"where at {at}: a name, or names with dots, as custom_fields.region")
    other = sorted(set(place.words.values()) - {*new.values, NULL})
    if other and new.kind == "choice":
        raise NotPossible(f"words at {at}: {', '.join(other)} is none of {', '.join(new.values)}")


def _row(desk: Desk, new: NewField, place: FieldPlace) -> Any:
    """Return what the mapping of a connection says of the field."""
    able = desk.context.capabilities[place.connection][new.entity]
    writes = place.writes and able.door_of(place.path) is not None
    if place.words:
        read: dict[Any, Any] = {
            theirs: None if ours == NULL else ours for theirs, ours in place.words.items()
        }
        if not writes:
            raise NotPossible(
                f"words at {place.connection}: a table of words needs a name that is written to as "
                "well; leave the words out, or edit the draft by hand"
            )
        row: dict[str, Any] = {"path": place.path, "read": {**read, None: None}}
        write = _written(read)
        return row if len(write) == len(read) else row | {"write": {**write, None: None}}
    return place.path if writes else {"read": place.path}


def _written(read: Mapping[Any, Any]) -> dict[Any, Any]:
    """Return of several words of theirs for one of ours the first, by ours."""
    write: dict[Any, Any] = {}
    for theirs, ours in read.items():
        write.setdefault(ours, theirs)
    return write


def _declared(text: str, new: NewField) -> str:
    row: dict[str, Any] = {"kind": new.kind}
    if new.kind == "choice":
        row["values"] = list(new.values)
    if new.label:
        row["label"] = new.label
    if new.personal is not (new.kind not in fields_file.NOT_PERSONAL):
        row["personal"] = new.personal
    if not text.strip():
        return f"{new.entity}:\n  {yaml_text.block({new.name: row}, 1)[0]}\n"
    if not yaml_edit.has(text, FIELDS_FILE, (new.entity,)):
        return yaml_edit.with_row(text, FIELDS_FILE, (), new.entity, {new.name: row})
    return yaml_edit.with_row(text, FIELDS_FILE, (new.entity,), new.name, row)
