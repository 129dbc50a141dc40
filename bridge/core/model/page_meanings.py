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
    Code.OPENID_DOWN: OutcomeMeaning(
        "the provider does not answer",
        "The provider by which users sign in could not be asked, or answered with what it must "
        "not. Who is signed in stays so.",
        _NOTHING,
        "try again in a minute; on the bridge's machine `bridge check --live` says what is "
        "wrong, and who has a password or a link comes in by that",
    ),
    Code.OPENID_SETUP: OutcomeMeaning(
        "the provider and the bridge do not fit",
        "The provider refuses the bridge itself: another client_id, secret, issuer, scope or "
        "redirect URI is registered there than stands in the files.",
        _NOTHING,
        "compare `openid` in config/bridge.yaml with what the provider has: `bridge check --live` "
        "says what is wrong, and prints the redirect URI to register",
    ),
    Code.OPENID_CANCELLED: OutcomeMeaning(
        "you did not sign in at the provider",
        "You, or the provider for you, ended it there before it was done.",
        _NOTHING,
        "begin again; if you meant to sign in and were not let, ask whoever runs the provider",
    ),
    Code.OPENID_STATE: OutcomeMeaning(
        "this sign-in is over",
        "What came back from the provider belongs to no sign-in that this browser has begun, "
        "or to one that was used or is older than ten minutes.",
        _NOTHING,
        "begin again at the sign-in page, in one tab, and let the browser keep cookies",
    ),
    Code.OPENID_TOKEN: OutcomeMeaning(
        "the provider's word is not believed",
        "What it says of you is not signed by one of its keys, or is made out to somebody else.",
        _NOTHING,
        "begin again; if it stays so, somebody may be in between: the log of the pages has the "
        "reason for whoever keeps the bridge",
    ),
    Code.OPENID_CLOCK: OutcomeMeaning(
        "the clocks are apart",
        "What the provider says of you is too old already as it comes, or comes from the future.",
        _NOTHING,
        "set the clock of the bridge's machine, or have that of the provider set",
    ),
    Code.OPENID_ROLE: OutcomeMeaning(
        "none of your groups has a role",
        "You are known to the provider, and none of your groups there is a role here.",
        _NOTHING,
        "ask whoever runs the provider for one of the groups that `openid.roles` names, then "
        "sign in again",
    ),
    Code.OPENID_OUT: OutcomeMeaning(
        "you are disabled here",
        "An admin of the bridge keeps you out, whatever the provider says.",
        _NOTHING,
        "ask an admin: `bridge user enable NAME` lets you in again",
    ),
}
