"""Tags that another system has found: shown under a prefix, above a score, and never written back.

`as: {tags: {prefix: "scope:", min_salience: 0.3}}` in a mapping; a sync's member may say the same
for its connection.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from bridge.core.mapping.transforms import TRANSFORMS, Transform, shown
from bridge.core.model.values import Canonical, NotCarried, Raw, Unreadable

OPTIONS = ("prefix", "min_salience")
_PLAIN = TRANSFORMS["tags"]


def tag_problems(given: Any) -> list[tuple[tuple[str, ...], str]]:
    """Give what is wrong with the options of a field of tags, each with its key; empty: they can be used."""
    if not isinstance(given, Mapping) or not given:
        return [((), f"is {shown(given)}; allowed a mapping of {', '.join(OPTIONS)}")]
    found: list[tuple[tuple[str, ...], str]] = [
        ((str(key),), f"unknown key; allowed {', '.join(OPTIONS)}")
        for key in given
        if key not in OPTIONS
    ]
    prefix, least = given.get("prefix", "x"), given.get("min_salience", 0)
    if not isinstance(prefix, str) or not prefix or _PLAIN.read(f"{prefix}x") != f"{prefix}x":
        found.append(
            (
                ("prefix",),
                f"is {shown(prefix)}; allowed text in lower case, without # or space in front",
            )
        )
    if not isinstance(least, int | float) or isinstance(least, bool) or not 0 <= least <= 1:
        found.append((("min_salience",), f"is {shown(least)}; allowed a number from 0 to 1"))
    return found


def tags_with_options(given: Mapping[str, Any]) -> Transform:
    """Make the transform of tags under a prefix. `given` has no problems (`tag_problems`)."""
    prefix = str(given.get("prefix", ""))

    def read(raw: Raw) -> Canonical | Unreadable:
        plain = _PLAIN.read(raw)
        return f"{prefix}{plain}" if isinstance(plain, str) else plain

    def write(value: Canonical) -> Raw | NotCarried:
        return NotCarried(f"the tag {shown(value)} is not written: tags with options are only read")

    return replace(_PLAIN, read=read, write=write, elements=_above(given.get("min_salience")))


def _above(least: float | None) -> Callable[[list[Any]], list[Any]]:
    """Make the function that takes the names out of scored tags, those that score enough.

    Plain text has no score and stays. A score that is not shown is not known to be enough.
    """

    def enough(tag: Mapping[str, Any]) -> bool:
        score = tag.get("salience")
        if least is None:
            return True
        return isinstance(score, int | float) and not isinstance(score, bool) and score >= least

    def names(tags: list[Any]) -> list[Any]:
        kept = [
            tag for tag in tags if not isinstance(tag, Mapping) or "name" not in tag or enough(tag)
        ]
        return [tag["name"] if isinstance(tag, Mapping) and "name" in tag else tag for tag in kept]

    return names
