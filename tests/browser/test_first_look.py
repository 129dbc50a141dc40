"""The first minutes: coming in, and finding one's way with a ticket."""

import re

from playwright.sync_api import expect

from tests.browser.visits import unfit


def test_the_printed_link_signs_in_once(home, admin, visits):
    page = visits.open(admin, "/")
    expect(page.get_by_role("heading", name="New here? Three steps")).to_be_visible()
    visits.meant = {401}
    late = visits.open(path=f"/sign-in/link/{home.first_link}")
    expect(late.get_by_role("alert")).to_contain_text("What to do")


def test_a_ticket_is_found_by_a_vendors_number_and_says_why_its_status_is_so(home, at):
    switch = home.sandboxes["switch"]
    ticket = switch.get("tickets")[0]
    switch.post("edit", id=ticket["id"], fields={"status": "resolved"})
    page = at("/tickets")
    page.get_by_label("Text or id").fill(ticket["id"])
    page.get_by_role("button", name="Filter").click()
    page.get_by_role("link", name=ticket["subject"]).click()
    assert unfit(page) == []
    page.get_by_role("link", name="status", exact=True).click()
    expect(page.get_by_role("heading", name="Why status is what it is")).to_be_visible()
    expect(page.get_by_text(re.compile(r"mappings/posthog\.yaml:\d+"))).to_be_visible()
    assert unfit(page) == []
