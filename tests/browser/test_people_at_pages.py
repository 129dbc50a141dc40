"""Who looks: somebody whose session ends, and somebody who may only look."""

from playwright.sync_api import expect

from tests.browser.conftest import invited
from tests.browser.crawl import crawl
from tests.browser.visits import unfit

SECRET = "correct horse battery"
OWN = ("/sign-out", "/tour", "/account")
"""Where a viewer may send a form: what is their own."""


def test_an_expired_session_loses_no_typed_text(admin, visits):
    page = visits.open(invited(visits, admin, "mapper", "the-writer"), "/account")
    page.get_by_label("New password").fill(SECRET)
    page.get_by_label("The same again").fill(SECRET)
    page.get_by_role("button", name="Take this password").click()
    expect(page.locator(".done")).to_be_visible()
    page.goto("/mappings/edit/upscope.yaml")
    text = page.get_by_label("The file as text")
    typed = "# Typed for an hour: ü < & \\ 'quotes'\n" + text.input_value()
    text.fill(typed)
    visits.meant = {401}
    page.context.clear_cookies()
    page.get_by_role("button", name="Check", exact=True).click()
    expect(page.get_by_text("What you typed is kept")).to_be_visible()
    assert unfit(page) == []
    page.get_by_label("User").fill("the-writer")
    page.get_by_label("Password").fill(SECRET)
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_label("The text")).to_have_value(typed)
    assert unfit(page) == []
    page.get_by_role("button", name="Go on with it").click()
    expect(page.get_by_label("The file as text")).to_have_value(typed)


def test_a_viewer_can_do_nothing_and_sees_no_address(home, at):
    customers = {row["customer"]["email"] for row in home.sandboxes["switch"].get("tickets")}
    page = at("/", "viewer")
    acts, shown = [], []
    for endpoint in crawl(page, "/"):
        forms = page.locator("form[method=post]").evaluate_all(
            "all => all.map(one => new URL(one.action).pathname)"
        )
        acts += [f"{endpoint}: {way}" for way in forms if not way.startswith(OWN)]
        text = page.content()
        shown += [f"{endpoint}: {address}" for address in customers if address in text]
    assert acts == []
    assert shown == []
