"""Upscope's refusals, without a word of the vendor's: its texts may hold what must not be kept."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from bridge.errors import RateLimited, RemoteError, Unauthorised

REASONS: Mapping[str, str] = {
    "invalid_api_key": (
        "it does not know the API key; copy a new one from the general settings (it is shown only "
        "once)"
    ),
    "subscription_expired": "the team's subscription has expired; renew it",
    "no_subscription": "the team has no subscription; take one out",
    "api_not_enabled": (
        "the subscription does not include the API; it comes with Enterprise plans, ask their sales"
    ),
    "please_contact_team": "the account is held up; get in touch with Upscope's support",
}
"""The code in the body of a 401 -> what it means and what to do.

Some are of the README of https://github.com/upscopeio/rest-api, some of
https://cobrowsingapi.com/docs/rest-api/authentication; both were read in 2026-11.
"""
_REASON = re.compile(r'"error"\s*:\s*"([a-z_]{1,40})"')


def redacted(error: RemoteError) -> RemoteError:
    """Return the same error without the vendor's text, and with a 401 put into words."""
    name = error.connection
    fields: dict[str, Any] = {"status": error.status, "request_id": error.request_id}
    if error.status == 401:
        code = _REASON.search(error.detail)
        why = REASONS.get(
            code[1] if code else "", "the reason is not a documented one; check the API key"
        )
        return Unauthorised(name, f"answered 401: {why}", **fields)
    if isinstance(error, RateLimited):
        fields["retry_after"] = error.retry_after
    return type(error)(name, _own_words(error), **fields)


def _own_words(error: RemoteError) -> str:
    """Return an error's message as it was before `RemoteError` put the other parts around it."""
    message = str(error).removeprefix(f"{error.connection}: ")
    if error.detail:
        message = message.removesuffix(f": {error.detail}")
    if error.request_id:
        message = message.removesuffix(f" (request {error.request_id})")
    return message
