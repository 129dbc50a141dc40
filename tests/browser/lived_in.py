"""What days of use leave behind, brought about within seconds."""

from __future__ import annotations

import json
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Sequence
from typing import Any

from playwright.sync_api import Page

from tests.browser.home import LiveHome

LOOK_SECONDS = 0.2
STUCK_SECONDS = 120.0
"""After so long what is waited for will not come about, on however slow a machine."""


def wait(home: LiveHome, done: Callable[[], Any], what: str) -> Any:
    """Wait until something is so, and return it; the error says what the bridge said last."""
    until = time.monotonic() + STUCK_SECONDS
    while not (found := done()):
        assert time.monotonic() < until, f"waited for {what}: {home.log()}"
        time.sleep(LOOK_SECONDS)
    return found


def listed(page: Page, path: str) -> Sequence[Any]:
    """Return what the API has for whoever is signed in on a page."""
    answer = page.request.get(f"/api/v1/{path}")
    assert answer.ok, answer.text()
    found: Sequence[Any] = answer.json()["rows"]
    return found


def in_both(home: LiveHome, page: Page) -> list[dict[str, str]]:
    """Return the ids of each ticket that Switch and PostHog have, by connection."""

    def found() -> list[dict[str, str]]:
        every = [row["records"] for row in listed(page, "tickets")]
        return [each for each in every if {"helpdesk", "product"} <= each.keys()]

    return wait(home, found, "tickets to stand in both")


def deliver(home: LiveHome, signature: str, body: bytes) -> int:
    """Send a webhook as Switch does; return the status of the answer."""
    headers = {"Content-Type": "application/json", "X-Webhook-Signature": signature}
    request = urllib.request.Request(f"{home.receiver}/webhooks/helpdesk", body, headers)
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(request) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as refused:
        with refused:
            return refused.code


def wrongly_signed(home: LiveHome) -> int:
    """Send a webhook as a vendor does who has another secret."""
    body = json.dumps({"event": "ticket.updated", "data": {"id": "tkt_1"}}).encode()
    return deliver(home, f"sha256={'0' * 64}", body)
