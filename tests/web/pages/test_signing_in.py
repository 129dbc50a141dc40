"""Signing in and out in a browser: cookies, forms, links, the way back, proxies."""

from __future__ import annotations

import re

import pytest
from argon2 import PasswordHasher

from bridge.operations import passwords, sign_in, users
from bridge.operations.permissions import Role
from tests.operations.desks import desk_of
from tests.web.pages.conftest import Elements, Site, csrf_of

PASSWORD = "correct horse battery"
HTTPS = {"base_url": "https://bridge.example"}


@pytest.fixture(autouse=True)
def cheap(monkeypatch):
    hasher = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
    monkeypatch.setattr(passwords, "_HASHER", hasher)
    monkeypatch.setattr(passwords, "_NOBODYS", hasher.hash("of nobody"))


@pytest.fixture
def ana(site):
    users.add(site.desk, "ana", Role.OPERATOR, password=PASSWORD)
    return site


def enter(browser, password=PASSWORD, back="", **options):
    form = browser.get("/sign-in", **options).text
    data = {"name": "ana", "password": password, "next": back, "csrf_token": csrf_of(form)}
    headers = {"Referer": "https://bridge.example/sign-in"} if options else {}
    return browser.post("/sign-in", data=data, headers=headers, **options)


def cookie(answer):
    (line,) = [line for line in answer.headers.getlist("Set-Cookie") if "bridge=" in line]
    return line


def test_with_the_password_one_is_in_and_by_signing_out_one_is_out(ana):
    browser = ana.nobody()
    assert enter(browser).headers["Location"] == "/"
    page = browser.get("/").text
    assert "ana" in Elements(page).text
    assert browser.post("/sign-out", data={"csrf_token": csrf_of(page)}).status_code == 303
    assert browser.get("/").headers["Location"] == "/sign-in"


def test_a_stolen_cookie_is_worth_nothing_after_signing_out(ana):
    browser, thief = ana.nobody(), ana.nobody()
    enter(browser)
    stolen = browser.get_cookie("bridge").value
    thief.set_cookie("bridge", stolen)
    assert thief.get("/").status_code == 200
    browser.post("/sign-out", data={"csrf_token": csrf_of(browser.get("/").text)})
    assert thief.get("/").status_code == 303


def test_signing_in_begins_a_session_of_its_own(ana):
    browser = ana.nobody()
    before = csrf_of(browser.get("/sign-in").text)
    first = cookie(enter(browser))
    page = browser.get("/").text
    assert csrf_of(page) != before
    assert cookie(enter(ana.nobody())) != first


def test_the_cookie_is_for_no_script_and_no_other_site(ana):
    plain = cookie(enter(ana.nobody()))
    assert plain.startswith("bridge=")
    assert {"HttpOnly", "Path=/", "SameSite=Lax"} <= set(plain.split("; "))
    secure = cookie(enter(ana.nobody(), **HTTPS))
    assert secure.startswith("__Host-bridge=")
    assert {"Secure", "HttpOnly", "Path=/", "SameSite=Lax"} <= set(secure.split("; "))
    assert "Domain" not in secure


def test_a_wrong_password_is_said_in_the_form_which_keeps_the_name(ana):
    answer = enter(ana.nobody(), "wrong wrong wrong")
    assert answer.status_code == 401
    page = Elements(answer.text)
    assert "name or password is not right" in page.text
    assert ("value", "ana") in [item for _, attrs in page.found for item in attrs.items()]
    assert "wrong wrong" not in answer.text


def test_who_guesses_is_told_how_long_to_wait(ana):
    browser = ana.nobody()
    for _ in range(sign_in.FREE["account"]):
        assert enter(browser, "wrong").status_code == 401
    answer = enter(browser)
    assert answer.status_code == 429
    assert (answer.headers["Retry-After"], answer.headers["X-Outcome-Code"]) == (
        "2",
        "BRG-PAGE-WAIT",
    )


@pytest.mark.parametrize("token", ["", "made-up", None])
def test_a_form_without_its_token_is_refused(ana, token):
    browser = ana.nobody()
    enter(browser)
    data = {} if token is None else {"csrf_token": token}
    answer = browser.post("/sign-out", data=data)
    assert (answer.status_code, answer.headers["X-Outcome-Code"]) == (400, "BRG-PAGE-FORM")
    assert browser.get("/").status_code == 200


def test_a_token_of_somebody_elses_session_is_refused(ana):
    browser, other = ana.nobody(), ana.nobody()
    enter(browser)
    enter(other)
    token = csrf_of(other.get("/").text)
    assert browser.post("/sign-out", data={"csrf_token": token}).status_code == 400


@pytest.mark.parametrize(
    ("back", "to"),
    [
        ("/tickets?text=a%20b", "/tickets?text=a%20b"),
        ("", "/"),
        ("https://evil.example/", "/"),
        ("//evil.example", "/"),
        ("/\\evil.example", "/"),
        ("/\t/evil.example", "/"),
        ("javascript:alert(1)", "/"),
        ("tickets", "/"),
    ],
)
def test_one_goes_on_where_one_wanted_to_and_never_elsewhere(ana, back, to):
    assert enter(ana.nobody(), back=back).headers["Location"] == to


def test_who_is_not_signed_in_is_led_to_the_form_and_back(ana):
    browser = ana.nobody()
    form = browser.get("/tickets?text=a+b&state=behind").headers["Location"]
    (back,) = re.findall(r'name="next" value="([^"]*)"', browser.get(form).text)
    assert enter(browser, back=back.replace("&amp;", "&")).headers["Location"] == (
        "/tickets?text=a+b&state=behind"
    )


def test_an_act_without_a_session_is_answered_and_not_sent_elsewhere(ana):
    for answer in (
        ana.nobody().get("/", headers={"HX-Request": "true"}),
        ana.nobody().post("/tickets"),
    ):
        assert answer.status_code in {401, 405}
        assert answer.headers["X-Outcome-Code"] in {"BRG-PAGE-SIGN-IN", "BRG-PAGE-REQUEST"}


# Links.


def test_a_link_signs_in_once_and_on_this_machine_alone(ana):
    address = f"/sign-in/link/{users.make_link(ana.desk, 'ana')}"
    for elsewhere in (
        {"environ_overrides": {"REMOTE_ADDR": "192.0.2.1"}},
        {"headers": {"X-Forwarded-For": "192.0.2.1"}},
        {"headers": {"Forwarded": "for=192.0.2.1"}},
    ):
        assert ana.nobody().get(address, **elsewhere).status_code == 403
    browser = ana.nobody()
    assert browser.get(address).headers["Location"] == "/"
    assert browser.get("/").status_code == 200
    assert ana.nobody().get(address).status_code == 401


# Behind a proxy.


def test_a_proxy_is_believed_where_there_is_one_and_nowhere_else(world):
    said = {"X-Forwarded-Proto": "https", "X-Forwarded-For": "192.0.2.1"}
    behind, open_to_all = Site(desk_of(world), proxies=1), Site(desk_of(world))
    assert "__Host-" in cookie(behind.nobody().get("/sign-in", headers=said))
    assert "__Host-" not in cookie(open_to_all.nobody().get("/sign-in", headers=said))


@pytest.mark.parametrize("stripped", [True, False])
def test_all_pages_may_be_below_a_path(world, stripped):
    site = Site(desk_of(world), path="/bridge/")
    browser = site.nobody()
    asked = "/" if stripped else "/bridge/"
    assert browser.get(asked).headers["Location"] == "/bridge/sign-in"
    page = Elements(browser.get("/sign-in" if stripped else "/bridge/sign-in").text)
    addresses = [
        value
        for _, attrs in page.found
        for name, value in attrs.items()
        if name in {"href", "src", "action"} and not value.startswith("#")
    ]
    assert addresses
    assert all(address.startswith("/bridge/") for address in addresses)
    assert browser.get("/bridges/sign-in").status_code == 404
