"""The pages over a bridge in memory, with a user of each role who is signed in."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import pytest

from bridge.ledger import webhook_inbox
from bridge.operations import sign_in, users
from bridge.operations.permissions import Role
from bridge.supervisor.played_people import PlayedPeople
from bridge.web.pages import visitor
from bridge.web.pages.site import SiteSettings, create_site
from tests.flow.world import World, born
from tests.operations.desks import desk_of

KEY = "k" * 32


class Elements(HTMLParser):
    """Every element of a page with its attributes, and all of its text."""

    def __init__(self, page):
        super().__init__()
        self.found, self.words = [], []
        self.feed(page)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.found.append((tag, dict(attrs)))

    def handle_data(self, data):
        self.words.append(data)

    @property
    def text(self):
        return " ".join(" ".join(self.words).split())


class Site:
    """The application, and browsers for it."""

    def __init__(self, desk, stage=None, **settings):
        self.desk = desk
        settings = SiteSettings(KEY, development=True, **settings)
        self.app = create_site(lambda: desk, settings, stage=stage or PlayedPeople({}))

    def nobody(self):
        return self.app.test_client()

    def browser(self, role=Role.ADMIN, **environ):
        name = f"the-{role.value}"
        if name not in {user.name for user in users.every(self.desk)}:
            users.add(self.desk, name, role)
        entry = sign_in.by_link(self.desk, users.make_link(self.desk, name), "127.0.0.1")
        client = self.app.test_client()
        with client.session_transaction(environ_overrides=environ) as session:
            session[visitor.TOKEN] = entry.token
        return client


@pytest.fixture
def world(sqlite_ledger):
    return World(ledger=sqlite_ledger, names="LH")


@pytest.fixture
def ticket(world):
    """The id of a ticket that both sides have."""
    born(world)
    return world.links()[0].id


@pytest.fixture
def site(world):
    return Site(desk_of(world))


def csrf_of(page):
    return re.search(r'name="csrf_token" value="([^"]+)"', page)[1]


def came(site, connection, number=1, **changes):
    """Put a webhook into the inbox, as the receiver does; return its id."""
    values = {
        "connection": connection,
        "delivery_key": f"delivery-{number}",
        "received_at": site.desk.now(),
        "headers": {"content-type": "application/json"},
        "projection": {"event": "ticket.updated", "id": f"tkt_{number}"},
        "digest": "d" * 64,
        "event": "ticket.updated",
        "entity": "ticket",
        "remote_id": f"tkt_{number}",
    }
    with site.desk.ledger.transaction() as tx:
        return webhook_inbox.accept(tx, **(values | changes))[0]
