"""Whoever signs in by the provider of their organisation, in a real browser."""

import pytest
from playwright.sync_api import expect

from tests.browser.visits import unfit


@pytest.mark.parametrize("scripts", [True, False])
def test_one_signs_in_by_the_provider_and_goes_on_where_one_wanted_to(
    home, provider, visits, scripts
):
    visits.others.add(provider.url)
    page = visits.open(path="/tickets", java_script_enabled=scripts)
    expect(page.get_by_label("Password")).to_be_visible()
    if scripts:
        assert unfit(page) == []
    page.get_by_role("link", name="Sign in with Example").click()
    expect(page.get_by_role("heading", name="Who are you?")).to_be_visible()
    page.get_by_role("button", name="I am ana").click()
    expect(page.get_by_role("heading", name="Tickets")).to_be_visible()
    assert page.url == f"{home.url}/tickets"
    page.goto("/account")
    expect(page.get_by_text(f"you sign in by {provider.url}")).to_be_visible()
    (cookie,) = [each for each in page.context.cookies() if each["name"] == "bridge"]
    assert cookie["httpOnly"]


def test_whoever_cancels_is_told_so_and_is_not_in(home, provider, visits):
    visits.others.add(provider.url)
    visits.meant = {400}
    page = visits.open(path="/sign-in")
    page.get_by_role("link", name="Sign in with Example").click()
    page.get_by_role("button", name="Cancel").click()
    expect(page.get_by_text("you did not sign in at the provider").first).to_be_visible()
    assert unfit(page) == []
    page.goto("/tickets")
    assert page.url.startswith(f"{home.url}/sign-in")
