"""What a mapper does: a field by form, a change published and taken back, two at one file."""

import re

from playwright.sync_api import expect

from tests.browser.lived_in import in_both, wait
from tests.browser.visits import unfit

HELD = ("on_hold: pending,", "on_hold: open,")


def look_and_publish(page):
    """Have a draft looked through, and publish it with whatever it asks to be meant so."""
    page.get_by_role("button", name="Look through all tickets").click()
    publish = page.get_by_role("button", name="Publish")
    expect(publish).to_be_visible()
    for name in ("accept", "override_unsafe"):
        if (box := page.locator(f"form.act input[name={name}]")).count():
            box.check()
    publish.click()
    expect(page.get_by_role("heading", name=re.compile("in force"))).to_be_visible()


def edit(page, old, new):
    """Replace a piece of the text in the editor."""
    field = page.get_by_label("The file as text")
    text = field.input_value()
    assert old in text
    field.fill(text.replace(old, new))


def test_a_field_of_ones_own_is_made_by_form_and_travels(home, at):
    page = at("/mappings", "mapper")
    refs = in_both(home, page)[0]
    page.get_by_role("link", name="New field …").click()
    page.get_by_role("textbox", name="Name").first.fill("region")
    page.get_by_label("Holds").select_option("choice")
    page.get_by_role("textbox", name="Choices").fill("emea, apac")
    first, second = (page.locator(f"fieldset:nth-of-type({number})") for number in (2, 3))
    first.get_by_label("At").select_option("helpdesk")
    first.get_by_label("Under the name").fill("custom_fields.region")
    first.get_by_label("Their words").fill("EMEA = emea\nAPAC = apac")
    second.get_by_label("At").select_option("product")
    second.get_by_label("Under the name").fill("anonymous_traits.region")
    page.get_by_role("button", name="Make a draft of it").click()
    expect(page.get_by_role("heading", name="1. What it changes")).to_be_visible()
    page.get_by_role("button", name="Read and compare").click()
    expect(page.get_by_role("heading", name="on your own records")).to_be_visible()
    assert unfit(page) == []
    page.go_back()
    look_and_publish(page)
    assert unfit(page) == []
    fields = {"custom_fields": {"region": "EMEA"}}
    home.sandboxes["switch"].post("edit", id=refs["helpdesk"], fields=fields)

    def arrived():
        rows = home.sandboxes["posthog"].get("tickets")
        traits = next(row["anonymous_traits"] for row in rows if row["id"] == refs["product"])
        return traits.get("region") == "emea"

    wait(home, arrived, "the region to arrive in PostHog")


def test_a_publication_is_rolled_back_with_what_it_wrote(home, at):
    page = at("/mappings", "mapper")
    refs = in_both(home, page)[-1]
    home.sandboxes["posthog"].post("edit", id=refs["product"], fields={"status": "on_hold"})

    def shows(status):
        rows = home.sandboxes["switch"].get("tickets")
        return next(row["status"] for row in rows if row["id"] == refs["helpdesk"]) == status

    wait(home, lambda: shows("pending"), "the ticket to be pending in Switch")
    page.get_by_role("row", name="switch.yaml").get_by_role("link", name="edit").click()
    edit(page, *HELD)
    page.get_by_role("button", name="Go on to what it would do").click()
    look_and_publish(page)
    wait(home, lambda: shows("open"), "the ticket to be open by the new table")
    page.get_by_role("link", name=re.compile("Take it back: to revision")).click()
    expect(page.get_by_role("heading", name="And take back what was written since")).to_be_visible()
    assert unfit(page) == []
    for name in ("accept", "override_unsafe"):
        page.locator(f"input[name={name}]").check()
    page.get_by_role("button", name="Take it back and publish").click()
    expect(page.get_by_text(re.compile(r"Revision \d+ is in force"))).to_be_visible()
    assert unfit(page) == []
    wait(home, lambda: shows("pending"), "the ticket to be as it was")


def test_two_mappers_edit_one_file_and_neither_loses_a_line(at):
    ana, ben = at("/mappings/edit/zaia.yaml", "mapper"), at("/mappings/edit/zaia.yaml")
    edit(ana, "system: zaia", "# Ana was here\nsystem: zaia")
    ben_text = ben.get_by_label("The file as text")
    ben_text.fill(ben_text.input_value().rstrip() + "\n# Ben was here\n")
    ana.get_by_role("button", name="Go on to what it would do").click()
    look_and_publish(ana)
    ben.get_by_role("button", name="Go on to what it would do").click()
    expect(ben.get_by_text("Others have published since")).to_be_visible()
    assert unfit(ben) == []
    ben.get_by_role("button", name="Bring it into the draft").click()
    expect(ben.get_by_text("What others published is in the draft now")).to_be_visible()
    look_and_publish(ben)
    ben.goto("/mappings/files/zaia.yaml")
    for line in ("# Ana was here", "# Ben was here"):
        expect(ben.get_by_text(line)).to_be_visible()
    assert unfit(ben) == []
