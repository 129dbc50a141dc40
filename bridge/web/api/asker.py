"""Who asks: the token that a request came with, what it may do, and at which connections.

A token may be for some connections alone. Then each of its requests must be about one of these, and
what is about the whole bridge is not for it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from typing import Any, Final, cast

from flask import Flask, g, request
from werkzeug.exceptions import NotFound

from bridge.core.model.outcome_codes import Code
from bridge.operations import tokens
from bridge.operations.desk import Desk
from bridge.operations.permissions import Permission, Role
from bridge.operations.users import User
from bridge.web.api.api_schemas import is_storable
from bridge.web.api.problems import Refusal

OPEN: Final = "open"
"""What an address needs that answers anybody."""
NOBODY: Final = "nobody"
"""Under this name all requests without a good token are counted together."""
READING: Final = frozenset({"GET", "HEAD", "OPTIONS"})
SCHEME: Final = "bearer"


Meter = Callable[[str], float]
"""Counts a request by a name; returns the seconds to wait where there were too many, else 0."""
SignedIn = Callable[[Desk], User | None]
"""Returns whose browser sent the present request; None: nobody's."""


@dataclass(frozen=True, slots=True)
class Asker:
    """Whoever asks."""

    name: str
    role: Role
    desk: Desk
    """The desk, at which the token sits."""
    may: Callable[[Permission], bool]
    connections: frozenset[str] = frozenset()
    """The connections that it is for; none: the whole bridge."""

    @property
    def actor(self) -> str:
        """The name under which the audit has what it does."""
        return self.desk.actor

    def connection(self, given: str | None) -> str | None:
        """Return the connection that a question is about; None: all. Raises Refusal."""
        if not self.connections:
            return given or None
        if not given and len(self.connections) == 1:
            return next(iter(self.connections))
        if given not in self.connections:
            raise self._refused("name one of them as `connection`")
        return given

    def need_one(self, concerned: Iterable[str]) -> None:
        """Raise Refusal unless what is asked about has to do with one of its connections."""
        if self.connections and self.connections.isdisjoint(concerned):
            raise self._refused("this is about others")

    def need_all(self, concerned: Collection[str]) -> None:
        """Raise Refusal unless all connections that an act concerns are its own."""
        if self.connections and not self.connections.issuperset(concerned):
            raise self._refused("this concerns others, too")

    def need_whole(self) -> None:
        """Raise Refusal where it is for some connections alone."""
        if self.connections:
            raise self._refused("this is about the whole bridge")

    def _refused(self, why: str) -> Refusal:
        own = ", ".join(sorted(self.connections))
        return Refusal(403, Code.API_ROLE, f"{self.name} is for {own} alone: {why}")


def declare(view: Callable[..., Any], needs: Permission | str, *, whole: bool = False) -> None:
    """Declare what an address needs. One that declares nothing is shut."""
    cast("Any", view).needs, cast("Any", view).whole = needs, whole


def needed(view: Callable[..., Any]) -> Permission | str | None:
    """Return what an address has declared; None: nothing, and it is shut."""
    return getattr(view, "needs", None)


def guard(
    app: Flask, desk: Callable[[], Desk], meter: Meter, signed_in: SignedIn | None = None
) -> None:
    """Look before every answer who asks, and whether they may."""

    @app.before_request
    def look() -> None:
        g.desk = desk()
        if not is_storable(request.path):
            raise NotFound
        if request.endpoint is None:
            return  # there is no such address, which is said to whoever asks
        view = app.view_functions[request.endpoint]
        required = needed(view)
        if required == OPEN:
            return
        asker = _asker_of(g.desk, signed_in)
        if wait := meter(asker.actor if asker is not None else NOBODY):
            raise Refusal(429, Code.API_RATE, "too many requests", retry_after=wait)
        if asker is None:
            raise Refusal(401, Code.API_TOKEN, "no token that lets anybody in")
        if not isinstance(required, Permission) or not asker.may(required):
            raise Refusal(403, Code.API_ROLE, f"{asker.name} is {asker.role}")
        if getattr(view, "whole", False):
            asker.need_whole()
        g.asker = asker


def current() -> Asker:
    """Return who asks."""
    asker: Asker = g.asker
    return asker


def _asker_of(desk: Desk, signed_in: SignedIn | None) -> Asker | None:
    scheme, _, secret = request.headers.get("Authorization", "").partition(" ")
    if scheme.casefold() == SCHEME:
        token = tokens.of_secret(desk, secret.strip())
        if token is None:
            return None
        own = frozenset(token.connections)
        sees = token.may(Permission.SEE_PERSONAL)
        own_desk = desk.seen_by(token.actor, personal=sees)
        return Asker(token.name, token.role, own_desk, token.may, own)
    if signed_in is None or request.method not in READING:
        return None  # a cookie comes along with any site's form: it lets nobody act
    user = signed_in(desk)
    if user is None:
        return None
    own_desk = desk.seen_by(user.actor, personal=user.may(Permission.SEE_PERSONAL))
    return Asker(user.name, user.role, own_desk, user.may)
