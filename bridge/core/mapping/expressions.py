"""JMESPath with a budget of steps: neither an expression nor a record can make it go on for ever.

A few characters suffice for a result of any size (`[@, @][]`, again and again). So each step that
the interpreter takes is counted, and so is the size of all that an expression puts together.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, cast

import jmespath.visitor
from jmespath.functions import Functions

MAX_COST: Final = 1_000_000
"""Of evaluating one expression on one record."""
STEP_COST: Final = 10
CHARS_PER_COST: Final = 16
_FUNCTIONS: Final = Functions()


class TooCostly(ValueError):
    """An expression takes too many steps."""

    def __init__(self) -> None:
        super().__init__(
            f"it takes more than {MAX_COST // STEP_COST:,} steps; write a simpler expression"
        )


@dataclass(frozen=True, slots=True)
class Expression:
    """A parsed expression."""

    parsed: Mapping[str, Any]
    """The tree, as jmespath has it."""

    def search(self, record: Any) -> Any:
        """Evaluate it. Raises TooCostly, besides what jmespath raises."""
        return _Interpreter().visit(self.parsed, record)


class _Interpreter(jmespath.visitor.TreeInterpreter):
    """Evaluates one expression on one record, as long as the budget lasts."""

    def __init__(self) -> None:
        super().__init__()
        self._left = MAX_COST

    def visit(self, node: Any, *args: Any, **kwargs: Any) -> Any:
        self._pay(STEP_COST)
        return super().visit(node, *args, **kwargs)

    def visit_multi_select_list(self, node: Any, value: Any) -> Any:
        return self._paid(super().visit_multi_select_list(node, value))

    def visit_multi_select_dict(self, node: Any, value: Any) -> Any:
        return self._paid(super().visit_multi_select_dict(node, value))

    def visit_flatten(self, node: Any, value: Any) -> Any:
        return self._paid(super().visit_flatten(node, value))

    def visit_function_expression(self, node: Any, value: Any) -> Any:
        arguments = self._paid([self.visit(child, value) for child in node["children"]])
        if node["value"] == "join" and len(arguments) == 2 and isinstance(arguments[0], str):
            between = len(arguments[1]) if isinstance(arguments[1], list) else 0
            self._pay(between * len(arguments[0]) // CHARS_PER_COST)
        return _FUNCTIONS.call_function(node["value"], arguments)

    def _pay(self, cost: int) -> None:
        self._left -= cost
        if self._left < 0:
            raise TooCostly

    def _paid(self, value: Any) -> Any:
        """Pay for a value by its size, each part as often as it occurs."""
        waiting = [value]
        while waiting:
            part = waiting.pop()
            self._pay(1)
            if isinstance(part, str):
                self._pay(len(part) // CHARS_PER_COST)
            elif isinstance(part, list):
                waiting.extend(part)
            elif isinstance(part, Mapping):
                waiting.extend(cast("Mapping[str, Any]", part).values())
        return value
