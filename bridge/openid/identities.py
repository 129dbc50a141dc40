"""Who has signed in at a provider: by what they are known, how they are called, their groups."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

NAMES: Final = ("preferred_username", "email", "name", "nickname")
"""Claims that may give somebody a readable name, the best first. None of them says who it is."""


@dataclass(frozen=True, slots=True)
class Identity:
    """Somebody, as a provider knows them."""

    issuer: str
    subject: str
    """By which the issuer knows them, for ever."""
    names: tuple[str, ...]
    """How they may be called, the best first, as the provider spells it."""
    groups: frozenset[str] | None
    """None: the provider has not said."""
    too_many: bool = False
    """It has not, since they are too many for it."""


def identity_of(claims: Mapping[str, Any], groups_claim: str) -> Identity:
    """Return who claims are about, once they are believed."""
    return Identity(
        issuer=claims["iss"],
        subject=claims["sub"],
        names=tuple(text for name in NAMES if isinstance(text := claims.get(name), str) and text),
        groups=_groups(claims, groups_claim),
        too_many=_too_many(claims, groups_claim),
    )


def with_userinfo(known: Identity, more: Any, groups_claim: str) -> Identity:
    """Return who it is with what the provider says when asked; of another one nothing is taken."""
    if not isinstance(more, Mapping) or more.get("sub") != known.subject:
        return known
    asked = identity_of({**more, "iss": known.issuer, "sub": known.subject}, groups_claim)
    return replace(
        known,
        names=known.names or asked.names,
        groups=asked.groups,
        too_many=known.too_many or asked.too_many,
    )


def _groups(claims: Mapping[str, Any], name: str) -> frozenset[str] | None:
    """Return the groups that stand under a claim, or, with dots in its name, within one."""
    found: Any = claims.get(name)
    if found is None:
        found = claims
        for step in name.split("."):
            found = found.get(step) if isinstance(found, Mapping) else None
    if isinstance(found, str):
        found = [found]
    if not isinstance(found, list):
        return None
    return frozenset(group for group in found if isinstance(group, str))


def _too_many(claims: Mapping[str, Any], name: str) -> bool:
    """Return whether the provider says that it left the groups out, as Entra ID does."""
    elsewhere = claims.get("_claim_names")
    return claims.get("hasgroups") is True or (isinstance(elsewhere, Mapping) and name in elsewhere)
