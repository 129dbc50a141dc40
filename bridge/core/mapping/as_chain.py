"""Compiles `as`: helpers that shape what is read, then one two-way transform."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from bridge.core.mapping.tag_options import tag_problems, tags_with_options
from bridge.core.mapping.transforms import (
    AGENT,
    BY_KIND,
    HELPERS,
    TRANSFORMS,
    AgentTable,
    Helper,
    Transform,
    agent_transform,
    places,
    shown,
)
from bridge.core.model.entities import Field

Problem = tuple[tuple[str | int, ...], str]


@dataclass(frozen=True, slots=True)
class Chain:
    """What stands between the record and the canonical value."""

    combine: Callable[[Any], Any] | None = None
    helpers: tuple[Callable[[Any], Any], ...] = ()
    transform: Transform | None = None


def compile_chain(
    known: Field, declared: Any, agents: AgentTable, *, tabled: bool, several: bool
) -> tuple[Chain, list[Problem]]:
    """Compile `as`: a name, a mapping of one name to its argument, or a list of these."""
    steps = declared if isinstance(declared, list) else [] if declared is None else [declared]
    made, problems = _Made(), list[Problem]()
    for number, step in enumerate(steps):
        wrong = made.add(known, step, agents, first=number == 0, several=several, tabled=tabled)
        if wrong:
            problems.append((("as", number) if isinstance(declared, list) else ("as",), wrong))
    if several and made.combine is None and not problems:
        problems.append(
            (("read",), "is a list; allowed with `as: first-non-empty` or `as: {template: …}`")
        )
    if made.transform is None and not tabled and known.kind in BY_KIND:
        usual = BY_KIND[known.kind]
        made.transform = agent_transform(agents) if usual == AGENT else TRANSFORMS[usual]
    return Chain(made.combine, tuple(made.helpers), made.transform), problems


@dataclass(slots=True)
class _Made:
    """A chain in the making."""

    combine: Callable[[Any], Any] | None = None
    helpers: list[Callable[[Any], Any]] = field(default_factory=list)
    transform: Transform | None = None

    def add(
        self,
        known: Field,
        step: Any,
        agents: AgentTable,
        *,
        first: bool,
        several: bool,
        tabled: bool,
    ) -> str:
        """Take one step in; gives what is wrong with it."""
        name, argument = _named(step)
        helper = HELPERS.get(name)
        if self.transform is not None:
            return f"{self.transform.name} must be the last of the list"
        if helper is None:
            self.transform, wrong = _transform(name, argument, known, agents)
            clash = f"a value table and {name} exclude each other; leave one of the two out"
            return wrong or (clash if tabled else "")
        if known.kind == "set":
            return f"{name} does not work on a set; allowed tags"
        wrong = _unfit(helper, argument, first=first, several=several)
        if not wrong and helper.combines:
            self.combine = helper.make(argument)
        elif not wrong:
            self.helpers.append(helper.make(argument))
        return wrong


def _named(step: Any) -> tuple[str, Any]:
    if isinstance(step, Mapping) and len(step) == 1:
        name, argument = next(iter(step.items()))
        return str(name), argument
    return (step, None) if isinstance(step, str) else (shown(step), None)


def _unfit(helper: Helper, argument: Any, *, first: bool, several: bool) -> str:
    if helper.combines and not (first and several):
        return f"{helper.name} takes several paths; allowed first of all, with a list under read"
    if helper.argument is None:
        return "" if argument is None else f"{helper.name} takes no argument"
    if not isinstance(argument, helper.argument) or isinstance(argument, bool) or not argument:
        kind = (
            "a text with placeholders such as {1}"
            if helper.argument is str
            else "a number of characters above 0"
        )
        return f"{helper.name} is given {shown(argument)}; allowed {kind}"
    if isinstance(argument, int) and argument < 1:
        return f"{helper.name} is given {argument}; allowed a number of characters above 0"
    if isinstance(argument, str) and (not places(argument) or 0 in places(argument)):
        return f"{helper.name} has no placeholder in {shown(argument)}; allowed {{1}} for the first path, {{2}}, …"
    return ""


def _transform(
    name: str, argument: Any, known: Field, agents: AgentTable
) -> tuple[Transform | None, str]:
    if name == AGENT:
        groups, wrong = _groups(argument)
        if known.kind != "agent":
            wrong = f"agent does not work on {known.name}; allowed {_allowed(known)}"
        listed = (
            [(email, raw) for email, raw in agents.people.items() if str(raw).startswith(groups)]
            if groups
            else []
        )
        for email, raw in listed[: 0 if wrong else 1]:
            wrong = f"{shown(raw)} is a group here, and agents.yaml gives it to {email}; take it out of that row"
        return (None, wrong) if wrong else (agent_transform(agents, groups), "")
    if name not in TRANSFORMS or known.kind not in TRANSFORMS[name].kinds:
        said = "does not work on" if name in TRANSFORMS else "is no transform for"
        return None, f"{name} {said} {known.name}; allowed {_allowed(known)}"
    if known.kind == "set" and argument is not None:
        wrongs = [f"{'.'.join((name, *where))} {what}" for where, what in tag_problems(argument)]
        return (None, "; ".join(wrongs)) if wrongs else (tags_with_options(argument), "")
    return (None, f"{name} takes no argument") if argument is not None else (TRANSFORMS[name], "")


def _groups(argument: Any) -> tuple[tuple[str, ...], str]:
    if argument is None:
        return (), ""
    given = (
        argument.get("groups")
        if isinstance(argument, Mapping) and set(argument) == {"groups"}
        else None
    )
    prefixes = given if isinstance(given, list) else [given]
    if all(isinstance(prefix, str) and prefix for prefix in prefixes) and prefixes:
        return tuple(prefixes), ""
    return (), f"agent is given {shown(argument)}; allowed {{groups: prefix}}"


def _allowed(known: Field) -> str:
    own = [BY_KIND[known.kind]] if known.kind in BY_KIND else ["value tables under read and write"]
    return ", ".join([*own, *([] if known.kind == "set" else HELPERS)])
