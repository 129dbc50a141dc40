"""Visits by browser: everything that must not happen during one is noted, and fails its test."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Dialog, Page, Request

AXE = Path(__file__).with_name("axe") / "axe.min.js"
LEVELS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]
COLOURS = ["color-contrast", "link-in-text-block"]
"""The rules of axe that look at colours: all that differs where it is dark."""
WIDE, NARROW = {"width": 1280, "height": 900}, {"width": 360, "height": 740}
PATIENCE_MS = 60_000
"""How long a page may take before a test gives up on it, on however slow a machine."""
TRIM = """() => document.querySelectorAll('tbody, ol, .sheet').forEach(
  list => [...list.children].slice(12).forEach(one => one.remove()))"""
REFUSED = re.compile(r"Failed to load resource: the server responded with a status of (\d+)")


class Visits:
    """Opens pages for users, and remembers what went wrong in any of them."""

    def __init__(self, browser: Browser, url: str) -> None:
        self.url = url
        self.wrong: list[str] = []
        """Dialogs, errors and requests that should not have been, in words."""
        self.meant: set[int] = set()
        """Statuses of refusals that a test provokes."""
        self.others: set[str] = set()
        """Origins of others, to which a test goes on purpose."""
        self._browser = browser
        self._contexts: list[BrowserContext] = []

    def open(self, state: Any = None, path: str = "", **options: Any) -> Page:
        """Return a page of a browser of its own; `state`: whoever is signed in there."""
        options = {"viewport": WIDE, "color_scheme": "light", "reduced_motion": "reduce", **options}
        context = self._browser.new_context(base_url=self.url, storage_state=state, **options)
        context.set_default_timeout(PATIENCE_MS)
        self._contexts.append(context)
        context.on("request", self._asked)
        context.on("console", self._told)
        context.on("dialog", self._interrupted)
        context.on("weberror", lambda error: self.wrong.append(f"error: {error.error}"))
        page = context.new_page()
        if path:
            page.goto(path)
        return page

    def close(self) -> None:
        """End all visits."""
        for context in self._contexts:
            context.close()
        self._contexts.clear()

    def _asked(self, request: Request) -> None:
        where = urlsplit(request.url)
        if where.scheme != "data" and f"{where.scheme}://{where.netloc}" not in {
            self.url,
            *self.others,
        }:
            self.wrong.append(f"asked {request.url}")

    def _told(self, message: ConsoleMessage) -> None:
        refused = REFUSED.match(message.text)
        meant = refused is not None and int(refused[1]) in self.meant
        if message.type in {"error", "warning"} and not meant:
            self.wrong.append(f"console: {message.text} ({message.location.get('url')})")

    def _interrupted(self, dialog: Dialog) -> None:
        self.wrong.append(f"dialog: {dialog.message}")
        dialog.dismiss()


def overflow(page: Page) -> str:
    """Return what reaches over the edge of a narrow screen; empty: nothing does."""
    page.set_viewport_size(NARROW)
    found: str = page.evaluate(
        """() => {
          const most = document.documentElement.clientWidth
          if (document.scrollingElement.scrollWidth <= most) return ''
          const wide = [...document.querySelectorAll('body *')]
            .filter(one => one.getBoundingClientRect().right > most + 1)
          return wide.slice(0, 4).map(one => one.outerHTML.slice(0, 160)).join('\\n') || 'the page'
        }"""
    )
    page.set_viewport_size(WIDE)
    return found


def unfit(page: Page) -> list[str]:
    """Return what of a page is not accessible (WCAG 2.2 AA) or does not fit a narrow screen.

    The page is not as it was afterwards: of long lists the beginning is looked at, and the rest is
    taken out, for what each row is made of is the same.
    """
    wide = overflow(page)
    page.evaluate(TRIM)
    if page.evaluate("() => !window.axe"):
        page.evaluate(AXE.read_text())
    found = _violations(page, "light", {"type": "tag", "values": LEVELS})
    page.emulate_media(color_scheme="dark")
    found += _violations(page, "dark", {"type": "rule", "values": COLOURS})
    page.emulate_media(color_scheme="light")
    where = urlsplit(page.url).path
    return [f"{where}: {each}" for each in [*found, *([f"too wide: {wide}"] if wide else [])]]


def _violations(page: Page, scheme: str, only: dict[str, Any]) -> list[str]:
    options = {"runOnly": only, "resultTypes": ["violations"]}
    result = page.evaluate("options => axe.run(document, options)", options)
    return [
        f"{scheme}, {rule['id']}: {node['html'][:200]} {node['failureSummary'][:300]}"
        for rule in result["violations"]
        for node in rule["nodes"][:3]
    ]


Opener = Callable[..., Page]
