"""Meanings of the outcome codes with which the API refuses something.

`outcome_meanings` has all.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from bridge.core.model.outcome_codes import Code
from bridge.core.model.running_meanings import OutcomeMeaning

_NOTHING: Final = "Nothing: no ticket was touched."

API_MEANINGS: Final[Mapping[Code, OutcomeMeaning]] = {
    Code.API_TOKEN: OutcomeMeaning(
        "no good token",
        "The request came without a token, or with one that was revoked, is too old or never was.",
        _NOTHING,
        "send `Authorization: Bearer brg_…` with a token that `bridge token create` has made",
    ),
    Code.API_ROLE: OutcomeMeaning(
        "not for this token",
        "The token's role, or the connections that it is for, do not cover what was asked for.",
        _NOTHING,
        "ask an admin for another token: `bridge token create NAME --role ROLE`",
    ),
    Code.API_ABSENT: OutcomeMeaning(
        "nothing has this name",
        "Nothing is at this address of the API, or what it names is not there (any more).",
        _NOTHING,
        "read the message, which says what there is, and `/api/v1/openapi.json` for the addresses",
    ),
    Code.API_REQUEST: OutcomeMeaning(
        "a request that the API does not take",
        "Something in the address, the query, the headers or the body is not as it should be.",
        _NOTHING,
        "mend what `errors` and `detail` name; `/api/v1/openapi.json` says what each address takes",
    ),
    Code.API_NOT_POSSIBLE: OutcomeMeaning(
        "the state of things does not allow it",
        "What was asked for does not fit what is there by now, or somebody else is at work on it.",
        _NOTHING,
        "read the message, ask for the present state, and decide anew",
    ),
    Code.API_KEY: OutcomeMeaning(
        "the idempotency key is taken",
        "An act with this `Idempotency-Key` was another one, is being done just now, or its end is "
        "not known.",
        "The act that came first goes on; this request did nothing.",
        "look what became of the first, and send another act with another key",
    ),
    Code.API_RATE: OutcomeMeaning(
        "too many requests",
        "The token was used more often than the API answers in so short a time.",
        _NOTHING,
        "wait as many seconds as `Retry-After` says",
    ),
}
