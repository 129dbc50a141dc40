"""Meanings of the outcome codes with which the pages refuse something.

`outcome_meanings` has all.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from bridge.core.model.outcome_codes import Code
from bridge.core.model.running_meanings import OutcomeMeaning

_NOTHING: Final = "Nothing: no ticket was touched."

PAGE_MEANINGS: Final[Mapping[Code, OutcomeMeaning]] = {
    Code.PAGE_SIGN_IN: OutcomeMeaning(
        "not signed in",
        "The page is for users alone, and nobody is signed in, or the session of 12 hours is over.",
        _NOTHING,
        "sign in; what you typed is still in the page before this one",
    ),
    Code.PAGE_ROLE: OutcomeMeaning(
        "not for this role",
        "Your role does not have the permission that the page or the act needs.",
        _NOTHING,
        "ask an admin: `bridge user role NAME ROLE` gives you another role",
    ),
    Code.PAGE_FORM: OutcomeMeaning(
        "the form is too old",
        "The form was not made for this session: you signed in again since, or in another tab.",
        _NOTHING,
        "go back, load the page again and send the form once more",
    ),
    Code.PAGE_WAIT: OutcomeMeaning(
        "too many attempts",
        "Too many attempts to sign in went wrong, for this account or from this address.",
        _NOTHING,
        "wait as long as the page says, then try again",
    ),
    Code.PAGE_ABSENT: OutcomeMeaning(
        "there is no such page",
        "Nothing is at this address, or what it names is not there (any more).",
        _NOTHING,
        "look for it from the overview, or among the tickets",
    ),
    Code.PAGE_NOT_POSSIBLE: OutcomeMeaning(
        "not possible just now",
        "What was asked for does not fit what is there by now, or somebody else is at work on it.",
        _NOTHING,
        "read what the page says, load the page before it again, and decide anew",
    ),
    Code.PAGE_REQUEST: OutcomeMeaning(
        "a request that makes no sense here",
        "The address does not take this, or it is too large.",
        _NOTHING,
        "go back and use the page's own links and forms",
    ),
}
