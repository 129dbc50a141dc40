"""Compiles `as`: helpers that shape what is read, then one two-way transform."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from bridge.core.mapping.agent_table import AgentTable, agent_transform
from bridge.core.mapping.read_helpers import HELPERS, Helper, is_marked_cut, places
from bridge.core.mapping.transform_forms import FORMS, BadArgument, chained
from bridge.core.mapping.transforms import AGENT, BY_KIND, TRANSFORMS, Transform
from bridge.core.mapping.value_tables import Problem
from bridge.core.model.entities import Field
from bridge.core.model.values import shown

MAX_STEPS = 8
"""Transforms of one text."""


@dataclass(frozen=True, slots=True)
class Chain:
    """What stands between the record and the canonical value."""

    combine: Callable[[Any], Any] | None = None
    """Makes one raw value of several paths."""
    helpers: tuple[Callable[[Any], Any], ...] = ()
    transform: Transform | None = None


def compile_chain(
    field: Field, declared: Any, agents: AgentTable, *, tabled: bool, several: bool
) -> tuple[Chain, list[Problem]]:
    """Return what is declared under `as`, compiled, and what is wrong with it.

    Declared is a name, a mapping of one name to its argument, or a list of these. `tabled`: the
    field has a value table. `several`: it is read from a list of paths.
    """
    steps = declared if isinstance(declared, list) else [] if declared is None else [declared]
    builder, problems = (
        _ChainBuilder(field, agents, tabled=tabled, several=several),
        list[Problem](),
    )
    for number, step in enumerate(steps):
        why = builder.add(step, first=number == 0)
        if why:
            problems.append((("as", number) if isinstance(declared, list) else ("as",), why))
    if several and builder.combine is None and not problems:
        what = "is a list; allowed with `as: first-non-empty` or `as: {template: …}`"
        problems.append((("read",), what))
    return builder.chain(), problems


@dataclass(slots=True)
class _ChainBuilder:
    """A chain in the making."""

    for_field: Field
    agents: AgentTable
    tabled: bool
    several: bool
    combine: Callable[[Any], Any] | None = None
    helpers: list[Callable[[Any], Any]] = field(default_factory=list)
    steps: list[Transform] = field(default_factory=list)
    """The named transforms: of text there may be several."""

    def chain(self) -> Chain:
        """Return the chain, with the usual transform of the field's kind where none is named."""
        transform = chained(self.steps) if self.steps else None
        if transform is None and not self.tabled and self.for_field.kind in BY_KIND:
            usual = BY_KIND[self.for_field.kind]
            transform = agent_transform(self.agents) if usual == AGENT else TRANSFORMS[usual]
        return Chain(self.combine, tuple(self.helpers), transform)

    def add(self, step: Any, *, first: bool) -> str:
        """Take one step in and return what is wrong with it; empty if it fits."""
        name, argument = _named(step)
        helper = HELPERS.get(name)
        if self.steps and (helper is not None or self.for_field.kind != "text"):
            return f"{self.steps[-1].name} must be the last of the list"
        if len(self.steps) == MAX_STEPS:
            return f"is one of more than {MAX_STEPS}; allowed at most so many"
        return (
            self._add_transform(name, argument)
            if helper is None
            else self._add_helper(helper, argument, first=first)
        )

    def _add_transform(self, name: str, argument: Any) -> str:
        """Take a transform in, as `add` does."""
        made, why = _transform(name, argument, self.for_field, self.agents)
        if made is not None:
            self.steps.append(made)
        if why or not self.tabled:
            return why
        return f"a value table and {name} exclude each other; leave one of the two out"

    def _add_helper(self, helper: Helper, argument: Any, *, first: bool) -> str:
        """Take a helper in, as `add` does."""
        if self.for_field.kind == "set":
            return f"{helper.name} does not work on a set; allowed tags"
        if helper.combines and not (first and self.several):
            allowed = "first of all, with a list under read"
            return f"{helper.name} takes several paths; allowed {allowed}"
        why = _why_unfit(helper, argument)
        if why:
            return why
        if helper.combines:
            self.combine = helper.make(argument)
        else:
            self.helpers.append(helper.make(argument))
        return ""


def _named(step: Any) -> tuple[str, Any]:
    """Return the name and the argument of one step under `as`."""
    if isinstance(step, Mapping) and len(step) == 1:
        name, argument = next(iter(step.items()))
        return str(name), argument
    return (step, None) if isinstance(step, str) else (shown(step), None)


def _why_unfit(helper: Helper, argument: Any) -> str:
    """Return why a helper cannot be given this argument; empty if it can."""
    if helper.argument is None:
        return "" if argument is None else f"{helper.name} takes no argument"
    of_type = isinstance(argument, helper.argument) and not isinstance(argument, bool)
    if helper.argument is int:
        if (of_type and argument > 0) or is_marked_cut(argument):
            return ""
        allowed = "a number of characters above 0, or {at: 120, mark: …}"
    else:
        if of_type and argument:
            return _why_no_template(helper, argument)
        allowed = "a text with placeholders such as {1}"
    return f"{helper.name} is given {shown(argument)}; allowed {allowed}"


def _why_no_template(helper: Helper, pattern: str) -> str:
    """Return why a text is no template; empty if it is one."""
    if places(pattern) and 0 not in places(pattern):
        return ""
    allowed = "{1} for the first path, {2}, …"
    return f"{helper.name} has no placeholder in {shown(pattern)}; allowed {allowed}"


# --- transforms -----------------------------------------------------------------------------------


def _transform(
    name: str, argument: Any, field: Field, agents: AgentTable
) -> tuple[Transform | None, str]:
    """Return the named transform, or None and why the field cannot have it."""
    if name == AGENT:
        return _agent_with_groups(argument, field, agents)
    form = FORMS.get(name)
    if form is None:
        return None, f"{name} is no transform for {field.name}; allowed {_allowed(field)}"
    if field.kind not in form.kinds:
        return None, f"{name} does not work on {field.name}; allowed {_allowed(field)}"
    try:
        return form.make(argument), ""
    except BadArgument as error:
        # What is wrong with one key of what is given begins with a dot.
        return None, name + f" {error}".replace(" .", ".", 1)


def _agent_with_groups(
    argument: Any, field: Field, agents: AgentTable
) -> tuple[Transform | None, str]:
    """Return the agent transform, or None and why the field cannot have it."""
    if field.kind != "agent":
        return None, f"agent does not work on {field.name}; allowed {_allowed(field)}"
    groups, why = _groups(argument)
    if why:
        return None, why
    for email, raw in agents.people.items() if groups else ():
        if str(raw).startswith(groups):
            return None, (
                f"{shown(raw)} is a group here, and agents.yaml gives it to {email}; "
                "take it out of that row"
            )
    return agent_transform(agents, groups), ""


def _groups(argument: Any) -> tuple[tuple[str, ...], str]:
    """Return the prefixes of groups that `agent` is given, or none and what is wrong with them."""
    if argument is None:
        return (), ""
    only_groups = isinstance(argument, Mapping) and set(argument) == {"groups"}
    given = argument["groups"] if only_groups else None
    prefixes = given if isinstance(given, list) else [given]
    if all(isinstance(prefix, str) and prefix for prefix in prefixes) and prefixes:
        return tuple(prefixes), ""
    return (), f"agent is given {shown(argument)}; allowed {{groups: prefix}}"


def _allowed(field: Field) -> str:
    """Return what a field may have under `as`, as a message lists it."""
    own = [name for name, form in FORMS.items() if field.kind in form.kinds]
    if field.kind == AGENT:
        own = [AGENT]
    usual = own or ["value tables under read and write"]
    return ", ".join([*usual, *([] if field.kind == "set" else HELPERS)])
