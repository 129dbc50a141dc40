"""A running home, a Chromium, and a user of each role who is signed in: once for all stories.

They last as long as the tests of this folder: Playwright's loop must not be in the way of others.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from playwright.sync_api import expect, sync_playwright

from tests.browser.chromium import SWITCHES, path_of_chromium
from tests.browser.home import LiveHome
from tests.browser.visits import PATIENCE_MS, Visits
from tests.openid.id_provider import CLIENT, SECRET, IdProvider

HERE = Path(__file__).parent


def pytest_collection_modifyitems(items):
    for item in items:
        if HERE in item.path.parents:
            item.add_marker("browser")


OPENID = """openid:
  issuer: {issuer}
  client_id: {client}
  client_secret: {secret}
  pages: {{pages}}
  label: Sign in with Example
  roles: {{{{leads: operator}}}}
"""


@pytest.fixture(scope="package")
def provider():
    """Where users may sign in instead: it asks in a form who they are."""
    with IdProvider(asks=True) as running:
        yield running


@pytest.fixture(scope="package")
def home(tmp_path_factory, provider):
    """The bridge between all sandboxes, in processes of its own, with a few tickets."""
    more = OPENID.format(issuer=provider.url, client=CLIENT, secret=SECRET)
    with LiveHome(tmp_path_factory.mktemp("browser") / "home", more) as running:
        provider.client.redirect_uris.append(f"{running.url}/sign-in/openid/back")
        yield running


@pytest.fixture(scope="package")
def chromium(tmp_path_factory):
    base = tmp_path_factory.getbasetemp()
    found = path_of_chromium(base.parent / "chromium.lock")
    expect.set_options(timeout=PATIENCE_MS)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found, args=list(SWITCHES))
        yield browser
        browser.close()


@pytest.fixture(scope="package")
def admin(home, chromium):
    """The first user, who came in by the link that the bridge has printed."""
    visits = Visits(chromium, home.url)
    page = visits.open(path=f"/sign-in/link/{home.first_link}")
    expect(page.get_by_role("heading", name="Overview")).to_be_visible()
    state = page.context.storage_state()
    visits.close()
    assert visits.wrong == []
    return state


@pytest.fixture(scope="package")
def users(home, chromium, admin):
    """Return what lets somebody of a role in, whom the admin has added and who came by a link."""
    states = {"admin": admin}

    def state_of(role):
        if role not in states:
            visits = Visits(chromium, home.url)
            states[role] = invited(visits, admin, role, f"the-{role}")
            visits.close()
            assert visits.wrong == []
        return states[role]

    return state_of


def invited(visits, admin, role, name):
    """Let the admin add a user, who comes in by the link; return what lets them in from then on."""
    page = visits.open(admin, path="/users")
    page.get_by_label("Name").fill(name)
    page.get_by_label("Role").select_option(role)
    page.get_by_role("button", name="Add").click()
    link = page.get_by_role("status").locator("code").first.inner_text()
    guest = visits.open(path=re.sub(r"^https?://[^/]+", "", link))
    guest.get_by_role("button", name="Sign in").click()
    expect(guest.get_by_role("heading", name="Your account")).to_be_visible()
    return guest.context.storage_state()


@pytest.fixture
def visits(home, chromium):
    """Visits of one test; whatever must not happen during any of them fails it."""
    made = Visits(chromium, home.url)
    yield made
    made.close()
    assert made.wrong == []


@pytest.fixture
def at(visits, users):
    """`at("/tickets", "viewer")` opens a page as somebody of that role."""
    return lambda path, role="admin", **options: visits.open(users(role), path, **options)
