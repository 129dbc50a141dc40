"""Schemas of what the API hands out, made from the dataclasses that the operations return.

`--json` of the command line and the API write those in one form (`operations.programs_json`): so
what a schema says is true of both.
"""

from __future__ import annotations

import ast
import inspect
import textwrap
import types
from collections.abc import Mapping, Sequence
from dataclasses import fields as fields_of
from dataclasses import is_dataclass
from datetime import datetime
from enum import Enum
from functools import cache
from typing import Any, Final, Literal, Union, get_args, get_origin, get_type_hints

from marshmallow import EXCLUDE, RAISE, Schema, ValidationError, fields, validate

MOST_WORDS: Final = 30
"""An enumeration with more is described as text: it grows with every version."""
PLAIN: Final[Mapping[type, type[fields.Field[Any]]]] = {
    str: fields.String,
    int: fields.Integer,
    float: fields.Float,
    bool: fields.Boolean,
}
LARGEST: Final = 2**31 - 1
"""The largest number of a row."""
MOST_ROWS: Final = 200
"""Rows of one answer."""
USUAL_ROWS: Final = 50
LONGEST_TEXT: Final = 500


class GivenSchema(Schema):
    """What is given must be named as here: a misspelled filter would find too much."""

    class Meta:
        """What is not known is refused."""

        unknown = RAISE


class AnswerSchema(Schema):
    """What is handed out. Later versions may add to it, so that more keys are no error."""

    class Meta:
        """What is not known is left out."""

        unknown = EXCLUDE


class Words(fields.String):
    """A text that databases can store and compare."""

    def __init__(self, longest: int = LONGEST_TEXT, **options: Any) -> None:
        options.setdefault("validate", validate.Length(max=longest))
        options["metadata"] = {"pattern": "^[^\\x00]*$"} | options.get("metadata", {})
        super().__init__(**options)

    def _deserialize(self, value: Any, attr: Any, data: Any, **more: Any) -> str:
        text: str = super()._deserialize(value, attr, data, **more)
        if not is_storable(text):
            raise ValidationError("Has a character that is none (NUL, or half of one).")
        return text


class TrueOrFalse(fields.Boolean):
    """True or false in a body of JSON, and nothing that might pass for it."""

    def _deserialize(self, value: Any, attr: Any, data: Any, **more: Any) -> bool:
        if not isinstance(value, bool):
            raise ValidationError("Is neither true nor false.")
        return bool(super()._deserialize(value, attr, data, **more))


class WholeNumber(fields.Integer):
    """A number in a body of JSON, and no text of one."""

    def _deserialize(self, value: Any, attr: Any, data: Any, **more: Any) -> int:
        whole = isinstance(value, int) or (isinstance(value, float) and value.is_integer())
        if not whole or isinstance(value, bool):
            raise ValidationError("Is no whole number.")
        return int(super()._deserialize(value, attr, data, **more))


def is_storable(text: str) -> bool:
    """Return whether a text has no characters that databases refuse."""
    return "\0" not in text and not any("\ud800" <= char <= "\udfff" for char in text)


def given(name: str, /, **parts: fields.Field[Any]) -> type[Schema]:
    """Return a schema of what a request gives."""
    return type(name, (GivenSchema,), {"__doc__": name, **parts})


def row_number(**options: Any) -> fields.Integer:
    """Return a field for the number of a row."""
    return fields.Integer(validate=validate.Range(1, LARGEST), strict=False, **options)


def paging(cursor: fields.Field[Any]) -> dict[str, fields.Field[Any]]:
    """Return what a list is asked with: how many rows, and where it goes on."""
    about = {"description": "`next` of the answer before; none: from the beginning"}
    cursor.metadata = {**cursor.metadata, **about}
    rows = fields.Integer(load_default=USUAL_ROWS, validate=validate.Range(1, MOST_ROWS))
    return {"limit": rows, "cursor": cursor}


@cache
def rows_of(kind: type) -> type[Schema]:
    """Return the schema of a part of a list of such values."""
    return list_of(kind.__name__, schema_of(kind))


def list_of(name: str, row: type[Schema]) -> type[Schema]:
    """Return the schema of a part of a list."""
    parts = {
        "rows": fields.List(fields.Nested(row), required=True),
        "next": fields.String(
            required=True,
            allow_none=True,
            metadata={"description": "`cursor` of the part that follows; null: this is the end"},
        ),
    }
    return type(f"{name}List", (AnswerSchema,), parts)


@cache
def schema_of(kind: type) -> type[Schema]:
    """Return the schema of a dataclass as programs get it: all of its fields are always there."""
    hints, said = get_type_hints(kind), _said(kind)
    parts = {
        each.name: _field(hints[each.name], required=True, **_described(said.get(each.name)))
        for each in fields_of(kind)
    }
    return type(kind.__name__, (AnswerSchema,), {"__doc__": kind.__doc__, **parts})


def _described(text: str | None) -> dict[str, Any]:
    return {"metadata": {"description": text}} if text else {}


def _said(kind: type) -> dict[str, str]:
    """Return what stands below each field in the source of its class."""
    (body,) = ast.parse(textwrap.dedent(inspect.getsource(kind))).body
    found: dict[str, str] = {}
    name = ""
    for node in getattr(body, "body", []):
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            name = node.target.id
        elif isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and name:
            found[name] = inspect.cleandoc(str(node.value.value))
            name = ""
        else:
            name = ""
    return found


def _field(hint: Any, **options: Any) -> fields.Field[Any]:
    """Return the field for a type; what has no form of its own may be any JSON."""
    origin, inner = get_origin(hint), get_args(hint)
    if origin in (Union, types.UnionType):
        others = [each for each in inner if each is not type(None)]
        if len(others) == 1 and len(others) < len(inner):
            return _field(others[0], **options, allow_none=True)
        return fields.Raw(**options, allow_none=True)
    if origin is Literal:
        return fields.String(**options, validate=validate.OneOf(inner))
    if isinstance(origin, type) and issubclass(origin, Mapping):
        return fields.Dict(keys=fields.String(), values=_field(inner[1]), **options)
    if isinstance(origin, type) and issubclass(origin, Sequence):
        return fields.List(_field(inner[0]), **options)
    return _simple(hint, options)


def _simple(hint: Any, options: dict[str, Any]) -> fields.Field[Any]:
    if hint is datetime:
        return fields.DateTime(**options)
    if hint in PLAIN:
        return PLAIN[hint](**options)
    if isinstance(hint, type) and issubclass(hint, Enum):
        words = [each.value for each in hint]
        some = validate.OneOf(words) if len(words) <= MOST_WORDS else None
        return fields.String(**options, validate=some)
    if is_dataclass(hint) and isinstance(hint, type):
        return fields.Nested(schema_of(hint), **options)
    return fields.Raw(**{**options, "allow_none": True})
