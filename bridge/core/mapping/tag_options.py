"""Tags with options: shown under a prefix, above a score, and never written back.

They are for tags that another system has found by itself. `as: {tags: {prefix: "scope:",
min_salience: 0.3}}` in a mapping; a sync's member may say the same for its connection.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from bridge.core.mapping.transforms import TRANSFORMS, Transform
from bridge.core.model.outcome_codes import Code
from bridge.core.model.values import Canonical, NotCarried, Raw, Unreadable, shown

OPTIONS = ("prefix", "min_salience")
_PLAIN = TRANSFORMS["tags"]


def tag_problems(given: Any) -> list[tuple[tuple[str, ...], str]]:
    """Return what is wrong with the options of tags, each with its key; empty: they can be used."""
    if not isinstance(given, Mapping) or not given:
        return [((), f"is {shown(given)}; allowed a mapping of {', '.join(OPTIONS)}")]
    problems: list[tuple[tuple[str, ...], str]] = [
        ((str(key),), f"unknown key; allowed {', '.join(OPTIONS)}")
        for key in given
        if key not in OPTIONS
    ]
    prefix, least = given.get("prefix", "x"), given.get("min_salience", 0)
    # A prefix that the plain transform would change does not read back as itself.
    if not isinstance(prefix, str) or not prefix or _PLAIN.read(f"{prefix}x") != f"{prefix}x":
        what = f"is {shown(prefix)}; allowed text in lower case, without # or space in front"
        problems.append((("prefix",), what))
    if not isinstance(least, int | float) or isinstance(least, bool) or not 0 <= least <= 1:
        problems.append((("min_salience",), f"is {shown(least)}; allowed a number from 0 to 1"))
    return problems


def tags_with_options(given: Mapping[str, Any]) -> Transform:
    """Return the transform of tags with these options, which have no problems (`tag_problems`)."""
    prefix = str(given.get("prefix", ""))

    def read(raw: Raw) -> Canonical | Unreadable:
        plain = _PLAIN.read(raw)
        return f"{prefix}{plain}" if isinstance(plain, str) else plain

    def write(value: Canonical) -> Raw | NotCarried:
        why = f"the tag {shown(value)} is not written: tags with options are only read"
        return NotCarried(why, Code.MAP_ONLY_READ)

    return replace(_PLAIN, read=read, write=write, elements=_names_above(given.get("min_salience")))


def _names_above(least: float | None) -> Callable[[list[Any]], list[Any]]:
    """Return the function that takes the names out of scored tags, those that score enough.

    Plain text has no score and stays. A score that is not shown is not known to be enough.
    """

    def scores_enough(tag: Mapping[str, Any]) -> bool:
        score = tag.get("salience")
        if least is None:
            return True
        return isinstance(score, int | float) and not isinstance(score, bool) and score >= least

    def names(tags: list[Any]) -> list[Any]:
        kept: list[Any] = []
        for tag in tags:
            if not isinstance(tag, Mapping) or "name" not in tag:
                kept.append(tag)
            elif scores_enough(tag):
                kept.append(tag["name"])
        return kept

    return names
