"""What an operator may wish for at Upscope, and its refusals put into words."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from bridge.connectors.upscope.records import SHORT_ID
from bridge.errors import RateLimited, Refused, RemoteError, Unauthorised

REASONS: Mapping[str, str] = {
    "invalid_api_key": "it does not know the API key; copy a new one from the general settings (it is shown only once)",
    "subscription_expired": "the team's subscription has expired; renew it",
    "no_subscription": "the team has no subscription; take one out",
    "api_not_enabled": "the subscription does not include the API; it comes with Enterprise plans, ask their sales",
    "please_contact_team": "the account is held up; get in touch with Upscope's support",
}
"""Why a 401 came: the code in its body -> what it means and what to do."""
_REASON = re.compile(r'"error"\s*:\s*"([a-z_]{1,40})"')

WATCH = ("visitor", "agent.id", "agent.name")
SWITCHES = ("branding.naked", "branding.no_bottom_bar")
RETRY_URL = "branding.retry_url"
URL = re.compile(r"https?://[^\s<>\"']{1,2000}")


def wish(name: str, given: Mapping[str, str]) -> dict[str, Any]:
    """Build the body of a watch_url call. Raises Refused, before anything is sent."""
    unknown = sorted(set(given) - {*WATCH, *SWITCHES, RETRY_URL})
    missing = [key for key in WATCH if not given.get(key, "").strip()]
    if unknown or missing:
        what = f"no {', '.join(unknown)}" if unknown else f"{', '.join(missing)} must be given"
        allowed = f"needed: {', '.join(WATCH)}; allowed: {', '.join((*SWITCHES, RETRY_URL))}"
        raise Refused(name, f"watch_url: {what} ({allowed})")
    if not SHORT_ID.fullmatch(given["visitor"]):
        raise Refused(name, "watch_url: visitor must be a visitor's short id")
    branding: dict[str, Any] = {}
    for key in SWITCHES:
        if key in given and given[key] not in {"true", "false"}:
            raise Refused(name, f"watch_url: {key} is true or false")
        if key in given:
            branding[key.removeprefix("branding.")] = given[key] == "true"
    if RETRY_URL in given:
        if not URL.fullmatch(given[RETRY_URL]):
            raise Refused(name, f"watch_url: {RETRY_URL} must be an http(s) address")
        branding["retry_url"] = given[RETRY_URL]
    body: dict[str, Any] = {"agent": {"id": given["agent.id"], "name": given["agent.name"]}}
    return body | ({"branding": branding} if branding else {})


def bare(error: RemoteError) -> RemoteError:
    """Give the same error without the vendor's text, and with a 401 put into words."""
    name = error.connection
    fields: dict[str, Any] = {"status": error.status, "request_id": error.request_id}
    if error.status == 401:
        code = _REASON.search(error.detail)
        why = REASONS.get(
            code[1] if code else "", "the reason is not a documented one; check the API key"
        )
        return Unauthorised(name, f"answered 401: {why}", **fields)
    said = (
        str(error)
        .removeprefix(f"{name}: ")
        .removesuffix(f": {error.detail}" if error.detail else "")
    )
    said = said.removesuffix(f" (request {error.request_id})" if error.request_id else "")
    if isinstance(error, RateLimited):
        return RateLimited(name, said, retry_after=error.retry_after, **fields)
    return type(error)(name, said, **fields)
