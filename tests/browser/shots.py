"""`make shots`: takes every page, light, dark and narrow, into a sheet to look through."""

from __future__ import annotations

import sys
import tempfile
from html import escape
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

from tests.browser.chromium import SWITCHES, path_of_chromium
from tests.browser.crawl import crawl
from tests.browser.home import ROOT, LiveHome
from tests.browser.lived_in import in_both, listed, wait, wrongly_signed
from tests.browser.visits import NARROW, WIDE, Visits

FOLDER = ROOT / "var" / "shots"
VALUE = "connection=helpdesk&entity=ticket&field=team&value=Partners&ours=infra"
STYLE = """body{font:15px sans-serif;margin:1rem;background:#777;color:#fff}
section{display:flex;gap:1rem;align-items:start;margin-bottom:2rem}
h2{font-size:1rem;margin:0 0 .3rem}img{display:block;border:0}
.wide{width:44%}.narrow{width:10%;min-width:160px}"""


def main() -> None:
    """Take them all."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    for old in FOLDER.glob("*.png"):
        old.unlink()
    with tempfile.TemporaryDirectory() as folder, LiveHome(Path(folder) / "home") as home:
        found = path_of_chromium(Path(folder) / "lock")
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=found, args=list(SWITCHES))
            visits = Visits(browser, home.url)
            page = visits.open(path=f"/sign-in/link/{home.first_link}")
            ways = live_in(home, page)
            names = [taken(page, endpoint) for endpoint in crawl(page, *ways)]
            page.context.clear_cookies()
            page.goto("/sign-in")
            names.append(taken(page, "sign_in.form"))
            visits.close()
            browser.close()
    write_index(names)
    sys.stdout.write(f"{len(names)} pages: {FOLDER / 'index.html'}\n")


def live_in(home: LiveHome, page: Page) -> list[str]:
    """Let something happen that every page has to tell of; return where to begin."""
    switch, posthog = home.sandboxes["switch"], home.sandboxes["posthog"]
    tickets = in_both(home, page)[:3]
    wrongly_signed(home)
    page.goto("/connections/product/pause")
    page.get_by_role("button", name="Pause").click()
    person = {"type": "user", "id": 99, "user": {"email": "zoe@support.example"}}
    for refs in tickets:
        posthog.post("edit", id=refs["product"], fields={"priority": "low", "assignee": person})
        fields = {"priority": "urgent", "custom_fields": {"team": "Partners"}}
        switch.post("edit", id=refs["helpdesk"], fields=fields)
    page.get_by_role("link", name="Resume …").click()
    page.get_by_role("button", name="Resume").click()
    wait(home, lambda: listed(page, "conflicts"), "conflicts")
    page.goto(f"/values/accept?{VALUE}")
    page.get_by_role("button", name="See first what it would do").click()
    page.get_by_role("button", name="Look through all tickets").click()
    page.get_by_role("button", name="Publish").wait_for()
    draft = page.url.removeprefix(home.url).partition("#")[0]
    ticket = f"/tickets/product:{tickets[0]['product']}"
    ways = ["/", ticket, f"{ticket}/why/priority", f"/values/accept?{VALUE}", draft]
    return [*ways, f"{draft}/preview?connection=helpdesk"]


def taken(page: Page, endpoint: str) -> str:
    """Take a page in each way; return its name."""
    for name, size, scheme in (
        ("light", WIDE, "light"),
        ("dark", WIDE, "dark"),
        ("narrow", NARROW, "light"),
    ):
        page.set_viewport_size(size)
        page.emulate_media(color_scheme=scheme)
        page.screenshot(path=FOLDER / f"{endpoint}-{name}.png", full_page=True)
    page.set_viewport_size(WIDE)
    return endpoint


def write_index(names: list[str]) -> None:
    """Write the sheet."""
    rows = [
        f"<h2>{escape(name)}</h2><section>"
        + "".join(
            f'<a class="{kind}" href="{name}-{how}.png">'
            f'<img src="{name}-{how}.png" alt="{escape(name)}, {how}" width="100%"></a>'
            for how, kind in (("light", "wide"), ("dark", "wide"), ("narrow", "narrow"))
        )
        + "</section>"
        for name in names
    ]
    page = "<!doctype html><meta charset=utf-8><title>Every page</title>"
    (FOLDER / "index.html").write_text(f"{page}<style>{STYLE}</style>{''.join(rows)}")


if __name__ == "__main__":
    main()
