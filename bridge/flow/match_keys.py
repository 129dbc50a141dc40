"""The keys under which records are found that are the same thing on two connections.

Each match rule of a sync makes one key of the values that it names. A ticket has one more, its
customer, by which messages and sessions find it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta

from bridge.core.model.clocks import TimeSpan
from bridge.core.model.entities import MADE
from bridge.core.model.syncs import Sync
from bridge.core.model.values import Canonical, Unreadable
from bridge.ledger.matching import Key

CUSTOMER = "customer"
BY_CUSTOMER = -1
"""The number of a match rule of our own: tickets are also found by who asked."""


def match_keys(
    sync: Sync, values: Mapping[str, Canonical | Unreadable], made: TimeSpan | None
) -> list[Key]:
    """Return a key for every match rule that the values can fill.

    `made`: when it was made by our clock. By the clocks of two vendors, what was made at the same
    moment may lie as far apart as they do.
    """
    keys = []
    for number, rule in enumerate(sync.match):
        exact, at, complete = [], None, True
        for term in rule:
            value = values.get(term.field)
            if value is None or value == "" or isinstance(value, Unreadable):
                complete = False
            elif term.field == MADE and made is not None:
                at = made.middle
            elif term.within is not None:
                at = datetime.fromisoformat(value) if isinstance(value, str) else value
            else:
                exact.append(value.casefold() if isinstance(value, str) else value)
        if complete and exact:
            terms = json.dumps([number, exact], sort_keys=True, default=str)
            keys.append((number, hashlib.sha256(terms.encode()).hexdigest(), at))
    return keys


def window(sync: Sync, rule: int) -> timedelta | None:
    """Return how far apart the times of a rule's windowed term may lie; None: it has none."""
    return next((term.within for term in sync.match[rule] if term.within is not None), None)


def is_match(sync: Sync, ours: Iterable[Key], theirs: Iterable[Key]) -> bool:
    """Return whether a match rule says of two records that they are the same thing."""
    known = {(rule, digest): at for rule, digest, at in ours}
    for rule, digest, at in theirs:
        if (rule, digest) not in known:
            continue
        mine, within = known[rule, digest], window(sync, rule)
        if within is None or (at is not None and mine is not None and abs(at - mine) <= within):
            return True
    return False


def customer_key(email: str) -> tuple[int, str]:
    """Return the (rule, hash) under which a customer's tickets are found."""
    terms = json.dumps([CUSTOMER, email.casefold()])
    return BY_CUSTOMER, hashlib.sha256(terms.encode()).hexdigest()


def customer_keys(values: Mapping[str, Canonical | Unreadable]) -> list[Key]:
    """Return the key under which a ticket is found by its customer, if it shows one."""
    email = values.get(CUSTOMER)
    return [(*customer_key(email), None)] if isinstance(email, str) and email else []
