"""Playing a user at the sandboxes, and the tour of the first run."""

from __future__ import annotations

import pytest
from werkzeug.test import Client

from bridge.operations import audit_trail, playing
from bridge.operations.permissions import Role
from bridge.supervisor import played_people
from bridge.supervisor.played_people import PlayedPeople
from bridge.supervisor.sandbox_client import SandboxError
from bridge.web.pages.site import SiteSettings, create_site
from tests.flow.estate import Estate
from tests.operations.desks import desk_of
from tests.web.pages.conftest import KEY, Elements, Site, csrf_of


class InProcess:
    """The control API of a sandbox in this process."""

    def __init__(self, app):
        self.system, self._client = app.SYSTEM, Client(app)

    def _answered(self, response):
        if response.status_code != 200:
            raise SandboxError(response.text)
        return response.json["data"]

    def get(self, path, **query):
        return self._answered(self._client.get(f"/_control/{path}", query_string=query))

    def post(self, path, **body):
        return self._answered(self._client.post(f"/_control/{path}", json=body))


@pytest.fixture(scope="module")
def estate(tmp_path_factory):
    """All five sandboxes with a few records, in step."""
    made = Estate(tmp_path_factory.mktemp("played") / "home")
    for name in ("helpdesk", "product", "desk"):
        made.apps[name].populate(2, 7)
    made.apps["screens"].populate(2, 7)
    made.reconcile()
    yield made
    made.ledger.close()


@pytest.fixture
def stage(estate):
    return PlayedPeople({name: InProcess(app) for name, app in estate.apps.items()})


@pytest.fixture
def site(estate, stage):
    return Site(desk_of(estate), stage)


def first(stage, connection):
    return stage.records(connection, playing.RECORDS)[0].id


def do(browser, address, deed, given):
    form = {"csrf_token": csrf_of(browser.get(address).text), "deed": deed, "given": given}
    return browser.post(address, data=form, follow_redirects=True)


@pytest.mark.parametrize("connection", ["helpdesk", "product", "desk", "feedback", "screens"])
def test_whatever_is_offered_at_a_system_can_be_done_there(estate, stage, site, connection):
    browser = site.browser(Role.OPERATOR)
    record = first(stage, connection)
    deeds = stage.deeds(connection)
    assert deeds
    page = Elements(browser.get(f"/play?connection={connection}").text)
    assert f"/play/{connection}/{record}" in [attrs.get("href") for _, attrs in page.found]
    for deed in deeds:
        before = len(estate.journal(connection, "edit", "create", actor="human"))
        for given in list(deed.choices)[-2:] or ["vip"]:
            done = do(browser, f"/play/{connection}/{record}", deed.name, given)
            assert done.status_code == 200, (deed, done.text)
        after = estate.journal(connection, "edit", "create", actor="human")
        assert len(after) > before, deed
        assert any(row.after for row in after[before:]), deed


def test_an_edit_is_seen_to_travel(estate, stage, site):
    estate.settle()
    browser, record = site.browser(Role.OPERATOR), first(stage, "helpdesk")
    address = f"/play/helpdesk/{record}"
    do(browser, address, "status", "open")
    estate.hint("helpdesk", record)
    tag = {"HX-Request": "true"}
    part = browser.get(address, headers=tag)
    assert "<html" not in part.text
    do(browser, address, "status", "pending")
    shown = Elements(browser.get(address).text).text
    assert "Somebody changed at helpdesk: status from open to pending" in shown
    estate.hint("helpdesk", record)
    shown = Elements(browser.get(address).text).text
    assert "The bridge wrote at product: status from open to pending" in shown
    tag["If-None-Match"] = browser.get(address, headers=tag).headers["ETag"]
    assert browser.get(address, headers=tag).status_code == 304
    (act,) = audit_trail.acts(site.desk, limit=1)
    assert (act.actor, act.action, act.subject) == (
        *("user:the-operator", "played"),
        f"helpdesk:{record}",
    )


@pytest.mark.parametrize(
    ("path", "deed", "given", "status"),
    [
        ("helpdesk/{}", "status", "<b>", 404),
        ("helpdesk/{}", "explode", "x", 404),
        ("helpdesk/{}", "subject", "  ", 409),
        ("helpdesk/none", "status", "open", 409),
        ("helpdesk/none", "tag", "vip", 409),
        ("nowhere/{}", "status", "open", 404),
    ],
)
def test_what_cannot_be_done_is_said(stage, site, path, deed, given, status):
    browser, record = site.browser(Role.OPERATOR), first(stage, "helpdesk")
    form = {"csrf_token": csrf_of(browser.get(f"/play/helpdesk/{record}").text)}
    form |= {"deed": deed, "given": given}
    assert browser.post(f"/play/{path.format(record)}", data=form).status_code == status


def test_a_sandbox_that_is_away_is_said(site, monkeypatch):
    def away(*_words, **_more):
        raise SandboxError("helpdesk sandbox does not answer")

    monkeypatch.setattr(InProcess, "_answered", away)
    answer = site.browser(Role.OPERATOR).get("/play?connection=helpdesk")
    assert answer.status_code == 409
    assert "does not answer" in Elements(answer.text).text


def test_against_real_systems_nobody_plays(estate, monkeypatch):
    monkeypatch.delenv("BRIDGE_SANDBOX", raising=False)
    assert played_people.of_home(estate.folder, estate.config.connections) is None
    app = create_site(lambda: desk_of(estate), SiteSettings(KEY))
    assert not [rule for rule in app.url_map.iter_rules() if rule.rule.startswith("/play")]


# The tour.


def test_the_tour_has_three_steps_until_it_is_dismissed(site):
    browser = site.browser(Role.OPERATOR)
    page = browser.get("/").text
    assert "Three steps" in Elements(page).text
    assert page.count('href="/play"') == 1  # the tour
    assert browser.get("/connections").text.count('href="/play"') == 1  # the menu, beside systems
    done = browser.post("/tour", data={"csrf_token": csrf_of(page)}, follow_redirects=True)
    assert "Three steps" not in Elements(done.text).text
    assert "Three steps" not in Elements(browser.get("/").text).text
    assert "Three steps" in Elements(site.browser(Role.OPERATOR).get("/").text).text


def test_who_may_not_play_is_shown_another_step(site):
    page = site.browser(Role.VIEWER).get("/").text
    assert "/play" not in page
    assert "Look at the settings" in Elements(page).text
