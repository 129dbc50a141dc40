"""The JSON Schemas of a home's files: with its own names, for its editor."""

from __future__ import annotations

from pathlib import Path

from bridge.config import json_schemas
from bridge.config.json_mapping_schema import JsonSchema
from bridge.config.one_account import Classes
from bridge.connectors import CONNECTORS, connector_class
from bridge.errors import UnknownName


def of_home(home: Path) -> dict[str, JsonSchema]:
    """Return the schema of each kind of file, with this home's connections, fields and people."""
    return json_schemas.schemas(_classes(), json_schemas.names_of(home))


def shipped() -> dict[str, JsonSchema]:
    """Return the schemas that every home is made with, which know no names."""
    return json_schemas.schemas(_classes())


def named(schemas: dict[str, JsonSchema], name: str) -> JsonSchema:
    """Return one of the schemas. Raises UnknownName with those that there are."""
    if name not in schemas:
        raise UnknownName(f"there is no schema {name}; allowed: {', '.join(schemas)}")
    return schemas[name]


def put_into(home: Path) -> list[Path]:
    """Write the schemas with this home's names to where its files look for them."""
    folder = home / json_schemas.FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for name, schema in of_home(home).items():
        file = folder / f"{name}.json"
        file.write_text(json_schemas.as_text(schema), "utf-8")
        written.append(file)
    return written


def _classes() -> Classes:
    return {system: connector_class(system) for system in CONNECTORS}
