"""Users, one's own account, audit and settings: who may come in, what was done, what is set."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from argon2 import PasswordHasher
from sqlalchemy import update

from bridge.core.model.syncs import Connection, Secret, Webhook
from bridge.ledger import tables
from bridge.operations import audit_trail, passwords, settings_sheet, sign_in, tokens, users
from bridge.operations.permissions import Role
from bridge.web.pages import audit_pages, settings_pages, user_pages
from tests.web.pages.conftest import Elements, Site, csrf_of

PASSWORD = "correct horse battery"
HTTPS = {"base_url": "https://bridge.example"}


@pytest.fixture(autouse=True)
def cheap(monkeypatch):
    hasher = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
    monkeypatch.setattr(passwords, "_HASHER", hasher)
    monkeypatch.setattr(passwords, "_NOBODYS", hasher.hash("of nobody"))


def send(browser, path, page, **values):
    """Send a form of a page; the answer, led on to where it leads."""
    data = {"csrf_token": csrf_of(browser.get(page).text), **values}
    return browser.post(path, data=data, follow_redirects=True)


def did(site, action):
    return audit_trail.acts(site.desk, limit=99, action=action)


# Users.


def test_a_new_user_is_shown_a_link_once_which_lets_them_in_once(site):
    admin = site.browser()
    made = send(admin, "/users", "/users", name="bo", role="operator")
    (link,) = re.findall(r"/sign-in/link/invitation-[\w-]+", Elements(made.text).text)
    assert link not in admin.get("/users").text
    browser = site.nobody()
    page = browser.get(link, **HTTPS)
    assert page.status_code == 200
    form = {"csrf_token": csrf_of(page.text)}
    referred = {"Referer": "https://bridge.example/"}
    assert (
        browser.post(link, data=form, headers=referred, **HTTPS).headers["Location"] == "/account"
    )
    assert "bo" in Elements(browser.get("/account", **HTTPS).text).text
    other = site.nobody()
    again = {"csrf_token": csrf_of(other.get(link, **HTTPS).text)}
    assert other.post(link, data=again, headers=referred, **HTTPS).status_code == 401
    assert [act.actor for act in did(site, "user invited")] == ["user:the-admin"]


def test_looking_a_link_up_does_not_use_it_up_and_clear_text_from_elsewhere_is_refused(site):
    users.add(site.desk, "bo", Role.VIEWER)
    link = f"/sign-in/link/{users.make_link(site.desk, 'bo', from_elsewhere=True)}"
    elsewhere = {"environ_overrides": {"REMOTE_ADDR": "192.0.2.1"}}
    browser = site.nobody()
    for _ in range(3):
        form = {"csrf_token": csrf_of(browser.get(link, **elsewhere).text)}
    assert browser.post(link, data=form, **elsewhere).status_code == 403
    assert browser.post(link, data=form).status_code == 303


def test_a_link_for_this_machine_is_no_invitation(site):
    users.add(site.desk, "bo", Role.VIEWER)
    link = f"/sign-in/link/{users.make_link(site.desk, 'bo')}"
    browser = site.nobody()
    form = {"csrf_token": csrf_of(browser.get("/sign-in").text)}
    assert browser.post(link, data=form).status_code == 403
    assert browser.get(link).status_code == 303


def test_the_last_admin_keeps_role_and_entry(site):
    admin = site.browser()
    page = admin.get("/users/the-admin").text
    assert "last admin" in Elements(page).text
    assert "Disable the-admin" not in page
    for act, values in (("role", {"role": "viewer"}), ("disable", {})):
        refused = send(admin, f"/users/the-admin/{act}", "/users", **values)
        assert refused.status_code == 409
        assert "make somebody else one before" in Elements(refused.text).text
    users.add(site.desk, "bo", Role.ADMIN)
    assert "Disable the-admin" in admin.get("/users/the-admin").text
    users.disable(site.desk, "bo")
    assert send(admin, "/users/the-admin/disable", "/users").status_code == 409


def test_what_is_done_to_a_user_holds_at_once_and_is_in_the_audit(site):
    admin, viewer = site.browser(), site.browser(Role.VIEWER)
    assert viewer.get("/problems").status_code == 200
    page = send(admin, "/users/the-viewer/role", "/users", role="operator").text
    assert "the-viewer is operator" in Elements(page).text
    assert "operator" in Elements(viewer.get("/account").text).text
    send(admin, "/users/the-viewer/sign-out", "/users")
    assert viewer.get("/").status_code == 303
    send(admin, "/users/the-viewer/disable", "/users")
    assert send(admin, "/users/the-viewer/invite", "/users").status_code == 409
    send(admin, "/users/the-viewer/enable", "/users")
    assert send(admin, "/users/the-viewer/invite", "/users").status_code == 200
    acts = [act.action for act in did(site, "user ") if act.actor == "user:the-admin"]
    assert acts[::-1] == [
        *("user role", "user signed out", "user disabled", "user enabled", "user invited")
    ]


def test_who_is_put_out_is_told_with_the_tokens_that_stop(site):
    users.add(site.desk, "bo", Role.ADMIN)
    tokens.create(site.desk.seen_by("user:bo", personal=True), "ci", Role.VIEWER)
    admin = site.browser()
    page = send(admin, "/users/bo/disable", "/users").text
    assert "tokens that let nobody in meanwhile: ci" in Elements(page).text
    assert "its maker is out" in Elements(admin.get("/tokens").text).text


def test_names_and_roles_that_are_none_are_refused(site):
    admin = site.browser()
    for name, role, status in (("B o", "viewer", 409), ("bo", "king", 404), ("", "viewer", 409)):
        assert send(admin, "/users", "/users", name=name, role=role).status_code == status
    assert send(admin, "/users/the-admin/crown", "/users").status_code == 404
    assert [user.name for user in users.every(site.desk)] == ["the-admin"]


def test_users_are_listed_by_parts(site, monkeypatch):
    admin = site.browser()
    for number in range(5):
        users.add(site.desk, f"ana{number}", Role.VIEWER)
    monkeypatch.setattr(user_pages, "PAGE_SIZE", 2)
    seen, address = [], "/users"
    while address:
        page = admin.get(address).text
        seen += re.findall(r'href="/users/([\w-]+)"', page)
        found = re.search(r'href="([^"]+)" rel="next"', page)
        address = found and found[1].replace("&amp;", "&")
    assert seen == [*(f"ana{number}" for number in range(5)), "the-admin"]


# One's own account.


def test_whoever_came_by_a_link_takes_a_password_and_comes_in_with_it(site):
    browser, other = site.browser(Role.VIEWER), site.browser(Role.VIEWER)
    done = send(browser, "/account/password", "/account", new=PASSWORD, again=PASSWORD)
    assert "your password is changed" in Elements(done.text).text
    assert browser.get("/").status_code == 200
    assert other.get("/").status_code == 303
    assert sign_in.by_password(site.desk, "the-viewer", PASSWORD, "192.0.2.1").user.has_password


@pytest.mark.parametrize(
    ("old", "new", "again", "said"),
    [
        ("not this one", PASSWORD, PASSWORD, "the present password is not right"),
        (PASSWORD, "too short", "too short", "15 to 256 characters"),
        (PASSWORD, "another one 1234", "another one 13", "are not the same"),
    ],
)
def test_a_password_that_cannot_be_taken_is_said_in_the_form(site, old, new, again, said):
    browser = site.browser(Role.VIEWER)
    users.set_password(site.desk, "the-viewer", PASSWORD)
    browser = site.browser(Role.VIEWER)
    answer = send(browser, "/account/password", "/account", old=old, new=new, again=again)
    assert answer.status_code == 400
    assert said in Elements(answer.text).text
    assert sign_in.by_password(site.desk, "the-viewer", PASSWORD, "192.0.2.1")


def test_a_found_browser_is_no_way_to_guess_the_password(site):
    site.browser(Role.VIEWER)
    users.set_password(site.desk, "the-viewer", PASSWORD)
    browser = site.browser(Role.VIEWER)
    given = {"new": "another one 1234", "again": "another one 1234"}
    for _ in range(sign_in.FREE["account"]):
        assert send(browser, "/account/password", "/account", old="x", **given).status_code == 400
    assert send(browser, "/account/password", "/account", old="x", **given).status_code == 429


def test_one_signs_out_everywhere(site):
    here, there = site.browser(Role.VIEWER), site.browser(Role.VIEWER)
    assert Elements(here.get("/account").text).text.count("127.0.0.1") == 2
    send(here, "/account/sign-out", "/account")
    assert (here.get("/").status_code, there.get("/").status_code) == (303, 303)


# Tokens.


def test_a_token_is_shown_once_lets_a_program_in_and_is_revoked(site):
    admin = site.browser()
    made = send(admin, "/tokens", "/tokens", name="ci", role="operator", connection="L", days="7")
    (secret,) = re.findall(r"brg_[\w-]{40,}", Elements(made.text).text)
    assert secret not in admin.get("/tokens").text
    token = tokens.of_secret(site.desk, secret)
    assert (token.name, token.role, token.connections) == ("ci", Role.OPERATOR, ["L"])
    page = send(admin, "/tokens/ci", "/tokens/ci").text
    assert "ci lets nobody in any more" in Elements(page).text
    assert tokens.of_secret(site.desk, secret) is None
    assert "Revoke it" not in admin.get("/tokens/ci").text
    for values in ({"name": "B d"}, {"days": "0"}, {"days": "x"}, {"name": "ci"}):
        given = {"name": "cd", "role": "viewer", "days": "7"} | values
        assert send(admin, "/tokens", "/tokens", **given).status_code == 409


# Audit.


@pytest.fixture
def audited(site):
    """Acts of three days, an hour apart; their subjects are numbers."""
    clock = site.desk.context.clock
    clock.time = datetime(2026, 3, 1, tzinfo=UTC)
    for number in range(72):
        actor = replace(site.desk, actor="user:bo" if number % 2 else "user:ana")
        with actor.acting("parked retry" if number % 3 else "paused", f"no {number}", {"n": "<b>"}):
            pass
        clock.advance(3600)
    return site


def listed(browser, address):
    """The subjects of all parts of a list."""
    found = []
    while address:
        page = browser.get(address).text
        found += [int(each) for each in re.findall(r">no (\d+)<", page)]
        way = re.search(r'href="([^"]+)" rel="next"', page)
        address = way and way[1].replace("&amp;", "&")
    return found


@pytest.mark.parametrize(
    ("asked", "numbers"),
    [
        ("", range(72)),
        ("actor=user:bo", range(1, 72, 2)),
        ("action=parked", [n for n in range(72) if n % 3]),
        ("subject=no+7", [7, 70, 71]),
        ("since=2026-03-02", range(24, 72)),
        ("until=2026-03-01", range(24)),
        ("since=2026-03-02&until=2026-03-02&actor=user:ana", range(24, 48, 2)),
        ("since=2027-01-01", []),
        ("until=2025-01-01", []),
    ],
)
@pytest.mark.parametrize(("size", "looked_at"), [(50, 5000), (4, 7)])
def test_acts_are_found_by_who_what_on_what_and_when(
    audited, monkeypatch, asked, numbers, size, looked_at
):
    monkeypatch.setattr(audit_pages, "PAGE_SIZE", size)
    monkeypatch.setattr(audit_pages, "LOOKED_AT", looked_at)
    monkeypatch.setattr("bridge.ledger.audit.CLOSE", 2)
    browser = audited.browser(Role.OPERATOR)
    assert listed(browser, f"/audit?{asked}") == sorted(numbers, reverse=True)


def test_a_day_that_is_none_is_said_and_the_command_lists_the_same(audited):
    page = Elements(audited.browser().get("/audit?since=yesterday&actor=user:bo%27s").text).text
    assert "No day that is understood: since" in page
    assert "bridge audit --by 'user:bo'\"'\"'s'" in page
    page = Elements(audited.browser().get("/audit?until=2026-03-01").text).text
    assert "bridge audit --until 2026-03-02" in page


def test_a_changed_act_among_the_newest_is_said(audited, monkeypatch):
    browser = audited.browser()
    assert "hang together" in Elements(browser.get("/audit").text).text
    with audited.desk.ledger.transaction() as tx:
        tx.execute(update(tables.audit).where(tables.audit.c.id == 60).values(actor="user:cy"))
    assert "Act 60 does not fit" in Elements(browser.get("/audit").text).text
    monkeypatch.setattr(audit_pages, "VERIFIED", 5)
    assert "the newest 5 acts hang together" in Elements(browser.get("/audit").text).text


# Settings.


def test_no_secret_is_shown_and_where_there_is_one_it_is_said(world, monkeypatch):
    site = Site(_with_secrets(world))
    monkeypatch.setenv("BRIDGE_METRICS_TOKEN", "s3cret-metrics")
    page = site.browser(Role.VIEWER).get("/settings").text
    assert "s3cret" not in page
    text = Elements(page).text
    assert "redis://cache.example:6379/1" in text
    assert "BRIDGE_METRICS_TOKEN opens /metrics to others set" in text
    assert "standard-webhooks, 2 secrets" in text
    assert "none: it takes no webhooks" in text
    assert "730 days" in text


def _with_secrets(world):
    from tests.operations.desks import desk_of

    desk = desk_of(world)
    secret = Secret("s3cret-key")
    webhook = Webhook("standard-webhooks", (Secret("s3cret-a"), Secret("s3cret-b")))
    own = {
        "L": Connection("L", "memory", "memory", "https://l.example/v1", {"api_key": secret}),
        "H": Connection("H", "memory", "memory", "https://h.example/v1", {}, webhook=webhook),
    }
    settings = replace(desk.config.settings, redis="redis://u:s3cret-pass@cache.example:6379/1")
    return replace(desk, config=replace(desk.config, connections=own, settings=settings))


def test_connections_are_listed_by_parts(world, monkeypatch):
    monkeypatch.setattr(settings_pages, "PAGE_SIZE", 1)
    desk = _with_secrets(world)
    first = settings_sheet.connections(desk, 1)
    assert ([row.name for row in first.rows], first.after) == (["H"], "H")
    second = settings_sheet.connections(desk, 1, "H")
    assert ([row.name for row in second.rows], second.after) == (["L"], None)
    page = Site(desk).browser().get("/settings?after=H").text
    assert "https://l.example/v1" in page
    assert "https://h.example/v1" not in page


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("embedded", "embedded"),
        ("redis://:pw@h:6379/1?password=x#y", "redis://h:6379/1"),
        ("unix:///run/v.sock", "unix:///run/v.sock"),
        ("redis://h:port/", "an address that cannot be read"),
    ],
)
def test_of_an_address_nothing_secret_is_shown(address, shown):
    assert settings_sheet.without_secrets(address) == shown
