"""Reading a value out of a record: plain dotted paths by a fast way, everything else by JMESPath.

A name that the record does not have is `ABSENT`; a null on the way is null. An expression cannot
tell the two apart, so it is `ABSENT` as soon as one of the top-level names it looks at is missing:
a listing row without them says nothing.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import jmespath
from jmespath.exceptions import JMESPathError
from jmespath.functions import Functions

from bridge.core.model.values import ABSENT, Marker, Raw, Unreadable

MAX_EXPRESSION_CHARS = 500
"""Characters of an expression."""
PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*(\.[A-Za-z_][A-Za-z0-9_-]*)*")

Extract = Callable[[Mapping[str, Any]], "Raw | Marker | Unreadable"]

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
"""Node types whose later children look into what the first one gave, not into the record."""
_WHOLE = frozenset(("identity", "current"))


class BadPath(ValueError):
    """The expression cannot be used; the message says why."""


@dataclass(frozen=True, slots=True)
class Path:
    """A compiled path: how to get the value, and the top-level names that it looks at."""

    source: str
    roots: frozenset[str]
    plain: bool
    get: Extract


def compile_path(source: Any) -> Path:
    """Compile a plain path or a JMESPath expression. Raises BadPath."""
    if not isinstance(source, str) or not source:
        raise BadPath("must be a path; allowed a dotted path or a JMESPath expression")
    if len(source) > MAX_EXPRESSION_CHARS:
        raise BadPath(f"is {len(source)} characters long; allowed at most {MAX_EXPRESSION_CHARS}")
    if PLAIN.fullmatch(source):
        names = tuple(source.split("."))
        return Path(source, frozenset(names[:1]), plain=True, get=_getter(names))
    compiled = compile_expression(source)
    roots = frozenset(_roots(compiled.parsed))
    return Path(source, roots, plain=False, get=_searcher(compiled, roots))


def compile_expression(source: str) -> Any:
    """Compile JMESPath, refusing functions that do not exist. Raises BadPath."""
    if len(source) > MAX_EXPRESSION_CHARS:
        raise BadPath(f"is {len(source)} characters long; allowed at most {MAX_EXPRESSION_CHARS}")
    try:
        compiled = jmespath.compile(source)
        called = {
            node["value"]
            for node in _nodes(compiled.parsed)
            if node["type"] == "function_expression"
        }
    except (JMESPathError, RecursionError, ValueError) as error:
        # The lines after the first repeat the expression, with a mark below it.
        why = (
            str(error).partition("\n")[0].removesuffix(":").removesuffix(", for expression")
            or "it cannot be parsed"
        )
        why = why.removeprefix("Invalid jmespath expression: ").removeprefix(
            "Bad jmespath expression: "
        )
        raise BadPath(f"is no JMESPath expression: {why}") from error
    unknown = sorted(called - _KNOWN)
    if unknown:
        raise BadPath(
            f"calls {unknown[0]}(), which JMESPath does not have; allowed {', '.join(sorted(_KNOWN))}"
        )
    return compiled


def _getter(names: tuple[str, ...]) -> Extract:
    if len(names) == 1:
        name = names[0]
        return lambda record: record.get(name, ABSENT)

    def get(record: Mapping[str, Any]) -> Raw | Marker | Unreadable:
        value: Any = record
        for name in names:
            if value is None:
                return None
            if not isinstance(value, Mapping):
                return Unreadable(
                    f"there is no {name} to read in what is no object (path {'.'.join(names)})"
                )
            value = value.get(name, ABSENT)
            if value is ABSENT:
                return ABSENT
        return value

    return get


def _searcher(compiled: Any, roots: frozenset[str]) -> Extract:
    def get(record: Mapping[str, Any]) -> Raw | Marker | Unreadable:
        if any(root not in record for root in roots):
            return ABSENT
        try:
            return compiled.search(record)
        except (JMESPathError, TypeError, ValueError, ArithmeticError, RecursionError) as error:
            return Unreadable(
                f"the expression cannot be evaluated: {str(error).splitlines()[0][:200]}"
            )

    return get


def _nodes(node: Any) -> Iterator[Mapping[str, Any]]:
    waiting = [node]
    while waiting:
        here = waiting.pop()
        if isinstance(here, dict):
            yield here
            waiting.extend(here.get("children", ()))


def _roots(node: Any) -> Iterator[str]:
    if not isinstance(node, dict):
        return
    kind, children = node["type"], node.get("children", [])
    if kind == "field":
        yield node["value"]
    elif kind in _WHOLE:
        yield "@"
    elif kind in _FIRST_ONLY and children:
        whole = isinstance(children[0], dict) and children[0]["type"] in _WHOLE
        yield from _roots(children[1] if whole and len(children) > 1 else children[0])
    elif kind != "expref":
        for child in children:
            yield from _roots(child)
