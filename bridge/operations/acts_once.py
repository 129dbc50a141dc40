"""Acts that a program names by a key of its own, so that asking twice does nothing twice."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from bridge.errors import BridgeError
from bridge.ledger import kept_answers
from bridge.operations.desk import Desk
from bridge.operations.times import when

KEPT_FOR: Final = timedelta(hours=24)
"""So long an answer is given again; after that the key names a new act."""


class KeyTaken(BridgeError):
    """The key names another act, or one of which the end is not known (yet)."""


@dataclass(frozen=True, slots=True)
class NamedAct:
    """An act under a token's key; its digest tells it from another with the same key."""

    token: str
    key: str
    request: str


@dataclass(frozen=True, slots=True)
class GivenAnswer:
    """What was answered when the act was done."""

    status: int
    body: str


def named(token: str, key: str, request: Sequence[str | bytes]) -> NamedAct:
    """Return the act that a token names by a key; `request`: all that was asked for."""
    return NamedAct(token, _digest([key]), _digest(request))


def begin(desk: Desk, act: NamedAct) -> GivenAnswer | None:
    """Note that an act begins; return its answer where it was done already.

    Raises KeyTaken where the key names another act, and where nobody knows (yet) how it ended.
    """
    now = desk.now()
    with desk.ledger.transaction() as tx:
        kept_answers.prune(tx, now - KEPT_FOR)
        known = kept_answers.begin(tx, act.token, act.key, act.request, now)
    if known is None:
        return None
    if known.request != act.request:
        raise KeyTaken(f"this key named another act at {when(known.at)}; take a new key")
    if known.status is None:
        raise KeyTaken(f"this act began at {when(known.at)}, and its end is not known yet")
    if known.body is None:
        raise KeyTaken(
            f"this act was done at {when(known.at)}; a person was forgotten since, and the answer "
            "with them"
        )
    return GivenAnswer(known.status, known.body)


def end(desk: Desk, act: NamedAct, given: GivenAnswer) -> None:
    """Keep what was answered."""
    with desk.ledger.transaction() as tx:
        kept_answers.end(tx, act.token, act.key, given.status, given.body)


def give_up(desk: Desk, act: NamedAct) -> None:
    """Forget an act that was not done: it may be asked for again under the same key."""
    with desk.ledger.transaction() as tx:
        kept_answers.drop(tx, act.token, act.key)


def _digest(parts: Sequence[str | bytes]) -> str:
    digest = hashlib.sha256()
    for part in parts:
        whole = part.encode("utf-8", "surrogatepass") if isinstance(part, str) else part
        digest.update(b"%d:" % len(whole) + whole)
    return digest.hexdigest()
