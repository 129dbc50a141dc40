"""Without a script, and without a mouse."""

import re

from playwright.sync_api import expect

from tests.browser.lived_in import in_both, wait
from tests.browser.visits import NARROW


def test_without_a_script_a_ticket_is_found_and_a_connection_paused(home, at):
    page = at("/", java_script_enabled=False, viewport=NARROW)
    page.get_by_role("link", name="Tickets", exact=True).click()
    found = home.sandboxes["switch"].get("tickets")[0]
    page.get_by_label("Text or id").fill(found["id"])
    page.get_by_role("button", name="Filter").click()
    page.locator("a.subject").click()
    page.get_by_role("link", name="status", exact=True).click()
    expect(page.get_by_role("heading", name="Why status is what it is")).to_be_visible()
    page.get_by_role("link", name="Systems").click()
    page.get_by_role("link", name="feedback").click()
    page.get_by_role("link", name="Pause …").click()
    page.get_by_role("button", name="Pause").click()
    expect(page.get_by_text("feedback is paused: nothing is read")).to_be_visible()
    page.get_by_role("link", name="Resume …").click()
    page.get_by_role("button", name="Resume").click()
    expect(page.get_by_text("feedback is in use again")).to_be_visible()


def test_without_a_script_a_file_is_edited_checked_and_looked_through(home, at):
    page = at("/mappings", "mapper", java_script_enabled=False)
    page.get_by_role("row", name="scopeai.yaml").get_by_role("link", name="edit").click()
    text = page.get_by_label("The file as text")
    good = text.input_value()
    text.fill(good.replace("system: scopeai", "system: nobody"))
    page.get_by_role("button", name="Check", exact=True).click()
    expect(page.locator(".finding.refused").first).to_contain_text("nobody")
    page.get_by_label("The file as text").fill(f"{good}# checked\n")
    page.get_by_role("button", name="Go on to what it would do").click()
    page.get_by_role("button", name="Look through all tickets").click()
    expect(page.locator("#effect-part")).to_contain_text("looked at")
    publish = page.get_by_role("button", name="Publish")

    def looked_through():
        page.reload()
        return publish.count()

    wait(home, looked_through, "the look at all tickets to end")
    page.get_by_role("button", name="Discard the draft").click()
    expect(page.get_by_text(re.compile(r"Draft \d+ is gone"))).to_be_visible()


def test_by_keyboard_alone_a_user_is_played_and_a_ticket_found(home, at):
    refs = in_both(home, at("/"))[0]
    page = at(f"/play/helpdesk/{refs['helpdesk']}")
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")  # past the skipped menu: the way back
    expect(page.get_by_role("link", name="Play a user").last).to_be_focused()
    button = page.locator("form:has(input[value=subject]) button")
    for _ in range(40):
        if (
            page.evaluate("() => document.activeElement.name") == "given"
            and page.locator("form:has(input[value=subject]) input[name=given]:focus").count()
        ):
            break
        page.keyboard.press("Tab")
    page.keyboard.type("Typed by keyboard")
    page.keyboard.press("Tab")
    expect(button).to_be_focused()
    assert page.evaluate("() => getComputedStyle(document.activeElement).outlineStyle") != "none"
    page.keyboard.press("Enter")
    expect(page.get_by_text("Typed by keyboard").first).to_be_visible()
