"""Paths: how a value is read out of a record, by a plain dotted path or by JMESPath.

A name that the record does not have is `ABSENT`; a null on the way is null. An expression cannot
tell the two apart, so it is `ABSENT` as soon as one of the top-level names it looks at is missing:
a listing row without them says nothing. What is or holds `NO_NUMBER` is unreadable.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import jmespath
from jmespath.exceptions import IncompleteExpressionError, JMESPathError, ParseError
from jmespath.functions import Functions

from bridge.core.mapping.expressions import Expression, TooCostly
from bridge.core.model.outcome_codes import Code
from bridge.core.model.values import (
    ABSENT,
    NO_NUMBER,
    Marker,
    Raw,
    Unreadable,
    shown,
    shows_no_number,
)

MAX_EXPRESSION_CHARS = 500
MAX_ERROR_CHARS = 200
PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*(\.[A-Za-z_][A-Za-z0-9_-]*)*")
PLAIN_PATH = "a plain path such as status or custom_fields.team"

_TRIALS: tuple[Any, ...] = (None, "x", ["x", "y"], {"x": "x"})
"""What an expression is tried on, in place of each name that it looks at."""

Extract = Callable[[Mapping[str, Any]], "Raw | Marker | Unreadable"]

_SINGLE = frozenset((str, int, float, bool, type(None)))
"""Kinds of JSON that hold nothing: of these a value is what it is."""

_KNOWN = frozenset(Functions.FUNCTION_TABLE)
_FIRST_ONLY = frozenset(
    (
        "subexpression",
        "index_expression",
        "pipe",
        "projection",
        "value_projection",
        "filter_projection",
    )
)
"""Node types whose later children look into what the first one returned, not into the record."""
_WHOLE = frozenset(("identity", "current"))
"""Node types that stand for the whole of what is looked into."""


_INSTEAD = {"=": "to compare, write ==", "and": "write &&", "or": "write ||", "not": "write !"}
"""What people write in expressions -> what they mean by it there."""


class BadPath(ValueError):
    """The expression cannot be used; the message says why."""


@dataclass(frozen=True, slots=True)
class Path:
    """A compiled path."""

    source: str
    roots: frozenset[str]
    """The top-level names of a record that it looks at; `@`: all."""
    plain: bool
    """Names and dots only."""
    get: Extract


def compile_path(source: Any, doors: Collection[str] = ()) -> Path:
    """Return a plain path or a JMESPath expression, compiled. Raises BadPath.

    `doors`: objects of which a name that is not shown is null, for they are always shown whole.
    """
    if not isinstance(source, str) or not source:
        raise BadPath(f"must be a path; allowed {PLAIN_PATH}, or a JMESPath expression")
    if len(source) > MAX_EXPRESSION_CHARS:
        raise BadPath(f"is {len(source)} characters long; allowed at most {MAX_EXPRESSION_CHARS}")
    if PLAIN.fullmatch(source):
        names = tuple(source.split("."))
        whole = next((door for door in doors if source.startswith(f"{door}.")), "")
        return Path(source, frozenset(names[:1]), plain=True, get=_getter(names, whole))
    compiled = compile_expression(source)
    roots = _roots_of(compiled)
    return Path(source, roots, plain=False, get=_searcher(compiled, roots))


def compile_expression(source: str) -> Expression:
    """Return a JMESPath expression, compiled. Raises BadPath.

    That is also for an unknown function, and for what takes too long even on a small record.
    """
    if len(source) > MAX_EXPRESSION_CHARS:
        raise BadPath(f"is {len(source)} characters long; allowed at most {MAX_EXPRESSION_CHARS}")
    try:
        compiled = Expression(jmespath.compile(source).parsed)
        called = {
            node["value"]
            for node in _nodes(compiled.parsed)
            if node["type"] == "function_expression"
        }
    except (JMESPathError, RecursionError, ValueError) as error:
        raise BadPath(f"is no JMESPath expression: {_in_plain_words(error)}") from error
    unknown = sorted(called - _KNOWN)
    if unknown:
        allowed = ", ".join(sorted(_KNOWN))
        raise BadPath(f"calls {unknown[0]}(), which JMESPath does not have; allowed {allowed}")
    for value in _TRIALS:
        try:
            compiled.search(dict.fromkeys(_roots_of(compiled), value))
        except TooCostly as error:
            raise BadPath(f"is too costly: {error}") from error
        except (JMESPathError, TypeError, ValueError, ArithmeticError, RecursionError):
            pass  # it wants another record to work with
    return compiled


def words_of(path: Path) -> tuple[frozenset[str], tuple[Any, ...]]:
    """Return all names in a compiled path, and the values that stand in it (`'reply'`, `1`)."""
    if path.plain:
        return frozenset(path.source.split(".")), ()
    nodes = list(_nodes(jmespath.compile(path.source).parsed))
    names = {node["value"] for node in nodes if node["type"] in ("field", "key_val_pair")}
    return frozenset(names), tuple(node["value"] for node in nodes if node["type"] == "literal")


def _roots_of(compiled: Expression) -> frozenset[str]:
    """Return the top-level names that an expression looks at; `@`: all. Raises BadPath."""
    try:
        return frozenset(_roots(compiled.parsed))
    except RecursionError as error:
        raise BadPath("is nested too deeply") from error


def _in_plain_words(error: Exception) -> str:
    """Return what is wrong with an expression that cannot be parsed, and at which character."""
    if isinstance(error, IncompleteExpressionError):
        return "it ends too early; is a bracket not closed, or is a value missing?"
    if not isinstance(error, ParseError):
        return "it has too many brackets within one another"
    found, character = str(error.token_value), error.lex_position + 1
    if str(error.token_type).startswith("UNCLOSED"):
        return f"the {found[0]} at character {character} is not closed"
    hint = _INSTEAD.get(found, "")
    where = f"{shown(found)} at character {character} does not fit there"
    return f"{where}; {hint}" if hint else where


def _getter(names: tuple[str, ...], whole: str) -> Extract:
    """Return the function that follows plain names into a record: the fast way.

    `whole`: the object on the way that is always shown whole; empty: there is none.
    """
    shown_whole = whole.count(".") + 1 if whole else len(names)
    first, last = names[0], names[-1]

    def get_at_top(record: Mapping[str, Any]) -> Raw | Marker | Unreadable:
        value = record.get(first, ABSENT)
        return value if type(value) in _SINGLE else _believed(value)

    def get_one_level_in(record: Mapping[str, Any]) -> Raw | Marker | Unreadable:
        outer = record.get(first)
        if type(outer) is dict and type(value := outer.get(last, ABSENT)) in _SINGLE:
            return value
        return get(record)

    def get(record: Mapping[str, Any]) -> Raw | Marker | Unreadable:
        value: Any = record
        for depth, name in enumerate(names):
            if value is None:
                return None
            if value == NO_NUMBER:
                break
            if type(value) is not dict and not isinstance(value, Mapping):
                path = ".".join(names)
                why = f"there is no {name} to read in what is no object (path {path})"
                return Unreadable(why, Code.READ_PATH)
            value = value.get(name, ABSENT)
            if value is ABSENT:
                return None if depth >= shown_whole else ABSENT
        return _believed(value)

    return {1: get_at_top, 2: get_one_level_in}.get(len(names), get)


def _believed(value: Raw) -> Raw | Unreadable:
    """Return a value, unless the vendor showed none that could be one."""
    if type(value) not in _SINGLE and shows_no_number(value):
        return Unreadable("the vendor shows a number that JSON does not have (NaN or infinity)")
    return value


def _searcher(compiled: Expression, roots: frozenset[str]) -> Extract:
    """Return the function that evaluates an expression on a record."""

    def get(record: Mapping[str, Any]) -> Raw | Marker | Unreadable:
        if any(root not in record for root in roots):
            return ABSENT
        if any(record.get(root) == NO_NUMBER for root in roots):
            return _believed(NO_NUMBER)
        try:
            return _believed(compiled.search(record))
        except (JMESPathError, TypeError, ValueError, ArithmeticError, RecursionError) as error:
            first_line = str(error).splitlines()[0][:MAX_ERROR_CHARS]
            why = f"the expression cannot be evaluated: {first_line}"
            return Unreadable(why, Code.READ_PATH)

    return get


def _nodes(node: Any) -> Iterator[Mapping[str, Any]]:
    """Yield every node of a parsed expression."""
    waiting = [node]
    while waiting:
        here = waiting.pop()
        if isinstance(here, dict):
            yield here
            waiting.extend(here.get("children", ()))


def _roots(node: Any) -> Iterator[str]:
    """Yield the top-level names that a parsed expression looks at; `@` for the whole record."""
    if not isinstance(node, dict):
        return
    kind, children = node["type"], node.get("children", [])
    if kind == "field":
        yield node["value"]
    elif kind in _WHOLE:
        yield "@"
    elif kind in _FIRST_ONLY and children:
        # `@.a` looks at a, not at the whole record.
        whole = isinstance(children[0], dict) and children[0]["type"] in _WHOLE
        yield from _roots(children[1] if whole and len(children) > 1 else children[0])
    elif kind != "expref":  # `&name`, as in sort_by, looks into the elements of a list
        for child in children:
            yield from _roots(child)
