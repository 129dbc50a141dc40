"""JSON Schemas of the files of a home, for editors; made of what the loader itself checks by.

They never refuse what the loader takes; what depends on other files, they cannot know.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from apispec import APISpec
from apispec.ext.marshmallow.openapi import OpenAPIConverter
from marshmallow import Schema

from bridge.config import fields_file, yaml_reader
from bridge.config.example_trials import mapping_stems
from bridge.config.json_mapping_schema import (
    JsonSchema,
    field_names,
    mapping_file,
    tag_options,
)
from bridge.config.one_account import Classes
from bridge.config.schema_fields import NAME, ParsedField
from bridge.config.schemas import BridgeSchema, ExampleSchema, Named, PolicySchema, SyncSchema
from bridge.config.sync_policies import OTHERS, WORDS
from bridge.config.syncs_file import NOT_MATCHED, TERM
from bridge.connectors.contract import Connector
from bridge.core.mapping.agent_table import LEAVE, UNASSIGN
from bridge.core.model.entities import BUILT_IN, ENTITIES, Field, FieldTable, with_own
from bridge.errors import ConfigError

DRAFT: Final = "http://json-schema.org/draft-07/schema#"
OPENAPI: Final = "3.1.0"
"""The version in which OpenAPI's schemas are JSON Schema."""
FOLDER: Final = "config/schemas"
"""Where a home has them."""
FILES: Final = {
    "bridge": "config/bridge.yaml",
    "mapping": "mappings/<system>.yaml",
    "fields": "mappings/fields.yaml",
    "syncs": "mappings/syncs.yaml",
    "agents": "mappings/agents.yaml",
}
"""What each is the schema of."""
_REFERENCE: Final = {"type": "string", "pattern": r"\$\{"}
"""Text with a reference, which may stand for any single value of config/bridge.yaml."""


@dataclass(frozen=True, slots=True)
class HomeNames:
    """The names that there are in one home. Those of a kind that is empty are not known."""

    connections: tuple[str, ...] = ()
    mappings: tuple[str, ...] = ()
    people: tuple[str, ...] = ()
    syncs: tuple[str, ...] = ()
    fields: FieldTable = field(default_factory=lambda: BUILT_IN)
    own_fields: bool = False
    """`fields` are all that there are. Otherwise there may be any besides."""


def schemas(classes: Classes, names: HomeNames | None = None) -> dict[str, JsonSchema]:
    """Return the schema of each of FILES, by its name.

    `names`: those of one home, which are then the only ones that are right.
    """
    converting, known = _Converter(), names or HomeNames()
    made = {
        "bridge": _bridge(converting, classes, known),
        "mapping": mapping_file(
            sorted(classes),
            known.fields,
            converting.of(ExampleSchema),
            any_name=not known.own_fields,
        ),
        "fields": _fields_file(),
        "syncs": _syncs(converting, known),
        "agents": _agents(known),
    }
    return {name: {"$schema": DRAFT, "title": FILES[name], **made[name]} for name in FILES}


def as_text(schema: JsonSchema) -> str:
    """Return a schema as its file has it."""
    return f"{json.dumps(schema, indent=1, ensure_ascii=False)}\n"


def names_of(home: Path) -> HomeNames:
    """Return the names that there are in a home, as far as its files can be read."""
    data = {name: _data(home, FILES[name]) for name in ("bridge", "agents", "syncs")}
    fields = BUILT_IN
    with contextlib.suppress(ConfigError):
        own, _problems = fields_file.compile_fields(
            yaml_reader.load(home / FILES["fields"], FILES["fields"])
        )
        fields = with_own(own)
    people = data["agents"].get("agents")
    rows = people if isinstance(people, list) else []
    connections = data["bridge"].get("connections")
    return HomeNames(
        connections=_texts(connections if isinstance(connections, dict) else ()),
        mappings=tuple(mapping_stems(home)),
        syncs=_texts(data["syncs"]),
        people=_texts(row.get("email") for row in rows if isinstance(row, dict)),
        fields=fields,
        own_fields=True,
    )


def _data(home: Path, file: str) -> Mapping[str, Any]:
    try:
        data = yaml_reader.load(home / file, file).data
    except ConfigError:
        return {}
    return data if isinstance(data, dict) else {}


def _texts(values: Iterable[Any]) -> tuple[str, ...]:
    return tuple(value for value in values if isinstance(value, str))


class _Converter:
    """Turns the loader's marshmallow schemas into JSON Schema."""

    def __init__(self) -> None:
        spec = APISpec("bridge", "1", OPENAPI)
        self.converter = OpenAPIConverter(OPENAPI, lambda _schema: "", spec)
        for kind in (ParsedField, Named):
            self.converter.field_mapping[kind] = (None, None)

        def form(_converter: OpenAPIConverter, found: Any, **_more: Any) -> JsonSchema:
            return self._form(found)

        self.converter.add_attribute_function(form)  # type: ignore[no-untyped-call]

    def of(self, schema: type[Schema]) -> JsonSchema:
        """Return the JSON Schema of one marshmallow schema."""
        made: JsonSchema = self.converter.schema2jsonschema(schema)  # type: ignore[no-untyped-call]
        return made

    def _form(self, found: Any) -> JsonSchema:
        """Return what a field of ours allows, which apispec cannot know."""
        if isinstance(found, ParsedField):
            form = dict(found.form)
            return {"anyOf": [form, {"type": "null"}]} if found.allow_none else form
        if isinstance(found, Named):
            return {
                "type": "object",
                "minProperties": 1,
                "propertyNames": {"pattern": whole(NAME.pattern)},
                "additionalProperties": self.of(found.inner),
            }
        return {}


def whole(pattern: str) -> str:
    """Return a pattern that has to be met from end to end."""
    return f"^(?:{pattern})$"


# Below: each file, and what of it no marshmallow schema says.


def _bridge(converting: _Converter, classes: Classes, known: HomeNames) -> JsonSchema:
    schema: JsonSchema = converting.of(BridgeSchema)
    connection = schema["properties"]["connections"]["additionalProperties"]
    told = schema["properties"]["notices"]["additionalProperties"]["properties"]
    told["connections"], told["syncs"] = (
        _list_of(_one_of(names)) for names in (known.connections, known.syncs)
    )
    own = connection["properties"]
    own["system"] = {"enum": sorted(classes)}
    own["mapping"] = {"enum": sorted(known.mappings)} if known.mappings else own["mapping"]
    own["options"] = {"type": "object"}
    connection["allOf"] = [
        {
            "if": {"properties": {"system": {"const": system}}, "required": ["system"]},
            "then": _of_system(kind, own),
        }
        for system, kind in sorted(classes.items())
    ]
    made: JsonSchema = _with_references(schema)
    return made


def _of_system(kind: type[Connector], own: Mapping[str, Any]) -> JsonSchema:
    """Return what a connection of one system may have, and has to have."""
    options = {name: {"description": text} for name, text in sorted(kind.OPTIONS.items())}
    credentials = sorted(kind.CREDENTIALS)
    required = [
        {
            "anyOf": [
                {"required": [name]},
                {"properties": {"options": {"required": [name]}}, "required": ["options"]},
            ]
        }
        for name in sorted(kind.REQUIRED_OPTIONS)
    ]
    return {
        "propertyNames": {"enum": [*own, *options]},
        "properties": {
            **options,
            "options": {"properties": options, "propertyNames": {"enum": [*options]}},
            "credentials": {"propertyNames": {"enum": credentials}, "required": credentials},
        },
        **({"allOf": required} if required else {}),
    }


def _with_references(schema: Any) -> Any:
    """Allow text with a reference wherever one single value is allowed."""
    if not isinstance(schema, dict):
        return schema
    made: JsonSchema = {
        key: {name: _with_references(each) for name, each in item.items()}
        if key == "properties"
        else _with_references(item)
        if key in ("additionalProperties", "items")
        else item
        for key, item in schema.items()
    }
    single = schema.get("type") in ("string", "integer") or schema.keys() & {"enum", "anyOf"}
    if not single or "properties" in schema:
        return made
    said = {key: made.pop(key) for key in ("description", "default") if key in made}
    ways = [
        _with_references(each) if each.get("type") == "array" else each
        for each in made.get("anyOf", [made])
    ]
    return {"anyOf": [*ways, _REFERENCE], **said}


def _fields_file() -> JsonSchema:
    row = {
        "type": "object",
        "properties": {
            "kind": {"enum": list(fields_file.KINDS)},
            "values": {
                "type": "array",
                "minItems": 1,
                "maxItems": fields_file.MAX_VALUES,
                "uniqueItems": True,
                "items": {
                    "type": "string",
                    "minLength": 1,
                    "maxLength": fields_file.MAX_VALUE_CHARS,
                },
            },
            "label": {"type": "string", "maxLength": fields_file.MAX_LABEL_CHARS},
            "personal": {"type": "boolean"},
        },
        "required": ["kind"],
        "additionalProperties": False,
        "if": {"properties": {"kind": {"const": "choice"}}},
        "then": {"required": ["values"]},
        "else": {"properties": {"values": False}},
    }
    rows = {
        "type": ["object", "null"],
        "maxProperties": fields_file.MAX_FIELDS,
        "propertyNames": {"pattern": whole(fields_file.NAME.pattern)},
        "additionalProperties": row,
    }
    return {
        "type": ["object", "null"],
        "properties": {
            entity: {
                **rows,
                "propertyNames": {
                    "pattern": whole(fields_file.NAME.pattern),
                    "not": {"enum": sorted({*fields_file.RESERVED, *BUILT_IN[entity]})},
                },
            }
            for entity in ENTITIES
        },
        "additionalProperties": False,
    }


def _syncs(converting: _Converter, known: HomeNames) -> JsonSchema:
    sync = converting.of(SyncSchema)
    own = sync["properties"]
    connection = _one_of(known.connections)
    own["entity"] = {"enum": list(ENTITIES)}
    own["precedence"] = _list_of(connection)
    members = own["members"]
    members["minProperties"] = 2
    if known.connections:
        members["propertyNames"] = connection
    of_member = members["additionalProperties"]["properties"]
    of_member["create"] = {"enum": [True, False, "when-supported"]}
    of_member["tags"] = tag_options()
    policy = converting.of(PolicySchema)
    policy["properties"] |= {"owner": connection, "to": _list_of(connection)}
    words = {"enum": [word for word in WORDS if word != "owner"]}
    for key, value in (
        ("fields", {"anyOf": [words, policy]}),
        ("on_link", _one_of([*known.connections, "manual", "union"] if known.connections else ())),
    ):
        own[key] = {"type": ["object", "null"], "additionalProperties": value}
    sync["allOf"] = [
        {
            "if": {"properties": {"entity": {"const": entity}}, "required": ["entity"]},
            "then": {
                "properties": {
                    key: {
                        "propertyNames": field_names(
                            fields, any_name=not known.own_fields, more=OTHERS
                        )
                    }
                    for key in ("fields", "on_link")
                }
                | {"match": _rules(fields, any_name=not known.own_fields)}
            },
        }
        for entity, fields in known.fields.items()
    ]
    return {
        "type": "object",
        "minProperties": 1,
        "propertyNames": {"pattern": whole(NAME.pattern)},
        "additionalProperties": sync,
    }


def _rules(fields: Mapping[str, Field], *, any_name: bool) -> JsonSchema:
    """Return what says which records of an entity are the same."""
    names = [name for name, known in fields.items() if known.kind not in NOT_MATCHED]
    term = field_names({name: fields[name] for name in names}, any_name=any_name)
    window = {"type": "string", "pattern": whole(TERM.pattern)}
    return _list_of(_list_of({"anyOf": [term, window]}), least=0)


def _agents(known: HomeNames) -> JsonSchema:
    name = {"anyOf": [{"type": "string", "minLength": 1}, {"type": "integer"}]}
    row: JsonSchema = {
        "type": "object",
        "properties": {"email": {"type": "string"}, **dict.fromkeys(known.connections, name)},
        "required": ["email"],
        "additionalProperties": False if known.connections else name,
    }
    assign = {
        "type": "object",
        "properties": {"assign": _one_of(known.people)},
        "required": ["assign"],
        "additionalProperties": False,
    }
    return {
        "type": ["object", "null"],
        "properties": {
            "agents": {"type": ["array", "null"], "items": row},
            "unmapped": {"anyOf": [{"enum": [LEAVE, UNASSIGN]}, assign]},
        },
        "additionalProperties": False,
    }


def _one_of(names: Iterable[str]) -> JsonSchema:
    """Return one of these names; of none, any text."""
    allowed = list(names)
    return {"enum": allowed} if allowed else {"type": "string"}


def _list_of(item: JsonSchema, least: int = 1) -> JsonSchema:
    return {"type": "array", "minItems": least, "items": item}
