"""The JSON Schema of mappings/<system>.yaml, which core/mapping checks in its own way."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from bridge.core.mapping.compiler import ENTITY_KEYS, MAX_ALSO_SENT
from bridge.core.mapping.field_declaration import FIELD_KEYS, MAX_TEMPLATE_CHARS
from bridge.core.mapping.paths import MAX_EXPRESSION_CHARS, PLAIN
from bridge.core.mapping.read_helpers import HELPERS
from bridge.core.mapping.tag_options import CASES, MAX_ROWS, MAX_SEPARATOR_CHARS, OPTIONS
from bridge.core.mapping.transform_forms import FORMS
from bridge.core.mapping.transforms import AGENT
from bridge.core.mapping.value_tables import NOT_TABLED
from bridge.core.model.entities import Field, FieldTable

JsonSchema = dict[str, Any]

SINGLE: Final[JsonSchema] = {"type": ["string", "number", "boolean", "null"]}
_PLAIN_PATH: Final[JsonSchema] = {"type": "string", "pattern": f"^(?:{PLAIN.pattern})$"}
_EXPRESSION: Final[JsonSchema] = {
    "type": "string",
    "minLength": 1,
    "maxLength": MAX_EXPRESSION_CHARS,
}
_NOTHING: Final[JsonSchema] = {"type": "null"}
_COUNT: Final[JsonSchema] = {"type": "integer", "minimum": 1}
_ANY_NAME: Final = "^[a-z][a-z0-9_]{0,39}$"
_SAID: Final[Mapping[str, str]] = {
    "path": "a plain path, such as status or custom_fields.team, that is read and written",
    "read": "where it is read: a path, an expression, several of them, or beside path a table "
    "of theirs: ours",
    "write": "where it is sent: a plain path, or beside path a table of ours: theirs",
    "values": "both tables in one, beside path: ours, and one or several of theirs",
    "as": "how the value is turned from their way of writing into ours and back",
    "only_on": "the only kind of call that carries the field",
    "not_carried": "values of ours that the system has nothing for",
    "unless_null": "an empty value is not sent",
    "default": "the value of ours that null and empty text read as",
    "max_length": "text is cut to so many characters when it is written",
    "cut_mark": "what stands at the end of text that was cut",
    "create_from": "text for a new record where the field has no value, such as {customer}",
}
"""What each key of a field says, as an editor shows it."""


def mapping_file(
    systems: Iterable[str], fields: FieldTable, example: JsonSchema, *, any_name: bool
) -> JsonSchema:
    """Return the schema of a mapping's file. `any_name`: there may be fields besides `fields`."""
    properties: JsonSchema = {"system": {"enum": list(systems)}}
    for entity, known in fields.items():
        properties[entity] = _entity(entity, known, example, any_name=any_name)
    definitions = {
        _name(entity, field): _declaration(field)
        for entity, known in fields.items()
        for field in known.values()
    }
    if any_name:
        definitions["any"] = _declaration(Field("any", "json"), any_kind=True)
    return {
        "type": "object",
        "properties": properties,
        "required": ["system"],
        "additionalProperties": False,
        "minProperties": 2,
        "definitions": definitions,
    }


def _name(entity: str, field: Field) -> str:
    """Return under which name it stands in the schema how a field may be mapped."""
    return f"{entity}.{field.name}" if field.kind == "choice" else field.kind


def _defined(name: str) -> JsonSchema:
    return {"$ref": f"#/definitions/{name}"}


def field_names(fields: Mapping[str, Field], *, any_name: bool, more: str = "") -> JsonSchema:
    """Return which names of fields are right. `more`: one besides."""
    named: JsonSchema = {"enum": [*([more] if more else []), *fields]}
    return {"anyOf": [named, {"pattern": _ANY_NAME}]} if any_name else named


def one_value(field: Field) -> JsonSchema:
    """Return what a field's canonical value may be, as far as a table or a default has one."""
    if field.kind == "choice":
        return {"enum": [*field.choices, None]}
    if field.kind == "boolean":
        return {"enum": [True, False, None]}
    return SINGLE


def tag_options() -> JsonSchema:
    """Return what tags may be given."""
    text = {"type": "string", "minLength": 1}
    forms: JsonSchema = {
        "min_salience": {"type": "number", "minimum": 0, "maximum": 1},
        "separator": {**text, "maxLength": MAX_SEPARATOR_CHARS},
        "table": {
            "type": "object",
            "minProperties": 1,
            "maxProperties": MAX_ROWS,
            "additionalProperties": text,
        },
        "allow": {"type": "array", "minItems": 1, "maxItems": MAX_ROWS, "items": text},
        "case": {"enum": list(CASES)},
    }
    return {
        "type": "object",
        "minProperties": 1,
        "properties": {option: forms.get(option, text) for option in OPTIONS},
        "additionalProperties": False,
    }


_GIVEN: Final[JsonSchema] = {
    "cut": {
        "anyOf": [
            _COUNT,
            {
                "type": "object",
                "properties": {"at": _COUNT, "mark": {"type": "string", "minLength": 1}},
                "required": ["at", "mark"],
                "additionalProperties": False,
            },
        ]
    },
    "tags": {"anyOf": [tag_options(), _NOTHING]},
}
"""What some of the names under `as` may be given; the others are given one word or another."""


def _entity(
    entity: str, known: Mapping[str, Field], example: JsonSchema, *, any_name: bool
) -> JsonSchema:
    names = field_names(known, any_name=any_name)
    properties: JsonSchema = {
        "id": {**_PLAIN_PATH, "description": "the plain path of the record's id"},
        "version": {
            **_PLAIN_PATH,
            "description": "the plain path of a time or number that grows with every change",
        },
        "also_sends": {
            "type": "array",
            "maxItems": MAX_ALSO_SENT,
            "items": {"type": "string", "pattern": "^[A-Za-z_][A-Za-z0-9_-]*$"},
            "description": "names at the top of the records that the system's document leaves out",
        },
        "fields": {
            "type": "object",
            "minProperties": 1,
            "properties": {
                name: {"description": field.meaning, "allOf": [_defined(_name(entity, field))]}
                for name, field in known.items()
            },
            "additionalProperties": _defined("any") if any_name else False,
        },
        "examples": {"type": "array", "items": _example(example, names)},
    }
    return {
        "type": "object",
        "properties": {key: properties[key] for key in ENTITY_KEYS},
        "required": ["id", "fields"],
        "additionalProperties": False,
    }


def _example(example: JsonSchema, names: JsonSchema) -> JsonSchema:
    parts = {key: {"type": "object"} for key in ("given", "agents", "written")}
    canonical = {"type": "object", "propertyNames": names}
    properties = {**example["properties"], **parts, "canonical": canonical}
    return {**example, "properties": properties}


def _declaration(field: Field, *, any_kind: bool = False) -> JsonSchema:
    """Return how a field may be mapped: a path, or a mapping of FIELD_KEYS."""
    value = SINGLE if any_kind else one_value(field)
    ours = {"enum": [*field.choices, "null"]} if field.kind == "choice" else {}
    tabled = any_kind or field.kind not in NOT_TABLED
    read_table = {"type": "object", "minProperties": 1, "additionalProperties": value}
    write_table = {
        "type": "object",
        "minProperties": 1,
        "propertyNames": ours,
        "additionalProperties": SINGLE,
    }
    several = {"type": "array", "minItems": 1, "items": _EXPRESSION}
    raws = {"type": "array", "minItems": 1, "items": SINGLE}
    keys: JsonSchema = {
        "path": _PLAIN_PATH,
        "read": {"anyOf": [_EXPRESSION, several, *([read_table] if tabled else []), _NOTHING]},
        "write": {"anyOf": [_PLAIN_PATH, *([write_table] if tabled else []), _NOTHING]},
        "values": {**write_table, "additionalProperties": {"anyOf": [SINGLE, raws]}},
        "as": _steps(field, any_kind=any_kind),
        "only_on": {"enum": ["create", "update"]},
        "not_carried": {"type": "array", "items": value},
        "unless_null": {"type": "boolean"},
        "default": value,
        "max_length": _COUNT,
        "cut_mark": {"type": "string", "minLength": 1},
        "create_from": {"type": "string", "minLength": 1, "maxLength": MAX_TEMPLATE_CHARS},
    }
    long = {
        "type": "object",
        "properties": {key: {**keys[key], "description": _SAID[key]} for key in FIELD_KEYS},
        "additionalProperties": False,
        "anyOf": [
            {"required": ["path"]},
            {"required": ["read"], "properties": {"read": {"type": ["string", "array"]}}},
        ],
    }
    return {"anyOf": [_EXPRESSION, long]}


def _steps(field: Field, *, any_kind: bool) -> JsonSchema:
    """Return what may stand under `as`: names, or names with what they are given."""
    names = [name for name, form in FORMS.items() if any_kind or field.kind in form.kinds]
    names += [AGENT] if any_kind or field.kind == "agent" else []
    names += HELPERS if field.kind != "set" else []
    step = {
        "anyOf": [
            {"enum": names},
            {
                "type": "object",
                "minProperties": 1,
                "maxProperties": 1,
                "propertyNames": {"enum": names},
                "properties": _GIVEN,
            },
        ]
    }
    return {"anyOf": [step, {"type": "array", "items": step}, _NOTHING]}
