"""Recipes of a new home: what is mirrored, as a choice out of what the shipped files have."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from bridge.core.model.entities import MADE


@dataclass(frozen=True, slots=True)
class HomeRecipe:
    """What a new home is to do."""

    name: str
    does: str
    connections: tuple[str, ...] = ()
    """Those of the shipped file whose systems it connects unless told otherwise; none: all."""
    syncs: tuple[str, ...] = ()
    """Those of the shipped file that it keeps; none: all."""
    only_to: str = ""
    """The connection that alone is written to; empty: all are, as the shipped file says."""


EVERYTHING: Final = HomeRecipe(
    "everything", "all that the shipped files have, for the systems that you choose"
)
_ROWS: Final = (
    HomeRecipe(
        "two-way",
        "help desk and product: a ticket of one is made in the other, and edits travel both ways",
        ("helpdesk", "product"),
        ("support-tickets",),
    ),
    HomeRecipe(
        "intake",
        "one way: tickets of the product and chats are made at the help desk and kept up there; "
        "nothing is written back",
        ("helpdesk", "product", "desk"),
        ("support-tickets",),
        only_to="helpdesk",
    ),
    HomeRecipe(
        "enrichment",
        "the help desk is told more: texts are analysed and their tags come back, visitors' tags "
        "follow, screen shares become notes",
        ("helpdesk", "feedback", "screens"),
        ("support-tickets", "customers", "replies", "screen-shares"),
    ),
    EVERYTHING,
)
RECIPES: Final = {recipe.name: recipe for recipe in _ROWS}
"""By name, in the order in which they are offered."""

_CREATE: Final = re.compile(r"\bcreate: [\w-]+")
_WORD: Final = re.compile(r'^(    (?:"\*"|\w+): )(\w+)( *#.*)?$')
_LONG: Final = re.compile(r'^(    (?:"\*"|\w+): \{.*?)(?:, to: \[[^]]*\])?\}( *#.*)?$')


def one_way(sync: str, to: str) -> str:
    """Return a sync of the shipped file in which this member alone is written to."""
    lines, part = [], ""
    for line in sync.split("\n"):
        if line.startswith("  ") and not line.startswith(("   ", "  #")):
            part = line.strip().partition(":")[0]
        if part == "members" and not line.startswith(f"    {to}:"):
            line = _CREATE.sub("create: false", line)  # noqa: PLW2901
        if part == "fields" and not line.startswith(f"    {MADE}:"):  # which nobody can write
            line = _WORD.sub(rf"\1{{policy: \2, to: [{to}]}}\3", line)  # noqa: PLW2901
            line = _LONG.sub(rf"\1, to: [{to}]}}\2", line)  # noqa: PLW2901
        if part == "delete":
            line = line.replace("delete: close", "delete: ignore")  # noqa: PLW2901
        lines.append(line)
    return "\n".join(lines)
