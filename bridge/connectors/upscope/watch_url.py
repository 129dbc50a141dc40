"""The call that opens a visitor's screen to an operator: what it is sent, and the link it answers.

The link opens a customer's screen to whoever has it, and counts against the limits of the plan
(README of https://github.com/upscopeio/rest-api, read 2026-11). So it is asked for once, by a
person, shown to that person, and kept nowhere.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from bridge.connectors.upscope.capabilities import SHORT_ID
from bridge.errors import Refused

NEEDED = ("visitor", "agent.id", "agent.name")
SWITCHES = ("branding.naked", "branding.no_bottom_bar")
RETRY_URL = "branding.retry_url"
WEB_ADDRESS = re.compile(r"https?://[^\s<>\"']{1,2000}")


def watch_body(connection: str, arguments: Mapping[str, str]) -> dict[str, Any]:
    """Return what the call is sent. Raises Refused for arguments that cannot be meant."""
    _check_names(connection, arguments)
    if not SHORT_ID.fullmatch(arguments["visitor"]):
        raise Refused(connection, "watch_url: visitor must be a visitor's short id")
    body: dict[str, Any] = {"agent": {"id": arguments["agent.id"], "name": arguments["agent.name"]}}
    branding = _branding(connection, arguments)
    return body | ({"branding": branding} if branding else {})


def watch_link(body: Any) -> str | None:
    """Return the link that an answer holds; None when it holds none."""
    link = body.get("watch_url") if isinstance(body, Mapping) else None
    return link if isinstance(link, str) and WEB_ADDRESS.fullmatch(link) else None


def _check_names(connection: str, arguments: Mapping[str, str]) -> None:
    unknown = sorted(set(arguments) - {*NEEDED, *SWITCHES, RETRY_URL})
    missing = [name for name in NEEDED if not arguments.get(name, "").strip()]
    if not unknown and not missing:
        return
    problem = f"no {', '.join(unknown)}" if unknown else f"{', '.join(missing)} must be given"
    allowed = f"needed: {', '.join(NEEDED)}; allowed: {', '.join((*SWITCHES, RETRY_URL))}"
    raise Refused(connection, f"watch_url: {problem} ({allowed})")


def _branding(connection: str, arguments: Mapping[str, str]) -> dict[str, Any]:
    branding: dict[str, Any] = {}
    for name in SWITCHES:
        if name not in arguments:
            continue
        if arguments[name] not in {"true", "false"}:
            raise Refused(connection, f"watch_url: {name} is true or false")
        branding[name.removeprefix("branding.")] = arguments[name] == "true"
    if RETRY_URL in arguments:
        if not WEB_ADDRESS.fullmatch(arguments[RETRY_URL]):
            raise Refused(connection, f"watch_url: {RETRY_URL} must be an http(s) address")
        branding["retry_url"] = arguments[RETRY_URL]
    return branding
