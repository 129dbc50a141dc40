"""Pages whose users sign in by a real provider, and browsers that follow it there and back."""

from __future__ import annotations

import http.client
from dataclasses import replace
from urllib.parse import parse_qs, urlsplit

import pytest

from bridge.openid.provider import Provider
from bridge.operations import users
from tests.flow.world import World
from tests.openid.id_provider import IdProvider
from tests.operations.desks import desk_of
from tests.web.pages.conftest import Site

PAGES = "http://localhost"


@pytest.fixture
def provider():
    with IdProvider() as running:
        yield running


@pytest.fixture
def signing(sqlite_ledger, provider):
    """Return what makes the pages; whoever changes what their files say makes them anew."""
    return lambda **changes: Signing(World(ledger=sqlite_ledger, names="LH"), provider, **changes)


@pytest.fixture
def on_both(ledger, provider):
    """The pages over each database."""
    return Signing(World(ledger=ledger, names="LH"), provider)


@pytest.fixture
def site(signing):
    return signing()


class Signing(Site):
    """The pages, with a provider."""

    def __init__(self, world, provider, pages=PAGES, path="", **changes):
        provider.now = lambda: world.clock.now().timestamp()
        settings = provider.settings(pages, **changes)
        built = Provider(settings, world.clock)
        desk = desk_of(world)
        config = replace(desk.config, settings=replace(desk.config.settings, openid=settings))
        desk = replace(desk, config=config, provider=lambda: built)
        super().__init__(desk, proxies=1, path=path)
        self.clock, self.provider, self.settings = world.clock, provider, settings

    def begin(self, browser, back="", **options):
        """Press the button; the address at the provider to which it leads."""
        query = {"next": back} if back else {}
        answer = browser.get("/sign-in/openid", query_string=query, **options)
        assert answer.status_code == 303, answer.text
        return answer.headers["Location"]

    def there(self, address):
        """Be at the provider; the address to which it leads back."""
        where = urlsplit(address)
        connection = http.client.HTTPConnection(where.netloc, timeout=30)
        connection.request("GET", f"{where.path}?{where.query}")
        answer = connection.getresponse()
        body = answer.read().decode()
        connection.close()
        assert answer.status in {302, 303}, body
        return answer.headers["Location"]

    def back(self, browser, address, **options):
        where = urlsplit(address)
        return browser.get(where.path, query_string=where.query, **options)

    def sign_in(self, browser=None, back="", **options):
        """Press the button and come back; the last answer."""
        browser = browser or self.nobody()
        return self.back(browser, self.there(self.begin(browser, back, **options)), **options)

    def signed_in(self):
        browser = self.nobody()
        answer = self.sign_in(browser)
        assert answer.status_code == 303, answer.text
        return browser


def asked_for(address):
    return {name: values[0] for name, values in parse_qs(urlsplit(address).query).items()}


def code_of(answer):
    return answer.headers.get("X-Outcome-Code")


@pytest.fixture
def world_site(sqlite_ledger):
    return Site(desk_of(World(ledger=sqlite_ledger, names="LH")))


def nobody_is_in(site, answer, code, *, status=None):
    assert code_of(answer) == code
    assert status is None or answer.status_code == status
    assert users.every(site.desk) == []
