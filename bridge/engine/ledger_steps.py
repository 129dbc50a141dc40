"""Carries out what many tickets ask of the ledger at the same time, each kind in one go."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

from bridge.engine.effects import Consult, LedgerEffect, StoreChanges, TakeLink, Transact
from bridge.ledger import changes, taking
from bridge.ledger.database import TransactionLost, Tx, savepoint

Answer = tuple[object, Exception | None]
"""What an effect came to: its answer, or the error that it ended in."""


def carry_out(tx: Tx, asked: Sequence[LedgerEffect], now: datetime) -> list[Answer]:
    """Carry out ledger effects of different tickets; return what each came to, in their order.

    What is stored comes first, for that gives leases back. What fails together is done again one by
    one: an error is its own ticket's, and nothing of that is stored. Raises TransactionLost: then
    nothing of any ticket's is.
    """
    came_to: dict[int, Answer] = {}
    for kind, together in _IN_BULK.items():
        places = [place for place, effect in enumerate(asked) if isinstance(effect, kind)]
        answers = _together(tx, [asked[place] for place in places], together, now)
        came_to |= zip(places, answers, strict=True)
    for place, effect in enumerate(asked):
        if isinstance(effect, Transact):
            came_to[place] = _alone(tx, effect, now)
    return [came_to[place] for place in range(len(asked))]


def _together(
    tx: Tx,
    asked: Sequence[LedgerEffect],
    together: Callable[[Tx, Any, datetime], Sequence[object]],
    now: datetime,
) -> list[Answer]:
    if len(asked) > 1:
        try:
            with savepoint(tx):
                return [(answer, None) for answer in together(tx, asked, now)]
        except TransactionLost:
            raise
        except Exception:  # noqa: BLE001, S110 - each finds its own below
            pass
    return [_alone(tx, effect, now) for effect in asked]


def _alone(tx: Tx, effect: LedgerEffect, now: datetime) -> Answer:
    try:
        with savepoint(tx):
            return carry_out_one(tx, effect, now), None
    except TransactionLost:
        raise
    except Exception as error:  # noqa: BLE001 - raised in the procedure, which knows
        return None, error  # the end of the savepoint may have raised it, too


def carry_out_one(tx: Tx, effect: LedgerEffect, now: datetime) -> object:
    """Carry out one ledger effect; return its answer."""
    if isinstance(effect, Transact):
        return effect.act(tx)
    (answer,) = _IN_BULK[type(effect)](tx, [effect], now)
    return answer


def _store(tx: Tx, asked: Sequence[StoreChanges], now: datetime) -> Sequence[object]:
    return changes.store(tx, [each.changes for each in asked], now)


def _take(tx: Tx, asked: Sequence[TakeLink], now: datetime) -> Sequence[object]:
    return taking.take(tx, [each.asked for each in asked], now)


def _consult(tx: Tx, asked: Sequence[Consult], _now: datetime) -> Sequence[object]:
    found: dict[int, object] = {}
    for answers in {each.answers: None for each in asked}:
        places = [place for place, each in enumerate(asked) if each.answers is answers]
        answered = answers(tx, [asked[place].question for place in places])
        found |= zip(places, answered, strict=True)
    return [found[place] for place in range(len(asked))]


_IN_BULK: dict[type[LedgerEffect], Callable[[Tx, Any, datetime], Sequence[object]]] = {
    StoreChanges: _store,
    TakeLink: _take,
    Consult: _consult,
}
"""How effects of a kind are carried out together, in this order."""
