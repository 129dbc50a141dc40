"""What an operator mends: secrets, pauses, conflicts, values that nobody knows."""

import re

from playwright.sync_api import expect

from tests.browser.lived_in import in_both, listed, wait, wrongly_signed
from tests.browser.visits import unfit


def test_a_wrong_webhook_secret_is_mended_from_the_overviews_hint(home, at):
    for _ in range(3):
        assert wrongly_signed(home) == 401
    page = at("/")
    hint = page.get_by_role("link", name=re.compile("for helpdesk refused: wrong signature"))
    hint.click()
    expect(page.get_by_role("heading", name="helpdesk")).to_be_visible()
    expect(page.get_by_text(f"{home.receiver}/webhooks/helpdesk")).to_be_visible()
    expect(page.get_by_text("is the secret the one at the vendor?").first).to_be_visible()
    assert unfit(page) == []
    # The two are compared, the bridge starts again, and the next webhook is signed rightly.
    home.restart_receiver()
    wait(home, lambda: not home.answers(), "the receiver to end")
    wait(home, home.answers, "another receiver")
    switch = home.sandboxes["switch"]
    switch.post("edit", id=switch.get("tickets")[0]["id"], fields={"subject": "Signed rightly"})

    def mended():
        page.reload()
        return page.get_by_text("a genuine one came since").count()

    wait(home, mended, "a webhook with the right signature")
    page.goto("/")
    expect(hint).to_have_count(0)


def test_conflicts_of_a_pause_are_decided_several_at_once(home, at):
    page = at("/connections")
    tickets = in_both(home, page)[:3]
    page.get_by_role("link", name="product").click()
    page.get_by_role("link", name="Pause …").click()
    assert unfit(page) == []
    page.get_by_label("Why").fill("their maintenance")
    page.get_by_role("button", name="Pause").click()
    expect(page.get_by_text("product is paused: nothing is read")).to_be_visible()
    switch, posthog = home.sandboxes["switch"], home.sandboxes["posthog"]
    there = {row["id"]: row["priority"] for row in posthog.get("tickets")}
    for refs in tickets:
        here = "low" if there[refs["product"]] != "low" else "high"
        posthog.post("edit", id=refs["product"], fields={"priority": here})
        switch.post("edit", id=refs["helpdesk"], fields={"priority": "urgent"})
    page.get_by_role("link", name="Resume …").click()
    assert unfit(page) == []
    page.get_by_role("button", name="Resume").click()
    expect(page.get_by_text("product is in use again")).to_be_visible()

    wait(home, lambda: len(listed(page, "conflicts")) == len(tickets), "the conflicts")
    page.goto("/conflicts")
    assert unfit(page) == []
    for number in range(2):
        page.get_by_label(re.compile("Mark priority of")).nth(number).check()
    page.get_by_label("Several at once").select_option("product")
    page.get_by_role("button", name="Decide").click()
    expect(page.get_by_text("2 conflicts are decided as product says")).to_be_visible()
    page.get_by_role("button", name="Take this").first.click()
    expect(page.get_by_text("No conflicts")).to_be_visible()
    refs = {refs["helpdesk"] for refs in tickets}

    def settled():
        rows = [row for row in switch.get("tickets") if row["id"] in refs]
        return sum(row["priority"] in {"low", "high"} for row in rows) >= 2

    wait(home, settled, "what was decided to stand in Switch")


def test_tickets_that_wait_for_a_value_are_freed_by_a_row_for_it(home, at):
    page = at("/", "mapper")
    switch, posthog = home.sandboxes["switch"], home.sandboxes["posthog"]
    tickets = in_both(home, page)[:2]
    for refs in tickets:
        fields = {"custom_fields": {"team": "Partners"}}
        switch.post("edit", id=refs["helpdesk"], fields=fields)
    page.get_by_role("link", name="team 'Partners' seen on 2 tickets of helpdesk").click()
    expect(page.get_by_role("heading", name="Values without a reading")).to_be_visible()
    assert unfit(page) == []
    group = page.locator("section.group").filter(has_text="Partners")
    expect(group).to_contain_text("2 wait")
    group.get_by_label("reads as").select_option("infra")
    group.get_by_role("button", name="Look at it …").click()
    expect(page.get_by_role("heading", name="Let Partners read as infra")).to_be_visible()
    assert unfit(page) == []
    page.get_by_role("button", name="See first what it would do").click()
    assert unfit(page) == []
    page.get_by_role("button", name="Look through all tickets").click()
    publish = page.get_by_role("button", name="Publish")
    expect(publish).to_be_visible()
    assert unfit(page) == []
    publish.click()
    expect(page.get_by_role("heading", name="in force")).to_be_visible()
    ids = {refs["product"] for refs in tickets}

    def arrived():
        rows = [row for row in posthog.get("tickets") if row["id"] in ids]
        return all((row["anonymous_traits"] or {}).get("support_team") == "infra" for row in rows)

    wait(home, arrived, "the team to arrive in PostHog")

    def read():
        page.goto("/values")
        return not page.locator("section.group").filter(has_text="Partners").count()

    wait(home, read, "nothing to wait for that reading")
